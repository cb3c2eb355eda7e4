"""A good MCP server of revision 2025-11-25 as generators of messages; every bad one is a subclass that differs in one way.

What a generator yields is sent in its order: an object as a message, bytes as they are, `None` as the end of the output.
"""
import json
import time

VERSION = "2025-11-25"


def answer(ident, result):
    return {"jsonrpc": "2.0", "id": ident, "result": result}


def refuse(ident, code, message):
    return {"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": message}}


def notice(method, **params):
    return {"jsonrpc": "2.0", "method": method, "params": params}


def ask(ident, method, **params):
    return {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def tool(name, **more):
    return {"name": name, "description": f"The tool {name}", "inputSchema": {"type": "object", "properties": {}}, **more}


def encoded(message):
    return message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"


class Good:
    """Behaves. `echo` gives its `text` back; `act` does what the mode is about."""

    version = VERSION
    capabilities = {"tools": {"listChanged": True}, "logging": {}}

    def __init__(self):
        self.replies = 0

    def tools(self):
        return [tool("echo"), tool("act")]

    def handle(self, message):
        """All that is sent because of `message`."""
        method, ident, params = message.get("method"), message.get("id"), message.get("params") or {}
        if method is None:
            self.replies += 1
        elif method == "server/discover":
            yield from self.discover(ident)
        elif method == "initialize":
            yield from self.initialize(ident)
        elif method == "notifications/initialized":
            yield from self.initialized()
        elif method == "tools/list":
            yield from self.list(ident, params.get("cursor"))
        elif method == "tools/call" and params.get("name") == "act":
            yield from self.act(ident, params)
        elif method == "tools/call" and params.get("name") == "replies":
            yield answer(ident, text(str(self.replies)))
        elif method == "tools/call":
            yield answer(ident, text((params.get("arguments") or {}).get("text", "")))
        elif method in ("ping", "logging/setLevel"):
            yield answer(ident, {})
        elif ident is not None:
            yield refuse(ident, -32601, f"no method {method}")

    def discover(self, ident):
        yield refuse(ident, -32601, "no method server/discover")

    def initialize(self, ident):
        yield answer(ident, self.introduction())

    def introduction(self):
        return {"protocolVersion": self.version, "capabilities": self.capabilities, "serverInfo": {"name": "misbehaving", "version": "1"}}

    def initialized(self):
        return ()

    def list(self, ident, cursor):
        yield answer(ident, {"tools": self.tools()})

    def act(self, ident, params):
        yield answer(ident, text("acted"))


def storm(message, each=100, pause=0.1, seconds=10):
    """About 1,000 messages a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(each):
            yield message
        time.sleep(pause)


MODES = {"good": Good}


def mode(name):
    """Names a bad server."""

    def keep(kind):
        assert name not in MODES, name
        MODES[name] = kind
        return kind

    return keep
