/** What needs me, first. Pure ordering of alerts and units. */
import type { Alert, Priority, UnitState } from "../feed/types";

export const WEIGHT: Record<Priority, number> = { high: 3, medium: 2, low: 1 };

export const isOpen = (alert: Alert): boolean => alert.state !== "resolved" && alert.state !== "pending";
/** Nobody has taken it yet: it sounds and flashes. */
export const isCalling = (alert: Alert): boolean => alert.state === "firing" || alert.state === "latched";

/** Somebody silenced it, or another alert says the same louder: it stays on the screen and makes no sound. */
export const isMuted = (alert: Alert): boolean => Boolean(alert.silenced_by ?? alert.inhibited_by);
export const isSounding = (alert: Alert): boolean => isCalling(alert) && !isMuted(alert);

const longestFirst = (a: Alert, b: Alert): number =>
  a.raised_at - b.raised_at || String(a.id).localeCompare(String(b.id));

/** Calling before muted and taken, then by priority, then the longest waiting first. */
export function compareAlerts(a: Alert, b: Alert): number {
  return (
    Number(isSounding(b)) - Number(isSounding(a)) ||
    Number(isCalling(b)) - Number(isCalling(a)) ||
    WEIGHT[b.priority] - WEIGHT[a.priority] ||
    longestFirst(a, b)
  );
}

/** The list's order: by priority, and within one what calls first, then the longest waiting. */
export function compareListed(a: Alert, b: Alert): number {
  return WEIGHT[b.priority] - WEIGHT[a.priority] || compareAlerts(a, b);
}

export interface Ranked {
  unit: UnitState;
  alerts: readonly Alert[]; // open ones, most urgent first
}

function rank(item: Ranked): number {
  const top = item.alerts[0];
  if (top === undefined) return item.unit.link === "online" ? 1 : 0;
  return WEIGHT[top.priority] + (isSounding(top) ? 10 : 3);
}

/** Units by their most urgent alert; quiet ones after, online before offline, then by name. */
export function compareUnits(a: Ranked, b: Ranked): number {
  const first = a.alerts[0];
  const second = b.alerts[0];
  return (
    rank(b) - rank(a) ||
    (first && second ? first.raised_at - second.raised_at : 0) ||
    a.unit.name.localeCompare(b.unit.name, undefined, { numeric: true }) ||
    a.unit.id.localeCompare(b.unit.id)
  );
}

/** The order on screen while somebody is using it: nothing that is there moves, new ones come last. */
export function heldOrder(shown: readonly string[], wanted: readonly string[]): string[] {
  const now = new Set(wanted);
  const before = new Set(shown);
  return [...shown.filter((id) => now.has(id)), ...wanted.filter((id) => !before.has(id))];
}
