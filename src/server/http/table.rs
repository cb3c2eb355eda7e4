//! The table of routes: one row makes both the route and its place in the `OpenAPI` document, so that they cannot differ.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodFilter, MethodRouter};
use http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::server::api::Api;

/// Makes a schema, and puts what it refers to among the generator's definitions.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A parameter of the path or the query.
#[derive(Debug)]
pub(super) struct Parameter {
    /// `path`, `query` or `header`.
    pub(super) place: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) text: &'static str,
    /// Its shape.
    pub(super) schema: SchemaOf,
}

/// A body that an answer may have, or that a request has.
#[derive(Debug)]
pub(super) struct Content {
    /// The media type.
    pub(super) media: &'static str,
    /// Its shape; any where absent.
    pub(super) schema: Option<SchemaOf>,
}

/// An answer of a route.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// What it means.
    pub(super) text: &'static str,
    /// The bodies it may have.
    pub(super) contents: Vec<Content>,
}

/// A row: one method of one path.
pub(super) struct Route {
    /// The method.
    pub(super) method: Method,
    /// The path, with `{name}` for a parameter: axum and `OpenAPI` write it alike.
    pub(super) path: &'static str,
    /// The operation's unique name.
    pub(super) operation: &'static str,
    /// What it does, in one line.
    pub(super) summary: &'static str,
    /// Its parameters.
    pub(super) parameters: Vec<Parameter>,
    /// The body it takes.
    pub(super) body: Option<Content>,
    /// Its answers.
    pub(super) answers: Vec<Answer>,
    handler: MethodRouter<Arc<Api>>,
}

impl Route {
    fn new<H, T>(method: Method, path: &'static str, operation: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        // Only methods of this table come here; all of them have a filter.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let handler = routing::on(filter, handler);
        Self { method, path, operation, summary, parameters: Vec::new(), body: None, answers: Vec::new(), handler }
    }

    /// `GET` of `path`.
    pub(super) fn get<H, T>(path: &'static str, operation: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self::new(Method::GET, path, operation, summary, handler)
    }

    /// `POST` to `path`.
    pub(super) fn post<H, T>(path: &'static str, operation: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self::new(Method::POST, path, operation, summary, handler)
    }

    /// `PATCH` of `path`.
    pub(super) fn patch<H, T>(path: &'static str, operation: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self::new(Method::PATCH, path, operation, summary, handler)
    }

    /// `DELETE` of `path`.
    pub(super) fn delete<H, T>(path: &'static str, operation: &'static str, summary: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self::new(Method::DELETE, path, operation, summary, handler)
    }

    /// It has a parameter in the path.
    pub(super) fn in_path<T: JsonSchema>(self, name: &'static str, text: &'static str) -> Self {
        self.parameter::<T>("path", name, text)
    }

    /// It takes a parameter in the query; never required.
    pub(super) fn in_query<T: JsonSchema>(self, name: &'static str, text: &'static str) -> Self {
        self.parameter::<T>("query", name, text)
    }

    /// It looks at a header; never required.
    pub(super) fn in_header<T: JsonSchema>(self, name: &'static str, text: &'static str) -> Self {
        self.parameter::<T>("header", name, text)
    }

    fn parameter<T: JsonSchema>(mut self, place: &'static str, name: &'static str, text: &'static str) -> Self {
        self.parameters.push(Parameter { place, name, text, schema: SchemaGenerator::subschema_for::<T> });
        self
    }

    /// It takes a `T` as JSON.
    pub(super) fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Content { media: "application/json", schema: Some(SchemaGenerator::subschema_for::<T>) });
        self
    }

    /// It answers a `T` as JSON.
    pub(super) fn answers<T: JsonSchema>(mut self, status: StatusCode, text: &'static str) -> Self {
        let content = Content { media: "application/json", schema: Some(SchemaGenerator::subschema_for::<T>) };
        self.answers.push(Answer { status, text, contents: vec![content] });
        self
    }

    /// The last answer may also be of another media type, whatever is in it.
    pub(super) fn or_media(mut self, media: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.contents.push(Content { media, schema: None });
        }
        self
    }

    /// It answers in another media type.
    pub(super) fn answers_media(mut self, status: StatusCode, media: &'static str, text: &'static str) -> Self {
        self.answers.push(Answer { status, text, contents: vec![Content { media, schema: None }] });
        self
    }

    /// It answers without a body.
    pub(super) fn answers_empty(mut self, status: StatusCode, text: &'static str) -> Self {
        self.answers.push(Answer { status, text, contents: Vec::new() });
        self
    }

    /// It answers that problem.
    pub(super) fn refuses(mut self, status: StatusCode, text: &'static str) -> Self {
        let content =
            Content { media: super::problem::PROBLEM_JSON, schema: Some(SchemaGenerator::subschema_for::<super::problem::Problem>) };
        self.answers.push(Answer { status, text, contents: vec![content] });
        self
    }

    /// It answers the problems of every route that reads a JSON body.
    pub(super) fn refuses_bodies(self) -> Self {
        self.refuses(StatusCode::BAD_REQUEST, "The body is no JSON")
            .refuses(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long")
            .refuses(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not said to be JSON")
            .refuses(StatusCode::UNPROCESSABLE_ENTITY, "A field is missing or wrong; `errors` names it")
    }
}

/// The routes of a table.
pub(super) fn router(rows: Vec<Route>) -> Router<Arc<Api>> {
    rows.into_iter().fold(Router::new(), |router, row| router.route(row.path, row.handler))
}
