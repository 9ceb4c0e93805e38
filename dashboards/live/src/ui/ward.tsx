/** Home beds and health kiosks, the one that needs me first. */
import { computed, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import type { Alert, Sitting, UnitState } from "../feed/types";
import { follow, go, unitPath } from "../router";
import { keyAcknowledge } from "../state/actions";
import { bedOf, type Bed } from "../state/bed";
import { followSittings, recall, sittings, unread } from "../state/care";
import { watched } from "../state/live";
import { local, lying, now, openAlerts, received, snapshots, states, unit as unitOf, unitIds } from "../state/store";
import { compareUnits, heldOrder, isCalling, type Ranked } from "../state/urgency";
import type { TextKey } from "../text/catalogue";
import { age, fixed, shortTime, t, tCode } from "../text/text";
import { AlertRow } from "./alert_row";
import { linkNote } from "./card";
import { BedEmpty, BedTaken, BedUnknown } from "./icons";
import { useKeys } from "./keys";
import { Lying } from "./lying";
import { AgeUnknown, Person, Provenance } from "./marks";
import { CommandNote, MattressForm, newestCommand } from "./mattress";
import type { QuantityName } from "../quantities";
import { newestAt, readingOf } from "./reading";
import { rowOf } from "./values";
import { Wordings } from "./wordings";

const KINDS: ReadonlySet<string> = new Set(["homecare-bed", "health-kiosk"]);
const HANDS_OFF = 5_000_000; // us after the last touch before tiles may move
const COMMAND_SHOWN = 10 * 60 * 1_000_000; // us an ended command stays on its tile

const touchedAt = signal(-Infinity);
const focused = signal<string | null>(null);
let shown: readonly string[] = [];

const alertsOf = (id: string): Alert[] => openAlerts.value.filter((alert) => alert.unit === id);

const wanted = computed(() =>
  unitIds.value
    .flatMap((id): Ranked[] => {
      const state = unitOf(id);
      return state && KINDS.has(state.kind) ? [{ unit: state, alerts: alertsOf(id) }] : [];
    })
    .sort(compareUnits)
    .map((item) => item.unit.id),
);
const order = computed(() => {
  shown = local.value - touchedAt.value > HANDS_OFF ? wanted.value : heldOrder(shown, wanted.value);
  return shown;
});
const touch = (): void => {
  touchedAt.value = local.peek();
};

// ---- a bed ---------------------------------------------------------------------------------------------------------
function Glyph(props: { bed: Bed; known: boolean }) {
  const { occupied, since } = props.bed;
  const key: TextKey = occupied === null ? "bed.unknown" : occupied ? "bed.in" : "bed.out";
  return (
    <div class={`bed-glyph ${occupied === null ? "unknown" : occupied ? "in" : "out"} ${props.known ? "" : "old"}`}>
      {occupied === null ? <BedUnknown /> : occupied ? <BedTaken /> : <BedEmpty />}
      <span>{t(key)}</span>
      {!props.known && occupied !== null && <span>{t("bed.last-known")}</span>}
      {since !== null && <span class="quiet tabular">{age(now.value - since)}</span>}
    </div>
  );
}

function Number_(props: { unit: UnitState; quantity: "heart-rate" | "resp-rate" | "spo2" | "bed-load" }) {
  const reading = readingOf(props.unit, props.quantity, now.value);
  return (
    <div class={`small-vital ${reading.freshness}`}>
      <span class="name">{t(`q.${props.quantity}`)}</span>
      <span class="number tabular">{reading.text}</span>
      <span class="note">{reading.freshness === "fresh" ? "" : reading.short}</span>
    </div>
  );
}

function Supply(props: { unit: UnitState; quantity: QuantityName; unitText: string }) {
  const reading = readingOf(props.unit, props.quantity, now.value);
  return (
    <span class={`supply ${reading.freshness}`}>
      <span class="number tabular">{reading.text}</span> {props.unitText}
      {reading.freshness === "stale" && <span class="quiet"> {reading.short}</span>}
    </span>
  );
}

function Supplies(props: { unit: UnitState; bed: Bed }) {
  const { unit, bed } = props;
  const mode = bed.mode === null ? t("mode.unknown") : tCode("mode", bed.mode);
  return (
    <>
      <p class="bed-line">
        <span class="quiet">{t("bed.mattress")}</span> <b>{mode}</b>{" "}
        <Supply unit={unit} quantity="mattress-pressure" unitText="/" />{" "}
        <Supply unit={unit} quantity="mattress-set-pressure" unitText="kPa" />
      </p>
      {unit.latest["oxygen-flow"] && (
        <p class="bed-line">
          <span class="quiet">{t("bed.oxygen")}</span> {bed.oxygen === false && <b>{t("bed.oxygen.off")} </b>}
          <Supply unit={unit} quantity="oxygen-flow" unitText="L/min" /> ·{" "}
          <Supply unit={unit} quantity="oxygen-purity" unitText="%" />
        </p>
      )}
    </>
  );
}

const SPOKEN_WITHIN = 60_000_000; // us: a bed that says nothing for longer may stand otherwise by now

function isSpeaking(unit: UnitState): boolean {
  const newest = newestAt(unit);
  return newest !== null && now.value - newest < SPOKEN_WITHIN;
}

function BedBody(props: { unit: UnitState }) {
  const { unit } = props;
  const [setting, set] = useState(false);
  const bed = bedOf((name) => states.value.get(`${unit.id}/${name}`));
  const care = lying.value.get(unit.id);
  const command = newestCommand(unit.id);
  const young = command && (command.ended_at === null || now.value - command.ended_at < COMMAND_SHOWN);
  return (
    <>
      <div class="bed">
        <Glyph bed={bed} known={unit.link === "online" && isSpeaking(unit)} />
        <div class="three-vitals">
          <Number_ unit={unit} quantity="heart-rate" />
          <Number_ unit={unit} quantity="resp-rate" />
          <Number_ unit={unit} quantity={unit.latest.spo2 ? "spo2" : "bed-load"} />
        </div>
      </div>
      {bed.notes.length > 0 && <p class="bed-line warn">{bed.notes.map((note) => t(note)).join(" · ")}</p>}
      <Supplies unit={unit} bed={bed} />
      {care && <Lying unit={unit} care={care} />}
      <Wordings of={unit.wordings} />
      {young && !setting && <CommandNote command={command} />}
      {setting ? (
        <MattressForm unit={unit} mode={bed.mode} close={() => set(false)} />
      ) : (
        <button type="button" class="set-mattress" onClick={() => set(true)}>
          {t("command.title")}
        </button>
      )}
    </>
  );
}

// ---- a kiosk -------------------------------------------------------------------------------------------------------
function Measured(props: { sitting: Sitting }) {
  const measured = props.sitting.measured.filter((one) => one.quantity !== "battery"); // of the device, not the person
  if (measured.length === 0) return <p class="quiet">{t("kiosk.nothing")}</p>;
  return (
    <p class="measured">
      {measured.map((one) => (
        <span key={`${one.device}/${one.quantity}`} class="value">
          <span class="quiet">{tCode("q", one.quantity)}</span>{" "}
          <b class="number tabular">{fixed(one.value, rowOf(one.quantity).decimals)}</b>{" "}
          <span class="quiet tabular">
            {rowOf(one.quantity).shown} {shortTime(one.at)}
          </span>
        </span>
      ))}
    </p>
  );
}

function KioskBody(props: { unit: UnitState }) {
  const { unit } = props;
  const known = sittings.value.get(unit.id);
  if (known === undefined || unit.link !== "online") return <p class="big">{t("kiosk.unknown")}</p>;
  const all = known.filter((one) => one.voided_at === null);
  const present = all.find((one) => one.end_at === null);
  const name = present && unit.subject?.id === present.subject ? unit.subject.name : "";
  const before = all.filter((one) => one !== present).slice(0, 3);
  return (
    <>
      {present ? (
        <div class="sitting present">
          <p>
            <b>{t("kiosk.now", { who: name || present.subject })}</b>{" "}
            <span class="quiet tabular">{t("kiosk.since", { time: shortTime(present.start_at) })}</span>
          </p>
          <Measured sitting={present} />
          <Wordings of={present.wordings} />
        </div>
      ) : (
        <p class="big">{t("kiosk.free")}</p>
      )}
      <p class="quiet">{t(before.length === 0 && !present ? "kiosk.none" : "kiosk.before")}</p>
      {before.map((one) => (
        <div key={one.id} class="sitting">
          <span class="quiet tabular">{shortTime(one.start_at)}</span>
          <div>
            <Measured sitting={one} />
            <Wordings of={one.wordings} />
          </div>
        </div>
      ))}
    </>
  );
}

// ---- tiles ---------------------------------------------------------------------------------------------------------
function Tile(props: { id: string }) {
  const unit = unitOf(props.id);
  useEffect(() => {
    if (unit?.kind === "homecare-bed")
      recall(unit.id).catch((error: unknown) => console.warn("bed not recalled:", error));
  }, [props.id, unit?.kind, snapshots.value]);
  if (!unit) return null;
  const alerts = alertsOf(unit.id);
  const top = alerts[0];
  const newest = newestAt(unit);
  const note = linkNote(unit, now.value);
  const calling = top !== undefined && isCalling(top);
  return (
    <article class={`card tile ${calling ? `calling-${top.priority}` : ""}`} data-unit={unit.id}>
      <header>
        <h3>
          <a href={unitPath(unit.id)} onClick={follow} aria-label={t("board.open", { name: unit.name })}>
            {unit.name}
          </a>
        </h3>
        {newest !== null && <time class="quiet tabular">{shortTime(newest)}</time>}
      </header>
      <div class="card-line">
        {unit.kind === "homecare-bed" && <Person subject={unit.subject} />}
        {unit.kind === "homecare-bed" && <AgeUnknown unit={unit} />}
        <Provenance unit={unit} />
        {inService(unit) && <span class="in-service">{t("unit.in-service", { devices: inService(unit) })}</span>}
        {note && <span class="card-note">{note}</span>}
      </div>
      {unit.kind === "homecare-bed" ? <BedBody unit={unit} /> : <KioskBody unit={unit} />}
      {top && (
        <ul class="alerts">
          <AlertRow alert={top} keyed />
          {alerts.length > 1 && <li class="more quiet">{t("card.more", { n: alerts.length - 1 })}</li>}
        </ul>
      )}
    </article>
  );
}

/** Names of devices in service mode: their numbers stand for nobody. */
function inService(unit: UnitState): string {
  const { service } = unit;
  if (!service) return "";
  return Array.isArray(service) ? service.map(String).join(", ") : Object.keys(service).join(", ");
}

function step(by: number): void {
  const ids = order.peek();
  const at = focused.peek() === null ? -1 : ids.indexOf(focused.peek() as string);
  const next = ids[(at + by + ids.length) % Math.max(1, ids.length)];
  if (next) document.querySelector<HTMLElement>(`[data-unit="${CSS.escape(next)}"] h3 a`)?.focus();
}

export function Ward() {
  const ids = order.value;
  const kiosks = ids.filter((id) => unitOf(id)?.kind === "health-kiosk");
  useEffect(() => {
    watched.value = [];
  }, []);
  useEffect(() => followSittings(kiosks), [kiosks.join(" ")]);
  useKeys({
    n: () => step(1),
    p: () => step(-1),
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    Enter: () => document.activeElement === document.body && focused.value !== null && go(unitPath(focused.value)),
    a: () => {
      const top = focused.value === null ? undefined : alertsOf(focused.value).find(isCalling);
      if (top) keyAcknowledge(top);
    },
  });
  const focusOf = (event: FocusEvent): void => {
    focused.value = (event.target as HTMLElement).closest<HTMLElement>("[data-unit]")?.dataset.unit ?? null;
  };
  return (
    <main class="board ward" onKeyDown={touch} onWheel={touch} onPointerMove={touch} onFocusCapture={focusOf}>
      <div class="board-head">
        <h1>{t("ward.title")}</h1>
        <span class="quiet">{t("ward.count", { n: ids.length })}</span>
        {unread.value && (
          <span class="card-note" role="status">
            {t("fleet.unread")}
          </span>
        )}
      </div>
      {ids.length === 0 ? (
        <p class="empty big">{t(received.value ? "ward.empty" : "board.loading")}</p>
      ) : (
        <div class="grid tiles">
          {ids.map((id) => (
            <Tile key={id} id={id} />
          ))}
        </div>
      )}
    </main>
  );
}
