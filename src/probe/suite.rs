//! Many checks as one: read from a TOML file, run on a pool of threads.
//!
//! ```toml
//! [run]                      # all optional
//! concurrency = 256          # threads; default: as many as checks up to 1024, 32 when times are judged
//! per-host = 8               # checks of one host at the same time; default 8, loopback without limit
//! jitter = "50ms"            # the starts are spread over this time
//!
//! [defaults]                 # options of every check
//! timeout = "5s"
//! [defaults.http]            # options of every check of one kind
//! warn = ["time=0.5"]
//!
//! [[check]]
//! kind = "http"
//! target = "https://shop.example.com/"       # or targets = ["…", "…"]
//! expect-status = 200
//! ```
//!
//! Threads, because a probe is a short dialogue that waits. Their stacks are small and only touched pages count: a
//! thousand waiting checks take a few megabytes. Checks that judge times get few threads, because a busy machine
//! would measure itself.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::outcome::Outcome;
use super::{Check, STACK, options, plan};
use crate::error::{Error, Result};

/// The most threads of a run.
const MOST_THREADS: usize = 1024;

/// The threads of a run that judges times.
const TIMING_THREADS: usize = 32;

/// How many checks of one foreign host run at the same time, unless told otherwise.
const PER_HOST: usize = 8;

/// How a run spreads its checks. Nothing given means the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pace {
    /// How many checks run at the same time.
    pub concurrency: Option<NonZero<usize>>,
    /// How many of one host.
    pub per_host: Option<NonZero<usize>>,
    /// Over which time the starts are spread.
    pub jitter: Option<Duration>,
}

/// A suite as read.
#[derive(Debug)]
pub struct Suite {
    /// The checks in the order of the file.
    pub checks: Vec<Check>,
    /// How to run them.
    pub pace: Pace,
}

impl Suite {
    /// Reads a suite. Errors name the byte of the text where it goes wrong.
    pub fn parse(text: &str) -> Result<Self> {
        let table = DeTable::parse(text).map_err(|error| syntax(&error))?;
        let table = table.get_ref();
        only(table, &["run", "defaults", "check"])?;
        let empty = DeTable::new();
        let defaults = sub_table(table, "defaults")?.unwrap_or(&empty);
        let mut checks = Vec::new();
        for entry in array(table, "check")? {
            let entry_table = entry.get_ref().as_table();
            let entry_table = entry_table.ok_or_else(|| wants(entry, "[[check]] tables"))?;
            let planned = checks_of(entry_table, defaults);
            checks.extend(planned.map_err(|error| error.offset(entry.span().start as u64))?);
        }
        if checks.is_empty() {
            return Err(Error::usage("the suite has no check").advise(EXAMPLE));
        }
        let pace = sub_table(table, "run")?.map(pace).transpose()?.unwrap_or_default();
        Ok(Self { checks, pace })
    }
}

const EXAMPLE: &str = "write [[check]] with kind = \"tcp\" and target = \"mail.example.com:25\"";

fn syntax(error: &toml::de::Error) -> Error {
    let wrong = Error::usage(format!("not TOML: {}", error.message()));
    match error.span() {
        Some(span) => wrong.offset(span.start as u64),
        None => wrong,
    }
}

fn wants(value: &Spanned<DeValue<'_>>, what: &str) -> Error {
    Error::usage(format!("wants {what}, not a {}", value.get_ref().type_str()))
        .offset(value.span().start as u64)
}

fn only(table: &DeTable<'_>, known: &[&str]) -> Result<()> {
    let Some((key, _)) = table.iter().find(|(key, _)| !known.contains(&key.get_ref().as_ref()))
    else {
        return Ok(());
    };
    Err(Error::usage(format!("there is no '{}' here", key.get_ref()))
        .offset(key.span().start as u64)
        .advise(format!("known are: {}", known.join(", "))))
}

fn sub_table<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Result<Option<&'t DeTable<'i>>> {
    let value = table.get(key);
    value.map(|value| value.get_ref().as_table().ok_or_else(|| wants(value, "a table"))).transpose()
}

fn array<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Result<&'t [Spanned<DeValue<'i>>]> {
    match table.get(key) {
        None => Ok(&[]),
        Some(value) => {
            let array = value.get_ref().as_array().ok_or_else(|| wants(value, "[[check]] tables"));
            array.map(|array| array.as_ref())
        }
    }
}

/// The checks of one entry: its own options before those of its kind before those of all.
fn checks_of(entry: &DeTable<'_>, defaults: &DeTable<'_>) -> Result<Vec<Check>> {
    let kind = entry.get("kind").and_then(|value| value.get_ref().as_str());
    let kind = kind.ok_or_else(|| Error::usage("a check without kind").advise(EXAMPLE))?;
    let mut targets = Vec::new();
    for key in ["target", "targets"] {
        if let Some(value) = entry.get(key) {
            targets.extend(texts(value)?);
        }
    }
    if targets.is_empty() {
        return Err(Error::usage("a check without target").advise(EXAMPLE));
    }
    let options = options_of(entry, defaults, kind)?;
    let pairs = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    plan(kind, targets.iter().map(String::as_str), pairs)
}

type Pairs = Vec<(String, String)>;

fn options_of(entry: &DeTable<'_>, defaults: &DeTable<'_>, kind: &str) -> Result<Pairs> {
    let mut options: Pairs = Vec::new();
    let of_kind = sub_table(defaults, kind)?;
    for table in [Some(entry), of_kind, Some(defaults)].into_iter().flatten() {
        let mut own = Pairs::new();
        for (key, value) in table {
            let key = key.get_ref().as_ref();
            let is_option = !matches!(key, "kind" | "target" | "targets");
            let is_new = !options.iter().any(|(name, _)| name == key);
            if is_option && is_new && value.get_ref().as_table().is_none() {
                own.extend(texts(value)?.into_iter().map(|text| (key.to_owned(), text)));
            }
        }
        options.extend(own);
    }
    Ok(options)
}

/// A value as the text that the command line would have; an array as several.
fn texts(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>> {
    Ok(match value.get_ref() {
        DeValue::String(text) => vec![text.to_string()],
        DeValue::Integer(number) => vec![number.as_str().to_owned()],
        DeValue::Float(number) => vec![number.as_str().to_owned()],
        DeValue::Boolean(yes) => vec![yes.to_string()],
        DeValue::Array(array) => {
            let parts: Result<Vec<_>> = array.iter().map(texts).collect();
            parts?.concat()
        }
        DeValue::Datetime(_) | DeValue::Table(_) => return Err(wants(value, "text or a number")),
    })
}

fn pace(table: &DeTable<'_>) -> Result<Pace> {
    only(table, &["concurrency", "per-host", "jitter"])?;
    let number = |key: &str| {
        let value = table.get(key);
        let read = |value: &Spanned<DeValue<'_>>| {
            texts(value)?.concat().parse().map_err(|_| wants(value, "a number above zero"))
        };
        value.map(read).transpose()
    };
    let jitter = |value: &Spanned<DeValue<'_>>| {
        let text = value.get_ref().as_str().and_then(options::duration);
        text.ok_or_else(|| wants(value, "a time such as \"50ms\""))
    };
    Ok(Pace {
        concurrency: number("concurrency")?,
        per_host: number("per-host")?,
        jitter: table.get("jitter").map(jitter).transpose()?,
    })
}

/// Runs checks at the pace given and returns the outcomes of each, in the order of the checks. `done` hears of each
/// check as it ends: its place and its outcomes.
pub fn run(
    checks: &[Check],
    pace: &Pace,
    done: &(dyn Fn(usize, &[Outcome]) + Sync),
) -> Vec<Vec<Outcome>> {
    let queue = Queue::new(checks, pace);
    let threads = threads(checks, pace).min(queue.room());
    thread::scope(|scope| {
        // This thread works too; where the system gives no more threads, fewer do the work.
        for _ in 1..threads {
            let worker = || queue.work(done);
            if thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).is_err() {
                break;
            }
        }
        queue.work(done);
    });
    let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.outcomes
}

fn threads(checks: &[Check], pace: &Pace) -> usize {
    let judges_times = checks.iter().any(Check::judges_times);
    let most = if judges_times { TIMING_THREADS } else { MOST_THREADS };
    let wanted = pace.concurrency.map_or(most, NonZero::get).min(MOST_THREADS);
    wanted.min(checks.len()).max(1)
}

/// What is left to do, and what is being done for whom.
struct Queue<'c> {
    checks: &'c [Check],
    /// The host of each check, as a number.
    hosts: Vec<usize>,
    /// How many checks of each host may run at the same time, and how many it has.
    limits: Vec<(usize, usize)>,
    jitter: Duration,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    /// Places of checks that wait, the last first.
    waiting: Vec<usize>,
    /// How many checks of each host run now.
    running: Vec<usize>,
    outcomes: Vec<Vec<Outcome>>,
}

/// The starts are spread over this time, so that a thousand checks do not begin in one instant.
const JITTER: Duration = Duration::from_millis(50);

impl<'c> Queue<'c> {
    fn new(checks: &'c [Check], pace: &Pace) -> Self {
        let (hosts, limits) = hosts(checks, pace.per_host);
        let state = State {
            waiting: (0..checks.len()).rev().collect(),
            running: vec![0; limits.len()],
            outcomes: vec![Vec::new(); checks.len()],
        };
        let jitter = if checks.len() > 1 { pace.jitter.unwrap_or(JITTER) } else { Duration::ZERO };
        Self { checks, hosts, limits, jitter, state: Mutex::new(state), freed: Condvar::new() }
    }

    /// How many checks can run at the same time at all: more threads would only wait for each other.
    fn room(&self) -> usize {
        self.limits.iter().map(|(limit, count)| limit.min(count)).sum()
    }

    fn work(&self, done: &(dyn Fn(usize, &[Outcome]) + Sync)) {
        while let Some(place) = self.take() {
            thread::sleep(self.delay(place));
            let outcomes = self.checks[place].run();
            done(place, &outcomes);
            self.give_back(place, outcomes);
        }
    }

    /// The same for the same place each time: spread evenly by a multiplier that visits every slot.
    fn delay(&self, place: usize) -> Duration {
        let slot = u32::try_from(place * 389 % 1000).unwrap_or_default();
        self.jitter * slot / 1000
    }

    /// The next check whose host has room; waits while there is none but some run.
    fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        while !state.waiting.is_empty() {
            let has_room = |place: &usize| {
                let host = self.hosts[*place];
                state.running[host] < self.limits[host].0
            };
            if let Some(at) = state.waiting.iter().rposition(has_room) {
                let place = state.waiting.remove(at);
                state.running[self.hosts[place]] += 1;
                return Some(place);
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn give_back(&self, place: usize, outcomes: Vec<Outcome>) {
        let mut state = self.lock();
        state.outcomes[place] = outcomes;
        state.running[self.hosts[place]] -= 1;
        self.freed.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers the hosts: which one each check has, and for each host its limit and how many checks it has.
fn hosts(checks: &[Check], per_host: Option<NonZero<usize>>) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut numbers = HashMap::new();
    let mut limits: Vec<(usize, usize)> = Vec::new();
    let mut number_of = |check: &Check| {
        let host = check.target().host().unwrap_or_default();
        let number = *numbers.entry(host.to_owned()).or_insert_with(|| {
            limits.push((limit(host, per_host), 0));
            limits.len() - 1
        });
        limits[number].1 += 1;
        number
    };
    let hosts = checks.iter().map(&mut number_of).collect();
    (hosts, limits)
}

/// This machine may be asked as often as one likes; others are spared.
fn limit(host: &str, per_host: Option<NonZero<usize>>) -> usize {
    match per_host {
        Some(limit) => limit.get(),
        None if is_ours(host) => usize::MAX,
        None => PER_HOST,
    }
}

fn is_ours(host: &str) -> bool {
    let loopback = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    host.is_empty() || host == "localhost" || loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_suite() {
        let suite = Suite::parse(
            "[run]\nconcurrency = 4\njitter = \"5ms\"\n[defaults]\ntimeout = \"3s\"\nretries = 1\n\
             [[check]]\nkind = \"tcp\"\ntargets = [\"a:25,587\", \"b:80\"]\ntimeout = \"1s\"\nbanner = true\n",
        )
        .unwrap();
        assert_eq!(suite.checks.len(), 3);
        let common = suite.checks[0].common();
        assert_eq!((common.whole, common.retries), (Duration::from_secs(1), 1));
        assert_eq!(suite.pace.concurrency, NonZero::new(4));
        assert_eq!(suite.pace.jitter, Some(Duration::from_millis(5)));
    }

    #[test]
    fn says_where_it_goes_wrong() {
        let message = |text: &str| {
            let error = Suite::parse(text).unwrap_err();
            assert!(error.is_usage(), "{error}");
            error.to_string()
        };
        assert!(message("[[check]\n").contains("not TOML"));
        assert!(message("").contains("no check"));
        assert!(message("x = 1\n[[check]]\n").contains("'x'"));
        assert!(message("[[check]]\nkind = \"tcp\"\n").contains("without target"));
        assert!(
            message("\n[[check]]\nkind = \"tcp\"\ntarget = \"a:1\"\nfoo = 1\n").contains("'foo'")
        );
        assert!(message("[[check]]\nkind = \"tcp\"\ntarget = \"a\"\n").contains("(at byte"));
        assert!(
            message("[run]\nconcurrency = 0\n[[check]]\nkind=\"tcp\"\ntarget=\"a:1\"\n")
                .contains("above zero")
        );
    }
}
