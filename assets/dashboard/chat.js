// The chat: one conversation over `POST /chat/stream`, tool calls, a stop button.

import { command, send, serverSent } from "./api.js";
import { byId, clean, el, icon, line } from "./dom.js";
import { failure } from "./lines.js";
import { markdown } from "./markdown.js";

const SUGGESTIONS = ["What is 17% of 2340?", "What time is it in Tokyo?", "Which background tasks do I have?"];

/** Answers longer than this are drawn anew only now and then while they grow. */
const LONG_CHARS = 20_000;
const LONG_PAUSE_MS = 250;

const RESULT_CHARS_MAX = 20_000;

export class Chat {
  #talk = byId("talk");
  #prompt = byId("prompt");
  #session = null;
  /** The running request: `{abort, text}`. */
  #running = null;

  constructor() {
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#prompt.addEventListener("keydown", (press) => {
      if (press.key !== "Enter" || press.shiftKey || press.isComposing) return;
      press.preventDefault();
      this.#submit();
    });
    this.#prompt.addEventListener("input", () => this.#grow());
    byId("stop").addEventListener("click", () => this.stop());
    byId("chat-new").addEventListener("click", () => this.#anew());
    this.#anew();
  }

  /** Stops what is being answered. */
  stop() {
    if (!this.#running) return;
    this.#running.abort.abort();
    // The end of the connection stops it too; this does so at once where the conversation is known.
    if (this.#session) command({ interrupt: { session: this.#session } }).catch(() => {});
  }

  /** Follows the feed: only there it stands which conversation the server made, until the answer is whole. */
  take({ type, data, session }) {
    if (!this.#running || this.#session || type !== "chat" || data?.role !== "user") return;
    if (data.text === this.#running.text) this.#session = session ?? null;
  }

  /** Puts a question between the messages. */
  ask(node) {
    this.#add(node);
  }

  #anew() {
    this.stop();
    this.#session = null;
    const suggest = (text) => el("button.small", { type: "button", onclick: () => this.#say(text) }, text);
    const hello = el("div.hello", {}, el("p", {}, "Ask something, or begin with one of these:"), ...SUGGESTIONS.map(suggest));
    this.#talk.replaceChildren(hello);
    if (matchMedia("(hover: hover)").matches && document.activeElement === byId("chat-new")) this.#prompt.focus();
  }

  #grow() {
    this.#prompt.style.height = "auto";
    this.#prompt.style.height = `${Math.min(this.#prompt.scrollHeight, 200)}px`;
  }

  #submit() {
    const text = this.#prompt.value.trim();
    if (!text || this.#running) return;
    this.#prompt.value = "";
    this.#grow();
    this.#say(text);
  }

  #add(node) {
    const { scrollTop, scrollHeight, clientHeight } = this.#talk;
    const following = scrollTop + clientHeight >= scrollHeight - 40;
    this.#talk.append(node);
    if (following) this.#talk.scrollTop = this.#talk.scrollHeight;
  }

  async #say(text) {
    if (this.#running) return;
    this.#talk.querySelector(".hello")?.remove();
    this.#add(el("article.you", {}, el("h3", {}, "you"), el("div.prose.asked", {}, clean(text))));
    const answer = new Answer(this.#talk);
    this.#add(answer.node);
    this.#talk.scrollTop = this.#talk.scrollHeight;
    const abort = new AbortController();
    this.#running = { abort, text };
    this.#busy(true);
    try {
      await this.#read(text, answer, abort.signal);
    } catch (error) {
      if (abort.signal.aborted) answer.end("stopped");
      else answer.fail(error instanceof TypeError ? "the connection broke off; what became of it is among the events" : error.message);
    } finally {
      if (this.#running?.abort === abort) {
        this.#running = null;
        this.#busy(false);
      }
    }
  }

  async #read(text, answer, signal) {
    const body = { messages: [{ role: "user", content: text }] };
    if (this.#session) body.session_id = this.#session;
    const response = await send("POST", "/chat/stream", { body, accept: "text/event-stream", signal });
    for await (const { event, data } of serverSent(response)) {
      const value = JSON.parse(data);
      if (event === "delta") answer.delta(value.content ?? "");
      else if (event === "tool_execution") answer.call(value);
      else if (event === "handoff_call") answer.handoff(value);
      else if (event === "error") answer.trouble(value.detail ?? value.title ?? "it failed");
      else if (event === "done") {
        this.#session = value.session_id ?? this.#session;
        answer.done(value);
      }
    }
    answer.end("");
  }

  #busy(busy) {
    byId("send").hidden = busy;
    byId("stop").hidden = !busy;
    // Screen readers hear the answer when it is whole.
    this.#talk.setAttribute("aria-busy", busy);
  }
}

/** One answer of the agent while it comes in. */
class Answer {
  #talk;
  #prose = null;
  #text = "";
  #frame = 0;
  #drawn = 0;
  #calls = new Map();
  #ended = false;

  constructor(talk) {
    this.#talk = talk;
    this.body = el("div.body");
    this.wait = el("p.wait", {}, el("i.pulse", { "aria-hidden": "true" }), "working");
    this.node = el("article.agent", {}, el("h3", {}, "agent"), this.body, this.wait);
  }

  /** More of the text. */
  delta(content) {
    this.#text += content;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  /** A tool call, by its id: started, then its end. */
  call(data) {
    const name = `${line(data.service_name, 60)} · `;
    const given = Object.values(data.arguments ?? {}).map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
    const head = el("summary", {}, icon({ started: "start", error: "fail" }[data.status] ?? "ok"), el("span.dim", {}, name), el("b", {}, line(data.tool_name, 60)), el("span.dim.args", {}, line(given.join(" "), 160)));
    if (data.duration_ms !== undefined) head.append(el("span.dim.took", {}, `${data.duration_ms} ms`));
    const result = data.status === "error" ? failure(data.error ?? "") : (data.result?.text ?? data.result ?? "");
    const shown = clean(typeof result === "string" ? result : JSON.stringify(result, null, 2)).slice(0, RESULT_CHARS_MAX);
    const body = el("pre", { tabindex: "0" }, `${clean(JSON.stringify(data.arguments ?? {}, null, 2))}${shown ? `\n\n${shown}` : ""}`);
    this.#put(data.call_id, el(`details.call.${data.status}`, {}, head, body));
  }

  /** A task handed over to another agent. */
  handoff(data) {
    const state = { started: "start", error: "fail" }[data.status] ?? "handoff";
    const words = data.status === "error" ? ` ${line(data.error ?? "", 160)}` : "";
    this.#put(data.call_id, el(`p.call.handoff.${data.status}`, {}, icon(state), el("b", {}, line(data.service_name, 60)), words));
  }

  /** The whole answer: it stands for what was streamed. */
  done(value) {
    const content = value.message?.content ?? "";
    if (content && !this.body.querySelector(".prose") && !this.#text) this.#text = content;
    const usage = value.usage ?? {};
    const tokens = (usage.input_tokens ?? usage.prompt_tokens ?? 0) + (usage.output_tokens ?? usage.completion_tokens ?? 0);
    this.end(tokens ? `${tokens.toLocaleString()} tokens` : "");
  }

  /** Something went wrong; the answer may go on. */
  trouble(message) {
    this.#part();
    this.body.append(el("p.wrong", { role: "alert" }, icon("fail"), " ", line(message, 600)));
    this.#follow();
  }

  /** It broke off. */
  fail(message) {
    this.end("");
    this.trouble(message);
  }

  /** Nothing comes any more. */
  end(words) {
    if (this.#ended) return;
    this.#ended = true;
    cancelAnimationFrame(this.#frame);
    this.#draw(true);
    this.wait.replaceChildren(words);
    this.wait.classList.add("over");
    this.wait.hidden = !words;
    this.#follow();
  }

  #put(id, node) {
    const before = this.#calls.get(id);
    node.open = before?.open ?? false;
    this.#calls.set(id, node);
    if (before) return before.replaceWith(node);
    this.#part();
    this.body.append(node);
    this.#follow();
  }

  /** What comes now is a part of its own. */
  #part() {
    cancelAnimationFrame(this.#frame);
    this.#draw(true);
    [this.#prose, this.#text] = [null, ""];
  }

  #draw(now = false) {
    this.#frame = 0;
    if (!this.#text.trim()) return;
    const wait = this.#text.length > LONG_CHARS && !now ? LONG_PAUSE_MS - (performance.now() - this.#drawn) : 0;
    if (wait > 0) {
      setTimeout(() => this.#frame || (this.#frame = requestAnimationFrame(() => this.#draw())), wait);
      return;
    }
    this.#drawn = performance.now();
    if (!this.#prose) this.body.append((this.#prose = el("div.prose")));
    this.#prose.replaceChildren(markdown(this.#text));
    this.#follow();
  }

  #follow() {
    const { scrollTop, scrollHeight, clientHeight } = this.#talk;
    if (scrollTop + clientHeight >= scrollHeight - 160) this.#talk.scrollTop = this.#talk.scrollHeight;
  }
}
