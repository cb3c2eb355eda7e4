// Prints the feed by clients that others wrote, a JSON object a line.
//
// feed.mjs MODULES ws|eventsource URL [LAST-EVENT-ID]

import { createRequire } from "node:module";

const [modules, client, url, last] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const TYPES = ["mcp_event", "chat", "turn_event", "session_event", "tool_execution", "task_event", "inbox_event", "notification", "approval_event", "error"];

if (client === "ws") {
  new (require("ws"))(url).on("message", (data) => console.log(data.toString()));
} else {
  const { EventSource } = require("eventsource");
  const given = (init) => (init.headers["Last-Event-ID"] || !last ? init : { ...init, headers: { ...init.headers, "Last-Event-ID": last } });
  const source = new EventSource(url, { fetch: (address, init) => fetch(address, given(init)) });
  for (const type of TYPES) source.addEventListener(type, ({ data }) => console.log(data));
}
