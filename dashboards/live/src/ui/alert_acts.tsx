/** What a person does about one alert beside taking it: silence it for a while, say whether it helped. */
import { useState } from "preact/hooks";
import * as http from "../feed/http";
import type { AlertDetail, Judgement } from "../feed/types";
import { alertPath, follow } from "../router";
import { may } from "../state/may";
import { catalogue } from "../state/rules";
import { alerts, now } from "../state/store";
import { silences } from "../state/told";
import { isOpen } from "../state/urgency";
import { age, clockTime, dayTime, shortTime, t, tCode } from "../text/text";
import { Refused, useAttempt } from "./attempt";

const MINUTE = 60_000_000; // us
const MINUTES = [15, 30, 60, 120, 240, 480, 1440];
const SHORTEST = 3; // characters of a reason, as the gateway asks

interface Props {
  alert: AlertDetail;
  again: () => void; // reads the alert again
}

function Reason(props: { label: string }) {
  return (
    <label class="reason">
      {props.label}
      <input type="text" name="reason" required minLength={SHORTEST} maxLength={500} autocomplete="off" />
    </label>
  );
}

const reasonOf = (form: FormData): string => String(form.get("reason")).trim();

function SilenceForm({ alert, again }: Props) {
  const [minutes, setMinutes] = useState(30);
  const attempt = useAttempt();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const done = await attempt.run(() => http.silence(alert.id, minutes, reasonOf(form), form.has("every")));
    if (done) again();
  };
  return (
    <form class="act silence" onSubmit={(event) => void submit(event)}>
      <p class="quiet">{t("silence.what")}</p>
      <div class="act-line">
        <label>
          {t("silence.minutes")}{" "}
          <select value={minutes} onChange={(event) => setMinutes(Number(event.currentTarget.value))}>
            {MINUTES.map((n) => (
              <option key={n} value={n}>
                {age(n * MINUTE)}
              </option>
            ))}
          </select>
        </label>
        <Reason label={t("silence.reason")} />
      </div>
      <label class="check">
        <input type="checkbox" name="every" /> {t("silence.every")}
      </label>
      <button type="submit" disabled={attempt.busy}>
        {t("silence.submit", { time: shortTime(now.value + minutes * MINUTE) })}
      </button>
      <Refused attempt={attempt} />
    </form>
  );
}

/** Who silenced it, why, until when. */
function SilenceOn({ alert, again }: Props) {
  const attempt = useAttempt();
  const id = alert.silenced_by as string;
  const silence = silences.value.get(id);
  const end = async (): Promise<void> => {
    if (await attempt.run(() => http.endSilence(id))) again();
  };
  return (
    <div class="act silence on">
      <p>
        <strong>
          {silence
            ? t("silence.on", { who: silence.author, time: dayTime(silence.expires_at) })
            : t("silence.on.unknown")}
        </strong>{" "}
        {silence?.reason}
      </p>
      {may("silence") && (
        <button type="button" disabled={attempt.busy} onClick={() => void end()}>
          {t("silence.end")}
        </button>
      )}
      <Refused attempt={attempt} />
    </div>
  );
}

export function Silencing(props: Props) {
  const { alert } = props;
  if (alert.silenced_by) return <SilenceOn {...props} />;
  const row = catalogue.value.get(alert.rule);
  if (!isOpen(alert) || !alert.unit || !may("silence") || !row) return null;
  if (row.lethal) return <p class="quiet act">{t("silence.lethal")}</p>;
  return (
    <details class="fold">
      <summary>{t("silence.title")}</summary>
      <SilenceForm {...props} />
    </details>
  );
}

export function Inhibited({ by }: { by: string }) {
  const other = alerts.value.get(by);
  return (
    <p class="act inhibited">
      {t("inhibit.by")}
      <a href={alertPath(by)} onClick={follow}>
        {other ? tCode("rule", other.rule) : by}
      </a>
    </p>
  );
}

function Said({ judgement }: { judgement: Judgement }) {
  return (
    <li>
      <strong>{t(judgement.useful ? "judge.useful" : "judge.not-useful")}</strong> {judgement.author}{" "}
      <span class="quiet tabular">{clockTime(judgement.at)}</span> {judgement.reason}
    </li>
  );
}

export function Judging({ alert, again }: Props) {
  const [useful, setUseful] = useState<boolean | null>(null);
  const attempt = useAttempt();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    if (!(await attempt.run(() => http.judge(alert.id, useful === true, reasonOf(new FormData(form)))))) return;
    setUseful(null);
    again();
  };
  return (
    <section class="judging">
      <h2>{t("judge.title")}</h2>
      {may("judge-alerts") && (
        <div class="act-line" role="group">
          {[true, false].map((value) => (
            <button
              type="button"
              key={String(value)}
              aria-pressed={useful === value}
              onClick={() => setUseful(useful === value ? null : value)}
            >
              {t(value ? "judge.useful" : "judge.not-useful")}
            </button>
          ))}
        </div>
      )}
      {useful !== null && (
        <form class="act" onSubmit={(event) => void submit(event)}>
          <Reason label={t("judge.reason")} />
          <button type="submit" class="primary" disabled={attempt.busy}>
            {t("judge.submit")}
          </button>
          <p class="quiet small">{t("judge.hint")}</p>
        </form>
      )}
      <Refused attempt={attempt} />
      <ul class="said">
        {alert.feedback.map((one) => (
          <Said key={one.author} judgement={one} />
        ))}
      </ul>
    </section>
  );
}
