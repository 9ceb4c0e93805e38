/** How somebody lies: the turn clock, the dose, what is proposed for the mattress. Pure. */
import type { PressureCare, Proposal } from "../feed/types";

const DUE_SOON = 15 * 60 * 1_000_000; // us, as in gateway/derive/scores/turn_clock.py

export interface Turn {
  state: "resting" | "due-soon" | "overdue";
  dueAt: number;
}

/** Where the clock stands; null = nobody is known to lie there, or the site has no clock. */
export function turnOf(care: PressureCare, now: number): Turn | null {
  if (care.since === null || care.turn_every === 0) return null;
  const dueAt = care.since + care.turn_every;
  const state = now >= dueAt ? "overdue" : now >= dueAt - DUE_SOON ? "due-soon" : "resting";
  return { state, dueAt };
}

/** What may still be confirmed, or was and is being done. */
export function offered(care: PressureCare, now: number): Proposal | null {
  return care.proposal !== null && now < care.proposal.lapses_at ? care.proposal : null;
}

/** The dose as a share of the limit, %. Rounded down: 100 means that it has been reached. */
export const share = (care: PressureCare): number => Math.floor((100 * care.dose) / care.limit);
