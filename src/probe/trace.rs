//! One check of one address while it runs: it times the steps, keeps what is learned, and ends as an [`Outcome`].
//!
//! A dialogue goes `trace.step(name, what is asked, |deadline| …)?` from step to step. A step that fails records its
//! fault and gives [`Halt`], which the dialogue hands up with `?`; a fault that does not end the dialogue is recorded
//! with [`Trace::fault`].

use std::net::SocketAddr;
use std::time::Instant;

use super::class::Class;
use super::net::{self, Answer, Deadline, Failure, Peer, Wire};
use super::outcome::{End, Fault, Measure, Outcome, Step};
use super::range::Range;
use super::target::{Place, Target};
use super::{Kind, Run};
use crate::document::{Cell, Fact, Level, Section};

/// A step failed and its fault is recorded; there is nothing left to do but to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halt;

/// A check in the making.
#[derive(Debug, Clone)]
pub struct Trace<'r> {
    run: &'r Run<'r>,
    target: &'r Target,
    outcome: Outcome,
    ladder: &'static [&'static str],
    /// The dialogue ended before its last step.
    halted: bool,
    began: Instant,
    end: Deadline,
}

impl<'r> Trace<'r> {
    /// Starts the clock of the whole check.
    pub(super) fn start(run: &'r Run<'r>, target: &'r Target) -> Self {
        let outcome = Outcome {
            kind: run.kind.name,
            target: target.label.clone(),
            address: String::new(),
            steps: Vec::new(),
            faults: Vec::new(),
            facts: Vec::new(),
            measures: Vec::new(),
            sections: Vec::new(),
            evidence: Vec::new(),
            summary: String::new(),
            started: run.now,
            took: 0,
            tries: 1,
        };
        let end = Deadline::after(run.common.whole);
        Self {
            run,
            target,
            outcome,
            ladder: run.kind.steps,
            halted: false,
            began: Instant::now(),
            end,
        }
    }

    /// The steps that this dialogue will take, where they are not those of its kind.
    pub fn plan(&mut self, ladder: &'static [&'static str]) {
        self.ladder = ladder;
    }

    /// The settings of this run.
    pub fn run(&self) -> &'r Run<'r> {
        self.run
    }

    /// The end of the whole check.
    pub fn deadline(&self) -> Deadline {
        self.end
    }

    /// Takes a step within its deadline. A failure becomes a fault and ends the dialogue.
    pub fn step<T>(
        &mut self,
        name: &'static str,
        asked: impl Into<String>,
        act: impl FnOnce(Deadline) -> Answer<T>,
    ) -> Result<T, Halt> {
        let own = self.run.common.step(name).map_or(self.end, Deadline::after);
        let asked = asked.into();
        let began = Instant::now();
        let answer = act(own.min(self.end));
        let micros = micros_since(began);
        match answer {
            Ok(value) => {
                self.ended(name, asked, String::new(), End::Done(micros));
                Ok(value)
            }
            Err(failure) => Err(self.failed(name, asked, failure, micros)),
        }
    }

    /// The check lasts until its last step ends: the farewell after it is not the service's time.
    fn ended(&mut self, name: &'static str, asked: String, came: String, end: End) {
        if end != End::NotReached {
            self.outcome.took = micros_since(self.began);
        }
        self.outcome.steps.push(Step { name, asked, came, end });
    }

    fn failed(&mut self, name: &'static str, asked: String, failure: Failure, micros: i64) -> Halt {
        let end = End::Failed(failure.class, micros);
        self.ended(name, asked.clone(), failure.came.clone(), end);
        self.fault(failure.class, asked, failure.came);
        Halt
    }

    /// Says what came in the step just done. Foreign bytes must be escaped already.
    pub fn came(&mut self, text: impl Into<String>) {
        if let Some(step) = self.outcome.steps.last_mut() {
            step.came = text.into();
        }
    }

    /// Records a fault of its class's own weight, in the step just done.
    pub fn fault(&mut self, class: Class, asked: impl Into<String>, came: impl Into<String>) {
        self.fault_at(class, class.level(), asked, came);
    }

    /// Records a fault of another weight.
    pub fn fault_at(
        &mut self,
        class: Class,
        level: Level,
        asked: impl Into<String>,
        came: impl Into<String>,
    ) {
        let words = class.words();
        let step = self.outcome.steps.last().map_or("", |step| step.name);
        let next = self.filled(words.next);
        let (asked, came) = (asked.into(), came.into());
        let cause = words.cause.to_owned();
        self.outcome.faults.push(Fault { class, level, step, asked, came, cause, next });
    }

    /// Records a fault and ends the dialogue.
    pub fn halt(
        &mut self,
        class: Class,
        asked: impl Into<String>,
        came: impl Into<String>,
    ) -> Halt {
        self.fault(class, asked, came);
        self.halted = true;
        Halt
    }

    /// Gives the fault just recorded a cause that is known better than its class knows.
    pub fn because(&mut self, cause: impl Into<String>) {
        if let Some(fault) = self.outcome.faults.last_mut() {
            fault.cause = cause.into();
        }
    }

    /// Gives the fault just recorded a next command of its own; the places are filled in as usual.
    pub fn next(&mut self, command: &str) {
        let command = self.filled(command);
        if let Some(fault) = self.outcome.faults.last_mut() {
            fault.next = command;
        }
    }

    /// The level that the faults so far come to.
    pub fn level(&self) -> Level {
        self.outcome.level()
    }

    /// The class of the last fault, if it is one of these.
    pub fn failed_with(&self, classes: &[Class]) -> Option<Class> {
        let last = self.outcome.faults.last().map(|fault| fault.class);
        last.filter(|class| classes.contains(class))
    }

    /// Fills in `{host}`, `{port}`, `{address}`, `{target}` and `{kind}`.
    fn filled(&self, command: &str) -> String {
        let host = self.target.host().unwrap_or(&self.target.label);
        let address = match self.outcome.address.as_str() {
            "" => host.to_owned(),
            address => address
                .parse::<SocketAddr>()
                .map_or_else(|_| address.to_owned(), |address| address.ip().to_string()),
        };
        let command = match &self.target.place {
            Place::Unix(_) => for_socket_file(command),
            _ => command.to_owned(),
        };
        command
            .replace("{host}", host)
            .replace("{port}", &self.target.port().to_string())
            .replace("{address}", &address)
            .replace("{target}", &self.target.label)
            .replace("{kind}", self.run.kind.name)
    }

    /// Keeps something that was learned.
    pub fn fact(&mut self, name: &'static str, value: Cell) {
        self.outcome.facts.push(Fact::new(name, value));
    }

    /// Keeps a number that thresholds may be set on. Its name must be in the kind's `measures`.
    pub fn measure(&mut self, name: &'static str, value: f64, unit: &'static str) {
        self.outcome.measures.push(Measure { name, value, unit, warn: None, crit: None });
    }

    /// Adds a table of the kind's own.
    pub fn section(&mut self, section: Section) {
        self.outcome.sections.push(section);
    }

    /// Keeps the first bytes that came, as they came, at most 256.
    pub fn evidence(&mut self, bytes: &[u8]) {
        self.outcome.evidence = bytes[..bytes.len().min(256)].to_vec();
    }

    /// Half a sentence for the case that all is well. Foreign bytes must be escaped already.
    pub fn summary(&mut self, text: impl Into<String>) {
        self.outcome.summary = text.into();
    }

    /// Connects to one address of the target, as the step `connect`.
    pub fn connect(&mut self, peer: &Peer) -> Result<Wire, Halt> {
        self.outcome.address = peer.to_string();
        let source = self.run.common.source;
        self.step("connect", format!("connect to {peer}"), |deadline| {
            net::connect(peer, source, deadline)
        })
    }

    /// Names the address that is probed, for dialogues without [`Self::connect`].
    pub fn address(&mut self, peer: &Peer) {
        self.outcome.address = peer.to_string();
    }

    /// The places of the target: each address of its name, as the step `resolve`, or its socket file.
    pub(super) fn resolve(&mut self) -> Result<Vec<Peer>, Halt> {
        match &self.target.place {
            Place::Net { host, port } => {
                let common = self.run.common;
                let found = self.step("resolve", format!("addresses of {host}"), |deadline| {
                    net::resolve(host, *port, common, deadline)
                })?;
                let listed: Vec<_> = found.iter().map(|a| a.ip().to_string()).collect();
                self.came(listed.join(", "));
                Ok(found.into_iter().map(Peer::Tcp).collect())
            }
            Place::Unix(path) => Ok(vec![Peer::Unix(path.clone())]),
            Place::File(_) | Place::Here => Ok(Vec::new()),
        }
    }

    /// Ends the check: adds the steps that were not reached and judges the measures.
    pub fn finish(mut self) -> Outcome {
        self.add_times();
        self.add_unreached();
        self.judge_measures();
        self.outcome
    }

    /// The whole time and each step's, before the kind's own measures.
    fn add_times(&mut self) {
        let time = |name, micros: i64| Measure {
            name,
            value: micros as f64 / 1e6,
            unit: "s",
            warn: None,
            crit: None,
        };
        let mut all = vec![time("time", self.outcome.took)];
        for step in &self.outcome.steps {
            let Some(micros) = step.micros() else { continue };
            match all.iter_mut().find(|measure| measure.name == step.name) {
                // A step that was taken several times (a redirect, a try) has one measure.
                Some(measure) => measure.value += micros as f64 / 1e6,
                None => all.push(time(step.name, micros)),
            }
        }
        all.append(&mut self.outcome.measures);
        self.outcome.measures = all;
    }

    fn add_unreached(&mut self) {
        let failed = self.outcome.steps.iter().any(|step| matches!(step.end, End::Failed(..)));
        if !failed && !self.halted {
            return;
        }
        for name in self.ladder {
            if self.outcome.step(name).is_none() {
                self.ended(name, String::new(), String::new(), End::NotReached);
            }
        }
    }

    fn judge_measures(&mut self) {
        let mut alarms = Vec::new();
        for measure in &mut self.outcome.measures {
            measure.warn = range_for(&self.run.common.warn, measure.name);
            measure.crit = range_for(&self.run.common.crit, measure.name);
            alarms.extend(alarm(measure));
        }
        for (level, asked, came) in alarms {
            self.fault_at(Class::Threshold, level, asked, came);
        }
    }
}

/// A socket file has no port to look for, and is on this machine.
fn for_socket_file(command: &str) -> String {
    command
        .replace("ss -ltnp 'sport = :{port}'", "ss -lxp src {address}")
        .replace("ss -ltn 'sport = :{port}'", "ss -lx src {address}")
        .replace("{host}:{port}", "{host}")
        .replace("   # on {host}", "")
        .replace(", of the service on port {port}", "")
}

fn micros_since(began: Instant) -> i64 {
    i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX)
}

fn range_for(ranges: &[(String, Range)], name: &str) -> Option<Range> {
    ranges.iter().find(|(measure, _)| measure == name).map(|(_, range)| *range)
}

/// The alarm that a measure raises: its level, what was wanted, what came.
fn alarm(measure: &Measure) -> Option<(Level, String, String)> {
    let over = |range: Option<Range>| range.filter(|range| range.alarms(measure.value));
    let (level, range) = match (over(measure.crit), over(measure.warn)) {
        (Some(range), _) => (Level::Critical, range),
        (None, Some(range)) => (Level::Warning, range),
        (None, None) => return None,
    };
    let Measure { name, value, unit, .. } = measure;
    Some((level, format!("{name} within {range}"), format!("{name} is {value}{unit}")))
}

/// The measures that every kind has: the whole time and those of its steps.
pub(super) fn has_measure(kind: &Kind, name: &str) -> bool {
    name == "time" || kind.steps.contains(&name) || kind.measures.iter().any(|(n, _)| *n == name)
}
