//! Sessions with more results than are held in memory.

use serde_json::json;

use super::*;

/// Bytes of a result; four of them are more than are held whole.
const RESULT_BYTES: usize = 50_000;

async fn turn(bench: &mut Bench, n: usize) -> Seq {
    let text = char::from_digit(u32::try_from(n).unwrap(), 10).unwrap().to_string().repeat(RESULT_BYTES);
    bench.llm.say(calls(vec![call(&format!("c{n}"), "box__echo", json!({ "x": text }))]));
    bench.send("go");
    bench.finished().await;
    bench.events().last().unwrap().seq.unwrap()
}

/// Whether each result that the model was told last is whole.
fn told(bench: &Bench) -> Vec<bool> {
    let results = bench.last_request().into_iter().filter(|message| message.role == Role::Tool);
    results.map(|message| message.content.len() > RESULT_BYTES).collect()
}

#[tokio::test(start_paused = true)]
async fn old_results_are_told_in_part_and_whole_again_after_a_rewind() {
    let llm = ScriptedLlm { context_tokens: Some(1_000_000_000), ..ScriptedLlm::default() };
    let options = Options { tool_result_bytes_max: 2 * RESULT_BYTES, ..options() };
    let mut bench = Bench::over(MemoryRecorder::default(), llm, options.clone());
    turn(&mut bench, 1).await;
    let two = turn(&mut bench, 2).await;
    for n in 3..=5 {
        turn(&mut bench, n).await;
    }
    let told_after = async |bench: &mut Bench| {
        bench.send("and now?");
        bench.finished().await;
        told(bench)
    };
    assert_eq!(told_after(&mut bench).await, [false, false, true, true, true]);
    let short = bench.last_request()[2].content.clone();
    assert!(short.len() < 3_000 && short.starts_with("{\"x\":\"111"), "{short}");
    bench.handle.handle(Command::Rewind { session: bench.session.clone(), to: two }).unwrap();
    assert_eq!(told_after(&mut bench).await, [true, true]);

    // Whoever opens the session later sees the same.
    bench.handle.shutdown().await;
    let llm = ScriptedLlm { context_tokens: Some(1_000_000_000), ..ScriptedLlm::default() };
    let mut later = Bench::closed(bench.recorder.inner.clone(), llm, options, bench.session.clone());
    assert_eq!(told_after(&mut later).await, [true, true]);
}
