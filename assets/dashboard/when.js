// Times in words.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const two = (number) => String(number).padStart(2, "0");

/** The time until `at`: `in 04:59`, `in 3:04:59`, `in 2 d 4 h`; `due` when it is past. */
export function until(at, now = Date.now()) {
  const left = new Date(at).getTime() - now;
  if (Number.isNaN(left)) return "";
  if (left <= 0) return "due";
  const seconds = Math.ceil(left / SECOND);
  if (left >= DAY) return `in ${Math.floor(left / DAY)} d ${Math.floor((left % DAY) / HOUR)} h`;
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours ? `in ${hours}:${two(minutes)}:${two(seconds % 60)}` : `in ${two(minutes)}:${two(seconds % 60)}`;
}

/** The time since `at`: `just now`, `5 min ago`, `3 h ago`, then the date. */
export function since(at, now = Date.now()) {
  const gone = now - new Date(at).getTime();
  if (Number.isNaN(gone)) return "";
  if (gone < MINUTE) return "just now";
  if (gone < HOUR) return `${Math.floor(gone / MINUTE)} min ago`;
  if (gone < DAY) return `${Math.floor(gone / HOUR)} h ago`;
  return new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}

/** Date and time by this machine's clock. */
export function moment(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Brings all countdowns (`data-until`) and ages (`data-since`) of the page up to date. */
export function tick() {
  const now = Date.now();
  for (const node of document.querySelectorAll("[data-until],[data-since]")) {
    const text = node.dataset.until ? until(node.dataset.until, now) : since(node.dataset.since, now);
    if (node.textContent !== text) node.textContent = text;
  }
}
