/** What of an ECG beside earlier ones is said in which cell. Pure. */
import type { EarlierEcg, EcgShown, SerialEcg } from "../feed/types";

/** Every lead of any of them, those of the newest first. */
export function leadsOf(found: SerialEcg): string[] {
  const all = [found.now, ...found.earlier.map((one) => one.ecg)];
  return [...new Set(all.flatMap((ecg) => ecg.leads.map((lead) => lead.lead)))];
}

export const levelOf = (ecg: EcgShown, lead: string): number | null =>
  ecg.leads.find((one) => one.lead === lead)?.j ?? null;

export interface Change {
  mv: number;
  mark: "▲" | "▼" | ""; // only where it reaches the limit
}

/** How the ECG that is looked at differs from an earlier one; null where one of both lacks the lead. */
export function changeOf(one: EarlierEcg, lead: string): Change | null {
  const found = one.changes.find((row) => row.lead === lead);
  if (!found) return null;
  return { mv: found.change, mark: found.changed ? (found.change > 0 ? "▲" : "▼") : "" };
}

/** What is laid under the beats at first: the prior one says most, then the first of the ride. */
export function usual(found: SerialEcg): number {
  const measured = (one: EarlierEcg): boolean => one.ecg.beat !== null;
  const order = ["prior", "first", "previous"] as const;
  const best = order.map((which) => found.earlier.findIndex((one) => one.which === which && measured(one)));
  return best.find((at) => at >= 0) ?? -1;
}
