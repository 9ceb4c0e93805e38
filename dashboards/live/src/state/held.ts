/** A list on screen whose rows do not move while a hand is at work on it. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { local } from "./store";
import { heldOrder } from "./urgency";

const HANDS_OFF = 5_000_000; // us after the last touch before rows may move
const POINTER_RESTS = 30_000_000; // us a still pointer over the list keeps them in place

export interface Held {
  order: ReadonlySignal<readonly string[]>;
  /** Something else is wanted than what is shown. */
  held: ReadonlySignal<boolean>;
  touch: () => void;
  release: () => void;
  /** For the list's element. */
  pointer: {
    onPointerMove: () => void;
    onPointerDown: () => void;
    onPointerEnter: () => void;
    onPointerLeave: () => void;
  };
}

/** `keepGone`: what is gone keeps its place too, until the hand is off. */
export function holdOrder(wanted: ReadonlySignal<readonly string[]>, keepGone = false): Held {
  const touchedAt = signal(-Infinity);
  const over = signal(false);
  let shown: readonly string[] = [];
  const order = computed(() => {
    const quiet = local.value - touchedAt.value > (over.value ? POINTER_RESTS : HANDS_OFF);
    const next = wanted.value;
    shown = quiet ? next : heldOrder(shown, keepGone ? [...new Set([...shown, ...next])] : next);
    return shown;
  });
  const touch = (): void => void (touchedAt.value = local.peek());
  return {
    order,
    held: computed(
      () => order.value.length !== wanted.value.length || order.value.some((id, i) => wanted.value[i] !== id),
    ),
    touch,
    release: () => void (touchedAt.value = -Infinity),
    pointer: {
      onPointerMove: touch,
      onPointerDown: touch,
      onPointerEnter: () => void (over.value = true),
      onPointerLeave: () => void (over.value = false),
    },
  };
}
