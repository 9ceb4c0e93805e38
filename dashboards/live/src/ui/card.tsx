/** One unit on the board. */
import type { Alert, UnitState } from "../feed/types";
import type { QuantityName } from "../quantities";
import { follow, unitPath } from "../router";
import { rhythmLead } from "../signal/streams";
import { isEcgLead } from "../quantities";
import { hearing, now, unit as unitOf } from "../state/store";
import { isSounding } from "../state/urgency";
import type { TextKey } from "../text/catalogue";
import { age, clockTime, count, shortTime, t } from "../text/text";
import { AlertRow } from "./alert_row";
import { EarlyWarning } from "./early_warning";
import { AgeUnknown, Person, Provenance } from "./marks";
import { newestAt, pressureOf, readingOf, type Reading } from "./reading";
import { Strip } from "./strip";

/** After this long without any word of a unit its card says so. */
const CARD_STALE = 4_000_000; // us
/** More records than this waiting on board: it is catching up. */
const BACKLOG = 20;
export const isCatchingUp = (unit: UnitState): boolean =>
  unit.link === "online" && (unit.outbox_records ?? 0) > BACKLOG;

const VITALS: readonly QuantityName[] = ["heart-rate", "spo2", "resp-rate", "temperature"];
export const chooseEcg = (leads: readonly string[]): string | undefined => rhythmLead(leads.filter(isEcgLead));

function Small(props: { name: string; reading: Reading }) {
  const { reading } = props;
  return (
    <div class={`small-vital ${reading.freshness}`}>
      <span class="name">{props.name}</span>
      <span class="number tabular">{reading.text}</span>
      <span class="note">{reading.freshness === "fresh" ? "" : reading.short}</span>
    </div>
  );
}

function Vitals(props: { unit: UnitState }) {
  const { unit } = props;
  const at = now.value;
  const [hr, spo2, rr, temperature] = VITALS.map((q) => (
    <Small key={q} name={t(`q.${q}` as TextKey)} reading={readingOf(unit, q, at)} />
  ));
  return (
    <div class="small-vitals">
      {hr}
      {spo2}
      <Small name={t("q.bp")} reading={pressureOf(unit, at)} />
      {rr}
      {temperature}
    </div>
  );
}

/** The one sentence about the unit's link that matters most; "" when all is well. */
export function linkNote(unit: UnitState, at: number): string {
  if (unit.link === "never") return t("card.never");
  if (unit.link === "offline")
    return t("card.offline", { time: unit.hello_at === null ? "" : clockTime(unit.hello_at) });
  const newest = newestAt(unit);
  if (newest !== null && at - newest > CARD_STALE) return t("card.stale", { age: age(at - newest) });
  if (isCatchingUp(unit)) return t("card.catching-up", { n: count(unit.outbox_records ?? 0) });
  return "";
}

function CardHead(props: { unit: UnitState }) {
  const { unit } = props;
  const newest = newestAt(unit);
  return (
    <header>
      <h3>
        <a
          class="card-link"
          href={unitPath(unit.id)}
          onClick={follow}
          aria-label={t("board.open", { name: unit.name })}
        >
          {unit.name}
        </a>
      </h3>
      <Provenance unit={unit} />
      {unit.link !== "never" && newest !== null && <time class="quiet tabular">{shortTime(newest)}</time>}
    </header>
  );
}

export function Card(props: { id: string; alerts: readonly Alert[]; strip: boolean }) {
  const unit = unitOf(props.id);
  if (!unit) return null;
  const top = props.alerts[0];
  const calling = top !== undefined && isSounding(top);
  const note = linkNote(unit, now.value);
  const away = note !== "" && !isCatchingUp(unit);
  return (
    <article
      class={`card ${calling ? `calling-${top.priority}` : ""} ${away ? "away" : ""}`}
      data-unit={unit.id}
      data-open={hearing.value.open}
    >
      <CardHead unit={unit} />
      <div class="card-line">
        <Person subject={unit.subject} />
        <AgeUnknown unit={unit} />
        <EarlyWarning unit={unit} />
        {note && <span class="card-note">{note}</span>}
      </div>
      <Vitals unit={unit} />
      {props.strip && (
        <Strip
          unit={unit.id}
          choose={chooseEcg}
          color="--ecg"
          missing={t("ecg.none")}
          lost={t("ecg.lost")}
          millivolts
        />
      )}
      {top ? (
        <ul class="alerts">
          <AlertRow alert={top} keyed />
          {props.alerts.length > 1 && <li class="more quiet">{t("card.more", { n: props.alerts.length - 1 })}</li>}
        </ul>
      ) : (
        <p class="quiet no-alerts">{t("card.quiet")}</p>
      )}
    </article>
  );
}
