//! What a turn took.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_end_of_a_turn_tells_what_it_took() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("a", "box__echo", json!({}))]));
    bench.send("go");
    let TurnEvent::Finished { steps, usage, context_tokens, .. } = bench.finished().await else { panic!() };
    assert_eq!((steps, context_tokens), (2, 10));
    assert_eq!(usage, Usage { input_tokens: 20, output_tokens: 10, cached_tokens: 0 });
}
