/** One alert in full: what made it, the signal, what happened, whom it told, and what can be done about it. */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { AlertDetail } from "../feed/types";
import { follow, go, unitPath } from "../router";
import * as actions from "../state/actions";
import { unread } from "../state/care";
import { watched } from "../state/live";
import { followAlert, followSilences, type Followed } from "../state/told";
import { alerts, now, unit } from "../state/store";
import { isCalling, isOpen, isSounding } from "../state/urgency";
import { dayTime, stopwatch, t, tCode } from "../text/text";
import { Acknowledge, measuredOf, RefusalNote, WhoIsThere } from "./alert_row";
import { Inhibited, Judging, Silencing } from "./alert_acts";
import { listPath } from "./alerts";
import { Climb, History } from "./escalation";
import { Evidence, Raw, StReading, taskOf } from "./evidence";
import { Back, PriorityShape } from "./icons";
import { useKeys } from "./keys";
import { Person } from "./marks";
import { BesideEarlier } from "./serial_ecg";
import { StretchOfSignal } from "./stretch";

function Head({ alert }: { alert: AlertDetail }) {
  const state = unit(alert.unit);
  const refusal = actions.refusals.value.get(alert.id);
  const taken = alert.acknowledged_by !== null && alert.acknowledged_at !== null;
  return (
    <header class={`alert-head ${alert.priority}`} data-alert={alert.id}>
      <div class="head-line">
        <a class="back" href={listPath()} onClick={follow} aria-label={t("unit.back")}>
          <Back /> <kbd>Esc</kbd>
        </a>
        <PriorityShape priority={alert.priority} calling={isSounding(alert)} size={40} />
        <div class="head-text">
          <h1>
            <span class="word">{t(`priority.${alert.priority}`)}</span> {tCode("rule", alert.rule)}
          </h1>
          <p>
            {alert.unit ? (
              <a href={unitPath(alert.unit)} onClick={follow}>
                {state?.name ?? alert.unit}
              </a>
            ) : (
              t("list.gateway")
            )}{" "}
            {state?.subject && <Person subject={state.subject} />}{" "}
            {alert.simulated && <span class="sim">{t("alert.simulated")}</span>}
          </p>
        </div>
        <strong class="measured tabular">{measuredOf(alert) || taskOf(alert.explanation)}</strong>
        <div class="head-state">
          <span class="tag">{t(`state.${alert.state}`)}</span>
          {Boolean(alert.reopened) && <span class="tag">{t("list.reopened", { n: alert.reopened as number })}</span>}
          <span class="quiet tabular">
            {dayTime(alert.raised_at)} · {stopwatch((alert.resolved_at ?? now.value) - alert.raised_at)}
          </span>
          <span class="owner">
            {taken
              ? t("alert.acked", {
                  who: alert.acknowledged_by as string,
                  time: dayTime(alert.acknowledged_at as number),
                })
              : isOpen(alert) && t("list.owner.none")}
          </span>
        </div>
        <Acknowledge alert={alert} keyed />
      </div>
      {actions.armed.value === alert.id && isCalling(alert) && <p class="again">{t("alert.again")}</p>}
      {actions.asking.value === alert.id && <WhoIsThere alert={alert} />}
      {refusal && <RefusalNote id={alert.id} refusal={refusal} />}
      <p class="notice">{t("detail.notice")}</p>
    </header>
  );
}

/** The alert as it is now: what the feed has said since it was read comes first. */
function useAlert(id: string) {
  const read = useSignal<Followed>(undefined);
  const round = useSignal(0);
  useEffect(() => followAlert(id, read), [id, round.value]);
  const detail = read.value?.id === id || read.value === null ? read.value : undefined;
  const live = alerts.value.get(id);
  const newer = detail && live && live.updated_at >= detail.updated_at;
  const alert = newer ? { ...detail, ...live } : detail;
  return { alert, again: () => void round.value++ };
}

function Body({ alert, again }: { alert: AlertDetail; again: () => void }) {
  const why = useMemo(() => alert.explanation, [JSON.stringify(alert.explanation)]);
  return (
    <div class="alert-body">
      <div class="alert-main" tabIndex={0}>
        <section class="signal-box">
          <h2>{t("detail.signal")}</h2>
          <StretchOfSignal alert={alert} why={why} />
        </section>
        <BesideEarlier unit={alert.unit} why={why} />
        <section>
          <h2>{t("detail.why")}</h2>
          <Evidence alert={alert} why={why} />
          <Raw why={why} />
        </section>
      </div>
      <div class="alert-side" tabIndex={0}>
        <StReading why={why} />
        <section>
          <h2>{t("detail.ladder")}</h2>
          <Climb alert={alert} />
        </section>
        {alert.inhibited_by && isOpen(alert) && <Inhibited by={alert.inhibited_by} />}
        <Silencing alert={alert} again={again} />
        <Judging alert={alert} again={again} />
        <section>
          <h2>{t("detail.history")}</h2>
          <History lines={alert.history} />
        </section>
      </div>
    </div>
  );
}

export function AlertPage(props: { id: string }) {
  const { alert, again } = useAlert(props.id);
  useEffect(() => {
    watched.value = [];
  }, []);
  useEffect(followSilences, [alert?.silenced_by]); // a new one is asked for at once
  useKeys({
    a: () => alert && isCalling(alert) && actions.keyAcknowledge(alert),
    Escape: () => {
      if (actions.asking.value !== null) actions.asking.value = null;
      else if (actions.armed.value !== null) actions.armed.value = null;
      else go(listPath());
    },
  });
  if (!alert) {
    return (
      <main class="empty">
        <p class="big">{t(alert === null ? "detail.missing" : unread.value ? "list.unread" : "detail.loading")}</p>
      </main>
    );
  }
  return (
    <main class="alert-page">
      <Head alert={alert} />
      {unread.value && <p role="status">{t("list.unread")}</p>}
      <Body alert={alert} again={again} />
    </main>
  );
}
