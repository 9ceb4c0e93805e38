/** The early warning score of whoever is here: a number, or "≥ n" while inputs are missing, with its age. */
import type { UnitState } from "../feed/types";
import { scoreOf } from "../state/score";
import { now } from "../state/store";
import { age, t } from "../text/text";

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
