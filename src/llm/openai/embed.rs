//! Vectors of texts from a provider's `/embeddings`.

use std::sync::Arc;
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::llm::Error;
use crate::llm::embeddings::{Embedder, TEXTS_MAX};
use crate::llm::openai::failure::{Failure, Kind};
use crate::llm::openai::service::{Link, read, refusal};
use crate::llm::openai::{OpenAi, Provider};
use crate::net::{self, GaveUp, Verdict};

/// The longest answer, in bytes: 64 vectors of 4,096 numbers of some 20 characters.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The longest wait for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// One model of a provider.
pub(super) struct Embeddings {
    id: String,
    model: String,
    provider: Arc<Provider>,
}

impl Embeddings {
    pub(super) fn new(provider: &OpenAi, model: &str) -> Self {
        Self { id: format!("{}/{model}", provider.0.name), model: model.to_owned(), provider: Arc::clone(&provider.0) }
    }
}

/// What is read of an answer; everything else is passed over.
#[derive(Debug, Deserialize)]
struct Answer {
    data: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    /// Absent at some servers: then the order counts.
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl Embedder for Embeddings {
    fn id(&self) -> &str {
        &self.id
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Vec<Vec<f32>>, Error>> {
        let (provider, model) = (Arc::clone(&self.provider), self.model.clone());
        async move { embed(&provider, &model, texts).await }.boxed()
    }
}

async fn embed(provider: &Arc<Provider>, model: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    if texts.len() > TEXTS_MAX {
        return Err(Error::Config(format!("{} texts at once are too many: {TEXTS_MAX} at most", texts.len())));
    }
    let policy = provider.policy();
    let mut attempt = 1;
    loop {
        let tried = timeout(ANSWER_WAIT, one_try(provider, model, &texts)).await;
        let failure = match tried.unwrap_or_else(|_| Err(late())) {
            Ok(vectors) => return Ok(vectors),
            Err(failure) => provider.censor(failure),
        };
        match policy.decide(attempt, failure.class(), failure.retry_after, fastrand::f64()) {
            Verdict::Wait(delay) => tokio::time::sleep(delay).await,
            Verdict::GiveUp(GaveUp::Spent) if attempt > 1 => return Err(failure.into_error(&format!("; tried {attempt} times"))),
            Verdict::GiveUp(_) => return Err(failure.into_error("")),
        }
        attempt += 1;
    }
}

/// Of the set-up, not of a slow model: no option makes this wait longer.
fn late() -> Failure {
    Failure::new(Kind::Config, format!("no vectors came within {} s; is the provider up?", ANSWER_WAIT.as_secs()))
}

async fn one_try(provider: &Arc<Provider>, model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, Failure> {
    let inner = provider.ready().await?;
    let link = Link::new();
    let shared = (Arc::clone(provider), Arc::clone(&link));
    let service = tower::service_fn(move |factory| {
        let (provider, link) = shared.clone();
        async move { send(factory, &provider, &link).await }
    });
    let client = async_openai::Client::build(inner, provider.endpoint.clone()).with_http_service(service);
    let body = json!({"model": model, "input": texts, "encoding_format": "float"});
    let answer: Result<Answer, OpenAIError> = client.embeddings().create_byot(body).await;
    let answer = answer.map_err(|error| {
        link.take_failure().unwrap_or_else(|| Failure::new(Kind::Refused, format!("what `/embeddings` says cannot be read: {error}")))
    })?;
    ordered(answer, texts.len()).map_err(|message| Failure::new(Kind::Refused, message))
}

/// Sends the request; a failure is left on `link` in full.
async fn send(factory: HttpRequestFactory, provider: &Provider, link: &Link) -> Result<net::Response, OpenAIError> {
    let request = factory.build().await?;
    let failure = match provider.net.execute(request).await {
        Ok(response) if response.status().is_success() => {
            let body = read(net::body(response), ANSWER_BYTES_MAX).await;
            return Ok(net::respond(StatusCode::OK, "application/json", stream::iter([Ok(body.into())])));
        }
        Ok(response) => refusal(response, provider.clock.as_ref()).await,
        Err(failure) => Failure::from(failure),
    };
    link.fail(failure.clone());
    Err(OpenAIError::Boxed(Box::new(failure)))
}

/// A vector for each text.
fn ordered(answer: Answer, texts: usize) -> Result<Vec<Vec<f32>>, String> {
    if answer.data.len() != texts {
        return Err(format!("`/embeddings` gave {} vectors for {texts} texts", answer.data.len()));
    }
    let mut out = vec![Vec::new(); texts];
    for (at, row) in answer.data.into_iter().enumerate() {
        let place = out.get_mut(row.index.unwrap_or(at)).filter(|place| place.is_empty());
        *place.ok_or("`/embeddings` numbers its vectors wrongly")? = row.embedding;
    }
    if out.iter().any(|numbers| numbers.is_empty() || numbers.iter().any(|number| !number.is_finite())) {
        return Err("`/embeddings` gave a vector that is empty or holds what is no number".to_owned());
    }
    Ok(out)
}
