/** What screens ask the API for beside the feed: devices, sessions of kiosks, how beds stand. */
import { signal } from "@preact/signals";
import * as http from "../feed/http";
import { Refusal } from "../feed/http";
import type { Device, Sitting } from "../feed/types";
import { localUs } from "../time";
import { keepCare, keepState, mergeCommand, now, session, STATES } from "./store";

const EVERY = 10_000; // ms
const LOOK_BACK = 7 * 24 * 3600 * 1_000_000; // us in which a bed has told how it stands: all the gateway answers at once
const SESSIONS_SHOWN = 5;

export const devices = signal<readonly Device[]>([]);
/** The last question had no answer: what is shown may be old. */
export const unread = signal(false);
export const sittings = signal<ReadonlyMap<string, readonly Sitting[]>>(new Map());

/** Asks, again and again while a page is shown; returns what stops it. */
export function repeat(ask: () => Promise<void>, every = EVERY): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const round = async (): Promise<void> => {
    try {
      await ask();
      unread.value = false;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) session.value = null;
      unread.value = true;
    }
    if (!over) timer = setTimeout(() => void round(), every);
  };
  void round();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

export const followDevices = (): (() => void) =>
  repeat(async () => {
    devices.value = await http.getDevices();
  });

/** Each kiosk for itself: one that cannot be asked becomes unknown, the others go on. */
export const followSittings = (units: readonly string[]): (() => void) =>
  repeat(async () => {
    const asked = await Promise.allSettled(units.map((id) => http.getSessions(id, SESSIONS_SHOWN)));
    sittings.value = new Map(
      asked.flatMap((answer, i) => (answer.status === "fulfilled" ? [[units[i] as string, answer.value]] : [])),
    );
    const failed = asked.find((answer) => answer.status === "rejected");
    if (failed) throw failed.reason;
  });

/** How a bed stood before this page was opened, and what was last commanded there. */
export async function recall(unit: string): Promise<void> {
  const to = now.peek() || localUs();
  const [happened, commanded, care] = await Promise.all([
    http.getEvents(unit, STATES, to - LOOK_BACK, to),
    http.getCommands(unit),
    http.getPressureCare(unit),
  ]);
  keepCare(unit, care);
  for (const event of happened) keepState({ ...event, type: "event", id: 0, unit });
  for (const command of commanded.reverse()) mergeCommand(command);
}
