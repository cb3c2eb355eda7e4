//! What each command does to an open session.

use serde_json::{Map, Value};

use crate::agent::actor::Actor;
use crate::agent::actor::opening::{complete, title};
use crate::agent::turn::{Input, Prompt};
use crate::bus::RecordError;
use crate::domain::command::{Command, Delivery};
use crate::domain::event::{Chat, ChatStatus, SessionEvent};
use crate::domain::ids::{CallId, MessageId, Seq, ToolName};
use crate::domain::message::{Role, ToolCall};
use crate::domain::undo::UNDO;
use crate::tools::local::{FILES, RUN_COMMAND, SYSTEM};

impl Actor {
    pub(super) async fn on_command(&mut self, command: Command) -> Result<(), RecordError> {
        match command {
            Command::Submit { message_id, text, delivery, .. } => self.submit(message_id, text, delivery).await?,
            Command::Shell { message_id, command, .. } => self.shell(message_id, &command),
            Command::Undo { message_id, change, force, .. } => self.undo(message_id, &change, force),
            Command::EditQueued { message_id, text, .. } => self.edit_queued(&message_id, text).await?,
            Command::Interrupt { .. } => self.interrupt(),
            Command::Decide { call_id, decision, .. } => {
                // A question that is answered already, or was withdrawn: the first answer counts.
                let asking = self.runs.iter().find(|(_, run)| run.turn.is_asking(&call_id)).map(|(id, _)| *id);
                if let Some(run) = asking {
                    self.step(run, Input::Decided { call_id, decision });
                }
            }
            Command::Rewind { to, .. } => self.rewind(to).await?,
            Command::Rename { title: text, .. } => match title(&text) {
                Some(title) => self.say(SessionEvent::Renamed { title }),
                None => self.shared.complain(&self.id, "a title needs at least one visible character", ""),
            },
            Command::Compact { .. } => match self.main_run() {
                Some(run) => self.step(run, Input::CompactAsked),
                None if self.compacting.is_none() => self.compact_session(),
                None => {}
            },
            Command::SetModel { model, .. } => self.set_model(&model),
            Command::SetMode { mode, .. } => {
                if mode != self.state.mode {
                    self.say(SessionEvent::ModeSet { mode });
                }
            }
            // It is open already; the last is never handed to a session.
            Command::NewSession { .. }
            | Command::OpenSession { .. }
            | Command::ForkSession { .. }
            | Command::Reply { .. }
            | Command::Mcp(_)
            | Command::Task(_)
            | Command::Inbox(_)
            | Command::Cache(_)
            | Command::Report(_)
            | Command::Memory(_) => {}
        }
        Ok(())
    }

    async fn submit(&mut self, message_id: MessageId, text: String, delivery: Delivery) -> Result<(), RecordError> {
        let options = &self.shared.deps.options;
        // Sent again after a broken connection: it is here already.
        if text.trim().is_empty() || self.state.message_ids.contains(&message_id) {
            return Ok(());
        }
        if text.len() > options.message_bytes_max {
            let message = format!("the message is too long: {} bytes of at most {}", text.len(), options.message_bytes_max);
            self.shared.complain(&self.id, message, "put the text into a file and name it with @");
            return Ok(());
        }
        if !self.is_busy() {
            self.go_on_due = false;
            let waiting = self.state.queue.iter();
            let waiting = waiting.map(|queued| Prompt { message_id: Some(queued.message_id.clone()), text: queued.text.clone() });
            let prompts = waiting.chain([Prompt { message_id: Some(message_id), text }]).collect();
            self.start(prompts);
            return Ok(());
        }
        if self.state.queue.len() >= options.queue_max {
            self.shared.complain(&self.id, format!("{} messages wait already", options.queue_max), "take one back or wait for the answer");
            return Ok(());
        }
        self.say(queued(ChatStatus::Queued, &message_id, Some(text.clone())));
        self.flush().await?;
        if let (Delivery::Steer, Some(run)) = (delivery, self.main_run()) {
            self.step(run, Input::Steer(Prompt { message_id: Some(message_id), text }));
        }
        Ok(())
    }

    /// A turn of the user's own: one call, no model.
    fn shell(&mut self, message_id: MessageId, command: &str) {
        let bytes_max = self.shared.deps.options.message_bytes_max;
        if command.trim().is_empty() {
            return;
        }
        if command.len() > bytes_max {
            let message = format!("the command is too long: {} bytes of at most {bytes_max}", command.len());
            return self.shared.complain(&self.id, message, "put it into a script");
        }
        let arguments = Map::from_iter([("command".to_owned(), Value::String(command.to_owned()))]);
        self.own_call(message_id, format!("!{command}"), (SYSTEM, RUN_COMMAND), arguments);
    }

    /// Another such turn, with a tool that no model is shown.
    fn undo(&mut self, message_id: MessageId, change: &str, force: bool) {
        let mut arguments = Map::from_iter([("session".to_owned(), Value::String(self.id.as_str().to_owned()))]);
        if !change.is_empty() {
            arguments.insert("change".to_owned(), Value::String(change.to_owned()));
        }
        if force {
            arguments.insert("force".to_owned(), Value::Bool(true));
        }
        let words = ["/undo", if force { "force" } else { "" }, change];
        let text = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        self.own_call(message_id, text, (FILES, UNDO), arguments);
    }

    fn own_call(&mut self, message_id: MessageId, text: String, (server, tool): (&str, &str), arguments: Map<String, Value>) {
        // Sent again after a broken connection: it is here already.
        if self.state.message_ids.contains(&message_id) {
            return;
        }
        if self.is_busy() {
            let hint = "wait for the answer, or stop it with Esc";
            return self.shared.complain(&self.id, "a command cannot run while the agent works", hint);
        }
        let name = ToolName::from(format!("{server}__{tool}"));
        let Some(found) = self.shared.deps.tools.find(&name) else {
            let hint = "`/mcp` shows the servers, `wakeful doctor` what is wrong";
            return self.shared.complain(&self.id, format!("there is no tool `{tool}` now"), hint);
        };
        let call = ToolCall { id: CallId::generate(), name, arguments, invalid: None, extra: Map::new() };
        self.start_call(Prompt { message_id: Some(message_id), text }, call, found.info().clone());
    }

    async fn edit_queued(&mut self, message_id: &MessageId, text: Option<String>) -> Result<(), RecordError> {
        if !self.state.queue.iter().any(|queued| queued.message_id == *message_id) {
            self.shared.complain(&self.id, "the message was sent already and cannot be changed", "send what you want to say instead");
            return Ok(());
        }
        let text = text.filter(|text| !text.trim().is_empty());
        let status = if text.is_some() { ChatStatus::Queued } else { ChatStatus::Withdrawn };
        self.say(queued(status, message_id, text.clone()));
        self.flush().await?;
        if let Some(run) = self.main_run() {
            self.step(run, Input::EditSteer { message_id: message_id.clone(), text });
        }
        Ok(())
    }

    /// What runs is stopped first, so that its end is part of what is forgotten.
    async fn rewind(&mut self, to: Seq) -> Result<(), RecordError> {
        self.interrupt();
        self.settle().await?;
        if to >= self.state.last_seq {
            self.shared.complain(&self.id, format!("there is nothing after event {to} to take back"), "");
            return Ok(());
        }
        self.say(SessionEvent::Rewound { to });
        self.flush().await?;
        if let Err(reason) = complete(&self.shared, &self.id, &mut self.state).await {
            self.shared.complain(&self.id, format!("of older results only a part is told to the model: {reason}"), "");
        }
        Ok(())
    }

    fn set_model(&mut self, wanted: &str) {
        match self.shared.deps.models.resolve(wanted.trim(), Some(&self.state.model)) {
            Ok(found) if found.id() == self.state.model => {}
            Ok(found) => self.say(SessionEvent::ModelSet { model: found.id() }),
            Err(error) => self.shared.complain(&self.id, error.to_string(), "list the models with /model"),
        }
    }
}

fn queued(status: ChatStatus, message_id: &MessageId, text: Option<String>) -> Chat {
    let mut chat = Chat::new(Role::User, status);
    chat.message_id = Some(message_id.clone());
    chat.text = text;
    chat
}
