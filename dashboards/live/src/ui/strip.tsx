/** One sweeping lead without paper: pleth, respiration, and the small ECG of a card. */
import { useEffect, useMemo, useRef } from "preact/hooks";
import { onFrame } from "../signal/frames";
import { SweepPainter, type Ink } from "../signal/painter";
import type { Band, Cell } from "../signal/sheet";
import type { Stream } from "../signal/stream";
import { findStream } from "../signal/streams";
import { ERASE_MM } from "../signal/sweep";
import { pxPerMm, speed, theme } from "../state/prefs";
import { local } from "../state/store";
import { t } from "../text/text";
import { localSeconds } from "../time";
import { useSize } from "./size";

const RANGE_SECONDS = 6;
/** Seconds without a frame before the page says so. */
export const SILENT = 3;

interface Props {
  unit: string;
  choose: (leads: readonly string[]) => string | undefined;
  color: string; // CSS variable of the trace
  label?: string;
  missing: string; // what is said when there never was such a signal
  lost: string; // what is said when it stopped
  millivolts?: boolean; // true: 10 mm/mV; false: amplitude fits the strip
}

/** Low and high of the last seconds before the pen; null when there is nothing but gaps. */
function rangeOf(stream: Stream, lead: string, pen: number): [number, number] | null {
  const track = stream.tracks.get(lead);
  if (!track) return null;
  let [low, high] = [Infinity, -Infinity];
  const to = Math.floor(pen * stream.fs);
  for (let i = to - Math.round(RANGE_SECONDS * stream.fs); i <= to; i++) {
    const v = track.at(i);
    if (!Number.isFinite(v)) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  return high > low ? [low, high] : null;
}

/** Range the strip shows: kept until the signal leaves it or fills less than half of it. */
function keepRange(shown: [number, number] | null, seen: [number, number] | null): [number, number] | null {
  if (!seen) return shown;
  const leaves = !shown || seen[0] < shown[0] || seen[1] > shown[1];
  const small = shown !== null && seen[1] - seen[0] < 0.5 * (shown[1] - shown[0]);
  const room = 0.1 * (seen[1] - seen[0]);
  return leaves || small ? [seen[0] - room, seen[1] + room] : shown;
}

class StripView {
  private readonly painter: SweepPainter;
  private range: [number, number] | null = null;
  private rangedAt = -Infinity;
  private drawn: Stream | null = null;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly props: Props,
  ) {
    this.painter = new SweepPainter(canvas);
  }

  resize(width: number, height: number): void {
    this.painter.resize(width, height);
  }

  invalidate(): void {
    this.painter.invalidate();
  }

  draw(at: number, width: number, height: number): void {
    const { unit, choose } = this.props;
    const stream = findStream(unit, (lead) => choose([lead]) !== undefined, at);
    const lead = stream ? choose([...stream.tracks.keys()]) : undefined;
    const pen = stream?.play.at(at);
    if (!stream || !lead || pen == null) return;
    if (stream !== this.drawn) this.invalidate();
    this.drawn = stream;
    if (at - this.rangedAt > 1) this.rerange(stream, lead, pen, at);
    this.painter.draw(stream, [band(lead, width, height)], this.ink(height), pen);
  }

  private rerange(stream: Stream, lead: string, pen: number, at: number): void {
    const next = keepRange(this.range, rangeOf(stream, lead, pen));
    if (next === null) return; // nothing to measure yet: look again at the next frame
    this.rangedAt = at;
    if (next !== this.range) this.invalidate();
    this.range = next;
  }

  private ink(height: number): Ink {
    const mm = pxPerMm.peek();
    const [low, high] = this.range ?? [-1, 1];
    const perUnit = this.props.millivolts
      ? Math.min(10 * mm, (height - 6) / (high - low))
      : (height - 6) / (high - low);
    const middle = (low + high) / 2;
    return {
      color: getComputedStyle(this.painter.canvas).getPropertyValue(this.props.color),
      line: 1.5,
      pxs: mm * speed.peek(),
      erase: ERASE_MM * mm,
      pxPerUnit: () => perUnit,
      baseline: () => height / 2 + middle * perUnit,
    };
  }
}

function band(lead: string, width: number, height: number): Band {
  const cell: Cell = { lead, x: 0, y: 0, width, height, baseline: height / 2, from: 0, to: 1 };
  return { x: 0, width, cells: [cell] };
}

export function Strip(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const size = useSize(box);
  const [mm, mmPerSecond, colors] = [pxPerMm.value, speed.value, theme.value];
  void local.value;
  const at = localSeconds();
  const stream = findStream(props.unit, (lead) => props.choose([lead]) !== undefined, at);
  const shownAt = useRef(at);
  const silent = at - (stream?.heardAt ?? shownAt.current) > SILENT;
  const key = useMemo(() => ({}), [props.unit, props.color]);
  useEffect(() => {
    const view = new StripView(canvas.current as HTMLCanvasElement, props);
    view.resize(size.width, size.height);
    return onFrame((local) => size.width > 0 && view.draw(local, size.width, size.height));
  }, [key, size.width, size.height, mm, mmPerSecond, colors]);
  return (
    <div class="strip" role="img" aria-label={props.label ?? t("ecg.title")}>
      {props.label && <span class="strip-label">{props.label}</span>}
      <div class="strip-box" ref={box}>
        <canvas ref={canvas} />
      </div>
      {silent && <span class="strip-missing">{stream === null ? props.missing : props.lost}</span>}
    </div>
  );
}
