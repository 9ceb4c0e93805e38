import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app";
import { backoff } from "./feed/backoff";
import { Refusal } from "./feed/http";
import { startSound } from "./sound/player";
import { loadAbout, loadSession } from "./state/actions";
import { startLive } from "./state/live";
import { startRules } from "./state/rules";
import { language, theme } from "./state/prefs";
import { t } from "./text/text";
import "./style.css";

const OLDEST_CHROMIUM = 109;

/** Major version of the Chromium this runs in; null for another browser. */
function chromium(): number | null {
  const found = /Chrom(?:e|ium)\/(\d+)/.exec(navigator.userAgent);
  return found ? Number(found[1]) : null;
}

/** Asks who is signed in until the gateway answers. */
function ask(attempt: number): void {
  Promise.all([loadAbout(), loadSession()]).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    setTimeout(() => ask(attempt + 1), backoff(attempt, Math.random()));
  });
}

function start(): void {
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
    document.title = t("app.name");
  });
  const root = document.getElementById("app") as HTMLElement;
  root.replaceChildren();
  startLive();
  startRules();
  startSound();
  render(<App />, root);
  ask(0);
}

// An older Chromium keeps the sentence that index.html holds instead of a broken page.
if ((chromium() ?? OLDEST_CHROMIUM) >= OLDEST_CHROMIUM) start();
