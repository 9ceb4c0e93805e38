/** Requests to /api/v1. Refusals are RFC 9457 problems; no answer at all is a Refusal of status 0. */
import type {
  About,
  Alert,
  AlertDetail,
  CarePlan,
  CatalogueRow,
  Command,
  Device,
  Judgement,
  Ladders,
  NewCarePlan,
  NewShift,
  PressureCare,
  Segment,
  SerialEcg,
  Session,
  Shift,
  Silence,
  Site,
  Sitting,
  UnitEvent,
} from "./types";

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

const unitPath = (unit: string): string => `/units/${encodeURIComponent(unit)}`;

export interface Series {
  points: { at: number; min: number | null; max: number | null; mean: number | null }[];
}
export const getSeries = (unit: string, quantity: string, from: number, to: number, step: number): Promise<Series> =>
  json("GET", `/units/${encodeURIComponent(unit)}/series?quantity=${quantity}&from=${from}&to=${to}&step=${step}`);

export interface Point {
  at: number;
  value: number;
}
/** Every single value, of one device or of all; three hours at most. */
export async function getPoints(unit: string, quantity: string, from: number, to: number, device: string | null) {
  const one = device === null ? "" : `&device=${encodeURIComponent(device)}`;
  const path = `${unitPath(unit)}/series?quantity=${quantity}&from=${from}&to=${to}&step=0${one}`;
  return (await json<{ points: Point[] }>("GET", path)).points;
}
export const getWaveform = async (unit: string, device: string, from: number, to: number): Promise<Segment[]> =>
  (
    await json<{ segments: Segment[] }>(
      "GET",
      `${unitPath(unit)}/waveform?device=${encodeURIComponent(device)}&from=${from}&to=${to}`,
    )
  ).segments;

/** The 12-lead ECG of the 10 s before `at`, beside earlier ones. */
export const getSerialEcg = (unit: string, device: string, at: number): Promise<SerialEcg> =>
  json("GET", `${unitPath(unit)}/ecg?device=${encodeURIComponent(device)}&at=${at}`);

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

// ---- how somebody lies
export const getPressureCare = (unit: string): Promise<PressureCare> => json("GET", `${unitPath(unit)}/pressure-care`);
export const recordTurn = (unit: string): Promise<PressureCare> =>
  json("POST", `${unitPath(unit)}/pressure-care/turns`, {});
export const confirmProposal = (unit: string, proposedAt: number, reason: string): Promise<Command> =>
  json("POST", `${unitPath(unit)}/pressure-care/proposals/${proposedAt}/confirm`, { reason });

// ---- alerts
const alertPath = (id: string): string => `/alerts/${encodeURIComponent(id)}`;

export const getAlert = (id: string): Promise<AlertDetail> => json("GET", alertPath(id));
/** The newest alerts of one state: what the feed does not hold. */
export const getAlerts = async (state: "pending" | "resolved", limit: number): Promise<Alert[]> =>
  (await json<Page<Alert>>("GET", `/alerts?state=${state}&limit=${limit}`)).items;
export const judge = (id: string, useful: boolean, reason: string): Promise<Judgement> =>
  json("POST", `${alertPath(id)}/feedback`, { useful, reason });
export const silence = (id: string, minutes: number, reason: string, every: boolean): Promise<Silence> =>
  json("POST", `${alertPath(id)}/silence`, { minutes, reason, every_rule: every });
export const getSilences = (): Promise<Silence[]> => all("/silences?limit=500");
export const endSilence = async (id: string): Promise<void> =>
  void (await call("DELETE", `/silences/${encodeURIComponent(id)}`));
export const getCatalogue = async (): Promise<CatalogueRow[]> =>
  (await json<{ items: CatalogueRow[] }>("GET", "/alert-catalogue")).items;

// ---- roster
export const getLadders = (): Promise<Ladders> => json("GET", "/ladders");
export const getSites = (): Promise<Site[]> => all("/sites?limit=500");
export const getShifts = (): Promise<Shift[]> => all("/shifts?limit=500");
/** Also those that are over, by beginning, one page after the other. */
export const getShiftsSince = async (cursor: string): Promise<{ items: Shift[]; next: string | null }> =>
  json("GET", `/shifts?past=true&limit=500${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
export const addShift = (shift: NewShift): Promise<Shift> => json("POST", "/shifts", shift);
export const removeShift = async (id: string): Promise<void> =>
  void (await call("DELETE", `/shifts/${encodeURIComponent(id)}`));

// ---- care plans
const plansPath = (person: string): string => `/people/${encodeURIComponent(person)}/plans`;

export const getPlans = async (person: string): Promise<CarePlan[]> =>
  (await json<{ items: CarePlan[] }>("GET", plansPath(person))).items;
export const setPlan = (person: string, plan: NewCarePlan): Promise<CarePlan> => json("POST", plansPath(person), plan);
export const endPlan = (person: string, plan: string): Promise<CarePlan> =>
  json("DELETE", `${plansPath(person)}/${encodeURIComponent(plan)}`);
