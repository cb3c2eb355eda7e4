//! Logging in to servers, over real sockets: what a login does, what it must not do, and who may read what is kept of it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use wakeful::domain::clock::{Clock, Instant, ManualClock};
use wakeful::domain::command::McpCommand;
use wakeful::domain::query::ServerState;
use wakeful::mcp::{Answering, AuthSetup, Grant, Http, OauthOptions, Opener, Rules, ServerOptions, ServerPool, Surroundings, headless};
use wakeful::net;

use crate::mcp_support::{Kept, LIMIT, Pool, address, http, quick};
use crate::oauth_fake::{Fake, Habits};
use crate::support::Home;

/// One process's view of the world.
struct World {
    folder: tempfile::TempDir,
    clock: ManualClock,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: ManualClock::starting_at(Instant::from_millis(1_000_000_000_000)) }
    }

    fn logins(&self, open: Opener) -> Http {
        let setup = AuthSetup {
            net: net::Client::default(),
            proxy: None,
            folder: self.folder.path().join("oauth"),
            environment: BTreeMap::from([("THE_SECRET".to_owned(), "secret-of-client".to_owned())]),
            clock: Arc::new(self.clock.clone()) as Arc<dyn Clock>,
            open,
        };
        http().with_logins(setup)
    }

    /// A pool with that server, where addresses are opened by `open`.
    fn pool(&self, server: ServerOptions, answering: Answering, open: Opener) -> Pool {
        let kept = Kept::default();
        let surroundings = Surroundings {
            recorder: Arc::new(kept.clone()),
            clock: Arc::new(self.clock.clone()),
            http: self.logins(open),
            answering,
            sampler: None,
            roots: Vec::new(),
            memory: None,
            results: None,
            environment: BTreeMap::new(),
        };
        Pool { pool: ServerPool::start(vec![server], Vec::new(), surroundings, quick()), kept }
    }

    /// The files of logins.
    fn files(&self) -> Vec<(String, u32, String)> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("oauth")) else { return Vec::new() };
        let file = |path: &Path| {
            let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            (path.extension().unwrap().to_str().unwrap().to_owned(), mode, std::fs::read_to_string(path).unwrap())
        };
        entries.map(|entry| file(&entry.unwrap().path())).filter(|(ending, ..)| ending == "json").collect()
    }
}

fn by_itself() -> Answering {
    Answering::Rules(Rules { addresses: true, ..Rules::default() })
}

fn browser() -> Opener {
    headless(net::Client::default())
}

/// Nobody is to be bothered.
fn never() -> Opener {
    Arc::new(|url: String| std::future::ready(Err(format!("{url} was opened"))).boxed())
}

fn failure(pool: &Pool) -> String {
    match pool.status("fake").status {
        ServerState::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_login_opens_the_server_and_is_kept_for_its_owner_alone() {
    let (world, fake) = (World::new(), Fake::start(Habits::default()).await);
    let pool = world.pool(address("fake", &fake.url()), by_itself(), browser());
    pool.settled().await;
    assert_eq!(pool.text("fake__t", json!({})).await, "fine");
    let asked = &fake.asked()[0];
    assert_eq!((asked["resource"].as_str(), asked["scope"].as_str()), (fake.url().as_str(), "basic offline_access"));
    assert_eq!((asked["code_challenge_method"].as_str(), asked["client_id"].as_str()), ("S256", "registered"));
    assert!(asked["redirect_uri"].starts_with("http://127.0.0.1:"));
    pool.pool.shutdown().await;

    let files = world.files();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].1, 0o600);
    let secrets = fake.secrets();
    assert!(secrets.iter().any(|secret| files[0].2.contains(secret)));
    let told = format!("{:?} {:?} {:?}", pool.kept.all(), pool.pool.servers(), pool.kept.errors());
    assert!(secrets.iter().all(|secret| !told.contains(secret)), "{told}");
    // The question holds the address, and in it nothing that opens anything.
    assert!(told.contains("/authorize?") && !told.contains("code_verifier"), "{told}");

    // Another run needs nobody.
    let again = world.pool(address("fake", &fake.url()), Answering::Nobody, never());
    again.settled().await;
    assert_eq!(again.text("fake__t", json!({})).await, "fine");
    assert_eq!((fake.count("authorize"), fake.count("register")), (1, 1));
    again.pool.shutdown().await;
}

#[tokio::test]
async fn where_nobody_is_the_login_is_named_and_nothing_is_begun() {
    let (world, fake) = (World::new(), Fake::start(Habits::default()).await);
    let pool = world.pool(address("fake", &fake.url()), Answering::Nobody, never());
    pool.settled().await;
    assert_eq!(failure(&pool), "it wants a login: `wakeful mcp login fake` does that");
    assert_eq!((fake.count("register"), fake.count("authorize")), (0, 0));
    assert!(world.files().is_empty());
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn a_person_is_asked_once_and_again_only_when_wanted() {
    let (world, fake) = (World::new(), Fake::start(Habits::default()).await);
    let pool = world.pool(address("fake", &fake.url()), Answering::Person, never());
    let question = async |pool: &Pool, before: usize| {
        let asked = || pool.kept.all().iter().filter(|event| event.body.type_name() == "question_event").count();
        while pool.pool.desk().waiting().is_empty() || asked() < before {
            tokio::task::yield_now().await;
        }
        pool.pool.desk().waiting()[0].clone()
    };
    let first = question(&pool, 1).await;
    assert!(format!("{:?}", first.ask).contains("Log in to `fake` at 127.0.0.1"), "{first:?}");
    pool.pool.desk().reply(&first.id, wakeful::domain::question::Reply::Decline).unwrap();
    pool.settled().await;
    assert!(failure(&pool).contains("was declined"), "{}", failure(&pool));
    assert!(pool.pool.desk().waiting().is_empty());

    pool.pool.command(McpCommand::Login { server: "fake".into() }).unwrap();
    let second = question(&pool, 2).await;
    pool.pool.desk().reply(&second.id, wakeful::domain::question::Reply::yes()).unwrap();
    let wakeful::domain::question::Ask::Url { url, .. } = second.ask else { panic!("{:?}", second.ask) };
    browser()(url).await.unwrap();
    pool.kept.until_kind("fake", wakeful::domain::event::McpEventType::ServiceConnected, 1).await;
    assert_eq!(fake.count("authorize"), 1);

    pool.pool.command(McpCommand::Logout("fake".into())).unwrap();
    pool.kept.until_kind("fake", wakeful::domain::event::McpEventType::ServiceDisconnected, 2).await;
    assert_eq!(fake.count("revoke"), 1);
    assert!(world.files().is_empty());
    pool.pool.shutdown().await;
}

/// What becomes of a login with these habits; nobody got a token by it.
async fn refused(habits: impl FnOnce(&mut Habits), authorized: usize) -> String {
    let (world, fake) = (World::new(), Fake::start(Habits::default()).await);
    fake.change(habits);
    let pool = world.pool(address("fake", &fake.url()), by_itself(), browser());
    pool.settled().await;
    let reason = failure(&pool);
    assert_eq!((fake.count("authorize"), fake.count("token authorization_code")), (authorized, 0), "{reason}");
    assert!(world.files().is_empty());
    pool.pool.shutdown().await;
    reason
}

#[tokio::test]
async fn what_is_not_safe_is_refused_before_a_code_or_token_is_shown() {
    let check = |reason: String, expected: &str| assert!(reason.contains(expected), "{reason}");
    check(refused(|habits| habits.pkce = false, 0).await, "PKCE");
    check(refused(|habits| habits.issuer = Some("https://attacker.example.com".to_owned()), 0).await, "not trusted");
    check(refused(|habits| habits.resource = Some("https://evil.example.com/mcp".to_owned()), 0).await, "another resource");
    check(refused(|habits| habits.authorization_server = Some("http://169.254.169.254".to_owned()), 0).await, "not asked");
    check(refused(|habits| habits.token_endpoint = Some("http://169.254.169.254/token".to_owned()), 0).await, "not asked");
    check(refused(|habits| habits.token_endpoint = Some("file:///etc/passwd".to_owned()), 0).await, "not safe");
    check(refused(|habits| habits.answering = Some("https://attacker.example.com".to_owned()), 1).await, "not trusted");
    check(refused(|habits| habits.denies = true, 1).await, "access_denied");
}

#[tokio::test]
async fn an_answer_with_another_state_is_turned_away() {
    let (world, fake) = (World::new(), Fake::start(Habits::default()).await);
    let statuses: Arc<Mutex<Vec<u16>>> = Arc::default();
    let (seen, real) = (Arc::clone(&statuses), browser());
    let open: Opener = Arc::new(move |url: String| {
        let (seen, real) = (Arc::clone(&seen), real(url.clone()));
        async move {
            let query = url::Url::parse(&url).unwrap();
            let redirect = query.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
            for forged in ["?code=stolen&state=guessed", "?code=stolen"] {
                let answer = reqwest::get(format!("{redirect}{forged}")).await.unwrap();
                seen.lock().unwrap().push(answer.status().as_u16());
            }
            real.await
        }
        .boxed()
    });
    let pool = world.pool(address("fake", &fake.url()), by_itself(), open);
    pool.settled().await;
    assert!(pool.is_ready("fake"), "{:?}", pool.status("fake"));
    assert_eq!(*statuses.lock().unwrap(), [400, 400]);
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn two_processes_renew_a_token_once() {
    let (world, fake) = (World::new(), Fake::start(Habits::default()).await);
    let first = world.pool(address("fake", &fake.url()), by_itself(), browser());
    first.settled().await;
    let second = world.pool(address("fake", &fake.url()), Answering::Nobody, never());
    second.settled().await;
    // Its time is over, and a refresh token is good once.
    world.clock.advance(Duration::from_hours(2));
    fake.revoke_access();
    let (one, other) = tokio::join!(first.text("fake__t", json!({})), second.text("fake__t", json!({})));
    assert_eq!((one.as_str(), other.as_str()), ("fine", "fine"));
    assert_eq!((fake.count("token refresh_token"), fake.count("authorize")), (1, 1));
    // Refused though its time is not over: the same.
    fake.revoke_access();
    let (one, other) = tokio::join!(first.text("fake__t", json!({})), second.text("fake__t", json!({})));
    assert_eq!((one.as_str(), other.as_str()), ("fine", "fine"));
    assert_eq!((fake.count("token refresh_token"), fake.count("authorize")), (2, 1));
    first.pool.shutdown().await;
    second.pool.shutdown().await;
}

#[tokio::test]
async fn a_login_that_was_taken_back_is_asked_for_again() {
    let (world, fake) = (World::new(), Fake::start(Habits::default()).await);
    let pool = world.pool(address("fake", &fake.url()), by_itself(), browser());
    pool.settled().await;
    fake.change(|habits| habits.refreshes = false);
    fake.revoke_access();
    assert_eq!(pool.text("fake__t", json!({})).await, "fine");
    assert_eq!((fake.count("token refresh_token"), fake.count("authorize")), (1, 2));
    assert_eq!(fake.count("register"), 1, "the client is known there");
    pool.pool.shutdown().await;

    let alone = world.pool(address("fake", &fake.url()), Answering::Nobody, never());
    alone.settled().await;
    fake.revoke_access();
    let error = alone.call("fake__t", json!({})).await.unwrap_err();
    assert!(error.message.contains("wakeful mcp login fake"), "{error:?}");
    alone.pool.shutdown().await;
}

#[tokio::test]
async fn more_rights_are_asked_for_with_those_that_are_there_and_not_for_ever() {
    let (world, fake) = (World::new(), Fake::start(Habits { call_scope: Some("write"), ..Habits::default() }).await);
    let pool = world.pool(address("fake", &fake.url()), by_itself(), browser());
    pool.settled().await;
    assert_eq!(pool.text("fake__t", json!({})).await, "fine");
    let asked = fake.asked();
    assert_eq!(asked.len(), 2);
    let scopes: Vec<&str> = asked[1]["scope"].split(' ').collect();
    assert!(["basic", "write"].iter().all(|scope| scopes.contains(scope)), "{scopes:?}");
    pool.pool.shutdown().await;

    let (world, fake) = (World::new(), Fake::start(Habits { call_scope: Some("write"), generous: false, ..Habits::default() }).await);
    let pool = world.pool(address("fake", &fake.url()), by_itself(), browser());
    pool.settled().await;
    for _ in 0..3 {
        let error = pool.call("fake__t", json!({})).await.unwrap_err();
        assert!(error.message.contains("rights that the login did not give: write"), "{error:?}");
    }
    assert_eq!(fake.count("authorize"), 2);
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn a_client_with_a_secret_needs_nobody() {
    let (world, fake) = (World::new(), Fake::start(Habits { client: Some(("me", "secret-of-client")), ..Habits::default() }).await);
    let oauth = OauthOptions {
        client_id: Some("me".to_owned()),
        client_secret_env: Some("THE_SECRET".to_owned()),
        grant: Grant::ClientCredentials,
        ..OauthOptions::default()
    };
    let server = ServerOptions { oauth: Some(oauth), ..address("fake", &fake.url()) };
    assert!(!format!("{server:?}").contains("secret-of-client"));
    let pool = world.pool(server, Answering::Nobody, never());
    pool.settled().await;
    assert_eq!(pool.text("fake__t", json!({})).await, "fine");
    assert_eq!((fake.count("token client_credentials"), fake.count("register")), (1, 0));
    fake.revoke_access();
    assert_eq!(pool.text("fake__t", json!({})).await, "fine");
    assert!(world.files().iter().all(|(_, mode, _)| *mode == 0o600));
    pool.pool.shutdown().await;
}

#[tokio::test]
async fn many_calls_that_are_refused_at_once_ask_one_person_once() {
    let (world, fake) = (World::new(), Fake::start(Habits { refreshes: false, ..Habits::default() }).await);
    let opened = Arc::new(AtomicUsize::new(0));
    let (count, real) = (Arc::clone(&opened), browser());
    let open: Opener = Arc::new(move |url: String| {
        count.fetch_add(1, Ordering::SeqCst);
        real(url)
    });
    let pool = world.pool(address("fake", &fake.url()), by_itself(), open);
    pool.settled().await;
    fake.revoke_access();
    let calls = (0..8).map(|_| pool.call_with("fake__t", json!({}), CancellationToken::new()));
    let results = tokio::time::timeout(LIMIT, futures::future::join_all(calls)).await.unwrap();
    assert!(results.iter().all(|result| result.as_ref().is_ok_and(|outcome| outcome.text == "fine")), "{results:?}");
    assert_eq!(opened.load(Ordering::SeqCst), 2);
    pool.pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_log_in_and_out_at_the_shell() {
    let fake = Fake::start(Habits::default()).await;
    let home = Home::with(&format!(
        "[[mcp_servers]]\nname = 'fake'\nurl = '{}'\n\n[[mcp_servers]]\nname = 'key'\nurl = '{}'\napi_key = 'k'\n",
        fake.url(),
        fake.url()
    ));
    let script = home.root().join("browser.py");
    std::fs::write(&script, "import sys, urllib.request\nurllib.request.urlopen(sys.argv[1]).read()\n").unwrap();
    let run = async |arguments: &[&str]| {
        let mut command = home.wakeful(arguments);
        command.env("BROWSER", format!("python3 {} %s", script.display())).stdin(std::process::Stdio::null());
        tokio::task::spawn_blocking(move || crate::support::Ran::from(command.output().unwrap())).await.unwrap()
    };
    let before = run(&["mcp", "test", "fake"]).await;
    assert_eq!(before.code, 1);
    assert!(before.out.contains("`wakeful mcp login fake`"), "{before:?}");

    let login = run(&["mcp", "login", "fake"]).await;
    assert_eq!((login.code, login.out.as_str()), (0, "logged in to `fake`\n"), "{login:?}");
    assert!(login.err.contains("/authorize?"), "{login:?}");
    let call = run(&["mcp", "call", "fake", "t"]).await;
    assert_eq!((call.code, call.out.trim()), (0, "fine"), "{call:?}");

    let logout = run(&["mcp", "logout", "fake"]).await;
    assert_eq!((logout.code, logout.out.as_str()), (0, "logged out of `fake`\n"), "{logout:?}");
    assert_eq!(fake.count("revoke"), 1);
    let again = run(&["mcp", "logout", "fake"]).await;
    assert_eq!(again.out, "`fake` was not logged in to\n");
    let unknown = run(&["mcp", "login", "nobody"]).await;
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("there are fake, key"), "{unknown:?}");
    let key = run(&["mcp", "login", "key"]).await;
    assert_eq!(key.code, 1);
    assert!(key.err.contains("a key is configured"), "{key:?}");
    let logs = std::fs::read_dir(home.root().join("state/logs"))
        .map(|all| all.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default()).collect::<String>())
        .unwrap_or_default();
    assert!(fake.secrets().iter().all(|secret| !logs.contains(secret.as_str()) && !login.err.contains(secret.as_str())));
}
