/** Plays alarm bursts while somebody must be called. The browser allows sound only after a press. */
import { effect, signal } from "@preact/signals";
import { soundWanted } from "../state/prefs";
import { local, openAlerts } from "../state/store";
import { isSounding } from "../state/urgency";
import { BURSTS, due, type Pulse } from "./bursts";
import type { Priority } from "../feed/types";

export const soundAllowed = signal(false);
/** Since when an alert would make no sound here, local ms; null = it would. */
export const silentSince = signal<number | null>(Date.now());
/** Bursts begun since the page was opened, for whoever wants to know that it sounds. */
export const burstsPlayed = signal(0);

let context: AudioContext | null = null;
let wave: PeriodicWave | null = null;
let last: { priority: Priority; at: number } | null = null;

/** Must be called from a press. */
export async function allowSound(): Promise<void> {
  context ??= new AudioContext();
  await context.resume();
  // A fundamental with four harmonics: easier to locate than a pure tone.
  wave ??= context.createPeriodicWave(new Float32Array(6), new Float32Array([0, 1, 0.6, 0.4, 0.3, 0.2]));
  soundAllowed.value = true;
  soundWanted.value = true;
}

function play(at: number, pulse: Pulse): void {
  if (!context || !wave) return;
  const tone = new OscillatorNode(context, { frequency: pulse.hz });
  tone.setPeriodicWave(wave);
  const volume = new GainNode(context, { gain: 0 });
  const [start, stop] = [at + pulse.at, at + pulse.at + pulse.length];
  volume.gain.setValueAtTime(0, start);
  volume.gain.linearRampToValueAtTime(0.25, start + 0.02);
  volume.gain.setValueAtTime(0.25, stop - 0.02);
  volume.gain.linearRampToValueAtTime(0, stop);
  tone.connect(volume).connect(context.destination);
  tone.start(start);
  tone.stop(stop);
}

function sound(priority: Priority): void {
  if (!context || !due(priority, last, context.currentTime)) return;
  last = { priority, at: context.currentTime };
  burstsPlayed.value++;
  for (const pulse of BURSTS[priority].pulses) play(context.currentTime + 0.05, pulse);
}

/** The most urgent alert that nobody has taken or silenced sounds, again and again. */
export function startSound(): void {
  effect(() => {
    const sounds = soundAllowed.value && soundWanted.value;
    silentSince.value = sounds ? null : (silentSince.peek() ?? Date.now());
  });
  effect(() => {
    void local.value; // asks again four times a second
    const calling = openAlerts.value.find(isSounding);
    if (!calling) last = null;
    else if (soundAllowed.value && soundWanted.value) sound(calling.priority);
  });
}
