//! `probe local`: this machine, seen from inside, and only looked at.
//!
//! `unit:NAME`, `process:NAME`, `port:NUMBER`, `firewall:PORT`, `resolver`, `queue`, `fs:PATH` and `config:TOOL` each look
//! at one thing; `here` looks at the whole: memory, load, listeners, file systems, and with `--run-checkers` the configuration of every service that is
//! installed. What a plain user may not see is `not_permitted`, which is another thing than broken.

mod checker;
mod command;
mod filesystem;
mod firewall;
mod listener;
mod process;
mod queue;
mod resolver;
mod resources;
mod unit;

use std::path::PathBuf;
use std::str::FromStr;

use super::options::{Knob, Options};
use super::target::{Place, Target};
use super::trace::{Halt, Trace};
use super::{Kind, Outcome, Probe, Run};
use crate::error::{Error, Result};

/// The table line.
pub(super) static KIND: Kind = Kind {
    name: "local",
    about: "this machine: units, processes, listeners, firewall, resolver, file systems, configurations",
    target: "here, unit:NAME, process:NAME, port:[ADDRESS:]N[/udp], firewall:N[/udp][@SOURCE], resolver[:NAME], \
             queue[:FILE], fs:PATH or config:TOOL[=FILE]",
    steps: &[
        "unit",
        "process",
        "listener",
        "firewall",
        "resolver",
        "queue",
        "filesystem",
        "resources",
        "config",
    ],
    knobs: &[&[
        Knob::flag("run-checkers", "with here: also ask nginx -t and its kin"),
        Knob::one(
            "firewall-dump",
            "FILE",
            "take the rules from what 'nft -j list ruleset' or iptables-save wrote",
        ),
    ]],
    measures: &[
        ("restarts", "restarts of the unit"),
        ("processes", "how many there are"),
        ("processor", "per cent of one processor in use by them"),
        ("memory", "bytes of the processes; with here, per cent of the machine's"),
        ("open_files", "per cent of the limit of open files in use"),
        ("waiting", "connections that wait to be taken"),
        ("space", "per cent of the file system in use"),
        ("names", "per cent of the file system's inodes in use"),
        ("load", "load of one minute for each processor"),
        ("servers", "name servers of this machine that answer"),
        ("messages", "messages in the mail queue"),
        ("oldest", "seconds for which the oldest of them waits"),
    ],
    make: |options| Ok(Box::new(Local::parse(options))),
};

#[derive(Debug)]
struct Local {
    run_checkers: bool,
    firewall_dump: Option<String>,
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Here,
    Unit(String),
    Process(String),
    Port(listener::Port),
    Firewall(firewall::Question),
    /// The resolver, asked for a name.
    Resolver(String),
    /// The mail queue, or what was saved of it.
    Queue(Option<PathBuf>),
    Filesystem(PathBuf),
    Config(checker::Check),
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let wrong = || {
            Error::usage(format!("'{word}' is no part of this machine"))
                .advise(format!("write {}", KIND.target))
        };
        let name = |text: &str| match is_name(text) {
            true => Ok(text.to_owned()),
            false => Err(wrong()),
        };
        match word.split_once(':') {
            None if word == "here" => Ok(Self::Here),
            None if word == "resolver" => Ok(Self::Resolver(".".to_owned())),
            None if word == "queue" => Ok(Self::Queue(None)),
            Some(("resolver", text)) => name(text).map(Self::Resolver),
            Some(("queue", path)) if !path.is_empty() => Ok(Self::Queue(Some(path.into()))),
            Some(("firewall", text)) => firewall::parse(text).map(Self::Firewall).ok_or_else(wrong),
            Some(("unit", text)) => name(text).map(Self::Unit),
            Some(("process", text)) => name(text).map(Self::Process),
            Some(("port", text)) => listener::parse(text).map(Self::Port).ok_or_else(wrong),
            Some(("fs", path)) if !path.is_empty() => Ok(Self::Filesystem(path.into())),
            Some(("config", text)) => checker::parse(text).map(Self::Config),
            _ => Err(wrong()),
        }
    }
}

/// The name of a unit or program: nothing that could be taken for a flag or a path.
fn is_name(text: &str) -> bool {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@' | b'+' | b'\\');
    !text.is_empty() && text.len() <= 255 && !text.starts_with('-') && text.bytes().all(plain)
}

impl Part {
    /// Its one step.
    fn step(&self) -> &'static [&'static str] {
        match self {
            Self::Here => &["resources"],
            Self::Unit(_) => &["unit"],
            Self::Process(_) => &["process"],
            Self::Port(_) => &["listener"],
            Self::Firewall(_) => &["firewall"],
            Self::Resolver(_) => &["resolver"],
            Self::Queue(_) => &["queue"],
            Self::Filesystem(_) => &["filesystem"],
            Self::Config(_) => &["config"],
        }
    }
}

impl Local {
    fn parse(options: &Options) -> Self {
        Self {
            run_checkers: options.flag("run-checkers"),
            firewall_dump: options.text("firewall-dump").map(str::to_owned),
        }
    }

    fn look(&self, trace: &mut Trace<'_>, part: &Part) -> std::result::Result<(), Halt> {
        trace.plan(part.step());
        match part {
            Part::Here => resources::check(trace),
            Part::Unit(name) => unit::check(trace, name),
            Part::Process(name) => process::check(trace, name),
            Part::Port(port) => listener::check(trace, port),
            Part::Firewall(question) => {
                firewall::check(trace, question, self.firewall_dump.as_deref())
            }
            Part::Resolver(name) => resolver::check(trace, name),
            Part::Queue(file) => queue::check(trace, file.as_deref()),
            Part::Filesystem(path) => filesystem::check(trace, path),
            Part::Config(check) => checker::check(trace, check),
        }
    }

    /// The machine as a whole: one outcome for it and its listeners and file systems, and one for each checker.
    fn here(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        let mut outcomes = run.single(target, |trace| {
            self.look(trace, &Part::Here)?;
            listener::overview(trace);
            filesystem::overview(trace);
            Ok(())
        });
        if self.run_checkers {
            for (name, check) in checker::installed() {
                let target = here(format!("config:{name}"));
                outcomes
                    .extend(run.single(&target, |trace| self.look(trace, &Part::Config(check))));
            }
        }
        outcomes
    }
}

fn here(label: String) -> Target {
    Target { label, place: Place::Here, rest: String::new() }
}

impl Probe for Local {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        word.parse::<Part>()?;
        Ok(vec![here(word.to_owned())])
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        match target.label.parse() {
            Ok(Part::Here) => self.here(target, run),
            Ok(part) => run.single(target, |trace| self.look(trace, &part)),
            // The target was made from a word that reads back.
            Err(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_parts() {
        let part = |word: &str| word.parse::<Part>();
        assert_eq!(part("here").unwrap(), Part::Here);
        assert_eq!(
            part("unit:php8.2-fpm.service").unwrap(),
            Part::Unit("php8.2-fpm.service".into())
        );
        assert_eq!(part("fs:/var").unwrap(), Part::Filesystem("/var".into()));
        assert_eq!(part("resolver").unwrap(), Part::Resolver(".".into()));
        assert_eq!(part("queue:/tmp/q").unwrap(), Part::Queue(Some("/tmp/q".into())));
        assert!(matches!(part("firewall:80@192.0.2.7"), Ok(Part::Firewall(_))));
        let wrong = ["", "there", "unit:", "unit:-x", "process:a b", "port:x", "fs:", "config:iis"];
        for bad in wrong.into_iter().chain(["firewall:", "firewall:80/sctp", "resolver:", "queue:"])
        {
            assert!(part(bad).unwrap_err().is_usage(), "{bad}");
        }
    }
}
