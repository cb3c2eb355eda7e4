//! The inbox and the notices: reading, dealing with an entry, sending a notice again.

use crate::ambient::service::{Error, TRIES_MAX, TaskService};
use crate::domain::command::InboxCommand;
use crate::domain::event::{NewEvent, TaskEvent};
use crate::domain::ids::{InboxId, NoticeId, StreamId};
use crate::domain::notice::{DeliveryStatus, InboxEvent, InboxRow, Notification, masked};
use crate::domain::query::InboxFilter;
use crate::domain::task::TaskFact;
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::store::Terms;
use crate::store::tasks::{Fence, Op};

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;

/// The shortest start of an id that names an entry.
const PREFIX_CHARS_MIN: usize = 4;

/// Entries and notices that are looked through for one of them.
const LOOKED_THROUGH_MAX: usize = 1_000;

impl TaskService {
    /// Entries of the inbox, newest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn inbox(&self, filter: InboxFilter) -> Result<Vec<InboxRow>, Error> {
        Ok(self.inner.log.tasks().inbox(filter, self.now()).await?)
    }

    /// The entry that `wanted` means: its id or the start of it (at least 4 characters).
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn find_item(&self, wanted: &str) -> Result<InboxRow, Error> {
        let wanted = wanted.trim();
        if let Some(row) = self.inner.log.tasks().inbox_item(InboxId::from(wanted)).await? {
            return Ok(row);
        }
        let missing = || Error::NoItem { wanted: ellipsis(&clean_line(wanted), 80).into_owned() };
        if wanted.chars().count() < PREFIX_CHARS_MIN {
            return Err(missing());
        }
        let rows = self.inbox(InboxFilter { all: true, limit: Some(LOOKED_THROUGH_MAX) }).await?;
        let mut found = rows.into_iter().filter(|row| row.item.item_id.as_str().starts_with(wanted));
        match (found.next(), found.next()) {
            (Some(row), None) => Ok(row),
            (Some(_), Some(_)) => {
                let hint = "give more of the id".to_owned();
                Err(Error::NotNow { what: wanted.to_owned(), state: "begins more than one entry".to_owned(), hint })
            }
            (None, _) => Err(missing()),
        }
    }

    /// Does what a surface wants of the inbox.
    ///
    /// # Errors
    /// When it cannot be done.
    pub async fn inbox_command(&self, command: InboxCommand) -> Result<(), Error> {
        match command {
            InboxCommand::Read(item_id) => self.mark(item_id, |item_id| InboxEvent::Read { item_id }, |row| !row.unread).await,
            InboxCommand::Unread(item_id) => self.mark(item_id, |item_id| InboxEvent::Unread { item_id }, |row| row.unread).await,
            InboxCommand::Archive(item_id) => self.mark(item_id, |item_id| InboxEvent::Archived { item_id }, |row| row.archived).await,
            InboxCommand::Snooze { item, until } => {
                if until <= self.now() {
                    let hint = "give a time that is still to come".to_owned();
                    return Err(Error::NotNow { what: until.to_string(), state: "lies in the past".to_owned(), hint });
                }
                self.mark(item, |item_id| InboxEvent::Snoozed { item_id, until }, |row| row.snoozed_until == Some(until)).await
            }
            InboxCommand::Answer { item, text } => self.answer(item, &text).await,
            InboxCommand::Feedback { item, fewer } => self.feedback(item, fewer).await,
            InboxCommand::Resend(notice) => self.resend(notice).await,
            InboxCommand::TestNotice { channel, to } => self.attendant()?.test_notice(channel, to).await.map_err(Error::Elsewhere),
        }
    }

    async fn item(&self, item: &InboxId) -> Result<InboxRow, Error> {
        let row = self.inner.log.tasks().inbox_item(item.clone()).await?;
        row.ok_or_else(|| Error::NoItem { wanted: item.to_string() })
    }

    /// Records what happened to an entry, unless it stands so already.
    async fn mark(
        &self,
        item: InboxId,
        event: impl FnOnce(InboxId) -> InboxEvent,
        stands: impl Fn(&InboxRow) -> bool,
    ) -> Result<(), Error> {
        let row = self.item(&item).await?;
        if !stands(&row) {
            self.inner.log.commit(vec![NewEvent::system(event(item))], Terms::default()).await?;
        }
        Ok(())
    }

    async fn answer(&self, item: InboxId, text: &str) -> Result<(), Error> {
        let text = clean(text).trim().to_owned();
        let row = self.item(&item).await?;
        if text.is_empty() || text.len() > ANSWER_BYTES_MAX {
            let hint = format!("give 1 to {ANSWER_BYTES_MAX} bytes of text");
            return Err(Error::NotNow { what: item.to_string(), state: "needs an answer of another length".to_owned(), hint });
        }
        if row.answer.is_some() {
            let hint = "say the rest in the chat".to_owned();
            return Err(Error::NotNow { what: item.to_string(), state: "was answered already".to_owned(), hint });
        }
        // Who would act on it must be there before it is written down: an answer that nobody hears helps nobody.
        let attendant = self.attendant()?;
        for _ in 0..TRIES_MAX {
            let version = self.inner.log.version(StreamId::inbox()).await?;
            let answered = NewEvent::system(InboxEvent::Answered { item_id: item.clone(), text: text.clone() });
            if self.item(&item).await?.answer.is_some() {
                // Somebody else answered in this moment: their answer is acted on, not this one as well.
                return Ok(());
            }
            // What follows stands in the same transaction: a crash loses both or neither.
            let follows = attendant.answer(row.clone(), text.clone()).await.map_err(Error::Elsewhere)?;
            let events = std::iter::once(answered).chain(follows.events).collect();
            let terms = Terms { expected: vec![(StreamId::inbox(), version)], ops: follows.ops, ..Terms::default() };
            match self.inner.log.commit(events, terms).await {
                Ok(_) => {
                    self.inner.nudges.firings();
                    self.inner.nudges.notices();
                    return Ok(());
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended { task: item.to_string(), tries: TRIES_MAX })
    }

    async fn feedback(&self, item: InboxId, fewer: bool) -> Result<(), Error> {
        let row = self.item(&item).await?;
        let Some(task_id) = row.item.task_id.clone() else {
            let hint = "only what a task found can be told more or less often".to_owned();
            return Err(Error::NotNow { what: item.to_string(), state: "comes from no task".to_owned(), hint });
        };
        self.row(&task_id).await?;
        let note = ellipsis(&clean_line(&row.item.title), 200).into_owned();
        let given = TaskFact::FeedbackGiven { item_id: item, fewer, note };
        self.inner.log.commit(vec![NewEvent::system(TaskEvent::new(task_id, given))], Terms::default()).await?;
        Ok(())
    }

    async fn resend(&self, notice_id: NoticeId) -> Result<(), Error> {
        let store = self.inner.log.tasks();
        let not_now =
            |state: &str, hint: &str| Error::NotNow { what: notice_id.to_string(), state: state.to_owned(), hint: hint.to_owned() };
        let list = "`wakeful inbox notices` lists them";
        let notice = store.notice(notice_id.clone()).await?.ok_or_else(|| not_now("is no notice", list))?;
        let rows = store.deliveries(notice.task_id.clone(), LOOKED_THROUGH_MAX).await?;
        let row = rows.into_iter().find(|row| row.notice_id == notice_id).ok_or_else(|| not_now("is too old to be sent again", list))?;
        let on_its_way = || not_now("is on its way", "wait for its outcome");
        match row.status {
            DeliveryStatus::Failed | DeliveryStatus::Unknown | DeliveryStatus::Suppressed => {}
            DeliveryStatus::Queued | DeliveryStatus::Sending => return Err(on_its_way()),
            DeliveryStatus::Sent => return Err(not_now("was sent", "only what failed, or whose outcome is unknown, is sent again")),
        }
        let now = self.now();
        let moved = Op::NoticeMoved {
            notice_id: notice_id.clone(),
            status: DeliveryStatus::Queued,
            next_at: Some(now),
            error: None,
            receipt: None,
        };
        let event = Notification {
            channel: notice.channel,
            status: DeliveryStatus::Queued,
            to: masked(notice.channel, &notice.to),
            title: notice.title,
            notice_id: notice_id.clone(),
            simulated: false,
            attempt: row.attempts,
            error: None,
            retry_at: None,
            receipt: None,
            body: None,
            task_id: notice.task_id,
            firing_id: notice.firing_id,
        };
        // Pressed twice at once, it is sent once: the notice must still stand as it was seen.
        let fences = vec![Fence::NoticeIs(event.notice_id.clone(), row.status)];
        let terms = Terms { fences, ops: vec![moved], ..Terms::default() };
        match self.inner.log.commit(vec![NewEvent::system(event)], terms).await {
            Ok(_) => {}
            Err(error) if error.is_fenced() => return Err(on_its_way()),
            Err(error) => return Err(error.into()),
        }
        self.inner.nudges.notices();
        Ok(())
    }
}
