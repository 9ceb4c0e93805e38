/** Setting a mattress from afar: choose, say why, confirm; then what the device answers. Nothing is shown as done before. */
import { useState } from "preact/hooks";
import * as http from "../feed/http";
import { Refusal } from "../feed/http";
import type { Command, UnitState } from "../feed/types";
import { commands, mergeCommand, session } from "../state/store";
import type { TextKey } from "../text/catalogue";
import { clockTime, t, tCode } from "../text/text";

const MODES = ["static", "alternate"] as const;
const DEVICE = "mattress";
/** Refusals after which nobody knows how much of the command was carried out. */
const UNSURE: ReadonlySet<string> = new Set([
  "read-back-differs",
  "no-answer",
  "interrupted",
  "internal-error",
  "device-refused",
]);

/** The newest command to the unit's mattress. */
export function newestCommand(unit: string): Command | undefined {
  return [...commands.value.values()]
    .filter((command) => command.unit === unit && command.device === DEVICE)
    .sort((a, b) => b.requested_at - a.requested_at)[0];
}

function what(command: Command): string {
  const mode = command.arguments.mode;
  return command.name === "set-mattress-mode" && typeof mode === "string"
    ? t("command.set-mattress-mode", { mode: tCode("mode", mode) })
    : t("command.other", { code: command.name });
}

export function CommandNote(props: { command: Command }) {
  const { command } = props;
  const reason = command.refusal ? tCode("refused", command.refusal) : "";
  const unsure = command.state === "refused" && UNSURE.has(command.refusal ?? "");
  return (
    <p class={`command ${command.state}`} role="status" data-command={command.state}>
      <b>{what(command)}</b>: {t(unsure ? "command.unsure" : `command.${command.state}`, { reason })}{" "}
      <span class="quiet tabular">
        {command.requested_by} {clockTime(command.ended_at ?? command.requested_at)}
      </span>
    </p>
  );
}

function failure(refusal: Refusal): string {
  const key = `command.failed.${refusal.status}`;
  const known = [0, 403, 409].includes(refusal.status);
  return known
    ? t(key as TextKey, { detail: refusal.detail || refusal.reason })
    : t("command.failed.other", { detail: refusal.detail || refusal.reason });
}

export function MattressForm(props: { unit: UnitState; mode: string | null; close: () => void }) {
  const { unit, close } = props;
  const present = props.mode === null ? t("mode.unknown") : tCode("mode", props.mode);
  const [mode, setMode] = useState<string>(MODES.find((one) => one !== props.mode) ?? MODES[0]);
  const [reason, setReason] = useState("");
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const send = async (): Promise<void> => {
    setBusy(true);
    try {
      mergeCommand(await http.command(unit.id, DEVICE, "set-mattress-mode", { mode }, reason.trim()));
      close();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) session.value = null;
      setFailed(failure(error));
      setBusy(false);
    }
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    setFailed(null);
    if (asked) void send();
    else setAsked(true);
  };
  return (
    <form class="order" onSubmit={submit} onKeyDown={(event) => event.key === "Escape" && close()}>
      {asked ? (
        <p class="will">
          {t("command.will", { bed: unit.name, from: present, to: tCode("mode", mode) })} <q>{reason}</q>
        </p>
      ) : (
        <>
          <label>
            {t("command.choose")}{" "}
            <select value={mode} onChange={(event) => setMode(event.currentTarget.value)}>
              {MODES.map((one) => (
                <option key={one} value={one}>
                  {tCode("mode", one)}
                </option>
              ))}
            </select>
          </label>
          <label>
            {t("command.reason")}
            <input
              required
              minLength={3}
              maxLength={200}
              value={reason}
              autoFocus
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </label>
        </>
      )}
      {failed && <p role="alert">{failed}</p>}
      <div class="order-keys">
        <button type="submit" class="primary" disabled={busy}>
          {t(asked ? "command.confirm" : "command.next")}
        </button>
        <button type="button" onClick={close}>
          {t("command.cancel")}
        </button>
      </div>
    </form>
  );
}
