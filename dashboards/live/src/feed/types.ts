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
export interface Device {
  unit: string;
  id: string;
  kind: string | null;
  serial: string | null;
  calibration_due: string | null; // a date
  age: number | null; // us since its newest value came
  battery: number | null; // %
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
}
export type Message =
  | Snapshot
  | Observations
  | UnitEvent
  | { type: "alert"; id: number; alert: Alert }
  | { type: "command"; id: number; command: Command }
  | { type: "unit"; id: number; unit: UnitState }
  | { type: "dropped"; unit: string; frames: number }
  | { type: "tick"; now: number; lag_us: number };

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
