/** What a vital sign shows now: which value, how fresh, what words. Pure apart from the language. */
import type { Latest, UnitState } from "../feed/types";
import { QUANTITIES, type QuantityName } from "../quantities";
import { derivedKey } from "../state/merge";
import { freshness, type Freshness } from "../state/staleness";
import { age, clockTime, fixed, t } from "../text/text";

export interface Reading {
  freshness: Freshness;
  text: string; // the number, or an em-dash
  note: string; // age or reason; "" while fresh
  short: string; // the same without "stale", which the hatch says
  derived: boolean;
  beside: string; // the other source's number while both are fresh
}

const usable = (f: Freshness): boolean => f === "fresh" || f === "aging";
export const UNKNOWN = "—";

function noteOf(state: Freshness, latest: Latest | undefined, now: number): string {
  if (latest === undefined) return t("vital.never");
  if (state === "unmeasured") return t("vital.unmeasured");
  if (state === "fresh") return "";
  return t(state === "stale" ? "vital.stale" : "vital.age", { age: age(now - latest.at) });
}

function number(latest: Latest | undefined, decimals: number): string {
  return latest?.value == null ? UNKNOWN : fixed(latest.value, decimals);
}

/** One quantity. The device's own number comes first; the one computed from the ECG stands in for it or beside it. */
export function readingOf(unit: UnitState, quantity: QuantityName, now: number): Reading {
  const { expectedInterval, decimals } = QUANTITIES[quantity];
  const own = unit.latest[quantity];
  const computed = unit.latest[derivedKey(quantity)];
  const ownState = freshness(own, expectedInterval, now);
  const computedState = freshness(computed, expectedInterval, now);
  const useComputed = computed !== undefined && (own === undefined || (!usable(ownState) && usable(computedState)));
  const [latest, state] = useComputed ? [computed, computedState] : [own, ownState];
  const both = !useComputed && usable(ownState) && usable(computedState);
  return {
    freshness: state,
    text: number(latest, decimals),
    note: noteOf(state, latest, now),
    short:
      latest !== undefined && state === "stale"
        ? t("vital.age", { age: age(now - latest.at) })
        : noteOf(state, latest, now),
    derived: useComputed,
    beside: both ? number(computed, decimals) : "",
  };
}

/** Blood pressure: three quantities in one place, as old as its systolic; always says when it was measured. */
export function pressureOf(unit: UnitState, now: number): Reading & { mean: string } {
  const systolic = readingOf(unit, "bp-systolic", now);
  const diastolic = readingOf(unit, "bp-diastolic", now);
  const mean = readingOf(unit, "bp-mean", now);
  const none = systolic.text === UNKNOWN && diastolic.text === UNKNOWN;
  const latest = unit.latest["bp-systolic"];
  const measured = latest && systolic.freshness === "fresh" ? t("vital.measured", { time: clockTime(latest.at) }) : "";
  return {
    ...systolic,
    text: none ? UNKNOWN : `${systolic.text}/${diastolic.text}`,
    note: systolic.note || measured,
    mean: mean.text === UNKNOWN ? "" : mean.text,
  };
}

/** The newest word of any device of the unit, us; null = none yet. */
export function newestAt(unit: UnitState): number | null {
  let newest: number | null = null;
  for (const latest of Object.values(unit.latest)) {
    const at = Math.min(latest.at, latest.received_at);
    if (newest === null || at > newest) newest = at;
  }
  return newest;
}
