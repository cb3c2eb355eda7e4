//! Records on their whole way: from the queue on disk over each transport into the store of a coordinator of ours, a process
//! of its own. Beside each what others do: a plain reporter on aiohttp, `redis-benchmark`, a bare tonic stream.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use wakeful::config::settings::Settings;
use wakeful::domain::clock::{Clock, Instant as At, SystemClock};
use wakeful::interactions::grpc::generated::interaction_service_client::InteractionServiceClient;
use wakeful::interactions::grpc::generated::interaction_service_server::{InteractionService, InteractionServiceServer};
use wakeful::interactions::grpc::generated::{InteractionData, InteractionResponse};
use wakeful::interactions::grpc::pack;
use wakeful::interactions::outgoing::Outgoing;
use wakeful::interactions::reporter::Reports;
use wakeful::interactions::transport::make::{Parts, transports};
use wakeful::net;
use wakeful::store::spool::{Options as SpoolOptions, Spool};

/// The longest that anything may take.
const LIMIT: Duration = Duration::from_mins(5);

/// Records that go over each transport.
const COUNT: usize = 100_000;

/// Processor time that a process has used: its own and the system's for it.
fn cpu(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // 100 a second on every Linux that there is (`getconf CLK_TCK`).
    Duration::from_millis(ticks * 10)
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _over = self.0.wait();
    }
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a program and waits until it says `ready`.
fn start(command: &mut Command, ready: &str) -> Process {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    for stream in [Box::new(out) as Box<dyn std::io::Read + Send>, Box::new(err)] {
        let sender = sender.clone();
        std::thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    }
    let process = Process(child);
    while !lines.recv_timeout(LIMIT).expect("it says when it is ready").contains(ready) {}
    std::thread::spawn(move || lines.iter().for_each(drop));
    process
}

fn coordinator(home: &Path, http: u16, grpc: u16, config: &str) -> Process {
    std::fs::create_dir_all(home.join("config")).unwrap();
    std::fs::write(home.join("config/config.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wakeful"));
    command.env_clear().env("WAKEFUL_HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.args(["coordinator", "--listen", &format!("127.0.0.1:{http}"), "--grpc", &format!("127.0.0.1:{grpc}")]);
    start(&mut command, "gRPC: ")
}

pub async fn all() {
    let redis_port = port();
    let mut redis = Command::new("redis-server");
    redis.args(["--port", &redis_port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let _redis = start(&mut redis, "Ready to accept connections");
    let redis_url = format!("redis_url = \"redis://127.0.0.1:{redis_port}/0\"\n");
    let folder = tempfile::tempdir().unwrap();
    let table = |name: &str| format!("database_url = \"{}\"\n", folder.path().join(name).display());
    let rows: [(&str, &str, String, String); 4] = [
        ("http", "20,000/s", String::new(), String::new()),
        ("grpc", "50,000/s", String::new(), String::new()),
        ("redis", "50,000/s", redis_url.clone(), format!("[coordinator]\n{redis_url}")),
        ("database", "none", table("logs.db"), format!("[coordinator]\ndatabase_poll_ms = 20\n{}", table("logs.db"))),
    ];
    for (name, budget, reporter, config) in rows {
        let (http, grpc) = (port(), port());
        let home = tempfile::tempdir().unwrap();
        let there = coordinator(home.path(), http, grpc, &config);
        let text = format!(
            "[interaction_logging]\nenable_interaction_logging = true\ntransport = \"{name}\"\nrate_limit_per_second = 0\n\
             coordinator_url = \"http://127.0.0.1:{http}\"\ngrpc_url = \"http://127.0.0.1:{grpc}\"\n{reporter}"
        );
        whole(name, budget, &text, &there).await;
        if name == "http" {
            plain_reporter(http);
        }
    }
    redis_benchmark(redis_port);
    bare_stream().await;
}

/// From the queue to the store: until the coordinator's store has confirmed all.
async fn whole(name: &str, budget: &str, config: &str, there: &Process) {
    let settings: Settings = toml::from_str(config).unwrap();
    let options = settings.interaction_logging;
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(&options.queue_file(folder.path()), SpoolOptions::default()).unwrap();
    for start in (0..COUNT).step_by(512) {
        spool.put((start..(start + 512).min(COUNT)).map(super::row).collect(), None, At::from_millis(1)).await.unwrap();
    }
    drop(spool);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = net::Client::new(net::Options::default());
    let parts = Parts { net: &client, clock: &clock, variable: &|_| None, data: folder.path() };
    let ways = transports(&options, &parts).unwrap();
    let reports = Reports::new(options, folder.path(), Arc::clone(&clock));
    let (mine, theirs) = (cpu("self"), cpu(&there.0.id().to_string()));
    let since = Instant::now();
    let mut sent = None;
    loop {
        assert!(reports.flush(ways.clone(), LIMIT).await.unwrap());
        let totals = reports.status().await.unwrap().totals;
        if totals.waiting == totals.handed {
            sent.get_or_insert_with(|| since.elapsed());
        }
        if totals.waiting == 0 {
            break;
        }
        assert!(since.elapsed() < LIMIT, "{name}: {totals:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (took, sent) = (since.elapsed().as_secs_f64(), sent.unwrap().as_secs_f64());
    let (mine, theirs) =
        (cpu("self").saturating_sub(mine).as_secs_f64(), cpu(&there.0.id().to_string()).saturating_sub(theirs).as_secs_f64());
    let count = COUNT as f64;
    println!(
        "{name}: {:.0} records/s from the queue, {:.0} until confirmed; per core {:.0}/s here, {:.0}/s at the coordinator (budget {budget})",
        count / sent,
        count / took,
        count / mine,
        count / theirs
    );
}

/// What a reporter does that sends each record by itself, as fast as it can, 64 at a time.
fn plain_reporter(port: u16) {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/py/bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/report/plain_reporter.py");
    if !python.exists() {
        println!("plain aiohttp reporter: not measured (`.ci/peers` installs it)");
        return;
    }
    let output = Command::new(python).arg(script).arg(format!("http://127.0.0.1:{port}/api/v2/interactions")).output().unwrap();
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

fn redis_benchmark(port: u16) {
    let data = super::row(1).data;
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &port.to_string(), "-c", "1", "-n", &COUNT.to_string(), "-P", "100", "-q"]);
    let output = command.args(["XADD", "bare", "MAXLEN", "~", "100000", "*", "data", &data]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.split(['\r', '\n']).map(str::trim).rfind(|line| line.contains("requests per second")).unwrap_or_default();
    println!(
        "redis-benchmark, 100 a pipeline, nobody reads: {}",
        last.rsplit("XADD").next().unwrap_or(last).rsplit(": ").next().unwrap_or(last)
    );
}

/// Answers each message at once and keeps nothing.
struct Bare;

#[tonic::async_trait]
impl InteractionService for Bare {
    type StreamInteractionsStream = std::pin::Pin<Box<dyn Stream<Item = Result<InteractionResponse, Status>> + Send>>;

    async fn stream_interactions(
        &self,
        request: Request<Streaming<InteractionData>>,
    ) -> Result<Response<Self::StreamInteractionsStream>, Status> {
        let answers = request.into_inner().map(|message| {
            message.map(|message| InteractionResponse {
                interaction_id: message.interaction_id,
                success: true,
                ..InteractionResponse::default()
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

async fn bare_stream() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving =
        tokio::spawn(tonic::transport::Server::builder().add_service(InteractionServiceServer::new(Bare)).serve_with_incoming(incoming));
    let mut client = InteractionServiceClient::connect(format!("http://{address}")).await.unwrap();
    let messages: Vec<InteractionData> = (0..COUNT).map(|number| pack(&Outgoing::read(super::row(number).data).unwrap())).collect();
    let (before, since) = (cpu("self"), Instant::now());
    let mut answers = client.stream_interactions(futures::stream::iter(messages)).await.unwrap().into_inner();
    let mut count = 0;
    while let Some(answer) = answers.next().await {
        answer.unwrap();
        count += 1;
    }
    assert_eq!(count, COUNT);
    super::told("bare tonic stream, both ends in one process, nothing kept", COUNT, since, "none");
    println!("   of which per core {:.0}/s", COUNT as f64 / cpu("self").saturating_sub(before).as_secs_f64());
    serving.abort();
}
