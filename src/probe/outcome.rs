//! What one check of one address came to: its steps, its measures, its faults, and the verdict over them.
//!
//! A check may find several faults; each says what was asked, what came, its class, the likely cause and the next
//! command. The outcome's class is that of its worst fault. Steps that were not reached are there and say so; they
//! are never zero.

use super::class::Class;
use super::range::Range;
use crate::document::{Cell, Fact, Level, Section};

/// How long one step took, and how it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Stable name: `resolve`, `connect`, `tls`, `first_byte`, …
    pub name: &'static str,
    /// What was asked, as half a sentence. Empty if the step was not reached.
    pub asked: String,
    /// What came, escaped.
    pub came: String,
    /// How it ended.
    pub end: End,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Done, after so many microseconds.
    Done(i64),
    /// Failed in that way, after so many microseconds.
    Failed(Class, i64),
    /// An earlier step failed.
    NotReached,
}

impl Step {
    /// Microseconds that the step took, if it was done.
    pub fn micros(&self) -> Option<i64> {
        match self.end {
            End::Done(micros) => Some(micros),
            End::Failed(..) | End::NotReached => None,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What kind of fault.
    pub class: Class,
    /// How bad it is in this check.
    pub level: Level,
    /// The step in which it showed.
    pub step: &'static str,
    /// What was asked.
    pub asked: String,
    /// What came, escaped.
    pub came: String,
    /// The likely cause.
    pub cause: String,
    /// The next command to type.
    pub next: String,
}

/// One number that thresholds can be set on and that monitoring keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The name for `--warn` and `--crit`.
    pub name: &'static str,
    /// The value in its base unit: seconds, bytes, a count, per cent.
    pub value: f64,
    /// The plugins' unit: `s`, `B`, `%`, `c` for a running counter, empty for a plain number.
    pub unit: &'static str,
    /// The range outside of which it warns.
    pub warn: Option<Range>,
    /// The range outside of which it is critical.
    pub crit: Option<Range>,
}

/// What the check of one address came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The kind of probe.
    pub kind: &'static str,
    /// The target as the user knows it.
    pub target: String,
    /// The address that was probed; empty if none was reached.
    pub address: String,
    /// The steps in order, those not reached at the end.
    pub steps: Vec<Step>,
    /// What is wrong, as found.
    pub faults: Vec<Fault>,
    /// What was learned.
    pub facts: Vec<Fact>,
    /// The numbers.
    pub measures: Vec<Measure>,
    /// Tables of a kind's own, shown below the facts.
    pub sections: Vec<Section>,
    /// The first bytes that came, as they came, when they help to understand a fault.
    pub evidence: Vec<u8>,
    /// Half a sentence for the case that all is well: `HTTP/1.1 200 OK, 240 bytes`.
    pub summary: String,
    /// When the check began: microseconds since 1970 UTC.
    pub started: i64,
    /// How long it took in all: microseconds.
    pub took: i64,
    /// The try that this is the outcome of, from 1.
    pub tries: u32,
}

/// Orders levels as the monitoring plugins do: a critical one weighs most, then a warning, then an unknown.
pub fn weight(level: Level) -> u8 {
    match level {
        Level::Ok => 0,
        Level::Unknown => 1,
        Level::Warning => 2,
        Level::Critical => 3,
    }
}

/// The worst of several levels; `Ok` of none.
pub fn worst(levels: impl IntoIterator<Item = Level>) -> Level {
    levels.into_iter().max_by_key(|level| weight(*level)).unwrap_or(Level::Ok)
}

impl Outcome {
    /// The verdict.
    pub fn level(&self) -> Level {
        worst(self.faults.iter().map(|fault| fault.level))
    }

    /// The fault that decides: the first among the worst.
    pub fn worst_fault(&self) -> Option<&Fault> {
        let level = self.level();
        self.faults.iter().find(|fault| fault.level == level)
    }

    /// The class of the verdict.
    pub fn class(&self) -> Class {
        self.worst_fault().map_or(Class::Open, |fault| fault.class)
    }

    /// Adds a fault that shows only when outcomes are compared with each other.
    pub fn add_fault(
        &mut self,
        class: Class,
        step: &'static str,
        asked: impl Into<String>,
        came: impl Into<String>,
    ) {
        let words = class.words();
        let next = words.next.replace("{kind}", self.kind).replace("{target}", &self.target);
        self.faults.push(Fault {
            class,
            level: words.level,
            step,
            asked: asked.into(),
            came: came.into(),
            cause: words.cause.to_owned(),
            next,
        });
    }

    /// True when a fault of this class was found, be it the worst or not.
    pub fn has(&self, class: Class) -> bool {
        self.faults.iter().any(|fault| fault.class == class)
    }

    /// The step in which the deciding fault showed.
    pub fn failing_step(&self) -> Option<&'static str> {
        self.worst_fault().map(|fault| fault.step)
    }

    /// The fact of that name.
    pub fn fact(&self, name: &str) -> Option<&Cell> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value)
    }

    /// The measure of that name.
    pub fn measure(&self, name: &str) -> Option<f64> {
        self.measures.iter().find(|measure| measure.name == name).map(|measure| measure.value)
    }

    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The whole outcome in one line: what came and why, or the summary if all is well.
    pub fn line(&self) -> String {
        let Some(fault) = self.worst_fault() else { return self.summary.clone() };
        let others = self.faults.len() - 1;
        let more = if others == 0 { String::new() } else { format!(" (and {others} more)") };
        format!("{}: {}{more}", fault.class.words().meaning, fault.came)
    }
}
