#!/usr/bin/env node
// Prints the feed, one JSON object a line, and goes on where it stopped: node feed.js [ws://127.0.0.1:8000] [since]
// Node.js 22 or newer. WAKEFUL_TOKEN holds the token where one is set.
const [address = "ws://127.0.0.1:8000", since = ""] = process.argv.slice(2);
const query = { since, epoch: "", token: process.env.WAKEFUL_TOKEN ?? "" };

function connect() {
  const socket = new WebSocket(`${address}/ws/mcplog?${new URLSearchParams(Object.entries(query).filter(([, value]) => value))}`);
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    console.log(data);
    query.since = event.seq ?? query.since;
    if (event.type !== "connection_ack") return;
    query.epoch = event.data.epoch;
    if (event.data.dropped) socket.close(); // too slow: what was lost is replayed
  };
  socket.onclose = () => setTimeout(connect, 1_000);
}
connect();
