import { describe, expect, test } from "vitest";
import type { EarlierEcg, EcgShown, MedianBeat, SerialEcg } from "../src/feed/types";
import { beatSheet, secondOf } from "../src/signal/beats";
import { cellsOf } from "../src/signal/sheet";
import { changeOf, leadsOf, levelOf, usual } from "../src/state/serial";
import { ECG_LEADS_12 } from "../src/quantities";

const BEAT: MedianBeat = { fs: 500, onset: 150, j: 200, scale: 0.001, samples: [[0]] };
const ecg = (levels: Record<string, number>, beat: MedianBeat | null = BEAT): EcgShown => ({
  unit: "u",
  device: "monitor",
  start_at: 0,
  end_at: 10,
  refused: beat ? [] : ["lead-off"],
  heart_rate: 75,
  qrs_ms: 90,
  leads: Object.entries(levels).map(([lead, j]) => ({ lead, j })),
  beat,
});
const one = (which: EarlierEcg["which"], over: Partial<EarlierEcg> = {}): EarlierEcg => ({
  which,
  ecg: ecg({ II: 0.1 }),
  changes: [],
  reserve: [],
  missing: [],
  ...over,
});
const serial = (now: EcgShown, ...earlier: EarlierEcg[]): SerialEcg => ({
  person: "p",
  now,
  earlier,
  absent: [],
  changed_mv: 0.05,
});

describe("an ECG beside earlier ones", () => {
  test("every lead of any of them has a row", () => {
    const found = serial(ecg({ I: 0, II: 0.2, V7: 0.1 }), one("first", { ecg: ecg({ II: 0, V4R: 0 }) }));
    expect(leadsOf(found)).toEqual(["I", "II", "V7", "V4R"]);
    expect(levelOf(found.now, "V4R")).toBeNull();
    expect(levelOf(found.now, "II")).toBe(0.2);
  });
  test("a change is marked with its direction only where the gateway says that it reaches the limit", () => {
    const changes = [
      { lead: "II", change: 0.12, changed: true },
      { lead: "aVL", change: -0.06, changed: true },
      { lead: "V1", change: 0.04, changed: false },
    ];
    const first = one("first", { changes });
    expect(["II", "aVL", "V1"].map((lead) => changeOf(first, lead)?.mark)).toEqual(["▲", "▼", ""]);
    expect(changeOf(first, "V2")).toBeNull();
  });
  test("the prior one is laid under at first, unless it could not be measured", () => {
    const now = ecg({ II: 0.2 });
    expect(usual(serial(now, one("previous"), one("first"), one("prior")))).toBe(2);
    expect(usual(serial(now, one("previous"), one("first"), one("prior", { ecg: ecg({}, null) })))).toBe(1);
    expect(usual(serial(now, one("previous")))).toBe(0);
    expect(usual(serial(now))).toBe(-1);
  });
});

describe("median beats on paper", () => {
  const scale = { pxPerMm: 4, speed: 25, gain: 10 };
  test("limb and chest leads fill whole rows of one second each, as many as there is room for", () => {
    for (const [room, columns] of [
      [640, 6],
      [360, 3],
      [240, 2],
      [100, 1],
    ] as const) {
      const sheet = beatSheet(ECG_LEADS_12, room, scale);
      const first = cellsOf(sheet).filter((cell) => cell.y === 0);
      expect(first.map((cell) => cell.lead)).toEqual(ECG_LEADS_12.slice(0, columns));
      expect(sheet.width).toBe(32 + columns * 100);
      expect(sheet.height).toBe((12 / columns) * 120);
      expect(cellsOf(sheet)).toHaveLength(12);
    }
  });
  test("beats stand with their QRS onsets one over the other, whatever their rate", () => {
    expect(secondOf(BEAT, BEAT.onset)).toBeCloseTo(0.3);
    expect(secondOf({ ...BEAT, fs: 250, onset: 70 }, 70)).toBeCloseTo(0.3);
    expect(secondOf(BEAT, BEAT.j)).toBeCloseTo(0.4);
  });
});
