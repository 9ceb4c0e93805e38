/** Whom an alert tells, step by step, and what became of each message; and everything that happened to it. */
import type { AlertDetail, Delivery, HistoryLine, Ladder, LadderStep, Notification } from "../feed/types";
import { now } from "../state/store";
import { isCalling, isMuted } from "../state/urgency";
import { age, clockTime, stopwatch, t, tCode } from "../text/text";

const SECOND = 1_000_000;

/** "dr.li", "every nurse", "every screen" */
function recipientText(recipient: string): string {
  if (recipient === "*") return t("detail.told.everybody");
  if (recipient.startsWith("role:")) return t("detail.told.role", { role: tCode("duty", recipient.slice(5)) });
  return recipient;
}

function Told({ delivery }: { delivery: Delivery }) {
  const { state, attempts, sent_at, last_error } = delivery;
  const parts = [
    recipientText(delivery.recipient),
    delivery.channel || t("detail.told.no-channel"),
    tCode("delivery", state) + (state === "sent" && sent_at !== null ? ` ${clockTime(sent_at)}` : ""),
    attempts > 1 ? t("detail.told.tries", { n: attempts }) : "",
    state === "sent" ? "" : (last_error ?? ""),
  ];
  return (
    <li class={`delivery ${state}`}>
      <span>{parts.filter(Boolean).join(" · ")}</span>
    </li>
  );
}

function Notices({ notices }: { notices: readonly Notification[] }) {
  return (
    <>
      {notices.map((notice) => (
        <div class="told" key={notice.id}>
          <span class="quiet tabular">
            {clockTime(notice.at)} · {tCode("why-told", notice.reason)}
            {" · "}
            {notice.recipients.length ? notice.recipients.join(", ") : t("detail.told.nobody")}
          </span>
          <ul>
            {notice.deliveries.map((delivery) => (
              <Told key={`${delivery.recipient} ${delivery.channel}`} delivery={delivery} />
            ))}
          </ul>
        </div>
      ))}
    </>
  );
}

export const stepText = (step: LadderStep): string =>
  [tCode("duty", step.duty), tCode("means", step.means), step.whole_site && t("detail.step.all")]
    .filter(Boolean)
    .join(" · ");

export const delayText = (delay: number): string =>
  delay === 0 ? t("detail.step.at-once") : t("detail.step.at", { age: age(delay * SECOND) });

/** Contacts have no account: that nobody of them is "on duty" is no news. */
const CONTACTS: ReadonlySet<string> = new Set(["crew", "patient", "family", "second-contact"]);

function standing(alert: AlertDetail, index: number): { class: string; text: string } {
  const taken = alert.step ?? 0;
  if (index < taken) return { class: "done", text: t("detail.step.done") };
  if (!isCalling(alert)) return { class: "stopped", text: t("detail.step.stopped") };
  if (isMuted(alert)) return { class: "stopped", text: t("detail.step.muted") };
  if (index > taken || alert.next_step_at == null) return { class: "later", text: "" };
  const left = alert.next_step_at - now.value;
  return {
    class: "next",
    text: left > 0 ? t("detail.step.next", { time: stopwatch(left) }) : t("detail.step.now"),
  };
}

function Step(props: { alert: AlertDetail; step: LadderStep; index: number; last: boolean }) {
  const { alert, step, index, last } = props;
  const stands = standing(alert, index);
  const told = alert.notifications
    .filter((notice) => notice.step === index || (last && notice.step > index))
    .map((notice) => (CONTACTS.has(step.duty) ? { ...notice, recipients: [tCode("duty", step.duty)] } : notice));
  return (
    <li class={`step ${stands.class}`}>
      <div class="step-line">
        <i class="step-sign" aria-hidden="true" />
        <span class="quiet">{delayText(step.delay)}</span>
        <strong>{stepText(step)}</strong>
        <span class="tabular step-state">{stands.text}</span>
      </div>
      <Notices notices={told} />
    </li>
  );
}

export function Climb({ alert }: { alert: AlertDetail }) {
  const ladder: Ladder | null = alert.climbs;
  if (!ladder) return <p class="quiet">{t("detail.ladder.none")}</p>;
  const over = (alert.step ?? 0) >= ladder.steps.length && alert.next_step_at != null && isCalling(alert);
  return (
    <ol class="ladder">
      {ladder.steps.map((step, i) => (
        <Step key={i} alert={alert} step={step} index={i} last={i === ladder.steps.length - 1} />
      ))}
      <li class="quiet remind">
        {t("detail.ladder.remind", { age: age(ladder.remind * SECOND) })}
        {over && (
          <span class="tabular">
            {" "}
            · {t("detail.step.next", { time: stopwatch((alert.next_step_at as number) - now.value) })}
          </span>
        )}
      </li>
    </ol>
  );
}

/** What a line of the history says beside its name. */
function more(line: HistoryLine): string {
  const { details } = line;
  if (line.event !== "notify") return typeof details.why === "string" ? details.why : "";
  const recipients = Array.isArray(details.recipients) ? (details.recipients as string[]).join(", ") : "";
  return [
    tCode("duty", String(details.role)),
    tCode("means", String(details.means)),
    tCode("why-told", String(details.reason)),
    recipients,
  ]
    .filter(Boolean)
    .join(" · ");
}

export function History({ lines }: { lines: readonly HistoryLine[] }) {
  return (
    <ol class="history">
      {lines.map((line, i) => (
        <li key={i} class={line.event}>
          <time class="tabular quiet">{clockTime(line.at)}</time>
          <span>
            <strong>{tCode("move", line.event)}</strong> {line.actor ?? ""} <span class="quiet">{more(line)}</span>
          </span>
        </li>
      ))}
    </ol>
  );
}
