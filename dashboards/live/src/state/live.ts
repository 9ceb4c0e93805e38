/** Joins the feed to the store and says which waveforms this screen wants. */
import { computed, effect, signal } from "@preact/signals";
import { Feed } from "../feed/socket";
import { page } from "../router";
import { silentSince } from "../sound/player";
import { keepOnly } from "../signal/streams";
import { loadSession } from "./actions";
import { alive, flush, fold, foldFrame, linkLost, session } from "./store";

const FLUSH_EVERY = 100; // ms

/** Units whose waveforms the shown page draws. */
export const watched = signal<readonly string[]>([]);

/** People do not sit at it: they wait to be called. */
const isBoard = computed(() => page.value.at === "board" || page.value.at === "ward");

async function allowed(): Promise<boolean> {
  try {
    return await loadSession();
  } catch {
    return true; // no answer is not a refusal: keep trying
  }
}

const feed = new Feed({
  message(message) {
    alive();
    fold(message);
  },
  frame(buffer) {
    alive();
    foldFrame(buffer);
  },
  lost: linkLost,
  allowed,
});

/** Starts with the page and runs as long as it. */
export function startLive(): void {
  setInterval(flush, FLUSH_EVERY);
  effect(() => {
    if (session.value && !session.value.password_change_required) feed.start();
    else feed.stop();
  });
  effect(() => {
    keepOnly(new Set(watched.value));
    feed.watch(watched.value);
  });
  effect(() => feed.sound(isBoard.value, silentSince.value));
}
