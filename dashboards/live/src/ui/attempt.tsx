/** One thing somebody tries to do: busy while it runs, and in words why it did not work. */
import { useState } from "preact/hooks";
import { Refusal } from "../feed/http";
import { session } from "../state/store";
import type { TextKey } from "../text/catalogue";
import { t } from "../text/text";

const KNOWN = [0, 403, 404, 409, 422];

export function refusedText(refusal: Refusal): string {
  const what = t(KNOWN.includes(refusal.status) ? (`refused.act.${refusal.status}` as TextKey) : "refused.act.other");
  return refusal.detail && refusal.status !== 0 ? `${what} (${refusal.detail})` : what;
}

export interface Attempt {
  busy: boolean;
  refused: Refusal | null;
  /** True when it was done. */
  run: (act: () => Promise<unknown>) => Promise<boolean>;
}

export function useAttempt(): Attempt {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Refusal | null>(null);
  const run = async (act: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setRefused(null);
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) session.value = null;
      else setRefused(error);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, refused, run };
}

export function Refused({ attempt }: { attempt: Attempt }) {
  if (attempt.refused === null) return null;
  return (
    <p class="refused" role="alert">
      {refusedText(attempt.refused)}
    </p>
  );
}
