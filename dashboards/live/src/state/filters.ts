/** Which alerts the list shows, as its address says. Pure. */
import type { Alert } from "../feed/types";
import { isOpen } from "./urgency";

export const STATES_SHOWN = [
  "pending",
  "firing",
  "acknowledged",
  "latched",
  "silenced",
  "inhibited",
  "resolved",
] as const;
export type StateShown = (typeof STATES_SHOWN)[number];

export interface Wanted {
  state: StateShown | null; // null = every open one
  priority: string | null;
  unit: string | null;
  mine: boolean;
}

export function wantedOf(query: URLSearchParams): Wanted {
  const state = query.get("state") as StateShown | null;
  return {
    state: state !== null && STATES_SHOWN.includes(state) ? state : null,
    priority: query.get("priority"),
    unit: query.get("unit"),
    mine: query.has("mine"),
  };
}

function hasState(alert: Alert, state: StateShown | null): boolean {
  if (state === null) return isOpen(alert);
  if (state === "silenced") return isOpen(alert) && Boolean(alert.silenced_by);
  if (state === "inhibited") return isOpen(alert) && Boolean(alert.inhibited_by);
  return alert.state === state;
}

/** `user`: whose alerts "mine" are. */
export function fits(alert: Alert, wanted: Wanted, user: string): boolean {
  return (
    hasState(alert, wanted.state) &&
    (wanted.priority === null || alert.priority === wanted.priority) &&
    (wanted.unit === null || alert.unit === wanted.unit) &&
    (!wanted.mine || alert.acknowledged_by === user)
  );
}
