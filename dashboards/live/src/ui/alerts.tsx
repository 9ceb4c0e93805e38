/** The list of alerts: what is wanted stands in the address, the most urgent first, and nothing moves under a hand. */
import { computed, signal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect } from "preact/hooks";
import type { Alert } from "../feed/types";
import { alertPath, filter, follow, go, query, unitPath } from "../router";
import * as actions from "../state/actions";
import { unread } from "../state/care";
import { fits, STATES_SHOWN, wantedOf } from "../state/filters";
import { entriesOf, foldsOf, type Fold } from "../state/groups";
import { holdOrder } from "../state/held";
import { watched } from "../state/live";
import { nextStep } from "../state/rules";
import { followListed, listed } from "../state/told";
import { alerts, now, openAlerts, received, session, unit } from "../state/store";
import { compareListed, isCalling, isMuted, isOpen, isSounding } from "../state/urgency";
import { clockTime, count, stopwatch, t, tCode } from "../text/text";
import { Acknowledge, numberOf, RefusalNote, RuleLink, subjectOf, WhoIsThere } from "./alert_row";
import { Choice, Tick } from "./choice";
import { PriorityShape } from "./icons";
import { useKeys } from "./keys";
import { Person } from "./marks";

const PRIORITIES = ["high", "medium", "low"] as const;
const wanted = computed(() => wantedOf(query.value));
const asked = computed(() => {
  const { state } = wanted.value;
  return state === "pending" || state === "resolved" ? state : null;
});
const known = computed(() => new Map([...listed.value.map((a) => [a.id, a] as const), ...alerts.value]));
const opened = signal<ReadonlySet<string>>(new Set()); // groups that are unfolded
const chosen = computed(() => {
  const rows = (asked.value ? listed.value : [...alerts.value.values()])
    .filter((alert) => fits(alert, wanted.value, session.value?.username ?? ""))
    .sort(asked.value === "resolved" ? (a, b) => b.raised_at - a.raised_at : compareListed);
  // of one unit, or in the order of time, there is nothing to bring together
  return asked.value || wanted.value.unit ? rows.map((alert) => alert.id) : entriesOf(rows, opened.value);
});
const { order, held, touch, release, pointer } = holdOrder(chosen, true);
const units = computed(() => [...new Set(openAlerts.value.map((alert) => alert.unit))].filter(Boolean).sort());

/** Where a page about one alert goes back to: the list as it was filtered. */
export const listPath = (): string => `/alerts${lastQuery && `?${lastQuery}`}`;
let lastQuery = "";

function nextText(alert: Alert): string {
  if (isMuted(alert) && isCalling(alert)) return t("next.muted");
  const step = nextStep(alert);
  if (step === null || alert.next_step_at == null) return t("next.none");
  const [left, duty] = [alert.next_step_at - now.value, tCode("duty", step.duty)];
  if (left <= 0) return t("next.now", { duty });
  return t(step.reminder ? "next.again" : "next.in", { duty, time: stopwatch(left) });
}

/** Firing, acknowledged ..., and who has it. */
function State({ alert }: { alert: Alert }) {
  const owner = alert.acknowledged_by;
  return (
    <div class="cell state">
      <span class="tag">{t(`state.${alert.state}`)}</span>
      {alert.silenced_by && <span class="tag">{t("state.silenced")}</span>}
      {alert.inhibited_by && <span class="tag">{t("state.inhibited")}</span>}
      <span class="quiet owner">
        {owner !== null && alert.acknowledged_at !== null
          ? `${t("list.owner", { who: owner })} · ${clockTime(alert.acknowledged_at)}`
          : isOpen(alert) && t("list.owner.none")}
      </span>
    </div>
  );
}

function Where({ alert }: { alert: Alert }) {
  const state = unit(alert.unit);
  if (!alert.unit) return <div class="cell where">{t("list.gateway")}</div>;
  return (
    <div class="cell where">
      <a href={unitPath(alert.unit)} onClick={follow}>
        {state?.name ?? alert.unit}
      </a>
      {state?.subject && <Person subject={state.subject} />}
    </div>
  );
}

function What({ alert }: { alert: Alert }) {
  return (
    <div class="cell what">
      <span class="word">{t(`priority.${alert.priority}`)}</span>
      <RuleLink alert={alert} />
      {alert.simulated && <span class="sim">{t("alert.simulated")}</span>}
      {Boolean(alert.reopened) && (
        <span class="tag reopened">{t("list.reopened", { n: alert.reopened as number })}</span>
      )}
    </div>
  );
}

const isUnfolded = ({ lead, rest }: Fold): boolean => rest.length > 0 && opened.value.has(lead.group_key ?? "");

function turnFold(lead: Alert): void {
  const group = lead.group_key ?? "";
  const next = new Set(opened.value);
  if (!next.delete(group)) next.add(group);
  opened.value = next;
  actions.selectedAlert.value = lead.id;
}

/** How many more there are and how grave: a grave one is never only a number. */
function Folded(props: { fold: Fold; keyed: boolean }) {
  const { lead, rest } = props.fold;
  const open = isUnfolded(props.fold);
  const counted = PRIORITIES.map((priority) => [priority, rest.filter((a) => a.priority === priority)] as const);
  return (
    <button
      type="button"
      class="fold"
      aria-expanded={open}
      onClick={(event) => {
        event.stopPropagation();
        turnFold(lead);
      }}
    >
      <span>{t(open ? "list.unfold" : "list.fold", { n: count(rest.length) })}</span>
      {counted.map(
        ([priority, some]) =>
          some.length > 0 && (
            <span key={priority} class="nowrap">
              <PriorityShape priority={priority} calling={some.some(isSounding)} size={16} />{" "}
              {t(`priority.${priority}`)} {count(some.length)}
            </span>
          ),
      )}
      {props.keyed && <kbd>O</kbd>}
    </button>
  );
}

interface ListedProps {
  alert: Alert;
  selected: boolean;
  beneath?: boolean;
  fold?: Fold | undefined; // what is folded beneath it
}

function ListedRow({ alert, selected, beneath = false, fold }: ListedProps) {
  const refusal = actions.refusals.value.get(alert.id);
  const end = alert.resolved_at ?? now.value;
  return (
    <li
      class={`alert listed ${alert.priority} ${alert.state} ${selected ? "selected" : ""} ${isOpen(alert) ? "" : "over"} ${beneath ? "beneath" : ""}`}
      data-alert={alert.id}
      onClick={() => (actions.selectedAlert.value = alert.id)}
    >
      <div class="alert-cells">
        <PriorityShape priority={alert.priority} calling={isSounding(alert)} />
        <What alert={alert} />
        <Where alert={alert} />
        <div class="cell value tabular">
          {alert.value === null ? <span class="quiet">{subjectOf(alert)}</span> : subjectOf({ ...alert, limit: null })}
          {alert.limit !== null && (
            <span class="quiet">{t("list.limit", { limit: numberOf(alert, alert.limit) })}</span>
          )}
        </div>
        <State alert={alert} />
        <div class="cell next tabular">{nextText(alert)}</div>
        <time class="tabular" title={clockTime(alert.raised_at)}>
          {stopwatch(end - alert.raised_at)}
        </time>
        <div class="cell act">
          <Acknowledge alert={alert} keyed={selected} />
        </div>
      </div>
      {fold && <Folded fold={fold} keyed={selected} />}
      {actions.armed.value === alert.id && isCalling(alert) && <p class="again">{t("alert.again")}</p>}
      {actions.asking.value === alert.id && <WhoIsThere alert={alert} />}
      {refusal && <RefusalNote id={alert.id} refusal={refusal} />}
    </li>
  );
}

function Filters() {
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()}>
      <Choice
        name="state"
        label={t("filter.state")}
        all={t("filter.open")}
        values={STATES_SHOWN}
        say={(state) => tCode("state", state)}
      />
      <Choice
        name="priority"
        label={t("filter.priority")}
        all={t("filter.all")}
        values={PRIORITIES}
        say={(priority) => t(`priority.${priority as (typeof PRIORITIES)[number]}`)}
      />
      <Choice
        name="unit"
        label={t("filter.unit")}
        all={t("filter.all")}
        values={[...new Set([...units.value, ...(wanted.value.unit ? [wanted.value.unit] : [])])]}
        say={(id) => unit(id)?.name ?? id}
      />
      <Tick name="mine" label={t("filter.mine")} />
    </form>
  );
}

const clearFilters = (): void => [...query.peek().keys()].forEach((name) => filter(name, ""));

function useListKeys(folds: readonly Fold[]): Alert | undefined {
  const rows = folds.flatMap((fold) => (isUnfolded(fold) ? [fold.lead, ...fold.rest] : [fold.lead]));
  const selected = rows.find((alert) => alert.id === actions.selectedAlert.value);
  const step = (by: number): void => {
    const at = selected ? rows.indexOf(selected) + by : by > 0 ? 0 : -1;
    const next = rows[(at + rows.length) % Math.max(1, rows.length)];
    if (!next) return;
    actions.selectedAlert.value = next.id;
    document.querySelector(`[data-alert="${CSS.escape(next.id)}"]`)?.scrollIntoView({ block: "nearest" });
  };
  useKeys({
    a: () => selected && isCalling(selected) && actions.keyAcknowledge(selected),
    n: () => step(1),
    p: () => step(-1),
    o: () => {
      const fold = folds.find(({ lead, rest }) => selected && (lead === selected || rest.includes(selected)));
      if (fold?.rest.length) turnFold(fold.lead);
    },
    Enter: () => selected && document.activeElement === document.body && go(alertPath(selected.id)),
    Escape: () => {
      if (actions.asking.value !== null) actions.asking.value = null;
      else if (actions.armed.value !== null) actions.armed.value = null;
      else if (query.peek().size) clearFilters();
      else go("/");
    },
  });
  return selected;
}

const HEADS = ["what", "where", "value", "state", "next", "age"] as const;

export function AlertList() {
  const folds = foldsOf(order.value, known.value);
  const selected = useListKeys(folds);
  lastQuery = query.value.toString();
  useEffect(() => {
    watched.value = [];
  }, []);
  useEffect(release, [lastQuery]); // other filters: another list
  useEffect(() => (asked.value ? followListed(asked.value) : undefined), [asked.value]);
  return (
    <main class="alert-list" onKeyDown={touch} onWheel={touch}>
      <div class="list-head">
        <h1>{t("alerts.title")}</h1>
        <span class="quiet">
          {t("list.count", { n: count(folds.reduce((n, { rest }) => n + 1 + rest.length, 0)) })}
        </span>
        {held.value && (
          <span class="held">
            {t("board.held")}{" "}
            <button type="button" onClick={release}>
              {t("board.reorder")}
            </button>
          </span>
        )}
        <Filters />
      </div>
      {asked.value && unread.value && <p role="status">{t("list.unread")}</p>}
      {folds.length === 0 && (
        <p class="quiet none">
          {t(!received.value ? "board.loading" : query.value.size ? "list.nothing" : "alerts.none")}
        </p>
      )}
      {folds.length > 0 && (
        <div class="alert-cells heads quiet" aria-hidden="true">
          {HEADS.map((head) => (
            <span key={head} class={head}>
              {t(`list.head.${head}`)}
            </span>
          ))}
        </div>
      )}
      <ul class="alerts" {...pointer}>
        {folds.map((fold) => (
          <Fragment key={fold.lead.id}>
            <ListedRow alert={fold.lead} selected={fold.lead === selected} fold={fold.rest.length ? fold : undefined} />
            {isUnfolded(fold) &&
              fold.rest.map((alert) => (
                <ListedRow key={alert.id} alert={alert} selected={alert === selected} beneath />
              ))}
          </Fragment>
        ))}
      </ul>
    </main>
  );
}
