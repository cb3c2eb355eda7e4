//! Tasks, entries of the inbox and notices for scripted screens.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody, TaskEvent};
use crate::domain::ids::{EventId, Seq, TaskId};
use crate::domain::notice::{ChannelKind, Delivery, DeliveryStatus, InboxItem, InboxKind, InboxRow, SHOWN_ONLY};
use crate::domain::query::{AmbientStatus, Sample, TaskDetail};
use crate::domain::task::{LastRun, Outcome, OutcomeCounts, RunFinished, TaskFact, TaskRow, TaskSpec, TaskStatus, TaskWork};
use crate::tui::msg::{Answer, Msg};
use crate::tui::tests::Script;

/// A task of `kind` with `config`.
#[expect(clippy::needless_pass_by_value, reason = "a literal is handed over")]
pub(crate) fn spec(id: &str, kind: &str, config: Value, description: &str, created: Instant) -> TaskSpec {
    let value = json!({"task_id": id, "task_type": kind, "config": config, "description": description, "user_id": "default",
        "created_at": created.to_string()});
    serde_json::from_value(value).unwrap()
}

fn row(spec: TaskSpec, status: TaskStatus, wake: Option<Instant>, last: Option<LastRun>) -> TaskRow {
    let mut work = TaskWork::new(spec.task_id.clone(), spec.created_at, wake);
    work.runs = if last.is_some() { 12 } else { 0 };
    work.last = last;
    work.index(status == TaskStatus::Active);
    TaskRow {
        updated_at: spec.created_at,
        spec,
        status,
        status_reason: None,
        version: 1,
        fired: 0,
        last_fired: None,
        counts: OutcomeCounts::default(),
        tokens: 0,
        cost_micros: 0,
        work: Some(work),
    }
}

impl Script {
    fn ago(&self, seconds: i64) -> Instant {
        Instant::from_millis(self.state.now.as_millis() - seconds * 1_000)
    }

    fn ahead(&self, seconds: u64) -> Instant {
        self.state.now.plus(Duration::from_secs(seconds))
    }

    #[expect(clippy::unnecessary_wraps, reason = "rows take it as it is")]
    fn last(&self, seconds: i64, outcome: Outcome, fired: bool, note: &str) -> Option<LastRun> {
        Some(LastRun { at: self.ago(seconds), outcome, fired, note: note.into(), duration_ms: 41 })
    }

    /// Six tasks in different states.
    pub(crate) fn task_rows(&self) -> Vec<TaskRow> {
        let made = self.ago(86_400);
        let page = json!({"urls": ["https://techcrunch.com/"], "keywords": ["AI"]});
        let mut monitor = row(
            spec("aaaa1111-0000", "web_monitor", page, "TechCrunch AI", made),
            TaskStatus::Active,
            Some(self.ahead(29 * 60)),
            self.last(60, Outcome::Ran, true, "fired: 2 keywords"),
        );
        (monitor.fired, monitor.tokens, monitor.cost_micros) = (3, 4_260, 12_000);
        let number = json!({"metric": "bitcoin_price", "threshold": 100_000});
        let threshold = row(
            spec("bbbb2222-0000", "threshold_watch", number, "bitcoin above 100,000", made),
            TaskStatus::Active,
            Some(self.ahead(45)),
            self.last(855, Outcome::Ran, false, "65,120"),
        );
        let mut standup = row(
            spec("cccc3333-0000", "schedule", json!({"type": "daily", "hour": 9}), "check project status", made),
            TaskStatus::Paused,
            Some(self.ahead(50_000)),
            None,
        );
        standup.status_reason = Some("on holiday".into());
        let news = json!({"news_urls": ["https://techcrunch.com/feed/", "https://news.ycombinator.com/rss"], "hour": 8});
        let digest = row(
            spec("dddd4444-0000", "news_digest", news, "the morning's news 早上好", made),
            TaskStatus::Active,
            Some(self.ahead(18_720)),
            self.last(30_000, Outcome::CaughtUp, true, "20 headlines from 2 sources"),
        );
        let page = json!({"urls": ["https://example.org/"]});
        let mut broken = row(
            spec("eeee5555-0000", "web_monitor", page.clone(), "the tenants' notice board", made),
            TaskStatus::Failed,
            None,
            self.last(3_600, Outcome::Failed, false, "HTTP 503"),
        );
        broken.status_reason = Some("ten failures in a row".into());
        broken.counts.failed = 10;
        let mut failing = row(
            spec("ffff6666-0000", "web_monitor", page, "prices of the shop", made),
            TaskStatus::Active,
            Some(self.ahead(600)),
            self.last(120, Outcome::Failed, false, "timed out after 20 s"),
        );
        if let Some(work) = &mut failing.work {
            work.failures = 2;
        }
        vec![monitor, threshold, standup, digest, broken, failing]
    }

    #[expect(clippy::unused_self, reason = "beside the rows it belongs to")]
    pub(crate) fn status(&self, tasks: u64) -> AmbientStatus {
        AmbientStatus {
            leading: true,
            service_running: true,
            total_tasks: tasks,
            active_tasks: 4,
            paused_tasks: 2,
            running_monitors: 2,
            unread: 2,
            firings_waiting: 1,
            dead_letters: 1,
            ..AmbientStatus::default()
        }
    }

    /// The program's answer: six tasks.
    pub(crate) fn tasks(&mut self) {
        let rows = self.task_rows();
        let status = self.status(6);
        self.send(Msg::Answer(Answer::Tasks(Ok((rows, status)))));
    }

    /// The answers to questions about particulars.
    pub(crate) fn details(&mut self) {
        for task in ["aaaa1111-0000", "bbbb2222-0000", "eeee5555-0000"] {
            let detail = self.detail(task);
            self.send(Msg::Answer(Answer::Task(TaskId::new(task), Ok(detail))));
        }
    }

    fn detail(&self, task: &str) -> TaskDetail {
        let values = [62_000.0, 62_500.0, 63_100.0, 62_900.0, 64_000.0, 64_800.0, 65_120.0];
        let samples =
            values.into_iter().enumerate().map(|(at, value)| Sample { at: self.ago(900 * (7 - i64::try_from(at).unwrap())), value });
        let run = RunFinished {
            due: Some(self.ago(60)),
            outcome: Outcome::Ran,
            reason: "2 keywords in what is new".into(),
            started: self.ago(60),
            duration_ms: 412,
            fired: true,
            gate: None,
            failures: 0,
            retry_at: None,
        };
        let event = |seconds: i64, fact: TaskFact| {
            let body = EventBody::TaskEvent(TaskEvent::new(TaskId::new(task), fact));
            Arc::new(Event { seq: Some(Seq(1)), id: EventId::new("event"), at: self.ago(seconds), session: None, body })
        };
        TaskDetail {
            why: vec![
                "planned: every 30 minutes, times in Europe/Berlin".into(),
                "last run: 14:29, on time, took 412 ms: 2 keywords in what is new".into(),
                "decision: notify, by the model openai/gpt: the article announces a model that the user asked about; 1,420 tokens, $0.004000"
                    .into(),
                "notice: sms to +1•••7890, sent, SM0123456789".into(),
            ],
            history: vec![
                event(60, TaskFact::RunFinished(run)),
                event(7_200, TaskFact::TaskResumed {}),
                event(9_000, TaskFact::TaskPaused { reason: "asked to".into(), by_itself: false }),
            ],
            diff: (task == "aaaa1111-0000").then(|| {
                "--- techcrunch.com 13:59\n+++ techcrunch.com 14:29\n@@ -1,3 +1,3 @@\n Latest news\n-Old headline about cars\n+New AI model \
                 announced\n Startups\n"
                    .into()
            }),
            samples: if task == "bbbb2222-0000" { samples.collect() } else { Vec::new() },
            snapshots: vec![(self.ago(60), "https://techcrunch.com/".into(), 48_120)],
            deliveries: self.notices(),
        }
    }

    fn notices(&self) -> Vec<Delivery> {
        let notice = |id: &str, status: DeliveryStatus, channel: ChannelKind, to: &str, error: Option<&str>| Delivery {
            notice_id: id.into(),
            channel,
            to: to.into(),
            title: "TechCrunch AI: New AI model announced".into(),
            status,
            attempts: 1 + u32::from(error.is_some()),
            queued_at: self.ago(50),
            next_at: None,
            error: error.map(str::to_owned),
            receipt: None,
            task_id: None,
        };
        vec![
            notice("n1", DeliveryStatus::Sent, ChannelKind::Sms, "+1•••7890", None),
            notice("n2", DeliveryStatus::Failed, ChannelKind::Email, "a•••@example.org", Some("550 no such mailbox")),
            notice("n3", DeliveryStatus::Unknown, ChannelKind::Ntfy, "https://ntfy.sh/•••", Some("the answer was lost")),
            Delivery {
                receipt: Some(format!("{SHOWN_ONLY}; no credentials")),
                ..notice("n4", DeliveryStatus::Sent, ChannelKind::Email, "b•••@example.org", None)
            },
        ]
    }

    /// The program's answer: four entries and four notices.
    pub(crate) fn inbox(&mut self) {
        let entry = |id: &str, kind: InboxKind, title: &str, seconds: i64, unread: bool| InboxRow {
            item: InboxItem {
                item_id: id.into(),
                kind,
                title: title.into(),
                body: "The page has **two** new articles:\n\n- New AI model announced\n- Startups raise money\n\n`2 keywords` matched."
                    .into(),
                url: Some("https://techcrunch.com/ai".into()),
                task_id: Some("aaaa1111-0000".into()),
                firing_id: None,
                priority: 3,
                at: self.ago(seconds),
                simulated: id == "i4",
            },
            unread,
            snoozed_until: None,
            archived: false,
            answer: None,
        };
        let rows = vec![
            entry("i1", InboxKind::Told, "TechCrunch AI: New AI model announced", 50, true),
            entry("i2", InboxKind::Asks, "prices of the shop: is a fall of 1 % worth telling?", 600, true),
            entry("i3", InboxKind::Report, "The morning's news: 20 headlines", 30_000, false),
            entry("i4", InboxKind::Trouble, "the tenants' notice board: ten failures in a row", 3_600, false),
        ];
        let notices = self.notices();
        self.send(Msg::Answer(Answer::Inbox(Ok((rows, notices)))));
    }
}
