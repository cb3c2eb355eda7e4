//! The policy, case by case.

use super::*;
use crate::agent::testing::info;
use crate::domain::ids::CallId;
use crate::domain::tool::ToolHints;

fn rule(server: &str, tool: &str, action: ApprovalAction) -> ApprovalRule {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ApprovalRule { server: some(server), tool: some(tool), action }
}

fn granted(tool: &ToolInfo, scope: Scope) -> Approval {
    Approval {
        call_id: CallId::new("c"),
        status: ApprovalStatus::Granted,
        service_name: tool.server.clone(),
        tool_name: tool.tool.clone(),
        arguments: serde_json::Map::new(),
        reason: String::new(),
        dangerous: false,
        preview: None,
        scope: Some(scope),
        instead: None,
        parent: None,
        own: false,
    }
}

fn check(mode: ApprovalMode, rules: &[ApprovalRule], consents: &[Approval], unattended: bool, tool: &ToolInfo) -> Verdict {
    let (mut session, mut lasting) = (Consents::default(), Consents::default());
    for approval in consents {
        session.learn_session(approval);
        lasting.learn_lasting(approval);
    }
    Policy { mode, rules, session: &session, lasting: &lasting, unattended }.check(tool)
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allow { .. } => "allow",
        Verdict::Ask { dangerous: true, .. } => "ask!",
        Verdict::Ask { .. } => "ask",
        Verdict::Deny { .. } => "deny",
    }
}

#[test]
fn the_mode_decides_where_nothing_else_does() {
    let (read, write) = (info("s", "read", true), info("s", "write", false));
    let stranger = ToolInfo { trusted: false, ..read.clone() };
    let gentle = ToolInfo { hints: ToolHints { destructive: false, ..ToolHints::default() }, ..write.clone() };
    for (mode, expected) in [
        (ApprovalMode::Ask, ["ask", "ask!", "ask", "ask"]),
        (ApprovalMode::AutoRead, ["allow", "ask!", "ask", "ask"]),
        (ApprovalMode::Auto, ["allow", "allow", "allow", "allow"]),
    ] {
        let got = [&read, &write, &stranger, &gentle].map(|tool| word(&check(mode, &[], &[], false, tool)));
        assert_eq!(got, expected, "{mode:?}");
    }
}

#[test]
fn the_most_specific_rule_counts_and_is_named() {
    let rules = [
        rule("s", "", ApprovalAction::Deny),
        rule("s", "wri*", ApprovalAction::Ask),
        rule("s", "write", ApprovalAction::Allow),
        rule("", "read", ApprovalAction::Ask),
    ];
    let on = |server: &str, tool: &str| check(ApprovalMode::Auto, &rules, &[], false, &info(server, tool, false));
    assert_eq!(on("s", "write"), Verdict::Allow { reason: r#"rule { server = "s", tool = "write", action = "allow" }"#.to_owned() });
    assert_eq!(word(&on("s", "writer")), "ask!");
    assert_eq!(word(&on("s", "other")), "deny");
    assert_eq!(word(&on("t", "read")), "ask!");
    assert_eq!(word(&on("t", "other")), "allow");
}

#[test]
fn of_equal_rules_the_first_counts() {
    let rules = [rule("s", "", ApprovalAction::Deny), rule("s", "", ApprovalAction::Allow)];
    assert_eq!(word(&check(ApprovalMode::Auto, &rules, &[], false, &info("s", "x", false))), "deny");
}

#[test]
fn consents_reach_as_far_as_they_were_given() {
    let (write, other, far) = (info("s", "write", false), info("s", "other", false), info("t", "write", false));
    for (scope, expected) in [
        (Scope::Once, ["ask!", "ask!", "ask!"]),
        (Scope::Session, ["allow", "ask!", "ask!"]),
        (Scope::Tool, ["allow", "ask!", "ask!"]),
        (Scope::Server, ["allow", "allow", "ask!"]),
    ] {
        let consents = [granted(&write, scope)];
        let got = [&write, &other, &far].map(|tool| word(&check(ApprovalMode::Ask, &[], &consents, false, tool)));
        assert_eq!(got, expected, "{scope:?}");
    }
    let refused = Approval { status: ApprovalStatus::Refused, ..granted(&write, Scope::Server) };
    assert_eq!(word(&check(ApprovalMode::Ask, &[], &[refused], false, &write)), "ask!");
}

#[test]
fn a_consent_beats_a_rule_that_asks_but_not_one_that_denies() {
    let write = info("s", "write", false);
    let consents = [granted(&write, Scope::Tool)];
    let on = |action| check(ApprovalMode::Ask, &[rule("s", "", action)], &consents, false, &write);
    assert_eq!(word(&on(ApprovalAction::Ask)), "allow");
    assert_eq!(word(&on(ApprovalAction::Deny)), "deny");
}

#[test]
fn without_a_person_a_question_is_a_refusal_that_says_why() {
    let verdict = check(ApprovalMode::AutoRead, &[], &[], true, &info("s", "write", false));
    let Verdict::Deny { reason } = verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("nobody is there") && reason.contains("[[approvals]]"), "{reason}");
}

#[test]
fn patterns() {
    for (pattern, name, fits) in [
        ("*", "anything", true),
        ("read_*", "read_file", true),
        ("read_*", "write", false),
        ("*file", "read_file", true),
        ("a*b*c", "a-x-b-y-c", true),
        ("a*b*c", "a-c-b", false),
        ("a*a", "a", false),
        ("", "", true),
        ("exact", "exactly", false),
    ] {
        assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
    }
}

#[test]
fn a_task_that_runs_something_is_asked_about_in_every_mode() {
    let create = info("tasks", "create_background_task", false);
    let with = |source: serde_json::Value| {
        let config = serde_json::json!({"metric": "disk", "threshold": 90, "source": source});
        serde_json::Map::from_iter([("config".to_owned(), config)])
    };
    let check = |mode, rules: &[ApprovalRule], consents: &[Approval], unattended, source: serde_json::Value| {
        let (mut session, mut lasting) = (Consents::default(), Consents::default());
        for approval in consents {
            session.learn_session(approval);
            lasting.learn_lasting(approval);
        }
        let policy = Policy { mode, rules, session: &session, lasting: &lasting, unattended };
        word(&policy.check_call(&create, &with(source)))
    };
    let (command, page) = (serde_json::json!({"command": ["df"]}), serde_json::json!({"url": "https://a.example"}));
    let allow = rule("tasks", "create_background_task", ApprovalAction::Allow);
    for mode in [ApprovalMode::Ask, ApprovalMode::AutoRead, ApprovalMode::Auto] {
        assert_eq!(check(mode, &[], &[], false, command.clone()), "ask!", "{mode:?}");
        assert_eq!(check(mode, std::slice::from_ref(&allow), &[], false, command.clone()), "ask!", "{mode:?}");
        assert_eq!(check(mode, &[], &[granted(&create, Scope::Tool)], false, command.clone()), "ask!", "{mode:?}");
        assert_eq!(check(mode, &[], &[granted(&create, Scope::Session)], false, command.clone()), "ask!", "{mode:?}");
        assert_eq!(check(mode, &[], &[], true, command.clone()), "deny", "{mode:?}");
    }
    assert_eq!(check(ApprovalMode::Auto, &[], &[], false, page), "allow");
    let deny = rule("tasks", "*", ApprovalAction::Deny);
    assert_eq!(check(ApprovalMode::Auto, &[deny], &[], false, command), "deny");
}

#[test]
fn what_reaches_somebody_asks_each_time_unless_a_rule_of_the_config_lets_it() {
    let send = info("notify", "send_sms", false);
    let check = |mode, rules: &[ApprovalRule], scope: Option<Scope>, unattended| {
        let (mut session, mut lasting) = (Consents::default(), Consents::default());
        if let Some(approval) = scope.map(|scope| granted(&send, scope)) {
            session.learn_session(&approval);
            lasting.learn_lasting(&approval);
        }
        let policy = Policy { mode, rules, session: &session, lasting: &lasting, unattended };
        word(&policy.check_call(&send, &serde_json::Map::new()))
    };
    let allow = |server: &str, tool: &str| [rule(server, tool, ApprovalAction::Allow)];
    for mode in [ApprovalMode::Ask, ApprovalMode::AutoRead, ApprovalMode::Auto] {
        assert_eq!(check(mode, &[], None, false), "ask!", "{mode:?}");
        assert_eq!(check(mode, &[], None, true), "deny", "{mode:?}");
        for scope in [Scope::Session, Scope::Tool, Scope::Server] {
            assert_eq!(check(mode, &[], Some(scope), false), "ask!", "{mode:?} {scope:?}: consent to one receiver is none to the next");
        }
        assert_eq!(check(mode, &allow("notify", ""), None, true), "allow", "{mode:?}");
        assert_eq!(check(mode, &allow("", "send_sms"), None, true), "allow", "{mode:?}");
        assert_eq!(check(mode, &allow("*", ""), None, false), "ask!", "a rule for everything speaks of nothing");
        assert_eq!(check(mode, &[rule("notify", "", ApprovalAction::Deny)], None, false), "deny", "{mode:?}");
    }
    let note = info("notify", "send_notification", false);
    let policy =
        Policy { mode: ApprovalMode::Auto, rules: &[], session: &Consents::default(), lasting: &Consents::default(), unattended: true };
    assert_eq!(word(&policy.check_call(&note, &serde_json::Map::new())), "allow", "the owner's own channel is no stranger");
}
