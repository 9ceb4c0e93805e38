/** What readings are called: category, class, zone, place in a range; with its source, and why not when there is none. */
import type { Wording } from "../feed/types";
import { now } from "../state/store";
import { CATALOGUE, type TextKey } from "../text/catalogue";
import { fixed, shortTime, t, tCode } from "../text/text";

/** "Blood pressure 142/88": what it was found by stands with it. */
function about(wording: Wording): string {
  const numbers = Object.entries(wording.numbers ?? {}).map(([name, value]) => [name, fixed(value, 0)]);
  const key = `words.${wording.name}`;
  const plain = numbers.length === 0 || wording.code === "signal-loss";
  return t((plain ? `${key}.plain` : key) as TextKey, Object.fromEntries(numbers));
}

/** Why there is no word for a reading, or nothing follows from a plan. */
export function because(refused: string, population: string): string {
  if (refused === "population") return t("unworded.population", { population: tCode("population", population) });
  return tCode("unworded", refused);
}

function verdict(wording: Wording): string {
  if (wording.refused != null) return because(wording.refused, wording.population);
  return wording.code == null ? "" : tCode("code", `${wording.name}.${wording.code}`);
}

const LIVE = 30_000_000; // us: what the heart did before that says nothing of now

/** In the language of the screen; a table younger than this page is named as the gateway names it. */
function sourceOf(wording: Wording): string {
  const key = `source.${wording.name}${wording.table ? `.${wording.table}` : ""}`;
  return key in CATALOGUE ? t(key as TextKey) : wording.source;
}

/** Where a heart beats within its range counts now or not at all; the range itself stands. */
const isPast = (wording: Wording): boolean =>
  wording.name === "rehab-heart-rate" && wording.at != null && now.value - wording.at > LIVE;

function marks(wording: Wording): string {
  const said = [wording.urgent && t("words.urgent"), wording.assumed && t("words.assumed")];
  return [...said, wording.estimated && t("words.estimated")].filter(Boolean).join(" · ");
}

export function WordingLine(props: { wording: Wording }) {
  const { wording: said } = props;
  const wording = isPast(said) ? { ...said, code: null, urgent: false } : said;
  const notes = marks(wording);
  return (
    <p
      class={`wording ${wording.urgent ? "urgent" : ""} ${wording.refused != null ? "unworded" : ""}`}
      data-wording={wording.name}
      title={t("words.notice")}
    >
      <span class="quiet">{about(wording)}</span> <b>{verdict(wording)}</b>
      {notes && <span> · {notes}</span>}{" "}
      <span class="quiet small">
        {t("words.source", { source: sourceOf(wording) })}
        {wording.at != null && <span class="tabular"> · {shortTime(wording.at)}</span>}
      </span>
    </p>
  );
}

/** Nothing while there is nothing to say; what this page has no words for yet is left out. */
export function Wordings({ of }: { of: readonly Wording[] | undefined }) {
  const known = (of ?? []).filter((wording) => `words.${wording.name}.plain` in CATALOGUE);
  if (known.length === 0) return null;
  return (
    <div class="wordings">
      {known.map((wording) => (
        <WordingLine key={wording.name} wording={wording} />
      ))}
    </div>
  );
}
