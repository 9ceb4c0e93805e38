/** The stretch of signal that made an alert: ECG on paper, or a number over time with its limit. */
import { useEffect, useRef, useState } from "preact/hooks";
import { getPoints, getWaveform, Refusal, type Point } from "../feed/http";
import type { Alert, Details } from "../feed/types";
import { sheetOf, stretchOf, type Sheet, type Stretch } from "../state/stretch";
import { clockTime, fixed, t, tCode } from "../text/text";
import { scaleNow } from "./ecg";
import { FrozenEcg, type Moment } from "./frozen";
import { PriorityShape } from "./icons";
import { px, useSize } from "./size";
import { rowOf } from "./values";

const LATER = 2_500; // ms: what follows an alert is on its way when it is looked at at once

type Found = { is: "ecg"; sheet: Sheet | null } | { is: "series"; points: readonly Point[] };

async function load(unit: string, stretch: Stretch): Promise<Found | null> {
  if (stretch.is === "ecg") {
    const segments = await getWaveform(unit, stretch.device, stretch.from, stretch.to);
    return { is: "ecg", sheet: sheetOf(segments, stretch.leads, stretch.from, stretch.to) };
  }
  if (stretch.is === "series") {
    const points = await getPoints(unit, stretch.quantity, stretch.from, stretch.to, stretch.device);
    return { is: "series", points };
  }
  return null;
}

type Asked = Found | null | undefined | "unread"; // undefined = no answer yet, null = there is no signal

/** Asked again once, for what had not come yet. */
function useFound(unit: string, stretch: Stretch): Asked {
  const [found, setFound] = useState<Asked>();
  const key = JSON.stringify(stretch);
  useEffect(() => {
    let shown = true;
    const ask = async (): Promise<void> => {
      try {
        const next = await load(unit, stretch);
        if (shown) setFound(next);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (shown) setFound((before) => before ?? "unread"); // what was read once stays
      }
    };
    setFound(undefined);
    void ask();
    const timer = setTimeout(() => void ask(), LATER);
    return () => {
      shown = false;
      clearTimeout(timer);
    };
  }, [unit, key]);
  return found;
}

const NARROW = 600; // px: the bar above the sheet takes two rows

const seconds = (us: number): number => us / 1e6;

function EcgStretch(props: { stretch: Stretch & { is: "ecg" }; sheet: Sheet }) {
  const { stretch, sheet } = props;
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const layout = size.width < NARROW ? "6x2" : "3x4";
  const moment = (at: number | null, name: string): Moment[] =>
    at === null || at < stretch.from ? [] : [{ at: seconds(at - stretch.from), name }];
  const { since, raised } = stretch.moments;
  const frozen = { at: stretch.to, from: 0, ...sheet };
  return (
    <div class={`stretch-ecg ${sheet.leads.length > 1 ? "twelve" : ""}`} ref={box} data-leads={sheet.leads.join(" ")}>
      {size.width > 0 && (
        <FrozenEcg
          title={t("detail.signal.from", { from: clockTime(stretch.from), to: clockTime(stretch.to) })}
          marks={[...moment(since, t("detail.mark.since")), ...moment(raised, t("detail.mark.raised"))]}
          frozen={frozen}
          layout={layout}
          scale={scaleNow()}
          width={size.width}
          height={size.height - (size.width < NARROW ? 54 : 28)}
        />
      )}
    </div>
  );
}

const HEIGHT = 180;
const ROOM = { left: 44, right: 12, top: 12, bottom: 22 };

/** The values as a line with dots; a hole of more than five usual steps lifts the pen. */
function linePath(points: readonly Point[], x: (at: number) => number, y: (value: number) => number): string {
  const steps = points.slice(1).map((point, i) => point.at - (points[i] as Point).at);
  const usual = steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  let before = -Infinity;
  return points
    .map((point) => {
      const pen = point.at - before > 5 * usual ? "M" : "L";
      before = point.at;
      return `${pen}${x(point.at).toFixed(1)} ${y(point.value).toFixed(1)}`;
    })
    .join("");
}

function SeriesStretch(props: { alert: Alert; stretch: Stretch & { is: "series" }; points: readonly Point[] }) {
  const { alert, stretch, points } = props;
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const { decimals, shown } = rowOf(stretch.quantity);
  const values = [...points.map((point) => point.value), ...[alert.limit, alert.value].filter((v) => v !== null)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || 1) * 0.1;
  const x = (at: number): number =>
    ROOM.left + ((at - stretch.from) / (stretch.to - stretch.from)) * (width - ROOM.left - ROOM.right);
  const y = (value: number): number =>
    HEIGHT - ROOM.bottom - ((value - low + room) / (high - low + 2 * room)) * (HEIGHT - ROOM.top - ROOM.bottom);
  const say = (value: number): string => fixed(value, decimals);
  const label = t("detail.chart", {
    quantity: tCode("q", stretch.quantity),
    n: points.length,
    limit: alert.limit === null ? "—" : say(alert.limit),
    value: alert.value === null ? "—" : `${say(alert.value)} ${shown}`,
  });
  const ticks = [...new Set([low, high])].filter((v) => alert.limit === null || Math.abs(y(v) - y(alert.limit)) > 12);
  return (
    <div class="stretch-series" ref={box} data-points={points.length}>
      <svg width={width} height={HEIGHT} role="img" aria-label={label}>
        <rect
          class="window"
          x={x(stretch.since)}
          y={ROOM.top}
          width={Math.max(1, x(alert.raised_at) - x(stretch.since))}
          height={HEIGHT - ROOM.top - ROOM.bottom}
        />
        {ticks.map((value) => (
          <text key={value} class="axis" x={ROOM.left - 6} y={y(value) + 4} text-anchor="end">
            {say(value)}
          </text>
        ))}
        {[stretch.from, alert.raised_at].map((at, i) => (
          <text key={at} class="axis" x={x(at)} y={HEIGHT - 6} text-anchor={i === 0 ? "start" : "middle"}>
            {clockTime(at)}
          </text>
        ))}
        {alert.limit !== null && (
          <>
            <line class="limit" x1={ROOM.left} x2={width - ROOM.right} y1={y(alert.limit)} y2={y(alert.limit)} />
            <text class="axis limit-name" x={ROOM.left - 6} y={y(alert.limit) + 4} text-anchor="end">
              {say(alert.limit)}
            </text>
          </>
        )}
        <path class="values" d={linePath(points, x, y)} />
        {points.length <= 40 &&
          points.map((p) => <circle key={p.at} class="dot" cx={x(p.at)} cy={y(p.value)} r="2.5" />)}
      </svg>
      {width > 0 && alert.value !== null && (
        <span class="crossing" style={{ left: px(x(alert.raised_at) - 9), top: px(y(alert.value) - 9) }}>
          <PriorityShape priority={alert.priority} calling={false} size={18} />
        </span>
      )}
      <p class="quiet small">{label}</p>
    </div>
  );
}

export function StretchOfSignal(props: { alert: Alert; why: Details }) {
  const { alert, why } = props;
  const stretch = stretchOf(alert, why, (quantity) => rowOf(quantity).expectedInterval);
  const found = useFound(alert.unit, stretch);
  if (stretch.is === "none") return <p class="quiet">{t("detail.signal.none")}</p>;
  if (found === undefined) return <p class="quiet">{t("detail.loading")}</p>;
  if (found === "unread") return <p class="quiet">{t("list.unread")}</p>;
  if (stretch.is === "ecg" && found?.is === "ecg" && found.sheet)
    return <EcgStretch stretch={stretch} sheet={found.sheet} />;
  if (stretch.is === "series" && found?.is === "series" && found.points.length > 0)
    return <SeriesStretch alert={alert} stretch={stretch} points={found.points} />;
  return <p class="quiet">{t("detail.signal.empty")}</p>;
}
