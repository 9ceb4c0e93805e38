/** Binary messages of the live feed: one byte n, n bytes unit id (ASCII), then one waveform frame (MessagePack). */
import { decode } from "@msgpack/msgpack";

export interface WaveFrame {
  unit: string;
  epoch: string;
  seq: number;
  device: string;
  observedAt: number; // us, of the first sample, device clock
  backfill: boolean;
  n0: number; // number of the first sample in the epoch
  fs: number; // Hz
  leads: string[];
  scale: number; // physical units per step
  samples: Int16Array; // lead after lead, leads.length x n
  n: number; // samples per lead
  filter: string;
}

/** "No sample" of the wire (lead off). */
export const NO_SAMPLE = -32768;

export class FrameError extends Error {}

interface Wire {
  epoch: string;
  seq: number;
  device: string;
  observed_at: number | bigint;
  backfill?: boolean;
  n0: number | bigint;
  fs: number;
  leads: string[];
  scale: number;
  samples: Uint8Array;
  filter?: string;
}

function isWire(value: unknown): value is Wire {
  if (typeof value !== "object" || value === null) return false;
  const w = value as Partial<Wire>;
  return (
    typeof w.epoch === "string" &&
    typeof w.device === "string" &&
    (typeof w.observed_at === "number" || typeof w.observed_at === "bigint") &&
    (typeof w.n0 === "number" || typeof w.n0 === "bigint") &&
    typeof w.fs === "number" &&
    w.fs > 0 &&
    typeof w.scale === "number" &&
    Array.isArray(w.leads) &&
    w.leads.length > 0 &&
    w.samples instanceof Uint8Array
  );
}

/** int16 little-endian bytes as numbers, whatever the bytes' alignment. */
function int16(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Int16Array(bytes.byteLength >> 1);
  for (let i = 0; i < out.length; i++) out[i] = view.getInt16(2 * i, true);
  return out;
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return decode(bytes);
  } catch (error) {
    throw new FrameError(`not MessagePack: ${String(error)}`);
  }
}

/** Parses one binary message. Throws FrameError for anything that is not a whole, consistent frame. */
export function parseFrame(buffer: ArrayBuffer): WaveFrame {
  const bytes = new Uint8Array(buffer);
  const idLength = bytes[0] ?? 0;
  if (idLength === 0 || bytes.length <= 1 + idLength) throw new FrameError("too short");
  const unit = String.fromCharCode(...bytes.subarray(1, 1 + idLength));
  const wire = unpack(bytes.subarray(1 + idLength));
  if (!isWire(wire)) throw new FrameError("a field is missing or has the wrong type");
  const rowBytes = 2 * wire.leads.length;
  if (wire.samples.byteLength === 0 || wire.samples.byteLength % rowBytes !== 0) {
    throw new FrameError("samples do not divide into the leads");
  }
  return {
    unit,
    epoch: wire.epoch,
    seq: wire.seq,
    device: wire.device,
    observedAt: Number(wire.observed_at),
    backfill: wire.backfill ?? false,
    n0: Number(wire.n0),
    fs: wire.fs,
    leads: wire.leads,
    scale: wire.scale,
    samples: int16(wire.samples),
    n: wire.samples.byteLength / rowBytes,
    filter: wire.filter ?? "",
  };
}
