// The inbox: what the tasks told and ask.

import { command, query } from "./api.js";
import { byId, el, icon, line, note, reconcile, safeUrl, setText } from "./dom.js";
import { markdown } from "./markdown.js";
import { tick } from "./when.js";

const KINDS = { told: "told", asks: "asks", trouble: "trouble", report: "report" };

export class Inbox {
  #list = byId("inbox-list");
  #open = new Set();

  /** Reads the entries anew. */
  async refresh() {
    const rows = await query("inbox", { filter: { limit: 100 } });
    reconcile(this.#list, rows, (row) => row.item_id, (row) => this.#card(row), "nothing: what the tasks tell and ask comes here");
    const unread = rows.filter((row) => row.unread).length;
    setText(byId("inbox-count"), rows.length ? `${unread} unread of ${rows.length}` : "");
    setText(byId("unread"), unread ? String(unread) : "");
    byId("unread").hidden = !unread;
    document.title = unread ? `(${unread}) wakeful` : "wakeful";
    tick();
  }

  #card(row) {
    const open = this.#open.has(row.item_id);
    const toggle = el("button.title", { type: "button", "aria-expanded": open, "data-act": "open", onclick: () => this.#toggle(row) }, line(row.title, 200));
    const kind = el(`span.kind.q-${row.kind}`, {}, KINDS[row.kind] ?? row.kind);
    const card = el(row.unread ? "li.card.unread" : "li.card", {}, el("div.head", {}, el("h3", {}, row.unread ? el("i.dot.s-unread", { title: "unread" }) : null, toggle), el("span.dim", { "data-since": row.at })));
    const meta = el("p.meta", {}, kind, row.simulated ? " · simulated" : "", row.priority > 2 ? ` · priority ${row.priority}` : "", row.answer ? ` · answered: ${line(row.answer, 120)}` : "");
    card.append(meta);
    if (open) card.append(this.#body(row));
    if (row.kind === "asks" && !row.answer) card.append(this.#question(row));
    card.append(this.#actions(row));
    return card;
  }

  #body(row) {
    const link = row.url && safeUrl(row.url);
    const source = link && el("p", {}, el("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, line(row.url, 200)));
    return el("div.details.prose", {}, markdown(row.body ?? ""), source || null);
  }

  #actions(row) {
    const act = (name, label, wanted, sign) =>
      el("button.small", { type: "button", "data-act": name, "aria-label": `${label}: ${line(row.title, 80)}`, onclick: () => this.#send(wanted) }, sign ? icon(sign) : "", label);
    const id = row.item_id;
    return el(
      "div.actions",
      {},
      row.unread ? act("read", "read", { read: id }, "ok") : act("read", "unread", { unread: id }),
      act("archive", "archive", { archive: id }, "archive"),
      row.task_id ? act("fewer", "fewer like this", { feedback: { item: id, fewer: true } }) : null,
    );
  }

  #question(row) {
    const input = el("input", { placeholder: "an answer in your words", "aria-label": "Answer", autocomplete: "off" });
    const answer = (text) => text && this.#send({ answer: { item: row.item_id, text } });
    const yes = el("button.small.main", { type: "button", "data-act": "yes", onclick: () => answer("yes") }, "yes, tell");
    const submit = (event) => {
      event.preventDefault();
      answer(input.value.trim());
    };
    return el("form.answer", { onsubmit: submit }, yes, input, el("button.small", {}, "answer"));
  }

  async #toggle(row) {
    const open = !this.#open.delete(row.item_id) && this.#open.add(row.item_id);
    // The card is made anew: what is open is no part of the entry.
    for (const card of this.#list.children) if (card.dataset.key === row.item_id) card.state = null;
    if (open && row.unread) await this.#send({ read: row.item_id });
    await this.refresh();
  }

  async #send(wanted) {
    try {
      await command({ inbox: wanted });
    } catch (error) {
      note(error.message, true);
    }
  }
}
