/** What pages about alerts and the roster ask the API for beside the feed. */
import { effect, signal, type Signal } from "@preact/signals";
import * as http from "../feed/http";
import { Refusal } from "../feed/http";
import type { Alert, AlertDetail, Silence } from "../feed/types";
import { repeat } from "./care";
import { alerts, mergeAlert } from "./store";

const LISTED = 200; // of the alerts that are over, the newest

/** Pending or resolved ones: the feed has only what is open. */
export const listed = signal<readonly Alert[]>([]);
export const silences = signal<ReadonlyMap<string, Silence>>(new Map());

/** Asks for the alerts of one state, again and again. */
export function followListed(state: "pending" | "resolved"): () => void {
  listed.value = [];
  return repeat(
    async () => {
      listed.value = await http.getAlerts(state, LISTED);
    },
    state === "pending" ? 2_000 : 10_000,
  );
}

export const followSilences = (): (() => void) =>
  repeat(async () => {
    silences.value = new Map((await http.getSilences()).map((silence) => [silence.id, silence]));
  });

/** One alert in full: null = there is none for this person, undefined = not asked yet. */
export type Followed = AlertDetail | null | undefined;

/** Asks for one alert in full: again and again, and at once when the feed tells of it. */
export function followAlert(id: string, into: Signal<Followed>): () => void {
  let asked = 0;
  const ask = async (): Promise<void> => {
    const mine = ++asked;
    try {
      const detail = await http.getAlert(id);
      if (mine === asked) into.value = detail;
      if (alerts.peek().has(id)) mergeAlert(detail);
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 404) throw error;
      into.value = null;
    }
  };
  const stop = repeat(ask, 5_000);
  let seen = alerts.peek().get(id)?.updated_at;
  const unwatch = effect(() => {
    const at = alerts.value.get(id)?.updated_at;
    if (at !== seen) void ask().catch((error: unknown) => ignoreRefusal(error));
    seen = at;
  });
  return () => {
    asked = Infinity;
    unwatch();
    stop();
  };
}

/** What is asked again in a moment need not be told now. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof Refusal)) throw error;
}
