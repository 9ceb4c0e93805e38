import { expect, test } from "vitest";
import type { PressureCare, Proposal } from "../src/feed/types";
import { offered, share, turnOf } from "../src/state/lying";

const MINUTE = 60_000_000;
const proposal: Proposal = { proposed_at: 0, lapses_at: 30 * MINUTE, reason: "dose", zone: "heels-left", dose: 2400 };
const care = (changes: Partial<PressureCare> = {}): PressureCare => ({
  at: 0,
  since: 0,
  stopped: null,
  turn_every: 120 * MINUTE,
  zone: "heels-left",
  dose: 2399.9,
  limit: 2400,
  unknown: 0,
  mat_at: 0,
  proposal: null,
  confirmed_by: "",
  ...changes,
});

test.each([
  [0, "resting"],
  [105 * MINUTE - 1, "resting"],
  [105 * MINUTE, "due-soon"],
  [120 * MINUTE - 1, "due-soon"],
  [120 * MINUTE, "overdue"],
] as const)("after %d us the clock is %s", (at, state) => {
  expect(turnOf(care(), at)).toEqual({ state, dueAt: 120 * MINUTE });
});

test("there is no clock where nobody lies, or where the site has none", () => {
  expect(turnOf(care({ since: null }), 0)).toBeNull();
  expect(turnOf(care({ turn_every: 0 }), 0)).toBeNull();
});

test("a hundred per cent is only what has reached the limit", () => {
  expect(share(care())).toBe(99);
  expect(share(care({ dose: 2400 }))).toBe(100);
});

test("what has lapsed is not offered", () => {
  expect(offered(care({ proposal }), 30 * MINUTE - 1)).toBe(proposal);
  expect(offered(care({ proposal }), 30 * MINUTE)).toBeNull();
  expect(offered(care(), 0)).toBeNull();
});
