//! What a check may be told: knobs with a name, a kind of value and a help line, and the values that a user gave them.
//!
//! The same table of knobs makes the flags of the command line, the keys of a suite file and the documentation, so
//! that a kind declares each of its options once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use super::range::Range;
use crate::error::{Error, Result};

/// One option of a kind: `--name` on the command line, `name = …` in a suite.
#[derive(Debug, Clone, Copy)]
pub struct Knob {
    /// The word, with hyphens.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Its line in the help.
    pub about: &'static str,
}

/// What a knob takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is there or not (`true` and `false` in a suite).
    Nothing,
    /// One value; the text names it in the help: `SECONDS`.
    One(&'static str),
    /// A value each time it is given.
    Many(&'static str),
}

impl Knob {
    /// A knob that is there or not.
    pub const fn flag(name: &'static str, about: &'static str) -> Self {
        Self { name, takes: Takes::Nothing, about }
    }

    /// A knob with one value.
    pub const fn one(name: &'static str, value: &'static str, about: &'static str) -> Self {
        Self { name, takes: Takes::One(value), about }
    }

    /// A knob that may be given several times.
    pub const fn many(name: &'static str, value: &'static str, about: &'static str) -> Self {
        Self { name, takes: Takes::Many(value), about }
    }
}

/// The values given for the knobs of one check.
#[derive(Debug, Clone, Default)]
pub struct Options {
    values: BTreeMap<&'static str, Vec<String>>,
}

impl Options {
    /// Takes names and values; refuses a name that none of the tables has, and a second value where one is taken.
    pub fn parse<'t>(
        tables: &[&'static [Knob]],
        pairs: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Self> {
        let mut options = Self::default();
        for (name, value) in pairs {
            let mut knobs = tables.iter().flat_map(|table| table.iter());
            let knob = knobs.find(|knob| knob.name == name);
            options.set(knob.ok_or_else(|| unknown(name, tables))?, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, knob: &Knob, value: &str) -> Result<()> {
        match (knob.takes, value) {
            (Takes::Nothing, "false") => return Ok(()),
            (Takes::Nothing, "true" | "") => {}
            (Takes::Nothing, _) => return Err(wants(knob.name, value, "true or false")),
            _ => {}
        }
        let values = self.values.entry(knob.name).or_default();
        if !values.is_empty() && !matches!(knob.takes, Takes::Many(_)) {
            return Err(Error::usage(format!("--{} is given twice", knob.name)));
        }
        values.push(value.to_owned());
        Ok(())
    }

    /// True when the flag is given.
    pub fn flag(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value as typed.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    /// All values as typed, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.get(name).into_iter().flatten().map(String::as_str)
    }

    /// All values, each split at its commas.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let parts = self.all(name).flat_map(|value| value.split(','));
        parts.map(str::trim).filter(|part| !part.is_empty()).collect()
    }

    /// The value as a number or anything else that reads itself from text; `what` names it for the message.
    pub fn value<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>> {
        let read = |text: &str| text.parse().map_err(|_| wants(name, text, what));
        self.text(name).map(read).transpose()
    }

    /// The value as a length of time: `500ms`, `2s`, `1m`; a bare number is seconds.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>> {
        let read = |text| duration(text).ok_or_else(|| wants(name, text, DURATION));
        self.text(name).map(read).transpose()
    }

    /// The values as `NAME=VALUE`.
    pub fn pairs(&self, name: &str) -> Result<Vec<(&str, &str)>> {
        let split = |text: &'_ str| text.split_once('=').is_some();
        if let Some(bad) = self.all(name).find(|text| !split(text)) {
            return Err(wants(name, bad, "NAME=VALUE"));
        }
        Ok(self.all(name).filter_map(|text| text.split_once('=')).collect())
    }
}

const DURATION: &str = "a length of time such as 500ms, 2s or 1m";

fn unknown(name: &str, tables: &[&'static [Knob]]) -> Error {
    let known: Vec<_> =
        tables.iter().flat_map(|table| table.iter()).map(|knob| knob.name).collect();
    Error::usage(format!("there is no option '{name}' for this kind of probe"))
        .advise(format!("options: {}", known.join(", ")))
}

/// The error for a value of the wrong form.
pub(super) fn wants(name: &str, value: &str, what: &str) -> Error {
    Error::usage(format!("--{name} '{value}': wants {what}"))
}

/// A length of time above zero and up to a day.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds = digits.parse::<f64>().ok().filter(|_| plain)? * unit;
    (seconds > 0.0 && seconds <= 86_400.0).then(|| Duration::from_secs_f64(seconds))
}

/// The knobs that every kind has.
pub const COMMON: &[Knob] = &[
    Knob::one("timeout", "TIME", "give the whole check up after this time (10s)"),
    Knob::many("step-timeout", "STEP=TIME", "give one step up earlier: connect=2s"),
    Knob::one("retries", "N", "ask again after a failure; success is then a warning (0)"),
    Knob::one("retry-delay", "TIME", "wait before asking again (1s)"),
    Knob::flag("ipv4", "only IPv4 addresses"),
    Knob::flag("ipv6", "only IPv6 addresses"),
    Knob::many("resolve", "HOST=ADDRESS", "use this address for the name and ask no resolver"),
    Knob::one("source", "ADDRESS", "connect from this address of ours"),
    Knob::many(
        "warn",
        "MEASURE=RANGE",
        "warn outside the range: time=0.5, connect=100ms, days=21:",
    ),
    Knob::many("crit", "MEASURE=RANGE", "critical outside the range"),
];

/// Which addresses of a name are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// Each address, as a row of its own.
    #[default]
    Both,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// The common options of one check, decided.
#[derive(Debug, Clone)]
pub struct Common {
    /// The limit of the whole check.
    pub whole: Duration,
    /// The limits of single steps.
    pub steps: Vec<(String, Duration)>,
    /// How often to ask again after a failure.
    pub retries: u32,
    /// The pause before that.
    pub retry_delay: Duration,
    /// Which addresses.
    pub family: Family,
    /// Names whose address is given.
    pub resolve: Vec<(String, IpAddr)>,
    /// Our own address for connections.
    pub source: Option<IpAddr>,
    /// Ranges outside of which a measure warns.
    pub warn: Vec<(String, Range)>,
    /// Ranges outside of which a measure is critical.
    pub crit: Vec<(String, Range)>,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            whole: Duration::from_secs(10),
            steps: Vec::new(),
            retries: 0,
            retry_delay: Duration::from_secs(1),
            family: Family::Both,
            resolve: Vec::new(),
            source: None,
            warn: Vec::new(),
            crit: Vec::new(),
        }
    }
}

impl Common {
    /// Decides from what was typed.
    pub fn parse(options: &Options) -> Result<Self> {
        let base = Self::default();
        Ok(Self {
            whole: options.duration("timeout")?.unwrap_or(base.whole),
            steps: step_limits(options)?,
            retries: options.value("retries", "a number")?.unwrap_or(base.retries).min(100),
            retry_delay: options.duration("retry-delay")?.unwrap_or(base.retry_delay),
            family: family(options)?,
            resolve: addresses(options)?,
            source: options.value("source", "an IP address")?,
            warn: ranges(options, "warn")?,
            crit: ranges(options, "crit")?,
        })
    }

    /// The limit of a step, if it has one of its own.
    pub fn step(&self, name: &str) -> Option<Duration> {
        self.steps.iter().find(|(step, _)| step == name).map(|(_, limit)| *limit)
    }
}

fn step_limits(options: &Options) -> Result<Vec<(String, Duration)>> {
    let limit = |(step, text): (&str, &str)| {
        let limit = duration(text).ok_or_else(|| wants("step-timeout", text, DURATION))?;
        Ok((step.to_owned(), limit))
    };
    options.pairs("step-timeout")?.into_iter().map(limit).collect()
}

fn family(options: &Options) -> Result<Family> {
    match (options.flag("ipv4"), options.flag("ipv6")) {
        (true, true) => Err(Error::usage("--ipv4 and --ipv6 exclude each other")
            .advise("leave both out to probe every address")),
        (true, false) => Ok(Family::V4),
        (false, true) => Ok(Family::V6),
        (false, false) => Ok(Family::Both),
    }
}

fn addresses(options: &Options) -> Result<Vec<(String, IpAddr)>> {
    let read = |(host, text): (&str, &str)| {
        let address = text.parse().map_err(|_| wants("resolve", text, "HOST=ADDRESS"))?;
        Ok((host.to_owned(), address))
    };
    options.pairs("resolve")?.into_iter().map(read).collect()
}

fn ranges(options: &Options, name: &str) -> Result<Vec<(String, Range)>> {
    let read = |(measure, text): (&str, &str)| Ok((measure.to_owned(), Range::parse(text)?));
    options.pairs(name)?.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(pairs: &[(&str, &str)]) -> Result<Common> {
        Options::parse(&[COMMON], pairs.iter().copied()).and_then(|o| Common::parse(&o))
    }

    #[test]
    fn decides_from_what_was_typed() {
        let common = common(&[("timeout", "500ms"), ("step-timeout", "connect=2"), ("ipv6", "")]);
        let common = common.unwrap();
        assert_eq!(common.whole, Duration::from_millis(500));
        assert_eq!(common.step("connect"), Some(Duration::from_secs(2)));
        assert_eq!(common.family, Family::V6);
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |pairs: &[(&str, &str)]| common(pairs).unwrap_err().to_string();
        assert!(message(&[("timeout", "soon")]).contains("500ms"));
        assert!(message(&[("timeouts", "1s")]).contains("'timeouts'"));
        assert!(message(&[("timeout", "1s"), ("timeout", "2s")]).contains("twice"));
        assert!(message(&[("warn", "0.5")]).contains("NAME=VALUE"));
        assert!(message(&[("ipv4", ""), ("ipv6", "true")]).contains("exclude"));
        assert!(message(&[("timeout", "0")]).contains("wants"));
    }
}
