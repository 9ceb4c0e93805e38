/** How a number says how old it is. Pure: times are arguments, in microseconds. */
import type { Latest } from "../feed/types";

export type Freshness =
  | "fresh" // shown plain
  | "aging" // older than the expected interval: the age is shown
  | "stale" // older than three intervals: grey and hatched
  | "unmeasured" // the device says it cannot measure it now
  | "never"; // nothing has come yet

/** What a reading may need on its way here before its age says anything: one second (grid, network, screen). */
export const GRACE = 1_000_000;

/** Judges one reading at time `now`; `interval` is the quantity's expected interval. */
export function freshness(latest: Latest | undefined, interval: number, now: number): Freshness {
  if (latest === undefined) return "never";
  const age = now - latest.at;
  if (interval === 0) return latest.value === null ? "unmeasured" : age > GRACE ? "aging" : "fresh"; // only when measured
  if (age > 3 * interval + GRACE) return "stale";
  if (latest.value === null) return "unmeasured";
  return age > interval + GRACE ? "aging" : "fresh";
}

export type LinkState =
  | { is: "live"; latency: number } // us
  | { is: "catching-up"; behind: number } // us
  | { is: "stale"; since: number } // us UTC of the last word from the gateway
  | { is: "connecting" }; // nothing heard yet

/** No word for this long and the whole page says "stale". Ticks come every second, so silence shows within 4 s. */
export const SILENCE = 3_000_000;
export const BEHIND = 2_000_000;

export interface Hearing {
  heardAt: number | null; // local us of the last message of any kind
  open: boolean; // the socket is connected and has had its first message
  latency: number; // us
  behind: number; // us by which the newest data trails the clock
  offset: number; // us, gateway clock minus local clock
}

/** The state of the link, from what was heard and when. `local` is the local clock, us. */
export function linkState(hearing: Hearing, local: number): LinkState {
  if (hearing.heardAt === null) return { is: "connecting" };
  if (!hearing.open || local - hearing.heardAt > SILENCE)
    return { is: "stale", since: hearing.heardAt + hearing.offset };
  if (hearing.behind > BEHIND) return { is: "catching-up", behind: hearing.behind };
  return { is: "live", latency: hearing.latency };
}

export type CanaryState =
  | { is: "unknown" } // the gateway has not said yet
  | { is: "none" } // no watcher is registered: nobody would tell if the gateway stopped
  | { is: "missing" } // one is, and nothing of it has come through
  | { is: "fresh" | "aging" | "late"; age: number }; // us

/** A canary sets out every 5 s: two may be on their way, the third one is late. */
export const CANARY_FRESH = 10_000_000;
export const CANARY_LATE = 15_000_000;

/** Whether the whole path works, from the newest canary that went through it. */
export function canaryState(at: number | null | undefined, expected: boolean, now: number): CanaryState {
  if (at === undefined) return { is: "unknown" };
  if (at === null) return { is: expected ? "missing" : "none" };
  const age = Math.max(0, now - at);
  return { is: age > CANARY_LATE ? "late" : age > CANARY_FRESH ? "aging" : "fresh", age };
}
