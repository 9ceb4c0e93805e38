/** Setting one care plan, or another in place of the one that counts. */
import * as http from "../feed/http";
import type { CarePlan, PlanContent } from "../feed/types";
import { now } from "../state/store";
import type { TextKey } from "../text/catalogue";
import { t, tCode } from "../text/text";
import { Refused, useAttempt } from "./attempt";

const DAY = 24 * 3600 * 1_000_000; // us
const AWAITED = ["bp-systolic", "glucose", "weight", "peak-flow", "spo2"] as const;
const USUAL_DAYS = 90;

interface Props {
  person: string;
  kind: PlanContent["kind"];
  replaces: CarePlan | undefined;
  saved: () => void;
  close: () => void;
}

interface FieldProps {
  name: string;
  value: number | null | undefined;
  low: number;
  high: number;
  required?: boolean;
}

function NumberField({ name, value, low, high, required }: FieldProps) {
  return (
    <label>
      {t(`plan.${name}` as TextKey)}
      <input
        type="number"
        name={name}
        min={low}
        max={high}
        step="any"
        required={required}
        defaultValue={value == null ? "" : String(value)}
      />
    </label>
  );
}

function Fields({ kind, of }: { kind: PlanContent["kind"]; of: PlanContent | undefined }) {
  switch (kind) {
    case "rehab": {
      const plan = of?.kind === "rehab" ? of : undefined;
      return (
        <>
          <NumberField name="resting" value={plan?.resting} low={30} high={150} required />
          <label>
            {t("plan.early")}
            <select name="early" defaultValue={plan?.early ?? ""}>
              <option value="">{t("plan.early.none")}</option>
              <option value="infarction">{t("plan.early.infarction")}</option>
              <option value="surgery">{t("plan.early.surgery")}</option>
            </select>
          </label>
          <NumberField name="maximum" value={plan?.maximum} low={60} high={240} />
          <NumberField name="ischaemic_threshold" value={plan?.ischaemic_threshold} low={60} high={240} />
          <label class="check">
            <input type="checkbox" name="beta_blocker" defaultChecked={plan?.beta_blocker} /> {t("plan.beta_blocker")}
          </label>
        </>
      );
    }
    case "peak-flow": {
      const plan = of?.kind === "peak-flow" ? of : undefined;
      return <NumberField name="personal_best" value={plan?.personal_best} low={50} high={1000} required />;
    }
    case "uploads": {
      const plan = of?.kind === "uploads" ? of : undefined;
      const hours = (minutes: number | undefined, usual: number): number => (minutes ?? usual * 60) / 60;
      return (
        <>
          <NumberField name="every_hours" value={hours(plan?.every_minutes, 24)} low={1} high={744} required />
          <NumberField name="grace_hours" value={hours(plan?.grace_minutes, 2)} low={0} high={168} required />
          <label>
            {t("plan.quantity")}
            <select name="quantity" defaultValue={plan?.quantity ?? ""}>
              <option value="">{t("plan.quantity.any")}</option>
              {AWAITED.map((name) => (
                <option key={name} value={name}>
                  {tCode("q", name)}
                </option>
              ))}
            </select>
          </label>
        </>
      );
    }
  }
}

/** What was entered, as the gateway takes it. */
function contentOf(kind: PlanContent["kind"], form: FormData): PlanContent {
  const text = (name: string): string | null => String(form.get(name) ?? "").trim() || null;
  const number = (name: string): number | null => (text(name) === null ? null : Number(text(name)));
  switch (kind) {
    case "rehab":
      return {
        kind,
        resting: number("resting") ?? 0,
        maximum: number("maximum"),
        early: text("early") as "infarction" | "surgery" | null,
        ischaemic_threshold: number("ischaemic_threshold"),
        beta_blocker: form.has("beta_blocker"),
      };
    case "peak-flow":
      return { kind, personal_best: number("personal_best") ?? 0 };
    case "uploads":
      return {
        kind,
        every_minutes: Math.round((number("every_hours") ?? 0) * 60),
        grace_minutes: Math.round((number("grace_hours") ?? 0) * 60),
        quantity: text("quantity"),
      };
  }
}

export function PlanForm({ person, kind, replaces, saved, close }: Props) {
  const attempt = useAttempt();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const wanted = {
      plan: contentOf(kind, form),
      reason: String(form.get("reason")).trim(),
      expires_at: Math.round(now.peek()) + Number(form.get("days")) * DAY,
      replaces: replaces?.id ?? null,
    };
    if (await attempt.run(() => http.setPlan(person, wanted))) saved();
  };
  return (
    <form
      class="order plan-form"
      onSubmit={(event) => void submit(event)}
      onKeyDown={(event) => event.key === "Escape" && (event.stopPropagation(), close())}
    >
      <Fields kind={kind} of={replaces?.plan} />
      <label>
        {t("plan.reason")}
        <input type="text" name="reason" required minLength={3} maxLength={500} autocomplete="off" />
      </label>
      <label>
        {t("plan.days")}
        <input type="number" name="days" required min={1} max={366} step={1} defaultValue={String(USUAL_DAYS)} />
      </label>
      <div class="order-keys">
        <button type="submit" class="primary" disabled={attempt.busy}>
          {t("plan.save")}
        </button>
        <button type="button" onClick={close}>
          {t("plan.cancel")}
        </button>
      </div>
      <Refused attempt={attempt} />
    </form>
  );
}
