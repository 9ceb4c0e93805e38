/** Who is on duty, where nobody is, the shifts, and the ladders that ask for them. */
import { computed, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import * as http from "../feed/http";
import type { Ladder, Shift, Site } from "../feed/types";
import { go } from "../router";
import { repeat, unread } from "../state/care";
import { watched } from "../state/live";
import { may } from "../state/may";
import { clockOf, coverOf, dutiesOf, partsOf, SETTINGS, type Cover } from "../state/roster";
import { catalogue, ladders } from "../state/rules";
import { now, unit, unitIds } from "../state/store";
import { age, dayTime, spanTime, t, tCode } from "../text/text";
import { Refused, useAttempt } from "./attempt";
import { delayText, stepText } from "./escalation";
import { PriorityShape } from "./icons";
import { useKeys } from "./keys";
import { NewShiftForm } from "./roster_form";

const EVERY = 5_000; // ms
const PAGES = 20; // of the past that are looked through for sites that have ever kept a roster

const shifts = signal<readonly Shift[]>([]);
const sites = signal<readonly Site[]>([]);
/** Sites that have ever had a shift; null = not known. */
const kept = signal<ReadonlySet<string> | null>(null);

async function read(): Promise<void> {
  [shifts.value, sites.value] = await Promise.all([http.getShifts(), http.getSites()]);
}

/** A site that has ever had a shift keeps a roster: nobody on it means nobody. */
async function readKept(): Promise<void> {
  const found = new Set<string>();
  let cursor: string | null = "";
  for (let n = 0; cursor !== null && n < PAGES; n++) {
    const page = await http.getShiftsSince(cursor);
    page.items.forEach((shift) => found.add(shift.site));
    cursor = page.next;
  }
  kept.value = cursor === null ? found : null;
}

interface Row {
  site: Site;
  duty: string;
  cover: Cover;
  standIn: "no" | "all" | "unknown"; // who is asked where nobody is on a shift
}

const settingsAt = (site: string): Set<string> =>
  new Set(
    unitIds.value.flatMap((id) => {
      const state = unit(id);
      return state?.site === site ? (SETTINGS[state.kind] ?? []) : [];
    }),
  );

function standInAt(site: string): Row["standIn"] {
  if (shifts.value.some((shift) => shift.site === site || shift.site === "")) return "no";
  if (kept.value === null) return "unknown";
  return kept.value.has(site) || kept.value.has("") ? "no" : "all";
}

const rows = computed((): Row[] =>
  sites.value.flatMap((site) => {
    const asked = dutiesOf(settingsAt(site.id), ladders.value.ladders);
    const more = shifts.value.filter((shift) => shift.site === site.id).map((shift) => shift.duty);
    return [...new Set([...asked, ...more])].map((duty) => ({
      site,
      duty,
      cover: coverOf(shifts.value, site.id, duty, now.value),
      standIn: standInAt(site.id),
    }));
  }),
);
const isGap = (row: Row): boolean => row.cover.now.length === 0 && row.standIn === "no";

function Who({ row }: { row: Row }) {
  const { cover } = row;
  if (cover.now.length === 0) {
    if (row.standIn !== "no")
      return <span class="quiet">{t(row.standIn === "all" ? "roster.no-roster" : "roster.unknown")}</span>;
    return (
      <>
        <PriorityShape priority="high" calling={false} size={18} /> <strong>{t("roster.nobody")}</strong>
      </>
    );
  }
  return (
    <>
      {cover.now.map((shift) => (
        <span class="on-duty" key={shift.id}>
          <strong>{shift.account}</strong>
          {shift.unit && <span class="quiet"> {t("roster.only", { unit: unit(shift.unit)?.name ?? shift.unit })}</span>}
        </span>
      ))}
    </>
  );
}

function untilText({ cover, standIn }: Row): string {
  const next = cover.next && t("roster.nobody.next", { who: cover.next.account, time: dayTime(cover.next.start_at) });
  if (cover.until === null) return next ?? "";
  const until = t("roster.until", { time: dayTime(cover.until) });
  return [until, next ?? (standIn === "no" && t("roster.then"))].filter(Boolean).join(" · ");
}

function OnDuty() {
  const gaps = rows.value.filter(isGap).length;
  const covered = rows.value.every((row) => row.cover.now.length > 0);
  return (
    <section class="on-duty-now">
      <h2>
        {t("roster.now")}{" "}
        <span class={gaps ? "gaps" : "quiet"}>
          {gaps ? t("roster.gaps", { n: gaps }) : covered && t("roster.gaps.none")}
        </span>
      </h2>
      <table>
        <thead>
          <tr>
            <th>{t("roster.site")}</th>
            <th>{t("roster.duty")}</th>
            <th>{t("roster.who")}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {rows.value.map((row) => (
            <tr
              key={`${row.site.id} ${row.duty}`}
              class={isGap(row) ? "gap" : ""}
              data-duty={`${row.site.id}/${row.duty}`}
            >
              <td>{row.site.name || row.site.id}</td>
              <th scope="row" class="duty">
                {tCode("duty", row.duty)}
              </th>
              <td>
                <span class="who-line">
                  <Who row={row} />
                </span>
              </td>
              <td class="quiet tabular">{untilText(row)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Taking a shift out asks first, in place. */
function TakeOut({ shift }: { shift: Shift }) {
  const [asked, setAsked] = useState(false);
  const attempt = useAttempt();
  const end = async (): Promise<void> => {
    if (await attempt.run(() => http.removeShift(shift.id))) await attempt.run(read);
  };
  if (!asked)
    return (
      <button type="button" onClick={() => setAsked(true)}>
        {t("roster.end")}
      </button>
    );
  return (
    <span class="sure">
      {t("roster.end.sure", { who: shift.account })}{" "}
      <button type="button" class="primary" disabled={attempt.busy} onClick={() => void end()}>
        {t("roster.end.yes")}
      </button>{" "}
      <button type="button" onClick={() => setAsked(false)}>
        {t("known.cancel")}
      </button>
      <Refused attempt={attempt} />
    </span>
  );
}

function ShiftRow({ shift }: { shift: Shift }) {
  const on = shift.start_at <= now.value && now.value < shift.end_at;
  return (
    <tr data-shift={shift.id} class={on ? "on" : ""}>
      <th scope="row">{shift.account}</th>
      <td class="duty">{tCode("duty", shift.duty)}</td>
      <td>
        {sites.value.find((site) => site.id === shift.site)?.name ?? shift.site}
        {shift.unit ? ` · ${unit(shift.unit)?.name ?? shift.unit}` : ""}
      </td>
      <td class="tabular">
        {spanTime(shift.start_at, shift.end_at)} {on && <span class="tag">{t("roster.on")}</span>}
      </td>
      <td class="quiet entered">{shift.entered_by}</td>
      <td>{may("keep-roster") && <TakeOut shift={shift} />}</td>
    </tr>
  );
}

function Shifts() {
  const listed = shifts.value.filter((shift) => shift.end_at > now.value);
  return (
    <section class="shifts">
      <h2>
        {t("roster.shifts")} <span class="quiet">{listed.length}</span>
      </h2>
      {may("keep-roster") ? (
        <NewShiftForm sites={sites.value} added={read} />
      ) : (
        <p class="quiet">{t("roster.may-not")}</p>
      )}
      {listed.length === 0 && <p class="quiet">{t("roster.shifts.none")}</p>}
      <div class="table-scroll" tabIndex={0}>
        <table>
          <tbody>
            {listed.map((shift) => (
              <ShiftRow key={shift.id} shift={shift} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function LadderCard({ ladder }: { ladder: Ladder }) {
  const { setting, priority, closed } = partsOf(ladder.name);
  const level = priority === "high" ? "high" : "medium";
  const own = catalogue.value.has(ladder.name) ? tCode("rule", ladder.name) : null; // of one rule, wherever it is raised
  return (
    <li class="ladder-card" data-ladder={ladder.name}>
      <h3>
        <PriorityShape priority={level} calling={false} size={18} /> {own ?? tCode("setting", setting)}
        {own === null && ` · ${t(`priority.${level}`)}`}
        {closed && <span class="tag">{t("roster.closed")}</span>}
      </h3>
      <ol>
        {ladder.steps.map((step, i) => (
          <li key={i}>
            <span class="quiet">{delayText(step.delay)}</span> {stepText(step)}
          </li>
        ))}
      </ol>
      <p class="quiet small">{t("detail.ladder.remind", { age: age(ladder.remind * 1_000_000) })}</p>
    </li>
  );
}

function LaddersBySetting() {
  const all = [...ladders.value.ladders].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <section class="ladders">
      <h2>{t("roster.ladders")}</h2>
      <p class="quiet">
        {ladders.value.hours
          .map((hours) => {
            const times = t("roster.hours", { opens: clockOf(hours.opens), closes: clockOf(hours.closes) });
            return `${tCode("setting", hours.setting)} ${times}`;
          })
          .join(" · ")}
      </p>
      <ul>
        {all.map((ladder) => (
          <LadderCard key={ladder.name} ladder={ladder} />
        ))}
      </ul>
    </section>
  );
}

export function Roster() {
  useEffect(() => {
    watched.value = [];
    const stops = [repeat(read, EVERY), repeat(readKept, 600_000)];
    return () => stops.forEach((stop) => stop());
  }, []);
  useKeys({ Escape: () => go("/") });
  return (
    <main class="roster" tabIndex={0}>
      <h1>{t("roster.title")}</h1>
      {unread.value && <p role="status">{t("list.unread")}</p>}
      <div class="roster-columns">
        <OnDuty />
        <Shifts />
      </div>
      <LaddersBySetting />
    </main>
  );
}
