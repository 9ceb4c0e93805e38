/** The last half hour of one unit: what the crew reported and what alerted. */
import type { ComponentChildren } from "preact";
import { events, local, now, openAlerts } from "../state/store";
import { isCalling } from "../state/urgency";
import { clockTime, shortTime, t, tCode } from "../text/text";
import { PriorityShape } from "./icons";

const SPAN = 30 * 60 * 1_000_000; // us
const TICK = 5 * 60 * 1_000_000;

function At(props: { at: number; to: number; class: string; children: ComponentChildren }) {
  const share = 1 - (props.to - props.at) / SPAN;
  if (share < 0) return null;
  const side = share > 0.6 ? "right-half" : "";
  return (
    <li class={`${props.class} ${side}`} style={{ left: `${Math.min(1, share) * 100}%` }}>
      {props.children}
    </li>
  );
}

export function Timeline(props: { unit: string }) {
  void local.value;
  const to = now.value;
  const mine = events.value.filter((event) => event.unit === props.unit);
  const alerts = openAlerts.value.filter((alert) => alert.unit === props.unit);
  const ticks: number[] = [];
  for (let at = Math.ceil((to - SPAN) / TICK) * TICK; at <= to; at += TICK) ticks.push(at);
  return (
    <section class="timeline" aria-label={t("unit.timeline")}>
      <h2>{t("unit.timeline")}</h2>
      {mine.length === 0 && <p class="quiet">{t("unit.timeline.none")}</p>}
      <ol class="track">
        {ticks.map((at) => (
          <At key={at} at={at} to={to} class="tick">
            {shortTime(at)}
          </At>
        ))}
        {alerts.map((alert) => (
          <At key={String(alert.id)} at={alert.raised_at} to={to} class="raised">
            <PriorityShape priority={alert.priority} calling={isCalling(alert)} size={16} />
          </At>
        ))}
        {mine.map((event, i) => (
          <At key={`${event.at} ${event.name}`} at={event.at} to={to} class={`happened level-${i % 2}`}>
            <span>{tCode("event", event.name)}</span> <time class="quiet tabular">{clockTime(event.at)}</time>
          </At>
        ))}
      </ol>
    </section>
  );
}
