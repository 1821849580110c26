//! Real servers on loopback: temporary folder, temporary configuration, high ports, started in the foreground and
//! stopped by their process number when the test lets go of them.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// True when the programs are there (and, where it matters, the user is root). Otherwise says what is skipped; in CI
/// nothing may be skipped.
pub fn installed(what: &str, programs: &[&str], needs_root: bool) -> bool {
    let there = |program: &&str| Path::new(program).exists();
    let missing: Vec<_> = programs.iter().filter(|program| !there(program)).collect();
    let not_root = needs_root && !is_root();
    if missing.is_empty() && !not_root {
        return true;
    }
    let why = if not_root { "needs root".to_owned() } else { format!("missing {missing:?}") };
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{what}: {why}, and CI skips nothing"
    );
    skipped(what, &why);
    false
}

/// Says what is not tested, and why.
pub fn skipped(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {what}: {why}");
}

/// PHP's process manager, whose name has its version in it; `None` where it is skipped.
pub fn php_fpm() -> Option<String> {
    let versions = (4..=9)
        .map(|minor| format!("8.{minor}"))
        .rev()
        .chain(["8.2", "8.3", "8.1", "7.4"].map(str::to_owned));
    let mut programs = versions.map(|version| format!("/usr/sbin/php-fpm{version}"));
    let program = programs.find(|program| Path::new(program).exists());
    installed("php-fpm", &[program.as_deref().unwrap_or("/usr/sbin/php-fpm8.2")], true)
        .then_some(program)?
}

fn is_root() -> bool {
    let own = fs::read_to_string("/proc/self/status").unwrap_or_default();
    own.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// A port that nobody has. Another program could take it before its server does; tests of one program do not.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A folder of a test's own, empty.
pub fn folder(name: &str) -> PathBuf {
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// The same where every user of the machine may look, for servers that change their user. It goes with its server.
pub fn open_folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("logmill-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Its folder: configuration, logs, what it wrote to standard output and error.
    pub folder: PathBuf,
}

impl Server {
    /// Starts a program in its folder and waits until all the addresses take connections.
    pub fn start(folder: &Path, program: &str, arguments: &[&str], ready: &[SocketAddr]) -> Self {
        let output = File::create(folder.join("output.log")).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut server = Self { child, folder: folder.to_path_buf() };
        server.wait_until(|| {
            ready.iter().all(|address| TcpStream::connect_timeout(address, SHORT).is_ok())
        });
        server
    }

    /// Waits until something holds; a server that ended, or twenty seconds, are a failure that shows its output.
    pub fn wait_until(&mut self, holds: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds() {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < end,
                "{ended:?} {}",
                self.text("output.log")
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// True once a file of its folder holds these words; servers write their logs after they have answered.
    pub fn says(&self, file: &str, words: &str) -> bool {
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if self.text(file).contains(words) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// A file of its folder as text.
    pub fn text(&self, file: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join(file)).unwrap_or_default()).into_owned()
    }

    /// Sends it a signal by name: `HUP`.
    pub fn signal(&self, name: &str) {
        let number = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", name, &number]).status();
    }
}

const SHORT: Duration = Duration::from_millis(200);

impl Drop for Server {
    /// Asks it to end, and after five seconds ends it. A folder that everybody sees goes too.
    fn drop(&mut self) {
        self.end();
        if self.folder.starts_with(std::env::temp_dir()) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

impl Server {
    fn end(&mut self) {
        self.signal("TERM");
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
