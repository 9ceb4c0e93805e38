/** Folding readings into the latest value of each quantity. Pure. */
import type { ByDevice, Latest, Observations } from "../feed/types";

/** Readings the gateway computed stand beside the device's own under this name, so they never fight for one place. */
export const derivedKey = (quantity: string): string => `${quantity}~derived`;

const keyOf = (quantity: string, derived: boolean): string => (derived ? derivedKey(quantity) : quantity);

/** The newer of two: an older reading (late, backfilled, repeated) never replaces what is shown. */
function newer(old: Latest | undefined, next: Latest): Latest {
  return old !== undefined && old.at > next.at ? old : next;
}

export function withObservations(latest: Record<string, Latest>, message: Observations): Record<string, Latest> {
  const out = { ...latest };
  for (const [quantity, value] of Object.entries(message.values)) {
    const key = keyOf(quantity, message.derived);
    const { at, received_at, device, derived } = message;
    out[key] = newer(out[key], { value, at, received_at, device, derived });
  }
  return out;
}

/** The same, kept by device: two devices of a unit may measure the same. */
export function withDevice(known: ByDevice, message: Observations): ByDevice {
  if (message.derived) return known;
  const { at, received_at, device, derived } = message;
  const out: Record<string, Latest> = { ...known[device] };
  for (const [quantity, value] of Object.entries(message.values))
    out[quantity] = newer(out[quantity], { value, at, received_at, device, derived });
  return { ...known, [device]: out };
}

/** Joins what the gateway knows by device with what this page knows to be newer. */
export function withDevices(known: ByDevice, state: ByDevice): ByDevice {
  const out: Record<string, Readonly<Record<string, Latest>>> = { ...known };
  for (const [device, values] of Object.entries(state)) {
    const joined: Record<string, Latest> = { ...known[device] };
    for (const [quantity, value] of Object.entries(values)) joined[quantity] = newer(joined[quantity], value);
    out[device] = joined;
  }
  return out;
}

/** Joins a unit's state from the gateway with what this page already knows to be newer. */
export function withLatest(known: Record<string, Latest>, state: Record<string, Latest>): Record<string, Latest> {
  const out = { ...known };
  for (const [quantity, value] of Object.entries(state)) {
    const key = keyOf(quantity, value.derived);
    out[key] = newer(out[key], value);
  }
  return out;
}
