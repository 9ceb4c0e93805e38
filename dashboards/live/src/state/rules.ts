/** What the gateway says once about its alerts: the catalogue's rows and the ladders. */
import { computed, effect, signal } from "@preact/signals";
import { backoff } from "../feed/backoff";
import * as http from "../feed/http";
import { Refusal } from "../feed/http";
import type { Alert, CatalogueRow, Ladder, Ladders } from "../feed/types";
import { session } from "./store";

export const catalogue = signal<ReadonlyMap<string, CatalogueRow>>(new Map());
export const ladders = signal<Ladders>({ ladders: [], hours: [] });
const byName = computed(() => new Map(ladders.value.ladders.map((ladder) => [ladder.name, ladder])));

export interface NextStep {
  duty: string; // whom it will ask
  reminder: boolean; // the last step was taken: it is asked again
}

/** What happens at the alert's `next_step_at`; null when nobody will be asked. */
export function nextStep(alert: Alert): NextStep | null {
  const ladder: Ladder | undefined = byName.value.get(alert.ladder ?? "");
  if (!ladder || alert.next_step_at == null) return null;
  const taken = alert.step ?? 0;
  const step = ladder.steps[Math.min(taken, ladder.steps.length - 1)];
  return step ? { duty: step.duty, reminder: taken >= ladder.steps.length } : null;
}

async function load(attempt: number): Promise<void> {
  try {
    const [rows, all] = await Promise.all([http.getCatalogue(), http.getLadders()]);
    catalogue.value = new Map(rows.map((row) => [row.code, row]));
    ladders.value = all;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 0 || error.status >= 500)
      setTimeout(() => again(attempt + 1), backoff(attempt, Math.random()));
  }
}

function again(attempt: number): void {
  if (session.peek()) void load(attempt);
}

/** Asks after each signing in. */
export function startRules(): void {
  effect(() => {
    if (session.value && !session.value.password_change_required) void load(0);
  });
}
