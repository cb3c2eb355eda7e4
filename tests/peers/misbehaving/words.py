"""Servers that say wrong things, whatever the transport."""
import time

from good import Good, answer, ask, mode, notice, refuse, storm, text, tool

ESCAPES = "\x1b[31mred\x1b]0;title\x07\x1b[2J\u009b1m \u202eevil\u202c \u2066x\u2069 \r\b\x00end"


# The beginning.


@mode("modern-only")
class ModernOnly(Good):
    """Speaks 2026-07-28 alone, as it should."""

    def discover(self, ident):
        result = {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": self.capabilities, "ttlMs": 0, "cacheScope": "private"}
        result["_meta"] = {"io.modelcontextprotocol/serverInfo": {"name": "misbehaving", "version": "1"}}
        yield answer(ident, result)

    def initialize(self, ident):
        yield refuse(ident, -32022, "initialize is of the past")

    def list(self, ident, cursor):
        yield answer(ident, {"resultType": "complete", "tools": self.tools(), "ttlMs": 0, "cacheScope": "private"})

    def act(self, ident, params):
        yield answer(ident, {"resultType": "complete", **text("acted")})


@mode("discover-future")
class DiscoverFuture(Good):
    """Offers a revision that nobody knows, and the handshake."""

    def discover(self, ident):
        yield answer(ident, {"resultType": "complete", "supportedVersions": ["2099-01-01"], "capabilities": {}, "ttlMs": 0, "cacheScope": "private"})


@mode("discover-empty")
class DiscoverEmpty(Good):
    """Answers what it does not know with an empty result."""

    def discover(self, ident):
        yield answer(ident, {})


@mode("discover-late")
class DiscoverLate(Good):
    """Thinks for 5 s about a method it does not know."""

    def discover(self, ident):
        time.sleep(5)
        yield refuse(ident, -32601, "no method server/discover")


@mode("discover-hang")
class DiscoverHang(Good):
    """Passes over what it does not know."""

    def discover(self, ident):
        return ()


@mode("discover-odd-error")
class DiscoverOddError(Good):
    """Refuses what it does not know with an error of its own making."""

    def discover(self, ident):
        yield refuse(ident, -1, "session not initialized, you fool")


@mode("initialize-hang")
class InitializeHang(Good):
    def initialize(self, ident):
        return ()


@mode("initialize-refused")
class InitializeRefused(Good):
    def initialize(self, ident):
        yield refuse(ident, -32000, f"the licence {ESCAPES} expired")


@mode("initialize-odd")
class InitializeOdd(Good):
    """The result of the handshake is a word."""

    def initialize(self, ident):
        yield answer(ident, "hello")


@mode("initialize-slow")
class InitializeSlow(Good):
    def initialize(self, ident):
        time.sleep(1.5)
        yield from super().initialize(ident)


@mode("talks-first")
class TalksFirst(Good):
    """Speaks before it was spoken to: the handshake is not over."""

    def initialize(self, ident):
        yield notice("notifications/tools/list_changed")
        yield notice("notifications/message", level="info", data="good morning")
        yield ask("early-1", "ping")
        yield ask("early-2", "roots/list")
        yield from super().initialize(ident)


@mode("version-old")
class VersionOld(Good):
    version = "2024-11-05"


@mode("version-future")
class VersionFuture(Good):
    version = "2099-01-01"


@mode("version-empty")
class VersionEmpty(Good):
    version = ""


@mode("version-number")
class VersionNumber(Good):
    version = 2025


# The list of tools.


@mode("list-hang")
class ListHang(Good):
    def list(self, ident, cursor):
        return ()


@mode("list-refused")
class ListRefused(Good):
    def list(self, ident, cursor):
        yield refuse(ident, -32603, "the database of tools is away")


@mode("list-no-array")
class ListNoArray(Good):
    def list(self, ident, cursor):
        yield answer(ident, {"tools": "none"})


@mode("no-tools")
class NoTools(Good):
    """Has no tools, says so, and refuses the question."""

    capabilities = {}

    def list(self, ident, cursor):
        yield refuse(ident, -32601, "no method tools/list")


@mode("no-schema")
class NoSchema(Good):
    def tools(self):
        bare = tool("bare")
        del bare["inputSchema"]
        return [*super().tools(), bare]


@mode("odd-tools")
class OddTools(Good):
    def tools(self):
        odd = [3, None, "echo", {}, {"name": ""}, {"name": 7}, tool("half", inputSchema=[]), tool("annotated", annotations="yes", title=9)]
        return [*odd, *super().tools()]


@mode("ref-bomb")
class RefBomb(Good):
    """2 to the 40th nodes, once every `$ref` is followed; and one that refers to itself."""

    def tools(self):
        steps = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
        steps["d40"] = {"type": "string"}
        bomb = {"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": steps}
        loop = {"type": "object", "properties": {"x": {"$ref": "#"}}, "allOf": [{"$ref": "#"}]}
        return [*super().tools(), tool("bomb", inputSchema=bomb), tool("loop", inputSchema=loop)]


def nested(depth):
    schema = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@mode("deep-schema")
class DeepSchema(Good):
    """40 levels: valid and of no use."""

    def tools(self):
        return [*super().tools(), tool("deep", inputSchema=nested(40))]


@mode("too-deep-schema")
class TooDeepSchema(Good):
    """400 levels: deeper than JSON is read."""

    def tools(self):
        return [*super().tools(), tool("deep", inputSchema=nested(400))]


@mode("huge-schema")
class HugeSchema(Good):
    """1 MB of schema."""

    def tools(self):
        properties = {f"p{n}": {"type": "string", "description": "x" * 1000} for n in range(1000)}
        return [*super().tools(), tool("huge", inputSchema={"type": "object", "properties": properties})]


@mode("odd-names")
class OddNames(Good):
    def tools(self):
        names = ["e\x1b[31mred", "\u202egnp.exe", "x" * 500, "a__b", "__", "über/tool name", "twice", "twice", "-" * 100, "a\nb"]
        return [*super().tools(), *(tool(name) for name in names)]


@mode("odd-descriptions")
class OddDescriptions(Good):
    def tools(self):
        return [*super().tools(), tool("loud", description=ESCAPES * 2000, title=ESCAPES)]


@mode("cursor-repeats")
class CursorRepeats(Good):
    def list(self, ident, cursor):
        yield answer(ident, {"tools": self.tools() if cursor is None else [tool(f"again{cursor}")], "nextCursor": "1"})


@mode("pages-endless")
class PagesEndless(Good):
    def list(self, ident, cursor):
        page = int(cursor or 0)
        yield answer(ident, {"tools": [tool(f"t{page}"), *(self.tools() if page == 0 else [])], "nextCursor": str(page + 1)})


@mode("pages-empty")
class PagesEmpty(Good):
    """Endless pages with nothing on them."""

    def list(self, ident, cursor):
        yield answer(ident, {"tools": self.tools() if cursor is None else [], "nextCursor": str(int(cursor or 0) + 1)})


@mode("many-tools")
class ManyTools(Good):
    def tools(self):
        return [*super().tools(), *(tool(f"t{n}") for n in range(5000))]


# Calls.


@mode("call-hang")
class CallHang(Good):
    def act(self, ident, params):
        return ()


@mode("call-odd")
class CallOdd(Good):
    """The result of a call is a number."""

    def act(self, ident, params):
        yield answer(ident, 42)


@mode("call-both")
class CallBoth(Good):
    """A result and an error at once."""

    def act(self, ident, params):
        yield {**answer(ident, text("acted")), "error": {"code": 1, "message": "but badly"}}


@mode("call-neither")
class CallNeither(Good):
    def act(self, ident, params):
        yield {"jsonrpc": "2.0", "id": ident}


@mode("id-wrong")
class IdWrong(Good):
    def act(self, ident, params):
        yield answer(1_000_000, text("acted"))


@mode("id-string")
class IdString(Good):
    def act(self, ident, params):
        yield answer(str(ident), text("acted"))


@mode("id-null")
class IdNull(Good):
    def act(self, ident, params):
        yield refuse(None, -32600, "I do not say which")


@mode("id-missing")
class IdMissing(Good):
    def act(self, ident, params):
        yield {"jsonrpc": "2.0", "error": {"code": -32600, "message": "I do not say which"}}


@mode("answers-twice")
class AnswersTwice(Good):
    def act(self, ident, params):
        yield answer(ident, text("acted"))
        yield answer(ident, text("again"))
        yield refuse(ident, -32603, "and no")


@mode("wrong-jsonrpc")
class WrongJsonrpc(Good):
    """Answers as in the days of JSON-RPC 1.0."""

    def act(self, ident, params):
        yield {"id": ident, "result": text("acted"), "error": None}


@mode("blocks-unknown")
class BlocksUnknown(Good):
    def act(self, ident, params):
        odd = [{"type": "hologram", "data": "AAAA"}, {"type": "image"}, 3, None, {"type": "text", "text": 5}, {"type": "text", "text": "acted"}]
        yield answer(ident, {"content": odd})


@mode("result-escapes")
class ResultEscapes(Good):
    def act(self, ident, params):
        yield answer(ident, text(f"acted {ESCAPES}"))


@mode("error-escapes")
class ErrorEscapes(Good):
    def act(self, ident, params):
        yield refuse(ident, -32000, f"no {ESCAPES}")


@mode("result-10mb")
class Result10Mb(Good):
    def act(self, ident, params):
        yield answer(ident, text("acted " + "x" * 10_000_000))


# Too much talk.


@mode("storm-list-changed")
class StormListChanged(Good):
    def initialized(self):
        return storm(notice("notifications/tools/list_changed"), each=300)


@mode("storm-logs")
class StormLogs(Good):
    def initialized(self):
        return storm(notice("notifications/message", level="emergency", logger=ESCAPES, data="fire " * 50))


@mode("storm-resources")
class StormResources(Good):
    def initialized(self):
        return storm(notice("notifications/resources/updated", uri="file:///" + "x" * 200))


@mode("storm-progress")
class StormProgress(Good):
    """5,000 signs of progress, then the answer."""

    def act(self, ident, params):
        token = (params.get("_meta") or {}).get("progressToken")
        for step in range(5_000):
            yield notice("notifications/progress", progressToken=token, progress=step, message=ESCAPES)
        yield answer(ident, text("acted"))


@mode("progress-unknown")
class ProgressUnknown(Good):
    """Progress of what nobody asked for, and of no shape."""

    def act(self, ident, params):
        for token in (123456, "nobody", None, {"a": 1}):
            yield notice("notifications/progress", progressToken=token, progress=1)
        yield notice("notifications/progress", progress="much")
        yield notice("notifications/progress", progressToken=(params.get("_meta") or {}).get("progressToken"), progress=-5, total=0)
        yield notice("notifications/unheard-of", a=1)
        yield answer(ident, text("acted"))


@mode("asks-unasked")
class AsksUnasked(Good):
    """Asks for what was never offered, in all shapes, and goes on only when each was answered."""

    def act(self, ident, params):
        self.replies = 0
        yield ask("q1", "roots/list")
        yield ask("q2", "shell/execute", command="rm -rf /")
        yield ask("q3", "completion/complete")
        yield ask(-4, "ping")
        end = time.monotonic() + 60
        while self.replies < 4 and time.monotonic() < end:
            time.sleep(0.01)
        yield answer(ident, text(f"acted after {self.replies} replies"))


@mode("sampling-flood")
class SamplingFlood(Good):
    """Wants 2,000 answers of a model."""

    def initialized(self):
        message = {"role": "user", "content": {"type": "text", "text": "x" * 1000}}
        for n in range(2000):
            yield ask(f"s{n}", "sampling/createMessage", messages=[message], maxTokens=100)


@mode("elicitation-flood")
class ElicitationFlood(Good):
    """Wants 2,000 forms filled in."""

    def initialized(self):
        schema = {"type": "object", "properties": {"password": {"type": "string"}}}
        for n in range(2000):
            yield ask(f"e{n}", "elicitation/create", message=ESCAPES, requestedSchema=schema)
