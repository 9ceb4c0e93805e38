/** How somebody lies, on a bed's tile: when to turn them, what presses most, what is proposed. Nothing moves unconfirmed. */
import { useState } from "preact/hooks";
import * as http from "../feed/http";
import type { PressureCare, Proposal, UnitState } from "../feed/types";
import { may } from "../state/may";
import { offered, share, turnOf } from "../state/lying";
import { keepCare, mergeCommand, now } from "../state/store";
import { age, fixed, shortTime, t, tCode } from "../text/text";
import { Refused, useAttempt } from "./attempt";

const MINUTE = 60_000_000; // us
const SILENT_AFTER = 2 * MINUTE; // a mat says something every few seconds

function zoneText(zone: string): string {
  const [length = "", width = ""] = zone.split("-");
  return t("zone.name", { length: tCode("zone", length), width: tCode("zone", width) });
}

function Clock(props: { care: PressureCare }) {
  const { care } = props;
  if (care.stopped !== null && care.turn_every !== 0) {
    return (
      <p class="bed-line turn" data-turn="stopped">
        <span class="quiet">{t("turn.label")}</span> <b>{t(`turn.stopped.${care.stopped}`)}</b>
      </p>
    );
  }
  const turn = turnOf(care, now.value);
  if (turn === null || care.since === null) return null;
  const filling = { time: shortTime(turn.dueAt), age: age(now.value - turn.dueAt) };
  return (
    <p class="bed-line turn" data-turn={turn.state}>
      <span class="quiet">{t("turn.label")}</span> <b class="tabular">{t(`turn.${turn.state}`, filling)}</b>{" "}
      <span class="quiet tabular">{t("turn.since", { time: shortTime(care.since) })}</span>
    </p>
  );
}

function Dose(props: { care: PressureCare }) {
  const { care } = props;
  const reached = care.dose >= care.limit;
  const silent = care.mat_at === null ? null : now.value - care.mat_at;
  const blind = silent !== null && silent >= SILENT_AFTER;
  if (silent === null) return null; // no mat has ever spoken: it may have none
  if (care.zone === "") {
    return (
      <p class="bed-line dose">
        <span class="quiet">{t("dose.label")}</span>{" "}
        {blind ? <b>{t("dose.silent", { age: age(silent) })}</b> : <b>{t("dose.none")}</b>}
      </p>
    );
  }
  return (
    <p class={`bed-line dose ${reached ? "reached" : ""}`}>
      <span class="quiet">{t("dose.label")}</span>{" "}
      <b class="tabular">{t("dose.share", { zone: zoneText(care.zone), n: share(care) })}</b>{" "}
      {care.unknown >= MINUTE && <span class="quiet">{t("dose.unknown", { age: age(care.unknown) })} </span>}
      {blind && <span class="quiet">{t("dose.silent", { age: age(silent) })}</span>}
    </p>
  );
}

function reasonText(proposal: Proposal): string {
  return t(`propose.${proposal.reason}`, { zone: zoneText(proposal.zone), dose: fixed(proposal.dose, 0) });
}

function Confirm(props: { unit: UnitState; proposal: Proposal; close: () => void }) {
  const { unit, proposal, close } = props;
  const [reason, setReason] = useState(reasonText(proposal));
  const attempt = useAttempt();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const sent = (): Promise<void> =>
      http.confirmProposal(unit.id, proposal.proposed_at, reason.trim()).then(mergeCommand);
    if (await attempt.run(sent)) close();
  };
  return (
    <form class="order" onSubmit={(event) => void submit(event)}>
      <p class="will">
        {t("command.will", { bed: unit.name, from: tCode("mode", "static"), to: tCode("mode", "alternate") })}
      </p>
      <label>
        {t("command.reason")}
        <input
          required
          minLength={3}
          maxLength={200}
          value={reason}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      </label>
      <Refused attempt={attempt} />
      <div class="order-keys">
        <button type="submit" class="primary" disabled={attempt.busy}>
          {t("command.confirm")}
        </button>
        <button type="button" onClick={close}>
          {t("command.cancel")}
        </button>
      </div>
    </form>
  );
}

function Proposed(props: { unit: UnitState; care: PressureCare; proposal: Proposal }) {
  const { unit, care, proposal } = props;
  const [looking, look] = useState(false);
  if (looking && !care.confirmed_by) return <Confirm unit={unit} proposal={proposal} close={() => look(false)} />;
  return (
    <div class="proposal" data-proposal={proposal.reason}>
      <p>
        <b>{t("propose.what")}</b>: {reasonText(proposal)}
      </p>
      {care.confirmed_by ? (
        <p class="quiet">{t("propose.confirmed", { who: care.confirmed_by })}</p>
      ) : (
        <>
          <p class="quiet">{t("propose.until", { time: shortTime(proposal.lapses_at) })}</p>
          {may("command-devices") && (
            <button type="button" class="look" onClick={() => look(true)}>
              {t("propose.look")}
            </button>
          )}
        </>
      )}
    </div>
  );
}

/** A press too many would hide that somebody has lain too long: it takes two. */
function RecordTurn(props: { unit: UnitState }) {
  const [asked, ask] = useState(false);
  const attempt = useAttempt();
  const record = async (): Promise<void> => {
    const done = await attempt.run(async () => keepCare(props.unit.id, await http.recordTurn(props.unit.id)));
    if (done) ask(false);
  };
  if (!asked)
    return (
      <button type="button" class="turned" onClick={() => ask(true)}>
        {t("turn.record")}
      </button>
    );
  return (
    <div class="order-keys">
      <button type="button" class="primary" disabled={attempt.busy} onClick={() => void record()}>
        {t("turn.confirm")}
      </button>
      <button type="button" onClick={() => ask(false)}>
        {t("command.cancel")}
      </button>
      <Refused attempt={attempt} />
    </div>
  );
}

export function Lying(props: { unit: UnitState; care: PressureCare }) {
  const { unit, care } = props;
  const proposal = offered(care, now.value);
  if (care.since === null && care.stopped === null && care.zone === "") return null;
  return (
    <section class="lying">
      <Clock care={care} />
      <Dose care={care} />
      {proposal && <Proposed unit={unit} care={care} proposal={proposal} />}
      {may("record-turn") && <RecordTurn unit={unit} />}
    </section>
  );
}
