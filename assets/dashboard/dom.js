// Small tools for the page. Text from outside goes in as text nodes only.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * An element: `el("button.small", {type: "button", onclick: f}, "text", child)`. Names that begin with `on` are
 * listeners, all others attributes; `null`, `undefined` and `false` are left out. Strings become text nodes.
 */
export function el(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** A sign of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Sets text only where it differs: nothing is laid out anew for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Control characters, and those that turn the direction of text around to pretend something.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Text without what cannot be seen; line ends and tabs stay. */
export const clean = (text) => String(text).replace(UNSEEN, "");

/** The same in one line, cut to `max` characters. */
export function line(text, max = 400) {
  const flat = clean(String(text).slice(0, max * 4)).replace(/\s+/g, " ").trim();
  return flat.length > max ? `${flat.slice(0, max - 1)}…` : flat;
}

/** A link that may be followed: `http`, `https` or `mailto`; null for anything else. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * Makes `list` show `items`: nodes whose item did not change stay as they are, so that focus and selection do. `make`
 * gives the node of an item; where a changed node had the focus, its successor's element with the same `data-act` gets it.
 */
export function reconcile(list, items, key, make, empty) {
  const before = new Map([...list.children].map((node) => [node.dataset.key, node]));
  const nodes = items.map((item) => {
    const [id, state] = [key(item), JSON.stringify(item)];
    const old = before.get(id);
    if (old?.state === state) return old;
    const node = make(item, old);
    node.dataset.key = id;
    node.state = state;
    return node;
  });
  if (!nodes.length && empty) nodes.push(el("li.empty", { "data-key": "" }, empty));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const [act, id] = [focused?.dataset.act, focused?.closest("[data-key]")?.dataset.key];
  if (nodes.length !== list.children.length || nodes.some((node, at) => node !== list.children[at])) list.replaceChildren(...nodes);
  if (focused && document.activeElement !== focused) {
    const successor = nodes.find((node) => node.dataset.key === id) ?? nodes[0];
    (focused.isConnected ? focused : (successor?.querySelector(`[data-act="${act}"]`) ?? successor?.querySelector("button")))?.focus();
  }
}

/** Says something in the corner, and to screen readers; errors stay longer. */
export function note(text, isError = false) {
  const node = el(isError ? "p.note.error" : "p.note", {}, line(text, 300));
  const notes = byId("notes");
  notes.append(node);
  while (notes.children.length > 4) notes.firstChild.remove();
  setTimeout(() => node.remove(), isError ? 12_000 : 5_000);
}

/** Asks in a dialog; resolves to whether the answer was yes. */
export function confirmed(title, text, yes) {
  const dialog = byId("confirm-dialog");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
