/** The early warning score of whoever is at a unit: whole, or a lower bound while inputs are missing. Pure. */
import type { Latest, UnitState } from "../feed/types";
import { derivedKey } from "./merge";

/** Which score speaks depends on the population: those it is not made for have no value. */
const SCORES = ["news2", "pews", "meows"] as const;
type ScoreName = (typeof SCORES)[number];

export interface Shown {
  name: ScoreName;
  text: string;
  partial: boolean;
  at: number;
  assumed: boolean; // scored as an adult: the age is not known
}

/** A score that is not made for whoever is here. */
export interface Refused {
  name: ScoreName;
  population: string;
  code: string;
  madeFor: readonly string[];
}

const valued = (latest: Latest | undefined): (Latest & { value: number }) | null =>
  latest?.value == null ? null : (latest as Latest & { value: number });

/** The newest word counts: a complete score that has since lost an input is a lower bound. */
export function scoreOf(latest: UnitState["latest"], assumed = false): Shown | null {
  for (const name of SCORES) {
    const whole = latest[derivedKey(name)];
    const least = latest[derivedKey(`${name}-at-least`)];
    const complete = valued(whole);
    if (complete && complete.at >= (least?.at ?? complete.at))
      return { name, text: complete.value.toFixed(0), partial: false, at: complete.at, assumed };
    const bound = valued(least);
    if (bound) return { name, text: `≥ ${bound.value.toFixed(0)}`, partial: true, at: bound.at, assumed };
  }
  return null;
}

/** Where no score stands: the one everybody looks for, when it is not made for the person. */
export function refusalOf({ not_for, population }: Pick<UnitState, "not_for" | "population">): Refused | null {
  const [name] = SCORES;
  const why = not_for?.[name];
  if (!why || !population) return null;
  return { name, population: population.name, code: why.code, madeFor: why.made_for };
}
