/** All leads of one device sampled at one rate, on one axis of sample positions. */
import type { WaveFrame } from "../feed/frame";
import { PlayClock } from "./play_clock";
import { Track } from "./track";

/** Seconds kept: enough for the widest sweep at 12.5 mm/s and for the freeze. */
const KEPT = 40;
/** Seconds by which number and time of a frame may disagree before it is a new start, not a neighbour. */
const TOLERANCE = 0.25;
const MAX_ANCHORS = 8;

/** position = n0 + offset, for the frames of one epoch that follow each other. `skew` follows the drift of clocks. */
interface Anchor {
  offset: number;
  skew: number;
}

export class Stream {
  readonly tracks = new Map<string, Track>();
  readonly play = new PlayClock();
  private readonly anchors = new Map<string, Anchor[]>();
  private baseAt: number | null = null; // observed_at of position 0, us
  filter = "";
  heardAt = 0; // local seconds of the last live frame
  newest: number | null = null; // position after the newest sample of any lead
  newestAt = 0; // observed_at of that position, us
  /** Changes whenever something other than the newest end was written: what is on screen must be drawn again. */
  rewritten = 0;

  constructor(
    readonly device: string,
    readonly fs: number,
  ) {}

  /** Puts a frame where it belongs. `local` is the local clock in seconds. */
  push(frame: WaveFrame, local: number): void {
    let position = this.place(frame);
    if (!frame.backfill && this.newest !== null && position < this.newest - (KEPT / 2) * this.fs) {
      this.restart(); // the device's clock went back: begin again
      position = this.place(frame);
    }
    const end = position + frame.n;
    if (this.newest !== null && position < this.newest) this.rewritten++;
    this.write(frame, position);
    if (this.newest === null || end > this.newest) {
      this.newest = end;
      this.newestAt = frame.observedAt + (frame.n * 1e6) / this.fs;
    }
    if (frame.backfill) return;
    this.filter = frame.filter;
    this.heardAt = local;
    this.play.heard(end / this.fs, local);
  }

  private write(frame: WaveFrame, position: number): void {
    frame.leads.forEach((lead, row) => {
      let track = this.tracks.get(lead);
      if (track === undefined) {
        track = new Track(Math.ceil(this.fs * KEPT));
        this.tracks.set(lead, track);
        this.rewritten++;
      }
      track.write(position, frame.samples, row * frame.n, frame.n, frame.scale);
    });
  }

  /** Position of a frame's first sample: by its number where it follows known ones, else by its time. */
  private place(frame: WaveFrame): number {
    this.baseAt ??= frame.observedAt;
    const byTime = Math.round(((frame.observedAt - this.baseAt) * this.fs) / 1e6);
    const known = this.anchors.get(frame.epoch) ?? [];
    const miss = (a: Anchor): number => byTime - frame.n0 - a.offset - a.skew;
    const best = known.reduce<Anchor | null>((b, a) => (b && Math.abs(miss(b)) <= Math.abs(miss(a)) ? b : a), null);
    if (best !== null && Math.abs(miss(best)) <= TOLERANCE * this.fs) {
      if (!frame.backfill) best.skew += 0.1 * miss(best);
      return frame.n0 + best.offset;
    }
    const anchor = { offset: byTime - frame.n0, skew: 0 };
    this.anchors.set(frame.epoch, [...known.slice(-MAX_ANCHORS + 1), anchor]);
    this.forgetOldEpochs();
    return byTime;
  }

  private forgetOldEpochs(): void {
    for (const epoch of this.anchors.keys()) {
      if (this.anchors.size <= MAX_ANCHORS) return;
      this.anchors.delete(epoch);
    }
  }

  private restart(): void {
    this.anchors.clear();
    this.baseAt = this.newest = null;
    for (const track of this.tracks.values()) track.clear();
    this.play.reset();
    this.rewritten++;
  }
}
