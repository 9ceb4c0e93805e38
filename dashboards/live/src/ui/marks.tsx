/** Small marks shared by cards and the unit view: provenance, person. */
import type { Subject, UnitState } from "../feed/types";
import { t } from "../text/text";
import { CATALOGUE, type TextKey } from "../text/catalogue";

export function Provenance(props: { unit: UnitState }) {
  if (props.unit.provenance === "live") return null;
  return <span class="sim">{t(`provenance.${props.unit.provenance}`)}</span>;
}

function sexText(sex: string | null): string {
  const key = `sex.${sex ?? "unknown"}`;
  return key in CATALOGUE ? t(key as TextKey) : t("sex.unknown");
}

/** Name, sex and age in full: misidentification kills. */
export function Person(props: { subject: Subject | null }) {
  const { subject } = props;
  if (!subject) return <span class="person quiet">{t("subject.none")}</span>;
  return (
    <span class="person">
      <strong>{subject.name || subject.id}</strong>{" "}
      <span class="nowrap">
        {sexText(subject.sex)} {subject.age !== null && t("subject.age", { n: subject.age })}
      </span>
    </span>
  );
}

/** Where people are observed although nobody may have said who they are. */
const LAIN_IN: ReadonlySet<string> = new Set(["ambulance", "homecare-bed"]);

/** Limits are an adult's while nobody knows the age. */
export function AgeUnknown({ unit }: { unit: UnitState }) {
  if (!unit.population?.assumed || !(unit.subject || LAIN_IN.has(unit.kind))) return null;
  return <span class="tag age-unknown">{t("subject.age.unknown")}</span>;
}
