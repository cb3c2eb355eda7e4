// The live feed over WebSocket: resumes where it stopped, with growing delays between tries.

import { json, token } from "./api.js";

const DELAY_MS = 500;
const DELAY_MAX_MS = 30_000;
/** Stored events that are shown at the start. */
const HISTORY = 300;

/**
 * Hands each event to `onEvent` once and in order, and says how the connection stands by `onState(state, text)`:
 * `connecting`, `live`, `waiting`. `onReset` is called where the server has another log than before.
 */
export class Feed {
  #handlers;
  #since = null;
  #epoch = null;
  #tries = 0;
  #socket = null;
  #timer = null;

  constructor(handlers) {
    this.#handlers = handlers;
    addEventListener("online", () => this.#now());
    document.addEventListener("visibilitychange", () => document.hidden || this.#now());
  }

  /** Reads what was, then goes live. */
  async start() {
    try {
      const { events, epoch } = await json("GET", `/events?limit=${HISTORY}`);
      for (const event of events.reverse()) this.#take(event);
      this.#epoch = epoch;
    } catch {
      // It is not there yet: the connection says so and goes on trying.
    }
    this.#connect();
  }

  #url() {
    const url = new URL("/ws/mcplog", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.#since !== null) url.searchParams.set("since", this.#since);
    if (this.#epoch !== null) url.searchParams.set("epoch", this.#epoch);
    // Browsers cannot set headers on a WebSocket.
    if (token()) url.searchParams.set("token", token());
    return url;
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#handlers.onState("connecting", this.#tries ? `connecting again (${this.#tries})` : "connecting");
    const socket = new WebSocket(this.#url());
    this.#socket = socket;
    let opened = false;
    socket.addEventListener("message", ({ data }) => {
      const event = parsed(data);
      if (event === null || socket !== this.#socket) return;
      if (event.type === "connection_ack" && opened) {
        // A later one says that frames were lost: they are in the log.
        if (event.data?.dropped > 0) this.#again();
        return;
      }
      if (event.type === "connection_ack") {
        opened = true;
        this.#tries = 0;
        this.#acknowledge(event);
      }
      this.#take(event);
    });
    socket.addEventListener("close", () => this.#closed(socket, opened));
  }

  #acknowledge(event) {
    const epoch = event.data?.epoch ?? null;
    if (this.#epoch !== null && epoch !== this.#epoch) {
      this.#since = null;
      this.#handlers.onReset();
    }
    this.#epoch = epoch;
    this.#handlers.onState("live", "live");
  }

  #take(event) {
    if (typeof event.seq === "number") {
      if (this.#since !== null && event.seq <= this.#since) return;
      this.#since = event.seq;
    }
    this.#handlers.onEvent(event);
  }

  async #closed(socket, opened) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    const delay = Math.min(DELAY_MAX_MS, DELAY_MS * 2 ** this.#tries) * (0.75 + Math.random() / 2);
    this.#tries += 1;
    this.#handlers.onState("waiting", `away; next try in ${Math.max(1, Math.round(delay / 1_000))} s`);
    this.#timer = setTimeout(() => this.#connect(), delay);
    // A browser does not say why a WebSocket was refused: an ordinary request finds out whether it was for the token.
    if (opened) return;
    try {
      await json("GET", "/api/v2/status");
    } catch {
      return;
    }
    if (this.#timer !== null && this.#tries <= 2) this.#now();
  }

  /** Closes and connects at once: what was lost is replayed. */
  #again() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#connect();
  }

  #now() {
    if (this.#timer !== null) this.#connect();
  }
}

function parsed(text) {
  try {
    const event = JSON.parse(text);
    return event && typeof event.type === "string" ? event : null;
  } catch {
    return null;
  }
}
