/** Millimetre paper and the calibration pulses. */
import { fitCanvas } from "./painter";
import type { Sheet } from "./sheet";
import type { PaperScale } from "./sweep";

export interface PaperColors {
  fine: string;
  strong: string;
  trace: string;
}

export function drawPaper(canvas: HTMLCanvasElement, sheet: Sheet, scale: PaperScale, colors: PaperColors): void {
  const ratio = window.devicePixelRatio || 1;
  fitCanvas(canvas, sheet.width, sheet.height, ratio);
  const c = canvas.getContext("2d") as CanvasRenderingContext2D;
  c.clearRect(0, 0, sheet.width, sheet.height);
  const y0 = sheet.baselines[0] ?? 0;
  grid(c, sheet, scale.pxPerMm, y0, colors.fine, 1, ratio);
  grid(c, sheet, scale.pxPerMm, y0, colors.strong, 5, ratio);
  c.strokeStyle = colors.trace;
  c.lineWidth = 1.4;
  for (const baseline of sheet.baselines) pulse(c, baseline, scale);
}

/** Lines every `step` mm, counted from the start of the traces and the first baseline. */
function grid(
  c: CanvasRenderingContext2D,
  sheet: Sheet,
  pxPerMm: number,
  y0: number,
  color: string,
  step: number,
  ratio: number,
): void {
  const pitch = step * pxPerMm;
  const snap = (v: number): number => (Math.round(v * ratio) + 0.5) / ratio;
  c.beginPath();
  for (let x = sheet.left % pitch; x <= sheet.width; x += pitch) {
    c.moveTo(snap(x), 0);
    c.lineTo(snap(x), sheet.height);
  }
  for (let y = y0 % pitch; y <= sheet.height; y += pitch) {
    c.moveTo(0, snap(y));
    c.lineTo(sheet.width, snap(y));
  }
  c.strokeStyle = color;
  c.lineWidth = 1 / ratio;
  c.stroke();
}

/** 1 mV for 5 mm: up, along, down. */
function pulse(c: CanvasRenderingContext2D, baseline: number, scale: PaperScale): void {
  const mm = scale.pxPerMm;
  const top = baseline - scale.gain * mm;
  c.beginPath();
  c.moveTo(0.5 * mm, baseline);
  c.lineTo(1.5 * mm, baseline);
  c.lineTo(1.5 * mm, top);
  c.lineTo(6.5 * mm, top);
  c.lineTo(6.5 * mm, baseline);
  c.lineTo(7.5 * mm, baseline);
  c.stroke();
}
