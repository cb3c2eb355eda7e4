//! Limits over a log in memory.

use std::time::Duration;

use super::*;
use crate::bus::testing::MemoryRecorder;
use crate::domain::clock::ManualClock;
use crate::domain::event::{TurnEnd, TurnEvent};
use crate::domain::ids::TurnId;

const MODEL: &str = "p/m";

struct Bench {
    log: MemoryRecorder,
    clock: ManualClock,
    session: SessionId,
}

impl Bench {
    fn new() -> Self {
        let log = MemoryRecorder::default();
        Self { clock: log.clock(), log, session: SessionId::from("s".to_owned()) }
    }

    fn budget(&self, options: Options) -> Budget {
        let price = Price { input_per_million_usd: 1.0, cached_per_million_usd: Some(0.5), output_per_million_usd: 1.0 };
        Budget::new(Parts {
            reader: Arc::new(self.log.clone()),
            recorder: Arc::new(self.log.clone()),
            clock: Arc::new(self.clock.clone()),
            zone: TimeZone::UTC,
            prices: BTreeMap::from([(MODEL.to_owned(), price)]),
            options,
        })
    }

    async fn turn(&self, session: &SessionId, model: &str, input_tokens: u64) {
        let turn = TurnId::generate();
        let started = TurnEvent::Started { turn: turn.clone(), parent: None, agent: None, model: model.to_owned() };
        let finished = TurnEvent::Finished {
            turn,
            parent: None,
            end: TurnEnd::Done,
            steps: 1,
            duration_ms: 1,
            usage: Usage { input_tokens, output_tokens: 0, cached_tokens: 0 },
            context_tokens: 0,
            message: None,
        };
        let events = [started, finished].map(|event| NewEvent::of(session, event));
        self.log.record(Vec::from(events)).await.unwrap();
    }

    async fn told(&self) -> Vec<String> {
        let filter = EventFilter { types: vec!["error".to_owned()], ..EventFilter::default() };
        let events = EventReader::events(&self.log, filter).await.unwrap();
        let message = |event: &Arc<crate::domain::event::Event>| match &event.body {
            EventBody::Error(error) => error.message.clone(),
            _ => String::new(),
        };
        events.iter().map(message).collect()
    }
}

#[tokio::test]
async fn a_day_warns_once_and_then_stops_until_the_next() {
    let bench = Bench::new();
    let options = Options { daily_usd: 1.0, ..Options::default() };
    let budget = bench.budget(options);
    let check = async |budget: &Budget| budget.check(Some(&bench.session), MODEL, &[]).await;
    bench.turn(&bench.session, MODEL, 700_000).await;
    assert_eq!(check(&budget).await, Ok(()));
    assert!(bench.told().await.is_empty());
    bench.turn(&SessionId::from("other".to_owned()), MODEL, 150_000).await;
    assert_eq!(check(&budget).await, Ok(()));
    assert_eq!(check(&budget).await, Ok(()));
    let told = bench.told().await;
    assert!(told.len() == 1 && told[0].contains("$0.8500 today of $1.0000"), "{told:?}");
    // Another process begins with what the log says, and does not tell again.
    let another = bench.budget(options);
    assert_eq!(check(&another).await, Ok(()));
    assert_eq!(bench.told().await.len(), 1);
    bench.turn(&bench.session, MODEL, 150_000).await;
    let refused = check(&budget).await.unwrap_err();
    assert!(refused.contains("used up") && refused.contains("`daily_usd` of [budget]"), "{refused}");
    assert_eq!(budget.check(None, "offline/assistant", &[]).await, Ok(()), "what is free goes on");
    bench.clock.advance(Duration::from_hours(12));
    assert_eq!(check(&budget).await, Ok(()));
}

#[tokio::test]
async fn a_session_counts_all_of_its_past_and_what_runs_now() {
    let bench = Bench::new();
    bench.turn(&bench.session, MODEL, 500_000).await;
    bench.clock.advance(Duration::from_hours(48));
    let budget = bench.budget(Options { session_usd: 1.0, ..Options::default() });
    assert_eq!(budget.check(Some(&bench.session), MODEL, &[]).await, Ok(()));
    let running = [(MODEL.to_owned(), Usage { input_tokens: 0, output_tokens: 500_000, cached_tokens: 0 })];
    let refused = budget.check(Some(&bench.session), MODEL, &running).await.unwrap_err();
    assert!(refused.contains("this session") && refused.contains("session_usd"), "{refused}");
    assert_eq!(budget.check(Some(&SessionId::from("new".to_owned())), MODEL, &[]).await, Ok(()));
    bench.turn(&bench.session, MODEL, 500_000).await;
    assert!(budget.check(Some(&bench.session), MODEL, &[]).await.is_err(), "what happened since is followed");
}

#[tokio::test]
async fn tokens_count_without_a_price_and_dollars_say_that_one_is_missing() {
    let bench = Bench::new();
    bench.turn(&bench.session, "p/other", 2_000).await;
    let budget = bench.budget(Options { daily_tokens: 2_000, ..Options::default() });
    assert!(budget.check(None, "p/other", &[]).await.unwrap_err().contains("daily_tokens"));
    let budget = bench.budget(Options { daily_usd: 1.0, ..Options::default() });
    for _ in 0..2 {
        assert_eq!(budget.check(None, "p/other", &[]).await, Ok(()));
    }
    let told = bench.told().await;
    assert!(told.len() == 1 && told[0].contains("`p/other` has no price"), "{told:?}");
}

#[tokio::test]
async fn without_a_limit_nothing_is_read() {
    assert_eq!(Budget::default().check(None, MODEL, &[]).await, Ok(()));
    assert!(Bench::new().budget(Options::default()).0.is_none());
    assert!(Options { daily_usd: -1.0, ..Options::default() }.problem().is_some_and(|problem| problem.contains("daily_usd")));
}
