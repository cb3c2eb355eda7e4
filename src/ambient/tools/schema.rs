//! What the task tools tell about themselves: names, descriptions with examples, schemas.
//!
//! Schemas are open: a model that puts a key of the config beside it is understood all the same.

use serde_json::{Map, Value, json};

use crate::ambient::tools::TASKS;
use crate::domain::tool::ToolHints;
use crate::tools::local::Definition;

/// Changes something of ours that can be changed back.
const CHANGES: ToolHints = ToolHints { read_only: false, destructive: false, idempotent: true, open_world: false };

/// Makes something that reaches out.
const MAKES: ToolHints = ToolHints { read_only: false, destructive: false, idempotent: false, open_world: true };

const CONFIG: &str = r#"How the task works, by task_type:
web_monitor: {"urls":["https://techcrunch.com"],"keywords":["AI"],"check_interval_minutes":30,"notification":{"method":"send_sms","phone_number":"+1234567890"}}; also selector, xpath, json_pointer (part to watch), ignore (regexes), ignore_selectors.
schedule: {"type":"daily","hour":9,"minute":0,"notification":{"method":"send_sms","phone_number":"+1234567890"}} or {"type":"interval","minutes":60} or {"type":"weekly","days":["monday"],"hour":9} or {"type":"cron","cron":"0 9 * * 1-5"} or {"type":"once","at":"2030-01-01T09:00:00Z"}; action: a prompt for the agent, or "news_digest" with news_urls; without action it reminds with the description.
news_digest: {"news_urls":["https://techcrunch.com","https://news.ycombinator.com"],"hour":8,"notification":{"method":"send_sms","phone_number":"+1234567890"}}; also minute, categories, top.
threshold_watch: {"metric":"bitcoin_price","threshold":100000,"direction":"above","check_interval_minutes":15}; source: {"url":"https://…","json_pointer":"/price"} (or css, regex, or server+tool, or command); also hysteresis, cooldown_minutes.
Every type: notification, as the user asks to be told: {"method":"send_sms","phone_number":"+1234567890"}, {"method":"send_email","email":"a@example.org"}, {"method":"webhook","url":"https://…"}, {"method":"ntfy","topic":"…"}, {"method":"desktop"} or {"method":"none"}; timezone (IANA name), start_at, end_at, max_runs."#;

const WHICH: &str = "The task: its id, the start of it (at least 4 characters), or its exact description";

const USER: &str = "Whose tasks; default `default`, `admin` reaches all";

pub(super) const CREATE: Definition = Definition {
    server: TASKS,
    name: "create_background_task",
    title: "Create a background task",
    description: "Makes a task that goes on working in the background: watches pages (web_monitor), reminds or runs a prompt on a schedule (schedule), gathers news (news_digest), watches a number (threshold_watch). Tells the user by the channel in config.notification; the inbox where there is none.",
    hints: MAKES,
};

pub(super) const LIST: Definition = Definition {
    server: TASKS,
    name: "list_background_tasks",
    title: "List background tasks",
    description: "Lists the background tasks with their state, schedule, last result and next check.",
    hints: ToolHints::READ_ONLY,
};

pub(super) const PAUSE: Definition = Definition {
    server: TASKS,
    name: "pause_background_task",
    title: "Pause a background task",
    description: "Lets a background task rest until it is resumed.",
    hints: CHANGES,
};

pub(super) const RESUME: Definition = Definition {
    server: TASKS,
    name: "resume_background_task",
    title: "Resume a background task",
    description: "Lets a paused or failed background task go on.",
    hints: CHANGES,
};

pub(super) const DELETE: Definition = Definition {
    server: TASKS,
    name: "delete_background_task",
    title: "Delete a background task",
    description: "Deletes a background task and what was kept for it. To stop it for a while, pause it instead.",
    hints: ToolHints { read_only: false, destructive: true, idempotent: true, open_world: false },
};

pub(super) const RUN: Definition = Definition {
    server: TASKS,
    name: "run_background_task",
    title: "Run a background task now",
    description: "Asks for a run of an active background task now, out of turn. The result comes in the background; look at the history a moment later.",
    hints: MAKES,
};

pub(super) const PREVIEW: Definition = Definition {
    server: TASKS,
    name: "preview_background_task",
    title: "Preview a background task",
    description: "Tries a background task out without making it: when it would be due, what it would find now, how often it would have told lately. Takes what create_background_task takes, or the task_id of one that exists.",
    hints: ToolHints { read_only: true, destructive: false, idempotent: true, open_world: true },
};

pub(super) const HISTORY: Definition = Definition {
    server: TASKS,
    name: "get_background_task_history",
    title: "History of a background task",
    description: "Tells what happened to a background task, newest first, and why: when it ran, what it found, what was decided, what became of the notices.",
    hints: ToolHints::READ_ONLY,
};

pub(super) const UPDATE: Definition = Definition {
    server: TASKS,
    name: "update_background_task",
    title: "Change a background task",
    description: "Changes a background task. Give only what changes: keys of config are merged into the present config, null takes a key away. The type stays.",
    hints: ToolHints { read_only: false, destructive: false, idempotent: true, open_world: true },
};

pub(super) const STATUS: Definition = Definition {
    server: TASKS,
    name: "get_event_sourcing_status",
    title: "Status of the background tasks",
    description: "Tells whether the background tasks are being run, and how many there are by state and type.",
    hints: ToolHints::READ_ONLY,
};

/// The arguments that make a task.
pub(super) const MAKING: [&str; 5] = ["task_type", "description", "config", "callback_url", "user_id"];

/// The arguments that change a task.
pub(super) const CHANGING: [&str; 5] = ["task_id", "description", "config", "callback_url", "user_id"];

pub(super) fn create() -> Map<String, Value> {
    object(making(), &["task_type", "description", "config"])
}

pub(super) fn preview() -> Map<String, Value> {
    let mut properties = making();
    properties.insert("task_id".to_owned(), json!({"type": "string", "description": "A task that exists, instead of the rest"}));
    object(properties, &[])
}

pub(super) fn which() -> Map<String, Value> {
    object(chosen(), &["task_id"])
}

pub(super) fn history(limit: usize, limit_max: usize) -> Map<String, Value> {
    let mut properties = chosen();
    let description = format!("The newest so many events; default {limit}");
    properties.insert("limit".to_owned(), json!({"type": "integer", "minimum": 1, "maximum": limit_max, "description": description}));
    object(properties, &["task_id"])
}

pub(super) fn update() -> Map<String, Value> {
    let mut properties = chosen();
    properties.insert(
        "description".to_owned(),
        json!({"type": "string", "description": "Another text for the task; leave it out to keep the present one"}),
    );
    properties
        .insert("config".to_owned(), json!({"type": "object", "description": "The keys of the config that change; null takes one away"}));
    properties.insert(
        "callback_url".to_owned(),
        json!({"type": "string", "description": "Another address for its events; leave it out to keep the present one"}),
    );
    object(properties, &["task_id"])
}

pub(super) fn user() -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("user_id".to_owned(), json!({"type": "string", "description": USER}));
    object(properties, &[])
}

pub(super) fn nothing() -> Map<String, Value> {
    object(Map::new(), &[])
}

fn making() -> Map<String, Value> {
    let mut properties = Map::new();
    let types = ["web_monitor", "schedule", "news_digest", "threshold_watch"];
    properties.insert("task_type".to_owned(), json!({"type": "string", "enum": types, "description": "What kind of task"}));
    let description = "What it is for, in the user's words; a reminder tells this text";
    properties.insert("description".to_owned(), json!({"type": "string", "description": description}));
    properties.insert("config".to_owned(), json!({"type": "object", "description": CONFIG}));
    properties.insert(
        "callback_url".to_owned(),
        json!({"type": "string", "description": "Leave it out, unless the user names a program of theirs that is to get the events as JSON: its address"}),
    );
    properties.insert(
        "user_id".to_owned(),
        json!({"type": "string", "description": "Leave it out, unless the user names whose task it is; default `default`"}),
    );
    properties
}

fn chosen() -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("task_id".to_owned(), json!({"type": "string", "description": WHICH}));
    properties.insert("user_id".to_owned(), json!({"type": "string", "description": USER}));
    properties
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("type".to_owned(), "object".into());
    out.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        out.insert("required".to_owned(), required.into());
    }
    out
}
