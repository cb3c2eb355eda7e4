// The dashboard: puts the panels together and keeps them up to date. It speaks the public API only.

import { json, takeToken } from "./api.js";
import { Asks } from "./asks.js";
import { Chat } from "./chat.js";
import { byId, el, line, note, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { Inbox } from "./inbox.js";
import { refreshServers } from "./servers.js";
import { Stream } from "./stream.js";
import { taskForm } from "./task_form.js";
import { Tasks } from "./tasks.js";
import { tick } from "./when.js";

/** News of the feed within this time are read in one go. */
const SETTLE_MS = 250;
/** Everything is read anew this often, whatever the feed says. */
const REFRESH_MS = 60_000;

/** Calls `run` soon, once for any number of reasons, never twice at the same time. */
function soon(run) {
  let timer = null;
  let running = false;
  const go = async () => {
    timer = null;
    if (running) return again();
    running = true;
    try {
      await run();
    } catch (error) {
      console.warn(error.message);
    } finally {
      running = false;
    }
  };
  const again = () => {
    timer ??= setTimeout(go, SETTLE_MS);
  };
  return again;
}

const THEMES = ["auto", "dark", "light"];

function theme() {
  const root = document.documentElement;
  const show = () => {
    const now = root.dataset.theme ?? "auto";
    setText(byId("theme-text"), now);
    byId("theme").setAttribute("aria-label", `Colours: ${now}`);
  };
  const next = () => {
    const now = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
    if (now === "auto") delete root.dataset.theme;
    else root.dataset.theme = now;
    try {
      if (now === "auto") localStorage.removeItem("wakeful.theme");
      else localStorage.setItem("wakeful.theme", now);
    } catch {
      // Storage may be forbidden: it holds for this page then.
    }
    show();
  };
  byId("theme").addEventListener("click", next);
  show();
  return next;
}

const PANELS = ["chat", "events", "tasks", "inbox", "servers"];

function choose(panel) {
  document.body.dataset.panel = panel;
  for (const button of document.querySelectorAll(".tabs button")) {
    if (button.dataset.panel === panel) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

/** Keys: what they are, what they are for, what they do. */
function keys(stream, chat, nextTheme) {
  const go = (panel, focus) => () => {
    choose(panel);
    focus?.();
  };
  const rows = [
    ["/", "filter the events", go("events", () => byId("filter").focus())],
    ["m", "write a message", go("chat", () => byId("prompt").focus())],
    ["p", "pause the events, or go on", () => stream.pause()],
    ["e", "errors only, or everything", () => stream.errorsOnly()],
    ["g", "the newest event", () => (stream.follow(), stream.focus())],
    ["n", "a new task", go("tasks", () => byId("task-new").click())],
    ["s", "stop the answer", () => chat.stop()],
    ["t", "colours: as the system has them, dark, light", nextTheme],
    ...PANELS.map((panel, at) => [String(at + 1), panel, go(panel, () => byId(panel).querySelector("button, textarea, input")?.focus())]),
    ["?", "these keys", () => byId("keys-dialog").showModal()],
  ];
  byId("keys").append(...rows.flatMap(([key, help]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, help)]), el("dt", {}, el("kbd", {}, "↑ ↓")), el("dd", {}, "in the events: row by row; enter opens one"));
  document.addEventListener("keydown", (press) => {
    const { target, key } = press;
    if (press.ctrlKey || press.metaKey || press.altKey || document.querySelector("dialog[open]")) return;
    if (target.matches("input, textarea, select")) {
      if (key === "Escape") target.blur();
      return;
    }
    const act = rows.find(([name]) => name === key)?.[2];
    if (!act) return;
    press.preventDefault();
    act();
  });
  byId("keys-open").addEventListener("click", () => byId("keys-dialog").showModal());
}

/** Events a second, over the last three. */
function rate() {
  const counts = [0, 0, 0];
  setInterval(() => {
    const perSecond = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    setText(byId("rate"), perSecond >= 1 ? `${Math.round(perSecond)}/s` : "");
    counts.pop();
    counts.unshift(0);
  }, 1_000);
  return () => (counts[0] += 1);
}

async function about() {
  const status = await json("GET", "/api/v2/status");
  setText(byId("about"), line(status.version ?? "", 40));
  setText(byId("model"), line(status.default_model ?? "", 80));
}

function start() {
  takeToken();
  const [stream, chat, tasks, inbox] = [new Stream(), new Chat(), new Tasks(), new Inbox()];
  const asks = new Asks(chat);
  keys(stream, chat, theme());
  for (const button of document.querySelectorAll(".tabs button")) button.addEventListener("click", () => choose(button.dataset.panel));
  choose(document.body.dataset.panel);
  const fresh = { tasks: soon(() => tasks.refresh()), inbox: soon(() => inbox.refresh()), servers: soon(refreshServers), about: soon(about) };
  const all = () => Object.values(fresh).forEach((refresh) => refresh());
  taskForm(async () => fresh.tasks());
  const counted = rate();
  const news = {
    task_event: [fresh.tasks],
    inbox_event: [fresh.inbox],
    notification: [fresh.tasks],
    mcp_event: [fresh.servers],
    tool_execution: [fresh.servers],
  };
  let lively = false;
  const feed = new Feed({
    onEvent(event) {
      counted();
      stream.push(event);
      asks.take(event);
      chat.take(event);
      if (lively) news[event.type]?.forEach((refresh) => refresh());
    },
    onState(state, text) {
      byId("link").dataset.state = state;
      setText(byId("link-text"), text);
      lively = state === "live";
      if (lively) all();
    },
    onReset() {
      stream.reset();
      note("the server has another log now: the events begin anew");
    },
  });
  feed.start();
  setInterval(tick, 1_000);
  setInterval(() => document.hidden || !lively || all(), REFRESH_MS);
}

start();
