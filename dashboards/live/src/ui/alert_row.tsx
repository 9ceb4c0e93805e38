/** One alert: the same row on cards, in the unit view and in the list. */
import { useState } from "preact/hooks";
import { Refusal } from "../feed/http";
import type { Alert } from "../feed/types";
import { QUANTITIES, type QuantityName } from "../quantities";
import * as actions from "../state/actions";
import { about, now, session, unit } from "../state/store";
import { isCalling } from "../state/urgency";
import type { TextKey } from "../text/catalogue";
import { clockTime, fixed, stopwatch, t, tCode } from "../text/text";
import { PriorityShape } from "./icons";
import { follow, unitPath } from "../router";

/** "HR 152 /min (limit 130)", or "" when the alert is about no number. */
function figures(alert: Alert): string {
  if (alert.quantity === null || alert.value === null) return "";
  const known = alert.quantity in QUANTITIES;
  const row = known ? QUANTITIES[alert.quantity as QuantityName] : { shown: "", decimals: 1 };
  const name = tCode("q", alert.quantity);
  const value = `${name} ${fixed(alert.value, row.decimals)} ${row.shown}`;
  return alert.limit === null ? value : t("alert.value", { value, limit: fixed(alert.limit, row.decimals) });
}

/** What a silence is about: its quantity or its device. */
function about_(alert: Alert): string {
  if (alert.value !== null) return figures(alert);
  const quantity = alert.quantity === null ? "" : tCode("q", alert.quantity);
  const part = alert.subject?.startsWith("device/") ? alert.subject.split("/").slice(3).join("/") : "";
  return [quantity, alert.device, part && tCode("part", part)].filter(Boolean).join(" · ");
}

function refusalText(refusal: Refusal): string {
  const known = [0, 403, 404, 409].includes(refusal.status);
  return t(known ? (`refusal.${refusal.status}` as TextKey) : "refusal.other");
}

function RefusalNote(props: { id: string; refusal: Refusal }) {
  const { status, reason, detail } = props.refusal;
  return (
    <div class="refusal" role="alert">
      <span>
        <strong>{t("alert.refused")}</strong> {refusalText(props.refusal)}
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
function WhoIsThere(props: { alert: Alert }) {
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

function Acknowledge(props: { alert: Alert; keyed: boolean }) {
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

function status(alert: Alert): string {
  if (alert.state === "latched") return t("alert.latched");
  if (alert.acknowledged_at === null || alert.state !== "acknowledged") return "";
  return t("alert.acked", { who: alert.acknowledged_by ?? "", time: clockTime(alert.acknowledged_at) });
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
        <PriorityShape priority={alert.priority} calling={isCalling(alert)} />
        <div class="alert-text">
          <div class="alert-what">
            <span class="word">{t(`priority.${alert.priority}`)}</span>
            {named && (
              <a href={unitPath(alert.unit)} onClick={follow}>
                {name}
              </a>
            )}
            <strong>{tCode("rule", alert.rule)}</strong>
            {alert.simulated && <span class="sim">{t("alert.simulated")}</span>}
          </div>
          <div class="alert-more quiet">
            {[about_(alert), says].filter(Boolean).join(" · ")}
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
