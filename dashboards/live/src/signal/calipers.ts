/** What lies between two points on the paper. Pure. */
import { pxPerMillivolt, pxPerSecond, type PaperScale } from "./sweep";

export interface Span {
  ms: number;
  mv: number;
  perMinute: number | null; // null while the points have no distance in time
}

export interface Point {
  x: number;
  y: number;
}

export function measure(a: Point, b: Point, scale: PaperScale): Span {
  const ms = (Math.abs(b.x - a.x) / pxPerSecond(scale)) * 1000;
  const mv = (a.y - b.y) / pxPerMillivolt(scale);
  return { ms, mv, perMinute: ms > 0 ? 60_000 / ms : null };
}
