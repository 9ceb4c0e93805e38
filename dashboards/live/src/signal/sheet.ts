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

/** Cells that share one width, so one pen position: wiped and clipped together. */
export interface Band {
  x: number;
  y: number;
  width: number;
  height: number;
  cells: Cell[];
}

export interface Sheet {
  bands: Band[];
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

/** Height of a row: whole strong squares where there is room, else whole millimetres. */
function rowHeight(height: number, rows: number, pxPerMm: number): number {
  const mm = height / rows / pxPerMm;
  return pxPerMm * Math.max(4, mm >= 10 ? Math.floor(mm / 5) * 5 : Math.floor(mm));
}

export function sheetFor(
  leads: readonly string[],
  layout: Layout,
  width: number,
  height: number,
  pxPerMm: number,
): Sheet {
  const rows = rowsOf(leads, layout);
  const left = PULSE_MM * pxPerMm;
  const high = rowHeight(height, Math.max(1, rows.length), pxPerMm);
  const top = Math.max(0, (height - high * rows.length) / 2);
  const bands = new Map<string, Band>();
  const baselines = rows.map((row, r) => {
    const y = top + r * high;
    const wide = (width - left) / row.length;
    row.forEach((lead, c) => {
      const key = `${row.length} ${c}`;
      const x = left + c * wide;
      const band = bands.get(key) ?? { x, y, width: wide, height: 0, cells: [] };
      band.height = y + high - band.y;
      const baseline = y + high / 2;
      band.cells.push({
        lead, x, y, width: wide, height: high, baseline,
        from: c / row.length, to: (c + 1) / row.length,
      }); // prettier-ignore
      bands.set(key, band);
    });
    return y + high / 2;
  });
  return { bands: [...bands.values()], baselines, left, width, height };
}
