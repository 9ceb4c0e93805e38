/** The last ten seconds, still, as a paper sheet, with two calipers. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { measure, type Point } from "../signal/calipers";
import { SweepPainter } from "../signal/painter";
import { drawPaper } from "../signal/paper";
import type { Reader } from "../signal/pen";
import { cellsOf, FROZEN, sheetFor, type Layout, type Sheet } from "../signal/sheet";
import type { Stream } from "../signal/stream";
import { ecgLeads } from "../signal/streams";
import { pxPerSecond, type PaperScale } from "../signal/sweep";
import { GAP, LEAD_OFF } from "../signal/track";
import { theme } from "../state/prefs";
import { t } from "../text/text";
import { inkFor, LeadLabels, paperColors } from "./ecg";
import { px } from "./size";

export interface Frozen {
  at: number; // gateway clock, us
  fs: number;
  from: number; // s of the stream
  leads: string[];
  tracks: ReadonlyMap<string, Reader>;
  off: ReadonlySet<string>; // leads with no electrode for all of it
}

/** A copy of the last ten seconds that came; the stream goes on without it. */
export function freeze(stream: Stream, localSeconds: number, at: number): Frozen {
  const pen = Math.min(stream.play.at(localSeconds) ?? 0, (stream.newest ?? 0) / stream.fs);
  const from = pen - FROZEN;
  const first = Math.floor(from * stream.fs);
  const count = Math.ceil(FROZEN * stream.fs) + 2;
  const tracks = new Map<string, Reader>();
  const off = new Set<string>();
  for (const [lead, track] of stream.tracks) {
    const samples = track.slice(first, first + count);
    tracks.set(lead, { at: (position) => samples[position - first] ?? GAP });
    if (samples.some((v) => v === LEAD_OFF) && !samples.some(Number.isFinite)) off.add(lead);
  }
  return { at, fs: stream.fs, from, leads: ecgLeads(stream), tracks, off };
}

function paint(canvas: HTMLCanvasElement, frozen: Frozen, sheet: Sheet, scale: PaperScale): void {
  const painter = new SweepPainter(canvas);
  painter.resize(sheet.width, sheet.height);
  const ink = inkFor(canvas, scale);
  for (const cell of cellsOf(sheet)) {
    const reader = frozen.tracks.get(cell.lead);
    const [from, to] = [frozen.from + cell.from * FROZEN, frozen.from + cell.to * FROZEN];
    if (reader) painter.still(reader, frozen.fs, cell, ink, from, to);
  }
  canvas.dataset.drawn = ""; // tests wait for it
}

const STEP = 1; // px an arrow key moves a caliper
const STRIDE = 10; // with Shift

const MOVES: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface CaliperProps {
  name: string;
  point: Point;
  sheet: Sheet;
  move: (point: Point) => void;
}

/** A cross of two lines over the whole sheet with a handle: dragged, or moved by arrow keys. */
function Caliper({ name, point, sheet, move }: CaliperProps) {
  const held = useRef<Point | null>(null); // pointer minus point
  const to = (x: number, y: number): void =>
    move({ x: Math.min(sheet.width, Math.max(0, x)), y: Math.min(sheet.height, Math.max(0, y)) });
  const key = (event: KeyboardEvent): void => {
    const direction = MOVES[event.key];
    if (!direction) return;
    event.preventDefault();
    const step = event.shiftKey ? STRIDE : STEP;
    to(point.x + direction[0] * step, point.y + direction[1] * step);
  };
  return (
    <>
      <i class="caliper-x" style={{ left: px(point.x), height: px(sheet.height) }} />
      <i class="caliper-y" style={{ top: px(point.y), width: px(sheet.width) }} />
      <button
        type="button"
        class="caliper"
        aria-label={name}
        style={{ left: px(point.x), top: px(point.y) }}
        onKeyDown={key}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          held.current = { x: event.clientX - point.x, y: event.clientY - point.y };
        }}
        onPointerMove={(event) => held.current && to(event.clientX - held.current.x, event.clientY - held.current.y)}
        onPointerUp={() => (held.current = null)}
      />
    </>
  );
}

function Figures(props: { a: Point; b: Point; scale: PaperScale }) {
  const span = measure(props.a, props.b, props.scale);
  const rate = span.perMinute === null ? "—" : span.perMinute.toFixed(0);
  return (
    <output class="caliper-figures tabular">
      <b>{span.ms.toFixed(0)}</b> ms · <b>{span.mv.toFixed(2)}</b> mV · <b>{rate}</b> /min
    </output>
  );
}

/** A moment on a sheet of one row: where an alert began, where it was raised. */
export interface Moment {
  at: number; // s of the stream
  name: string;
}

interface Props {
  title: string;
  marks?: readonly Moment[];
  frozen: Frozen;
  layout: Layout;
  scale: PaperScale;
  width: number; // of the place it has; the sheet may be wider and then scrolls
  height: number;
}

export function FrozenEcg({ title, marks = [], frozen, layout, scale, width, height }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const paper = useRef<HTMLCanvasElement>(null);
  const traces = useRef<HTMLCanvasElement>(null);
  const sheet = useMemo(() => {
    const left = sheetFor(frozen.leads, layout, 0, height, scale.pxPerMm).left;
    return sheetFor(frozen.leads, layout, left + FROZEN * pxPerSecond(scale), height - 10, scale.pxPerMm);
  }, [frozen, layout, height, scale.pxPerMm, scale.speed]);
  const start = Math.max(0, sheet.width - width);
  const y = (sheet.baselines.at(-1) ?? 0) - 10;
  const [a, setA] = useState<Point>({ x: start + width * 0.4, y });
  const [b, setB] = useState<Point>({ x: start + width * 0.4 + pxPerSecond(scale), y: y - 20 });
  useLayoutEffect(() => {
    // before the browser shows it: no blank sheet flashes
    const canvas = traces.current as HTMLCanvasElement;
    drawPaper(paper.current as HTMLCanvasElement, sheet, scale, paperColors(canvas));
    paint(canvas, frozen, sheet, scale);
  }, [frozen, sheet, scale.gain, theme.value]);
  useEffect(() => scroller.current?.scrollTo({ left: start }), [start]);
  return (
    <>
      <div class="frozen-bar">
        <strong>{title}</strong>
        <Figures a={a} b={b} scale={scale} />
        <span class="quiet hint">{t("caliper.hint")}</span>
      </div>
      <div class="frozen" ref={scroller} tabIndex={0} role="region" aria-label={t("ecg.scroll")}>
        <div class="frozen-sheet" style={{ width: px(sheet.width), height: px(sheet.height) }}>
          <canvas class="paper" ref={paper} />
          <canvas class="traces" ref={traces} data-bands={JSON.stringify(sheet.layers.flat())} />
          <LeadLabels sheet={sheet} off={(lead) => frozen.off.has(lead)} />
          {marks.map((mark) => (
            <span
              key={mark.name}
              class="moment"
              style={{ left: px(sheet.left + (mark.at - frozen.from) * pxPerSecond(scale)) }}
            >
              {mark.name}
            </span>
          ))}
          <Caliper name={t("caliper.a")} point={a} sheet={sheet} move={setA} />
          <Caliper name={t("caliper.b")} point={b} sheet={sheet} move={setB} />
        </div>
      </div>
    </>
  );
}
