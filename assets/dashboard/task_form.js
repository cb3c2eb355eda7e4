// The dialog that makes a task: a table of the kinds and their fields; what the server says about a field stands at it.

import { json } from "./api.js";
import { byId, el, line, note } from "./dom.js";

const words = (text) => text.split(/[\s,]+/).filter(Boolean);
const phrases = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
const address = (text) => (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`);
const number = (text) => (text.trim() === "" ? undefined : Number(text));
const clock = (text) => (text ? { hour: Number(text.slice(0, 2)), minute: Number(text.slice(3, 5)) } : {});

/** Kinds: name on the wire, what a person reads, example, fields (`id`, label, attributes), values to config. */
const KINDS = [
  {
    type: "web_monitor",
    label: "watch pages",
    example: "AI news on TechCrunch",
    fields: [
      ["urls", "Pages", { placeholder: "techcrunch.com", required: true }],
      ["keywords", "Only with these words", { placeholder: "AI, robots" }],
      ["check_interval_minutes", "Every … minutes", { type: "number", min: 1, value: 30 }],
    ],
    config: (form) => ({ urls: words(form.urls).map(address), keywords: phrases(form.keywords), check_interval_minutes: number(form.check_interval_minutes) }),
  },
  {
    type: "schedule",
    label: "remind, or have the agent do something",
    example: "check the project's status",
    fields: [
      ["hour", "Every day at", { type: "time", value: "09:00" }],
      ["minutes", "or every … minutes", { type: "number", min: 1 }],
      ["action", "What the agent does then", { placeholder: "nothing: only remind" }],
    ],
    config: (form) => ({
      ...(form.minutes ? { type: "interval", minutes: number(form.minutes) } : { type: "daily", ...clock(form.hour) }),
      ...(form.action ? { action: form.action } : {}),
    }),
  },
  {
    type: "news_digest",
    label: "gather the news",
    example: "morning digest",
    fields: [
      ["news_urls", "Pages or feeds", { placeholder: "news.ycombinator.com techcrunch.com", required: true }],
      ["hour", "Every day at", { type: "time", value: "08:00", step: 3_600 }],
    ],
    config: (form) => ({ news_urls: words(form.news_urls).map(address), hour: clock(form.hour).hour }),
  },
  {
    type: "threshold_watch",
    label: "watch a number",
    example: "coffee gets expensive",
    fields: [
      ["metric", "Its name", { placeholder: "price", required: true }],
      ["url", "A page that tells it", { placeholder: "https://example.com/price.json", required: true }],
      ["json_pointer", "Where in its JSON", { placeholder: "/price", required: true }],
      ["threshold", "Tell me when it passes", { type: "number", step: "any", required: true }],
      ["direction", "", { choices: ["above", "below", "cross"] }],
      ["check_interval_minutes", "Every … minutes", { type: "number", min: 1, value: 15 }],
    ],
    config: (form) => ({
      metric: form.metric,
      threshold: number(form.threshold),
      direction: form.direction,
      check_interval_minutes: number(form.check_interval_minutes),
      source: { url: address(form.url), json_pointer: form.json_pointer },
    }),
  },
];

const dialog = byId("task-dialog");
const fields = byId("task-fields");

function field([id, label, { choices, ...attributes }]) {
  const input = choices ? el("select", { id: `f-${id}`, "aria-label": label || id }, ...choices.map((choice) => el("option", {}, choice))) : el("input", { id: `f-${id}`, autocomplete: "off", ...attributes });
  input.dataset.field = id;
  return el("div.field", {}, el("label", { for: `f-${id}` }, label), input, el("p.wrong", { hidden: true, id: `w-${id}` }));
}

const chosen = () => KINDS.find(({ type }) => type === byId("task-type").value) ?? KINDS[0];

function show() {
  const kind = chosen();
  byId("task-description").placeholder = kind.example;
  fields.replaceChildren(...kind.fields.map(field));
  byId("task-wrong").hidden = true;
}

/** Says what is wrong: at the field that is meant, else below all. */
function complain(error) {
  const left = [];
  const errors = error.errors?.length ? error.errors : [{ pointer: "", detail: error.message }];
  for (const { pointer, detail } of errors) {
    const named = [...fields.querySelectorAll("[data-field]")].find((input) => `${pointer} ${detail}`.includes(input.dataset.field));
    const place = named && byId(`w-${named.dataset.field}`);
    if (!place) {
      left.push(detail);
      continue;
    }
    place.textContent = line(detail, 300);
    place.hidden = false;
    named.setAttribute("aria-invalid", "true");
    named.setAttribute("aria-describedby", place.id);
    named.focus();
  }
  byId("task-wrong").textContent = line(left.join("; "), 400);
  byId("task-wrong").hidden = !left.length;
}

async function make(done) {
  for (const place of fields.querySelectorAll(".wrong")) place.hidden = true;
  const description = byId("task-description");
  const missing = [description, ...fields.querySelectorAll("[required]")].find((input) => !input.value.trim());
  if (missing) {
    byId("task-wrong").textContent = "this one is needed";
    byId("task-wrong").hidden = false;
    missing.focus();
    return;
  }
  const form = Object.fromEntries([...fields.querySelectorAll("[data-field]")].map((input) => [input.dataset.field, input.value.trim()]));
  const kind = chosen();
  try {
    await json("POST", "/api/v2/tasks", { task_type: kind.type, description: description.value.trim(), config: kind.config(form) });
    note(`made: ${description.value.trim()}`);
    dialog.close();
    await done();
  } catch (error) {
    complain(error);
  }
}

/** Wires the dialog up; `done` is called when a task was made. */
export function taskForm(done) {
  byId("task-type").append(...KINDS.map(({ type, label }) => el("option", { value: type }, label)));
  byId("task-type").addEventListener("change", show);
  byId("task-cancel").addEventListener("click", () => dialog.close());
  byId("task-form").addEventListener("submit", (event) => {
    event.preventDefault();
    make(done);
  });
  byId("task-new").addEventListener("click", () => {
    byId("task-form").reset();
    show();
    dialog.showModal();
    byId("task-description").focus();
  });
}
