/** What the gateway's API and live feed say. Times are integer microseconds UTC, names end in `at`. */

export type Priority = "high" | "medium" | "low";
export type AlertState = "pending" | "firing" | "acknowledged" | "latched" | "resolved";

export interface Latest {
  value: number | null;
  at: number;
  received_at: number;
  device: string;
  derived: boolean;
}

export interface Limits {
  low?: number | null;
  high?: number | null;
}

export interface Subject {
  id: string;
  name: string;
  sex: string | null;
  age: number | null;
}

export type ByDevice = Readonly<Record<string, Readonly<Record<string, Latest>>>>;

/** What a reading is called; without a code it is refused, or there is a range and no reading yet. */
export interface Wording {
  name: string; // of the derivation
  source: string;
  table?: string; // of the several a site may have
  population: string;
  assumed?: boolean;
  code?: string | null;
  at?: number | null;
  urgent?: boolean;
  numbers?: Readonly<Record<string, number>>;
  estimated?: boolean;
  refused?: string | null;
}
export type PlanContent =
  | {
      kind: "rehab";
      resting: number;
      maximum: number | null;
      early: "infarction" | "surgery" | null;
      ischaemic_threshold: number | null;
      beta_blocker: boolean;
    }
  | { kind: "peak-flow"; personal_best: number }
  | { kind: "uploads"; every_minutes: number; grace_minutes: number; quantity: string | null };
export interface CarePlan {
  id: string;
  person: string;
  plan: PlanContent;
  reason: string;
  set_by: string;
  set_at: number;
  expires_at: number;
  limits: Readonly<Record<string, number>>; // by alert
  population: string;
  refused: string | null; // why nothing follows from it now
}
export type NewCarePlan = Pick<CarePlan, "plan" | "reason" | "expires_at"> & { replaces: string | null };

export interface UnitState {
  id: string;
  site: string;
  kind: string;
  name: string;
  provenance: "live" | "test" | "simulated";
  link: "online" | "offline" | "never";
  link_mode: "full" | "weak";
  hello_at: number | null;
  firmware: string; // "" = not said
  battery: number | null; // of the unit itself, %
  clock: { quality: "good" | "corrected" | "untrusted"; offset: number | null; error: number | null };
  outbox_records: number | null; // null while the unit is offline: nobody knows
  gaps_open: number;
  subject: Subject | null;
  training?: unknown; // not null: what its devices say is practice
  service?: Record<string, unknown> | readonly unknown[]; // devices that are in service mode
  latest: Record<string, Latest>; // of each quantity the best there is
  by_device?: ByDevice; // what each device says itself
  limits?: Record<string, Limits>;
  wordings?: readonly Wording[];
  population?: { name: string; assumed: boolean }; // whom limits and scores take the person for
  not_for?: Readonly<Record<string, { code: string; made_for: readonly string[] }>>; // scores that refuse them
}

export interface Alert {
  id: string;
  subject: string | null;
  unit: string;
  device: string | null;
  rule: string;
  kind: "physiological" | "technical";
  priority: Priority;
  state: AlertState;
  quantity: string | null;
  value: number | null;
  limit: number | null;
  raised_at: number;
  updated_at: number;
  acknowledged_at: number | null;
  acknowledged_by: string | null;
  resolved_at: number | null;
  simulated: boolean;
  group_key?: string; // whose alerts stand together
  reopened?: number; // how often it came again within minutes of its end
  ladder?: string; // "" = nobody is told
  step?: number; // how many of its steps have been taken
  next_step_at?: number | null; // null: taken, muted, over, or nobody is told
  silenced_by?: string | null; // id of the silence
  inhibited_by?: string | null; // id of the alert that mutes this one
}

/** One row of the gateway's catalogue, as far as the page needs it. */
export interface CatalogueRow {
  code: string;
  zh: string;
  en: string;
  source: string;
  lethal: boolean;
  latching: boolean;
}

export type Means = "app" | "strong" | "call" | "task";
export interface LadderStep {
  delay: number; // s since the alert was raised
  duty: string;
  means: Means;
  whole_site: boolean;
}
export interface Ladder {
  name: string; // "<setting>-<priority>", with "-closed" outside service hours
  steps: LadderStep[];
  remind: number; // s
}
export interface Hours {
  setting: string;
  opens: number; // minutes after midnight, local time
  closes: number;
  days: number[]; // 0 = Monday
}
export interface Ladders {
  ladders: Ladder[];
  hours: Hours[];
}

export interface HistoryLine {
  at: number;
  event: string;
  state: AlertState;
  actor: string | null;
  details: Details;
}
export interface Judgement {
  author: string;
  useful: boolean;
  reason: string;
  at: number;
}
export interface Delivery {
  recipient: string; // account, role:<role>, or * = everybody there
  channel: string; // "" = none reaches the recipient
  state: "pending" | "sending" | "sent" | "obsolete" | "dead";
  attempts: number;
  sent_at: number | null;
  last_error: string | null;
}
/** That somebody is to be told of an alert: one step of its ladder. */
export interface Notice {
  id: string;
  alert: string;
  unit: string; // "" = about the gateway itself
  site: string;
  rule: string;
  priority: Priority;
  reason: string;
  step: number;
  role: string;
  means: Means;
  recipients: string[];
  at: number;
  simulated: boolean;
}
export interface Notification extends Notice {
  deliveries: Delivery[];
}
export type Details = Readonly<Record<string, unknown>>;
export interface AlertDetail extends Alert {
  explanation: Details;
  history: HistoryLine[];
  climbs: Ladder | null;
  notifications: Notification[];
  feedback: Judgement[];
}
export interface Silence {
  id: string;
  unit: string;
  subject: string; // "" = everything of the unit
  rule: string; // "" = every rule that is not lethal
  reason: string;
  author: string;
  created_at: number;
  expires_at: number;
  ended_at: number | null;
}
export interface Shift {
  id: string;
  account: string;
  duty: string;
  site: string;
  unit: string; // "" = the whole site
  start_at: number;
  end_at: number;
  entered_by: string;
}
export type NewShift = Pick<Shift, "account" | "duty" | "site" | "start_at" | "end_at"> & { unit: string | null };
export interface Site {
  id: string;
  name: string;
}
export interface Segment {
  start_at: number;
  fs: number;
  scale: number;
  leads: string[];
  n0: number;
  samples: number[][]; // one row a lead, in steps of `scale`
}

export interface EcgLead {
  lead: string;
  j: number; // mV at the J point
}
/** The beat ST levels were read from, one row a lead, in steps of `scale` mV. */
export interface MedianBeat {
  fs: number;
  onset: number; // sample of QRS onset
  j: number;
  scale: number;
  samples: number[][];
}
/** 10 s of stored signal and what was measured in them. */
export interface EcgShown {
  unit: string;
  device: string;
  start_at: number;
  end_at: number;
  refused: string[]; // why nothing was measured
  heart_rate: number | null;
  qrs_ms: number | null;
  leads: EcgLead[];
  beat: MedianBeat | null;
}
export type Which = "previous" | "first" | "prior";
export interface EarlierEcg {
  which: Which;
  ecg: EcgShown;
  changes: { lead: string; change: number; changed: boolean }[];
  reserve: string[];
  missing: string[];
}
/** A 12-lead ECG beside earlier ones of the same person. */
export interface SerialEcg {
  person: string | null;
  now: EcgShown;
  earlier: EarlierEcg[]; // newest first
  absent: { which: Which; why: string }[];
  changed_mv: number;
}

export interface Snapshot {
  type: "snapshot";
  id: number;
  now: number;
  units: UnitState[];
  alerts: Alert[];
}
export interface Observations {
  type: "observations";
  id: number;
  unit: string;
  device: string;
  at: number;
  received_at: number;
  late: boolean;
  derived: boolean;
  test?: boolean; // practice, or a device in test mode
  service?: boolean; // the device is being calibrated, cleaned, moved or repaired
  values: Record<string, number | null>;
}
export interface UnitEvent {
  type: "event";
  id: number;
  unit: string;
  device: string;
  at: number;
  name: string;
  details: Record<string, unknown>;
  test?: boolean;
  service?: boolean;
}
export type CommandState = "requested" | "sent" | "accepted" | "refused" | "expired" | "unanswered";
export interface Command {
  id: string;
  unit: string;
  device: string;
  name: string;
  arguments: Record<string, unknown>;
  requested_by: string;
  requested_at: number;
  state: CommandState;
  ended_at: number | null;
  refusal: string | null;
  result: Record<string, unknown> | null;
}
/** A change of the mattress that somebody may confirm; until then nothing moves. */
export interface Proposal {
  proposed_at: number;
  lapses_at: number;
  reason: "dose" | "turn-overdue";
  zone: string;
  dose: number; // kPa min
}
/** How somebody lies, as it was last told. */
export interface PressureCare {
  at: number | null; // null = nothing is known of anybody there
  since: number | null; // they have lain like this; null = nobody is known to lie there
  stopped: "exit" | "empty" | "unheard" | null; // why the turn clock stands
  turn_every: number; // us; 0 = the site has no turn clock
  zone: string; // the one with the largest dose, as in "pelvis-middle"; "" = none
  dose: number; // kPa min
  limit: number;
  unknown: number; // us within the dose of which nothing is known
  mat_at: number | null; // of the newest map
  proposal: Proposal | null;
  confirmed_by: string; // "" = nobody
}
export interface Device {
  unit: string;
  id: string;
  kind: string | null;
  serial: string | null;
  calibration_due: string | null; // a date
  age: number | null; // us since its newest value came
  battery: number | null; // %
  link: "connected" | "silent" | "disconnected" | null; // as its agent finds it
  firmware: string | null; // as it says itself
  service: { mode: string; expires_at: number } | null;
}
export interface Measured {
  device: string;
  quantity: string;
  unit: string;
  value: number;
  at: number;
}
export interface Sitting {
  id: number;
  subject: string;
  start_at: number;
  end_at: number | null; // null = it is on
  voided_at: number | null;
  measured: Measured[];
  wordings?: readonly Wording[];
}
export type Message =
  | Snapshot
  | Observations
  | UnitEvent
  | { type: "alert"; id: number; alert: Alert }
  | { type: "command"; id: number; command: Command }
  | { type: "unit"; id: number; unit: UnitState }
  | { type: "dropped"; unit: string; frames: number }
  | { type: "notification"; id: number; unit: string; notification: Notice }
  | { type: "tick"; now: number; lag_us: number; canary_at?: number | null };

export interface Session {
  username: string;
  role: string;
  sites: string[];
  demo: boolean;
  password_change_required?: boolean;
}
export interface About {
  version: string;
  demo: boolean;
  demo_login: { username: string; password: string } | null;
}
