/** The last half hour of one quantity as a small line; gaps stay gaps. */
import { useEffect, useState } from "preact/hooks";
import { getSeries, Refusal, type Series } from "../feed/http";
import { now } from "../state/store";
import { t } from "../text/text";

const SPAN = 30 * 60 * 1_000_000; // us
const STEP = 30 * 1_000_000;
const AGAIN = 60_000; // ms
const WIDTH = 100;
const HEIGHT = 24;

/** SVG path of the points' means; a hole of more than two steps lifts the pen. */
export function sparkPath(points: Series["points"], from: number, to: number): string {
  const values = points.flatMap((p) => (p.mean === null ? [] : [p.mean]));
  const low = Math.min(...values);
  const range = Math.max(...values) - low || 1;
  let path = "";
  let before = -Infinity;
  for (const point of points) {
    if (point.mean === null) continue;
    const x = ((point.at - from) / (to - from)) * WIDTH;
    const y = HEIGHT - 2 - ((point.mean - low) / range) * (HEIGHT - 4);
    path += `${point.at - before > 2 * STEP ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    before = point.at;
  }
  return path;
}

/** null while it is not known (never asked, or refused). */
function useSpark(unit: string, quantity: string): string | null {
  const [path, setPath] = useState<string | null>(null);
  useEffect(() => {
    let shown = true;
    const load = async (): Promise<void> => {
      const to = now.peek();
      try {
        const series = await getSeries(unit, quantity, to - SPAN, to, STEP);
        if (shown) setPath(sparkPath(series.points, to - SPAN, to));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (shown) setPath(null); // an old trend must not stand beside new numbers
      }
    };
    void load();
    const timer = setInterval(() => void load(), AGAIN);
    return () => {
      shown = false;
      clearInterval(timer);
    };
  }, [unit, quantity]);
  return path;
}

export function Spark(props: { unit: string; quantity: string }) {
  const path = useSpark(props.unit, props.quantity);
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={t("vital.spark")}
    >
      {path && <path d={path} />}
    </svg>
  );
}
