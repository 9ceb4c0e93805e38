/** All units, the one that needs me first. */
import { computed, signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Alert } from "../feed/types";
import { go, unitPath } from "../router";
import { keyAcknowledge } from "../state/actions";
import { watched } from "../state/live";
import { holdOrder } from "../state/held";
import { openAlerts, received, unit, unitIds } from "../state/store";
import { compareUnits, isCalling, type Ranked } from "../state/urgency";
import { t } from "../text/text";
import { Card } from "./card";
import { useKeys } from "./keys";

const MAX_STRIPS = 6; // waveforms a board asks for at once

const alertsByUnit = computed(() => {
  const out = new Map<string, Alert[]>();
  for (const alert of openAlerts.value) out.set(alert.unit, [...(out.get(alert.unit) ?? []), alert]);
  return out;
});

const wanted = computed(() =>
  unitIds.value
    .flatMap((id): Ranked[] => {
      const state = unit(id);
      return state?.kind === "ambulance" ? [{ unit: state, alerts: alertsByUnit.value.get(id) ?? [] }] : [];
    })
    .sort(compareUnits)
    .map((item) => item.unit.id),
);

const focused = signal<string | null>(null);
/** The order on screen: what is wanted, unless a hand is at work. */
const { order, held, touch, release, pointer } = holdOrder(wanted);

const stripUnits = computed(() => {
  const urgent = order.value.filter((id) =>
    alertsByUnit.value.get(id)?.some((a) => a.priority === "high" && isCalling(a)),
  );
  const focus = focused.value;
  return [...new Set([...(focus ? [focus] : []), ...urgent])].slice(0, MAX_STRIPS);
});

function focusCard(step: number): void {
  const at = focused.peek() === null ? -1 : order.peek().indexOf(focused.peek() as string);
  const next = order.peek()[(at + step + order.peek().length) % Math.max(1, order.peek().length)];
  if (next) document.querySelector<HTMLElement>(`[data-unit="${CSS.escape(next)}"] .card-link`)?.focus();
}

/** Lets cards glide to a new place instead of jumping. */
function useGlide(ids: readonly string[]) {
  const grid = useRef<HTMLDivElement>(null);
  const places = useRef(new Map<string, DOMRect>());
  useLayoutEffect(() => {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const next = new Map<string, DOMRect>();
    for (const card of grid.current?.querySelectorAll<HTMLElement>("[data-unit]") ?? []) {
      const id = card.dataset.unit as string;
      const rect = card.getBoundingClientRect();
      const old = places.current.get(id);
      next.set(id, rect);
      if (!old || calm || (old.x === rect.x && old.y === rect.y)) continue;
      const from = `translate(${old.x - rect.x}px, ${old.y - rect.y}px)`;
      card.animate([{ transform: from }, { transform: "none" }], { duration: 180, easing: "ease-out" });
    }
    places.current = next;
  }, [ids.join(" ")]);
  return grid;
}

function Empty() {
  return (
    <div class="empty">
      <p class="big">{received.value ? t("board.empty") : t("board.loading")}</p>
      {received.value && <p class="quiet">{t("board.empty.hint")}</p>}
    </div>
  );
}

export function Board() {
  const ids = order.value;
  const grid = useGlide(ids);
  useEffect(() => {
    watched.value = stripUnits.value;
  }, [stripUnits.value.join(" ")]);
  useKeys({
    n: () => focusCard(1),
    p: () => focusCard(-1),
    Enter: () => document.activeElement === document.body && focused.value !== null && go(unitPath(focused.value)),
    a: () => {
      const top = focused.value === null ? undefined : alertsByUnit.value.get(focused.value)?.find(isCalling);
      if (top) keyAcknowledge(top);
    },
  });
  const focusOf = (event: FocusEvent): void => {
    focused.value = (event.target as HTMLElement).closest<HTMLElement>("[data-unit]")?.dataset.unit ?? null;
  };
  return (
    <main class="board" onKeyDown={touch} onWheel={touch} onFocusCapture={focusOf}>
      <div class="board-head">
        <h1>{t("board.title")}</h1>
        <span class="quiet">{t("board.count", { n: ids.length })}</span>
        {held.value && (
          <span class="held">
            {t("board.held")}{" "}
            <button type="button" onClick={release}>
              {t("board.reorder")}
            </button>
          </span>
        )}
      </div>
      {ids.length === 0 ? (
        <Empty />
      ) : (
        <div class="grid" ref={grid} {...pointer}>
          {ids.map((id) => (
            <Card key={id} id={id} alerts={alertsByUnit.value.get(id) ?? []} strip={stripUnits.value.includes(id)} />
          ))}
        </div>
      )}
    </main>
  );
}
