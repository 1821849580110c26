//! Running another program to ask it something: no shell, the plain locale, bounded by time and bytes.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use std::{env, thread};

use crate::probe::net::Deadline;

/// The most bytes that are kept of what a program says, unless more is asked for.
const LIMIT: u64 = 64 * 1024;

/// How often a program is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it said on standard output, and behind it what it said on standard error.
    pub output: Vec<u8>,
}

/// Why a program did not end by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotDone {
    /// It is not installed.
    Missing,
    /// It was still running at the deadline and was ended.
    TooSlow,
    /// The system did not start it.
    NotStarted(String),
}

/// Where administrators' programs are, also for users whose path does not say so.
const PLACES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The program of that name, if it is installed.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(PLACES.map(PathBuf::from));
    places.map(|place| place.join(name)).find(|program| program.is_file())
}

/// Runs a program to its end.
pub(super) fn run(name: &str, arguments: &[&str], deadline: Deadline) -> Result<Done, NotDone> {
    run_for(LIMIT, name, arguments, deadline)
}

/// The same where more than the usual amount of words is to be kept.
pub(super) fn run_for(
    limit: u64,
    name: &str,
    arguments: &[&str],
    deadline: Deadline,
) -> Result<Done, NotDone> {
    let program = find(name).ok_or(NotDone::Missing)?;
    let mut child = start(&program, arguments)?;
    let output = child.stdout.take().map(|pipe| reader(pipe, limit));
    let errors = child.stderr.take().map(|pipe| reader(pipe, LIMIT));
    let code = wait(&mut child, deadline)?;
    let mut all = gathered(output, deadline);
    all.extend(gathered(errors, deadline));
    Ok(Done { code, output: all })
}

fn start(program: &Path, arguments: &[&str]) -> Result<Child, NotDone> {
    Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .env("PATH", search_path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| NotDone::NotStarted(error.to_string()))
}

/// Programs start others of their kind: `apachectl` starts `apache2`.
fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(PLACES.map(PathBuf::from));
    env::join_paths(places).unwrap_or(path)
}

/// Reads in a thread of its own, so that a program that says much does not stand still. What exceeds the limit is
/// read and forgotten.
fn reader(mut pipe: impl Read + Send + 'static, limit: u64) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(limit).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        // Nobody waits any more when the deadline passed first.
        let _ = sender.send(bytes);
    });
    receiver
}

fn gathered(pipe: Option<Receiver<Vec<u8>>>, deadline: Deadline) -> Vec<u8> {
    let left = deadline.remaining().unwrap_or_default().max(Duration::from_millis(100));
    pipe.and_then(|pipe| pipe.recv_timeout(left).ok()).unwrap_or_default()
}

fn wait(child: &mut Child, deadline: Deadline) -> Result<Option<i32>, NotDone> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) if deadline.remaining().is_some() => thread::sleep(PAUSE),
            Ok(None) => {
                // Ours to end: it is our child and has not been waited for.
                let _ = child.kill();
                let _ = child.wait();
                return Err(NotDone::TooSlow);
            }
            Err(error) => return Err(NotDone::NotStarted(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, millis: u64) -> Result<Done, NotDone> {
        run("sh", &["-c", script], Deadline::after(Duration::from_millis(millis)))
    }

    #[test]
    fn gives_code_and_words() {
        let done = shell("echo out; echo err >&2; exit 3", 5000).unwrap();
        assert_eq!((done.code, &done.output[..]), (Some(3), &b"out\nerr\n"[..]));
        assert_eq!(shell("kill -9 $$", 5000).unwrap().code, None);
    }

    #[test]
    fn is_bounded() {
        assert_eq!(shell("exec sleep 30", 30), Err(NotDone::TooSlow));
        let much = shell("yes | head -c 300000", 5000).unwrap();
        assert_eq!(much.output.len() as u64, LIMIT);
        assert_eq!(
            run("no-such-program", &[], Deadline::after(Duration::ZERO)),
            Err(NotDone::Missing)
        );
    }
}
