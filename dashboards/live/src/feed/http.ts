/** Requests to /api/v1. Refusals are RFC 9457 problems; no answer at all is a Refusal of status 0. */
import type { About, Alert, Command, Device, Session, Sitting, UnitEvent } from "./types";

export class Refusal extends Error {
  constructor(
    readonly status: number, // 0 = the gateway did not answer
    readonly reason: string,
    readonly detail: string,
  ) {
    super(`${status} ${reason} ${detail}`);
  }
}

interface Problem {
  title?: string;
  detail?: string;
  reason?: string;
}

const PATIENCE = 10_000; // ms

async function problemOf(response: Response): Promise<Problem> {
  try {
    return (await response.json()) as Problem;
  } catch {
    return { title: response.statusText }; // something in between answered, not the gateway
  }
}

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: "same-origin",
      signal: AbortSignal.timeout(PATIENCE),
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new Refusal(0, "no-answer", String(error));
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  throw new Refusal(response.status, problem.reason ?? "", problem.detail ?? problem.title ?? "");
}

const json = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
  (await (await call(method, path, body)).json()) as T;

export const getAbout = (): Promise<About> => json("GET", "/about");
export const getSession = (): Promise<Session> => json("GET", "/session");
export const signIn = (username: string, password: string): Promise<unknown> =>
  json("POST", "/session", { username, password });
export const changePassword = (password: string, next: string): Promise<unknown> =>
  json("POST", "/session/password", { password, new_password: next });
export const signOut = async (): Promise<void> => void (await call("DELETE", "/session"));
export const acknowledge = (id: string): Promise<Alert> =>
  json("POST", `/alerts/${encodeURIComponent(id)}/acknowledge`);

export interface Series {
  points: { at: number; min: number | null; max: number | null; mean: number | null }[];
}
export const getSeries = (unit: string, quantity: string, from: number, to: number, step: number): Promise<Series> =>
  json("GET", `/units/${encodeURIComponent(unit)}/series?quantity=${quantity}&from=${from}&to=${to}&step=${step}`);

interface Page<T> {
  items: T[];
  next: string | null;
}

/** All rows of a list, page by page. */
async function all<T>(path: string): Promise<T[]> {
  const rows: T[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page: Page<T> = await json("GET", `${path}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    rows.push(...page.items);
    cursor = page.next ?? null;
  }
  return rows;
}

const unitPath = (unit: string): string => `/units/${encodeURIComponent(unit)}`;

export const getDevices = (): Promise<Device[]> => all("/devices?limit=500");
export const getSessions = async (unit: string, limit: number): Promise<Sitting[]> =>
  (await json<Page<Sitting>>("GET", `${unitPath(unit)}/sessions?limit=${limit}`)).items;
/** Events of these names, oldest first. */
export const getEvents = async (unit: string, names: readonly string[], from: number, to: number) =>
  (
    await json<Page<Omit<UnitEvent, "unit" | "type" | "id">>>(
      "GET",
      `${unitPath(unit)}/events?from=${from}&to=${to}${names.map((name) => `&name=${name}`).join("")}`,
    )
  ).items;
export const getCommands = async (unit: string): Promise<Command[]> =>
  (await json<Page<Command>>("GET", `${unitPath(unit)}/commands?limit=5`)).items;
export const command = (
  unit: string,
  device: string,
  name: string,
  args: Record<string, unknown>,
  reason: string,
): Promise<Command> => json("POST", `${unitPath(unit)}/commands`, { device, name, arguments: args, reason });
