// The servers whose tools the agent uses.

import { command, query } from "./api.js";
import { byId, el, icon, line, note, reconcile, setText } from "./dom.js";
import { tick } from "./when.js";

const WORDS = { connecting: "connecting", ready: "ready", failing: "tries again", failed: "failed", disabled: "disabled" };

function card(server) {
  const state = WORDS[server.state] ?? server.state;
  const tools = `${server.tools} ${server.tools === 1 ? "tool" : "tools"}`;
  const calls = server.calls ? ` · ${server.calls} ${server.calls === 1 ? "call" : "calls"}${server.failures ? `, ${server.failures} failed` : ""}` : "";
  const median = typeof server.p50_ms === "number" ? ` · ${server.p50_ms < 10 ? server.p50_ms.toFixed(1) : Math.round(server.p50_ms)} ms` : "";
  const head = el("div.head", {}, el("h3", {}, el(`i.dot.s-${server.state}`, { "aria-hidden": "true" }), line(server.name, 60)), el(`span.state.s-${server.state}`, {}, state));
  const meta = el("p.meta", { title: line(server.target, 400) }, `${line(server.transport, 30)} · ${tools}${calls}${median}`);
  const node = el("li.card", {}, head, meta);
  if (server.reason) {
    const again = server.retry_at ? [el("span", { "data-until": server.retry_at }), ": "] : [];
    node.append(el("p.meta.wrong", {}, ...again, line(server.reason, 300)));
  }
  if (server.transport !== "builtin") node.append(actions(server));
  return node;
}

function actions(server) {
  const act = (name, label, wanted) => {
    const onclick = () => command({ mcp: wanted }).catch((error) => note(error.message, true));
    return el("button.small", { type: "button", "data-act": name, "aria-label": `${label}: ${line(server.name, 60)}`, onclick }, icon(name === "restart" ? "turn" : "pause"), label);
  };
  const off = server.state === "disabled";
  return el("div.actions", {}, off ? null : act("restart", "connect anew", { restart: server.name }), off ? act("able", "enable", { enable: server.name }) : act("able", "disable", { disable: server.name }));
}

/** Reads the servers anew. */
export async function refreshServers() {
  const servers = await query("servers");
  reconcile(byId("server-list"), servers, (server) => server.name, card, "no servers: add one with `wakeful mcp add`");
  const ready = servers.filter(({ state }) => state === "ready").length;
  setText(byId("servers-count"), servers.length ? `${ready}/${servers.length} ready` : "");
  tick();
}
