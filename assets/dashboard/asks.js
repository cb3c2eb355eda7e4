// What waits for a person: consent to a tool call, questions of servers. Shown in the chat until somebody answered.

import { command } from "./api.js";
import { clean, el, icon, line, note, safeUrl } from "./dom.js";

const SHOWN_MAX = 8;

export class Asks {
  #chat;
  #open = new Map();

  constructor(chat) {
    this.#chat = chat;
  }

  /** Follows the feed. */
  take({ type, data, session }) {
    if (type === "approval_event") {
      if (data.status === "requested") this.#show(data.call_id, session, consent(data, (decision) => this.#decide(session, data.call_id, decision)));
      else this.#close(data.call_id);
    } else if (type === "question_event") {
      if (data.status === "asked") this.#show(data.question.id, null, question(data.question, (reply) => this.#tell({ reply: { question: data.question.id, reply } })));
      else this.#close(data.question_id);
    } else if (type === "turn_event" && data.event_type === "finished" && !data.parent) {
      // Nobody waits for these any more.
      for (const [id, open] of this.#open) if (open.session === session) this.#close(id);
    }
  }

  #show(id, session, node) {
    this.#close(id);
    if (this.#open.size >= SHOWN_MAX) this.#close(this.#open.keys().next().value);
    this.#open.set(id, { node, session });
    this.#chat.ask(node);
  }

  #close(id) {
    this.#open.get(id)?.node.remove();
    this.#open.delete(id);
  }

  #decide(session, call_id, decision) {
    return this.#tell({ decide: { session, call_id, decision } });
  }

  async #tell(wanted) {
    try {
      await command(wanted);
    } catch (error) {
      note(error.message, true);
    }
  }
}

function card(title, text, body, buttons) {
  return el("article.ask", { role: "group", "aria-label": title }, el("h3", {}, icon("ask"), title), text && el("p", {}, text), body && el("pre", { tabindex: "0" }, body), el("div.actions", {}, ...buttons));
}

const button = (label, run, main) => el(main ? "button.small.main" : "button.small", { type: "button", onclick: run }, label);

function consent(data, decide) {
  const body = data.preview ?? JSON.stringify(data.arguments ?? {}, null, 2);
  const allow = (scope) => () => decide({ allow: { scope } });
  return card(`${line(data.service_name, 60)} · ${line(data.tool_name, 60)}`, line(data.reason ?? "", 300), clean(body), [
    button("allow once", allow("once"), !data.dangerous),
    button("allow in this conversation", allow("session")),
    button("refuse", () => decide({ refuse: { instead: null } }), data.dangerous),
  ]);
}

function question(asked, reply) {
  const title = `${line(asked.server, 60)} asks`;
  const decline = button("decline", () => reply({ action: "decline" }));
  const accept = (label) => button(label, () => reply({ action: "accept", values: {} }), true);
  if (asked.ask === "form" && asked.fields?.length) return card(title, `${line(asked.message, 400)} (to be filled in in the terminal)`, null, [decline]);
  if (asked.ask === "url") {
    const href = safeUrl(asked.url);
    const open = href && el("a", { href, target: "_blank", rel: "noopener noreferrer", onclick: () => reply({ action: "accept", values: {} }) }, "open it");
    return card(title, `${line(asked.message, 400)} ${line(asked.url, 300)}`, null, [open || "", decline]);
  }
  const body = { sampling: asked.messages?.map(({ role, text }) => `${role}: ${text}`).join("\n"), first_run: asked.command, tools_changed: asked.tools?.map(({ diff }) => diff).join("\n") }[asked.ask];
  const text = { sampling: `to use ${line(asked.model ?? "", 80)}`, first_run: "to be started for the first time", tools_changed: "to go on with tools that changed" }[asked.ask] ?? line(asked.message ?? "", 400);
  return card(title, text, body ? clean(body).slice(0, 8_000) : null, [accept("accept"), decline]);
}
