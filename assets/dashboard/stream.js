// The stream of events: rows in the colours of the terminal's pane, filters, pause, details.
//
// What arrives waits until the next frame and is put in at once: one change of the document and one layout a frame,
// however much happens. Rows that left the screen are not laid out (`content-visibility` in style.css).

import { byId, clean, el, setText } from "./dom.js";
import { describe, GROUPS } from "./lines.js";

const ROWS_MAX = 2_000;
const DETAIL_CHARS_MAX = 40_000;
const SERVERS_MAX = 100;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** `[14:30:25]` by this machine's clock. */
function stamp(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? "[--:--:--]" : `[${clock.format(at)}]`;
}

/** A filter as the pane reads it: `type:… server:… status:…`, all else is text to look for. */
function parsed(text) {
  const filter = { types: [], server: "", status: "", words: [] };
  for (const word of text.toLowerCase().split(/\s+/).filter(Boolean)) {
    const [, name, value] = /^(type|server|status):(.*)$/.exec(word) ?? [];
    if (name === "type") filter.types.push(...value.split(",").filter(Boolean));
    else if (name) filter[name] = value;
    else filter.words.push(word);
  }
  return filter;
}

export class Stream {
  #list = byId("stream");
  #row = byId("row").content.firstElementChild;
  #filter = parsed("");
  #server = "";
  #off = new Set();
  #errorsOnly = false;
  #servers = new Set();
  /** Rows of the document, oldest first: `{event, line, node, words}`. */
  #rows = [];
  /** What arrived since the last frame, or since the pause. */
  #waiting = [];
  #frame = 0;
  #paused = false;
  #following = true;
  #top = 0;
  #unseen = 0;
  #shown = 0;
  #lost = 0;

  constructor() {
    this.#chips();
    byId("filter").addEventListener("input", ({ target }) => this.#refilter(() => (this.#filter = parsed(target.value))));
    byId("server").addEventListener("change", ({ target }) => this.#refilter(() => (this.#server = target.value)));
    byId("pause").addEventListener("click", () => this.pause());
    byId("follow").addEventListener("click", () => this.follow());
    this.#list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#stick()).observe(this.#list);
    this.#list.addEventListener("click", ({ target }) => this.#toggle(target.closest("li.event > button")));
    this.#list.addEventListener("keydown", (press) => this.#key(press));
    this.#list.addEventListener("focusin", ({ target }) => target.matches("li.event > button") && this.#rove(target));
    document.addEventListener("visibilitychange", () => document.hidden || this.#schedule());
  }

  /** Takes an event in. Parts of an answer are the chat's. */
  push(event) {
    if (event.type === "chat" && /delta$/.test(event.data?.status ?? "")) return;
    this.#waiting.push(event);
    if (this.#waiting.length > ROWS_MAX * 2) {
      this.#waiting.splice(0, this.#waiting.length - ROWS_MAX);
      this.#lost += ROWS_MAX;
    }
    this.#schedule();
  }

  /** Forgets all rows: the log is another one. */
  reset() {
    this.#rows = [];
    this.#waiting = [];
    this.#shown = 0;
    this.#list.replaceChildren();
    this.#counted();
  }

  /** Holds the stream, or lets it go on; what arrived meanwhile comes then. */
  pause() {
    this.#paused = !this.#paused;
    byId("pause").setAttribute("aria-pressed", this.#paused);
    this.#schedule();
  }

  /** Shows errors only, or everything again. */
  errorsOnly() {
    this.#refilter(() => (this.#errorsOnly = !this.#errorsOnly));
    byId("kinds").querySelector(".chip-errors").setAttribute("aria-pressed", this.#errorsOnly);
  }

  /** Goes to the newest and stays there. */
  follow() {
    this.#following = true;
    this.#unseen = 0;
    this.#stick();
    this.#counted();
  }

  /** Gives the newest shown row the focus. */
  focus() {
    (this.#list.querySelector('button[tabindex="0"]') ?? this.#shownButtons().at(-1) ?? this.#list).focus();
  }

  #chips() {
    const chips = GROUPS.map(([kind, name]) => {
      const flip = ({ currentTarget }) => {
        const off = !this.#off.delete(kind) && this.#off.add(kind);
        currentTarget.setAttribute("aria-pressed", !off);
        this.#refilter(() => {});
      };
      return el(`button.chip.k-${kind}`, { type: "button", "aria-pressed": "true", "data-kind": kind, onclick: flip }, name);
    });
    const errors = { type: "button", "aria-pressed": "false", title: "Errors only (e)", onclick: () => this.errorsOnly() };
    byId("kinds").append(...chips, el("button.chip.chip-errors.k-error", errors, "errors only"));
  }

  #schedule() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#flush());
  }

  #flush() {
    this.#frame = 0;
    if (this.#paused || !this.#waiting.length) return this.#counted();
    const arrived = this.#waiting.length > ROWS_MAX ? this.#waiting.slice(-ROWS_MAX) : this.#waiting;
    this.#waiting = [];
    const fragment = document.createDocumentFragment();
    for (const event of arrived) {
      const row = this.#made(event);
      this.#rows.push(row);
      fragment.append(row.node);
      if (row.node.hidden) continue;
      this.#shown += 1;
      if (!this.#following) this.#unseen += 1;
    }
    this.#list.append(fragment);
    for (const { node } of this.#rows.splice(0, Math.max(0, this.#rows.length - ROWS_MAX))) {
      if (!node.hidden) this.#shown -= 1;
      node.remove();
    }
    this.#stick();
    this.#counted();
  }

  /** Stays at the newest. Rows that come into sight may turn out higher than was thought: then once more. */
  #stick() {
    if (!this.#following) return;
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#top = this.#list.scrollTop;
  }

  #made(event) {
    const line = describe(event);
    const node = this.#row.cloneNode(true);
    const [time, sign, text, tag, more] = node.firstElementChild.children;
    node.classList.add(`k-${line.kind}`);
    time.textContent = stamp(event.timestamp);
    sign.firstElementChild.setAttribute("href", `#i-${line.icon}`);
    text.textContent = line.text;
    tag.textContent = line.tag;
    more.textContent = line.detail;
    more.hidden = !line.detail;
    node.classList.toggle("two", line.detail !== "");
    const row = { event, line, node, words: `${line.tag} ${line.text} ${line.detail}`.toLowerCase() };
    node.row = row;
    node.hidden = !this.#accepts(row);
    if (line.server && !this.#servers.has(line.server) && this.#servers.size < SERVERS_MAX) this.#addServer(line.server);
    return row;
  }

  #addServer(name) {
    this.#servers.add(name);
    const select = byId("server");
    const at = [...select.options].slice(1).find((option) => option.value > name) ?? null;
    select.insertBefore(el("option", { value: name }, name), at);
  }

  #accepts({ event, line, words }) {
    if (this.#errorsOnly && !line.isError) return false;
    if (this.#off.size && this.#off.has(groupOf(line, event))) return false;
    if (this.#server && line.server !== this.#server) return false;
    const { types, server, status, words: wanted } = this.#filter;
    if (types.length && !types.some((name) => event.type.startsWith(name) || line.tag === name)) return false;
    if (server && !line.server.toLowerCase().includes(server)) return false;
    if (status && line.status !== status && !(status === "error" && line.isError)) return false;
    return wanted.every((word) => words.includes(word));
  }

  #refilter(change) {
    change();
    this.#shown = 0;
    for (const row of this.#rows) {
      row.node.hidden = !this.#accepts(row);
      if (!row.node.hidden) this.#shown += 1;
    }
    this.follow();
  }

  #counted() {
    const all = this.#rows.length;
    const waiting = this.#paused ? this.#waiting.length + this.#lost : 0;
    if (!this.#paused) this.#lost = 0;
    setText(byId("shown"), this.#shown === all ? `${all}` : `${this.#shown} of ${all}`);
    setText(byId("pause"), this.#paused ? `go on · ${waiting} new` : "pause");
    byId("follow").hidden = this.#following;
    setText(byId("follow-text"), this.#unseen ? `${this.#unseen} new` : "newest");
    byId("events").classList.toggle("paused", this.#paused);
    byId("events").classList.toggle("nothing", all > 0 && this.#shown === 0);
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    const atEnd = scrollTop + clientHeight >= scrollHeight - 8;
    // Only a person goes up: away from the end without that, rows have grown.
    const left = !atEnd && scrollTop < this.#top - 4;
    this.#top = scrollTop;
    if (atEnd === this.#following) return;
    if (!atEnd && !left) return this.#stick();
    this.#following = atEnd;
    if (atEnd) this.#unseen = 0;
    this.#counted();
  }

  #toggle(button) {
    if (!button) return;
    const node = button.parentElement;
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", open);
    node.querySelector(".whole")?.remove();
    if (!open) return;
    const json = clean(JSON.stringify(node.row.event, null, 2));
    const cut = json.length > DETAIL_CHARS_MAX;
    const copy = el("button.small", { type: "button", onclick: () => copied(json, copy) }, "copy");
    const text = cut ? `${json.slice(0, DETAIL_CHARS_MAX)}\n… ${json.length - DETAIL_CHARS_MAX} more characters` : json;
    node.append(el("div.whole", {}, el("pre", { tabindex: "0" }, text), copy));
  }

  #shownButtons() {
    return this.#rows.filter(({ node }) => !node.hidden).map(({ node }) => node.firstElementChild);
  }

  #rove(button) {
    this.#list.querySelector('li.event > button[tabindex="0"]')?.setAttribute("tabindex", "-1");
    button.setAttribute("tabindex", "0");
  }

  #key(press) {
    const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };
    if (!(press.key in steps) || press.ctrlKey || press.metaKey || press.altKey || press.target.matches("pre")) return;
    press.preventDefault();
    const buttons = this.#shownButtons();
    const at = buttons.indexOf(press.target.closest("li.event")?.firstElementChild);
    const from = at < 0 ? buttons.length : at;
    buttons[Math.max(0, Math.min(buttons.length - 1, from + steps[press.key]))]?.focus();
  }
}

/** An error belongs to the group of its type, so that hiding tools hides their errors too. */
function groupOf(line, event) {
  const tag = { tool_execution: "tool", handoff_call: "handoff", mcp_event: "mcp", task_event: "task", notification: "notice", chat: "chat", turn_event: "turn" }[event.type];
  return GROUPS.find(([, , tags]) => tags.includes(tag ?? line.tag))?.[0] ?? "custom";
}

async function copied(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    button.textContent = "the browser does not allow it";
  }
}
