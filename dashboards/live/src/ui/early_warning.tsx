/** The early warning score of whoever is here: a number, or "≥ n" while inputs are missing, with its age. */
import type { UnitState } from "../feed/types";
import { refusalOf, scoreOf, type Refused } from "../state/score";
import { now } from "../state/store";
import { age, t, tCode } from "../text/text";

const people = (population: string): string => tCode("population", population);

/** Why there is none, where it would stand. */
function NotFor({ refused }: { refused: Refused }) {
  const { name, population, code, madeFor } = refused;
  const why =
    code === "population" ? t("score.made-for", { people: madeFor.map(people).join(", ") }) : tCode("unworded", code);
  return (
    <span class="score not-for quiet" data-score={name}>
      {t(`score.${name}`)} {t("score.not-for", { population: people(population), why })}
    </span>
  );
}

export function EarlyWarning({ unit }: { unit: UnitState }) {
  const score = scoreOf(unit.latest, unit.population?.assumed);
  const refused = refusalOf(unit);
  if (score === null) return refused && <NotFor refused={refused} />;
  const notes = [
    score.partial && t("score.partial"),
    score.assumed && t("score.assumed"),
    age(now.value - score.at),
  ].filter(Boolean);
  return (
    <span class={`score ${score.partial ? "partial" : ""}`} data-score={score.name} title={t("score.title")}>
      {t(`score.${score.name}`)} <b class="tabular">{score.text}</b>{" "}
      <span class="quiet tabular">{notes.join(" · ")}</span>
    </span>
  );
}
