"""The servers behind HTTP, one at each path, and those that are bad in ways only HTTP can be."""
import http.server
import json
import os
import socket
import struct
import sys
import threading
import time
import zlib

import words  # noqa: F401 (its modes)
from good import MODES as SPEAKERS
from good import Good, answer, encoded, refuse, text

MODES = {}


class Web:
    """Behaves, as far as its speaker does. One for each session."""

    speaker = Good

    def __init__(self):
        self.server = self.speaker()

    def post(self, http, message):
        """An answer alone goes as JSON, several messages as a stream."""
        sent = self.server.handle(message)
        if message.get("id") is None or message.get("method") is None:
            for _ in () if message.get("method") == "notifications/initialized" else sent:
                pass
            return http.reply(202)
        if message["method"] == "tools/call":
            return http.stream(sent)
        sent = list(sent)
        if not sent:
            return http.hang()
        return http.json(sent[0]) if len(sent) == 1 else http.stream(sent)

    def get(self, http):
        http.stream(self.server.initialized(), stay=True)

    def delete(self, http):
        http.reply(200)


def mode(name):
    def keep(kind):
        assert name not in MODES, name
        MODES[name] = kind
        return kind

    return keep


for name, kind in SPEAKERS.items():
    MODES[name] = type("Speaks", (Web,), {"speaker": kind})


# Every request.


class Status(Web):
    """Answers everything with one status."""

    status, headers, body = 500, {}, b"<h1>\x1b[31mInternal\x1b[0m error</h1>"

    def post(self, http, message):
        http.reply(self.status, "text/html", self.body, **self.headers)

    def get(self, http):
        self.post(http, {})


for number, headers in {
    401: {},
    403: {},
    404: {},
    405: {"Allow": "GET"},
    406: {},
    429: {"Retry_After": "99999999999999999999"},
    500: {},
    503: {"Retry_After": "soon"},
}.items():
    MODES[f"status-{number}"] = type("Status", (Status,), {"status": number, "headers": headers})


@mode("redirect-elsewhere")
class RedirectElsewhere(Status):
    """To another origin, where a good server would take our key."""

    def post(self, http, message):
        http.reply(307, Location=f"http://localhost:{http.server.server_address[1]}/good")


@mode("redirect-loop")
class RedirectLoop(Status):
    def post(self, http, message):
        http.reply(307, Location=http.path)


@mode("hang")
class Hang(Status):
    """Takes the request and says nothing."""

    def post(self, http, message):
        http.hang()


@mode("closes")
class Closes(Status):
    """Takes the request and hangs up."""

    def post(self, http, message):
        http.close_connection = True


@mode("reset")
class Reset(Status):
    def post(self, http, message):
        http.reset()


@mode("not-http")
class NotHttp(Status):
    def post(self, http, message):
        http.raw(b"SSH-2.0-OpenSSH_9.9\r\n")


@mode("continue-flood")
class ContinueFlood(Status):
    """Ever more interim answers."""

    def post(self, http, message):
        while True:
            http.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
            time.sleep(0.05)


@mode("headers-huge")
class HeadersHuge(Status):
    def post(self, http, message):
        http.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Big: " + b"x" * 2_000_000 + b"\r\nContent-Length: 2\r\n\r\n{}")


class Body(Status):
    """Status 200, and a body that is no answer."""

    kind, body = "application/json", b""

    def post(self, http, message):
        if message.get("id") is None:
            return http.reply(202)
        return http.reply(200, self.kind, self.body)


for name, (kind, body) in {
    "body-html": ("text/html; charset=utf-8", b"<html><title>Sign in</title></html>"),
    "body-empty": ("application/json", b""),
    "body-garbage": ("application/json", b"{{{ not json \xff"),
    "body-null": ("application/json", b"null"),
    "body-no-type": (None, b'{"jsonrpc": "2.0", "id": 0, "result": {}}'),
    "body-stream-empty": ("text/event-stream", b""),
    "body-stream-garbage": ("text/event-stream", b"data: {{{ not json\n\ndata\nevent: \x00\n\n:\n\n"),
}.items():
    MODES[name] = type("Body", (Body,), {"kind": kind, "body": body})


@mode("accepted")
class Accepted(Status):
    """Takes requests for notifications."""

    def post(self, http, message):
        http.reply(202)


# A good start, and a bad call.


class BadCall(Web):
    def post(self, http, message):
        if message.get("method") == "tools/call" and message["params"].get("name") == "act":
            return self.act(http, message)
        return super().post(http, message)

    def act(self, http, message):
        http.json(answer(message["id"], text("acted")))


@mode("call-hang-headers")
class CallHangHeaders(BadCall):
    def act(self, http, message):
        http.hang()


@mode("call-reset")
class CallReset(BadCall):
    def act(self, http, message):
        http.reset()


@mode("call-half-body")
class CallHalfBody(BadCall):
    """Promises more than it sends, and hangs up."""

    def act(self, http, message):
        http.raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"jsonrpc": "2.0", ')


@mode("call-chunk-garbage")
class CallChunkGarbage(BadCall):
    def act(self, http, message):
        http.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n{}\r\n0\r\n\r\n")


@mode("call-slow-drip")
class CallSlowDrip(BadCall):
    """The right answer, byte by byte."""

    def act(self, http, message):
        body = encoded(answer(message["id"], text("acted")))
        http.head(200, "application/json", Content_Length=str(len(body)))
        for byte in body:
            http.wfile.write(bytes([byte]))
            time.sleep(0.01)


@mode("call-endless-drip")
class CallEndlessDrip(BadCall):
    """White space, for ever."""

    def act(self, http, message):
        http.head(200, "application/json")
        while True:
            http.chunk(b" ")
            time.sleep(0.02)


@mode("call-endless-body")
class CallEndlessBody(BadCall):
    """White space, as fast as it is taken."""

    def act(self, http, message):
        http.head(200, "application/json")
        while True:
            http.chunk(b" " * 65_536)


@mode("call-endless-event")
class CallEndlessEvent(BadCall):
    """One event that never ends."""

    def act(self, http, message):
        http.head(200, "text/event-stream")
        http.chunk(b"data: ")
        while True:
            http.chunk(b"x" * 65_536)


@mode("call-gzip-bomb")
class CallGzipBomb(BadCall):
    """100 GB of white space in 100 MB."""

    def act(self, http, message):
        pack = zlib.compressobj(9, zlib.DEFLATED, 31)
        start = pack.compress(b"{") + pack.flush(zlib.Z_FULL_FLUSH)
        block = pack.compress(b" " * 1_000_000) + pack.flush(zlib.Z_FULL_FLUSH)
        http.head(200, "application/json", Content_Encoding="gzip")
        http.chunk(start)
        for _ in range(100_000):
            http.chunk(block)


@mode("call-stream-silent")
class CallStreamSilent(BadCall):
    """A stream with signs of life and no answer."""

    def act(self, http, message):
        http.head(200, "text/event-stream")
        while True:
            http.chunk(b": still here\n\n")
            time.sleep(0.1)


@mode("call-stream-ends")
class CallStreamEnds(BadCall):
    """A stream that ends without the answer."""

    def act(self, http, message):
        http.head(200, "text/event-stream")
        http.chunk(b": bye\n\n")
        http.chunk(b"")


@mode("call-stream-resumes")
class CallStreamResumes(BadCall):
    """A stream that is cut, and gives the answer to who comes back."""

    waiting = None

    def act(self, http, message):
        self.waiting = message["id"]
        http.head(200, "text/event-stream")
        http.chunk(b"id: 1\nretry: 10\ndata: \n\n")
        http.chunk(b"")

    def get(self, http):
        if http.headers.get("Last-Event-ID") and self.waiting is not None:
            return http.stream([answer(self.waiting, text("acted"))])
        return super().get(http)


@mode("call-status-400")
class CallStatus400(BadCall):
    """A refusal that names no request."""

    def act(self, http, message):
        http.json(refuse(None, -32600, "I do not like the arguments"), 400)


@mode("call-status-500")
class CallStatus500(BadCall):
    def act(self, http, message):
        http.reply(500, "text/html", b"<h1>oops</h1>")


class Forgets(BadCall):
    """Forgets the session once."""

    forgot = False

    def act(self, http, message):
        if type(self).forgot:
            return http.json(answer(message["id"], text("acted")))
        type(self).forgot = True
        return self.deny(http)

    def deny(self, http):
        raise NotImplementedError


@mode("session-400")
class Session400(Forgets):
    def deny(self, http):
        http.json(refuse(None, -32000, "Bad Request: No valid session ID provided"), 400)


@mode("session-404")
class Session404(Forgets):
    def deny(self, http):
        http.json(refuse(None, -32001, "Session not found"), 404)


# The stream of the server's own messages, and the goodbye.


@mode("get-405")
class Get405(Web):
    def get(self, http):
        http.reply(405)


@mode("get-500")
class Get500(Web):
    def get(self, http):
        http.reply(500, "text/html", b"no")


@mode("get-hang")
class GetHang(Web):
    def get(self, http):
        http.hang()


@mode("get-closes")
class GetCloses(Web):
    """Ends the stream at once, each time; `act` tells how often."""

    times = 0

    def get(self, http):
        type(self).times += 1
        http.head(200, "text/event-stream")
        http.chunk(b"")

    def post(self, http, message):
        if message.get("method") == "tools/call":
            return http.json(answer(message["id"], text(f"acted {self.times}")))
        return super().post(http, message)


@mode("delete-hang")
class DeleteHang(Web):
    def delete(self, http):
        http.hang()


# HTTP+SSE of 2024-11-05.


@mode("sse-good")
class SseGood(Web):
    """Answers on the stream. POST at the stream's own address is refused."""

    streams = {}

    def get(self, http):
        http.head(200, "text/event-stream")
        key = str(time.monotonic_ns())
        self.streams[key] = http
        self.name(http, key)
        http.hang()

    def name(self, http, key):
        http.event(f"{http.path}?key={key}", "endpoint")

    def post(self, http, message):
        key = http.query.partition("=")[2]
        if key not in self.streams:
            return http.reply(405)
        http.reply(202)
        return self.say(self.streams[key], message)

    def say(self, stream, message):
        for out in self.server.handle(message):
            stream.event(encoded(out).decode().strip())


@mode("sse-other-origin")
class SseOtherOrigin(SseGood):
    def name(self, http, key):
        http.event(f"http://localhost:{http.server.server_address[1]}/sse-good?key={key}", "endpoint")


@mode("sse-odd-address")
class SseOddAddress(SseGood):
    def name(self, http, key):
        http.event("http://[::1:/ \x07", "endpoint")


@mode("sse-no-address")
class SseNoAddress(SseGood):
    def name(self, http, key):
        http.event("{}", "message")


@mode("sse-ends-at-once")
class SseEndsAtOnce(SseGood):
    def get(self, http):
        http.head(200, "text/event-stream")
        http.chunk(b"")


@mode("sse-ends-in-call")
class SseEndsInCall(SseGood):
    def say(self, stream, message):
        if message.get("method") == "tools/call" and message["params"]["name"] == "act":
            return stream.connection.shutdown(socket.SHUT_RDWR)
        return super().say(stream, message)


@mode("sse-post-500")
class SsePost500(SseGood):
    def post(self, http, message):
        http.reply(500, "text/html", b"no")


@mode("sse-flood")
class SseFlood(SseGood):
    """A thousand events a second that mean nothing."""

    def name(self, http, key):
        super().name(http, key)

        def flood():
            while True:
                for _ in range(25):
                    http.event("{{{ not json", "message")
                    http.event("x", "weather")
                time.sleep(0.05)

        threading.Thread(target=flood, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    sessions = {}
    shared = {}

    def setup(self):
        super().setup()
        self.lock = threading.Lock()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def route(self, act):
        self.path, _, self.query = self.path.partition("?")
        name = self.path.strip("/")
        if name not in MODES:
            return self.reply(404)
        key = self.headers.get("Mcp-Session-Id")
        self.session = None
        server = self.sessions.get(key) or self.shared.setdefault(name, MODES[name]())
        return act(name, server)

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")

        def act(name, server):
            if message.get("method") == "initialize":
                server = MODES[name]()
                self.session = f"session-{time.monotonic_ns()}"
                self.sessions[self.session] = server
            server.post(self, message)

        self.route(act)

    def do_GET(self):
        self.route(lambda _, server: server.get(self))

    def do_DELETE(self):
        self.route(lambda _, server: server.delete(self))

    def head(self, status, kind=None, **headers):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if self.session:
            self.send_header("Mcp-Session-Id", self.session)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if not {"Content_Length", "Location"} & set(headers):
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def reply(self, status, kind=None, body=b"", **headers):
        self.head(status, kind, Content_Length=str(len(body)), **headers)
        self.wfile.write(body)

    def json(self, message, status=200):
        self.reply(status, "application/json", encoded(message))

    def chunk(self, data):
        """An empty one ends the body."""
        with self.lock:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, data, kind=None):
        self.chunk((f"event: {kind}\n" if kind else "").encode() + f"data: {data}\n\n".encode())

    def stream(self, messages, stay=False):
        self.head(200, "text/event-stream")
        for message in messages:
            self.event(encoded(message).decode().strip())
        while stay:
            self.chunk(b":\n\n")
            time.sleep(0.2)
        self.chunk(b"")

    def raw(self, data):
        self.wfile.write(data)
        self.close_connection = True

    def reset(self):
        """Ends the connection with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())

    def hang(self):
        """Says nothing until the other side hangs up."""
        self.close_connection = True
        while self.connection.recv(65_536):
            pass

    def handle(self):
        try:
            super().handle()
        except (OSError, ValueError):
            pass


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def run():
    listener = Listener(("127.0.0.1", 0), Handler)
    print(listener.server_address[1], flush=True)
    # Ends with whoever started it.
    threading.Thread(target=lambda: (sys.stdin.read(), listener.shutdown()), daemon=True).start()
    listener.serve_forever()
