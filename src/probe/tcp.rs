//! `probe tcp`: does something listen, does it speak, and does it say what it should?
//!
//! Name, connection, then whatever the service says first. A service that speaks first is recognised and left as its
//! protocol wants. `refused`, `timeout`, `backlog_full`, `unreachable`, `silent`, `closed_early`, `reset` and
//! `wrong_protocol` are told apart; see the table of classes.

use std::time::Duration;

use super::class::Class;
use super::courtesy::{self, recognise};
use super::escape::quoted;
use super::expect::{Expectation, unescaped};
use super::net::{Answer, Deadline, Failure, Peer, Wire};
use super::options::{Knob, Options};
use super::target::Target;
use super::trace::{Halt, Trace};
use super::{Kind, Outcome, Probe, Run};
use crate::document::Cell;
use crate::error::Result;

/// The table line.
pub(super) static KIND: Kind = Kind {
    name: "tcp",
    about: "connect to ports; greetings and what is expected of them",
    target: "HOST:PORT[,PORT…] or unix:/PATH",
    steps: &["resolve", "connect", "greeting"],
    knobs: &[&[
        Knob::one("send", "TEXT", "send this after connecting (\\r, \\n and \\xNN are read)"),
        Knob::many("expect", "TEXT", "the answer must hold this text; ~PATTERN, !~PATTERN"),
        Knob::flag("banner", "the service must speak first"),
        Knob::one("quit", "TEXT", "send this before closing"),
    ]],
    measures: &[],
    make: |options| Ok(Box::new(Tcp::parse(options)?)),
};

/// How long to listen for a greeting that nobody asked for.
const PATIENCE: Duration = Duration::from_millis(100);

/// The same on the port of MySQL, which may look the client's name up before it speaks and counts who hangs up.
const MYSQL_PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of an answer that are looked at.
const LIMIT: usize = 64 * 1024;

#[derive(Debug)]
struct Tcp {
    send: Option<Vec<u8>>,
    expect: Vec<Expectation>,
    banner: bool,
    quit: Option<Vec<u8>>,
}

impl Tcp {
    fn parse(options: &Options) -> Result<Self> {
        Ok(Self {
            send: options.text("send").map(unescaped),
            expect: options.all("expect").map(Expectation::parse).collect::<Result<_>>()?,
            banner: options.flag("banner"),
            quit: options.text("quit").map(unescaped),
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, peer: &Peer) -> std::result::Result<(), Halt> {
        let mut wire = trace.connect(peer)?;
        trace.summary(format!("{peer} is open"));
        let answer = match self.wants_answer() {
            true => self.answer(trace, &mut wire)?,
            false => greeting(trace, &mut wire, patience(peer))?,
        };
        self.judge(trace, &answer);
        let deadline = trace.deadline().min(Deadline::after(Duration::from_secs(1)));
        match &self.quit {
            Some(words) => wire.leave(words),
            None => courtesy::leave(wire, &answer, deadline),
        }
        Ok(())
    }

    fn wants_answer(&self) -> bool {
        self.banner || !self.expect.is_empty()
    }

    /// Sends what is to be sent and reads until all expectations hold, the peer ends, or the time is up.
    fn answer(&self, trace: &mut Trace<'_>, wire: &mut Wire) -> std::result::Result<Vec<u8>, Halt> {
        let asked = match &self.send {
            Some(text) => format!("an answer to {}", quoted(text)),
            None => "a greeting".to_owned(),
        };
        let answer = trace.step("greeting", asked, |deadline| self.converse(wire, deadline))?;
        trace.came(quoted(&answer));
        Ok(answer)
    }

    fn converse(&self, wire: &mut Wire, deadline: Deadline) -> Answer<Vec<u8>> {
        if let Some(text) = &self.send {
            wire.send(text, deadline)?;
        }
        wire.more(deadline)?;
        while self.expect.iter().any(|one| is_awaited(one, wire.unread())) {
            match wire.fill(deadline) {
                Ok(0) => break,
                Ok(_) if wire.unread().len() > LIMIT => break,
                Ok(_) => {}
                // What came is judged below: it says more than that the time is up.
                Err(failure) if failure.class == Class::Stalled => break,
                Err(failure) => return Err(failure),
            }
        }
        wire.some(deadline)
    }

    /// Compares what came with what was expected, and keeps what it shows.
    fn judge(&self, trace: &mut Trace<'_>, answer: &[u8]) {
        if answer.is_empty() {
            return;
        }
        trace.evidence(answer);
        trace.fact("greeting", Cell::text(answer[..answer.len().min(200)].trim_ascii_end()));
        if let Some(protocol) = recognise(answer) {
            trace.fact("protocol", Cell::text(protocol.name()));
            let peer = format!("open, speaks {}: {}", protocol.name(), quoted(first_line(answer)));
            trace.summary(peer);
        }
        for missed in self.expect.iter().filter(|one| !one.holds(answer)) {
            let class = class_of_miss(missed, answer);
            trace.fault(class, format!("an answer with '{missed}'"), quoted(first_line(answer)));
        }
    }
}

/// Listens for a moment: a service that speaks first should be left politely.
fn greeting(
    trace: &mut Trace<'_>,
    wire: &mut Wire,
    patience: Duration,
) -> std::result::Result<Vec<u8>, Halt> {
    let short = trace.deadline().min(Deadline::after(patience));
    match wire.fill(short) {
        Ok(0) => {
            let closed = |_| Err(Failure::new(Class::ClosedEarly, "closed, not one byte before"));
            trace.step("greeting", "an open connection", closed)
        }
        Err(failure) if failure.class == Class::Silent => Ok(Vec::new()),
        Err(failure) => trace.step("greeting", "an open connection", |_| Err(failure)),
        Ok(_) => wire.some(short).map_err(|_| Halt),
    }
}

fn patience(peer: &Peer) -> Duration {
    match peer {
        Peer::Tcp(address) if address.port() == 3306 => MYSQL_PATIENCE,
        _ => PATIENCE,
    }
}

/// Not there yet, and more bytes may bring it.
fn is_awaited(one: &Expectation, so_far: &[u8]) -> bool {
    let hopeless = !one.may_come() || class_of_miss(one, so_far) == Class::WrongProtocol;
    !one.holds(so_far) && !hopeless
}

/// Another protocol than the expected text belongs to is more than an unexpected answer.
fn class_of_miss(missed: &Expectation, answer: &[u8]) -> Class {
    let wanted = missed.literal().and_then(recognise);
    match (wanted, recognise(answer)) {
        (Some(wanted), Some(found)) if found != wanted => Class::WrongProtocol,
        _ => Class::Unexpected,
    }
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == b'\n').next().unwrap_or(bytes)
}

impl Probe for Tcp {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        Target::ports(word, None)
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        run.each_address(target, |trace, peer| self.dialogue(trace, peer))
    }
}
