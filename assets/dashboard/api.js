// The public HTTP API as the page uses it: tokens, problems (RFC 9457), server-sent events.

import { byId } from "./dom.js";

const TOKEN = "wakeful.token";

/** What the server refused, with its own words. `errors` names fields (`{pointer, detail}`). */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.errors = Array.isArray(problem.errors) ? problem.errors : [];
  }
}

/** The token of this tab, or null. */
export function token() {
  return sessionStorage.getItem(TOKEN);
}

/** Takes a token over from the address (`/#token=…`), which servers never see, and removes it there. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname + location.search);
}

let asking = null;

/** Asks for a token, once however many requests were refused. */
export function askToken() {
  asking ??= new Promise((resolve) => {
    const dialog = byId("token-dialog");
    const input = byId("token");
    byId("token-wrong").hidden = token() === null;
    input.value = "";
    const closed = () => {
      // Escape is no answer: without a token there is nothing to show.
      if (!input.value) return dialog.showModal();
      dialog.removeEventListener("close", closed);
      sessionStorage.setItem(TOKEN, input.value.trim());
      asking = null;
      resolve();
    };
    dialog.addEventListener("close", closed);
    dialog.showModal();
  });
  return asking;
}

async function problem(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // A proxy's page is no problem document.
  }
  return new Problem(response.status, body ?? {});
}

/** Sends a request and gives the response when it is a good one. Asks for a token where one is needed. */
export async function send(method, path, { body, accept = "application/json", signal } = {}) {
  for (;;) {
    const used = token();
    const headers = { accept };
    if (used) headers.authorization = `Bearer ${used}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    const response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
    if (response.ok) return response;
    if (response.status !== 401) throw await problem(response);
    // Another request may have got a new one meanwhile.
    if (used === token()) await askToken();
  }
}

/** The same, read as JSON; null without a body. */
export async function json(method, path, body) {
  const response = await send(method, path, { body });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** Asks the program: one name for each of its questions. */
export async function query(name, args = {}) {
  return (await json("POST", "/api/v2/query", { query: name, args })).result;
}

/** Tells the program what is wanted. What comes of it is in the feed. */
export const command = (wanted) => json("POST", "/api/v2/commands", wanted);

/** The events of a stream of server-sent events as `{event, data}` (HTML standard, section 9.2.6). */
export async function* serverSent(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let [event, data] = ["message", []];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // A carriage return at the very end may be half of a line end: it waits for the next part.
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length) yield { event, data: data.join("\n") };
          [event, data] = ["message", []];
          continue;
        }
        const [, name, text] = /^([^:]*):? ?(.*)$/s.exec(line);
        if (name === "event") event = text;
        else if (name === "data") data.push(text);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
