/** Texts, times and numbers in the language of this screen. Components call these and hold no text. */
import { language, type Language } from "../state/prefs";
import { catalogue } from "../state/rules";
import { CATALOGUE, type TextKey } from "./catalogue";

export type Filling = Readonly<Record<string, string | number>>;

/** The text of a key with its places filled. */
export function textIn(lang: Language, key: TextKey, filling: Filling = {}): string {
  return CATALOGUE[key][lang === "zh" ? 0 : 1].replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in filling ? String(filling[name]) : whole,
  );
}

export const t = (key: TextKey, filling?: Filling): string => textIn(language.value, key, filling);

type Prefix =
  | "rule" | "event" | "kind" | "q" | "refused" | "service" | "mode" | "part" | "state" | "duty" | "means" | "setting"
  | "zone" | "no-ecg" | "reserve" | "task"
  | "delivery" | "why-told" | "move" | "population" | "caution" | "check" | "st-group" | "st-because" | "fact" | "code" | "unworded"; // prettier-ignore

/** The text of `prefix.code`, or of `prefix.other` (which names the code) when there is none yet. */
export function tCode(prefix: Prefix, code: string): string {
  const key = `${prefix}.${code}`;
  if (key in CATALOGUE) return t(key as TextKey);
  const told = prefix === "rule" ? catalogue.value.get(code) : undefined; // an alert younger than this page
  if (told) return told[language.value];
  const other = `${prefix}.other`;
  return other in CATALOGUE ? t(other as TextKey, { code }) : code;
}

const locale = (): string => (language.value === "zh" ? "zh-CN" : "en-GB");

/** Formatters are costly to make; one a language and kind is kept. */
const formats = new Map<string, Intl.DateTimeFormat>();
function timeFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale() + JSON.stringify(options);
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.DateTimeFormat(locale(), options)));
  return format;
}

/** 14:32:05, local time of this screen. */
export const clockTime = (at: number): string =>
  timeFormat({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(at / 1000);
/** 14:32 */
export const shortTime = (at: number): string =>
  timeFormat({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at / 1000);

/** A duration in its largest whole unit. */
export function age(us: number): string {
  const s = Math.max(0, Math.floor(us / 1e6));
  if (s < 100) return t("age.s", { n: s });
  if (s < 100 * 60) return t("age.m", { n: Math.floor(s / 60) });
  if (s < 48 * 3600) return t("age.h", { n: Math.floor(s / 3600) });
  return t("age.d", { n: Math.floor(s / 86400) });
}

/** 00:48, 12:05, 1:02:33: how long something has been waiting. */
export function stopwatch(us: number): string {
  const s = Math.max(0, Math.floor(us / 1e6));
  const two = (n: number): string => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return `${h > 0 ? `${h}:` : ""}${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

export const count = (n: number): string => n.toLocaleString(locale());
export const fixed = (value: number, decimals: number): string => value.toFixed(decimals);

/** 22 Nov 14:32, or 11月22日 14:32 */
export const dayTime = (at: number): string =>
  timeFormat({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(
    at / 1000,
  );

/** 22 Nov 14:32 – 20:00: the day is said again only when it is another. */
export function spanTime(from: number, to: number): string {
  const day = (at: number): string => new Date(at / 1000).toDateString();
  return `${dayTime(from)} – ${day(from) === day(to) ? shortTime(to) : dayTime(to)}`;
}
