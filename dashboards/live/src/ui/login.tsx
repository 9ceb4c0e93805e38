/** Signing in. In a demo the ready account is shown, and what the demo is. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Refusal } from "../feed/http";
import { changePassword, signIn } from "../state/actions";
import { about } from "../state/store";
import type { TextKey } from "../text/catalogue";
import { t } from "../text/text";
import { LanguageButton, ThemeButton } from "./frame";

function failure(error: unknown, refused: TextKey): string {
  if (!(error instanceof Refusal)) throw error;
  if (error.status === 401) return t(refused);
  if (error.status === 429) return t("login.wait");
  if (error.status === 0) return t("login.no-answer");
  return t("login.failed", { status: error.status, detail: error.detail });
}

function Demo(props: { use: (event: MouseEvent) => void }) {
  const login = about.value?.demo_login;
  if (!about.value?.demo) return null;
  return (
    <div class="demo">
      <p class="demo-mark">{t("demo.mark")}</p>
      {login && (
        <>
          <p class="quiet">{t("login.demo")}</p>
          <p>
            <code>{login.username}</code> / <code>{login.password}</code>
          </p>
          <button type="button" onClick={props.use}>
            {t("login.use")}
          </button>
        </>
      )}
    </div>
  );
}

/** A form's submission: busy while it runs, and what went wrong. */
function useSubmit(act: (fields: FormData) => Promise<void>, refused: TextKey) {
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await act(new FormData(event.currentTarget as HTMLFormElement));
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return { submit, busy, problem: problem === null ? null : failure(problem, refused) };
}

function Sheet(props: { submit: (event: SubmitEvent) => Promise<void>; children: ComponentChildren }) {
  return (
    <main class="login">
      <form onSubmit={(event) => void props.submit(event)}>
        {props.children}
        <div class="login-foot">
          <LanguageButton />
          <ThemeButton />
        </div>
        <p class="quiet small">{t("app.footer")}</p>
      </form>
    </main>
  );
}

function Field(props: {
  name: string;
  text: TextKey;
  complete: string;
  secret?: boolean;
  first?: boolean;
  min?: number;
}) {
  const common = {
    name: props.name,
    autocomplete: props.complete,
    autoFocus: props.first ?? false,
    minLength: props.min ?? 1,
    required: true,
  };
  return (
    <label>
      {t(props.text)}
      {props.secret ? <input type="password" {...common} /> : <input type="text" {...common} />}
    </label>
  );
}

function fillIn(event: MouseEvent): void {
  const login = about.value?.demo_login;
  const form = (event.currentTarget as HTMLButtonElement).form;
  if (!login || !form) return;
  (form.elements.namedItem("username") as HTMLInputElement).value = login.username;
  (form.elements.namedItem("password") as HTMLInputElement).value = login.password;
  form.querySelector<HTMLButtonElement>("[type=submit]")?.focus();
}

export function Login() {
  const act = (f: FormData): Promise<void> => signIn(String(f.get("username")), String(f.get("password")));
  const { submit, busy, problem } = useSubmit(act, "login.refused");
  return (
    <Sheet submit={submit}>
      <h1>{t("app.name")}</h1>
      <Field name="username" text="login.username" complete="username" first />
      <Field name="password" text="login.password" secret complete="current-password" />
      {problem !== null && <p role="alert">{problem}</p>}
      <button type="submit" class="primary" disabled={busy}>
        {t(busy ? "login.busy" : "login.submit")}
      </button>
      <Demo use={fillIn} />
    </Sheet>
  );
}

const SHORTEST = 12; // characters, as the gateway asks

/** A first password must be replaced before anything else works. */
export function NewPassword() {
  const act = (f: FormData): Promise<void> => changePassword(String(f.get("present")), String(f.get("next")));
  const { submit, busy, problem } = useSubmit(act, "password.refused");
  return (
    <Sheet submit={submit}>
      <h1>{t("password.title")}</h1>
      <Field name="present" text="password.present" secret complete="current-password" first />
      <Field name="next" text="password.next" secret complete="new-password" min={SHORTEST} />
      {problem !== null && <p role="alert">{problem}</p>}
      <button type="submit" class="primary" disabled={busy}>
        {t("password.submit")}
      </button>
    </Sheet>
  );
}
