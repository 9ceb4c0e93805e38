/** The live feed's connection: opens, resumes from the last id, comes back by itself. One socket, one timer. */
import { backoff } from "./backoff";
import type { Message } from "./types";

/** A connected socket that says nothing for this long is taken for dead (ticks come every second). */
const DEAD_AFTER = 4_000; // ms

export interface FeedListener {
  message(message: Message): void;
  frame(buffer: ArrayBuffer): void;
  lost(): void;
  /** Asked after a failed attempt: false = the session is over, stop trying. */
  allowed(): Promise<boolean>;
}

export class Feed {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private lastId: number | null = null;
  private waves: readonly string[] = [];
  private heard: { board: boolean; silentSince: number | null } = { board: false, silentSince: null };
  private stopped = true;

  constructor(private readonly listener: FeedListener) {}

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.attempt = 0;
    this.lastId = null;
    this.open();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
  }

  /** Asks for the waveforms of these units (and no others) from now on. */
  watch(units: readonly string[]): void {
    if (units.length === this.waves.length && units.every((u) => this.waves.includes(u))) return;
    this.waves = [...units];
    if (this.socket?.readyState === WebSocket.OPEN) this.subscribe(this.socket);
  }

  /** Says whether this screen is a board, and since when (local ms) it has made no sound; null = it sounds. */
  sound(board: boolean, silentSince: number | null): void {
    this.heard = { board, silentSince };
    if (this.socket?.readyState === WebSocket.OPEN) this.tellSound(this.socket);
  }

  private open(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/live`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.subscribe(socket);
      this.tellSound(socket);
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.take(event.data);
    socket.onclose = () => this.closed(socket);
    this.guard(socket);
  }

  private subscribe(socket: WebSocket): void {
    socket.send(JSON.stringify({ type: "subscribe", units: ["*"], waves: this.waves, since: this.lastId }));
  }

  private tellSound(socket: WebSocket): void {
    const { board, silentSince } = this.heard;
    const silent_ms = silentSince === null ? null : Math.max(0, Math.round(Date.now() - silentSince));
    socket.send(JSON.stringify({ type: "sound", board, silent_ms }));
  }

  private take(data: string | ArrayBuffer): void {
    if (this.socket) this.guard(this.socket);
    this.attempt = 0;
    if (data instanceof ArrayBuffer) return this.listener.frame(data);
    const message = JSON.parse(data) as Message;
    if ("id" in message) {
      const repeated = message.type !== "snapshot" && this.lastId !== null && message.id <= this.lastId;
      if (repeated) return;
      this.lastId = message.id;
    }
    this.listener.message(message);
  }

  /** Starts the silence timer again. */
  private guard(socket: WebSocket): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      socket.close();
      this.closed(socket); // a half-open socket may take minutes to say it closed
    }, DEAD_AFTER);
  }

  private closed(socket: WebSocket): void {
    if (this.socket !== socket || this.stopped) return;
    this.socket = null;
    socket.onmessage = socket.onclose = null;
    this.listener.lost();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.again(), backoff(this.attempt++, Math.random()));
  }

  private async again(): Promise<void> {
    const allowed = await this.listener.allowed();
    if (this.stopped) return;
    if (allowed) this.open();
    else this.stop();
  }
}
