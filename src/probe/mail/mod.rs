//! What the probes of mail servers share: a greeting in words, offers, and TLS from the first byte, on request, or
//! not at all. The protocols themselves are in [`smtp`], [`imap`] and [`pop3`]; the dialogue that the latter two have in
//! common is in [`mailbox`].
//!
//! Where TLS is taken only because it is offered, what is wrong with a certificate is a warning: between mail servers
//! it encrypts and proves nothing, and a sender would deliver all the same. With `--starttls require`, and where TLS
//! begins with the first byte, it is judged in full.

mod codes;
pub(super) mod imap;
mod mailbox;
pub(super) mod pop3;
mod reply;
pub(super) mod smtp;

use std::str::FromStr;

use super::class::Class;
use super::courtesy::{self, Protocol, recognise};
use super::escape::quoted;
use super::expect::Expectation;
use super::net::{Answer, Deadline, Failure, Peer, Wire};
use super::options::{Knob, Options};
use super::target::Target;
use super::tls::Settings;
use super::trace::{Halt, Trace};
use crate::document::Cell;
use crate::error::Result;

/// The longest line that any of the protocols allows, with room.
const LINE: usize = 4096;

/// The most lines of one answer.
const LINES: usize = 200;

/// The knobs of every mail protocol, beside those of TLS.
const KNOBS: &[Knob] = &[
    Knob::flag("tls", "TLS from the first byte (so on ports 465, 993 and 995)"),
    Knob::one(
        "starttls",
        "WHEN",
        "encrypt if offered, always or never: auto, require, never (auto)",
    ),
    Knob::many("expect", "TEXT", "the greeting must hold this text; ~PATTERN, !~PATTERN"),
    Knob::many("offers", "NAME,…", "the server must offer these extensions"),
];

/// The ports where TLS begins with the first byte.
const SECURE_PORTS: [u16; 3] = [465, 993, 995];

/// When a dialogue that began in clear is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Starttls {
    IfOffered,
    Required,
    Never,
}

impl FromStr for Starttls {
    type Err = ();

    fn from_str(word: &str) -> std::result::Result<Self, ()> {
        match word {
            "auto" => Ok(Self::IfOffered),
            "require" => Ok(Self::Required),
            "never" => Ok(Self::Never),
            _ => Err(()),
        }
    }
}

type Dialogue = std::result::Result<(), Halt>;

/// The options that all mail protocols have, decided.
#[derive(Debug)]
struct Manners {
    protocol: Protocol,
    tls: bool,
    starttls: Starttls,
    settings: Settings,
    expect: Vec<Expectation>,
    offers: Vec<String>,
}

impl Manners {
    fn parse(protocol: Protocol, options: &Options) -> Result<Self> {
        let when = options.value("starttls", "auto, require or never")?;
        Ok(Self {
            protocol,
            tls: options.flag("tls"),
            starttls: when.unwrap_or(Starttls::IfOffered),
            settings: Settings::parse(options)?,
            expect: options.all("expect").map(Expectation::parse).collect::<Result<_>>()?,
            offers: options.list("offers").into_iter().map(str::to_ascii_uppercase).collect(),
        })
    }

    /// True when TLS begins with the first byte.
    fn is_secure(&self, target: &Target) -> bool {
        self.tls || SECURE_PORTS.contains(&target.port())
    }

    /// Connects, and encrypts where TLS begins with the first byte.
    fn open(
        &self,
        trace: &mut Trace<'_>,
        target: &Target,
        peer: &Peer,
    ) -> std::result::Result<Wire, Halt> {
        let mut wire = trace.connect(peer)?;
        if self.is_secure(target) {
            trace.upgrade(&mut wire, target.host(), &self.settings)?;
        }
        Ok(wire)
    }

    /// Waits for the first bytes and looks whether they are of this protocol.
    fn await_greeting(&self, wire: &mut Wire, deadline: Deadline) -> Answer<()> {
        wire.more(deadline)?;
        match recognise(wire.unread()) {
            Some(other) if other != self.protocol => {
                let first = &wire.unread()[..wire.unread().len().min(80)];
                let came = format!("{} instead: {}", other.name(), quoted(first));
                Err(Failure::new(Class::WrongProtocol, came))
            }
            _ => Ok(()),
        }
    }

    /// Adds to the silence of a server what silence means here.
    fn explain_silence(&self, trace: &mut Trace<'_>, wire: &Wire, cause: &str) {
        if trace.failed_with(&[Class::Silent]).is_none() {
            return;
        }
        match wire.is_encrypted() {
            true => trace.because(cause),
            false => trace.because(format!("{cause}; or the port wants TLS first (--tls)")),
        }
    }

    /// Compares the greeting with what was expected, and keeps it.
    fn judge_greeting(&self, trace: &mut Trace<'_>, greeting: &[u8]) {
        trace.evidence(greeting);
        trace.came(quoted(greeting));
        trace.fact("greeting", Cell::text(greeting));
        for missed in self.expect.iter().filter(|one| !one.holds(greeting)) {
            trace.fault(Class::Unexpected, format!("a greeting with '{missed}'"), quoted(greeting));
        }
    }

    /// Keeps the offers and compares them with those that were wanted.
    fn judge_offers(&self, trace: &mut Trace<'_>, offers: &[String]) {
        trace.fact("offers", Cell::List(offers.iter().map(Cell::text).collect()));
        let has = |wanted: &&String| offers.iter().any(|offer| is_named(offer, wanted));
        for missed in self.offers.iter().filter(|wanted| !has(wanted)) {
            trace.fault(Class::Unexpected, format!("the offer of {missed}"), offers.join(", "));
        }
    }

    /// Whether to ask for TLS now. A server that must offer it and does not is a fault.
    fn wants_starttls(
        &self,
        trace: &mut Trace<'_>,
        wire: &Wire,
        offered: bool,
    ) -> std::result::Result<bool, Halt> {
        if wire.is_encrypted() || self.starttls == Starttls::Never {
            return Ok(false);
        }
        if !offered && self.starttls == Starttls::Required {
            let came = "it is not among the offers";
            return Err(trace.halt(Class::StarttlsMissing, "the offer of STARTTLS", came));
        }
        if !offered {
            trace.fact("starttls", Cell::text("not offered"));
        }
        Ok(offered)
    }

    /// Encrypts after the server agreed.
    fn upgrade(&self, trace: &mut Trace<'_>, wire: &mut Wire, target: &Target) -> Dialogue {
        let mut settings = self.settings.clone();
        settings.optional = self.starttls == Starttls::IfOffered;
        trace.upgrade(wire, target.host(), &settings).map(|_| ())
    }

    /// Leaves with the words of this protocol, or with those of the one that spoke instead.
    fn leave(&self, wire: Wire, words: &[u8], deadline: Deadline) {
        let first = wire.unread().to_vec();
        match recognise(&first) {
            Some(other) if other != self.protocol => courtesy::leave(wire, &first, deadline),
            _ => wire.leave(words),
        }
    }
}

/// `AUTH PLAIN` and `AUTH=PLAIN` are named AUTH.
fn is_named(offer: &str, name: &str) -> bool {
    offer.eq_ignore_ascii_case(name)
        || offer.split([' ', '=']).next().is_some_and(|first| first.eq_ignore_ascii_case(name))
}

/// An offer in plain characters; whatever else a server puts there is escaped.
fn offer(bytes: &[u8]) -> String {
    super::escape::escaped(bytes.trim_ascii(), 200)
}
