#!/usr/bin/env python3
"""A scripted MCP server over stdio that behaves well, or badly in one way.

Usage: scripted.py [MODE]. Only the standard library. Revision 2025-11-25.
"""
import json
import os
import signal
import subprocess
import sys
import threading
import time

MODE = sys.argv[1] if len(sys.argv) > 1 else "normal"
LOCK = threading.Lock()
CANCELLED = []
EXTRA = []


def send(message):
    line = json.dumps(message) + "\n"
    with LOCK:
        sys.stdout.write(line)
        sys.stdout.flush()


def answer(ident, result):
    send({"jsonrpc": "2.0", "id": ident, "result": result})


def refuse(ident, code, message):
    send({"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": message}})


def notify(method, params=None):
    send({"jsonrpc": "2.0", "method": method, **({"params": params} if params is not None else {})})


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def tool(name, **more):
    return {"name": name, "description": f"The tool {name}", "inputSchema": {"type": "object", "properties": {}}, **more}


NAMES = ["echo", "sleep", "die", "change", "storm", "progress", "say", "env", "child", "huge", "blocks", "rude", "refuse", "cancelled", "pid", "stuck"]


def tools(params):
    cursor = params.get("cursor")
    if MODE == "bad-tools":
        return {"tools": [tool("echo"), {"name": "bare"}, {"description": "nameless"}, 3, tool("odd", inputSchema=[]), tool("echo")]}
    if MODE == "drift":
        # What it says of itself stands in a file.
        with open(sys.argv[2], encoding="utf-8") as file:
            return {"tools": [tool("echo", description=file.read()), tool("steady")]}
    if MODE == "same-cursor":
        return {"tools": [tool(f"t{cursor or 0}")], "nextCursor": "1"}
    if MODE == "endless":
        page = int(cursor or 0)
        return {"tools": [tool(f"t{page}")], "nextCursor": str(page + 1)}
    if MODE == "pages":
        page = int(cursor or 0)
        return {"tools": [tool(f"t{page}")], **({"nextCursor": str(page + 1)} if page < 2 else {})}
    return {"tools": [tool(name) for name in NAMES + EXTRA]}


def call(ident, name, arguments, meta):
    token = meta.get("progressToken")
    if name == "echo":
        answer(ident, text(arguments.get("text", "")))
    elif name == "sleep":
        time.sleep(arguments.get("seconds", 1))
        answer(ident, text("slept"))
    elif name == "stuck":
        pass
    elif name == "die":
        sys.stderr.write("last words\nerror: the reactor is gone\n")
        sys.stderr.flush()
        os._exit(7)
    elif name == "change":
        EXTRA.append(f"new{len(EXTRA)}")
        notify("notifications/tools/list_changed")
        answer(ident, text("changed"))
    elif name == "storm":
        EXTRA.append("stormy")
        for _ in range(200):
            notify("notifications/tools/list_changed")
        answer(ident, text("stormed"))
    elif name == "progress":
        for step in range(arguments.get("steps", 3)):
            time.sleep(arguments.get("every", 0.1))
            notify("notifications/progress", {"progressToken": token, "progress": step + 1, "total": 3, "message": f"step\u001b[31m {step + 1}"})
        answer(ident, text("done"))
    elif name == "say":
        for n in range(arguments.get("count", 1)):
            notify("notifications/message", {"level": "warning", "logger": "scripted", "data": f"said\u001b[2J {n}"})
        answer(ident, text("said"))
    elif name == "env":
        answer(ident, text(json.dumps(dict(os.environ))))
    elif name == "child":
        child = subprocess.Popen(["sleep", "600"])
        answer(ident, text(f"{os.getpid()} {child.pid}"))
    elif name == "pid":
        answer(ident, text(str(os.getpid())))
    elif name == "huge":
        answer(ident, text("x" * (17 * 1024 * 1024)))
    elif name == "blocks":
        answer(ident, {"content": [{"type": "hologram", "data": "AAAA"}, {"type": "text", "text": "kept"}], "structuredContent": {"a": 1}})
    elif name == "rude":
        send({"jsonrpc": "2.0", "id": ident, "error": "I do not feel like it"})
    elif name == "refuse":
        refuse(ident, -32602, "`x` is missing")
    elif name == "cancelled":
        answer(ident, text(json.dumps(CANCELLED)))
    else:
        refuse(ident, -32602, f"no tool {name}")


def handle(message):
    method, ident, params = message.get("method"), message.get("id"), message.get("params") or {}
    if method == "initialize":
        if MODE == "reveal":
            sys.stderr.write(f"asked for {params['protocolVersion']}\n")
            sys.stderr.flush()
        answer(ident, {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {"listChanged": True}, "logging": {}},
            "serverInfo": {"name": "scripted", "version": "1.0"},
        })
    elif method == "ping":
        answer(ident, {})
    elif method == "tools/list":
        answer(ident, tools(params))
    elif method == "tools/call":
        arguments = (ident, params.get("name"), params.get("arguments") or {}, params.get("_meta") or {})
        threading.Thread(target=call, args=arguments, daemon=True).start()
    elif method == "notifications/cancelled":
        CANCELLED.append(params.get("reason"))
    elif ident is not None:
        refuse(ident, -32601, f"no method {method}")


def main():
    if MODE == "hang":
        sys.stderr.write("thinking about it\n")
        sys.stderr.flush()
        time.sleep(600)
    if MODE == "crash":
        sys.stderr.write("Traceback (most recent call last):\nValueError: bad luck\n")
        sys.exit(3)
    if MODE == "flood":
        threading.Thread(target=flood, daemon=True).start()
    if MODE == "noise":
        print("Welcome to the scripted server!", flush=True)
    if MODE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        if line.strip():
            handle(json.loads(line))
    while MODE == "deaf":
        time.sleep(1)


def flood():
    line = "flood " * 1000 + "\n"
    while True:
        sys.stderr.write(line)


main()
