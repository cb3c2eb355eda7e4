//! Messages on lines: bounded reading, and salvage of what is not quite JSON-RPC.
//!
//! Pure but for the reading. A line that is too long, or an answer of no known shape, becomes an error for the call it
//! answers, so that no call waits for what will never come.

use rmcp::model::{CustomResult, ErrorData, JsonRpcVersion2_0, RequestId, ServerJsonRpcMessage, ServerResult};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The longest message, in bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// How many times the limit a line may have before its end is no longer waited for: to pass it over costs as well.
const ENDLESS: usize = 4;

/// Bytes of the beginning and of the end of a message that is too long, in which its id is looked for.
const EDGE_BYTES: usize = 256;

/// What was read.
#[derive(Debug)]
pub(super) enum Line {
    /// A whole line, without its end.
    Whole(Vec<u8>),
    /// A line over the limit: its beginning and its end.
    TooLong(Vec<u8>, Vec<u8>),
    /// There is no more.
    End,
    /// A line so long that its end is not waited for.
    Endless,
}

/// Reads lines. A read can be cancelled and taken up again.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    tail: Vec<u8>,
    too_long: bool,
    limit: usize,
    /// Bytes of the line that were passed over.
    skipped: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1_024, reader),
            line: Vec::new(),
            tail: Vec::new(),
            too_long: false,
            limit,
            skipped: 0,
        }
    }

    /// The next line.
    pub(super) async fn next(&mut self) -> Line {
        loop {
            // Nothing is consumed until the copy below, which cannot be interrupted.
            let (used, ended) = match self.reader.fill_buf().await {
                Ok([]) | Err(_) => return Line::End,
                Ok(bytes) => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let part = &bytes[..end.unwrap_or(bytes.len())];
                    if self.too_long || self.line.len() + part.len() > self.limit {
                        if !self.too_long {
                            self.too_long = true;
                            self.tail = self.line.split_off(self.line.len().min(EDGE_BYTES));
                            self.line.extend_from_slice(&part[..part.len().min(EDGE_BYTES - self.line.len())]);
                        }
                        self.tail.extend_from_slice(&part[part.len().saturating_sub(EDGE_BYTES)..]);
                        let over = self.tail.len().saturating_sub(EDGE_BYTES);
                        self.tail.drain(..over);
                        self.skipped += part.len();
                    } else {
                        self.line.extend_from_slice(part);
                    }
                    (end.map_or(bytes.len(), |end| end + 1), end.is_some())
                }
            };
            self.reader.consume(used);
            if !ended {
                if self.skipped > self.limit * ENDLESS {
                    return Line::Endless;
                }
                continue;
            }
            self.skipped = 0;
            let line = std::mem::take(&mut self.line);
            if std::mem::take(&mut self.too_long) {
                return Line::TooLong(line, std::mem::take(&mut self.tail));
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Line::Whole(line);
            }
        }
    }
}

/// What a line means.
#[derive(Debug)]
pub(super) enum Parsed {
    /// Messages in their order (a batch has several).
    Messages(Vec<ServerJsonRpcMessage>),
    /// No message: a program that prints where it should not.
    Noise,
}

/// A good answer, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(rename = "jsonrpc")]
    _version: JsonRpcVersion2_0,
    id: i64,
    result: Map<String, Value>,
}

/// Reads a line that is a good answer to one of the requests that `is_raw` knows, and leaves its result as it is: to find
/// out its type costs more than all else, for each is tried in turn.
pub(super) fn raw_answer(line: &[u8], is_raw: impl FnOnce(i64) -> bool) -> Option<ServerJsonRpcMessage> {
    let answer = serde_json::from_slice::<Answer>(line).ok().filter(|answer| is_raw(answer.id))?;
    let result = ServerResult::CustomResult(CustomResult::new(Value::Object(answer.result)));
    Some(ServerJsonRpcMessage::response(result, RequestId::Number(answer.id)))
}

/// Reads a line as a message.
pub(super) fn parse(line: &[u8]) -> Parsed {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    if let Ok(message) = serde_json::from_slice(line) {
        return Parsed::Messages(vec![with_our_id(message)]);
    }
    match serde_json::from_slice::<Value>(line).or_else(|error| serde_json::from_str(&mended(line)).map_err(|_| error)) {
        Ok(Value::Array(batch)) => Parsed::Messages(batch.into_iter().filter_map(salvage).collect()),
        Ok(value @ Value::Object(_)) => Parsed::Messages(salvage(value).into_iter().collect()),
        Ok(_) => Parsed::Noise,
        Err(error) => unreadable(line, &error).map_or(Parsed::Noise, |message| Parsed::Messages(vec![message])),
    }
}

/// The line with what is no UTF-8 replaced, and without control bytes, which JSON never has within strings.
fn mended(line: &[u8]) -> String {
    String::from_utf8_lossy(line).replace(|ch: char| ch < ' ', " ")
}

/// Ids are numbers when we give them; some servers make them strings.
fn with_our_id(mut message: ServerJsonRpcMessage) -> ServerJsonRpcMessage {
    let id = match &mut message {
        ServerJsonRpcMessage::Response(response) => Some(&mut response.id),
        ServerJsonRpcMessage::Error(error) => error.id.as_mut(),
        _ => None,
    };
    if let Some(id) = id
        && let RequestId::String(text) = &*id
        && let Ok(number) = text.parse()
    {
        *id = RequestId::Number(number);
    }
    message
}

/// A message of a shape that is not quite right: an answer becomes an error for its call, the rest is passed over.
fn salvage(mut value: Value) -> Option<ServerJsonRpcMessage> {
    let id = value.get("id").cloned().and_then(|id| serde_json::from_value::<RequestId>(id).ok());
    let is_answer = value.get("method").is_none();
    if let Some(object) = value.as_object_mut().filter(|_| is_answer) {
        // As in JSON-RPC 1.0.
        object.retain(|key, value| key != "error" || !value.is_null());
        if object.contains_key("result") || object.contains_key("error") {
            object.insert("jsonrpc".to_owned(), "2.0".into());
        }
    }
    let said =
        value.get("error").map(|error| error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned));
    if let Ok(message) = serde_json::from_value(value) {
        return Some(with_our_id(message));
    }
    let id = id.filter(|_| is_answer)?;
    let text = said.unwrap_or_else(|| "the server's answer is no JSON-RPC answer".to_owned());
    Some(with_our_id(ServerJsonRpcMessage::error(ErrorData::internal_error(text, None), Some(id))))
}

/// The error for the call that a line answers which is no JSON, where it looks like an answer.
fn unreadable(line: &[u8], error: &serde_json::Error) -> Option<ServerJsonRpcMessage> {
    let (head, tail) = (&line[..line.len().min(EDGE_BYTES)], &line[line.len().saturating_sub(EDGE_BYTES)..]);
    let has = |edge: &[u8], word: &str| String::from_utf8_lossy(edge).contains(word);
    if !head.trim_ascii_start().starts_with(b"{") || !(has(head, "\"jsonrpc\"") || has(tail, "\"jsonrpc\"")) || has(head, "\"method\"") {
        return None;
    }
    let id = id_in(head, tail)?;
    let error = error.to_string();
    let text = if error.starts_with("recursion limit") {
        "the server's answer is nested too deep to be read".to_owned()
    } else {
        format!("the server's answer is no valid JSON: {error}")
    };
    Some(ServerJsonRpcMessage::error(ErrorData::internal_error(text, None), Some(RequestId::Number(id))))
}

/// The error for the call that a message over the limit answers, where its id can be found.
pub(super) fn too_long(head: &[u8], tail: &[u8]) -> Option<ServerJsonRpcMessage> {
    let id = id_in(head, tail)?;
    let text = format!("the server's answer is over {} MiB", MESSAGE_BYTES_MAX / 1_024 / 1_024);
    Some(ServerJsonRpcMessage::error(ErrorData::internal_error(text, None), Some(RequestId::Number(id))))
}

/// Servers write the id first (Python) or last (TypeScript); what lies inside the result is not looked at.
fn id_in(head: &[u8], tail: &[u8]) -> Option<i64> {
    let head = String::from_utf8_lossy(head);
    let head = head.split("\"result\"").next().unwrap_or_default();
    let tail = String::from_utf8_lossy(tail);
    let tail = tail.rfind('}').map_or("", |end| &tail[..end]);
    let tail = tail.rfind(['}', ']']).map_or("", |start| &tail[start..]);
    number_after_id(head).or_else(|| number_after_id(tail))
}

fn number_after_id(text: &str) -> Option<i64> {
    let at = text.rfind("\"id\"")?;
    let digits = text[at + 4..].trim_start().strip_prefix(':')?.trim_start();
    digits.split(|ch: char| !ch.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(line: &str) -> (i64, String) {
        let Parsed::Messages(messages) = parse(line.as_bytes()) else { panic!("{line}: noise") };
        let [ServerJsonRpcMessage::Error(error)] = &messages[..] else { panic!("{line}: {messages:?}") };
        let Some(RequestId::Number(id)) = error.id else { panic!("{line}: no id") };
        (id, error.error.message.to_string())
    }

    #[test]
    fn malformed_answers_fail_their_call() {
        assert_eq!(error_of(r#"{"jsonrpc":"2.0","id":3,"error":"broken"}"#), (3, "\"broken\"".to_owned()));
        assert_eq!(error_of(r#"{"jsonrpc":"2.0","id":3,"error":{"message":"m"}}"#), (3, "m".to_owned()));
        assert_eq!(error_of(r#"{"id":4}"#).0, 4);
        assert!(matches!(parse(b"starting up..."), Parsed::Noise));
        assert!(matches!(parse(b"3"), Parsed::Noise));
        assert!(matches!(parse(br#"{"hello":1}"#), Parsed::Messages(messages) if messages.is_empty()));
        assert!(
            matches!(parse(br#"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]"#), Parsed::Messages(messages) if messages.len() == 2)
        );
        assert!(
            matches!(parse(b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"), Parsed::Messages(messages) if messages.len() == 1)
        );
    }

    #[test]
    fn answers_that_are_nearly_right_are_answers() {
        let result = |line: &[u8]| {
            let Parsed::Messages(messages) = parse(line) else { panic!("noise") };
            let [ServerJsonRpcMessage::Response(response)] = &messages[..] else { panic!("{messages:?}") };
            (response.id.clone(), serde_json::to_value(&response.result).unwrap())
        };
        let one = RequestId::Number(1);
        let empty = (one.clone(), serde_json::json!({}));
        assert_eq!(result(br#"{"jsonrpc":"2.0","id":"1","result":{}}"#), empty);
        assert_eq!(result(br#"{"id":1,"result":{},"error":null}"#), empty);
        assert_eq!(result(b"\0{\"jsonrpc\":\"2.0\",\"id\":1,\0\"result\":{}}"), empty);
        assert_eq!(
            result(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xff\tb\0\"}}"),
            (one, serde_json::json!({"a": "\u{fffd} b "}))
        );
        assert!(matches!(parse(br#"{"jsonrpc":"2.0","id":"s1","method":"ping"}"#), Parsed::Messages(messages)
            if matches!(&messages[..], [ServerJsonRpcMessage::Request(request)] if request.id == RequestId::String("s1".into()))));
    }

    #[test]
    fn the_result_of_a_call_stays_as_it_is() {
        let line = br#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"new","x":1}],"later":2}}"#;
        let Some(ServerJsonRpcMessage::Response(response)) = raw_answer(line, |id| id == 7) else { panic!("no answer") };
        assert_eq!(response.id, RequestId::Number(7));
        let ServerResult::CustomResult(result) = response.result else { panic!("a type was looked for") };
        assert_eq!(result.0, serde_json::json!({"content": [{"type": "new", "x": 1}], "later": 2}));
        assert!(raw_answer(line, |_| false).is_none());
        for other in [
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"m"}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":{},"error":null}"#,
            r#"{"jsonrpc":"2.0","id":"7","result":{}}"#,
            r#"{"jsonrpc":"1.0","id":7,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":7,"result":[]}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#,
        ] {
            assert!(raw_answer(other.as_bytes(), |_| true).is_none(), "{other}");
        }
    }

    #[test]
    fn answers_that_are_no_json_fail_their_call() {
        assert!(error_of(r#"{"jsonrpc": "2.0", "id": 3, "result": {"mean": NaN}}"#).1.contains("no valid JSON"));
        assert!(error_of(r#"{"result": {"mean": NaN}, "jsonrpc": "2.0", "id": 3}"#).1.contains("no valid JSON"));
        let deep = format!(r#"{{"jsonrpc":"2.0","id":3,"result":{{"a":{}{}}}}}"#, "[".repeat(500), "]".repeat(500));
        assert!(error_of(&deep).1.contains("nested too deep"));
        assert!(matches!(parse(br#"{"level": info, "id": 3}"#), Parsed::Noise));
        assert!(matches!(parse(br#"{"jsonrpc": "2.0", "id": 3, "method": "ping", "params": NaN}"#), Parsed::Noise));
    }

    #[test]
    fn the_id_of_a_message_over_the_limit_is_found_at_either_end() {
        assert_eq!(id_in(br#"{"jsonrpc":"2.0","id":7,"result":{"id":9,"text":"#, br#"xxx"}}"#), Some(7));
        assert_eq!(id_in(br#"{"result":{"id":9,"text":"#, br#"xxx","id":8}],"k":"v"},"jsonrpc":"2.0","id":12}"#), Some(12));
        assert_eq!(id_in(br#"{"result":{"id":9,"#, br#""id":9}}"#), None);
    }

    #[tokio::test]
    async fn long_lines_are_cut_and_reading_goes_on() {
        let mut input = b"\r\n  \n{\"id\":1}\n".to_vec();
        input.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":\"");
        input.extend(vec![b'x'; 300_000]);
        input.extend_from_slice(b"\"}\nafter\nunended");
        let mut lines = Lines::new(&input[..], 100_000);
        assert!(matches!(lines.next().await, Line::Whole(line) if line == b"{\"id\":1}"));
        let Line::TooLong(head, tail) = lines.next().await else { panic!("not too long") };
        assert!(head.len() <= EDGE_BYTES && tail.len() <= EDGE_BYTES && tail.ends_with(b"\"}"));
        assert_eq!(id_in(&head, &tail), Some(5));
        assert!(matches!(lines.next().await, Line::Whole(line) if line == b"after"));
        assert!(matches!(lines.next().await, Line::End));
        let endless = vec![b'x'; 1_000_000];
        assert!(matches!(Lines::new(&endless[..], 1_000).next().await, Line::Endless));
    }
}
