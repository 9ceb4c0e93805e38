/** Which lead stands where. Pure. */
import { ECG_LEADS_12 } from "../quantities";
import { rhythmLead } from "./streams";

export const LAYOUTS = ["3x4", "6x2", "12x1"] as const;
export type Layout = (typeof LAYOUTS)[number];

/** Seconds a frozen sheet holds. */
export const FROZEN = 10;

export interface Cell {
  lead: string;
  x: number;
  y: number;
  width: number;
  height: number;
  baseline: number; // y of 0 mV
  from: number; // share of a frozen sheet's time this cell shows
  to: number;
}

/** A column of cells, swept and wiped together over the whole height: tall waves may reach into the next row. */
export interface Band {
  x: number;
  width: number;
  cells: Cell[];
}

export interface Sheet {
  /** Bands of one width have one pen position and share a canvas; a rhythm strip has its own above the others. */
  layers: Band[][];
  baselines: number[]; // one a row: where its calibration pulse stands
  left: number; // width before the traces, for the pulse
  width: number;
  height: number;
}

const PULSE_MM = 8;

/** Rows of leads; the last row may be a rhythm strip of one lead. */
function rowsOf(leads: readonly string[], layout: Layout): string[][] {
  if (!ECG_LEADS_12.every((lead) => leads.includes(lead))) return fewLeads(leads);
  const all = ECG_LEADS_12 as readonly string[];
  if (layout === "12x1") return all.map((lead) => [lead]);
  const rows = layout === "3x4" ? 3 : 6;
  const grid = Array.from({ length: rows }, (_, r) => all.filter((_lead, i) => i % rows === r));
  return layout === "3x4" ? [...grid, [rhythmLead(leads) as string]] : grid;
}

/** A record without twelve leads: one row each; two columns beyond six. */
function fewLeads(leads: readonly string[]): string[][] {
  if (leads.length <= 6) return leads.map((lead) => [lead]);
  const rows = Math.ceil(leads.length / 2);
  return Array.from({ length: rows }, (_, r) => leads.filter((_lead, i) => i % rows === r));
}

/** Free height above the first row, so that its R waves are not cut. */
const HEAD_MM = 5;
/** Baselines lie below the middle: most of what is tall points up. */
const BASELINE = 0.6;

/** Height of a row, whole millimetres. */
function rowHeight(height: number, rows: number, pxPerMm: number): number {
  return pxPerMm * Math.max(4, Math.floor((height / pxPerMm - HEAD_MM) / rows));
}

export function sheetFor(
  leads: readonly string[],
  layout: Layout,
  width: number,
  height: number,
  pxPerMm: number,
): Sheet {
  const rows = rowsOf(leads, layout);
  const left = Math.round(PULSE_MM * pxPerMm);
  const high = rowHeight(height, Math.max(1, rows.length), pxPerMm);
  const top = Math.max(0, height - high * rows.length);
  const layers = new Map<number, Band[]>();
  rows.forEach((row, r) => {
    const wide = Math.floor((width - left) / row.length); // whole pixels: nothing is left behind at the seams
    const bands = layers.get(row.length) ?? row.map((_lead, c) => ({ x: left + c * wide, width: wide, cells: [] }));
    layers.set(row.length, bands);
    row.forEach((lead, c) => {
      const y = top + r * high;
      const share = { from: c / row.length, to: (c + 1) / row.length };
      bands[c]?.cells.push({
        lead,
        x: left + c * wide,
        y,
        width: wide,
        height: high,
        baseline: y + BASELINE * high,
        ...share,
      });
    });
  });
  const baselines = rows.map((_row, r) => top + (r + BASELINE) * high);
  return { layers: [...layers.values()], baselines, left, width, height };
}

export const cellsOf = (sheet: Sheet): Cell[] => sheet.layers.flat().flatMap((band) => band.cells);
