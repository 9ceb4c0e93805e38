/** What roles may do, so that a page offers nothing the gateway would refuse. The gateway decides all the same. */
import { session } from "./store";

/** Rows of gateway/api/permissions.py; a test compares them. */
export const MAY = {
  acknowledge: ["doctor", "nurse", "dispatcher"],
  silence: ["doctor", "nurse"],
  "judge-alerts": ["doctor", "nurse"],
  "set-limits": ["doctor", "nurse"],
  "record-turn": ["doctor", "nurse"],
  "command-devices": ["doctor", "nurse"],
  "keep-roster": ["ops", "admin"],
} as const satisfies Record<string, readonly string[]>;

export const may = (action: keyof typeof MAY): boolean =>
  (MAY[action] as readonly string[]).includes(session.value?.role ?? "");
