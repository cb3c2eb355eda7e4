//! What can be decided without a model. Pure.

use crate::ambient::judge::prompt_of;
use crate::domain::firing::{Firing, Origin};
use crate::domain::task::{Decision, Judging, TaskKind, TaskSpec};

/// What the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// It is decided.
    Decided { decision: Decision, reason: String },
    /// It is decided, though a model should have been asked.
    Fallback { decision: Decision, reason: String },
    /// A model is asked; if it is away, `otherwise`.
    Ask { otherwise: Decision },
    /// The agent is given a prompt, and its answer is told.
    Prompt { title: String, prompt: String },
}

/// The decision of the rules on `firing` of `spec`; `able` tells whether a model can be asked, `spent` whether the
/// task may cost no more.
pub(super) fn rule(spec: Option<&TaskSpec>, firing: &Firing, able: bool, spent: bool) -> Rule {
    let decided = |decision, reason: &str| Rule::Decided { decision, reason: reason.to_owned() };
    if !firing.feedback.requires_processing {
        return decided(Decision::Ignore, "its sender wants no decision about it");
    }
    if firing.origin == Origin::Inbox {
        let text = |name: &str| firing.feedback.data.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        return Rule::Prompt { title: text("title"), prompt: text("prompt") };
    }
    let Some(spec) = spec else { return of_strangers(firing, able) };
    match spec.kind.common().judge {
        Judging::Always => return decided(Decision::Notify, "the task's `judge` is `always`"),
        Judging::Inbox => return decided(Decision::Ask, "the task's `judge` is `inbox`"),
        Judging::Auto => {}
    }
    if let Some(prompt) = prompt_of(spec).filter(|_| firing.feedback.event_type == "scheduled_trigger") {
        return Rule::Prompt { title: spec.description.clone(), prompt: prompt.to_owned() };
    }
    let digest = firing.feedback.event_type == "daily_news_digest";
    match spec.kind.kind() {
        TaskKind::Schedule if !digest => decided(Decision::Notify, "a reminder is always told"),
        TaskKind::ThresholdWatch => decided(Decision::Notify, "a threshold that was passed is always told"),
        TaskKind::WebMonitor | TaskKind::NewsDigest | TaskKind::Schedule => {
            let what = if digest { "a digest is always told" } else { "it changed, and its keywords and rules let it through" };
            if spent {
                Rule::Fallback { decision: Decision::Notify, reason: format!("the task may cost no more; {what}") }
            } else if able {
                Rule::Ask { otherwise: Decision::Notify }
            } else {
                decided(Decision::Notify, what)
            }
        }
    }
}

/// A firing of no task of ours.
fn of_strangers(firing: &Firing, able: bool) -> Rule {
    match firing.origin {
        Origin::Simulation if able && firing.feedback.event_type == "web_content_change" => Rule::Ask { otherwise: Decision::Notify },
        Origin::Simulation => Rule::Decided { decision: Decision::Notify, reason: "simulated events are told in the inbox".to_owned() },
        Origin::Task | Origin::Inbox => Rule::Decided { decision: Decision::Ask, reason: "its task is gone".to_owned() },
        Origin::Http if able => Rule::Ask { otherwise: Decision::Ask },
        Origin::Http => {
            Rule::Decided { decision: Decision::Ask, reason: "it comes from another program; no model is there to read it".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::clock::Instant;
    use crate::domain::firing::Feedback;
    use crate::domain::ids::FiringId;

    fn spec(task_type: &str, config: serde_json::Value) -> TaskSpec {
        let spec = json!({"task_id": "t", "task_type": task_type, "config": config, "description": "d", "user_id": "default",
            "created_at": "2026-01-01T00:00:00.000Z"});
        serde_json::from_value(spec).unwrap()
    }

    fn firing(event_type: &str, origin: Origin) -> Firing {
        let feedback = Feedback {
            task_id: "t".into(),
            event_type: event_type.into(),
            data: serde_json::Map::new(),
            timestamp: Instant::from_millis(0),
            priority: 3,
            requires_processing: true,
        };
        Firing { firing_id: FiringId::new("f"), key: "k".into(), origin, feedback }
    }

    fn decision(rule: Rule) -> (&'static str, Option<Decision>) {
        match rule {
            Rule::Decided { decision, .. } => ("rule", Some(decision)),
            Rule::Fallback { decision, .. } => ("fallback", Some(decision)),
            Rule::Ask { otherwise } => ("ask", Some(otherwise)),
            Rule::Prompt { .. } => ("prompt", None),
        }
    }

    #[test]
    fn a_model_is_asked_only_where_reading_is_needed() {
        let page = spec("web_monitor", json!({"urls": ["https://a.example"]}));
        let check = |spec: &TaskSpec, event: &str, able, spent, expected| {
            assert_eq!(decision(rule(Some(spec), &firing(event, Origin::Task), able, spent)), expected, "{event} {able} {spent}");
        };
        check(&page, "web_content_change", true, false, ("ask", Some(Decision::Notify)));
        check(&page, "web_content_change", false, false, ("rule", Some(Decision::Notify)));
        check(&page, "web_content_change", true, true, ("fallback", Some(Decision::Notify)));
        let reminder = spec("schedule", json!({"type": "daily"}));
        check(&reminder, "scheduled_trigger", true, false, ("rule", Some(Decision::Notify)));
        let prompt = spec("schedule", json!({"type": "daily", "action": "sum up my tasks"}));
        check(&prompt, "scheduled_trigger", true, false, ("prompt", None));
        let threshold = spec("threshold_watch", json!({"metric": "m", "threshold": 1.0}));
        check(&threshold, "threshold_reached", true, false, ("rule", Some(Decision::Notify)));
        let quiet = spec("web_monitor", json!({"urls": ["https://a.example"], "judge": "inbox"}));
        check(&quiet, "web_content_change", true, false, ("rule", Some(Decision::Ask)));
        let loud = spec("web_monitor", json!({"urls": ["https://a.example"], "judge": "always"}));
        check(&loud, "web_content_change", true, false, ("rule", Some(Decision::Notify)));
    }

    #[test]
    fn what_comes_from_outside_never_goes_to_the_phone_unread() {
        let check = |origin, able, expected| assert_eq!(decision(rule(None, &firing("deploy_failed", origin), able, false)), expected);
        check(Origin::Http, true, ("ask", Some(Decision::Ask)));
        check(Origin::Http, false, ("rule", Some(Decision::Ask)));
        check(Origin::Task, true, ("rule", Some(Decision::Ask)));
        check(Origin::Simulation, false, ("rule", Some(Decision::Notify)));
    }

    #[test]
    fn a_sender_may_want_no_decision() {
        let mut quiet = firing("x", Origin::Http);
        quiet.feedback.requires_processing = false;
        assert_eq!(decision(rule(None, &quiet, true, false)), ("rule", Some(Decision::Ignore)));
    }
}
