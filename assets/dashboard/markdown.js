// Light Markdown as DOM nodes: blocks of code, headings, lists, quotes, bold, italic, code, links. Never HTML.

import { clean, el, safeUrl } from "./dom.js";

/** The deepest nesting that is read: beyond it text stays as it is. */
const DEPTH_MAX = 6;

const INLINE = [
  [/^(`+)(.+?)\1(?!`)/s, ([, , text]) => el("code", {}, text.replace(/^ (.+) $/s, "$1"))],
  [/^!?\[([^\]]*)\]\(<?([^\s)>]+)>?(?:\s+"[^"]*")?\)/, ([all, text, target], depth) => link(target, text || target, all, depth)],
  [/^<(https?:\/\/[^\s>]+)>/, ([all, target]) => link(target, target, all)],
  [/^https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]*_]/, ([all]) => link(all, all, all)],
  [/^\*\*(?=\S)(.+?)(?<=\S)\*\*/s, ([, text], depth) => el("strong", {}, ...inline(text, depth + 1))],
  [/^__(?=\S)(.+?)(?<=\S)__(?!\w)/s, ([, text], depth) => el("strong", {}, ...inline(text, depth + 1))],
  [/^~~(?=\S)(.+?)(?<=\S)~~/s, ([, text], depth) => el("s", {}, ...inline(text, depth + 1))],
  [/^\*(?=\S)([^*]+?)(?<=\S)\*/s, ([, text], depth) => el("em", {}, ...inline(text, depth + 1))],
  [/^_(?=\S)([^_]+?)(?<=\S)_(?!\w)/s, ([, text], depth) => el("em", {}, ...inline(text, depth + 1))],
];

function link(target, text, all, depth = 0) {
  const href = safeUrl(target);
  const label = text === target ? [text] : inline(text, depth + 1);
  return href ? el("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...label) : all;
}

/** The nodes of a text within a block. */
function inline(text, depth = 0) {
  if (depth > DEPTH_MAX) return [text];
  const nodes = [];
  let plain = "";
  let at = 0;
  while (at < text.length) {
    const ahead = /[`*_~[!<h\\]/.exec(text.slice(at, at + 1));
    if (text[at] === "\\" && /[\\`*_~[\]()#+.!<>-]/.test(text[at + 1] ?? "")) {
      plain += text[at + 1];
      at += 2;
      continue;
    }
    // Within a word, `_` and an `h` mean nothing.
    const within = /\w/.test(text[at - 1] ?? "") && /[_h]/.test(text[at]);
    const found = ahead && !within && parse(text.slice(at, at + 4_000), depth);
    if (!found) {
      plain += text[at];
      at += 1;
      continue;
    }
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(found.node);
    at += found.length;
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function parse(text, depth) {
  for (const [pattern, make] of INLINE) {
    const match = pattern.exec(text);
    if (match) return { node: make(match, depth), length: match[0].length };
  }
  return null;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const TABLE = /^\s*\|?(?:\s*:?-{2,}:?\s*\|)+\s*(?::?-{2,}:?)?\s*\|?\s*$/;

/** The text as nodes. */
export function markdown(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(...blocks(clean(text).split(/\r\n|\r|\n/), 0));
  return fragment;
}

function blocks(lines, depth) {
  if (depth > DEPTH_MAX) return [el("p", {}, lines.join("\n"))];
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    const [node, next] = block(lines, at, depth);
    if (node) nodes.push(node);
    at = Math.max(next, at + 1);
  }
  return nodes;
}

function block(lines, at, depth) {
  const line = lines[at];
  if (!line.trim()) return [null, at + 1];
  const fence = FENCE.exec(line);
  if (fence) return fenced(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [el(`h${Math.min(6, heading[1].length + 3)}`, {}, ...inline(heading[2])), at + 1];
  if (RULE.test(line)) return [el("hr"), at + 1];
  if (QUOTE.test(line)) {
    const end = until(lines, at, (next) => !QUOTE.test(next));
    const inner = lines.slice(at, end).map((quoted) => quoted.replace(QUOTE, ""));
    return [el("blockquote", {}, ...blocks(inner, depth + 1)), end];
  }
  if (ITEM.test(line)) return list(lines, at, depth);
  if (line.includes("|") && TABLE.test(lines[at + 1] ?? "")) return table(lines, at);
  const starts = (next) => !next.trim() || FENCE.test(next) || HEADING.test(next) || QUOTE.test(next) || ITEM.test(next);
  const end = until(lines, at + 1, starts);
  return [el("p", {}, ...broken(lines.slice(at, end))), end];
}

/** Line ends are kept: models and pages mean them. */
function broken(lines) {
  return inline(lines.map((line) => line.trim()).join("\n")).flatMap((node) => {
    if (typeof node !== "string") return [node];
    return node.split("\n").flatMap((part, at) => (at ? [el("br"), part] : [part]));
  });
}

function until(lines, from, ends) {
  let at = from;
  while (at < lines.length && !ends(lines[at])) at += 1;
  return at;
}

function fenced(lines, at, [, mark, language]) {
  const close = (line) => line.trim().startsWith(mark) && /^[`~]+$/.test(line.trim());
  const end = until(lines, at + 1, close);
  const code = el("pre", { tabindex: "0" }, el("code", {}, lines.slice(at + 1, end).join("\n")));
  return [language ? el("figure", {}, el("figcaption", {}, language), code) : code, end + 1];
}

function list(lines, at, depth) {
  const [, indent, mark] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(mark);
  const node = el(ordered ? "ol" : "ul", ordered && mark !== "1." ? { start: parseInt(mark, 10) } : {});
  let from = at;
  while (from < lines.length) {
    const item = ITEM.exec(lines[from]);
    if (!item || item[1].length !== indent.length || /\d/.test(item[2]) !== ordered) break;
    const width = lines[from].length - item[3].length;
    const belongs = (line) => !line.trim() || line.search(/\S/) > indent.length;
    const end = until(lines, from + 1, (line) => !belongs(line));
    const inner = [item[3], ...lines.slice(from + 1, end).map((line) => line.slice(Math.min(width, Math.max(0, line.search(/\S/)))))];
    const parts = blocks(inner, depth + 1);
    // A single paragraph needs no space around it.
    node.append(el("li", {}, ...(parts[0]?.tagName === "P" ? [...parts[0].childNodes, ...parts.slice(1)] : parts)));
    from = end;
  }
  return [node, from];
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

function table(lines, at) {
  const end = until(lines, at + 2, (line) => !line.includes("|"));
  const row = (line, tag) => el("tr", {}, ...cells(line).map((cell) => el(tag, {}, ...inline(cell))));
  const body = lines.slice(at + 2, end).map((line) => row(line, "td"));
  return [el("div.table", { tabindex: "0" }, el("table", {}, el("thead", {}, row(lines[at], "th")), el("tbody", {}, ...body))), end];
}
