/** The jitter buffer: at which second of a stream the pen stands. Pure; times are seconds.
 *
 * Frames come 200 ms at a time and unevenly. The pen runs 0.4 s behind the quickest recent arrival at the pace of the
 * local clock, corrects small errors by going up to 10 % faster or slower, and never goes back.
 */
export const DELAY = 0.4;
const WINDOW = 5; // s over which the quickest arrival is remembered
const JUMP = 1; // s of error that is jumped (forward) or waited out (backward) instead of corrected
const SLEW = 0.1;

export class PlayClock {
  private quickest = -Infinity; // of the running window: stream time minus local time
  private before = -Infinity; // of the window before it
  private windowFrom = -Infinity;
  private position: number | null = null;
  private readAt = 0;

  /** A frame ending at stream time `end` arrived at `local`. */
  heard(end: number, local: number): void {
    if (local - this.windowFrom > WINDOW) {
      this.before = local - this.windowFrom > 2 * WINDOW ? -Infinity : this.quickest;
      this.quickest = -Infinity;
      this.windowFrom = local;
    }
    this.quickest = Math.max(this.quickest, end - local);
  }

  /** Stream time of the pen at `local`; null before the first frame. */
  at(local: number): number | null {
    const lead = Math.max(this.quickest, this.before);
    if (lead === -Infinity) return null;
    const wanted = local + lead - DELAY;
    if (this.position === null) this.position = wanted;
    else this.position = this.step(this.position, wanted, Math.max(0, local - this.readAt));
    this.readAt = local;
    return this.position;
  }

  private step(position: number, wanted: number, elapsed: number): number {
    const error = wanted - (position + elapsed);
    if (error > JUMP) return wanted;
    if (error < -JUMP) return position;
    const most = SLEW * elapsed;
    return position + elapsed + Math.min(most, Math.max(-most, error));
  }

  reset(): void {
    this.quickest = this.before = this.windowFrom = -Infinity;
    this.position = null;
  }
}
