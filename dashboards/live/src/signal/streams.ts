/** The streams of every unit this screen has asked the waveforms of. */
import type { WaveFrame } from "../feed/frame";
import { ECG_LEADS_12, isEcgLead } from "../quantities";
import { Stream } from "./stream";

/** A stream not heard for this many seconds gives way to another of the same kind. */
const QUIET = 30;

const units = new Map<string, Map<string, Stream>>();

export function pushFrame(frame: WaveFrame, local: number): void {
  let streams = units.get(frame.unit);
  if (streams === undefined) units.set(frame.unit, (streams = new Map()));
  const key = `${frame.device} ${frame.fs}`;
  let stream = streams.get(key);
  if (stream === undefined) streams.set(key, (stream = new Stream(frame.device, frame.fs)));
  stream.push(frame, local);
}

/** Forgets the streams of units that are no longer watched. */
export function keepOnly(wanted: ReadonlySet<string>): void {
  for (const unit of units.keys()) if (!wanted.has(unit)) units.delete(unit);
}

/** The unit's stream that carries a lead satisfying the test: fresh before quiet, then the one with more such leads. */
export function findStream(unit: string, wanted: (lead: string) => boolean, local: number): Stream | null {
  let best: Stream | null = null;
  let bestScore = 0;
  for (const stream of units.get(unit)?.values() ?? []) {
    const leads = [...stream.tracks.keys()].filter(wanted).length;
    const score = leads === 0 ? 0 : leads + (local - stream.heardAt < QUIET ? 100 : 0);
    if (score > bestScore) [best, bestScore] = [stream, score];
  }
  return best;
}

export const ecgStream = (unit: string, local: number): Stream | null => findStream(unit, isEcgLead, local);

/** ECG leads a stream has, in the order of a 12-lead sheet. */
export function ecgLeads(stream: Stream): string[] {
  const order = (lead: string): number => (ECG_LEADS_12 as readonly string[]).indexOf(lead) + 1 || 99;
  return [...stream.tracks.keys()].filter(isEcgLead).sort((a, b) => order(a) - order(b));
}

/** The lead for a single strip: II where there is one. */
export const rhythmLead = (leads: readonly string[]): string | undefined =>
  ["II", "MLII"].find((lead) => leads.includes(lead)) ?? leads[0];
