//! Processes by their name, out of `/proc`: how many, how busy, how large, how near to their limit of open files.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::document::{Cell, Level};
use crate::probe::class::Class;
use crate::probe::trace::{Halt, Trace};

/// How long to look at the time that processes use.
const LOOK: Duration = Duration::from_millis(200);

/// Per cent of a limit from which it is near: a warning, and critical.
const NEAR: (f64, f64) = (80.0, 95.0);

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: u32,
    /// The kernel's name of it, at most fifteen bytes.
    pub name: String,
    /// `S` sleeping, `R` running, `D` waiting for a disk, `Z` ended and not yet waited for.
    pub state: char,
    pub parent: u32,
    /// Ticks of the processor, in its own code and in the kernel's.
    pub ticks: u64,
    /// Bytes of memory.
    pub resident: u64,
}

/// All processes that can be seen.
pub(super) fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.filter_map(pid).filter_map(read).collect()
}

fn read(pid: u32) -> Option<Process> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `7 (name) S 1 …`: the name may hold blanks and brackets, so the last bracket ends it.
fn parse(pid: u32, stat: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let words: Vec<_> = tail.split_ascii_whitespace().collect();
    let number = |place: usize| words.get(place)?.parse::<u64>().ok();
    Some(Process {
        pid,
        name,
        state: words.first()?.chars().next()?,
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)?.saturating_add(number(12)?),
        resident: number(21)?.saturating_mul(rustix::param::page_size() as u64),
    })
}

/// True when the process goes by that name: the kernel's, or that of its program.
fn is_named(process: &Process, name: &str) -> bool {
    process.name == name.get(..15).unwrap_or(name)
        || program(process.pid).is_some_and(|program| program == name)
}

/// The last part of the first word that the process was started with; `nginx: master` is `nginx`.
fn program(pid: u32) -> Option<String> {
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let first = words.split(|byte| *byte == 0).next()?;
    let text = String::from_utf8_lossy(first);
    let word = text.split(':').next()?.split(' ').next()?;
    Some(word.rsplit('/').next()?.to_owned())
}

/// The processes of that name.
pub(super) fn named(name: &str) -> Vec<Process> {
    all().into_iter().filter(|process| is_named(process, name)).collect()
}

/// How many files a process has open, and how many it may have.
fn open_files(pid: u32) -> io::Result<(u64, u64)> {
    let open = fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let most = limits.lines().find_map(|line| {
        line.strip_prefix("Max open files")?.split_ascii_whitespace().next()?.parse().ok()
    });
    Ok((open, most.unwrap_or(u64::MAX)))
}

/// The inodes of the sockets that a process holds; none where we may not look.
pub(super) fn sockets(pid: u32) -> HashSet<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inode = |entry: fs::DirEntry| {
        let link = fs::read_link(entry.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    entries.filter_map(inode).collect()
}

/// Looks at the processes of one name.
pub(super) fn check(trace: &mut Trace<'_>, name: &str) -> std::result::Result<(), Halt> {
    let asked = format!("processes named {name}");
    let (found, percent) = trace.step("process", asked.as_str(), |_| Ok(observed(name)))?;
    trace.measure("processes", found.len() as f64, "");
    if found.is_empty() {
        let halt = trace.halt(Class::ProcessMissing, asked, "none");
        trace.next(&format!("systemctl status {name}; pgrep -a {name}"));
        return Err(halt);
    }
    let resident = found.iter().map(|process| process.resident).sum();
    trace.fact("processes", Cell::Count(found.len() as u64));
    trace.fact("processor", Cell::Share(percent / 100.0));
    trace.fact("memory", Cell::Bytes(resident));
    trace.measure("processor", percent, "%");
    trace.measure("memory", resident as f64, "B");
    trace.summary(format!("{} processes of {name}", found.len()));
    judge_states(trace, name, &found);
    judge_files(trace, name, &found);
    Ok(())
}

/// The processes, and the per cent of one processor that they used while we looked.
fn observed(name: &str) -> (Vec<Process>, f64) {
    let before: HashMap<_, _> = named(name).into_iter().map(|one| (one.pid, one.ticks)).collect();
    if before.is_empty() {
        return (Vec::new(), 0.0);
    }
    let began = Instant::now();
    thread::sleep(LOOK);
    let found = named(name);
    let used =
        |one: &Process| one.ticks.saturating_sub(*before.get(&one.pid).unwrap_or(&one.ticks));
    let ticks: u64 = found.iter().map(used).sum();
    let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    let percent = seconds / began.elapsed().as_secs_f64() * 100.0;
    (found, percent)
}

fn judge_states(trace: &mut Trace<'_>, name: &str, found: &[Process]) {
    let in_state = |state| found.iter().filter(|process| process.state == state).count();
    trace.fact("waiting_for_disk", Cell::Count(in_state('D') as u64));
    let ended = in_state('Z');
    if ended > 0 {
        let came = format!("{ended} of {} have ended and are not waited for", found.len());
        trace.fault(Class::Zombies, format!("live processes of {name}"), came);
    }
}

/// The process that is nearest to its limit of open files.
fn judge_files(trace: &mut Trace<'_>, name: &str, found: &[Process]) {
    let seen =
        found.iter().filter_map(|one| open_files(one.pid).ok().map(|files| (one.pid, files)));
    let percent = |(open, most): (u64, u64)| open as f64 * 100.0 / most.max(1) as f64;
    let fullest = seen.max_by(|a, b| percent(a.1).total_cmp(&percent(b.1)));
    let Some((pid, files)) = fullest else {
        trace.fact("open_files", Cell::text("not permitted"));
        return;
    };
    trace.fact("open_files", Cell::Count(files.0));
    trace.fact("open_files_limit", Cell::Count(files.1));
    trace.measure("open_files", percent(files), "%");
    if percent(files) >= NEAR.0 {
        let level = if percent(files) >= NEAR.1 { Level::Critical } else { Level::Warning };
        let asked = format!("{name} under {} % of its open files", NEAR.0);
        let came = format!("process {pid}: {} of {}", files.0, files.1);
        trace.fault_at(Class::NearFileLimit, level, asked, came);
        trace.next(&format!("ls -l /proc/{pid}/fd | head; grep 'open files' /proc/{pid}/limits"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_may_hold_anything() {
        let stat = "42 (a) b (c)) S 1 1 1 0 -1 4194560 1 1 0 0 7 5 0 0 20 0 1 0 9 1000 3 1";
        let process = parse(42, stat).unwrap();
        assert_eq!((process.name.as_str(), process.state), ("a) b (c)", 'S'));
        assert_eq!(
            (process.parent, process.ticks, process.resident),
            (1, 12, 3 * rustix::param::page_size() as u64)
        );
    }

    #[test]
    fn sees_itself() {
        let own = std::process::id();
        let me = all().into_iter().find(|process| process.pid == own).unwrap();
        assert!(named(&me.name).iter().any(|process| process.pid == own));
        let (open, most) = open_files(own).unwrap();
        assert!(open > 0 && open < most);
    }

    proptest! {
        #[test]
        fn any_text(stat in ".{0,120}") {
            let _ = parse(1, &stat);
        }
    }
}
