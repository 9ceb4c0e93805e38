/** What this screen remembers: language, theme, sound, paper. */
import { effect, signal, type Signal } from "@preact/signals";
import type { Layout } from "../signal/sheet";

export type Language = "zh" | "en";
export type Theme = "dark" | "light";

/** A signal kept in local storage; a value that is not allowed any more falls back to the default. */
function remembered<T extends string | number | boolean>(
  name: string,
  fallback: T,
  allowed: (value: unknown) => boolean,
): Signal<T> {
  const key = `lastmile.${name}`;
  const stored = parse(localStorage.getItem(key));
  const out = signal<T>(allowed(stored) ? (stored as T) : fallback);
  effect(() => localStorage.setItem(key, JSON.stringify(out.value)));
  return out;
}

function parse(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined; // somebody else's text under our name
  }
}

const oneOf =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);

export const SPEEDS = [12.5, 25, 50] as const;
export const GAINS = [5, 10, 20] as const;
export const DEFAULT_PX_PER_MM = 3.78;

export const language = remembered<Language>("language", "zh", oneOf("zh", "en"));
export const theme = remembered<Theme>("theme", "dark", oneOf("dark", "light"));
export const soundWanted = remembered<boolean>("sound", true, oneOf(true, false));
export const speed = remembered<number>("speed", 25, oneOf(...SPEEDS));
export const gain = remembered<number>("gain", 10, oneOf(...GAINS));
export const layout = remembered<Layout | "auto">("layout", "auto", oneOf("auto", "3x4", "6x2", "12x1"));
export const pxPerMm = remembered<number>(
  "px-per-mm",
  DEFAULT_PX_PER_MM,
  (v) => typeof v === "number" && v >= 2 && v <= 12,
);
