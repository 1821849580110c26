//! Probes: asking live services, safely, and saying what is wrong.
//!
//! A probe goes from step to step of its protocol (name, connection, TLS, greeting, question, answer), each with a
//! deadline, and ends as an [`Outcome`]: what was asked, what came, a class out of a closed vocabulary
//! ([`class::Class`]), the likely cause and the next command to type. Probes are polite: they end the dialogue as the
//! protocol wants, say who they are, and change nothing.
//!
//! ```no_run
//! use logmill::probe::{Check, plan};
//!
//! let checks = plan("tcp", ["mail.example.com:25,587"], [("timeout", "3s")])?;
//! for check in &checks {
//!     for outcome in check.run() {
//!         println!("{} {}: {}", outcome.target, outcome.address, outcome.line());
//!     }
//! }
//! # Ok::<(), logmill::Error>(())
//! ```
//!
//! # How to add a kind
//!
//! One file, one `mod` line, one line in [`PROBES`].
//!
//! 1. The file (`gopher.rs`) opens with what is asked and when each class is given, then declares
//!    `pub static KIND: Kind`: its name, its help, the steps in order, the knobs ([`options::Knob`]) and measures of
//!    its own, and a `make` that decides the options and boxes the probe.
//! 2. The probe implements [`Probe`]. `targets` reads one word of the command line, mostly
//!    `Target::net(word, Some(70))`. `check` is mostly
//!    `run.each_address(target, |trace, peer| self.dialogue(trace, peer))`, which resolves the name and holds one
//!    dialogue per address, all at the same time.
//! 3. The dialogue takes its steps: `let mut wire = trace.connect(peer)?;`, then
//!    `trace.step("greeting", "a greeting", |deadline| wire.line(1000, deadline))?`. It keeps facts
//!    ([`Trace::fact`]), numbers ([`Trace::measure`]) and faults ([`Trace::fault`]), and ends with
//!    `wire.leave(b"QUIT\r\n")`. For STARTTLS: ask in clear, then [`Trace::upgrade`]; the same wire is encrypted then.
//! 4. Faults that the vocabulary lacks are added to the table in `class.rs`, with cause and next command.
//! 5. Whatever a peer sends is bounded by the limits given to [`net::Wire`] and escaped ([`escape::escaped`]) before
//!    it becomes text. Decoders of binary messages are pure functions over bytes with a property test.
//!
//! Thresholds, retries, outputs, suites, help and the laws of the tests follow from the table.

mod balance;
pub mod class;
pub mod courtesy;
mod dns;
pub mod escape;
pub mod expect;
mod haproxy;
pub mod http;
pub mod listeners;
mod local;
mod mail;
mod mysql;
pub mod net;
pub mod options;
pub mod outcome;
pub mod output;
mod ping;
pub mod range;
pub mod resolver;
mod spread;
pub mod suite;
pub mod target;
mod tcp;
pub mod tls;
mod trace;

use std::sync::Arc;
use std::thread;

pub use self::class::Class;
pub use self::outcome::Outcome;
pub use self::target::Target;
pub use self::trace::{Halt, Trace};

use self::net::Peer;
use self::options::{COMMON, Common, Knob, Options};
use self::outcome::worst;
use crate::document::Level;
use crate::error::{Error, Result};

/// Every kind of probe, in the order of the help.
pub const PROBES: &[&Kind] = &[
    &tcp::KIND,
    &ping::KIND,
    &http::KIND,
    &tls::kind::KIND,
    &dns::KIND,
    &mail::smtp::KIND,
    &mail::imap::KIND,
    &mail::pop3::KIND,
    &mysql::KIND,
    &haproxy::KIND,
    &balance::KIND,
    &local::KIND,
];

/// What the table holds of a kind: enough for help, completion, suites and construction.
#[derive(Debug)]
pub struct Kind {
    /// The word on the command line.
    pub name: &'static str,
    /// Its line in the help.
    pub about: &'static str,
    /// The form of its targets: `HOST:PORT[,PORT…]`.
    pub target: &'static str,
    /// The steps in order. Those behind a failed one are shown as not reached.
    pub steps: &'static [&'static str],
    /// The options beside those that every kind has: its own table, and those it shares (`tls::KNOBS`).
    pub knobs: &'static [&'static [Knob]],
    /// The measures beside the times of the steps: name and meaning with unit.
    pub measures: &'static [(&'static str, &'static str)],
    /// Decides the options and makes the probe.
    pub make: fn(&Options) -> Result<Box<dyn Probe>>,
}

/// One kind of probe with its options decided. See the module's page for how to write one.
pub trait Probe: Send + Sync {
    /// The targets that one word stands for.
    fn targets(&self, word: &str) -> Result<Vec<Target>>;

    /// Asks, and returns one outcome per address, at least one.
    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome>;
}

/// What a probe is told about the run it belongs to.
#[derive(Debug)]
pub struct Run<'c> {
    /// The kind.
    pub kind: &'static Kind,
    /// The options that every kind has.
    pub common: &'c Common,
    /// The time to judge certificates and ages by: microseconds since 1970 UTC.
    pub now: i64,
}

/// How much stack a probing thread has: a TLS handshake and a name service module fit, and only touched pages count.
pub(crate) const STACK: usize = 512 * 1024;

impl Run<'_> {
    /// Holds one dialogue without an address: for files, and for kinds that find their peers by themselves.
    pub fn single(
        &self,
        target: &Target,
        dialogue: impl FnOnce(&mut Trace<'_>) -> std::result::Result<(), Halt>,
    ) -> Vec<Outcome> {
        let mut trace = Trace::start(self, target);
        // A halt has recorded its fault.
        let _ = dialogue(&mut trace);
        vec![trace.finish()]
    }

    /// Resolves the target and holds one dialogue per address, all at the same time; the outcomes keep the order of
    /// the addresses.
    pub fn each_address(
        &self,
        target: &Target,
        dialogue: impl Fn(&mut Trace<'_>, &Peer) -> std::result::Result<(), Halt> + Sync,
    ) -> Vec<Outcome> {
        let mut trace = Trace::start(self, target);
        let Ok(peers) = trace.resolve() else { return vec![trace.finish()] };
        let talk = |peer: &Peer| {
            let mut trace = trace.clone();
            // A halt has recorded its fault.
            let _ = dialogue(&mut trace, peer);
            trace.finish()
        };
        match &peers[..] {
            [peer] => vec![talk(peer)],
            peers => at_the_same_time(peers, &talk),
        }
    }
}

/// One thread per address; where the system gives no thread, the dialogue is held here.
fn at_the_same_time(peers: &[Peer], talk: &(impl Fn(&Peer) -> Outcome + Sync)) -> Vec<Outcome> {
    thread::scope(|scope| {
        let start = |peer| {
            let thread = thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, move || talk(peer)).map_err(|_| peer)
        };
        let started: Vec<_> = peers.iter().map(start).collect();
        let join = |thread: std::result::Result<thread::ScopedJoinHandle<'_, Outcome>, &Peer>| {
            match thread {
                Ok(thread) => {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                }
                Err(peer) => talk(peer),
            }
        };
        started.into_iter().map(join).collect()
    })
}

/// One target with its options decided: ready to run, any number of times.
#[derive(Clone)]
pub struct Check {
    kind: &'static Kind,
    target: Target,
    common: Common,
    probe: Arc<dyn Probe>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Check({} {})", self.kind.name, self.target)
    }
}

/// The kind of that name.
pub fn kind(name: &str) -> Result<&'static Kind> {
    PROBES.iter().copied().find(|kind| kind.name == name).ok_or_else(|| {
        let known: Vec<_> = PROBES.iter().map(|kind| kind.name).collect();
        Error::usage(format!("there is no probe '{name}'"))
            .advise(format!("probes: {}", known.join(", ")))
    })
}

/// Decides what to check: one kind, its targets, and options as names and values (a flag's value is empty).
pub fn plan<'t>(
    name: &str,
    words: impl IntoIterator<Item = &'t str>,
    pairs: impl IntoIterator<Item = (&'t str, &'t str)>,
) -> Result<Vec<Check>> {
    let kind = kind(name)?;
    let mut tables = kind.knobs.to_vec();
    tables.push(COMMON);
    let options = Options::parse(&tables, pairs)?;
    let common = Common::parse(&options)?;
    check_measures(kind, &common)?;
    check_steps(kind, &common)?;
    let probe: Arc<dyn Probe> = (kind.make)(&options)?.into();
    let mut checks = Vec::new();
    for word in words {
        let of = |target| Check { kind, target, common: common.clone(), probe: Arc::clone(&probe) };
        checks.extend(probe.targets(word)?.into_iter().map(of));
    }
    Ok(checks)
}

/// A threshold on a measure that the kind does not have would never fire.
fn check_measures(kind: &Kind, common: &Common) -> Result<()> {
    let mut named = common.warn.iter().chain(&common.crit).map(|(name, _)| name.as_str());
    let Some(bad) = named.find(|name| !trace::has_measure(kind, name)) else { return Ok(()) };
    let mut known = vec!["time"];
    known.extend(kind.steps);
    known.extend(kind.measures.iter().map(|(name, _)| *name));
    Err(Error::usage(format!("probe {} has no measure '{bad}'", kind.name))
        .advise(format!("measures: {}", known.join(", "))))
}

/// Nor would a limit of a step that the kind does not take.
fn check_steps(kind: &Kind, common: &Common) -> Result<()> {
    let mut named = common.steps.iter().map(|(name, _)| name.as_str());
    let Some(bad) = named.find(|name| !kind.steps.contains(name)) else { return Ok(()) };
    Err(Error::usage(format!("probe {} has no step '{bad}'", kind.name))
        .advise(format!("steps: {}", kind.steps.join(", "))))
}

impl Check {
    /// The kind of probe.
    pub fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// What is probed.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The common options.
    pub fn common(&self) -> &Common {
        &self.common
    }

    /// True when a threshold is set on any measure, so that the machine should not be busy with other checks.
    pub fn judges_times(&self) -> bool {
        !self.common.warn.is_empty() || !self.common.crit.is_empty()
    }

    /// Runs the check by the system's clock, with its retries.
    pub fn run(&self) -> Vec<Outcome> {
        self.run_by(now)
    }

    /// Runs the check by a given clock (microseconds since 1970 UTC), with its retries. An address that failed and
    /// then succeeded is a warning.
    pub fn run_by(&self, clock: impl Fn() -> i64) -> Vec<Outcome> {
        let mut outcomes = self.once(clock());
        let mut failed = Vec::new();
        for attempt in 1..=self.common.retries {
            if !calls_for_retry(&outcomes) {
                break;
            }
            failed.extend(outcomes.into_iter().filter(|outcome| outcome.level() != Level::Ok));
            thread::sleep(self.common.retry_delay);
            outcomes = self.once(clock());
            outcomes.iter_mut().for_each(|outcome| outcome.tries = attempt + 1);
        }
        outcomes.iter_mut().for_each(|outcome| note_retry(outcome, &failed));
        outcomes
    }

    fn once(&self, now: i64) -> Vec<Outcome> {
        let run = Run { kind: self.kind, common: &self.common, now };
        self.probe.check(&self.target, &run)
    }
}

fn calls_for_retry(outcomes: &[Outcome]) -> bool {
    matches!(worst(outcomes.iter().map(Outcome::level)), Level::Critical | Level::Unknown)
}

/// Adds the warning that a success came only on a later try.
fn note_retry(outcome: &mut Outcome, failed: &[Outcome]) {
    let same = |before: &&Outcome| before.address.is_empty() || before.address == outcome.address;
    let Some(before) = failed.iter().find(same).filter(|_| outcome.level() == Level::Ok) else {
        return;
    };
    let step = before.failing_step().unwrap_or_default();
    let came = format!("success on try {}, before: {}", outcome.tries, before.line());
    outcome.add_fault(Class::Retried, step, "success on the first try", came);
}

/// The system's clock: microseconds since 1970 UTC.
pub fn now() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
