/** Which stretch of which signal explains an alert. Pure. */
import type { Alert, Details, Segment } from "../feed/types";
import { NO_SAMPLE } from "../feed/frame";
import { isEcgLead } from "../quantities";
import { GAP, LEAD_OFF } from "../signal/track";

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
/** Seconds of ECG on a sheet: as a frozen one. */
export const SHEET = 10 * SECOND;
const AFTER = 2 * SECOND; // of a sheet lie behind the moment an alert was raised
const LONGEST_RAW = 3 * 60 * MINUTE;

/** When the condition began and when the alert was raised, us; both are null where the whole sheet is the finding. */
export interface Moments {
  since: number | null;
  raised: number | null;
}

export type Stretch =
  | { is: "ecg"; device: string; leads: readonly string[]; from: number; to: number; moments: Moments }
  | { is: "series"; quantity: string; device: string | null; from: number; to: number; since: number }
  | { is: "none" };

const time = (value: unknown): number | null => (typeof value === "number" && value > 0 ? value : null);
const word = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);

/** `quantities`: the expected interval of each, us; 0 = only when somebody measures. */
export function stretchOf(alert: Alert, why: Details, interval: (quantity: string) => number): Stretch {
  const [from, to, device] = [time(why.from), time(why.to), word(why.device)];
  if (from !== null && to !== null && device !== null) return ecgOf(why, from, to, device);
  const quantity = word(why.quantity) ?? alert.quantity;
  if (quantity === null || quantity.includes("/") || alert.value === null) return { is: "none" };
  const since = Math.min(time(why.since) ?? alert.raised_at, alert.raised_at);
  const before = interval(quantity) > 0 && interval(quantity) <= MINUTE ? 5 * MINUTE : 90 * MINUTE;
  const end = alert.raised_at + (before > 5 * MINUTE ? 30 * MINUTE : 2 * MINUTE);
  const start = Math.max(since - before, end - LONGEST_RAW);
  return { is: "series", quantity, device: alert.device, from: start, to: end, since };
}

/** A rhythm is shown on its own lead around the moment it was found; a 12-lead finding as it was measured. */
function ecgOf(why: Details, from: number, to: number, device: string): Stretch {
  const lead = word(why.lead);
  if (lead === null)
    return { is: "ecg", device, leads: [], from, to: from + SHEET, moments: { since: null, raised: null } };
  const end = to + AFTER;
  return { is: "ecg", device, leads: [lead], from: end - SHEET, to: end, moments: { since: from, raised: to } };
}

export interface Sheet {
  fs: number;
  leads: string[];
  tracks: ReadonlyMap<string, { at: (position: number) => number }>;
  off: ReadonlySet<string>;
}

/** Stored segments as one sheet that begins at `from`; what is missing stays a gap. Null when nothing is there. */
export function sheetOf(
  segments: readonly Segment[],
  wanted: readonly string[],
  from: number,
  to: number,
): Sheet | null {
  const fits = (lead: string): boolean => (wanted.length ? wanted.includes(lead) : isEcgLead(lead));
  const usable = segments.filter((segment) => segment.leads.some(fits));
  const fs = usable[0]?.fs;
  if (fs === undefined) return null;
  const length = Math.ceil(((to - from) / SECOND) * fs) + 1;
  const leads = [...new Set(usable.flatMap((segment) => segment.leads.filter(fits)))];
  const data = new Map(leads.map((lead) => [lead, new Float32Array(length).fill(GAP)]));
  for (const segment of usable.filter((one) => one.fs === fs)) {
    const first = Math.round(((segment.start_at - from) * fs) / SECOND);
    segment.leads.forEach((lead, row) => {
      const out = data.get(lead);
      segment.samples[row]?.forEach((raw, i) => {
        if (out && first + i >= 0 && first + i < length)
          out[first + i] = raw === NO_SAMPLE ? LEAD_OFF : raw * segment.scale;
      });
    });
  }
  const off = leads.filter((lead) => {
    const samples = data.get(lead) as Float32Array;
    return samples.includes(LEAD_OFF) && !samples.some(Number.isFinite);
  });
  const tracks = new Map([...data].map(([lead, samples]) => [lead, { at: (i: number) => samples[i] ?? GAP }]));
  return { fs, leads, tracks, off: new Set(off) };
}
