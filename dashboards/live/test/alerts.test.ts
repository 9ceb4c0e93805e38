import { describe, expect, test } from "vitest";
import { wantedOf, fits } from "../src/state/filters";
import { clockOf, coverOf, dutiesOf, partsOf } from "../src/state/roster";
import { scoreOf } from "../src/state/score";
import { canaryState } from "../src/state/staleness";
import { SHEET, sheetOf, stretchOf } from "../src/state/stretch";
import { compareAlerts, compareListed, isSounding } from "../src/state/urgency";
import type { Alert, Ladder, Latest, Segment, Shift } from "../src/feed/types";
import { NO_SAMPLE } from "../src/feed/frame";
import { BURSTS } from "../src/sound/bursts";
import { LEAD_OFF } from "../src/signal/track";

const SECOND = 1_000_000;
const alert = (id: string, over: Partial<Alert> = {}): Alert =>
  ({
    id,
    unit: "u",
    device: "monitor",
    rule: "heart-rate-high",
    priority: "high",
    state: "firing",
    quantity: "heart-rate",
    value: 150,
    limit: 130,
    raised_at: 100 * SECOND,
    acknowledged_by: null,
    silenced_by: null,
    inhibited_by: null,
    ...over,
  }) as Alert;

describe("order and sound", () => {
  test("what is silenced or inhibited makes no sound and stands behind what does", () => {
    expect(isSounding(alert("a"))).toBe(true);
    expect(isSounding(alert("a", { silenced_by: "s" }))).toBe(false);
    expect(isSounding(alert("a", { inhibited_by: "b" }))).toBe(false);
    expect(isSounding(alert("a", { state: "acknowledged" }))).toBe(false);
    const rows = [alert("muted", { silenced_by: "s" }), alert("low", { priority: "low" })];
    expect(rows.sort(compareAlerts).map((a) => a.id)).toEqual(["low", "muted"]);
  });
  test("the list is by priority first", () => {
    const rows = [
      alert("low", { priority: "low", raised_at: 1 }),
      alert("taken", { state: "acknowledged", raised_at: 1 }),
      alert("young", { raised_at: 9 }),
      alert("old", { raised_at: 2 }),
    ];
    expect(rows.sort(compareListed).map((a) => a.id)).toEqual(["old", "young", "taken", "low"]);
  });
  test("the burst of a high alert has the groups 3, 2, pause, 3, 2 of IEC 60601-1-8", () => {
    const starts = BURSTS.high.pulses.map((pulse) => pulse.at);
    const gaps = starts.slice(1).map((at, i) => at - (starts[i] as number));
    const [short, long, half] = [gaps[0] as number, gaps[2] as number, gaps[4] as number];
    expect(gaps.map((gap) => Math.round(100 * gap))).toEqual(
      [short, short, long, short, half, short, short, long, short].map((gap) => Math.round(100 * gap)),
    );
    expect(short).toBeLessThan(long);
    expect(long).toBeLessThan(half);
    expect(BURSTS.high.repeat).toBeLessThanOrEqual(15);
    expect(BURSTS.medium.repeat).toBeLessThanOrEqual(30);
    expect(BURSTS.low.repeat).toBeGreaterThan(15);
  });
});

describe("filters", () => {
  const ask = (text: string) => wantedOf(new URLSearchParams(text));
  test("an unknown state is none", () => {
    expect(ask("state=nonsense&priority=high").state).toBe(null);
  });
  test.each([
    ["", alert("a"), true],
    ["", alert("a", { state: "resolved" }), false],
    ["state=silenced", alert("a", { silenced_by: "s" }), true],
    ["state=silenced", alert("a"), false],
    ["state=firing&unit=u", alert("a"), true],
    ["unit=v", alert("a"), false],
    ["priority=low", alert("a"), false],
    ["mine=1", alert("a", { state: "acknowledged", acknowledged_by: "dr.li" }), true],
    ["mine=1", alert("a", { state: "acknowledged", acknowledged_by: "dr.wang" }), false],
  ])("%s", (text, one, shown) => {
    expect(fits(one, ask(text), "dr.li")).toBe(shown);
  });
});

describe("canary", () => {
  test.each([
    [undefined, true, "unknown"],
    [null, true, "missing"],
    [null, false, "none"],
    [91 * SECOND, false, "fresh"],
    [89 * SECOND, true, "aging"],
    [84 * SECOND, true, "late"],
  ] as const)("at %s, expected %s: %s", (at, expected, is) => {
    expect(canaryState(at, expected, 100 * SECOND).is).toBe(is);
  });
});

describe("stretch of signal", () => {
  const often = (): number => SECOND;
  test("a rhythm: ten seconds of its lead that end two seconds behind the crossing", () => {
    const why = { device: "monitor", lead: "II", from: 90 * SECOND, to: 100 * SECOND };
    expect(stretchOf(alert("a", { quantity: null, value: null }), why, often)).toEqual({
      is: "ecg",
      device: "monitor",
      leads: ["II"],
      from: 92 * SECOND,
      to: 102 * SECOND,
      moments: { since: 90 * SECOND, raised: 100 * SECOND },
    });
  });
  test("twelve leads: the ten seconds that were measured", () => {
    const stretch = stretchOf(alert("a"), { device: "monitor", from: 90 * SECOND, to: 100 * SECOND }, often);
    expect(stretch).toMatchObject({ is: "ecg", leads: [], from: 90 * SECOND, to: 90 * SECOND + SHEET });
  });
  test("a number: from before it crossed to after it was raised, never more than the API gives", () => {
    const stretch = stretchOf(alert("a"), { quantity: "heart-rate", since: 90 * SECOND }, often);
    expect(stretch).toMatchObject({ is: "series", quantity: "heart-rate", since: 90 * SECOND });
    const rare = stretchOf(alert("a", { raised_at: 1e15 }), { since: 1 }, () => 0);
    if (rare.is !== "series") throw new Error(rare.is);
    expect(rare.to - rare.from).toBe(3 * 3600 * SECOND);
  });
  test("neither for a link", () => {
    expect(stretchOf(alert("a", { quantity: null, value: null }), { why: "silent" }, often).is).toBe("none");
  });

  const segment = (over: Partial<Segment>): Segment => ({
    start_at: 0,
    fs: 10,
    scale: 0.5,
    leads: ["II", "pleth"],
    n0: 0,
    samples: [
      [2, 4, NO_SAMPLE],
      [9, 9, 9],
    ],
    ...over,
  });
  test("segments stand where their time says, gaps stay gaps, other signals stay out", () => {
    const sheet = sheetOf([segment({}), segment({ start_at: SECOND })], [], 0, 2 * SECOND);
    const track = sheet?.tracks.get("II");
    expect([0, 1, 2, 3, 10].map((i) => track?.at(i))).toEqual([1, 2, LEAD_OFF, NaN, 1]);
    expect(sheet?.leads).toEqual(["II"]);
    expect(sheet?.off.size).toBe(0);
  });
  test("an electrode that was off throughout is named; nothing at all is nothing", () => {
    const off = segment({
      samples: [
        [NO_SAMPLE, NO_SAMPLE],
        [1, 1],
      ],
    });
    expect([...(sheetOf([off], ["II"], 0, SECOND)?.off ?? [])]).toEqual(["II"]);
    expect(sheetOf([], ["II"], 0, SECOND)).toBe(null);
    expect(sheetOf([segment({})], ["V1"], 0, SECOND)).toBe(null);
  });
});

describe("roster", () => {
  const shift = (account: string, start: number, end: number, over: Partial<Shift> = {}): Shift => ({
    id: account,
    account,
    duty: "nurse",
    site: "city",
    unit: "",
    start_at: start,
    end_at: end,
    entered_by: "ops",
    ...over,
  });
  test("somebody until the chain of shifts breaks, and who comes after", () => {
    const shifts = [
      shift("late", 30, 40),
      shift("now", 0, 10),
      shift("next", 10, 20),
      shift("elsewhere", 0, 99, { site: "x" }),
    ];
    const cover = coverOf(shifts, "city", "nurse", 5);
    expect(cover.now.map((one) => one.account)).toEqual(["now"]);
    expect([cover.until, cover.next?.account]).toEqual([20, "late"]);
  });
  test("nobody: not before a shift begins, not when it ends", () => {
    expect(coverOf([shift("a", 5, 10)], "city", "nurse", 4)).toMatchObject({ now: [], until: null });
    expect(coverOf([shift("a", 5, 10)], "city", "nurse", 10).now).toEqual([]);
    expect(coverOf([shift("a", 5, 10, { site: "" })], "city", "nurse", 5).now).toHaveLength(1);
  });
  test("duties a site's ladders ask for at once; tasks wait, contacts have no roster", () => {
    const step = (duty: string, means = "app") => ({ delay: 0, duty, means, whole_site: false });
    const ladders = [
      { name: "home-high", steps: [step("centre-nurse"), step("family", "call")], remind: 1 },
      { name: "home-high-closed", steps: [step("ops", "task")], remind: 1 },
      { name: "ward-high", steps: [step("nurse")], remind: 1 },
    ] as Ladder[];
    expect(dutiesOf(new Set(["home"]), ladders)).toEqual(["centre-nurse"]);
    expect(partsOf("home-high-closed")).toEqual({ setting: "home", priority: "high", closed: true });
    expect(clockOf(485)).toBe("08:05");
  });
});

describe("early warning score", () => {
  const said = (value: number | null, at: number): Latest => ({
    value,
    at,
    received_at: at,
    device: "gateway",
    derived: true,
  });
  test.each([
    [{ "news2~derived": said(7, 5), "news2-at-least~derived": said(7, 5) }, "7", false],
    [{ "news2~derived": said(7, 5), "news2-at-least~derived": said(6, 9) }, "≥ 6", true],
    [{ "news2~derived": said(null, 9), "news2-at-least~derived": said(5, 9) }, "≥ 5", true],
    [{ "news2~derived": said(null, 9), "pews~derived": said(2, 9) }, "2", false],
  ])("%#", (latest, text, partial) => {
    expect(scoreOf(latest)).toMatchObject({ text, partial });
  });
  test("none where none was computed", () => {
    expect(scoreOf({})).toBe(null);
  });
});
