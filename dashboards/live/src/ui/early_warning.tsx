/** The early warning score of whoever is here: a number, or "≥ n" while inputs are missing, with its age. */
import type { Latest, UnitState } from "../feed/types";
import { derivedKey } from "../state/merge";
import { now } from "../state/store";
import { age, fixed, t } from "../text/text";

/** Which score speaks depends on the population: those it is not made for have no value. */
const SCORES = ["news2", "pews", "meows"] as const;
type ScoreName = (typeof SCORES)[number];

export interface Shown {
  name: ScoreName;
  text: string;
  partial: boolean;
  at: number;
}

const valued = (latest: Latest | undefined): (Latest & { value: number }) | null =>
  latest?.value == null ? null : (latest as Latest & { value: number });

/** The newest word counts: a complete score that has since lost an input is a lower bound. */
export function scoreOf(latest: UnitState["latest"]): Shown | null {
  for (const name of SCORES) {
    const whole = latest[derivedKey(name)];
    const least = latest[derivedKey(`${name}-at-least`)];
    const complete = valued(whole);
    if (complete && complete.at >= (least?.at ?? complete.at))
      return { name, text: fixed(complete.value, 0), partial: false, at: complete.at };
    const bound = valued(least);
    if (bound) return { name, text: `≥ ${fixed(bound.value, 0)}`, partial: true, at: bound.at };
  }
  return null;
}

export function EarlyWarning({ unit }: { unit: UnitState }) {
  const score = scoreOf(unit.latest);
  if (score === null) return null;
  const notes = [score.partial && t("score.partial"), age(now.value - score.at)].filter(Boolean).join(" · ");
  return (
    <span class={`score ${score.partial ? "partial" : ""}`} data-score={score.name} title={t("score.title")}>
      {t(`score.${score.name}`)} <b class="tabular">{score.text}</b> <span class="quiet tabular">{notes}</span>
    </span>
  );
}
