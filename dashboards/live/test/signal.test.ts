import { encode } from "@msgpack/msgpack";
import { describe, expect, test } from "vitest";
import { FrameError, parseFrame, type WaveFrame } from "../src/feed/frame";
import { measure } from "../src/signal/calipers";
import { trace } from "../src/signal/pen";
import { DELAY, PlayClock } from "../src/signal/play_clock";
import { cellsOf, sheetFor } from "../src/signal/sheet";
import { Stream } from "../src/signal/stream";
import { pieces, sweepX, wiped } from "../src/signal/sweep";
import { LEAD_OFF, Track } from "../src/signal/track";
import { ECG_LEADS_12 } from "../src/quantities";

const samples = (...values: number[]): Int16Array => Int16Array.from(values);

function frame(over: Partial<WaveFrame> = {}): WaveFrame {
  const base = { unit: "amb-001", epoch: "e1", seq: 0, device: "monitor", observedAt: 0, backfill: false, n0: 0 };
  return { ...base, fs: 10, leads: ["II"], scale: 1, samples: samples(1, 2, 3, 4), n: 4, filter: "", ...over };
}

describe("track", () => {
  test("keeps the newest samples of its ring", () => {
    const track = new Track(4);
    track.write(0, samples(1, 2, 3, 4, 5, 6), 0, 6, 0.5);
    expect([...track.slice(0, 7)]).toEqual([NaN, NaN, 1.5, 2, 2.5, 3, NaN]);
  });

  test("leaves a gap between writes, fills it later, and a repeat changes nothing", () => {
    const track = new Track(10);
    track.write(0, samples(1, 1), 0, 2, 1);
    track.write(4, samples(4, 4), 0, 2, 1);
    expect([...track.slice(0, 6)]).toEqual([1, 1, NaN, NaN, 4, 4]);
    track.write(2, samples(3, 3), 0, 2, 1);
    track.write(2, samples(3, 3), 0, 2, 1);
    expect([...track.slice(0, 6)]).toEqual([1, 1, 3, 3, 4, 4]);
  });

  test("a gap as long as the ring empties it; too old samples are left out", () => {
    const track = new Track(4);
    track.write(0, samples(1, 1, 1, 1), 0, 4, 1);
    track.write(100, samples(9), 0, 1, 1);
    expect([...track.slice(97, 101)]).toEqual([NaN, NaN, NaN, 9]);
    track.write(90, samples(7, 7, 7, 7, 7, 7, 7, 7), 0, 8, 1);
    expect([...track.slice(97, 101)]).toEqual([7, NaN, NaN, 9].map((v, i) => (i === 0 ? 7 : v)));
  });

  test("the wire's no-sample is lead off, not a voltage", () => {
    const track = new Track(4);
    track.write(0, samples(-32768, -32767), 0, 2, 0.001);
    expect(track.at(0)).toBe(LEAD_OFF);
    expect(track.at(1)).toBeCloseTo(-32.767);
  });

  test("positions before zero have a place too", () => {
    const track = new Track(8);
    track.write(0, samples(1, 2), 0, 2, 1);
    track.write(-2, samples(8, 9), 0, 2, 1);
    expect([...track.slice(-2, 2)]).toEqual([8, 9, 1, 2]);
  });
});

describe("stream", () => {
  const second = 1_000_000;
  const all = (stream: Stream, to: number): number[] => [...(stream.tracks.get("II") as Track).slice(0, to)];

  test("numbers decide what follows, though the times jitter", () => {
    const stream = new Stream("monitor", 10);
    stream.push(frame(), 0);
    stream.push(frame({ n0: 4, observedAt: 0.45 * second, samples: samples(5, 6, 7, 8) }), 0.4);
    expect(all(stream, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("a missing frame is a gap; its backfill fills in where it belongs, once", () => {
    const stream = new Stream("monitor", 10);
    stream.push(frame(), 0);
    stream.push(frame({ n0: 8, observedAt: 0.8 * second, samples: samples(9, 10, 11, 12) }), 0.8);
    const late = frame({ n0: 4, observedAt: 0.4 * second, samples: samples(5, 6, 7, 8), backfill: true });
    const before = stream.rewritten;
    stream.push(late, 5);
    stream.push(late, 6);
    expect(all(stream, 12)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(stream.rewritten).toBeGreaterThan(before);
    expect(stream.heardAt).toBe(0.8); // backfill is no sign of life
  });

  test("a new epoch starts its numbers again and is placed by time", () => {
    const stream = new Stream("monitor", 10);
    stream.push(frame(), 0);
    stream.push(frame({ epoch: "e2", n0: 0, observedAt: second, samples: samples(7, 7, 7, 7) }), 1);
    expect(all(stream, 14)).toEqual([1, 2, 3, 4, NaN, NaN, NaN, NaN, NaN, NaN, 7, 7, 7, 7]);
  });

  test("a pause the numbers do not show is still a gap", () => {
    const stream = new Stream("monitor", 10);
    stream.push(frame(), 0);
    stream.push(frame({ n0: 4, observedAt: second, samples: samples(7, 7, 7, 7) }), 1);
    expect(all(stream, 14).slice(4, 10).every(Number.isNaN)).toBe(true);
  });

  test("a drifting device clock makes no gaps", () => {
    const stream = new Stream("monitor", 10);
    for (let i = 0; i < 200; i++) stream.push(frame({ n0: 4 * i, observedAt: i * 0.41 * second }), i * 0.4);
    expect([...(stream.tracks.get("II") as Track).slice(760, 800)].some(Number.isNaN)).toBe(false);
  });

  test("a clock set back begins again instead of hiding what comes", () => {
    const stream = new Stream("monitor", 10);
    stream.push(frame({ observedAt: 3600 * second }), 0);
    stream.push(frame({ n0: 4, observedAt: 0, samples: samples(5, 6, 7, 8) }), 0.4);
    expect(all(stream, 4)).toEqual([5, 6, 7, 8]);
  });

  test("weak link: leads that come later join the same axis", () => {
    const stream = new Stream("monitor", 10);
    stream.push(frame(), 0);
    stream.push(frame({ leads: ["I"], backfill: true, samples: samples(-1, -2, -3, -4) }), 9);
    expect([...(stream.tracks.get("I") as Track).slice(0, 4)]).toEqual([-1, -2, -3, -4]);
  });
});

describe("play clock", () => {
  test("stands behind the quickest arrival and moves evenly under jitter", () => {
    const clock = new PlayClock();
    let last = -Infinity;
    for (let i = 1; i <= 50; i++) {
      clock.heard(0.2 * i, 0.2 * i + (i % 3) * 0.05);
      for (let step = 0; step < 12; step++) {
        const at = clock.at(0.2 * i + 0.1 + step / 60) as number;
        expect(at).toBeGreaterThanOrEqual(last);
        last = at;
      }
    }
    expect(last).toBeCloseTo(10.1 + 11 / 60 - DELAY, 1);
  });

  test("jumps forward after a long pause, never back", () => {
    const clock = new PlayClock();
    clock.heard(1, 1);
    expect(clock.at(1)).toBeCloseTo(0.6);
    clock.heard(100, 2);
    expect(clock.at(2)).toBeCloseTo(99.6);
    expect(clock.at(2.1)).toBeCloseTo(99.7);
  });

  test("says nothing before the first frame", () => expect(new PlayClock().at(5)).toBeNull());
});

describe("sweep", () => {
  test("25 mm/s at 3.78 px/mm is 94.5 px a second and starts again at the edge", () => {
    expect(sweepX(1, 945, 94.5)).toBeCloseTo(94.5);
    expect(sweepX(10, 945, 94.5)).toBeCloseTo(0);
    expect(sweepX(-1, 945, 94.5)).toBeCloseTo(850.5);
  });

  test("a stretch over the edge is cut in two", () => {
    const cut = pieces(9.5, 10.5, 1000, 100);
    expect(cut.map((p) => [Math.round(p.x), Math.round(p.width)])).toEqual([
      [950, 50],
      [0, 50],
    ]);
  });

  test("never more than one window, the newest part wins", () => {
    const cut = pieces(0, 35, 1000, 100);
    expect(cut.reduce((sum, p) => sum + p.width, 0)).toBeCloseTo(1000);
    expect(cut.at(-1)?.to).toBe(35);
  });

  test("the erase bar is wiped ahead of the pen", () => {
    const [wipe] = wiped(1, 1.1, 1000, 100, 22.68);
    expect([wipe?.x, wipe?.width]).toEqual([expect.closeTo(100), expect.closeTo(32.68)]);
  });
});

describe("sheet", () => {
  const leads = [...ECG_LEADS_12];
  const rows = (layout: "3x4" | "6x2" | "12x1", of: readonly string[] = leads): string[][] => {
    const out = new Map<number, string[]>();
    for (const cell of cellsOf(sheetFor(of, layout, 900, 400, 3.78))) {
      out.set(cell.y, [...(out.get(cell.y) ?? []), cell.lead]);
    }
    return [...out.values()];
  };

  test("3x4 with a rhythm strip, 6x2, 12x1", () => {
    expect(rows("3x4")).toEqual([
      ["I", "aVR", "V1", "V4"],
      ["II", "aVL", "V2", "V5"],
      ["III", "aVF", "V3", "V6"],
      ["II"],
    ]);
    expect(rows("6x2")[5]).toEqual(["aVF", "V6"]);
    expect(rows("12x1").map((r) => r[0])).toEqual(leads);
  });

  test("records with few leads get a row each, whatever the layout", () => {
    expect(rows("3x4", ["MLII", "V5"])).toEqual([["MLII"], ["V5"]]);
    expect(rows("6x2", ["ECG"])).toEqual([["ECG"]]);
    expect(rows("3x4", leads.slice(0, 8))).toHaveLength(4);
  });

  test("rows are whole millimetres and the first has room for an R wave", () => {
    const sheet = sheetFor(leads, "3x4", 900, 400, 3.78);
    expect(((sheet.baselines[1] as number) - (sheet.baselines[0] as number)) / 3.78).toBeCloseTo(25);
    expect(sheet.baselines[0]).toBeGreaterThan(15 * 3.78);
  });
});

describe("pen", () => {
  const draw = (values: number[], fs: number, columns = 1): string[] => {
    const path: string[] = [];
    const log =
      (name: string) =>
      (x: number, y: number): void =>
        void path.push(`${name} ${x.toFixed(1)} ${y.toFixed(1)}`);
    const reader = { at: (i: number) => values[i] ?? NaN };
    const to = (values.length - 1) / fs;
    trace({ moveTo: log("M"), lineTo: log("L") }, reader, {
      fs,
      from: 0,
      to,
      x: 0,
      pxs: 100,
      baseline: 50,
      pxPerUnit: 10,
      columns,
    });
    return path;
  };

  test("sparse samples are joined by lines, a gap lifts the pen", () => {
    expect(draw([0, 1, NaN, 2, 3], 100)).toEqual(["M 0.0 50.0", "L 1.0 40.0", "M 3.0 30.0", "L 4.0 20.0"]);
  });

  test("dense samples keep the minimum and maximum of each pixel column", () => {
    const values = Array.from({ length: 40 }, (_, i) => (i === 25 ? 4 : 0)); // one tall sample among many
    expect(draw(values, 1000).some((step) => step.endsWith(" 10.0"))).toBe(true);
  });

  test("lead off is drawn flat on the baseline, dashed", () => {
    const path = draw(
      Array.from({ length: 30 }, () => LEAD_OFF),
      100,
    );
    expect(path.every((step) => step.endsWith(" 50.0"))).toBe(true);
    expect(path.filter((step) => step.startsWith("M"))).toHaveLength(3);
  });
});

test("calipers: 94.5 px are one second, 37.8 px one millivolt", () => {
  const span = measure({ x: 0, y: 100 }, { x: 94.5, y: 62.2 }, { pxPerMm: 3.78, speed: 25, gain: 10 });
  expect(span).toEqual({ ms: expect.closeTo(1000), mv: expect.closeTo(1), perMinute: expect.closeTo(60) });
  expect(measure({ x: 1, y: 1 }, { x: 1, y: 1 }, { pxPerMm: 3.78, speed: 25, gain: 10 }).perMinute).toBeNull();
});

describe("frames of the feed", () => {
  const wire = {
    epoch: "00c0ffee00c0ffee",
    seq: 7,
    device: "monitor",
    observed_at: 1_800_000_000_000_000,
    n0: 3500,
    fs: 500,
  };
  const message = (body: unknown, unit = "amb-001"): ArrayBuffer => {
    const payload = encode(body);
    const out = new Uint8Array(1 + unit.length + payload.length);
    out[0] = unit.length;
    out.set(new TextEncoder().encode(unit), 1);
    out.set(payload, 1 + unit.length);
    return out.buffer;
  };
  const bytes = new Uint8Array([0x00, 0x80, 0x01, 0x00, 0xff, 0xff, 0x10, 0x27]); // -32768, 1, -1, 10000

  test("a frame is read whole", () => {
    const read = parseFrame(
      message({ ...wire, leads: ["II", "V1"], scale: 0.005, samples: bytes, filter: "0.05-150 Hz" }),
    );
    expect(read).toMatchObject({ unit: "amb-001", observedAt: 1_800_000_000_000_000, n0: 3500, n: 2, backfill: false });
    expect([...read.samples]).toEqual([-32768, 1, -1, 10000]);
    expect(read.filter).toBe("0.05-150 Hz");
  });

  test.each([
    ["nothing", new ArrayBuffer(0)],
    ["only an id", new Uint8Array([3, 97, 98, 99]).buffer],
    ["no MessagePack", new Uint8Array([1, 97, 0xc1]).buffer],
    ["a missing field", message({ ...wire, leads: ["II"], samples: bytes })],
    ["samples that do not divide", message({ ...wire, leads: ["I", "II", "III"], scale: 1, samples: bytes })],
    ["no samples", message({ ...wire, leads: ["I"], scale: 1, samples: new Uint8Array(0) })],
  ])("%s is refused", (_name, buffer) => {
    expect(() => parseFrame(buffer)).toThrow(FrameError);
  });
});
