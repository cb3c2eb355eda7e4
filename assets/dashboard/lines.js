// How an event reads: the words of the terminal's pane, sign, type in few letters, colour.

import { line } from "./dom.js";

/** The groups by which the stream is filtered: name, what a person reads, and the tags in it. */
export const GROUPS = [
  ["tool", "tools", ["tool"]],
  ["handoff", "handoffs", ["handoff"]],
  ["mcp", "servers", ["mcp", "conn"]],
  ["task", "tasks", ["task"]],
  ["notification", "notices", ["notice", "inbox"]],
  ["chat", "chat", ["chat", "turn", "session", "ask"]],
  ["custom", "other", ["custom"]],
];

const SHORT_ID = 8;
const short = (id) => String(id ?? "").slice(0, SHORT_ID);
const after = (text) => (String(text ?? "").trim() ? `: ${String(text).trim()}` : "");
const seconds = (ms) => (ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`);

/** A result on one line: its text where it has one, else its JSON. */
function value(result) {
  if (result === null || result === undefined) return "";
  if (typeof result === "string") return result;
  return typeof result.text === "string" ? result.text : JSON.stringify(result);
}

/** Why a tool failed, for people: the sentence in an envelope `{"status":"error","error":"…"}` is what helps. */
export function failure(error) {
  try {
    const envelope = JSON.parse(error);
    if (envelope.status === "error" && typeof envelope.error === "string" && envelope.error.trim()) return envelope.error;
  } catch {
    // No envelope: the text itself.
  }
  return error;
}

const failed = (text, detail) => ["fail", "error", "error", text, detail];

function handoff(data) {
  const name = data.service_name;
  if (data.status === "error") return failed(`failed: ${name}`, data.error);
  if (data.status === "started") return ["start", "handoff", "handoff", `started: ${name}`];
  return ["handoff", "handoff", "handoff", `done: ${name}`, value(data.result)];
}

function tool(data) {
  const what = `${data.service_name}: ${data.tool_name}`;
  if (data.status === "error") return failed(what, failure(data.error));
  if (data.status === "started") return ["start", "tool", "tool", `started: ${what}`];
  const time = data.duration_ms === undefined ? "" : ` (${data.duration_ms} ms)`;
  return ["ok", "tool", "tool", what + time, value(data.result)];
}

const NAMES_MAX = 6;

function mcp(data) {
  const details = data.details ?? {};
  const names = () => {
    const tools = Array.isArray(details.tools) ? details.tools : [];
    const more = tools.length > NAMES_MAX ? ` and ${tools.length - NAMES_MAX} more` : "";
    return after(tools.slice(0, NAMES_MAX).join(", ") + more);
  };
  const count = (tools) => (typeof tools === "number" ? ` (${tools} ${tools === 1 ? "tool" : "tools"})` : "");
  const extra = {
    service_connected: () => count(details.tools),
    service_disconnected: () => after(details.reason),
    service_reconnecting: () => {
      const delay = typeof details.delay_ms === "number" ? ` in ${(details.delay_ms / 1_000).toFixed(1)} s` : "";
      return ` (attempt ${details.attempt}${delay})${after(details.reason)}`;
    },
    tool_registered: names,
    tool_unregistered: names,
    list_changed: () => after(details.list),
    log: () => after(`${details.level ?? ""} ${value(details.message)}`),
    progress: () => ` ${details.progress ?? ""}${details.total ? `/${details.total}` : ""}${after(details.message)}`,
    resource_updated: () => after(details.uri),
    trace: () => ` ${details.direction ?? ""} ${value(details.message)}`,
  }[data.event_type];
  return ["server", "mcp", "mcp", `${data.event_type}: ${data.service_name}${extra ? extra() : ""}`];
}

function chat(data) {
  const who = { user: "you", assistant: data.agent ?? "agent" }[data.role] ?? data.role;
  const state = { queued: " (queued)", withdrawn: " (taken back)", interrupted: " (interrupted)", failed: " (failed)" }[data.status] ?? "";
  const calls = data.tool_calls ?? [];
  const text = data.text || (calls.length ? `calls ${calls.map((call) => call.name).join(", ")}` : "");
  if (data.status === "failed") return failed(`${who}${state}: ${text}`, data.error);
  return ["chat", "chat", "chat", `${who}${state}: ${text}`, data.error];
}

const ENDS = { done: "done", interrupted: "interrupted", step_limit: "stopped at the step limit", failed: "failed", crashed: "cut off by the end of the program" };

function turn(data) {
  if (data.event_type === "started") return ["turn", "turn", "turn", `turn started:${data.agent ? ` ${data.agent}` : ""} ${data.model}`];
  if (data.event_type === "retrying") {
    return ["turn", "turn", "turn", `retry ${data.attempt} of ${data.attempts_max} in ${seconds(data.delay_ms)}`, data.reason];
  }
  const tokens = Object.entries(data.usage ?? {}).reduce((sum, [name, count]) => (/^(input|output|prompt|completion)_tokens$/.test(name) ? sum + count : sum), 0);
  const text = `turn ${ENDS[data.end] ?? data.end}: ${data.steps} ${data.steps === 1 ? "step" : "steps"}, ${seconds(data.duration_ms)}, ${tokens} tokens`;
  return data.end === "failed" ? failed(text, data.message) : ["turn", "turn", "turn", text, data.message];
}

function approval(data) {
  const what = { requested: "asks", granted: "allowed", refused: "refused" }[data.status] ?? data.status;
  return ["ask", "approval", "ask", `${what}: ${data.service_name} · ${data.tool_name}`, data.instead];
}

function asks(question) {
  const first = String(question.message ?? "").split("\n")[0];
  return {
    form: `asks: ${first}`,
    url: `asks to open ${question.url}`,
    sampling: `asks to use ${question.model}`,
    first_run: `is to be started for the first time: ${question.command}`,
    tools_changed: `changed its tools: ${(question.tools ?? []).map((change) => change.tool).join(", ")}`,
  }[question.ask] ?? `asks: ${question.ask}`;
}

function question(data) {
  if (data.status === "asked") return ["ask", "approval", "ask", `${data.question.server} ${asks(data.question)}`];
  const done = { accept: "accepted", decline: "declined", cancel: "closed without an answer" }[data.action] ?? data.action;
  return ["ask", "approval", "ask", `${data.server}: ${done}${data.by ? ` (${data.by})` : ""}`];
}

function session(data) {
  const text = {
    created: `session ${data.fork ? "forked" : "created"}: ${data.model}`,
    renamed: `session renamed: ${data.title}`,
    rewound: `rewound to ${data.to}`,
    compacted: "history replaced by a summary",
    model_set: `model: ${data.model}`,
    mode_set: `approvals: ${data.mode}`,
  }[data.event_type];
  return ["folder", "session", "session", text ?? data.event_type];
}

const TASK_WORDS = {
  task_created: (data) => `created ${data.spec?.task_type}: ${data.spec?.description}`,
  task_updated: (data) => `changed: ${(data.changed ?? []).join(", ")}`,
  task_paused: (data) => (data.reason ? `paused: ${data.reason}` : "paused"),
  task_resumed: () => "resumed",
  task_completed: (data) => `completed: ${data.reason}`,
  task_deleted: () => "deleted",
  run_finished: (data) => `${data.outcome}: ${data.reason}`,
  occurrences_skipped: (data) => `${data.outcome} x${data.count}: ${data.reason}`,
  checks_rolled_up: (data) => `${data.ran} quiet checks in an hour`,
  web_content_change: (data) => `page changed: ${data.title || data.url}`,
  scheduled_trigger: (data) => `due: ${data.description}`,
  daily_news_digest: (data) => `digest: ${data.description || data.digest_date}`,
  threshold_reached: (data) => `${data.metric}: ${data.value} passed ${data.threshold}`,
  firing_judged: (data) => `${data.decision}: ${data.reason}`,
  prompt_finished: (data) => (data.success ? "the agent answered" : "the agent could not answer"),
  feedback_given: (data) => (data.fewer ? "fewer like this" : "more like this"),
};

function task(data) {
  const inner = data.data ?? {};
  const words = TASK_WORDS[data.event_type]?.(inner) ?? data.event_type;
  const text = `${short(data.task_id)} ${words}`;
  const bad = (data.event_type === "run_finished" && inner.outcome === "failed") || (data.event_type === "task_paused" && inner.by_itself);
  return bad ? failed(text) : ["clock", "task", "task", text];
}

function notification(data) {
  const status = {
    queued: data.retry_at ? "waits" : "queued",
    sent: data.simulated ? "shown only (simulated)" : "sent",
    suppressed: "held back",
    unknown: "outcome unknown",
  }[data.status] ?? data.status;
  const text = `${data.channel} to ${data.to} ${status}: ${data.title}`;
  return ["failed", "unknown"].includes(data.status) ? failed(text, data.error) : ["bell", "notification", "notice", text, data.error];
}

function inbox(data) {
  const id = short(data.item_id);
  const text = {
    added: () => `inbox, ${data.item?.kind}: ${data.item?.title}`,
    read: () => `inbox: ${id} read`,
    unread: () => `inbox: ${id} unread again`,
    snoozed: () => `inbox: ${id} sleeps until ${data.until}`,
    archived: () => `inbox: ${id} archived`,
    answered: () => `inbox: ${id} answered: ${data.text}`,
  }[data.event_type];
  return ["bell", "notification", "inbox", text ? text() : `inbox: ${data.event_type}`];
}

function custom(data, type) {
  return data?.status === "error" ? failed(type, value(data)) : ["box", "custom", "custom", type, value(data)];
}

const SHAPES = {
  handoff_call: handoff,
  tool_execution: tool,
  mcp_event: mcp,
  error: (data) => failed(`${data.source}: ${data.message}`, data.details?.hint),
  chat,
  turn_event: turn,
  approval_event: approval,
  question_event: question,
  session_event: session,
  task_event: task,
  notification,
  inbox_event: inbox,
  connection_ack: () => ["link", "connection", "conn", "connected"],
};

/** The server, agent or part of the program that an event is about. */
function serverOf(type, data) {
  if (type === "task_event") return "tasks";
  if (type === "notification") return data.channel;
  if (type === "error") return data.source;
  return data?.service_name ?? data?.server ?? data?.question?.server ?? "";
}

/** `{icon, kind, tag, text, detail, isError, server, status}` of an event; kind is the colour's name. */
export function describe({ type, data }) {
  let parts;
  try {
    parts = (SHAPES[type] ?? custom)(data ?? {}, type);
  } catch {
    // A known type with the shape of another version.
    parts = custom(data, type);
  }
  const [icon, kind, tag, text, detail] = parts;
  return {
    icon,
    kind,
    tag,
    text: line(text ?? ""),
    detail: line(detail ?? ""),
    isError: kind === "error",
    server: line(serverOf(type, data ?? {}) ?? "", 80),
    status: typeof data?.status === "string" ? data.status : "",
  };
}
