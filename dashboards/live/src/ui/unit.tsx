/** One unit in full: ECG, vital signs, alerts, link. */
import { useEffect } from "preact/hooks";
import type { UnitState } from "../feed/types";
import { follow, go } from "../router";
import { asking, armed, keyAcknowledge, selectedAlert } from "../state/actions";
import { watched } from "../state/live";
import { link, now, openAlerts, received, unit as unitOf } from "../state/store";
import { localSeconds } from "../time";
import { findStream } from "../signal/streams";
import { isCalling } from "../state/urgency";
import { age, count, t, tCode } from "../text/text";
import { AlertRow } from "./alert_row";
import { isCatchingUp } from "./card";
import { EarlyWarning } from "./early_warning";
import { Ecg } from "./ecg";
import { Back } from "./icons";
import { useKeys } from "./keys";
import { AgeUnknown, Person, Provenance } from "./marks";
import { newestAt } from "./reading";
import { Strip } from "./strip";
import { Timeline } from "./timeline";
import { DeviceValues } from "./values";
import { Vitals } from "./vitals";
import { CarePlans } from "./plans";
import { Wordings } from "./wordings";

const pick =
  (name: string) =>
  (leads: readonly string[]): string | undefined =>
    leads.find((lead) => lead === name);
const choosePleth = pick("pleth");
const chooseResp = pick("resp");

function Fact(props: { name: string; value: string; trouble?: boolean }) {
  return (
    <div class={`fact ${props.trouble ? "trouble" : ""}`}>
      <dt>{props.name}</dt>
      <dd class="tabular">{props.value}</dd>
    </div>
  );
}

function clockText(unit: UnitState): string {
  const { quality, offset } = unit.clock;
  const shift =
    offset !== null && quality === "corrected" ? ` ${offset > 0 ? "+" : ""}${(offset / 1e6).toFixed(1)} s` : "";
  return t(`clock.${quality}`) + shift;
}

function Facts(props: { unit: UnitState }) {
  const { unit } = props;
  const newest = newestAt(unit);
  const old = newest === null ? null : now.value - newest;
  const reach = link.value.is === "stale" ? "unknown" : unit.link; // what a deaf screen cannot know
  return (
    <dl class="facts">
      <Fact name={t("unit.link")} value={t(`unit.link.${reach}`)} trouble={reach !== "online"} />
      <Fact name={t("unit.age")} value={old === null ? "—" : age(old)} trouble={old === null || old > 4_000_000} />
      <Fact name={t("unit.clock")} value={clockText(unit)} trouble={unit.clock.quality === "untrusted"} />
      <Fact
        name={t("unit.backlog")}
        value={unit.outbox_records === null ? "—" : t("unit.backlog.records", { n: count(unit.outbox_records) })}
        trouble={isCatchingUp(unit)}
      />
      <Fact name={t("unit.gaps")} value={count(unit.gaps_open)} trouble={unit.gaps_open > 0} />
    </dl>
  );
}

/** The page a unit's own page goes back to. */
const homeOf = (kind: string | undefined): string =>
  kind === undefined || kind === "ambulance"
    ? "/"
    : kind === "homecare-bed" || kind === "health-kiosk"
      ? "/ward"
      : "/fleet";

function Head(props: { unit: UnitState }) {
  const { unit } = props;
  return (
    <header class="unit-head">
      <a class="back" href={homeOf(unit.kind)} onClick={follow} aria-label={t("unit.back")}>
        <Back /> <kbd>Esc</kbd>
      </a>
      <div class="unit-name">
        <h1>{unit.name}</h1>
        <span class="quiet">{tCode("kind", unit.kind)}</span>
        <Provenance unit={unit} />
      </div>
      {unit.kind !== "delivery-van" && unit.kind !== "beacon-site" && <Person subject={unit.subject} />}
      <AgeUnknown unit={unit} />
      <EarlyWarning unit={unit} />
      <Facts unit={unit} />
      {unit.link_mode === "weak" && <p class="weak">{t("unit.mode.weak")}</p>}
    </header>
  );
}

/** Key A acts on the selected alert of this unit, else on its most urgent one. */
function useAlertKeys(id: string) {
  const mine = openAlerts.value.filter((alert) => alert.unit === id);
  const calling = mine.filter(isCalling);
  const target = calling.find((alert) => String(alert.id) === selectedAlert.value) ?? calling[0];
  useKeys({
    a: () => target && keyAcknowledge(target),
    n: () => {
      const at = mine.findIndex((alert) => String(alert.id) === selectedAlert.value);
      const next = mine[(at + 1) % Math.max(1, mine.length)];
      if (next) selectedAlert.value = String(next.id);
    },
    Escape: () => {
      if (asking.value !== null) asking.value = null;
      else if (armed.value !== null) armed.value = null;
      else go(homeOf(unitOf(id)?.kind));
    },
  });
  return { mine, target };
}

/** The signals of an ambulance: ECG, pleth, respiration. */
function Signals(props: { unit: string }) {
  const { unit } = props;
  return (
    <>
      <Ecg unit={unit} key={unit} />
      <Strip
        unit={unit}
        choose={choosePleth}
        color="--pleth"
        label={t("ecg.pleth")}
        missing={t("vital.never")}
        lost={t("pleth.lost")}
      />
      {findStream(unit, (lead) => lead === "resp", localSeconds()) && (
        <Strip
          unit={unit}
          choose={chooseResp}
          color="--resp"
          label={t("ecg.resp")}
          missing={t("vital.never")}
          lost={t("resp.lost")}
        />
      )}
    </>
  );
}

export function UnitView(props: { id: string }) {
  const unit = unitOf(props.id);
  useEffect(() => {
    watched.value = [props.id];
  }, [props.id]);
  const { mine, target } = useAlertKeys(props.id);
  if (!unit) {
    return (
      <main class="empty">
        <p class="big">{t(received.value ? "unit.unknown" : "board.loading")}</p>
      </main>
    );
  }
  return (
    <main class="unit-view" data-unit={unit.id}>
      <Head unit={unit} />
      <div class="signals">{unit.kind === "ambulance" ? <Signals unit={unit.id} /> : <DeviceValues unit={unit} />}</div>
      <div class="side">
        {unit.kind === "ambulance" && <Vitals unit={unit} />}
        <Wordings of={unit.wordings} />
        <section class="unit-alerts" aria-label={t("unit.alerts")}>
          <h2>
            {t("unit.alerts")} <span class="quiet">{mine.length}</span>
          </h2>
          <ul class="alerts" tabIndex={0}>
            {mine.map((alert) => (
              <AlertRow key={String(alert.id)} alert={alert} keyed={alert === target} />
            ))}
            {mine.length === 0 && <li class="quiet none">{t("unit.alerts.none")}</li>}
          </ul>
        </section>
        {unit.subject && <CarePlans key={unit.subject.id} person={unit.subject.id} />}
      </div>
      <Timeline unit={unit.id} />
    </main>
  );
}
