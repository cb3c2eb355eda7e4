"""The servers over standard input and output, and those that are bad in ways only a process can be."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

import words  # noqa: F401 (its modes)
from good import MODES, Good, answer, encoded, mode, notice, text

LOCK = threading.Lock()


def send(messages):
    """Sends one by one. `None` closes the output."""
    for message in messages:
        if message is None:
            os.close(1)
            return
        with LOCK:
            write(encoded(message))


def write(data):
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def last_words(line, code):
    sys.stderr.write(line)
    sys.stderr.flush()
    os._exit(code)


class Process(Good):
    """What a bad process may do beside."""

    def start(self):
        """Before anything is read."""

    def end(self):
        """When the input has ended."""


@mode("start-hang")
class StartHang(Process):
    def start(self):
        sys.stderr.write("connecting to the mainframe\n")
        sys.stderr.flush()
        time.sleep(600)


@mode("start-crash")
class StartCrash(Process):
    def start(self):
        import a_module_that_does_not_exist  # noqa: F401


@mode("start-silent-exit")
class StartSilentExit(Process):
    def start(self):
        os._exit(0)


@mode("start-usage")
class StartUsage(Process):
    """Prints help where messages belong, and ends."""

    def start(self):
        write(b"Usage: server --token TOKEN\n")
        os._exit(2)


@mode("start-killed")
class StartKilled(Process):
    def start(self):
        os.kill(os.getpid(), signal.SIGKILL)


@mode("discover-exit")
class DiscoverExit(Process):
    """Ends at a first message that it does not know."""

    def discover(self, ident):
        last_words("RuntimeError: expected initialize, got server/discover\n", 1)
        return ()


@mode("initialize-exit")
class InitializeExit(Process):
    def initialize(self, ident):
        last_words("last words\nfatal: the reactor is gone\n", 4)
        return ()


@mode("ready-exit")
class ReadyExit(Process):
    """Ends each time soon after it is ready."""

    def list(self, ident, cursor):
        yield from super().list(ident, cursor)
        time.sleep(0.05)
        last_words("error: that was all\n", 0)


@mode("call-exit")
class CallExit(Process):
    def act(self, ident, params):
        last_words("last words\nerror: the reactor is gone\n", 7)
        return ()


@mode("call-closes-output")
class CallClosesOutput(Process):
    """Closes its output and lives on."""

    def act(self, ident, params):
        yield None

    def end(self):
        time.sleep(600)


@mode("stops-reading")
class StopsReading(Process):
    """Reads nothing any more once its tools were listed; ignores all that is polite."""

    def list(self, ident, cursor):
        yield from super().list(ident, cursor)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)


@mode("deaf")
class Deaf(Process):
    """Ignores the end of its input and SIGTERM."""

    def start(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def end(self):
        time.sleep(600)


@mode("grandchild")
class Grandchild(Process):
    """Leaves a child behind that ignores SIGTERM, and one in a session of its own."""

    def start(self):
        deaf = "trap '' TERM; sleep 600 & wait"
        for new_session in (False, True):
            subprocess.Popen(
                ["sh", "-c", deaf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=new_session
            )


@mode("grandchild-holds-output")
class GrandchildHoldsOutput(Process):
    """Ends during a call while a child keeps its output open."""

    def act(self, ident, params):
        subprocess.Popen(["sleep", "600"])
        last_words("error: gone, and the pipe is not\n", 3)
        return ()


@mode("flood-stderr")
class FloodStderr(Process):
    """Writes as fast as it is read."""

    def start(self):
        def flood():
            while True:
                os.write(2, b"flood \x1b[31m" * 1000 + b"\n")

        threading.Thread(target=flood, daemon=True).start()


@mode("flood-stdout")
class FloodStdout(Process):
    """A thousand lines a second that are no messages."""

    def start(self):
        def flood():
            while True:
                for _ in range(50):
                    with LOCK:
                        write(b"DEBUG handling the request {\"id\": 1} \x1b[0m\n")
                time.sleep(0.05)

        threading.Thread(target=flood, daemon=True).start()


@mode("banner")
class Banner(Process):
    """Greets people where messages belong."""

    def start(self):
        write("\x1b[1mWelcome to ACME MCP 🚀\x1b[0m\n\n[1] ready\n\"quoted\"\n{}\n".encode())


@mode("line-20mb")
class Line20Mb(Process):
    def act(self, ident, params):
        yield answer(ident, text("x" * 20_000_000))


@mode("line-endless")
class LineEndless(Process):
    """A line that never ends, 1 MB at a time."""

    def act(self, ident, params):
        yield b'{"jsonrpc": "2.0", "result": {"content": [{"type": "text", "text": "'
        while True:
            yield b"x" * 1_000_000
            time.sleep(0.01)


@mode("line-half")
class LineHalf(Process):
    """Ends in the middle of an answer."""

    def act(self, ident, params):
        yield encoded(answer(ident, text("acted")))[:-20]
        last_words("error: half an answer\n", 5)


@mode("invalid-utf8")
class InvalidUtf8(Process):
    def act(self, ident, params):
        yield encoded(answer(ident, text("acted @@"))).replace(b"@@", b"\xff\xfe\xc3")


@mode("nul-bytes")
class NulBytes(Process):
    """Zero bytes around and within."""

    def act(self, ident, params):
        yield b"\x00\x00" + encoded(answer(ident, text("acted @@"))).replace(b"@@", b"a\x00b\tc")


@mode("not-a-number")
class NotANumber(Process):
    """JSON as Python writes it."""

    def act(self, ident, params):
        yield answer(ident, {**text("acted"), "structuredContent": {"mean": float("nan")}})


@mode("truncated-json")
class TruncatedJson(Process):
    def act(self, ident, params):
        yield b'{"jsonrpc": "2.0", "id": %d, "result": {"content": [\n' % ident


@mode("result-too-deep")
class ResultTooDeep(Process):
    def act(self, ident, params):
        yield b'{"jsonrpc": "2.0", "id": %d, "result": {"content": [], "structuredContent": %s1%s}}\n' % (ident, b"[" * 5000, b"]" * 5000)


@mode("batch")
class Batch(Process):
    """Answers in a batch, as 2025-03-26 allowed."""

    def act(self, ident, params):
        yield [notice("notifications/message", level="info", data="in a batch"), answer(ident, text("acted"))]


@mode("crlf")
class Crlf(Process):
    """Ends lines as Windows does, begins with a byte order mark and leaves lines empty."""

    def handle(self, message):
        for out in super().handle(message):
            yield b"\xef\xbb\xbf" + encoded(out)[:-1] + b"\r\n\r\n"


@mode("pretty")
class Pretty(Process):
    """An answer over several lines."""

    def act(self, ident, params):
        yield json.dumps(answer(ident, text("acted")), indent=2).encode() + b"\n"


def run(name):
    server = MODES[name]()
    is_process = isinstance(server, Process)
    if is_process:
        server.start()
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        message = json.loads(line)
        if message.get("method") in ("tools/call", "notifications/initialized"):
            threading.Thread(target=send, args=(server.handle(message),), daemon=True).start()
        else:
            send(server.handle(message))
    if is_process:
        server.end()
