//! What reaches the clipboard, and by which way.

use super::*;

#[test]
fn the_terminals_way_is_wrapped_and_has_a_limit() {
    assert_eq!(sequence("hé", Wrap::None).unwrap(), "\x1b]52;c;aMOp\x07");
    assert_eq!(sequence("hé", Wrap::Tmux).unwrap(), "\x1bPtmux;\x1b\x1b]52;c;aMOp\x07\x1b\\");
    assert_eq!(sequence("hé", Wrap::Screen).unwrap(), "\x1bP\x1b]52;c;aMOp\x07\x1b\\");
    assert!(sequence(&"x".repeat(TERMINAL_BYTES_MAX), Wrap::None).is_some());
    assert_eq!(sequence(&"x".repeat(TERMINAL_BYTES_MAX + 1), Wrap::None), None);
}

#[test]
fn notes_say_how_much_went_where() {
    assert_eq!(told(1, "wl-copy"), "copied to the clipboard (wl-copy)");
    assert_eq!(told(12, "OSC 52 through tmux"), "copied 12 lines to the clipboard (OSC 52 through tmux)");
    assert!(too_long(120_001).contains("121 kB") && too_long(120_001).contains("/export"));
}

#[test]
fn windows_reads_utf_16() {
    assert_eq!(Program::Clip.input("é"), [0xff, 0xfe, 0xe9, 0x00]);
    assert_eq!(Program::Xclip.input("é"), "é".as_bytes());
}

#[tokio::test]
async fn a_program_gets_the_text_and_a_failing_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept");
    let script = format!("cat > '{}'", file.display());
    run(&["sh", "-c", &script], "ü\n".as_bytes()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "ü\n");
    assert!(run(&["sh", "-c", "cat > /dev/null; exit 3"], b"x").await.unwrap_err().to_string().contains('3'));
    assert_eq!(run(&["no-such-program-anywhere"], b"x").await.unwrap_err().kind(), std::io::ErrorKind::NotFound);
}
