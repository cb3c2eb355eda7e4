//! What is seen of a long transcript, and how little work that takes.

use super::*;

#[test]
fn a_frame_of_a_hundred_thousand_items_touches_only_what_is_seen() {
    let transcript = long(50_000);
    assert_eq!(transcript.len(), 100_000);
    let mut view = ViewState::default();
    let theme = theme();
    let mut worst = |what: &str, laid_out_max: u64, act: &mut dyn FnMut(&mut ViewState)| {
        let before = transcript.cost();
        act(&mut view);
        screen(&transcript, &view, 80, 40);
        let after = transcript.cost();
        assert!(after.laid_out - before.laid_out <= laid_out_max, "{what}: {before:?} {after:?}");
        assert!(after.touched - before.touched <= 400, "{what}: {before:?} {after:?}");
    };
    worst("the first frame", 25, &mut |_| {});
    worst("the same frame", 0, &mut |_| {});
    worst("a page up", 25, &mut |view| transcript.scroll_by(view, -40, 80, 40, &theme));
    worst("the top", 45, &mut |view| transcript.scroll_to_top(view));
    worst("a page down", 45, &mut |view| transcript.scroll_by(view, 40, 80, 40, &theme));
    let middle = transcript.items().nth(50_000).unwrap().id;
    worst("a place in the middle", 90, &mut |view| transcript.scroll_to_item(view, middle, 80, 40, &theme));
    worst("the end", 45, &mut |view| transcript.scroll_to_end(view));
    let (above, total) = transcript.position(&view, 80, 40);
    assert!(total >= 150_000 && above == total - 40, "{above} {total}");
}

#[test]
fn scrolling_goes_row_by_row_and_comes_back_to_following() {
    let transcript = long(20);
    let theme = theme();
    let mut view = ViewState::default();
    let all = transcript.dump(80).into_iter().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(screen(&transcript, &view, 80, 10), all[all.len() - 10..]);
    for up in 1..=all.len() {
        transcript.scroll_by(&mut view, -1, 80, 10, &theme);
        let from = (all.len() - 10).saturating_sub(up);
        assert_eq!(screen(&transcript, &view, 80, 10), all[from..from + 10], "{up} rows up");
        assert!(!view.follows());
    }
    transcript.scroll_by(&mut view, 7, 80, 10, &theme);
    assert_eq!(screen(&transcript, &view, 80, 10), all[7..17]);
    transcript.scroll_by(&mut view, 10_000, 80, 10, &theme);
    assert!(view.follows(), "the end is followed again");
    transcript.scroll_by(&mut view, -13, 80, 10, &theme);
    transcript.scroll_by(&mut view, 13, 80, 10, &theme);
    assert!(view.follows());
}

#[test]
fn the_place_is_kept_while_more_comes() {
    let mut transcript = long(20);
    let theme = theme();
    let mut view = ViewState::default();
    transcript.scroll_by(&mut view, -5, 80, 10, &theme);
    let seen = screen(&transcript, &view, 80, 10);
    for word in 0..200 {
        transcript.apply(&event(None, delta(&format!("word{word}\n\n"))));
        assert_eq!(screen(&transcript, &view, 80, 10), seen);
    }
    transcript.scroll_to_end(&mut view);
    assert!(screen(&transcript, &view, 80, 10).iter().any(|row| row.contains("word199")));
}

#[test]
fn an_answer_that_is_written_moves_up_by_several_rows_at_once() {
    let mut transcript = long(20);
    let view = ViewState::default();
    let mut before = screen(&transcript, &view, 80, 30);
    let mut moved = 0;
    for word in 0..100 {
        transcript.apply(&event(None, delta(&format!("word{word}\n\n"))));
        let now = screen(&transcript, &view, 80, 30);
        assert!(now.iter().any(|row| row.contains(&format!("word{word}"))), "what is new is seen at once");
        assert!(now.iter().rev().take_while(|row| row.trim().is_empty()).count() <= AHEAD_ROWS, "{now:#?}");
        moved += usize::from(now[0] != before[0]);
        before = now;
    }
    // Each word is a row and a blank one.
    assert!(moved <= 200 / AHEAD_ROWS + 1, "{moved} times");
    transcript.apply(&event(Some(1_000), done(&(0..100).map(|word| format!("word{word}\n\n")).collect::<String>())));
    assert!(screen(&transcript, &view, 80, 30).last().unwrap().contains("word99"), "in the end no row is left free");
}

#[test]
fn opening_an_item_keeps_its_first_row() {
    let mut feed = Feed::new();
    for turn in 0..10 {
        feed.store(user("q")).store(tool(&format!("c{turn}"), Status::Success)).store(done("a"));
    }
    let theme = theme();
    let mut view = ViewState::default();
    let call = feed.transcript.items().rfind(|item| item.kind == ItemKind::Tool).unwrap().id;
    let row_of = |feed: &Feed, view: &ViewState| {
        (0..10).find(|row| feed.transcript.item_at(view, *row, 60, 10, &theme).is_some_and(|anchor| anchor.item == call)).unwrap()
    };
    let before = row_of(&feed, &view);
    assert!(feed.transcript.toggle_in(&mut view, call, 60, 10, &theme));
    assert_eq!(row_of(&feed, &view), before);
    assert!(!view.follows());
    assert!(feed.transcript.toggle_in(&mut view, call, 60, 10, &theme));
    assert_eq!(row_of(&feed, &view), before);
    assert!(view.follows());
}

#[test]
fn an_item_is_brought_into_sight() {
    let transcript = long(30);
    let theme = theme();
    let mut view = ViewState::default();
    for index in [0, 59, 10, 11, 40, 58, 1] {
        let item = transcript.items().nth(index).unwrap().id;
        transcript.scroll_to_item(&mut view, item, 80, 10, &theme);
        let seen = (0..10).any(|row| transcript.item_at(&view, row, 80, 10, &theme).is_some_and(|anchor| anchor.item == item));
        assert!(seen, "item {index}");
    }
    let last = transcript.neighbour(None, 0).unwrap();
    assert_eq!(transcript.neighbour(None, -1), Some(last));
    assert_eq!(transcript.items().last().unwrap().id, last);
    assert_eq!(transcript.neighbour(Some(last), 1), Some(last));
    let first = transcript.items().next().unwrap().id;
    assert_eq!(transcript.neighbour(Some(first), -1), Some(first));
}

#[test]
fn marking_among_a_hundred_thousand_items_touches_only_what_is_seen() {
    let transcript = long(50_000);
    let theme = theme();
    let mut view = ViewState::default();
    let worst = |what: &str, view: &mut ViewState, act: &dyn Fn(&mut ViewState)| {
        let before = transcript.cost();
        act(view);
        screen(&transcript, view, 80, 40);
        transcript.marked_rows(view, 80, &theme);
        let after = transcript.cost();
        assert!(after.touched - before.touched <= 1_000, "{what}: {before:?} {after:?}");
    };
    worst("begin", &mut view, &|view| assert!(transcript.mark_here(view, 80, 40, &theme)));
    worst("a page up", &mut view, &|view| transcript.mark_by(view, -38, 80, 40, &theme));
    worst("the top", &mut view, &|view| transcript.mark_to_end(view, true, 80, 40, &theme));
    let before = transcript.cost().laid_out;
    screen(&transcript, &view, 80, 40);
    assert_eq!(transcript.cost().laid_out, before, "an unchanged frame lays nothing out");
    assert!(transcript.marked_rows(&view, 80, &theme) > COUNTED_MAX);
    let marked = transcript.marked(&view, 80, &theme).unwrap();
    assert!(marked.is_cut && marked.text.lines().count() <= MARKED_ROWS_MAX, "{}", marked.text.lines().count());
    assert!(marked.text.starts_with("q0\n\na0"), "{:?}", &marked.text[..20]);
    worst("the end", &mut view, &|view| transcript.mark_to_end(view, false, 80, 40, &theme));
    assert!(view.follows());
}
