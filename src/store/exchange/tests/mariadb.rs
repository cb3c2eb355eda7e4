//! A real `MariaDB` server for tests, from the system's packages, in a folder of its own; it ends with its value.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a start may take.
const START_LIMIT: Duration = Duration::from_mins(1);

/// How often it is looked whether it has started.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that runs.
pub(super) struct Server {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    /// Makes a new server with the user `wakeful` and the database `reports`.
    pub(super) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("wakeful-my").tempdir().unwrap();
        let data = folder.path().join("data");
        let mut install = Command::new("mariadb-install-db");
        install
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        let made = own(&mut install).stdin(Stdio::null()).output().expect("MariaDB is installed (`.ci/setup`)");
        assert!(made.status.success(), "{}{}", String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
        let init = folder.path().join("init.sql");
        fs::write(
            &init,
            "CREATE DATABASE reports;\nCREATE USER 'wakeful'@'%' IDENTIFIED BY 's3cret';\nCREATE USER 'wakeful'@'localhost' IDENTIFIED BY 's3cret';\n\
             GRANT ALL ON reports.* TO 'wakeful'@'%';\nGRANT ALL ON reports.* TO 'wakeful'@'localhost';\n",
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = run(folder.path(), &data, &init, port);
        let since = Instant::now();
        while !answers(port) {
            assert!(since.elapsed() < START_LIMIT && child.try_wait().unwrap().is_none(), "MariaDB does not start: {}", log(folder.path()));
            std::thread::sleep(LOOK_EVERY);
        }
        Self { folder, port, child }
    }

    pub(super) fn url(&self) -> String {
        format!("mysql://wakeful:s3cret@127.0.0.1:{}/reports", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
        assert!(self.folder.path().exists());
    }
}

fn run(folder: &Path, data: &Path, init: &Path, port: u16) -> Child {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut server = Command::new("mariadbd");
    server.arg("--no-defaults").arg(format!("--datadir={}", data.display())).arg(format!("--init-file={}", init.display()));
    server.arg(format!("--port={port}")).arg("--bind-address=127.0.0.1").arg(format!("--socket={}", folder.join("s").display()));
    server.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--skip-log-bin"]);
    own(&mut server).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// It does not run as root unless it is told to.
fn own(command: &mut Command) -> &mut Command {
    if rustix::process::geteuid().is_root() {
        command.arg("--user=root");
    }
    command
}

/// Whether it greets, which it does only when it is ready.
fn answers(port: u16) -> bool {
    use std::io::Read;
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).is_ok() && greeting[4] != 0xff
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}
