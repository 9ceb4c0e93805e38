/** Geometry of a trace on paper. Pure; x and y in CSS pixels, times in seconds of the stream. */

export const ERASE_MM = 6;

export interface PaperScale {
  pxPerMm: number;
  speed: number; // mm/s
  gain: number; // mm/mV
}

export const pxPerSecond = (s: PaperScale): number => s.pxPerMm * s.speed;
export const pxPerMillivolt = (s: PaperScale): number => s.pxPerMm * s.gain;

/** Where time t stands in a window of `width` pixels that starts again at its end. */
export function sweepX(t: number, width: number, pxs: number): number {
  const x = (t * pxs) % width;
  return x < 0 ? x + width : x;
}

export interface Piece {
  x: number; // of `from`
  width: number;
  from: number; // s
  to: number;
}

/** [from, to] cut where the window starts again; at most one window long (the newest part wins). */
export function pieces(from: number, to: number, width: number, pxs: number): Piece[] {
  const out: Piece[] = [];
  let t = Math.max(from, to - width / pxs);
  while (to - t > 1e-9) {
    const x = sweepX(t, width, pxs);
    const room = Math.max((width - x) / pxs, 1e-6);
    const end = Math.min(to, t + room);
    out.push({ x, width: (end - t) * pxs, from: t, to: end });
    t = end;
  }
  return out;
}

/** The stretches of x to wipe when the pen moves from `from` to `to`: what it draws over and the erase bar ahead. */
export function wiped(from: number, to: number, width: number, pxs: number, erase: number): Piece[] {
  return pieces(from, to + erase / pxs, width, pxs);
}
