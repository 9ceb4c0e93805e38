/** Draws samples with a canvas path: min and max per pixel column where samples are denser than pixels. */
import { LEAD_OFF, type Track } from "./track";

/** What is read: a live track, or a frozen copy at the same positions. */
export type Reader = Pick<Track, "at">;

export interface Stroke {
  fs: number;
  from: number; // s
  to: number; // s
  x: number; // of `from`
  pxs: number; // px per second
  baseline: number; // y of 0
  pxPerUnit: number;
  columns: number; // device pixels per CSS pixel
}

type Path = Pick<CanvasRenderingContext2D, "moveTo" | "lineTo">;

class Pen {
  private down = false;
  private column = NaN;
  private low = 0;
  private high = 0;
  private last = 0;

  constructor(
    private readonly path: Path,
    private readonly columns: number,
    private readonly dense: boolean,
  ) {}

  point(x: number, y: number): void {
    if (!this.down) {
      this.path.moveTo(x, y);
      this.down = true;
    } else if (this.dense) {
      this.gather(Math.floor(x * this.columns), y);
    } else {
      this.path.lineTo(x, y);
    }
  }

  private gather(column: number, y: number): void {
    if (column !== this.column) {
      this.flush();
      this.column = column;
      this.low = this.high = y;
    }
    this.low = Math.min(this.low, y);
    this.high = Math.max(this.high, y);
    this.last = y;
  }

  private flush(): void {
    if (Number.isNaN(this.column)) return;
    const x = (this.column + 0.5) / this.columns;
    if (this.low !== this.high) {
      this.path.lineTo(x, this.low);
      this.path.lineTo(x, this.high);
    }
    this.path.lineTo(x, this.last);
    this.column = NaN;
  }

  lift(): void {
    this.flush();
    this.down = false;
  }
}

const DASH = 5; // px
const betweenDashes = (x: number): boolean => Math.floor(x / DASH) % 2 === 1;

/** Adds [from, to] to the path. Gaps lift the pen; lead-off is a dashed flat line on the baseline. */
export function trace(path: Path, reader: Reader, s: Stroke): void {
  const pen = new Pen(path, s.columns, s.fs / (s.pxs * s.columns) > 2);
  const last = Math.floor(s.to * s.fs + 1e-6);
  for (let i = Math.ceil(s.from * s.fs - 1e-6); i <= last; i++) {
    const value = reader.at(i);
    const x = s.x + (i / s.fs - s.from) * s.pxs;
    const off = value === LEAD_OFF;
    if (Number.isNaN(value) || (off && betweenDashes(x))) pen.lift();
    else pen.point(x, off ? s.baseline : s.baseline - value * s.pxPerUnit);
  }
  pen.lift();
}
