/** Everything the page knows, as signals; messages of the feed are folded in here and nowhere else. */
import { batch, computed, signal, type Signal } from "@preact/signals";
import { parseFrame } from "../feed/frame";
import type {
  About,
  Alert,
  Command,
  Message,
  Notice,
  PressureCare,
  Session,
  UnitEvent,
  UnitState,
} from "../feed/types";
import { pushFrame } from "../signal/streams";
import { localSeconds, localUs } from "../time";
import { withDevice, withDevices, withLatest, withObservations } from "./merge";
import { canaryState, linkState, type Hearing } from "./staleness";
import { compareAlerts, isOpen } from "./urgency";

const RECENT_EVENTS = 50;
const RECENT_NOTICES = 50;
/** Events that tell how a device stands: the newest of each is kept for every unit. */
export const STATES = ["bed-state", "bed-exit", "bed-return", "mattress-state", "concentrator-state"] as const;
/** Tells once a minute how somebody lies. */
const PRESSURE_CARE = "pressure-care";
/** Events that come all the time; no screen lists them. */
const CHATTER: ReadonlySet<string> = new Set(["pressure-map", PRESSURE_CARE, "beacon-sightings", "beacon-telemetry"]);
const OFFSET_MEMORY = 30; // ticks over which the quickest one sets our idea of the gateway's clock

export const session = signal<Session | null | undefined>(undefined); // undefined = not asked yet
export const about = signal<About | null>(null);
export const unitIds = signal<readonly string[]>([]);
export const alerts = signal<ReadonlyMap<string, Alert>>(new Map());
export const events = signal<readonly UnitEvent[]>([]);
/** The newest event of each name in STATES, by unit/name. */
export const states = signal<ReadonlyMap<string, UnitEvent>>(new Map());
/** How whoever is there lies, by unit. */
export const lying = signal<ReadonlyMap<string, PressureCare>>(new Map());
/** The newest command of each name to each device, by unit/device/name. */
export const commands = signal<ReadonlyMap<string, Command>>(new Map());
/** Snapshots so far: what a snapshot does not hold is asked for again after each. */
export const snapshots = signal(0);
/** When the newest word of the watcher that came through set out, us; null = none has, undefined = not told yet. */
export const canaryAt = signal<number | null | undefined>(undefined);
/** What the gateway told people lately, oldest first. */
export const notices = signal<readonly Notice[]>([]);
export const droppedFrames = signal<ReadonlyMap<string, number>>(new Map());
export const badFrames = signal(0);
export const received = signal(false); // a snapshot has come
/** Local time, refreshed four times a second: everything that shows an age follows it. */
export const local = signal(localUs());

const units = new Map<string, Signal<UnitState>>();
const offsets: number[] = [];
export const hearing = signal<Hearing>({ heardAt: null, open: false, latency: 0, behind: 0, offset: 0 });
export const link = computed(() => linkState(hearing.value, local.value));
/** The gateway's clock, us. */
export const now = computed(() => local.value + hearing.value.offset);

export const openAlerts = computed(() => [...alerts.value.values()].filter(isOpen).sort(compareAlerts));
/** A watcher is registered, or the gateway misses one: its silence means something. */
const watcher = computed(
  () =>
    unitIds.value.some((id) => unit(id)?.kind === "watch") ||
    openAlerts.value.some((alert) => alert.rule === "canary-late"),
);
export const canary = computed(() => canaryState(canaryAt.value, watcher.value, now.value));

export const unit = (id: string): UnitState | undefined => units.get(id)?.value;

const pending = new Map<string, UnitState>(); // folded, not shown yet: screens need not follow every message

const current = (id: string): UnitState | undefined => pending.get(id) ?? units.get(id)?.peek();

const AGES_EVERY = 250_000; // us between refreshes of ages

/** Shows what was folded since the last call; called ten times a second. */
export function flush(): void {
  batch(() => {
    if (heardAt !== hearing.peek().heardAt) hearing.value = { ...hearing.peek(), heardAt };
    let added = false;
    for (const [id, state] of pending) {
      const known = units.get(id);
      if (known) known.value = state;
      else {
        units.set(id, signal(state));
        added = true;
      }
    }
    pending.clear();
    if (added) unitIds.value = [...units.keys()];
    const at = localUs();
    if (at - local.peek() >= AGES_EVERY) local.value = at;
  });
}

export function mergeAlert(alert: Alert): void {
  const key = String(alert.id);
  const known = alerts.peek().get(key);
  if (known && known.updated_at > alert.updated_at) return; // an older word about the same alert
  alerts.value = new Map(alerts.peek()).set(key, alert);
}

/** Whether what a device says stands for the patient: not while it is in service or in test mode. */
function counts(said: { test?: boolean; service?: boolean }, state: UnitState): boolean {
  return !said.service && (!said.test || Boolean(state.training));
}

/** What is known here, if its values outlive a change of the unit's state: not when a training or a service ended. */
function kept(known: UnitState | undefined, next: UnitState): UnitState | undefined {
  const standing = (state: UnitState): string => JSON.stringify([state.training ?? null, state.service ?? null]);
  return known && standing(known) === standing(next) ? known : undefined;
}

const isState = (name: string): boolean => (STATES as readonly string[]).includes(name);

/** Remembers how a device stands, unless something newer is known. */
export function keepState(event: UnitEvent): void {
  const unit = current(event.unit);
  if (!isState(event.name) || (unit && !counts(event, unit))) return;
  const key = `${event.unit}/${event.name}`;
  const known = states.peek().get(key);
  if (!known || known.at <= event.at) states.value = new Map(states.peek()).set(key, event);
}

/** Remembers how somebody lies, unless something newer is known. */
export function keepCare(unit: string, care: PressureCare): void {
  const known = lying.peek().get(unit);
  if (care.at !== null && (known?.at ?? 0) <= care.at) lying.value = new Map(lying.peek()).set(unit, care);
}

function keepTold(event: UnitEvent): void {
  const unit = current(event.unit);
  if (event.name === PRESSURE_CARE && unit && counts(event, unit))
    keepCare(event.unit, event.details as unknown as PressureCare);
}

const ENDED: ReadonlySet<string> = new Set(["accepted", "refused", "expired", "unanswered"]);
const ORDER = ["requested", "sent"];

export function mergeCommand(command: Command): void {
  const key = `${command.unit}/${command.device}/${command.name}`;
  const known = commands.peek().get(key);
  if (known && (known.id === command.id ? isOlderWord(command, known) : known.requested_at > command.requested_at))
    return;
  commands.value = new Map(commands.peek()).set(key, command);
}

/** Whether the first is an older word about the command of the second. */
function isOlderWord(command: Command, known: Command): boolean {
  if (ENDED.has(known.state)) return true;
  return !ENDED.has(command.state) && ORDER.indexOf(known.state) > ORDER.indexOf(command.state);
}

function snapshot(message: Message & { type: "snapshot" }): void {
  batch(() => {
    units.clear();
    pending.clear();
    for (const state of message.units) units.set(state.id, signal({ ...state, latest: withLatest({}, state.latest) }));
    unitIds.value = [...units.keys()];
    alerts.value = new Map(message.alerts.map((a) => [String(a.id), a]));
    states.value = new Map();
    lying.value = new Map();
    commands.value = new Map();
    snapshots.value++;
    received.value = true;
    heard(message.now, hearing.peek().latency);
  });
}

/** Notes the gateway's clock. The quickest tick of the last half minute is the closest to the truth. */
function heard(gatewayNow: number, lag: number): void {
  const at = localUs();
  const sample = gatewayNow - at;
  offsets.push(sample);
  if (offsets.length > OFFSET_MEMORY) offsets.shift();
  const offset = Math.max(...offsets);
  hearing.value = { ...hearing.peek(), offset, latency: lag + offset - sample, behind: lag };
}

let heardAt: number | null = null;

/** Any word from the gateway. */
export function alive(): void {
  heardAt = localUs();
  if (!hearing.peek().open) hearing.value = { ...hearing.peek(), heardAt, open: true };
}

export function linkLost(): void {
  if (hearing.peek().open) hearing.value = { ...hearing.peek(), open: false };
}

/** The same notice comes once for each way it goes to screens. */
function keepNotice(notice: Notice): void {
  if (notices.peek().some((known) => known.id === notice.id)) return;
  notices.value = [...notices.peek().slice(1 - RECENT_NOTICES), notice];
}

/** Folds one text message in. */
export function fold(message: Message): void {
  switch (message.type) {
    case "snapshot":
      return snapshot(message);
    case "observations": {
      const state = current(message.unit);
      if (state && counts(message, state))
        pending.set(state.id, {
          ...state,
          latest: withObservations(state.latest, message),
          by_device: withDevice(state.by_device ?? {}, message),
        });
      return;
    }
    case "unit": {
      const known = kept(current(message.unit.id), message.unit);
      pending.set(message.unit.id, {
        ...message.unit,
        latest: withLatest(known?.latest ?? {}, message.unit.latest),
        by_device: withDevices(known?.by_device ?? {}, message.unit.by_device ?? {}),
      });
      return;
    }
    case "alert":
      return mergeAlert(message.alert);
    case "event":
      keepState(message);
      keepTold(message);
      if (!CHATTER.has(message.name)) events.value = [...events.peek().slice(1 - RECENT_EVENTS), message];
      return;
    case "command":
      return mergeCommand(message.command);
    case "dropped": {
      const lost = (droppedFrames.peek().get(message.unit) ?? 0) + message.frames;
      droppedFrames.value = new Map(droppedFrames.peek()).set(message.unit, lost);
      return;
    }
    case "notification":
      return keepNotice(message.notification);
    case "tick":
      canaryAt.value = message.canary_at ?? null;
      return heard(message.now, message.lag_us);
  }
}

/** Takes one binary message; a bad one is counted and shown, never drawn. */
export function foldFrame(buffer: ArrayBuffer): void {
  try {
    pushFrame(parseFrame(buffer), localSeconds());
  } catch (error) {
    badFrames.value++;
    console.warn("waveform frame refused:", error);
  }
}

/** Forgets everything (after signing out). */
export function forget(): void {
  batch(() => {
    units.clear();
    pending.clear();
    unitIds.value = [];
    alerts.value = new Map();
    events.value = [];
    states.value = new Map();
    lying.value = new Map();
    commands.value = new Map();
    notices.value = [];
    canaryAt.value = undefined;
    received.value = false;
    heardAt = null;
    hearing.value = { heardAt: null, open: false, latency: 0, behind: 0, offset: 0 };
  });
}
