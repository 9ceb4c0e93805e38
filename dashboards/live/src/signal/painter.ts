/** Keeps one canvas showing a sweep: draws what is new each frame, or everything again when something changed. */
import { trace, type Reader } from "./pen";
import type { Band, Cell } from "./sheet";
import { pieces, wiped } from "./sweep";

export interface Source {
  fs: number;
  rewritten: number;
  newest: number | null; // position after the newest sample
  tracks: ReadonlyMap<string, Reader>;
}

export interface Ink {
  color: string;
  line: number; // px
  pxs: number; // px per second
  erase: number; // px of the bar ahead of the pen
  pxPerUnit: (cell: Cell) => number;
  baseline: (cell: Cell) => number;
}

const OVERLAP = 3; // px drawn again behind the pen, so strokes join

export class SweepPainter {
  private readonly context: CanvasRenderingContext2D;
  private ratio = 1;
  private width = 0;
  private height = 0;
  private drawnTo: number | null = null; // s
  private seen = -1; // Source.rewritten at the last drawing

  constructor(readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d") as CanvasRenderingContext2D;
  }

  resize(width: number, height: number): void {
    const ratio = window.devicePixelRatio || 1;
    if (this.width === width && this.height === height && this.ratio === ratio) return;
    Object.assign(this, { width, height, ratio });
    fitCanvas(this.canvas, width, height, ratio);
    this.invalidate();
  }

  /** The next draw starts from an empty canvas. */
  invalidate(): void {
    this.drawnTo = null;
  }

  /** Brings the canvas to pen time `now` (s). */
  draw(source: Source, bands: readonly Band[], ink: Ink, now: number): void {
    const whole = this.drawnTo === null || this.seen !== source.rewritten;
    this.seen = source.rewritten;
    if (whole) this.clear();
    for (const band of bands) {
      const window = (band.width - ink.erase) / ink.pxs;
      const from = whole ? now - window : Math.max((this.drawnTo as number) - OVERLAP / ink.pxs, now - window);
      if (now > from) this.band(source, band, ink, from, now);
    }
    if (whole) this.canvas.dataset.drawn = ""; // tests wait for it
    // What comes after the pen has passed its place is drawn then: only what was there counts as drawn.
    this.drawnTo = Math.min(now, (source.newest ?? 0) / source.fs);
  }

  clear(): void {
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.invalidate();
  }

  private band(source: Source, band: Band, ink: Ink, from: number, to: number): void {
    for (const wipe of wiped(from, to, band.width, ink.pxs, ink.erase)) {
      this.context.clearRect(band.x + wipe.x, 0, Math.min(wipe.width + 0.5, band.width - wipe.x), this.height);
    }
    for (const piece of pieces(from, to, band.width, ink.pxs)) {
      this.clipped(band.x + piece.x, piece.width, () => {
        for (const cell of band.cells) {
          const reader = source.tracks.get(cell.lead);
          if (reader) this.stroke(reader, source.fs, cell, ink, piece.from, piece.to, band.x + piece.x);
        }
      });
    }
  }

  /** One cell of a frozen sheet: [from, to] once, from the cell's left edge. */
  still(reader: Reader, fs: number, cell: Cell, ink: Ink, from: number, to: number): void {
    this.clipped(cell.x, cell.width, () => this.stroke(reader, fs, cell, ink, from, to, cell.x));
  }

  private stroke(reader: Reader, fs: number, cell: Cell, ink: Ink, from: number, to: number, x: number): void {
    const margin = 2 / fs; // samples just outside, so the line runs to the clip edge
    this.context.beginPath();
    trace(this.context, reader, {
      fs,
      from: from - margin,
      to: to + margin,
      x: x - margin * ink.pxs,
      pxs: ink.pxs,
      baseline: ink.baseline(cell),
      pxPerUnit: ink.pxPerUnit(cell),
      columns: this.ratio,
    });
    this.context.strokeStyle = ink.color;
    this.context.lineWidth = ink.line;
    this.context.lineJoin = "round";
    this.context.stroke();
  }

  private clipped(x: number, width: number, draw: () => void): void {
    const c = this.context;
    c.save();
    c.beginPath();
    c.rect(x, 0, width, this.height);
    c.clip();
    draw();
    c.restore();
  }
}

/** Gives a canvas its size in CSS pixels and its resolution in device pixels. */
export function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number, ratio: number): void {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.getContext("2d")?.setTransform(ratio, 0, 0, ratio, 0, 0);
}
