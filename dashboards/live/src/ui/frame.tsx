/** What surrounds every page: top bar, link bar, sound banner, footer. */
import type { Priority } from "../feed/types";
import { follow, page, type Page } from "../router";
import { allowSound, burstsPlayed, soundAllowed } from "../sound/player";
import { signOut } from "../state/actions";
import { language, soundWanted, theme } from "../state/prefs";
import { canary, link, now, openAlerts, session, unit } from "../state/store";
import type { LinkState } from "../state/staleness";
import { isCalling } from "../state/urgency";
import { age, clockTime, t } from "../text/text";
import type { TextKey } from "../text/catalogue";
import { Exit, Moon, PriorityShape, SoundOff, SoundOn, Sun } from "./icons";

const PRIORITIES: readonly Priority[] = ["high", "medium", "low"];

function Counts() {
  const calling = openAlerts.value.filter(isCalling);
  return (
    <div class="counts" role="group" aria-label={t("top.counts")}>
      {PRIORITIES.map((priority) => {
        const n = calling.filter((alert) => alert.priority === priority).length;
        return (
          <span key={priority} class={n === 0 ? "count none" : "count"} title={t(`priority.${priority}`)}>
            <PriorityShape priority={priority} calling={false} size={18} />
            <span class="word">{t(`priority.${priority}`)}</span>
            <b class="tabular">{n}</b>
          </span>
        );
      })}
    </div>
  );
}

export function LanguageButton() {
  return (
    <button
      type="button"
      class="language"
      title={t("top.language.title")}
      onClick={() => (language.value = language.value === "zh" ? "en" : "zh")}
    >
      {t("top.language")}
    </button>
  );
}

export function ThemeButton() {
  const other = theme.value === "dark" ? "light" : "dark";
  const name = t(`top.theme.${other}`);
  return (
    <button type="button" class="plain" title={name} aria-label={name} onClick={() => (theme.value = other)}>
      {other === "light" ? <Sun /> : <Moon />}
    </button>
  );
}

function SoundButton() {
  const on = soundAllowed.value && soundWanted.value;
  const name = t(on ? "top.sound.on" : "top.sound.off");
  const press = (): void => {
    if (on) soundWanted.value = false;
    else void allowSound();
  };
  return (
    <button
      type="button"
      class="plain"
      title={name}
      aria-label={name}
      aria-pressed={on}
      data-bursts={burstsPlayed.value}
      onClick={press}
    >
      {on ? <SoundOn /> : <SoundOff />}
    </button>
  );
}

/** How old the newest record is that went through the whole path: what tells that silence is not blindness. */
function Canary() {
  const state = canary.value;
  if (state.is === "unknown") return <span class="canary" />;
  const text =
    state.is === "none" || state.is === "missing"
      ? t(`canary.${state.is}`)
      : t(state.is === "late" ? "canary.late" : "canary.age", { age: age(state.age) });
  return (
    <span
      class={`canary ${state.is} tabular`}
      data-canary={state.is}
      title={t(state.is === "none" ? "canary.none.title" : "canary.title")}
    >
      {text}
    </span>
  );
}

function Tab(props: { href: string; here: boolean; text: TextKey }) {
  return (
    <a href={props.href} onClick={follow} aria-current={props.here ? "page" : undefined}>
      {t(props.text)}
    </a>
  );
}

/** The tab a page belongs to. */
function home(shown: Page): Page["at"] {
  if (shown.at === "alert") return "alerts";
  if (shown.at !== "unit") return shown.at;
  const kind = unit(shown.unit)?.kind ?? "ambulance";
  return kind === "ambulance" ? "board" : kind === "homecare-bed" || kind === "health-kiosk" ? "ward" : "fleet";
}

export function TopBar() {
  const at = home(page.value);
  return (
    <header class="top">
      <strong class="brand">{t("app.name")}</strong>
      <nav aria-label={t("top.menu")}>
        <Tab href="/" here={at === "board"} text="tab.board" />
        <Tab href="/ward" here={at === "ward"} text="tab.ward" />
        <Tab href="/fleet" here={at === "fleet"} text="tab.fleet" />
        <Tab href="/alerts" here={at === "alerts"} text="tab.alerts" />
        <Tab href="/roster" here={at === "roster"} text="tab.roster" />
      </nav>
      <span class={`link-dot ${link.value.is}`}>{t(`link.short.${link.value.is}`)}</span>
      <Canary />
      <time class="clock tabular">{clockTime(now.value)}</time>
      <Counts />
      <span class="spring" />
      <span class="user quiet">{session.value?.username}</span>
      <LanguageButton />
      <ThemeButton />
      <SoundButton />
      <button
        type="button"
        class="plain"
        title={t("top.signout")}
        aria-label={t("top.signout")}
        onClick={() => void signOut()}
      >
        <Exit />
      </button>
    </header>
  );
}

function linkText(state: LinkState): string {
  switch (state.is) {
    case "connecting":
      return t("link.connecting");
    case "live":
      return t("link.live", { ms: Math.max(0, Math.round(state.latency / 1000)) });
    case "catching-up":
      return t("link.catching-up", { age: age(state.behind) });
    case "stale":
      return t("link.stale", { time: clockTime(state.since) });
  }
}

export function LinkBar() {
  const state = link.value;
  return (
    <div
      class={`link-bar ${state.is}`}
      role="status"
      aria-live={state.is === "live" ? "off" : "polite"}
      data-link={state.is}
    >
      <i class="link-sign" aria-hidden="true" />
      <span class="tabular">{linkText(state)}</span>
      {session.value?.demo && <span class="demo-mark">{t("demo.mark")}</span>}
    </div>
  );
}

/** Until somebody has pressed once, this screen cannot sound; muted, it says so. */
export function SoundBanner() {
  if (soundAllowed.value && soundWanted.value) return null;
  const muted = !soundWanted.value;
  return (
    <div class="sound-banner" role="status">
      <SoundOff />
      <span>{t(muted ? "sound.muted" : "sound.banner")}</span>
      <button type="button" class="primary" onClick={() => void allowSound()}>
        {t("sound.enable")}
      </button>
    </div>
  );
}

const KEYS: Record<Page["at"], readonly (readonly [string, TextKey])[]> = {
  board: [["A", "key.ack"], ["N", "key.next"], ["Enter", "key.open"]],
  ward: [["A", "key.ack"], ["N", "key.next"], ["Enter", "key.open"]],
  fleet: [["/", "key.search"], ["Esc", "key.back"]],
  alerts: [
    ["A", "key.ack"], ["N", "key.next"], ["P", "key.prev"], ["O", "key.fold"], ["Enter", "key.details"],
    ["Esc", "key.back"],
  ],
  alert: [["A", "key.ack"], ["Esc", "key.back"]],
  roster: [["Esc", "key.back"]],
  unit: [
    ["A", "key.ack"], ["N", "key.next"], ["F", "key.freeze"], ["L", "key.layout"], ["S", "key.speed"],
    ["G", "key.gain"], ["W", "key.full"], ["Esc", "key.back"],
  ],
}; // prettier-ignore

export function Footer() {
  return (
    <footer class="foot">
      <span>{t("app.footer")}</span>
      <span class="keys" aria-label={t("app.keys")}>
        {KEYS[page.value.at].map(([key, text]) => (
          <span key={key}>
            <kbd>{key}</kbd> {t(text)}
          </span>
        ))}
      </span>
    </footer>
  );
}
