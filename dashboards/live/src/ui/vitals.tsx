/** The vitals column: large numbers that say how old they are. */
import type { UnitState } from "../feed/types";
import { QUANTITIES, type QuantityName } from "../quantities";
import { now } from "../state/store";
import { freshness } from "../state/staleness";
import type { TextKey } from "../text/catalogue";
import { age, fixed, t } from "../text/text";
import { pressureOf, readingOf, UNKNOWN, type Reading } from "./reading";
import { Spark } from "./spark";

/** The limits of a quantity in words; null while the unit has none. */
function limitsText(unit: UnitState, quantity: QuantityName): string | null {
  const limits = unit.limits?.[quantity];
  if (!limits || (limits.low == null && limits.high == null)) return null;
  const side = (v: number | null | undefined): string =>
    v == null ? UNKNOWN : fixed(v, QUANTITIES[quantity].decimals);
  return t("vital.limits", { low: side(limits.low), high: side(limits.high) });
}

interface Props {
  unit: UnitState;
  quantity: QuantityName; // whose unit, limits and trend are shown
  name: string;
  reading: Reading;
  beside?: string;
}

function Vital({ unit, quantity, name, reading, beside = "" }: Props) {
  const limits = limitsText(unit, quantity);
  return (
    <div class={`vital ${reading.freshness}`} data-quantity={quantity}>
      <div class="vital-head">
        <span class="name">{name}</span>
        <span class="quiet">{QUANTITIES[quantity].shown}</span>
        <span class={`quiet limits tabular ${limits === null ? "none" : ""}`}>{limits ?? t("vital.limits.none")}</span>
      </div>
      <span class="number tabular">{reading.text}</span>
      <div class="vital-foot">
        <span class="note">
          {[reading.note, reading.derived && t("vital.derived"), beside].filter(Boolean).join(" · ")}
        </span>
        <Spark unit={unit.id} quantity={quantity} />
      </div>
    </div>
  );
}

function direction(course: number): string {
  return t(`direction.${Math.round((((course % 360) + 360) % 360) / 45) % 8}` as TextKey);
}

function Position(props: { unit: UnitState }) {
  const { latest } = props.unit;
  const state = freshness(latest.latitude, QUANTITIES.latitude.expectedInterval, now.value);
  const value = (q: QuantityName): string => {
    const reading = latest[q]?.value;
    return reading == null ? UNKNOWN : fixed(reading, QUANTITIES[q].decimals);
  };
  const course = latest.course?.value;
  const old = latest.latitude && state !== "fresh" ? t("vital.age", { age: age(now.value - latest.latitude.at) }) : "";
  return (
    <div class={`vital position ${state}`} data-quantity="position">
      <div class="vital-head">
        <span class="name">{t("unit.position")}</span>
        <span class="note">{latest.latitude ? old : t("vital.never")}</span>
      </div>
      <div class="coordinates tabular">
        {value("latitude")}°, {value("longitude")}°
      </div>
      <div class="quiet tabular">
        {value("speed")} km/h{course != null && ` · ${direction(course)} ${value("course")}°`}
      </div>
    </div>
  );
}

export function Vitals(props: { unit: UnitState }) {
  const { unit } = props;
  const at = now.value;
  const hr = readingOf(unit, "heart-rate", at);
  const pressure = pressureOf(unit, at);
  const pulse = readingOf(unit, "pulse-rate", at);
  return (
    <section class="vitals" aria-label={t("unit.vitals")}>
      <Vital
        unit={unit}
        quantity="heart-rate"
        name={t("q.heart-rate")}
        reading={hr}
        beside={hr.beside ? t("vital.ecg", { value: hr.beside }) : ""}
      />
      <Vital
        unit={unit}
        quantity="spo2"
        name={t("q.spo2")}
        reading={readingOf(unit, "spo2", at)}
        beside={pulse.freshness === "fresh" && pulse.text !== UNKNOWN ? `${t("q.pulse-rate")} ${pulse.text}` : ""}
      />
      <Vital
        unit={unit}
        quantity="bp-systolic"
        name={t("q.bp")}
        reading={pressure}
        beside={pressure.mean && t("q.mean", { value: pressure.mean })}
      />
      <Vital unit={unit} quantity="resp-rate" name={t("q.resp-rate")} reading={readingOf(unit, "resp-rate", at)} />
      <Vital
        unit={unit}
        quantity="temperature"
        name={t("q.temperature")}
        reading={readingOf(unit, "temperature", at)}
      />
      <Position unit={unit} />
    </section>
  );
}
