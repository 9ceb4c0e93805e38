/** What a person does: sign in and out, acknowledge. Nothing here is optimistic: screens show the gateway's answer. */
import { batch, signal } from "@preact/signals";
import * as http from "../feed/http";
import { Refusal } from "../feed/http";
import type { Alert } from "../feed/types";
import { localUs } from "../time";
import { about, forget, mergeAlert, session } from "./store";

/** Acknowledging a high alert needs the person known within this time. */
export const KNOWN_FOR = 5 * 60 * 1_000_000; // us
const KNOWN_AT = "lastmile.identified-at";

export const selectedAlert = signal<string | null>(null);
export const sending = signal<ReadonlySet<string>>(new Set());
export const refusals = signal<ReadonlyMap<string, Refusal>>(new Map());
/** The high alert that waits for the person to say who they are. */
export const asking = signal<string | null>(null);
/** The high alert a first press of A has selected: the second acknowledges it. */
export const armed = signal<string | null>(null);

const identified = (): void => sessionStorage.setItem(KNOWN_AT, String(localUs()));
export function isKnown(at: number): boolean {
  return at - Number(sessionStorage.getItem(KNOWN_AT) ?? 0) < KNOWN_FOR;
}

export async function loadAbout(): Promise<void> {
  about.value = await http.getAbout();
}

/** Asks who is signed in; false when nobody is. Other failures are thrown. */
export async function loadSession(): Promise<boolean> {
  try {
    session.value = await http.getSession();
    return true;
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 401) throw error;
    session.value = null;
    return false;
  }
}

export async function signIn(username: string, password: string): Promise<void> {
  await http.signIn(username, password);
  identified();
  await loadSession();
}

/** Replaces a password that had to be changed; the gateway opens a new session. */
export async function changePassword(password: string, next: string): Promise<void> {
  await http.changePassword(password, next);
  identified();
  await loadSession();
}

export async function signOut(): Promise<void> {
  await http.signOut();
  sessionStorage.removeItem(KNOWN_AT);
  session.value = null;
  asking.value = armed.value = selectedAlert.value = null;
  forget();
}

function without<T>(map: ReadonlyMap<string, T>, key: string): Map<string, T> {
  const out = new Map(map);
  out.delete(key);
  return out;
}

export function dismissRefusal(id: string): void {
  refusals.value = without(refusals.value, id);
}

/** Acknowledges through a control of the alert's own row: pressing it selects the alert. */
export function pressAcknowledge(alert: Alert): void {
  const id = String(alert.id);
  selectedAlert.value = id;
  armed.value = null;
  if (sending.peek().has(id)) return;
  if (alert.priority === "high" && !isKnown(localUs())) asking.value = id;
  else void send(alert);
}

/** Acknowledges by key: a high alert is selected by the first press and acknowledged by the second. */
export function keyAcknowledge(alert: Alert): void {
  const id = String(alert.id);
  if (alert.priority !== "high" || armed.peek() === id) return pressAcknowledge(alert);
  selectedAlert.value = armed.value = id;
}

/** Proves who is there, then acknowledges. Throws the Refusal of a wrong password. */
export async function identifyAndAcknowledge(alert: Alert, password: string): Promise<void> {
  await http.signIn(session.peek()?.username ?? "", password);
  identified();
  asking.value = null;
  await send(alert);
}

async function send(alert: Alert): Promise<void> {
  const id = String(alert.id);
  batch(() => {
    sending.value = new Set(sending.peek()).add(id);
    refusals.value = without(refusals.peek(), id);
  });
  try {
    mergeAlert(await http.acknowledge(alert.id));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 409) await lookAgain(id);
    refused(id, error);
  } finally {
    const rest = new Set(sending.peek());
    rest.delete(id);
    sending.value = rest;
  }
}

/** Somebody else was first: the alert itself says who. */
async function lookAgain(id: string): Promise<void> {
  try {
    mergeAlert(await http.getAlert(id));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the refusal is told all the same
  }
}

function refused(id: string, refusal: Refusal): void {
  if (refusal.status === 401) session.value = null;
  else if (refusal.reason === "identify-again") asking.value = id;
  else refusals.value = new Map(refusals.peek()).set(id, refusal);
}
