//! A real MariaDB server for tests, from the system's packages, in a folder of its own; it ends with its value.

#![allow(dead_code, unreachable_pub, reason = "two test binaries use it, each a part of it")]
#![allow(clippy::zombie_processes, reason = "each way out of the loop of a start waits for the process or keeps it")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a start may take.
const START_LIMIT: Duration = Duration::from_mins(1);

/// How often it is looked whether it has started.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server that runs, with the database `reports` and the user `wakeful` (`s3cret`).
pub struct Server {
    folder: TempDir,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Makes a new, empty server and starts it. It listens on 127.0.0.1 and on a Unix socket.
    ///
    /// # Panics
    /// When this machine has no MariaDB, or it does not start.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("wakeful-my").tempdir().unwrap();
        let mut install = Command::new(program(&["mariadb-install-db", "mysql_install_db"]));
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(format!("--datadir={}", folder.path().join("data").display()));
        let output = own(&mut install).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut server = Self { folder, port: 0, running: None };
        let sql = "CREATE DATABASE reports; CREATE USER wakeful@'%' IDENTIFIED BY 's3cret'; GRANT ALL ON reports.* TO wakeful@'%';\n";
        fs::write(server.folder.path().join("init.sql"), sql.replace("; ", ";\n")).unwrap();
        server.start_again(true);
        server
    }

    /// Starts it after it was killed; with what makes the database the first time.
    ///
    /// # Panics
    /// When it does not start in time.
    pub fn start_again(&mut self, is_new: bool) {
        let since = Instant::now();
        while since.elapsed() < START_LIMIT {
            if self.port == 0 {
                self.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            }
            let path = |name: &str| self.folder.path().join(name).display().to_string();
            let mut daemon = Command::new(program(&["mariadbd", "mysqld"]));
            daemon.args([
                "--no-defaults",
                "--bind-address=127.0.0.1",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=16M",
            ]);
            daemon.arg(format!("--datadir={}", path("data"))).arg(format!("--port={}", self.port));
            daemon.arg(format!("--socket={}", path("socket"))).arg(format!("--pid-file={}", path("pid")));
            if is_new {
                daemon.arg(format!("--init-file={}", path("init.sql")));
            }
            let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
            let mut child = own(&mut daemon).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
            while since.elapsed() < START_LIMIT && child.try_wait().unwrap().is_none() {
                // It listens before it runs what makes the database; the log says when that is done.
                if TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.log().contains("ready for connections") {
                    self.running = Some(child);
                    return;
                }
                std::thread::sleep(LOOK_EVERY);
            }
            let _it_may_be_over = child.kill();
            let _it_may_be_over = child.wait();
            // Somebody else took the port meanwhile.
            self.port = 0;
        }
        panic!("MariaDB did not start within {START_LIMIT:?}: {}", self.log());
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _it_may_be_over = child.kill();
            let _it_may_be_over = child.wait();
        }
        let _none_yet = fs::remove_file(self.folder.path().join("log"));
    }

    /// A URL of it.
    pub fn url(&self, password: &str) -> String {
        format!("mysql://wakeful:{password}@127.0.0.1:{}/reports", self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server refuses root where it is not told so.
fn own(command: &mut Command) -> &mut Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    if is_root { command.arg("--user=root") } else { command }
}

fn program(names: &[&str]) -> PathBuf {
    let folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/libexec"];
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| Path::new(folder).join(name))).find(|path| path.exists());
    found.expect("these tests need a MariaDB server: run `.ci/setup`, or `apt-get install mariadb-server`")
}
