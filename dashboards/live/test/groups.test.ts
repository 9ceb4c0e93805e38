import { describe, expect, test } from "vitest";
import type { Alert } from "../src/feed/types";
import { entriesOf, foldsOf } from "../src/state/groups";
import { refusalOf, scoreOf } from "../src/state/score";
import { compareListed } from "../src/state/urgency";

const alert = (id: string, group_key: string, over: Partial<Alert> = {}): Alert =>
  ({ id, group_key, unit: "u", rule: "spo2-low", priority: "medium", state: "firing", raised_at: 1, ...over }) as Alert;

const CLOSED: ReadonlySet<string> = new Set();
/** [row, beneath it ...] of each place in the list. */
function shown(rows: Alert[], open = CLOSED): string[][] {
  const known = new Map(rows.map((row) => [row.id, row]));
  return foldsOf(entriesOf(rows.sort(compareListed), open), known).map(({ lead, rest }) =>
    [lead, ...rest].map((row) => row.id),
  );
}

describe("alerts of one group", () => {
  test("stand beneath the gravest, where that one stands", () => {
    const rows = [
      alert("a-low", "person/a", { priority: "low" }),
      alert("b", "unit/b", { raised_at: 0 }),
      alert("a-medium", "person/a"),
      alert("a-high", "person/a", { priority: "high", unit: "other" }),
    ];
    expect(shown(rows)).toEqual([["a-high", "a-medium", "a-low"], ["b"]]);
  });
  test("what calls is not hidden beneath what somebody has taken", () => {
    const rows = [
      alert("taken", "person/a", { priority: "high", state: "acknowledged" }),
      alert("calls", "person/a"),
      alert("low", "person/a", { priority: "low" }),
    ];
    expect(shown(rows)).toEqual([["taken"], ["calls", "low"]]);
    expect(shown(rows, new Set(["person/a"])), "in an unfolded group nothing is hidden").toEqual([
      ["taken", "calls", "low"],
    ]);
  });
  test("an alert without a group stands alone", () => {
    expect(shown([alert("a", ""), alert("b", "")])).toEqual([["a"], ["b"]]);
  });
  test("an alert that held rows name twice keeps the row it has", () => {
    const rows = [alert("old", "g"), alert("grave", "g", { priority: "high" })];
    const known = new Map(rows.map((row) => [row.id, row]));
    const held = ["old", "grave", ...entriesOf(rows.sort(compareListed), CLOSED).filter((entry) => entry !== "grave")];
    expect(foldsOf(held, known).map(({ lead, rest }) => [lead.id, rest.length])).toEqual([
      ["old", 0],
      ["grave", 0],
    ]);
  });
});

describe("whom a score is made for", () => {
  const infant = { name: "infant", assumed: false };
  const not_for = { news2: { code: "population", made_for: ["adult"] } };
  test("the one everybody looks for says why it is not there", () => {
    expect(refusalOf({ population: infant, not_for })).toEqual({
      name: "news2",
      population: "infant",
      code: "population",
      madeFor: ["adult"],
    });
  });
  test("nobody misses the scores of others", () => {
    const adult = { name: "adult", assumed: false };
    expect(refusalOf({ population: adult, not_for: { pews: { code: "population", made_for: ["child"] } } })).toBe(null);
    expect(refusalOf({})).toBe(null);
  });
  test("a score of somebody whose age nobody knows says so", () => {
    const news2 = { value: 3, at: 5, received_at: 5, device: "gateway", derived: true };
    expect(scoreOf({ "news2~derived": news2 }, true)).toMatchObject({ text: "3", assumed: true });
    expect(scoreOf({ "news2~derived": news2 })).toMatchObject({ assumed: false });
  });
});
