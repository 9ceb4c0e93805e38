/** Entering a shift: who answers for what, where, from when to when. */
import { useState } from "preact/hooks";
import { addShift } from "../feed/http";
import type { Site } from "../feed/types";
import { DUTIES } from "../state/roster";
import { unit, unitIds } from "../state/store";
import { t, tCode } from "../text/text";
import { localUs } from "../time";
import { Refused, useAttempt } from "./attempt";

const HOUR = 3_600_000; // ms
const LONGEST = 36 * HOUR;

/** What a field of date and time holds: this screen's own time. */
function local(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The present hour, and eight later. */
function proposal(): { start: string; end: string } {
  const hour = Math.floor(localUs() / 1000 / HOUR) * HOUR;
  return { start: local(hour), end: local(hour + 8 * HOUR) };
}

interface Props {
  sites: readonly Site[];
  added: () => Promise<void>;
}

function Select(props: { name: string; label: string; values: readonly (readonly [string, string])[]; none?: string }) {
  return (
    <label>
      {props.label}
      <select name={props.name}>
        {props.none !== undefined && <option value="">{props.none}</option>}
        {props.values.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export function NewShiftForm({ sites, added }: Props) {
  const [site, setSite] = useState("");
  const [order, setOrder] = useState(false);
  const [times] = useState(proposal);
  const attempt = useAttempt();
  const chosen = sites.some((one) => one.id === site) ? site : (sites[0]?.id ?? "");
  const units = unitIds.value.filter((id) => unit(id)?.site === chosen).sort();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const element = event.currentTarget as HTMLFormElement;
    const form = new FormData(element);
    const [from, to] = [Date.parse(String(form.get("from"))), Date.parse(String(form.get("to")))];
    setOrder(!(from < to && to - from <= LONGEST));
    if (!(from < to && to - from <= LONGEST)) return;
    const shift = {
      account: String(form.get("account")).trim(),
      duty: String(form.get("duty")),
      site: chosen,
      unit: String(form.get("unit")) || null,
      start_at: from * 1000,
      end_at: to * 1000,
    };
    if (!(await attempt.run(() => addShift(shift)))) return;
    (element.elements.namedItem("account") as HTMLInputElement).value = "";
    await attempt.run(added);
  };
  return (
    <form class="new-shift" onSubmit={(event) => void submit(event)} aria-label={t("roster.add")}>
      <label>
        {t("roster.account")}
        <input type="text" name="account" required maxLength={64} autocomplete="off" />
      </label>
      <Select name="duty" label={t("roster.duty")} values={DUTIES.map((duty) => [duty, tCode("duty", duty)])} />
      <label>
        {t("roster.site")}
        <select value={chosen} onChange={(event) => setSite(event.currentTarget.value)}>
          {sites.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name || one.id}
            </option>
          ))}
        </select>
      </label>
      <Select
        name="unit"
        label={t("roster.unit")}
        values={units.map((id) => [id, unit(id)?.name ?? id])}
        none={t("roster.whole-site")}
      />
      <label class="moment-field">
        {t("roster.from")}
        <input type="datetime-local" name="from" required defaultValue={times.start} />
      </label>
      <label class="moment-field">
        {t("roster.to")}
        <input type="datetime-local" name="to" required defaultValue={times.end} />
      </label>
      <button type="submit" class="primary" disabled={attempt.busy}>
        {t("roster.add.submit")}
      </button>
      {order && <p role="alert">{t("roster.add.order")}</p>}
      <Refused attempt={attempt} />
    </form>
  );
}
