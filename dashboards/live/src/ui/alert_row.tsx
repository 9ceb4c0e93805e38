/** One alert: the same row on cards, in the unit view and in the list. */
import { useState } from "preact/hooks";
import { Refusal } from "../feed/http";
import type { Alert } from "../feed/types";
import * as actions from "../state/actions";
import { alerts, about, now, session, unit } from "../state/store";
import { isCalling, isSounding } from "../state/urgency";
import type { TextKey } from "../text/catalogue";
import { clockTime, fixed, stopwatch, t, tCode } from "../text/text";
import { PriorityShape } from "./icons";
import { rowOf } from "./values";
import { alertPath, follow, unitPath } from "../router";

/** A number of the alert's quantity, as people write it. */
export const numberOf = (alert: Alert, value: number): string => fixed(value, rowOf(alert.quantity ?? "").decimals);

/** "HR 152 /min", or "" when the alert is about no number. */
export function measuredOf(alert: Alert): string {
  if (alert.quantity === null || alert.value === null) return "";
  return `${tCode("q", alert.quantity)} ${numberOf(alert, alert.value)} ${rowOf(alert.quantity).shown}`.trim();
}

/** "HR 152 /min (limit 130)" */
function figures(alert: Alert): string {
  const value = measuredOf(alert);
  return value === "" || alert.limit === null
    ? value
    : t("alert.value", { value, limit: numberOf(alert, alert.limit) });
}

/** What of a subject nothing else says: whose board is mute, which tag has left. */
const NAMED = /^(?:board|unit\/[^/]+\/tag)\/(.+)$/;

/** A home that falls silent is telephoned: an alert in a list carries no task, its rule and place say it. */
const taskOf = (alert: Alert): string =>
  alert.rule === "link-lost" && unit(alert.unit)?.kind === "homecare-bed" ? t("task.call-home") : "";

/** What it is about: its number, or its quantity and device. */
export function subjectOf(alert: Alert): string {
  if (alert.value !== null) return figures(alert);
  const quantity = alert.quantity === null ? "" : tCode("q", alert.quantity);
  const part = alert.subject?.startsWith("device/") ? alert.subject.split("/").slice(3).join("/") : "";
  const named = NAMED.exec(alert.subject ?? "")?.[1];
  return [quantity, alert.device, part && tCode("part", part), named, taskOf(alert)].filter(Boolean).join(" · ");
}

function refusalText(refusal: Refusal, alert?: Alert): string {
  if (refusal.status === 409 && alert?.acknowledged_by && alert.acknowledged_at !== null)
    return t("refusal.taken", { who: alert.acknowledged_by, time: clockTime(alert.acknowledged_at) });
  const known = [0, 403, 404, 409].includes(refusal.status);
  return t(known ? (`refusal.${refusal.status}` as TextKey) : "refusal.other");
}

export function RefusalNote(props: { id: string; refusal: Refusal }) {
  const { status, reason, detail } = props.refusal;
  return (
    <div class="refusal" role="alert">
      <span>
        <strong>{t("alert.refused")}</strong> {refusalText(props.refusal, alerts.value.get(props.id))}
        {detail && status !== 0 && <span class="quiet"> ({detail})</span>}
        {!detail && reason && <span class="quiet"> ({reason})</span>}
      </span>
      <button type="button" onClick={() => actions.dismissRefusal(props.id)}>
        {t("alert.dismiss")}
      </button>
    </div>
  );
}

/** Asks for the password before a high alert is acknowledged by somebody not seen for five minutes. */
export function WhoIsThere(props: { alert: Alert }) {
  const [wrong, setWrong] = useState<string | null>(null);
  const demo = about.value?.demo_login;
  const username = session.value?.username ?? "";
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const password = new FormData(event.currentTarget as HTMLFormElement).get("password");
    actions.identifyAndAcknowledge(props.alert, String(password)).catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      setWrong(error.status === 401 ? t("known.wrong") : refusalText(error));
    });
  };
  return (
    <form class="who" onSubmit={submit}>
      <label>
        {t("known.title", { who: username })}
        <input
          type="password"
          name="password"
          required
          autoFocus
          autocomplete="current-password"
          defaultValue={demo?.username === username ? demo.password : ""}
        />
      </label>
      {wrong && <p role="alert">{wrong}</p>}
      <button type="submit" class="primary">
        {t("known.submit")}
      </button>
      <button type="button" onClick={() => (actions.asking.value = null)}>
        {t("known.cancel")}
      </button>
    </form>
  );
}

export function Acknowledge(props: { alert: Alert; keyed: boolean }) {
  const { alert } = props;
  const busy = actions.sending.value.has(String(alert.id));
  if (!isCalling(alert)) return null;
  return (
    <button type="button" class="ack" disabled={busy} onClick={() => actions.pressAcknowledge(alert)}>
      {busy ? t("alert.sending") : t("alert.ack.short")}
      {props.keyed && <kbd>A</kbd>}
    </button>
  );
}

/** "" while it fires and nobody has done anything about it. */
function status(alert: Alert): string {
  if (alert.silenced_by) return t("state.silenced");
  if (alert.inhibited_by) return t("state.inhibited");
  if (alert.state === "latched") return t("alert.latched");
  if (alert.acknowledged_at === null || alert.state !== "acknowledged") return "";
  return t("alert.acked", { who: alert.acknowledged_by ?? "", time: clockTime(alert.acknowledged_at) });
}

/** The rule in words; leads to all that is known of the alert. */
export function RuleLink({ alert }: { alert: Alert }) {
  const rule = tCode("rule", alert.rule);
  if (alert.state === "pending") return <strong class="rule">{rule}</strong>; // nothing of it is stored yet
  return (
    <a class="rule" href={alertPath(alert.id)} onClick={follow} title={t("detail.open", { rule })}>
      {rule}
    </a>
  );
}

interface RowProps {
  alert: Alert;
  keyed?: boolean; // key A acts on this row
  named?: boolean; // say which unit
}

export function AlertRow({ alert, keyed = false, named = false }: RowProps) {
  const id = String(alert.id);
  const refusal = actions.refusals.value.get(id);
  const selected = actions.selectedAlert.value === id;
  const name = unit(alert.unit)?.name ?? alert.unit;
  const says = status(alert);
  return (
    <li
      class={`alert ${alert.priority} ${alert.state} ${selected ? "selected" : ""}`}
      data-alert={id}
      onClick={() => (actions.selectedAlert.value = id)}
    >
      <div class="alert-line">
        <PriorityShape priority={alert.priority} calling={isSounding(alert)} />
        <div class="alert-text">
          <div class="alert-what">
            <span class="word">{t(`priority.${alert.priority}`)}</span>
            {named && (
              <a href={unitPath(alert.unit)} onClick={follow}>
                {name}
              </a>
            )}
            <RuleLink alert={alert} />
            {alert.simulated && <span class="sim">{t("alert.simulated")}</span>}
          </div>
          <div class="alert-more quiet">
            {[subjectOf(alert), says].filter(Boolean).join(" · ")}
            {actions.armed.value === id && isCalling(alert) && <strong class="again">{t("alert.again")}</strong>}
          </div>
        </div>
        <time class="tabular" title={clockTime(alert.raised_at)}>
          {stopwatch(now.value - alert.raised_at)}
        </time>
        <Acknowledge alert={alert} keyed={keyed} />
      </div>
      {actions.asking.value === id && <WhoIsThere alert={alert} />}
      {refusal && <RefusalNote id={id} refusal={refusal} />}
    </li>
  );
}
