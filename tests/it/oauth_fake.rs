//! An MCP server behind a login and its authorization server, in one: real sockets, strange in the ways that are asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How it behaves.
#[derive(Debug, Clone)]
pub struct Habits {
    /// Whether it says that it knows S256.
    pub pkce: bool,
    /// What its metadata says of its issuer; itself where absent.
    pub issuer: Option<String>,
    /// What the answer to the browser says of its issuer; itself where absent.
    pub answering: Option<String>,
    /// What its resource says of itself; the server where absent.
    pub resource: Option<String>,
    /// Where its resource sends people; itself where absent.
    pub authorization_server: Option<String>,
    /// Where tokens are had; itself where absent.
    pub token_endpoint: Option<String>,
    /// What a call needs.
    pub call_scope: Option<&'static str>,
    /// Whether what is asked for is given.
    pub generous: bool,
    /// Whether a refresh token is still good.
    pub refreshes: bool,
    /// A person says no.
    pub denies: bool,
    /// A client that is known, with its secret.
    pub client: Option<(&'static str, &'static str)>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            pkce: true,
            issuer: None,
            answering: None,
            resource: None,
            authorization_server: None,
            token_endpoint: None,
            call_scope: None,
            generous: true,
            refreshes: true,
            denies: false,
            client: None,
        }
    }
}

#[derive(Default)]
struct Seen {
    /// Paths that were asked, in order.
    paths: Vec<String>,
    /// Questions of browsers.
    asked: Vec<BTreeMap<String, String>>,
    /// Good access tokens and what they allow.
    tokens: HashMap<String, Vec<String>>,
    /// Good refresh tokens and what they allow.
    refresh: HashMap<String, Vec<String>>,
    /// Codes: the challenge and the scopes.
    codes: HashMap<String, (String, Vec<String>)>,
    count: usize,
}

/// The server.
#[derive(Clone)]
pub struct Fake {
    pub base: String,
    habits: Arc<Mutex<Habits>>,
    seen: Arc<Mutex<Seen>>,
}

impl Fake {
    pub async fn start(habits: Habits) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { base, habits: Arc::new(Mutex::new(habits)), seen: Arc::default() };
        let app = Router::new()
            .route("/mcp", post(mcp))
            .route("/.well-known/oauth-protected-resource/mcp", get(resource))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/register", post(register))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/revoke", post(revoke))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        fake
    }

    pub fn url(&self) -> String {
        format!("{}/mcp", self.base)
    }

    pub fn change(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.habits.lock().unwrap());
    }

    /// How often a path was asked.
    pub fn count(&self, path: &str) -> usize {
        self.seen.lock().unwrap().paths.iter().filter(|other| *other == path).count()
    }

    /// The questions of browsers.
    pub fn asked(&self) -> Vec<BTreeMap<String, String>> {
        self.seen.lock().unwrap().asked.clone()
    }

    /// Access tokens are no longer good.
    pub fn revoke_access(&self) {
        self.seen.lock().unwrap().tokens.clear();
    }

    /// All that must stay secret, as far as it is known here.
    pub fn secrets(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.tokens.keys().chain(seen.refresh.keys()).chain(seen.codes.keys()).cloned().collect()
    }

    fn habits(&self) -> Habits {
        self.habits.lock().unwrap().clone()
    }

    fn note(&self, path: &str) {
        self.seen.lock().unwrap().paths.push(path.to_owned());
    }

    fn give(&self, scopes: Vec<String>, with_refresh: bool) -> Value {
        let mut seen = self.seen.lock().unwrap();
        seen.count += 1;
        let (access, refresh) = (format!("secret-access-{}", seen.count), format!("secret-refresh-{}", seen.count));
        let mut answer = json!({"access_token": access, "token_type": "Bearer", "expires_in": 3600, "scope": scopes.join(" ")});
        seen.tokens.insert(access, scopes.clone());
        if with_refresh {
            answer["refresh_token"] = json!(refresh);
            seen.refresh.insert(refresh, scopes);
        }
        answer
    }
}

fn words(text: Option<&String>) -> Vec<String> {
    text.map(|text| text.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

async fn resource(State(fake): State<Fake>) -> Json<Value> {
    fake.note("resource");
    let habits = fake.habits();
    let server = habits.authorization_server.unwrap_or_else(|| fake.base.clone());
    Json(json!({"resource": habits.resource.unwrap_or_else(|| fake.url()), "authorization_servers": [server]}))
}

async fn metadata(State(fake): State<Fake>) -> Json<Value> {
    fake.note("metadata");
    let (base, habits) = (&fake.base, fake.habits());
    let mut metadata = json!({
        "issuer": habits.issuer.unwrap_or_else(|| base.clone()),
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": habits.token_endpoint.unwrap_or_else(|| format!("{base}/token")),
        "registration_endpoint": format!("{base}/register"),
        "revocation_endpoint": format!("{base}/revoke"),
        "scopes_supported": ["basic", "write", "offline_access"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "authorization_response_iss_parameter_supported": true,
    });
    if habits.pkce {
        metadata["code_challenge_methods_supported"] = json!(["S256"]);
    }
    Json(metadata)
}

async fn register(State(fake): State<Fake>, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    fake.note("register");
    assert_eq!(body["application_type"], "native");
    (StatusCode::CREATED, Json(json!({"client_id": "registered", "redirect_uris": body["redirect_uris"]})))
}

async fn authorize(State(fake): State<Fake>, Query(query): Query<BTreeMap<String, String>>) -> Redirect {
    fake.note("authorize");
    let habits = fake.habits();
    let (redirect, state) = (query["redirect_uri"].clone(), query["state"].clone());
    let issuer = habits.answering.unwrap_or_else(|| fake.base.clone());
    let mut seen = fake.seen.lock().unwrap();
    seen.count += 1;
    let code = format!("secret-code-{}", seen.count);
    seen.codes.insert(code.clone(), (query["code_challenge"].clone(), words(query.get("scope"))));
    seen.asked.push(query);
    let outcome = if habits.denies { "error=access_denied".to_owned() } else { format!("code={code}") };
    Redirect::to(&format!("{redirect}?{outcome}&state={state}&iss={issuer}"))
}

async fn token(State(fake): State<Fake>, headers: HeaderMap, body: String) -> Response {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let habits = fake.habits();
    fake.note(&format!("token {}", form["grant_type"]));
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    if form.get("resource").is_none_or(|resource| !resource.starts_with(&fake.base)) {
        return refused("invalid_target");
    }
    if let Some((id, secret)) = habits.client {
        let expected = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        if headers.get(header::AUTHORIZATION).is_none_or(|value| value != &expected) {
            return refused("invalid_client");
        }
    }
    let scopes = match form["grant_type"].as_str() {
        "authorization_code" => {
            let Some((challenge, scopes)) = fake.seen.lock().unwrap().codes.remove(&form["code"]) else { return refused("invalid_grant") };
            if URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"])) != challenge {
                return refused("invalid_grant");
            }
            scopes
        }
        "refresh_token" => {
            // Each is good once.
            let known = fake.seen.lock().unwrap().refresh.remove(&form["refresh_token"]);
            match known.filter(|_| habits.refreshes) {
                Some(scopes) => scopes,
                None => return refused("invalid_grant"),
            }
        }
        _ => words(form.get("scope")),
    };
    let scopes = if habits.generous { scopes } else { vec!["basic".to_owned()] };
    Json(fake.give(scopes, form["grant_type"] != "client_credentials")).into_response()
}

async fn revoke(State(fake): State<Fake>, body: String) -> StatusCode {
    fake.note("revoke");
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let mut seen = fake.seen.lock().unwrap();
    seen.refresh.remove(&form["token"]);
    StatusCode::OK
}

async fn mcp(State(fake): State<Fake>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap();
    let method = message["method"].as_str().unwrap_or_default();
    fake.note(method);
    let habits = fake.habits();
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    let scopes = shown.and_then(|token| fake.seen.lock().unwrap().tokens.get(token).cloned());
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", fake.base);
    let challenge = |status: StatusCode, error: &str, scope: &str| {
        let header = format!("Bearer error=\"{error}\", scope=\"{scope}\", resource_metadata=\"{metadata}\"");
        (status, [(header::WWW_AUTHENTICATE, header)]).into_response()
    };
    let Some(scopes) = scopes else { return challenge(StatusCode::UNAUTHORIZED, "invalid_token", "basic") };
    if let Some(needed) = habits.call_scope.filter(|_| method == "tools/call")
        && !scopes.iter().any(|scope| scope == needed)
    {
        return challenge(StatusCode::FORBIDDEN, "insufficient_scope", needed);
    }
    let result = match method {
        "initialize" => {
            json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "fake", "version": "0"}})
        }
        "tools/list" => json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}),
        "tools/call" => json!({"content": [{"type": "text", "text": "fine"}]}),
        "ping" => json!({}),
        _ if message.get("id").is_none() => return StatusCode::ACCEPTED.into_response(),
        _ => {
            return Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}}))
                .into_response();
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}
