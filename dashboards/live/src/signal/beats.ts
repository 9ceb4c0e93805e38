/** Median beats laid over each other, one second of millimetre paper for each lead. */
import type { EcgShown, MedianBeat } from "../feed/types";
import { fitCanvas } from "./painter";
import { trace } from "./pen";
import { cellsOf, type Band, type Cell, type Sheet } from "./sheet";
import { pxPerMillivolt, pxPerSecond, type PaperScale } from "./sweep";
import { GAP } from "./track";

export interface BeatInk {
  color: string;
  dash: readonly number[]; // px; none = a whole line
}

const BEFORE = 0.3; // s before QRS onset: beats stand with their onsets one over the other
const SECONDS = 1; // of a cell
const PULSE_MM = 8;
const HEIGHT_MM = 30; // of a row at 10 mm/mV
const BASELINE = 0.6;
const FINE = 8; // every sample is drawn: a dash must not be longer where a line is steep and thick
const COLUMNS = [6, 3, 2] as const; // limb and chest leads each fill whole rows

/** As many leads beside each other as there is room for. */
export function beatSheet(leads: readonly string[], room: number, scale: PaperScale): Sheet {
  const left = Math.round(PULSE_MM * scale.pxPerMm);
  const wide = Math.round(SECONDS * pxPerSecond(scale));
  const columns = COLUMNS.find((n) => left + n * wide <= room) ?? 1;
  const high = Math.round((HEIGHT_MM / 10) * pxPerMillivolt(scale));
  const rows = Math.ceil(leads.length / columns);
  const baselines = Array.from({ length: rows }, (_, row) => (row + BASELINE) * high);
  const bands: Band[] = Array.from({ length: columns }, (_, c) => {
    const x = left + c * wide;
    const cells = leads
      .filter((_lead, i) => i % columns === c)
      .map((lead, row) => ({
        lead, x, y: row * high, width: wide, height: high, baseline: baselines[row] as number, from: 0, to: 1,
      })); // prettier-ignore
    return { x, width: wide, cells };
  });
  return { layers: [bands], baselines, left, width: left + columns * wide, height: rows * high };
}

/** Seconds from the left edge of a cell to a sample of the beat. */
export const secondOf = (beat: MedianBeat, sample: number): number => BEFORE + (sample - beat.onset) / beat.fs;

function drawBeat(c: CanvasRenderingContext2D, beat: MedianBeat, row: number, cell: Cell, scale: PaperScale): void {
  const samples = beat.samples[row] ?? [];
  const from = beat.onset / beat.fs - BEFORE;
  const at = (i: number): number => (i in samples ? (samples[i] as number) * beat.scale : GAP);
  const stroke = { fs: beat.fs, from, to: from + SECONDS, x: cell.x, pxs: pxPerSecond(scale) };
  trace(c, { at }, { ...stroke, baseline: cell.baseline, pxPerUnit: pxPerMillivolt(scale), columns: FINE });
}

/** One ECG's beats in their cells; a lead it does not have stays empty. */
export function drawBeats(
  canvas: HTMLCanvasElement,
  ecg: EcgShown,
  sheet: Sheet,
  scale: PaperScale,
  ink: BeatInk,
): void {
  const c = canvas.getContext("2d") as CanvasRenderingContext2D;
  const { beat } = ecg;
  if (beat === null) return;
  const rows = new Map(ecg.leads.map((lead, row) => [lead.lead, row]));
  c.beginPath();
  for (const cell of cellsOf(sheet)) {
    const row = rows.get(cell.lead);
    if (row !== undefined) drawBeat(c, beat, row, cell, scale);
  }
  c.strokeStyle = ink.color;
  c.lineWidth = 1.4;
  c.lineJoin = "round";
  c.setLineDash([...ink.dash]);
  c.stroke();
}

/** An upright stroke of 4 mm through every lead at the J point. */
export function drawJ(canvas: HTMLCanvasElement, ecg: EcgShown, sheet: Sheet, scale: PaperScale, color: string): void {
  const c = canvas.getContext("2d") as CanvasRenderingContext2D;
  const { beat } = ecg;
  if (beat === null) return;
  const levels = new Map(ecg.leads.map((lead) => [lead.lead, lead.j]));
  const reach = 2 * scale.pxPerMm;
  c.beginPath();
  for (const cell of cellsOf(sheet)) {
    const level = levels.get(cell.lead);
    if (level === undefined) continue;
    const x = cell.x + secondOf(beat, beat.j) * pxPerSecond(scale);
    const y = cell.baseline - level * pxPerMillivolt(scale);
    c.moveTo(x, y - reach);
    c.lineTo(x, y + reach);
  }
  c.strokeStyle = color;
  c.lineWidth = 1;
  c.setLineDash([]);
  c.stroke();
}

export function clearSheet(canvas: HTMLCanvasElement, sheet: Sheet): void {
  fitCanvas(canvas, sheet.width, sheet.height, window.devicePixelRatio || 1);
}
