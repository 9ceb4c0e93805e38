/** Alarm signals after IEC 60601-1-8: pulses of a burst and how often it repeats. Pure; times in seconds. */
import type { Priority } from "../feed/types";

export interface Pulse {
  at: number;
  length: number;
  hz: number;
}
export interface Burst {
  pulses: readonly Pulse[];
  repeat: number;
}

/** Gaps between pulses; the pulse itself is counted from its start. */
function pulses(starts: readonly number[], length: number, hz: number): Pulse[] {
  return starts.map((at) => ({ at, length, hz }));
}

const FIVE = [0, 0.25, 0.5, 0.95, 1.2]; // 3 + 2

export const BURSTS: Record<Priority, Burst> = {
  high: { pulses: pulses([...FIVE, ...FIVE.map((s) => s + 2)], 0.15, 660), repeat: 8 },
  medium: { pulses: pulses([0, 0.4, 0.8], 0.2, 523), repeat: 15 },
  low: { pulses: pulses([0, 0.4], 0.2, 440), repeat: 30 },
};

/** Whether a burst of this priority is due: at once when it is new or more urgent, else after its repeat time. */
export function due(priority: Priority, last: { priority: Priority; at: number } | null, at: number): boolean {
  return last === null || last.priority !== priority || at - last.at >= BURSTS[priority].repeat;
}
