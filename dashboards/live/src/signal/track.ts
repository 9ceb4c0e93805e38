/** The last seconds of one lead, in physical units, addressed by absolute sample position. */
import { NO_SAMPLE } from "../feed/frame";

/** Nothing came for this sample: drawn as nothing, never joined. */
export const GAP = NaN;
/** The device says the electrode is off: drawn as a dashed flat line. */
export const LEAD_OFF = -Infinity;

const mod = (a: number, n: number): number => ((a % n) + n) % n;

export class Track {
  private readonly data: Float32Array;
  /** Position after the newest sample; null while empty. */
  end: number | null = null;

  constructor(readonly capacity: number) {
    this.data = new Float32Array(capacity).fill(GAP);
  }

  /** Writes n samples at `position`; writing the same again changes nothing; too old ones are left out. */
  write(position: number, samples: Int16Array, from: number, n: number, scale: number): void {
    const stop = position + n;
    this.advance(Math.max(stop, this.end ?? stop));
    const oldest = (this.end ?? stop) - this.capacity;
    for (let i = Math.max(0, oldest - position); i < n; i++) {
      const raw = samples[from + i] ?? NO_SAMPLE;
      this.data[mod(position + i, this.capacity)] = raw === NO_SAMPLE ? LEAD_OFF : raw * scale;
    }
  }

  /** Moves the end forward; what lies between is a gap until somebody writes it. */
  private advance(end: number): void {
    if (this.end !== null && end > this.end) {
      const missing = Math.min(end - this.end, this.capacity);
      for (let p = end - missing; p < end; p++) this.data[mod(p, this.capacity)] = GAP;
    }
    this.end = end;
  }

  /** The sample at a position: a number, GAP or LEAD_OFF. */
  at(position: number): number {
    if (this.end === null || position >= this.end || position < this.end - this.capacity) return GAP;
    return this.data[mod(position, this.capacity)] as number;
  }

  /** A copy of [from, to). */
  slice(from: number, to: number): Float32Array {
    const out = new Float32Array(Math.max(0, to - from));
    for (let i = 0; i < out.length; i++) out[i] = this.at(from + i);
    return out;
  }

  clear(): void {
    this.data.fill(GAP);
    this.end = null;
  }
}
