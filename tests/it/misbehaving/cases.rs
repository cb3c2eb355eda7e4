//! What becomes of each bad server: one row for each mode of `tests/peers/misbehaving`.

/// What is expected of a server.
#[derive(Debug, Clone)]
pub struct Case {
    pub mode: &'static str,
    pub end: End,
}

#[derive(Debug, Clone)]
pub enum End {
    /// It is given up for a reason with these words in it.
    Failed(&'static [&'static str]),
    Works(Works),
}

#[derive(Debug, Clone)]
pub struct Works {
    /// Tools that it lends.
    pub tools: usize,
    /// The revision it speaks.
    pub protocol: &'static str,
    /// Words that are in its log.
    pub noted: &'static str,
    /// What comes of a call of `act`.
    pub act: Act,
}

#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// The outcome begins with these words.
    Says(&'static str),
    /// The call fails, with these words, or those after a `|`.
    Fails(&'static str),
    /// It says the first, or fails with the second where the machine is so busy that the server is not back in time.
    Either(&'static str, &'static str),
    /// There is no such tool.
    Missing,
}

const WELL: Works = Works { tools: 2, protocol: "2025-11-25", noted: "", act: Act::Says("acted") };

const fn failed(mode: &'static str, words: &'static [&'static str]) -> Case {
    Case { mode, end: End::Failed(words) }
}

const fn works(mode: &'static str) -> Case {
    with(mode, WELL)
}

const fn with(mode: &'static str, works: Works) -> Case {
    Case { mode, end: End::Works(works) }
}

const fn tools(mode: &'static str, tools: usize, noted: &'static str) -> Case {
    with(mode, Works { tools, noted, ..WELL })
}

const fn says(mode: &'static str, words: &'static str) -> Case {
    with(mode, Works { act: Act::Says(words), ..WELL })
}

const fn fails(mode: &'static str, words: &'static str) -> Case {
    with(mode, Works { act: Act::Fails(words), ..WELL })
}

const fn bare(mode: &'static str, noted: &'static str) -> Case {
    with(mode, Works { tools: 0, noted, act: Act::Missing, ..WELL })
}

/// The answer of a server that speaks too late, to a call.
const LATE: &str = "no answer within";

/// Over standard input and output.
pub const STDIO: &[Case] = &[
    // The start.
    failed("start-hang", &["no answer to the handshake", "connecting to the mainframe"]),
    failed("start-crash", &["ended (exit status: 1)", "ModuleNotFoundError: No module named 'a_module_that_does_not_exist'"]),
    failed("start-silent-exit", &["ended (exit status: 0)|Broken pipe"]),
    failed("start-usage", &["ended (exit status: 2)|Broken pipe", "Usage: server --token TOKEN"]),
    failed("start-killed", &["ended (signal: 9 (SIGKILL))"]),
    with("modern-only", Works { protocol: "2026-07-28", ..WELL }),
    works("discover-exit"),
    works("discover-empty"),
    works("discover-late"),
    works("discover-hang"),
    works("discover-odd-error"),
    works("discover-future"),
    failed("initialize-hang", &["no answer to the handshake"]),
    failed("initialize-refused", &["it refused the handshake: the licence red", "expired (-32000)"]),
    failed("initialize-odd", &["its answer to the handshake is not what MCP asks for"]),
    failed("initialize-exit", &["ended (exit status: 4)", "fatal: the reactor is gone"]),
    works("initialize-slow"),
    works("talks-first"),
    with("version-old", Works { protocol: "2024-11-05", ..WELL }),
    failed("version-future", &["it speaks the revision `2099-01-01` of MCP, which is not known here"]),
    failed("version-empty", &["it speaks the revision `` of MCP"]),
    failed("version-number", &["handshake"]),
    // The list of tools.
    failed("list-hang", &["no answer to the"]),
    bare("list-refused", "the database of tools is away (-32603)"),
    bare("list-no-array", "its list of tools has no `tools`"),
    bare("no-tools", ""),
    failed("ready-exit", &["ended (exit status: 0)", "error: that was all"]),
    bare("too-deep-schema", "nested too deep"),
    tools("no-schema", 3, "the tool `bare` has no input schema"),
    tools("odd-tools", 4, "a tool without a name is left out"),
    tools("ref-bomb", 4, ""),
    tools("deep-schema", 3, ""),
    tools("huge-schema", 2, "the tool `huge` is left out: its input schema is over 128 kB"),
    tools("odd-names", 10, "the tool `twice` is there twice"),
    tools("odd-descriptions", 3, ""),
    tools("cursor-repeats", 3, "repeats itself"),
    tools("pages-endless", 102, "more than 100 pages"),
    tools("pages-empty", 2, "more than 100 pages"),
    tools("many-tools", 512, "more than 512 tools"),
    // Calls.
    fails("call-hang", LATE),
    fails("call-odd", "the server's result is no JSON object"),
    fails("call-both", "but badly"),
    fails("call-neither", "no JSON-RPC answer"),
    fails("call-exit", "ended (exit status: 7): error: the reactor is gone"),
    fails("call-closes-output", "closed its output|the connection was lost"),
    fails("grandchild-holds-output", "ended (exit status: 3): error: gone, and the pipe is not|the connection was lost"),
    fails("stops-reading", LATE),
    fails("id-wrong", LATE),
    works("id-string"),
    fails("id-null", LATE),
    fails("id-missing", LATE),
    works("answers-twice"),
    works("wrong-jsonrpc"),
    says("blocks-unknown", "[hologram"),
    says("result-escapes", "acted red"),
    fails("error-escapes", "no red"),
    works("result-10mb"),
    fails("line-20mb", "the server's answer is over 16 MiB"),
    fails("line-endless", "a line does not end|closed its output|ended (exit status|the connection was lost"),
    fails("line-half", "ended (exit status: 5)"),
    says("invalid-utf8", "acted \u{fffd}"),
    says("nul-bytes", "acted a b c"),
    fails("not-a-number", "the server's answer is no valid JSON"),
    fails("truncated-json", "the server's answer is no valid JSON"),
    fails("result-too-deep", "nested too deep"),
    works("batch"),
    works("crlf"),
    fails("pretty", LATE),
    // Too much, and too long.
    works("banner"),
    works("deaf"),
    works("grandchild"),
    works("flood-stderr"),
    works("flood-stdout"),
    works("storm-list-changed"),
    works("storm-logs"),
    works("storm-resources"),
    works("storm-progress"),
    works("progress-unknown"),
    says("asks-unasked", "acted after 4 replies"),
    works("sampling-flood"),
    works("elicitation-flood"),
];

/// Over streamable HTTP; `sse-…` over HTTP+SSE.
pub const WEB: &[Case] = &[
    failed("status-401", &["wants a key or a login", "401"]),
    failed("status-403", &["wants a key or a login", "403"]),
    failed("status-404", &["HTTP 404"]),
    failed("status-405", &["HTTP 405"]),
    failed("status-406", &["HTTP 406"]),
    failed("status-429", &["HTTP 429"]),
    failed("status-500", &["HTTP 500"]),
    failed("status-503", &["HTTP 503"]),
    failed("redirect-elsewhere", &["HTTP 307"]),
    failed("redirect-loop", &["HTTP 307"]),
    failed("hang", &["no answer to the handshake"]),
    failed("closes", &["connection"]),
    failed("reset", &["Connection reset by peer"]),
    failed("not-http", &["HTTP"]),
    failed("continue-flood", &["no answer to the handshake"]),
    failed("headers-huge", &["message"]),
    failed("body-html", &["text/html"]),
    failed("body-empty", &["answer"]),
    failed("body-garbage", &["answer"]),
    failed("body-null", &["answer"]),
    failed("body-no-type", &["type"]),
    failed("body-stream-empty", &["closed the connection during the handshake"]),
    failed("body-stream-garbage", &["closed the connection during the handshake"]),
    failed("accepted", &["closed the connection during the handshake"]),
    failed("initialize-hang", &["no answer to the handshake"]),
    with("modern-only", Works { protocol: "2026-07-28", ..WELL }),
    works("discover-empty"),
    works("discover-late"),
    works("talks-first"),
    failed("list-hang", &["no answer to the"]),
    bare("list-refused", "the database of tools is away (-32603)"),
    tools("no-schema", 3, "the tool `bare` has no input schema"),
    tools("pages-endless", 102, "more than 100 pages"),
    fails("call-hang", "the connection was lost"),
    fails("call-hang-headers", LATE),
    fails("call-reset", "Connection reset by peer"),
    fails("call-half-body", "body"),
    fails("call-chunk-garbage", "chunk"),
    works("call-slow-drip"),
    fails("call-endless-drip", LATE),
    fails("call-endless-body", "exceeded the maximum size"),
    fails("call-endless-event", ""),
    fails("call-gzip-bomb", "exceeded the maximum size"),
    fails("call-stream-silent", LATE),
    fails("call-stream-ends", "the connection was lost"),
    works("call-stream-resumes"),
    fails("call-status-400", "I do not like the arguments"),
    fails("call-status-500", "HTTP 500"),
    fails("id-wrong", "the connection was lost"),
    with("session-400", Works { act: Act::Either("acted", "the server forgot the session"), ..WELL }),
    with("session-404", Works { act: Act::Either("acted", "the server forgot the session"), ..WELL }),
    works("get-405"),
    works("get-500"),
    works("get-hang"),
    works("get-closes"),
    works("delete-hang"),
    works("result-10mb"),
    works("storm-logs"),
    works("sampling-flood"),
    says("asks-unasked", "acted after 4 replies"),
    with("sse-good", Works { ..WELL }),
    works("sse-flood"),
    fails("sse-ends-in-call", "event stream"),
    failed("sse-other-origin", &["another origin"]),
    failed("sse-odd-address", &["an address that is none"]),
    failed("sse-no-address", &["no answer to the handshake"]),
    failed("sse-ends-at-once", &["ended before it named an address"]),
    failed("sse-post-500", &["HTTP 500"]),
];
