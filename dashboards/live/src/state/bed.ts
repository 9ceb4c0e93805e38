/** How a bed stands, from the newest words of its devices. Pure. */
import type { UnitEvent } from "../feed/types";

export interface Bed {
  occupied: boolean | null; // null = nobody knows
  since: number | null; // of the word it is known by, us
  notes: readonly ("bed.rail-down" | "bed.brake" | "bed.cpr")[];
  mode: string | null; // of the mattress
  oxygen: boolean | null; // the concentrator runs
}

export type StateOf = (name: string) => UnitEvent | undefined;

const flag = (event: UnitEvent | undefined, name: string): boolean | null => {
  const value = event?.details[name];
  return typeof value === "boolean" ? value : null;
};

/** The bed's own sensor and the one under the mattress may both have spoken: the newer word counts. */
function occupancy(of: StateOf): { occupied: boolean | null; since: number | null } {
  const words = [
    { event: of("bed-state"), says: flag(of("bed-state"), "occupied") },
    { event: of("bed-exit"), says: false },
    { event: of("bed-return"), says: true },
  ].filter((word) => word.event !== undefined && word.says !== null);
  const newest = words.sort((a, b) => (b.event?.at ?? 0) - (a.event?.at ?? 0))[0];
  return { occupied: newest?.says ?? null, since: newest?.event?.at ?? null };
}

export function bedOf(of: StateOf): Bed {
  const state = of("bed-state");
  const rails = [flag(state, "rail_left_up"), flag(state, "rail_right_up")];
  const mode = of("mattress-state")?.details.mode;
  const status = of("concentrator-state")?.details.status;
  return {
    ...occupancy(of),
    notes: [
      ...(rails.includes(false) ? (["bed.rail-down"] as const) : []),
      ...(flag(state, "brake_set") === false ? (["bed.brake"] as const) : []),
      ...(flag(state, "cpr") === true ? (["bed.cpr"] as const) : []),
    ],
    mode: typeof mode === "string" ? mode : null,
    oxygen: typeof status === "string" ? status !== "off" : null,
  };
}
