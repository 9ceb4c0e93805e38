/** Alerts of one person or unit under the gravest of them: what the list shows, in which order. Pure. */
import type { Alert } from "../feed/types";
import { isSounding, WEIGHT } from "./urgency";

/** A place in the list: an alert on a row of its own, or one beneath the last of its group that has one. */
export type Entry = string;
const BENEATH = "beneath ";

export interface Fold {
  lead: Alert;
  rest: readonly Alert[];
}

/** Never beneath another: what is graver, or calls while the other does not. */
const covers = (lead: Alert, alert: Alert): boolean =>
  WEIGHT[alert.priority] <= WEIGHT[lead.priority] && (isSounding(lead) || !isSounding(alert));

/** `rows`: the most urgent first. `open`: groups that are unfolded, where nothing hides. */
export function entriesOf(rows: readonly Alert[], open: ReadonlySet<string>): Entry[] {
  const folds: { lead: Alert; rest: Alert[] }[] = [];
  const last = new Map<string, (typeof folds)[number]>();
  for (const alert of rows) {
    const group = alert.group_key ?? "";
    const above = last.get(group);
    if (above && (open.has(group) || covers(above.lead, alert))) above.rest.push(alert);
    else {
      const fold = { lead: alert, rest: [] };
      folds.push(fold);
      if (group) last.set(group, fold);
    }
  }
  return folds.flatMap((fold) => [fold.lead.id, ...fold.rest.map((alert) => BENEATH + alert.id)]);
}

/** Entries as rows. Held ones may name an alert twice: it keeps the row it has. */
export function foldsOf(entries: readonly Entry[], known: ReadonlyMap<string, Alert>): Fold[] {
  const shown = new Set(entries);
  const folds: { lead: Alert; rest: Alert[] }[] = [];
  const last = new Map<string, (typeof folds)[number]>();
  for (const entry of entries) {
    const beneath = entry.startsWith(BENEATH);
    const id = beneath ? entry.slice(BENEATH.length) : entry;
    const alert = known.get(id);
    if (!alert || (beneath && shown.has(id))) continue;
    const group = alert.group_key ?? "";
    const above = beneath ? last.get(group) : undefined;
    if (above) above.rest.push(alert);
    else {
      const fold = { lead: alert, rest: [] };
      folds.push(fold);
      last.set(group, fold);
    }
  }
  return folds;
}
