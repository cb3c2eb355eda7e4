//! Commands of the user's own: what a file may say, what comes out, what is told of files that do not fit.

use std::fs;

use super::*;

fn parse(text: &str) -> Result<OwnCommand, (Option<usize>, String)> {
    OwnCommand::parse("review", text)
}

fn expand(text: &str, args: &str) -> Result<String, String> {
    parse(text).unwrap().expand(args)
}

#[test]
fn a_file_is_front_matter_and_a_prompt() {
    let command = parse(
        "---\ndescription: \"Review: a file\"\narguments: FILE [FOCUS]\nmodel: openai/gpt\nagent: coder\n# a note\n---\n\nReview $1.\n",
    );
    let command = command.unwrap();
    assert_eq!((command.description.as_str(), command.usage().as_str()), ("Review: a file", "/review FILE [FOCUS]"));
    assert_eq!((command.model.as_deref(), command.agent.as_deref()), (Some("openai/gpt"), Some("coder")));
    assert_eq!(command.body, "Review $1.");
    let bare = parse("# Look around\n\nand tell").unwrap();
    assert_eq!((bare.description.as_str(), bare.runs_alone()), ("Look around", true));
}

#[test]
fn arguments_go_where_their_signs_stand() {
    let check = |body: &str, args: &str, expected: &str| assert_eq!(expand(body, args).unwrap(), expected, "{body} | {args}");
    check("All: $ARGUMENTS.", "a 'b c'", "All: a 'b c'.");
    check("$2 then $1 and $9", "a 'b c'", "b c then a and ");
    check("costs $$5 and $x, $", "", "costs $5 and $x, $");
    check("no sign", "more words", "no sign\n\nmore words");
    check("no sign", "", "no sign");
    check("$1|$ARGUMENTS", "'$ARGUMENTS' $2", "$ARGUMENTS|'$ARGUMENTS' $2");
    check("---\nagent: coder\n---\nDo $1", "it", "Hand over to coder: Do it");
    let needs = "---\narguments: FROM TO [WHY]\n---\n$1 $2 $3";
    assert_eq!(expand(needs, "a").unwrap_err(), "TO is missing; usage: /review FROM TO [WHY]");
    assert!(expand(needs, "'a").unwrap_err().contains("not closed"));
}

#[test]
fn what_does_not_fit_is_told_with_its_line() {
    let check = |text: &str, line: Option<usize>, part: &str| {
        let (at, reason) = parse(text).unwrap_err();
        assert_eq!(at, line, "{text}: {reason}");
        assert!(reason.contains(part), "{text}: {reason}");
    };
    check("---\ndescription: x", Some(1), "not closed");
    check("---\ndescription: x\ndescritpion: y\n---\ntext", Some(3), "did you mean `description`?");
    check("---\nallowed-tools: Bash\n---\ntext", Some(2), "there are description, arguments, model, agent");
    check("---\nnonsense\n---\ntext", Some(2), "is no `key: value`");
    check("---\nmodel: gpt\n---\ntext", Some(2), "provider/model");
    check("---\ndescription: \"x\n---\ntext", Some(2), "quotation mark");
    check("---\n---\n \n", None, "no prompt");
    for name in ["Help", "a b", "9a", "", "../x", "help", "q"] {
        assert!(OwnCommand::parse(name, "text").is_err(), "{name}");
    }
}

#[test]
fn control_characters_of_a_file_do_not_get_through() {
    let command = parse("---\ndescription: a\u{1b}[31mb\n---\nx\u{1b}]52;c;aGk=\u{7}y").unwrap();
    assert!(!command.description.contains('\u{1b}') && !command.body.contains('\u{1b}'), "{command:?}");
}

#[test]
fn the_folder_is_read_again_only_where_it_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("commands");
    let mut reader = Folder::default();
    assert_eq!(reader.read(&path), Some(OwnCommands { known: true, ..OwnCommands::default() }), "a folder that is not there");
    assert_eq!(reader.read(&path), None);
    fs::create_dir(&path).unwrap();
    for (name, text) in [("b.md", "second"), ("a.md", "first"), ("note.txt", "no command"), ("help.md", "x"), ("c.md", "---\nx: 1\n---\ny")]
    {
        fs::write(path.join(name), text).unwrap();
    }
    fs::write(path.join("d.md"), b"one\ntwo \xff\n").unwrap();
    fs::write(path.join("e.md"), "x".repeat(65_537)).unwrap();
    let commands = reader.read(&path).unwrap();
    assert_eq!(commands.list.iter().map(|command| command.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let told = |name: &str| commands.problem(name).unwrap().to_owned();
    assert!(told("c").contains("c.md line 2: unknown key `x`"), "{}", told("c"));
    assert!(told("d").contains("d.md line 2: this is no UTF-8"), "{}", told("d"));
    assert!(told("e").contains("too many") && told("help").contains("already"));
    assert_eq!(reader.read(&path), None, "as it was");
    fs::write(path.join("a.md"), "first, longer").unwrap();
    assert_eq!(reader.read(&path).unwrap().get("a").unwrap().body, "first, longer");
    fs::remove_file(path.join("b.md")).unwrap();
    assert!(reader.read(&path).unwrap().get("b").is_none());
}
