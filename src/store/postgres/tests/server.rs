//! A real PostgreSQL server for tests, from the system's packages, in a folder of its own; it ends with its value.

#![allow(dead_code, unreachable_pub, reason = "two test binaries use it, each a part of it")]
#![allow(clippy::zombie_processes, reason = "each way out of the loop of a start waits for the process or keeps it")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a start may take. A second start waits for the processes of the first, where that was killed.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How often it is looked whether it has started.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that runs.
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    account: Option<(u32, u32)>,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Makes a new, empty server and starts it. It listens on 127.0.0.1, with and without TLS, and on a Unix socket.
    ///
    /// # Panics
    /// When this machine has no PostgreSQL, or it does not start.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("wakeful-pg").tempdir().unwrap();
        let mut server = Self { programs: programs(), account: account(), port: 0, running: None, folder };
        server.own(server.folder.path());
        let mut init = server.command("initdb");
        init.args(["--encoding=UTF8", "--locale=C", "--username=wakeful", "--auth=scram-sha-256", "--no-sync"]);
        let password = server.folder.path().join("password");
        fs::write(&password, "s3cret").unwrap();
        server.own(&password);
        init.arg("--pwfile").arg(&password).arg("--pgdata").arg(server.data());
        let output = init.output().unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        for (name, text) in [("server.pem", include_str!("server.pem")), ("server.key", include_str!("server.key"))] {
            let path = server.data().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            server.own(&path);
        }
        server.start_again();
        server
    }

    /// Starts it after it was killed.
    ///
    /// # Panics
    /// When it does not start in time.
    pub fn start_again(&mut self) {
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < START_LIMIT, "PostgreSQL did not start within {START_LIMIT:?}: {}", self.log());
            // A port that stays the same over a restart, so that clients find the server again.
            if self.port == 0 {
                self.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            }
            let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
            let mut postgres = self.command("postgres");
            postgres.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
            for setting in [
                "listen_addresses=127.0.0.1",
                &format!("port={}", self.port),
                "ssl=on",
                "ssl_cert_file=server.pem",
                "ssl_key_file=server.key",
                "shared_buffers=8MB",
                "max_wal_size=64MB",
                "fsync=off",
            ] {
                postgres.arg("-c").arg(setting);
            }
            let mut child = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
            while since.elapsed() < START_LIMIT {
                if child.try_wait().unwrap().is_some() {
                    // Its port went to somebody else, or processes of the killed one are still at its memory.
                    if self.log().contains("could not bind") && !self.data().join("PG_STARTED").exists() {
                        self.port = 0;
                    }
                    std::thread::sleep(LOOK_EVERY);
                    break;
                }
                if self.answers() {
                    fs::write(self.data().join("PG_STARTED"), "").unwrap();
                    self.running = Some(child);
                    return;
                }
                std::thread::sleep(LOOK_EVERY);
            }
            if self.running.is_none() {
                let _it_may_be_over = child.kill();
                let _it_may_be_over = child.wait();
            }
        }
    }

    /// Ends it at once, as the system does when it runs out of memory.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it where it stands, or lets it go on: a machine that hangs.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let pid = self.running.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// A URL of it, with the schema `schema`, and further parameters (`&name=value`).
    pub fn url(&self, schema: &str, more: &str) -> String {
        format!("postgres://wakeful:s3cret@127.0.0.1:{}/postgres?options=-csearch_path%3D{schema}{more}", self.port)
    }

    /// A URL of its Unix socket.
    pub fn socket_url(&self, schema: &str) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://wakeful:s3cret@{folder}:{}/postgres?options=-csearch_path%3D{schema}", self.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn answers(&self) -> bool {
        let mut ready = self.command("pg_isready");
        let ready = ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        ready.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.account {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            // An immediate end; the data goes anyway. One that was stopped has to go on to end.
            for signal in ["-QUIT", "-CONT"] {
                let _it_may_be_over = Command::new("kill").args([signal, &child.id().to_string()]).status();
            }
            let _it_may_be_over = child.wait();
        }
    }
}

/// The folder of the newest server among the system's packages.
fn programs() -> PathBuf {
    let found = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut found: Vec<PathBuf> = found.filter(|folder| folder.join("initdb").exists()).collect();
    found.extend(
        ["/usr/bin", "/usr/local/bin", "/usr/pgsql/bin"].map(PathBuf::from).into_iter().filter(|folder| folder.join("initdb").exists()),
    );
    found.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok());
        std::cmp::Reverse(version)
    });
    found.into_iter().next().expect("these tests need a PostgreSQL server: run `.ci/setup`, or `apt-get install postgresql`")
}

/// The account that runs it where the tests run as root: the server refuses root.
fn account() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    ["postgres", "nobody"].iter().find_map(|name| Some((id(&["-u", name])?, id(&["-g", name])?)))
}
