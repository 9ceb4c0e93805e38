/** A 12-lead ECG beside earlier ones of the same person: ST lead by lead, and median beats laid over each other. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { getSerialEcg, Refusal } from "../feed/http";
import type { Details, EarlierEcg, EcgShown, SerialEcg } from "../feed/types";
import { beatSheet, clearSheet, drawBeats, drawJ } from "../signal/beats";
import { drawPaper } from "../signal/paper";
import { theme } from "../state/prefs";
import { changeOf, leadsOf, levelOf, usual } from "../state/serial";
import { unit as unitOf } from "../state/store";
import { clockTime, dayTime, fixed, t, tCode } from "../text/text";
import { LeadLabels, paperColors, scaleNow } from "./ecg";
import { level } from "./evidence";
import { px, useSize } from "./size";

type Asked = SerialEcg | undefined | "unread"; // undefined = no answer yet

function useSerial(unit: string, device: string, at: number): Asked {
  const [found, setFound] = useState<Asked>();
  useEffect(() => {
    let shown = true;
    const show = (next: Asked): void => void (shown && setFound(next));
    show(undefined);
    getSerialEcg(unit, device, at).then(show, (error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      show("unread");
    });
    return () => void (shown = false);
  }, [unit, device, at]);
  return found;
}

const signed = (mv: number): string => (level(mv) === "0.00" ? "0.00" : `${mv > 0 ? "+" : ""}${level(mv)}`);
const levelText = (mv: number | null): string => (mv === null ? "—" : level(mv));
const figure = (value: number | null): string => (value === null ? "—" : fixed(value, 0));
const timeOf = (one: EarlierEcg): string => (one.which === "prior" ? dayTime : clockTime)(one.ecg.end_at);
const nameOf = (one: EarlierEcg): string => t(`serial.${one.which}`);

function Heads({ found }: { found: SerialEcg }) {
  return (
    <thead>
      <tr>
        <th>{t("st.lead")}</th>
        <th>
          {t("serial.now")}
          <small>{clockTime(found.now.end_at)}</small>
        </th>
        {found.earlier.map((one) => (
          <th key={one.ecg.start_at} data-which={one.which}>
            {nameOf(one)}
            <small>{timeOf(one)}</small>
            {one.ecg.unit !== found.now.unit && <small>{unitOf(one.ecg.unit)?.name ?? one.ecg.unit}</small>}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function Figures(props: { found: SerialEcg; name: string; of: (ecg: EcgShown) => number | null }) {
  return (
    <tr class="figures">
      <th scope="row">{props.name}</th>
      <td>{figure(props.of(props.found.now))}</td>
      {props.found.earlier.map((one) => (
        <td key={one.ecg.start_at}>{figure(props.of(one.ecg))}</td>
      ))}
    </tr>
  );
}

function Cell({ one, lead }: { one: EarlierEcg; lead: string }) {
  const change = changeOf(one, lead);
  return (
    <td class={change?.mark ? "changed" : ""}>
      {levelText(levelOf(one.ecg, lead))}
      <span class="change">{change && `${change.mark}${signed(change.mv)}`}</span>
    </td>
  );
}

function Levels({ found }: { found: SerialEcg }) {
  return (
    <div class="serial-scroll" tabIndex={0} role="region" aria-label={t("serial.scroll")}>
      <table class="st serial-levels tabular">
        <Heads found={found} />
        <tbody>
          {leadsOf(found).map((lead) => (
            <tr key={lead} data-lead={lead}>
              <th scope="row">{lead}</th>
              <td>{levelText(levelOf(found.now, lead))}</td>
              {found.earlier.map((one) => (
                <Cell key={one.ecg.start_at} one={one} lead={lead} />
              ))}
            </tr>
          ))}
          <Figures found={found} name={t("serial.rate")} of={(ecg) => ecg.heart_rate} />
          <Figures found={found} name="QRS ms" of={(ecg) => ecg.qrs_ms} />
        </tbody>
      </table>
    </div>
  );
}

/** What there is none of, what could not be measured, and what makes two hard to compare. */
function Reserves({ found }: { found: SerialEcg }) {
  const lines = found.earlier.flatMap((one) => {
    const why = one.reserve.map((code) => tCode("reserve", code));
    if (one.missing.length) why.push(t("serial.missing", { leads: one.missing.join(", ") }));
    return why.length ? [t("serial.reserve", { which: nameOf(one), time: timeOf(one), why: why.join(" · ") })] : [];
  });
  const none = found.absent.map(({ which, why }) =>
    t("serial.none", { which: t(`serial.${which}`), why: tCode("no-ecg", why) }),
  );
  return (
    <ul class="serial-reserves">
      {[...lines, ...none].map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}

const DASH = [5, 3]; // px

function Sheet({ now, other, width }: { now: EcgShown; other: EcgShown | undefined; width: number }) {
  const paper = useRef<HTMLCanvasElement>(null);
  const traces = useRef<HTMLCanvasElement>(null);
  const scale = scaleNow();
  const leads = now.leads.map((lead) => lead.lead);
  const sheet = useMemo(
    () => beatSheet(leads, width, scale),
    [leads.join(" "), width, scale.pxPerMm, scale.speed, scale.gain],
  );
  useLayoutEffect(() => {
    const canvas = traces.current as HTMLCanvasElement;
    const colors = paperColors(canvas);
    const quiet = getComputedStyle(canvas).getPropertyValue("--quiet").trim();
    drawPaper(paper.current as HTMLCanvasElement, sheet, scale, colors);
    clearSheet(canvas, sheet);
    if (other) drawBeats(canvas, other, sheet, scale, { color: quiet, dash: DASH });
    drawBeats(canvas, now, sheet, scale, { color: colors.trace, dash: [] });
    drawJ(canvas, now, sheet, scale, colors.trace);
    canvas.dataset.drawn = other ? String(other.start_at) : ""; // tests wait for it
  }, [sheet, now, other, theme.value]);
  return (
    <div class="beat-sheet" style={{ width: px(sheet.width), height: px(sheet.height) }}>
      <canvas class="paper" ref={paper} />
      <canvas class="traces" ref={traces} role="img" aria-label={t("serial.beats")} />
      <LeadLabels sheet={sheet} off={() => false} />
    </div>
  );
}

function Line({ dashed }: { dashed: boolean }) {
  return (
    <svg class={dashed ? "line dashed" : "line"} width="28" height="8" aria-hidden="true">
      <path d="M0 4H28" />
    </svg>
  );
}

function Beats({ found }: { found: SerialEcg }) {
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const [chosen, choose] = useState(usual(found));
  const other = found.earlier[chosen];
  const scale = scaleNow();
  return (
    <>
      <h3>{t("serial.beats")}</h3>
      <div class="choice" role="group" aria-label={t("serial.over")}>
        <span>
          <Line dashed={false} /> {t("serial.now")}
        </span>
        {found.earlier.length > 0 && (
          <span>
            <Line dashed /> {t("serial.over")}
          </span>
        )}
        {found.earlier.map((one, i) => (
          <button type="button" key={one.ecg.start_at} aria-pressed={i === chosen} onClick={() => choose(i)}>
            {nameOf(one)} {timeOf(one)}
          </button>
        ))}
      </div>
      <div class="beats" ref={box}>
        {width > 0 && <Sheet now={found.now} other={other?.ecg} width={width} />}
      </div>
      <p class="quiet small tabular">
        {scale.speed} mm/s · {scale.gain} mm/mV · {t("serial.j")}
      </p>
    </>
  );
}

function Beside({ unit, device, at }: { unit: string; device: string; at: number }) {
  const found = useSerial(unit, device, at);
  if (found === undefined) return <p class="quiet">{t("detail.loading")}</p>;
  if (found === "unread") return <p class="quiet">{t("list.unread")}</p>;
  const refused = found.now.refused.map((code) => tCode("no-ecg", code)).join(" · ");
  return (
    <>
      <p class="notice">{t("serial.notice", { mv: fixed(found.changed_mv, 2) })}</p>
      {refused && <p class="serial-refused">{t("serial.refused", { why: refused })}</p>}
      <Levels found={found} />
      <Reserves found={found} />
      {found.now.beat && <Beats found={found} />}
    </>
  );
}

/** Only where a 12-lead finding made the alert. */
export function BesideEarlier({ unit, why }: { unit: string; why: Details }) {
  const { device, to } = why;
  if (!Array.isArray(why.judged) || typeof device !== "string" || typeof to !== "number") return null;
  return (
    <section class="serial">
      <h2>{t("serial.title")}</h2>
      <Beside unit={unit} device={device} at={to} />
    </section>
  );
}
