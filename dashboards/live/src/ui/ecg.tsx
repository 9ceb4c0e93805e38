/** The ECG of one unit: paper, sweep, labels, tools, freeze. */
import type { RefObject } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { onFrame } from "../signal/frames";
import { SweepPainter, type Ink } from "../signal/painter";
import { drawPaper } from "../signal/paper";
import { cellsOf, LAYOUTS, sheetFor, type Band, type Layout, type Sheet } from "../signal/sheet";
import type { Stream } from "../signal/stream";
import { ecgLeads, ecgStream } from "../signal/streams";
import { ERASE_MM, pxPerMillivolt, pxPerSecond, type PaperScale } from "../signal/sweep";
import { LEAD_OFF } from "../signal/track";
import * as prefs from "../state/prefs";
import { badFrames, droppedFrames, local, now } from "../state/store";
import { age, clockTime, t } from "../text/text";
import { localSeconds } from "../time";
import { FrozenEcg, freeze, type Frozen } from "./frozen";
import { useKeys } from "./keys";
import { Ruler } from "./ruler";
import { px, useSize } from "./size";
import { SILENT } from "./strip";

const NARROW = 600; // px under which three rows of four would be too short to read

export const scaleNow = (): PaperScale => ({
  pxPerMm: prefs.pxPerMm.value,
  speed: prefs.speed.value,
  gain: prefs.gain.value,
});

export function layoutNow(width: number): Layout {
  const chosen = prefs.layout.value;
  if (chosen !== "auto") return chosen;
  return width < NARROW ? "6x2" : "3x4";
}

/** Twelve rows leave no room for 10 mm/mV: choosing that layout halves the gain. */
export function chooseLayout(layout: Layout): void {
  prefs.layout.value = layout;
  prefs.gain.value = layout === "12x1" ? 5 : 10;
}

export const paperColors = (element: HTMLElement) => {
  const style = getComputedStyle(element);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  return { fine: color("--grid-fine"), strong: color("--grid-strong"), trace: color("--ecg") };
};

export function inkFor(element: HTMLElement, scale: PaperScale): Ink {
  const pxPerUnit = pxPerMillivolt(scale);
  return {
    color: paperColors(element).trace,
    line: 1.4,
    pxs: pxPerSecond(scale),
    erase: ERASE_MM * scale.pxPerMm,
    pxPerUnit: () => pxPerUnit,
    baseline: (cell) => cell.baseline,
  };
}

const leadIsOff = (stream: Stream, lead: string, at: number): boolean => {
  const pen = stream.play.at(at);
  return pen !== null && stream.tracks.get(lead)?.at(Math.floor(pen * stream.fs)) === LEAD_OFF;
};

/** Lead names at the start of each trace; "lead off" in words beside the dashed line. */
export function LeadLabels(props: { sheet: Sheet; off: (lead: string) => boolean }) {
  const cells = cellsOf(props.sheet);
  return (
    <>
      {cells.map((cell) => (
        <div
          class="lead-place"
          key={`${cell.lead} ${cell.x} ${cell.y}`}
          style={{ left: px(cell.x + 2), top: px(cell.y + 1), width: px(cell.width - 2) }}
        >
          <span class="lead">
            {cell.lead}
            {props.off(cell.lead) && <em class="lead-off">{t("ecg.leadoff")}</em>}
          </span>
        </div>
      ))}
    </>
  );
}

interface SweepProps {
  stream: Stream;
  sheet: Sheet;
  scale: PaperScale;
}

function Paper({ sheet, scale }: { sheet: Sheet; scale: PaperScale }) {
  const paper = useRef<HTMLCanvasElement>(null);
  const theme = prefs.theme.value;
  useEffect(() => {
    const canvas = paper.current as HTMLCanvasElement;
    drawPaper(canvas, sheet, scale, paperColors(canvas));
  }, [sheet, scale.pxPerMm, scale.speed, scale.gain, theme]);
  return <canvas class="paper" ref={paper} />;
}

function Layer({ stream, sheet, scale, bands }: SweepProps & { bands: Band[] }) {
  const traces = useRef<HTMLCanvasElement>(null);
  const theme = prefs.theme.value;
  useEffect(() => {
    const canvas = traces.current as HTMLCanvasElement;
    const painter = new SweepPainter(canvas);
    const ink = inkFor(canvas, scale);
    painter.resize(sheet.width, sheet.height);
    painter.clear();
    return onFrame((at) => {
      const pen = stream.play.at(at);
      if (pen !== null) painter.draw(stream, bands, ink, pen);
    });
  }, [stream, sheet, bands, scale.pxPerMm, scale.speed, scale.gain, theme]);
  return <canvas class="traces" ref={traces} data-bands={JSON.stringify(bands)} />;
}

function Sweep(props: SweepProps) {
  return (
    <>
      <Paper sheet={props.sheet} scale={props.scale} />
      {props.sheet.layers.map((bands, i) => (
        <Layer key={i} {...props} bands={bands} />
      ))}
    </>
  );
}

function Choice<T extends string | number>(props: {
  name: string;
  kbd: string;
  values: readonly T[];
  value: T;
  unit?: string;
  choose: (value: T) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={props.name}>
      <span class="quiet">
        {props.name} <kbd>{props.kbd}</kbd>
      </span>
      {props.values.map((v) => (
        <button type="button" key={v} aria-pressed={v === props.value} onClick={() => props.choose(v)}>
          {v}
        </button>
      ))}
      {props.unit && <span class="quiet">{props.unit}</span>}
    </div>
  );
}

const next = <T,>(values: readonly T[], value: T): T => values[(values.indexOf(value) + 1) % values.length] as T;

function Tools(props: {
  layout: Layout;
  frozen: boolean;
  toggleFreeze: () => void;
  toggleRuler: () => void;
  toggleFull: () => void;
}) {
  return (
    <div class="ecg-tools">
      <button type="button" class="primary" onClick={props.toggleFreeze} aria-pressed={props.frozen}>
        {t(props.frozen ? "ecg.unfreeze" : "ecg.freeze")} <kbd>F</kbd>
      </button>
      <Choice name={t("ecg.layout")} kbd="L" values={LAYOUTS} value={props.layout} choose={chooseLayout} />
      <Choice
        name={t("ecg.speed")}
        kbd="S"
        unit="mm/s"
        values={prefs.SPEEDS}
        value={prefs.speed.value as 25}
        choose={(v) => (prefs.speed.value = v)}
      />
      <Choice
        name={t("ecg.gain")}
        kbd="G"
        unit="mm/mV"
        values={prefs.GAINS}
        value={prefs.gain.value as 10}
        choose={(v) => (prefs.gain.value = v)}
      />
      <button type="button" onClick={props.toggleRuler}>
        {t("ecg.ruler")}
      </button>
      <button type="button" onClick={props.toggleFull}>
        {t("ecg.full")} <kbd>W</kbd>
      </button>
    </div>
  );
}

/** What a printed sheet says at its foot: speed, gain, filter, rate. */
function Imprint(props: { unit: string; stream: Stream | null }) {
  const { stream } = props;
  const dropped = droppedFrames.value.get(props.unit) ?? 0;
  const parts = [`${prefs.speed.value} mm/s`, `${prefs.gain.value} mm/mV`];
  if (stream) {
    parts.push(stream.filter ? t("ecg.filter", { band: stream.filter }) : t("ecg.filter.unknown"), `${stream.fs} Hz`);
  }
  if (dropped > 0) parts.push(t("ecg.dropped", { n: dropped }));
  if (badFrames.value > 0) parts.push(t("ecg.bad", { n: badFrames.value }));
  return <p class="imprint tabular">{parts.join(" · ")}</p>;
}

function Silence(props: { stream: Stream | null }) {
  const shownAt = useRef(localSeconds());
  const quiet = localSeconds() - (props.stream?.heardAt ?? shownAt.current);
  if (quiet <= SILENT) return null;
  if (props.stream === null) return <p class="no-signal">{t("ecg.none")}</p>;
  const since = clockTime(now.value - quiet * 1e6);
  return <p class="no-signal">{t("ecg.none.since", { age: age(quiet * 1e6), time: since })}</p>;
}

function useFullScreen(panel: RefObject<HTMLElement | null>): () => void {
  return () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void panel.current?.requestFullscreen();
  };
}

function useSheet(leads: readonly string[], layout: Layout, width: number, height: number, mm: number): Sheet {
  return useMemo(() => sheetFor(leads, layout, width, height, mm), [leads.join(" "), layout, width, height, mm]);
}

export function Ecg(props: { unit: string }) {
  const panel = useRef<HTMLElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const [frozen, setFrozen] = useState<Frozen | null>(null);
  const [ruler, setRuler] = useState(false);
  void local.value; // looks again four times a second
  const stream = ecgStream(props.unit, localSeconds());
  const scale = scaleNow();
  const layout = layoutNow(size.width);
  const sheet = useSheet(stream ? ecgLeads(stream) : [], layout, size.width, size.height, scale.pxPerMm);
  const toggleFreeze = (): void => setFrozen(frozen || !stream ? null : freeze(stream, localSeconds(), now.peek()));
  const toggleFull = useFullScreen(panel);
  useKeys({
    f: toggleFreeze,
    l: () => chooseLayout(next(LAYOUTS, layout)),
    s: () => (prefs.speed.value = next(prefs.SPEEDS, prefs.speed.value)),
    g: () => (prefs.gain.value = next(prefs.GAINS, prefs.gain.value)),
    w: toggleFull,
  });
  return (
    <section class="ecg" ref={panel} aria-label={t("ecg.title")}>
      <Tools
        layout={layout}
        frozen={frozen !== null}
        toggleFreeze={toggleFreeze}
        toggleRuler={() => setRuler(!ruler)}
        toggleFull={toggleFull}
      />
      {ruler && <Ruler close={() => setRuler(false)} />}
      <div class="ecg-box" ref={box}>
        {frozen !== null && size.width > 0 ? (
          <FrozenEcg
            title={t("ecg.frozen", { time: clockTime(frozen.at) })}
            frozen={frozen}
            layout={layout}
            scale={scale}
            width={size.width}
            height={size.height}
          />
        ) : (
          <>
            {stream && size.width > 0 && <Sweep stream={stream} sheet={sheet} scale={scale} />}
            {stream && <LeadLabels sheet={sheet} off={(lead) => leadIsOff(stream, lead, localSeconds())} />}
            <Silence stream={stream} />
          </>
        )}
      </div>
      <Imprint unit={props.unit} stream={stream} />
    </section>
  );
}
