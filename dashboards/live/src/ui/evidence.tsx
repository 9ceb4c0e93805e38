/** What made an alert, in words and numbers; every line only where the gateway told it. */
import type { ComponentChildren } from "preact";
import type { Alert, Details } from "../feed/types";
import { catalogue } from "../state/rules";
import { age, clockTime, dayTime, fixed, t, tCode } from "../text/text";
import { numberOf } from "./alert_row";
import { rowOf } from "./values";

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);
const number = (value: unknown): number | null => (typeof value === "number" ? value : null);
const list = (value: unknown): readonly Details[] => (Array.isArray(value) ? (value as Details[]) : []);
const words = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : "");

function Fact(props: { name: string; children: ComponentChildren }) {
  if (props.children === null || props.children === "" || props.children === false) return null;
  return (
    <div data-fact={props.name}>
      <dt>{tCode("fact", props.name)}</dt>
      <dd class="tabular">{props.children}</dd>
    </div>
  );
}

const span = (us: number | null): string | null => (us === null ? null : us === 0 ? t("fact.for.each") : age(us));

function valueText(alert: Alert, value: number | null): string | null {
  if (value === null || alert.quantity === null) return null;
  return `${tCode("q", alert.quantity)} ${numberOf(alert, value)} ${rowOf(alert.quantity).shown}`.trim();
}

function windowText(why: Details): string | null {
  const [from, to] = [number(why.from), number(why.to)];
  return from && to ? `${clockTime(from)} – ${clockTime(to)} (${age(to - from)})` : null;
}

function partsText(why: Details): string | null {
  const parts = list(why.parts).flatMap((part) => {
    const quantity = text(part.quantity);
    return quantity === null ? [] : [`${tCode("q", quantity)} (${t("list.limit", { limit: String(part.limit) })})`];
  });
  return parts.length ? parts.join(" + ") : null;
}

function populationText(why: Details): string | null {
  const population = text(why.population);
  if (population === null) return null;
  const assumed = why.assumed === true ? ` · ${t("fact.assumed")}` : "";
  return tCode("population", population) + assumed;
}

/** What somebody is asked to do, beside the alert itself. */
export const taskOf = (why: Details): string | null => {
  const task = text(why.task);
  return task && tCode("task", task);
};

/** Numbers of a detector that have a name here; all others stand in what is stored. */
const MEASURED = { missed: "", rate: "/min", beats: "", seconds: "s", entropy: "", "p-wave": "" } as const;

function Clocks({ alert, why }: { alert: Alert; why: Details }) {
  const since = number(why.since);
  const deadline = number(why.deadline);
  return (
    <>
      <Fact name="window">{windowText(why)}</Fact>
      <Fact name="since">{since ? clockTime(since) : null}</Fact>
      <Fact name="raised">{clockTime(alert.raised_at)}</Fact>
      <Fact name="for">{span(number(why.for))}</Fact>
      <Fact name="late">
        {why.late === true && t("fact.late", { time: clockTime(number(why.measured_at) ?? alert.raised_at) })}
      </Fact>
      <Fact name="deadline">{deadline === null ? null : dayTime(deadline)}</Fact>
    </>
  );
}

export function Evidence({ alert, why }: { alert: Alert; why: Details }) {
  const person = text(why.limit_by);
  const rule = text(why.rule);
  return (
    <dl class="evidence">
      <Fact name="value">{valueText(alert, alert.value)}</Fact>
      <Fact name="limit">{alert.limit === null ? null : numberOf(alert, alert.limit)}</Fact>
      <Fact name="parts">{partsText(why)}</Fact>
      {person && <Fact name="limit">{t("fact.person_limit", { who: person })}</Fact>}
      <Clocks alert={alert} why={why} />
      <Fact name="lead">{text(why.lead)}</Fact>
      {Object.entries(MEASURED).map(([name, unit]) => {
        const value = number(why[name]);
        return (
          <Fact key={name} name={name}>
            {value === null ? null : `${fixed(value, Number.isInteger(value) ? 0 : 2)} ${unit}`.trim()}
          </Fact>
        );
      })}
      <Fact name="last">{number(why.last) === null ? null : dayTime(Number(why.last))}</Fact>
      <Fact name="plan_by">{text(why.plan_by)}</Fact>
      <Fact name="device">{text(why.device) ?? alert.device}</Fact>
      <Fact name="channel">{text(why.channel)}</Fact>
      <Fact name="rule">{rule && tCode("rule", rule)}</Fact>
      <Fact name="task">{taskOf(why)}</Fact>
      <Fact name="role">{text(why.role) && tCode("duty", String(why.role))}</Fact>
      <Fact name="owner">{text(why.owner) && tCode("duty", String(why.owner))}</Fact>
      <Fact name="why">{text(why.why)}</Fact>
      <Fact name="population">{populationText(why)}</Fact>
      <Fact name="rules_version">{text(why.rules_version)}</Fact>
      <Fact name="source">{catalogue.value.get(alert.rule)?.source ?? null}</Fact>
    </dl>
  );
}

/** Everything as it is stored, for whoever must know exactly. */
export function Raw({ why }: { why: Details }) {
  return (
    <details class="raw">
      <summary>{t("detail.raw")}</summary>
      <pre tabIndex={0}>{JSON.stringify(why, null, 1)}</pre>
    </details>
  );
}

/** Hundredths of a millivolt, and no "-0.00". */
export const level = (mv: number): string => fixed(Math.round(100 * mv) / 100 + 0, 2);

function Judged({ rows }: { rows: readonly Details[] }) {
  return (
    <table class="st tabular">
      <thead>
        <tr>
          <th>{t("st.lead")}</th>
          <th>{t("st.level")}</th>
          <th>{t("st.threshold")}</th>
          <th />
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const [mv, threshold] = [number(row.mv) ?? NaN, number(row.threshold) ?? NaN];
          const met = mv >= threshold;
          return (
            <tr key={String(row.lead)} class={met ? "met" : ""}>
              <th scope="row">{String(row.lead)}</th>
              <td>{level(mv)}</td>
              <td>{fixed(threshold, 2)}</td>
              <td>{t(met ? "st.met" : "st.not-met")}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function cautionText(caution: Details): string {
  const [value, limit] = [number(caution.value), number(caution.limit)];
  const numbers = value === null ? "" : ` ${fixed(value, 2)}${limit === null ? "" : ` / ${fixed(limit, 2)}`}`;
  const leads = words(caution.leads);
  return tCode("caution", String(caution.code)) + numbers + (leads && ` (${leads})`);
}

function Lines(props: { title: string; lines: readonly string[]; none?: string }) {
  if (props.lines.length === 0 && props.none === undefined) return null;
  return (
    <section>
      <h3>{props.title}</h3>
      <ul>
        {props.lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
        {props.lines.length === 0 && <li class="quiet">{props.none}</li>}
      </ul>
    </section>
  );
}

/** Of a 12-lead finding: leads and levels against their criteria, what to record now, what the reader checks. */
export function StReading({ why }: { why: Details }) {
  const judged = list(why.judged);
  if (judged.length === 0) return null;
  const assumed = Array.isArray(why.assumed) ? (why.assumed as string[]) : [];
  return (
    <section class="st-reading">
      <h2>{t("st.title")}</h2>
      <p>
        <strong>{t("st.statement")}</strong>
        {assumed.includes("sex-unknown") && <span> · {t("st.assumed.sex-unknown")}</span>}
        {assumed.includes("age-unknown") && <span> · {t("st.assumed.age-unknown")}</span>}
      </p>
      <div class="st-columns">
        <Judged rows={judged} />
        <div>
          <Lines
            title={t("st.requests")}
            lines={list(why.requests).map(
              (r) => `${words(r.leads)} · ${tCode("st-because", String(r.reason))} (${words(r.because)})`,
            )}
          />
          <Lines
            title={t("st.groups")}
            lines={list(why.groups).map((group) => `${tCode("st-group", String(group.name))}: ${words(group.leads)}`)}
          />
          <Lines title={t("st.cautions")} lines={list(why.cautions).map(cautionText)} none={t("st.cautions.none")} />
          <Lines
            title={t("st.checks")}
            lines={list(why.checks).map((check) => {
              const leads = words(check.leads);
              return `${tCode("check", String(check.code))}: ${leads ? t("check.fits", { leads }) : t("check.fits.none")}`;
            })}
          />
        </div>
      </div>
    </section>
  );
}
