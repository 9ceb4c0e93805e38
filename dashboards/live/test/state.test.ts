import { describe, expect, test } from "vitest";
import { backoff } from "../src/feed/backoff";
import type { Alert, Latest, UnitState } from "../src/feed/types";
import { BURSTS, due } from "../src/sound/bursts";
import { derivedKey, withLatest, withObservations } from "../src/state/merge";
import { freshness, linkState, type Hearing } from "../src/state/staleness";
import { compareAlerts, compareUnits, heldOrder } from "../src/state/urgency";
import { CATALOGUE } from "../src/text/catalogue";

const SECOND = 1_000_000;
const latest = (at: number, value: number | null = 72): Latest => ({
  value,
  at,
  received_at: at,
  device: "monitor",
  derived: false,
});

describe("staleness", () => {
  test.each([
    [0, "fresh"],
    [1.9, "fresh"],
    [2.1, "aging"],
    [3.9, "aging"],
    [4.1, "stale"],
  ] as const)("a number expected each second is after %d s %s", (age, state) => {
    expect(freshness(latest(0), SECOND, age * SECOND)).toBe(state);
  });

  test("a blood pressure stays fresh for its five minutes", () => {
    expect(freshness(latest(0), 300 * SECOND, 299 * SECOND)).toBe("fresh");
    expect(freshness(latest(0), 300 * SECOND, 902 * SECOND)).toBe("stale");
  });

  test("unknown is unknown, and an old unknown is stale", () => {
    expect(freshness(undefined, SECOND, 0)).toBe("never");
    expect(freshness(latest(0, null), SECOND, SECOND)).toBe("unmeasured");
    expect(freshness(latest(0, null), SECOND, 9 * SECOND)).toBe("stale");
  });
});

describe("link", () => {
  const hearing: Hearing = { heardAt: 0, open: true, latency: 12_000, behind: 0, offset: 500 };
  test("live, catching up, stale, connecting", () => {
    expect(linkState(hearing, SECOND)).toEqual({ is: "live", latency: 12_000 });
    expect(linkState({ ...hearing, behind: 8 * SECOND }, SECOND)).toEqual({ is: "catching-up", behind: 8 * SECOND });
    expect(linkState({ ...hearing, heardAt: null }, SECOND)).toEqual({ is: "connecting" });
    expect(linkState({ ...hearing, open: false }, SECOND)).toEqual({ is: "stale", since: 500 });
  });
  test("silence alone is stale before four seconds", () => {
    expect(linkState(hearing, 2.9 * SECOND).is).toBe("live");
    expect(linkState(hearing, 3.1 * SECOND).is).toBe("stale");
  });
});

describe("merging", () => {
  const message = { type: "observations", id: 1, unit: "u", device: "monitor", received_at: 9, late: false } as const;
  test("an older reading never replaces a newer one, a repeat changes nothing", () => {
    const known = withObservations({}, { ...message, at: 10, derived: false, values: { spo2: 97 } });
    const late = withObservations(known, { ...message, at: 5, derived: false, values: { spo2: 80 } });
    expect(late.spo2?.value).toBe(97);
    expect(withObservations(known, { ...message, at: 10, derived: false, values: { spo2: 97 } })).toEqual(known);
  });
  test("a number computed from the ECG stands beside the device's own", () => {
    const own = withObservations({}, { ...message, at: 10, derived: false, values: { "heart-rate": 70 } });
    const both = withObservations(own, { ...message, at: 11, derived: true, values: { "heart-rate": 72 } });
    expect([both["heart-rate"]?.value, both[derivedKey("heart-rate")]?.value]).toEqual([70, 72]);
  });
  test("a state from the gateway does not undo what is newer here", () => {
    expect(withLatest({ spo2: latest(10, 97) }, { spo2: latest(8, 90) }).spo2?.value).toBe(97);
  });
});

describe("urgency", () => {
  const alert = (id: string, over: Partial<Alert>): Alert =>
    ({ id, unit: "u", priority: "high", state: "firing", raised_at: 0, ...over }) as Alert;
  test("calling before taken, then priority, then the longest wait", () => {
    const rows = [
      alert("taken", { state: "acknowledged" }),
      alert("low", { priority: "low" }),
      alert("young", { raised_at: 9 }),
      alert("old", { raised_at: 1 }),
      alert("ended", { state: "latched", raised_at: 20 }),
    ];
    expect(rows.sort(compareAlerts).map((a) => a.id)).toEqual(["old", "young", "ended", "low", "taken"]);
  });
  test("units by their most urgent alert, then online, then name as people count", () => {
    const unit = (id: string, link = "online"): UnitState => ({ id, name: id, link }) as UnitState;
    const items = [
      { unit: unit("A 10"), alerts: [] },
      { unit: unit("A 2"), alerts: [] },
      { unit: unit("A 1", "offline"), alerts: [] },
      { unit: unit("Z"), alerts: [alert("1", { priority: "medium" })] },
      { unit: unit("Y"), alerts: [alert("2", { state: "acknowledged" })] },
      { unit: unit("X"), alerts: [alert("3", {})] },
    ];
    expect(items.sort(compareUnits).map((i) => i.unit.id)).toEqual(["X", "Z", "Y", "A 2", "A 10", "A 1"]);
  });
  test("while a hand is at work nothing that is there moves; what is gone goes, what is new comes last", () => {
    expect(heldOrder(["a", "b", "c"], ["d", "c", "a"])).toEqual(["a", "c", "d"]);
  });
});

describe("catalogue", () => {
  const rows = Object.entries(CATALOGUE);
  const holes = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
  test.each(rows)("%s has both languages with the same places to fill", (_key, [zh, en]) => {
    expect(zh.trim()).not.toBe("");
    expect(en.trim()).not.toBe("");
    expect(holes(zh)).toEqual(holes(en));
  });
  test.each(rows.filter(([key]) => key !== "top.language" && key !== "top.language.title"))(
    "the English of %s holds no Chinese",
    (_key, [, en]) => {
      expect(en).not.toMatch(/\p{Script=Han}/u);
    },
  );
});

test("no component holds text of its own", () => {
  const sources = import.meta.glob("../src/**/*.tsx", { query: "?raw", import: "default", eager: true });
  for (const [file, source] of Object.entries(sources)) {
    expect(source as string, file).not.toMatch(/\p{Script=Han}/u);
    expect((source as string).replace(/\/\*.*?\*\/|\/\/.*$/gms, ""), file).not.toMatch(
      />\s*[A-Z][a-z]+ [a-z]+[^<>{}()=;]*</,
    );
  }
});

describe("sound", () => {
  test("ten pulses for high, three for medium, two for low", () => {
    expect([BURSTS.high, BURSTS.medium, BURSTS.low].map((b) => b.pulses.length)).toEqual([10, 3, 2]);
  });
  test.each(Object.entries(BURSTS))("pulses of %s do not overlap and end before the burst repeats", (_p, burst) => {
    burst.pulses.forEach((pulse, i) => {
      const next = burst.pulses[i + 1]?.at ?? burst.repeat;
      expect(pulse.at + pulse.length).toBeLessThan(next);
    });
  });
  test("a new or more urgent alert sounds at once, else after its repeat time", () => {
    expect(due("high", null, 0)).toBe(true);
    expect(due("high", { priority: "medium", at: 0 }, 1)).toBe(true);
    expect(due("high", { priority: "high", at: 0 }, 1)).toBe(false);
    expect(due("high", { priority: "high", at: 0 }, BURSTS.high.repeat)).toBe(true);
  });
});

test("backoff doubles under full jitter and is bounded", () => {
  expect([0, 1, 2, 9].map((n) => backoff(n, 1))).toEqual([500, 1000, 2000, 8000]);
  expect(backoff(5, 0)).toBe(200);
});

describe("contrast (WCAG AA)", () => {
  const css = import.meta.glob<string>("../src/style.css", { query: "?raw", import: "default", eager: true })[
    "../src/style.css"
  ] as string;
  const tokens = (theme: string): Record<string, string> => {
    const block = css.slice(css.indexOf(`:root[data-theme="${theme}"]`)).split("}")[0] ?? "";
    return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map((m) => [m[1], m[2]]));
  };
  const light = (hex: string): number => {
    const [r, g, b] = [1, 3, 5].map((i) => {
      const c = parseInt(hex.slice(i, i + 2), 16) / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a: string, b: string): number => {
    const [x, y] = [light(a), light(b)].sort((p, q) => q - p) as [number, number];
    return (x + 0.05) / (y + 0.05);
  };
  const pairs = [
    ["text", 4.5],
    ["quiet", 4.5],
    ["control", 3],
    ["ecg", 3],
    ["pleth", 3],
    ["accent", 3],
  ] as const;
  test.each(["dark", "light"])("%s", (theme) => {
    const colors = tokens(theme);
    for (const [name, least] of pairs) {
      for (const ground of ["ground", "panel"]) {
        expect(ratio(colors[name] as string, colors[ground] as string), `${name} on ${ground}`).toBeGreaterThan(least);
      }
    }
    expect(ratio(colors["on-accent"] as string, colors.accent as string)).toBeGreaterThan(4.5);
    for (const alarm of ["#ff4d4f", "#ffc53d", "#36cfc9"]) expect(ratio(alarm, "#0e1116")).toBeGreaterThan(4.5);
  });
});
