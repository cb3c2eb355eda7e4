//! A service behind rmcp's server: which request is answered in which era, by what, and how failures look.

#![expect(deprecated, reason = "2026-07-28 deprecates logging and what else only the legacy era has; both eras are served")]

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};

use futures::FutureExt;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestMethod, CallToolRequestParams, CallToolResponse, CompleteRequestMethod, CompleteRequestParams, CompleteResult,
    CompletionInfo, ConstString, ErrorData, GetPromptRequestMethod, GetPromptRequestParams, GetPromptResponse, InputResponses,
    ListPromptsRequestMethod, ListPromptsResult, ListResourceTemplatesRequestMethod, ListResourceTemplatesResult,
    ListResourcesRequestMethod, ListResourcesResult, ListToolsRequestMethod, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestMethod, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Reference, ServerConfig,
    SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestMethod, SubscribeRequestParams, SubscriptionFilter,
    UnsubscribeRequestMethod, UnsubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use serde_json::{Map, Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::event::ErrorKind;
use crate::mcp::local::KIND_KEY;
use crate::mcp::server::context::{Context, Level, Parts, Session, is_modern};
use crate::mcp::server::error::Error;
use crate::mcp::server::pages::page;
use crate::mcp::server::parts::{Completion, CompletionOf};
use crate::mcp::server::rounds::{Rounds, Subject};
use crate::mcp::server::{About, Service, convert, listen};

/// Resources that one session may subscribe to.
const SUBSCRIPTIONS_MAX: usize = 1_000;

/// One connection of a service.
pub(in crate::mcp) struct Handler<S> {
    pub(in crate::mcp) service: Arc<S>,
    about: Arc<About>,
    rounds: Arc<Rounds>,
    session: Arc<Session>,
    /// Stops all requests at once: rmcp waits for them when a connection ends.
    stop: CancellationToken,
    /// Cancelled when the connection is gone.
    gone: CancellationToken,
    _gone: DropGuard,
}

impl<S: Service> Handler<S> {
    /// A server of `service`, not yet of any connection.
    pub(in crate::mcp) fn serving(service: S) -> Self {
        let about = service.about();
        Self::of(Arc::new(service), Arc::new(about), Arc::default(), CancellationToken::new())
    }

    fn of(service: Arc<S>, about: Arc<About>, rounds: Arc<Rounds>, stop: CancellationToken) -> Self {
        let gone = CancellationToken::new();
        let guard = gone.clone().drop_guard();
        Self { service, about, rounds, session: Arc::default(), stop, gone, _gone: guard }
    }

    /// The same service for one connection, whose requests are stopped by `stop`.
    pub(in crate::mcp) fn stopped_by(&self, stop: CancellationToken) -> Self {
        Self::of(Arc::clone(&self.service), Arc::clone(&self.about), Arc::clone(&self.rounds), stop)
    }

    /// A page of a list, and how long it may be kept, where the list is offered.
    fn page<M: ConstString, T>(
        &self,
        offered: bool,
        request: Option<&PaginatedRequestParams>,
        all: Vec<T>,
    ) -> Result<(Vec<T>, Option<String>), ErrorData> {
        if !offered {
            return Err(ErrorData::method_not_found::<M>());
        }
        page(all, request.and_then(|request| request.cursor.as_deref()), self.about.page_entries).map_err(Error::wire)
    }
}

impl<S: Service> Clone for Handler<S> {
    /// The same for another connection.
    fn clone(&self) -> Self {
        self.stopped_by(self.stop.clone())
    }
}

/// What an asked request brings beside its arguments.
struct Round {
    responses: Option<InputResponses>,
    state: Option<String>,
}

/// A request that is about to run.
struct Begun {
    context: Context,
    /// The client's word that it gave up.
    given_up: CancellationToken,
    cancel: CancellationToken,
    /// What a state is bound to; absent in the legacy era, which has none.
    subject: Option<Subject>,
}

impl<S: Service> Handler<S> {
    fn begin(&self, request: RequestContext<RoleServer>, round: Round, subject: impl FnOnce() -> Subject) -> Result<Begun, ErrorData> {
        let subject = is_modern(&request).then(subject);
        let (fresh, known) = match subject {
            Some(subject) => {
                let known = self.rounds.open(subject, round.state.as_deref()).map_err(Error::wire)?;
                (round.responses.unwrap_or_default(), known)
            }
            None => Default::default(),
        };
        let (cancel, given_up) = (self.stop.child_token(), request.ct.clone());
        let parts =
            Parts { request, session: Arc::clone(&self.session), cancel: cancel.clone(), logs: self.about.offers.logging, fresh, known };
        Ok(Begun { context: Context::new(parts), given_up, cancel, subject })
    }
}

/// Runs a request to its end. Where the client gives up, the service is told and waited for. A panic would leave the request
/// without an answer.
async fn run<T>(
    what: impl FnOnce() -> String,
    given_up: CancellationToken,
    cancel: CancellationToken,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut running = std::pin::pin!(AssertUnwindSafe(work).catch_unwind());
    let ended = tokio::select! {
        biased;
        ended = &mut running => ended,
        () = given_up.cancelled() => {
            cancel.cancel();
            running.await
        }
    };
    ended.unwrap_or_else(|_| {
        let message = format!("{} broke down (a bug)", what());
        Err(Error::Failed { code: rmcp::model::ErrorCode::INTERNAL_ERROR.0, message, data: Some(json!({ KIND_KEY: ErrorKind::Tool })) })
    })
}

impl<S: Service> Handler<S> {
    /// A result, or the questions that come before it.
    fn end<T, R>(&self, ended: Result<T, Error>, subject: Option<Subject>, complete: impl FnOnce(T) -> R) -> Result<R, ErrorData>
    where
        R: From<rmcp::model::InputRequiredResult>,
    {
        match (ended, subject) {
            (Ok(done), _) => Ok(complete(done)),
            (Err(Error::Waiting(waiting)), Some(subject)) => self.rounds.required(subject, &waiting).map(R::from).map_err(Error::wire),
            (Err(error), _) => Err(error.wire()),
        }
    }
}

impl<S: Service> ServerHandler for Handler<S> {
    fn get_info(&self) -> ServerConfig {
        convert::config(&self.about, self.service.changes().is_some())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let all = self.service.tools();
        let (page, cursor) = self.page::<ListToolsRequestMethod, _>(self.about.offers.tools, request.as_ref(), all)?;
        let (ttl, scope) = convert::keep(self.about.lists, is_modern(&context));
        let mut result = ListToolsResult::with_all_items(page.into_iter().map(convert::tool).collect());
        (result.next_cursor, result.ttl_ms, result.cache_scope) = (cursor, ttl, scope);
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        self.about.offers.tools.then(|| self.service.tool(name)).flatten().map(convert::tool)
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        if !self.about.offers.tools {
            return Err(ErrorData::method_not_found::<CallToolRequestMethod>());
        }
        let CallToolRequestParams { name, arguments, input_responses: responses, request_state: state, .. } = request;
        let subject = || Subject::of("tools/call", &name, arguments.as_ref());
        let begun = self.begin(context, Round { responses, state }, subject)?;
        let work = self.service.call(&name, arguments.unwrap_or_default(), begun.context);
        let ended = run(|| format!("the tool `{name}`"), begun.given_up, begun.cancel, work).await;
        self.end(ended, begun.subject, |reply| CallToolResponse::Complete(convert::reply(reply)))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let offered = self.about.offers.resources;
        let all = if offered { self.service.resources().await.map_err(Error::wire)? } else { Vec::new() };
        let (page, cursor) = self.page::<ListResourcesRequestMethod, _>(offered, request.as_ref(), all)?;
        let (ttl, scope) = convert::keep(self.about.lists, is_modern(&context));
        let mut result = ListResourcesResult::with_all_items(page.into_iter().map(convert::resource).collect());
        (result.next_cursor, result.ttl_ms, result.cache_scope) = (cursor, ttl, scope);
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let all = self.service.templates();
        let (page, cursor) = self.page::<ListResourceTemplatesRequestMethod, _>(self.about.offers.resources, request.as_ref(), all)?;
        let (ttl, scope) = convert::keep(self.about.lists, is_modern(&context));
        let mut result = ListResourceTemplatesResult::with_all_items(page.into_iter().map(convert::template).collect());
        (result.next_cursor, result.ttl_ms, result.cache_scope) = (cursor, ttl, scope);
        Ok(result)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if !self.about.offers.resources {
            return Err(ErrorData::method_not_found::<ReadResourceRequestMethod>());
        }
        let ReadResourceRequestParams { uri, input_responses: responses, request_state: state, .. } = request;
        let begun = self.begin(context, Round { responses, state }, || Subject::of("resources/read", &uri, None))?;
        let what = uri.clone();
        let work = self.service.read(uri, begun.context);
        let ended = run(|| format!("reading `{what}`"), begun.given_up, begun.cancel, work).await;
        let (ttl, scope) = convert::keep(self.about.reads, begun.subject.is_some());
        self.end(ended, begun.subject, |all| {
            let mut result = ReadResourceResult::new(all.into_iter().map(convert::contents).collect());
            (result.ttl_ms, result.cache_scope) = (ttl, scope);
            ReadResourceResponse::Complete(result)
        })
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let all = self.service.prompts();
        let (page, cursor) = self.page::<ListPromptsRequestMethod, _>(self.about.offers.prompts, request.as_ref(), all)?;
        let (ttl, scope) = convert::keep(self.about.lists, is_modern(&context));
        let mut result = ListPromptsResult::with_all_items(page.into_iter().map(convert::prompt).collect());
        (result.next_cursor, result.ttl_ms, result.cache_scope) = (cursor, ttl, scope);
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if !self.about.offers.prompts {
            return Err(ErrorData::method_not_found::<GetPromptRequestMethod>());
        }
        let GetPromptRequestParams { name, arguments, input_responses: responses, request_state: state, .. } = request;
        let begun = self.begin(context, Round { responses, state }, || Subject::of("prompts/get", &name, arguments.as_ref()))?;
        let arguments = arguments.unwrap_or_default();
        required(&self.service.prompts(), &name, &arguments).map_err(Error::wire)?;
        let what = name.clone();
        let work = self.service.prompt(name, arguments, begun.context);
        let ended = run(|| format!("the prompt `{what}`"), begun.given_up, begun.cancel, work).await;
        self.end(ended, begun.subject, |reply| GetPromptResponse::Complete(convert::prompt_reply(reply)))
    }

    async fn complete(&self, request: CompleteRequestParams, _: RequestContext<RoleServer>) -> Result<CompleteResult, ErrorData> {
        if !self.about.offers.completions {
            return Err(ErrorData::method_not_found::<CompleteRequestMethod>());
        }
        let of = match request.r#ref {
            Reference::Prompt(prompt) => CompletionOf::Prompt(prompt.name),
            Reference::Resource(resource) => CompletionOf::Template(resource.uri),
            _ => return Err(ErrorData::invalid_params("`ref` must be of `ref/prompt` or `ref/resource`", None)),
        };
        let given = request.context.and_then(|context| context.arguments).unwrap_or_default().into_iter().collect();
        let (argument, typed) = (request.argument.name, request.argument.value);
        let mut values = self.service.complete(Completion { of, argument, typed, given }).await.map_err(Error::wire)?.values;
        let total = values.len();
        values.truncate(CompletionInfo::MAX_VALUES);
        let mut info = CompletionInfo::default();
        info.has_more = Some(values.len() < total);
        info.total = u32::try_from(total).ok();
        info.values = values;
        Ok(CompleteResult::new(info))
    }

    async fn set_level(&self, request: SetLevelRequestParams, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        // 2026-07-28 says the level with each request instead.
        if !self.about.offers.logging || is_modern(&context) {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        self.session.set_level(Level::from_wire(request.level));
        Ok(())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        if !self.about.offers.resources || self.service.changes().is_none() {
            return Err(ErrorData::method_not_found::<SubscribeRequestMethod>());
        }
        let mut subscribed = self.session.subscribed.lock().unwrap_or_else(PoisonError::into_inner);
        if subscribed.len() >= SUBSCRIPTIONS_MAX && !subscribed.contains(&request.uri) {
            let message = format!("a session can subscribe to {SUBSCRIPTIONS_MAX} resources at once");
            return Err(ErrorData::invalid_params(message, None));
        }
        subscribed.insert(request.uri);
        Ok(())
    }

    async fn unsubscribe(&self, request: UnsubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        if !self.about.offers.resources || self.service.changes().is_none() {
            return Err(ErrorData::method_not_found::<UnsubscribeRequestMethod>());
        }
        self.session.subscribed.lock().unwrap_or_else(PoisonError::into_inner).remove(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        // From here on nothing is missed: rmcp acknowledges before it lets us listen, and a client may act on that at once.
        let changes = self.service.changes()?;
        self.session.keep(changes.listen());
        // rmcp takes away what was not declared.
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        match self.service.changes() {
            Some(changes) => {
                let listener = self.session.kept().unwrap_or_else(|| changes.listen());
                listen::tell_listener(context, listener, self.stop.clone()).await
            }
            None => Ok(()),
        }
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        // Once, however often a client says so.
        if self.session.begins()
            && let Some(changes) = self.service.changes()
        {
            let (session, gone) = (Arc::clone(&self.session), self.gone.clone());
            tokio::spawn(listen::tell_session(context.peer, session, self.about.offers, changes.listen(), gone));
        }
    }
}

/// Whether that prompt exists and has what it requires.
fn required(prompts: &[crate::mcp::server::parts::Prompt], name: &str, given: &Map<String, Value>) -> Result<(), Error> {
    let Some(prompt) = prompts.iter().find(|prompt| prompt.name == name) else { return Err(Error::NoPrompt(name.to_owned())) };
    match prompt.arguments.iter().find(|argument| argument.required && !given.contains_key(&argument.name)) {
        Some(missing) => {
            Err(Error::BadRequest(format!("the prompt `{name}` needs the argument `{}`: {}", missing.name, missing.description)))
        }
        None => Ok(()),
    }
}
