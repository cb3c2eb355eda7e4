//! Memories on the screen: commands, the list, one that is read, what a turn was told.

use super::*;
use crate::domain::clock::Instant;
use crate::domain::ids::MemoryId;
use crate::domain::memory::{Memory, MemoryCommand, MemoryEvent, MemoryKind, MemoryPage, MemorySource, Note, Notes};

fn memory(id: &str, content: &str) -> Memory {
    let at = Instant::from_millis(0);
    Memory {
        memory_id: MemoryId::new(id),
        content: content.to_owned(),
        kind: MemoryKind::Preference,
        tags: vec!["drinks".to_owned()],
        source: MemorySource::User,
        created: at,
        updated: at,
        last_used: None,
        times_used: 0,
        score: None,
    }
}

fn listed() -> Script {
    let mut script = ready();
    script.command("/memory");
    assert!(script.effects.contains(&Effect::Ask(Query::Memories(String::new()))));
    let memories = vec![memory("1a2b3c4d-rest", "tea, not\u{1b}[31m coffee"), memory("5e6f7a8b-rest", "the car is grey")];
    script.send(Msg::Answer(Answer::Memories(String::new(), Ok(MemoryPage { total: 2, memories }))));
    script.effects.clear();
    script
}

#[test]
fn commands_become_what_the_program_is_asked() {
    let mut script = ready();
    script.command("/remember my favourite colour is green");
    script.command("/forget the colour");
    script.command("/memory edit 1a2b3c4d blue");
    let sent = script.commands();
    let is = |at: usize, wanted: fn(&MemoryCommand) -> bool| matches!(sent.get(at), Some(Command::Memory(command)) if wanted(command));
    assert!(is(
        0,
        |command| matches!(command, MemoryCommand::Remember { content, force: false, .. } if content == "my favourite colour is green")
    ));
    assert!(is(1, |command| matches!(command, MemoryCommand::Forget { which } if which == "the colour")));
    assert!(is(2, |command| matches!(command, MemoryCommand::Update { memory_id, .. } if memory_id.as_str() == "1a2b3c4d")));
    script.command("/search green tea");
    assert!(script.effects.contains(&Effect::Ask(Query::Memories("green tea".to_owned()))));
}

#[test]
fn the_list_narrows_reads_changes_and_forgets() {
    let mut script = listed();
    assert!(script.text().contains("tea, not coffee") && script.text().contains("the car is grey"), "{}", script.text());
    script.type_text("grey");
    assert!(!script.text().contains("coffee"), "{}", script.text());
    script.key("enter");
    assert!(script.text().contains("5e6f7a8b") && script.text().contains("e change"), "{}", script.text());
    script.key("e");
    assert_eq!(script.state.composer.text(), "/memory edit 5e6f7a8b the car is grey");
    let mut script = listed();
    script.keys(&["enter", "d"]);
    assert_eq!(script.state.composer.text(), "/forget 1a2b3c4d");
    assert!(script.commands().is_empty(), "it asks first");
    let mut script = listed();
    script.key("ctrl+x");
    assert!(
        script
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::ExportMemories(path) if path.extension().is_some_and(|end| end == "jsonl")))
    );
    let mut script = ready();
    script.command("/memory");
    script.send(Msg::Answer(Answer::Memories(String::new(), Ok(MemoryPage::default()))));
    assert!(script.text().contains("nothing is remembered yet"), "{}", script.text());
}

#[test]
fn what_a_turn_was_told_is_one_line_that_opens() {
    let mut script = ready();
    script.said("What do I drink?");
    let note = Note {
        memory_id: MemoryId::new("m"),
        kind: MemoryKind::Preference,
        content: "tea, not coffee".to_owned(),
        updated: Instant::from_millis(0),
    };
    script.feed(MemoryEvent::Recalled { turn: crate::domain::ids::TurnId::new("t"), notes: Notes::new(vec![note], || 1) });
    assert!(script.text().contains("recalled 1 memory"), "{}", script.text());
    script.feed_system(MemoryEvent::Forgotten { memory_id: MemoryId::new("m"), message: "forgot memory m (fact)".to_owned() });
    assert!(script.text().contains("forgot memory m"), "{}", script.text());
}
