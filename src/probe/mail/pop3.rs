//! `probe pop3`: does the mailbox server greet, what can it do, is its TLS sound?
//!
//! Name, connection, greeting, CAPA, STLS, CAPA again, QUIT; the probe does not log in. `-ERR` in the place of the
//! greeting is `turned_away`. A server without CAPA (it is optional) has no offers and is sound.

use super::{Dialogue, KNOBS, LINE, LINES, Manners, is_named, offer};
use crate::error::Result;
use crate::probe::class::Class;
use crate::probe::courtesy::Protocol;
use crate::probe::escape::quoted;
use crate::probe::net::{Answer, Deadline, Failure, Peer, Wire};
use crate::probe::target::Target;
use crate::probe::trace::{Halt, Trace};
use crate::probe::{Kind, Outcome, Probe, Run, tls};

/// The table line.
pub(in crate::probe) static KIND: Kind = Kind {
    name: "pop3",
    about: "POP3 servers: greeting, capabilities, STLS",
    target: "HOST[:110]",
    steps: &["resolve", "connect", "greeting", "capa", "starttls", "tls", "capa_tls"],
    knobs: &[KNOBS, tls::KNOBS],
    measures: &[("days", "days until the first certificate of the chain ends")],
    make: |options| Ok(Box::new(Pop3 { manners: Manners::parse(Protocol::Pop3, options)? })),
};

/// The steps where TLS begins with the first byte.
const SECURE: &[&str] = &["resolve", "connect", "tls", "greeting", "capa"];

/// Why a POP3 server may not greet.
const SLOW: &str = "all its login processes are busy, or it is stuck";

#[derive(Debug)]
struct Pop3 {
    manners: Manners,
}

impl Pop3 {
    fn dialogue(&self, trace: &mut Trace<'_>, target: &Target, peer: &Peer) -> Dialogue {
        trace.plan(if self.manners.is_secure(target) { SECURE } else { KIND.steps });
        let mut wire = self.manners.open(trace, target, peer)?;
        let talked = self.talk(trace, &mut wire, target);
        self.manners.leave(wire, b"QUIT\r\n", trace.deadline());
        talked
    }

    fn talk(&self, trace: &mut Trace<'_>, wire: &mut Wire, target: &Target) -> Dialogue {
        let greeting = self.greeting(trace, wire)?;
        let mut offers = capabilities(trace, wire, "capa")?;
        let offered = offers.iter().any(|offer| is_named(offer, "STLS"));
        if self.manners.wants_starttls(trace, wire, offered)? {
            stls(trace, wire)?;
            self.manners.upgrade(trace, wire, target)?;
            offers = capabilities(trace, wire, "capa_tls")?;
        }
        self.manners.judge_offers(trace, &offers);
        let encrypted = if wire.is_encrypted() { ", encrypted" } else { "" };
        trace.summary(format!("{}, {} capabilities{encrypted}", quoted(&greeting), offers.len()));
        Ok(())
    }

    fn greeting(
        &self,
        trace: &mut Trace<'_>,
        wire: &mut Wire,
    ) -> std::result::Result<Vec<u8>, Halt> {
        let greeting = trace.step("greeting", "a greeting '+OK …'", |deadline| {
            self.manners.await_greeting(wire, deadline)?;
            wire.line(LINE, deadline)
        });
        let greeting = greeting.inspect_err(|_| self.manners.explain_silence(trace, wire, SLOW))?;
        self.manners.judge_greeting(trace, &greeting);
        let class = match () {
            () if greeting.starts_with(b"+OK") => return Ok(greeting),
            () if greeting.starts_with(b"-ERR") => Class::TurnedAway,
            () => Class::WrongProtocol,
        };
        Err(trace.halt(class, "a greeting '+OK …'", quoted(&greeting)))
    }
}

fn capabilities(
    trace: &mut Trace<'_>,
    wire: &mut Wire,
    step: &'static str,
) -> std::result::Result<Vec<String>, Halt> {
    trace.step(step, "answer to CAPA", |deadline| listed(wire, deadline))
}

/// The lines up to a single full stop; none of a server that does not know the command.
fn listed(wire: &mut Wire, deadline: Deadline) -> Answer<Vec<String>> {
    wire.send(b"CAPA\r\n", deadline)?;
    let status = wire.line(LINE, deadline)?;
    if status.starts_with(b"-ERR") {
        return Ok(Vec::new());
    }
    if !status.starts_with(b"+OK") {
        return Err(Failure::new(Class::Malformed, quoted(&status)));
    }
    let mut offers = Vec::new();
    for _ in 0..LINES {
        match wire.line(LINE, deadline)? {
            end if end == b"." => return Ok(offers),
            line => offers.push(offer(&line)),
        }
    }
    Err(Failure::new(Class::TooLarge, format!("over {LINES} lines of capabilities")))
}

fn stls(trace: &mut Trace<'_>, wire: &mut Wire) -> Dialogue {
    let asked = "+OK to STLS";
    let answer = trace.step("starttls", asked, |deadline| {
        wire.send(b"STLS\r\n", deadline)?;
        wire.line(LINE, deadline)
    })?;
    match answer.starts_with(b"+OK") {
        true => Ok(()),
        false => Err(trace.halt(Class::StarttlsRefused, asked, quoted(&answer))),
    }
}

impl Probe for Pop3 {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        Target::ports(word, Some(if self.manners.tls { 995 } else { 110 }))
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        run.each_address(target, |trace, peer| self.dialogue(trace, target, peer))
    }
}
