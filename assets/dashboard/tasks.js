// The panel of background tasks: countdowns, last results, actions.

import { json } from "./api.js";
import { byId, clean, confirmed, el, icon, line, note, reconcile, setText } from "./dom.js";
import { moment, tick } from "./when.js";

const path = (task, action) => `/api/v2/tasks/${encodeURIComponent(task.task_id)}${action ? `/${action}` : ""}?user_id=admin`;

/** Tasks by what comes next; those that rest last. */
function order(a, b) {
  const next = (task) => (task.next_check ? new Date(task.next_check).getTime() : Infinity);
  return next(a) - next(b) || String(a.description).localeCompare(String(b.description));
}

export class Tasks {
  #list = byId("task-list");
  #open = new Set();

  /** Reads the tasks anew. */
  async refresh() {
    const { tasks } = (await json("GET", "/api/v2/tasks?user_id=admin")).data;
    tasks.sort(order);
    reconcile(this.#list, tasks, (task) => task.task_id, (task) => this.#card(task), "no tasks yet: make one, or ask in the chat");
    const active = tasks.filter(({ status }) => status === "active").length;
    setText(byId("tasks-count"), tasks.length ? `${active} of ${tasks.length} active` : "");
    tick();
  }

  #card(task) {
    const resting = task.status !== "active";
    const next = !resting && task.next_check;
    const title = el("h3", {}, el(`i.dot.s-${task.status}`, { "aria-hidden": "true" }), line(task.description, 200));
    const when = next ? el("span.countdown", { "data-until": task.next_check, title: moment(task.next_check) }) : el(`span.state.s-${task.status}`, {}, task.status);
    const what = el("p.meta", {}, el("span.kind", {}, task.task_type), task.schedule ? ` · ${line(task.schedule, 120)}` : "", el("code.id", { title: task.task_id }, ` · ${task.task_id.slice(0, 8)}`));
    const reason = task.status_reason ?? task.last_result;
    const result = reason && el("p.meta.result", {}, task.last_check && !task.status_reason ? el("span", { "data-since": task.last_check }) : null, task.last_check && !task.status_reason ? ": " : "", line(reason, 200));
    const card = el("li.card", { class: `card s-${task.status}` }, el("div.head", {}, title, when), what, result || null, this.#actions(task));
    if (this.#open.has(task.task_id)) this.#details(card, task);
    return card;
  }

  #actions(task) {
    const act = (name, sign, label, run) =>
      el("button.small", { type: "button", "data-act": name, "aria-label": `${label}: ${line(task.description, 80)}`, onclick: run }, icon(sign), label);
    const rests = task.status !== "active";
    const buttons = [
      act("run", "start", "run", () => this.#do(task, "POST", "run", "asked for a run")),
      rests ? act("pause", "turn", "resume", () => this.#do(task, "POST", "resume", "resumed")) : act("pause", "pause", "pause", () => this.#do(task, "POST", "pause", "paused")),
      act("delete", "bin", "delete", () => this.#delete(task)),
      act("why", "why", "why", ({ currentTarget }) => this.#toggle(currentTarget.closest("li"), task)),
    ];
    return el("div.actions", {}, ...buttons);
  }

  async #do(task, method, action, done) {
    try {
      await json(method, path(task, action));
      note(`${done}: ${task.description}`);
      await this.refresh();
    } catch (error) {
      note(error.message, true);
    }
  }

  async #delete(task) {
    const text = `“${line(task.description, 200)}” will not run again. What it did stays in the log.`;
    if (await confirmed("Delete the task?", text, "Delete")) await this.#do(task, "DELETE", "", "deleted");
  }

  #toggle(card, task) {
    if (this.#open.delete(task.task_id)) return card.querySelector(".details")?.remove();
    this.#open.add(task.task_id);
    return this.#details(card, task);
  }

  /** What happened at its last run, step by step, and how it is set up. */
  async #details(card, task) {
    const box = el("div.details", {}, el("p.meta", {}, "looking"));
    card.append(box);
    try {
      const { why } = (await json("GET", path(task, "history"))).data;
      const steps = why.map((step) => el("li", {}, line(step, 400)));
      box.replaceChildren(el("ol.why", {}, ...(steps.length ? steps : [el("li", {}, "it has not run yet")])), el("pre", { tabindex: "0" }, clean(JSON.stringify(task.config, null, 2))));
    } catch (error) {
      box.replaceChildren(el("p.wrong", {}, error.message));
    }
  }
}
