/** Who is on duty, and where nobody is. Pure: times are arguments, us. As gateway/alerts/roster.py and ladder.py. */
import type { Ladder, Shift } from "../feed/types";

/** Duties people are rostered for; the others are reached where the patient is. */
export const DUTIES = [
  "nurse",
  "doctor",
  "ed-lead",
  "attendant",
  "station-doctor",
  "centre-nurse",
  "fleet-desk",
  "ops",
] as const;

/** Kind of unit to the setting whose ladders its alerts climb. */
export const SETTINGS: Readonly<Record<string, string>> = {
  ambulance: "ambulance",
  "health-kiosk": "kiosk",
  "homecare-bed": "home",
  "beacon-site": "ward",
  "delivery-van": "vehicle",
  watch: "house",
};

/** "ambulance-high-closed" > its parts. */
export function partsOf(name: string): { setting: string; priority: string; closed: boolean } {
  const [setting = "", priority = "", closed] = name.split("-");
  return { setting, priority, closed: closed === "closed" };
}

/** The duties that ladders of these settings ask for at once, in the order of DUTIES; a task waits for anybody. */
export function dutiesOf(settings: ReadonlySet<string>, ladders: readonly Ladder[]): string[] {
  const asked = ladders
    .filter((ladder) => settings.has(partsOf(ladder.name).setting))
    .flatMap((ladder) => ladder.steps.filter((step) => step.means !== "task").map((step) => step.duty));
  return DUTIES.filter((duty) => asked.includes(duty));
}

export interface Cover {
  now: readonly Shift[]; // of this moment
  /** The last moment somebody of today's chain of shifts is there; null while nobody is. */
  until: number | null;
  next: Shift | null; // the first that begins later
}

/** Whoever answers for a duty at a site. */
export function coverOf(shifts: readonly Shift[], site: string, duty: string, at: number): Cover {
  const here = shifts
    .filter((shift) => shift.duty === duty && (shift.site === site || shift.site === ""))
    .sort((a, b) => a.start_at - b.start_at);
  const now = here.filter((shift) => shift.start_at <= at && at < shift.end_at);
  let until: number | null = null;
  for (const shift of here) {
    if (shift.end_at > at && shift.start_at <= (until ?? at)) until = Math.max(until ?? at, shift.end_at);
  }
  return { now, until, next: here.find((shift) => shift.start_at > (until ?? at)) ?? null };
}

/** Hours and minutes: "08:00". */
export const clockOf = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
