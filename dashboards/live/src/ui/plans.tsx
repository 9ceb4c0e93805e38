/** A person's care plans: what counts, who said so and until when; set, changed and ended by doctors and nurses. */
import { useEffect, useRef, useState } from "preact/hooks";
import * as http from "../feed/http";
import { Refusal } from "../feed/http";
import type { CarePlan } from "../feed/types";
import { may } from "../state/may";
import { now } from "../state/store";
import type { TextKey } from "../text/catalogue";
import { age, dayTime, fixed, t, tCode } from "../text/text";
import { Refused, useAttempt } from "./attempt";
import { PlanForm } from "./plan_form";
import { because } from "./wordings";

export const KINDS = ["rehab", "peak-flow", "uploads"] as const;
const MINUTE = 60_000_000; // us

/** The plan in one line. */
function says({ plan }: CarePlan): string {
  switch (plan.kind) {
    case "rehab":
      return t("plan.says.rehab", { resting: fixed(plan.resting, 0) });
    case "peak-flow":
      return t("plan.says.peak-flow", { best: fixed(plan.personal_best, 0) });
    case "uploads":
      return t("plan.says.uploads", {
        every: age(plan.every_minutes * MINUTE),
        grace: age(plan.grace_minutes * MINUTE),
        what: plan.quantity === null ? t("plan.quantity.any") : tCode("q", plan.quantity),
      });
  }
}

function InForce({ plan, again, change }: { plan: CarePlan; again: () => void; change: () => void }) {
  const [sure, setSure] = useState(false);
  const attempt = useAttempt();
  const end = async (): Promise<void> => {
    if (await attempt.run(() => http.endPlan(plan.person, plan.id))) again();
  };
  return (
    <>
      <p>
        <b class="tabular">{says(plan)}</b>{" "}
        {Object.entries(plan.limits).map(([code, limit]) => (
          <span key={code} class="quiet small tabular">
            {tCode("rule", code)} {fixed(limit, 0)}{" "}
          </span>
        ))}
      </p>
      {plan.refused !== null && (
        <p class="warn">{t("plan.refused", { why: because(plan.refused, plan.population) })}</p>
      )}
      <p class="quiet small">
        {t("plan.by", { who: plan.set_by, time: dayTime(plan.set_at), until: dayTime(plan.expires_at) })} ·{" "}
        {plan.reason}
      </p>
      {sure ? (
        <p class="order-keys">
          <span>{t("plan.end.sure")}</span>
          <button type="button" class="primary" disabled={attempt.busy} onClick={() => void end()}>
            {t("plan.end.yes")}
          </button>
          <button type="button" onClick={() => setSure(false)}>
            {t("plan.cancel")}
          </button>
        </p>
      ) : (
        <>
          <button type="button" class="plan-set" onClick={change}>
            {t("plan.change")}
          </button>
          <button type="button" class="plan-end" onClick={() => setSure(true)}>
            {t("plan.end")}
          </button>
        </>
      )}
      <Refused attempt={attempt} />
    </>
  );
}

interface KindProps {
  person: string;
  kind: (typeof KINDS)[number];
  plan: CarePlan | undefined;
  again: () => void;
}

function OneKind({ person, kind, plan, again }: KindProps) {
  const [editing, edit] = useState(false);
  const done = (): void => {
    edit(false);
    again();
  };
  return (
    <section class="plan" data-plan={kind}>
      <h3>{t(`plan.${kind}` as TextKey)}</h3>
      {editing ? (
        <PlanForm person={person} kind={kind} replaces={plan} saved={done} close={() => edit(false)} />
      ) : plan ? (
        <InForce key={plan.id} plan={plan} again={again} change={() => edit(true)} />
      ) : (
        <button type="button" class="plan-set" onClick={() => edit(true)}>
          {t("plan.set")}
        </button>
      )}
    </section>
  );
}

/** Of the person a unit speaks for; nobody else's business than that of whoever may set them. */
export function CarePlans({ person }: { person: string }) {
  const [plans, setPlans] = useState<readonly CarePlan[] | null>(null);
  const [unread, setUnread] = useState(false);
  const mine = may("set-limits");
  const shown = useRef(true); // an answer that comes when somebody else is shown is theirs no more
  const read = async (): Promise<void> => {
    try {
      const found = await http.getPlans(person);
      if (!shown.current) return;
      setPlans(found);
      setUnread(false);
    } catch (error) {
      if (!shown.current) return;
      if (!(error instanceof Refusal)) throw error;
      setUnread(true);
    }
  };
  useEffect(() => {
    setPlans(null);
    shown.current = true;
    if (mine) void read();
    return () => {
      shown.current = false;
    };
  }, [person, mine]);
  if (!mine) return null;
  const inForce = plans?.filter((one) => one.expires_at > now.value);
  return (
    <details class="care-plans">
      <summary>
        {t("plan.title")} <span class="quiet">{inForce?.length ?? ""}</span>
      </summary>
      {unread && <p role="status">{t("plan.unread")}</p>}
      {inForce &&
        KINDS.map((kind) => (
          <OneKind
            key={kind}
            person={person}
            kind={kind}
            plan={inForce.find((one) => one.plan.kind === kind)}
            again={() => void read()}
          />
        ))}
    </details>
  );
}
