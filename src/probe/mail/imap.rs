//! `probe imap`: does the mailbox server greet, what can it do, is its TLS sound?
//!
//! Name, connection, greeting, CAPABILITY, STARTTLS, CAPABILITY again, LOGOUT; the probe does not log in. `* BYE` in
//! the place of the greeting is `turned_away`.

use super::{Dialogue, KNOBS, LINE, LINES, Manners, is_named, offer};
use crate::document::Cell;
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
    name: "imap",
    about: "IMAP servers: greeting, capabilities, STARTTLS",
    target: "HOST[:143]",
    steps: &["resolve", "connect", "greeting", "capability", "starttls", "tls", "capability_tls"],
    knobs: &[KNOBS, tls::KNOBS],
    measures: &[("days", "days until the first certificate of the chain ends")],
    make: |options| Ok(Box::new(Imap { manners: Manners::parse(Protocol::Imap, options)? })),
};

/// The steps where TLS begins with the first byte.
const SECURE: &[&str] = &["resolve", "connect", "tls", "greeting", "capability"];

/// Why an IMAP server may not greet.
const SLOW: &str = "all its login processes are busy, or it is stuck";

#[derive(Debug)]
struct Imap {
    manners: Manners,
}

impl Imap {
    fn dialogue(&self, trace: &mut Trace<'_>, target: &Target, peer: &Peer) -> Dialogue {
        trace.plan(if self.manners.is_secure(target) { SECURE } else { KIND.steps });
        let mut wire = self.manners.open(trace, target, peer)?;
        let talked = self.talk(trace, &mut wire, target);
        self.manners.leave(wire, b"z LOGOUT\r\n", trace.deadline());
        talked
    }

    fn talk(&self, trace: &mut Trace<'_>, wire: &mut Wire, target: &Target) -> Dialogue {
        let greeting = self.greeting(trace, wire)?;
        let mut offers = capabilities(trace, wire, "capability")?;
        let offered = offers.iter().any(|offer| is_named(offer, "STARTTLS"));
        if self.manners.wants_starttls(trace, wire, offered)? {
            starttls(trace, wire)?;
            self.manners.upgrade(trace, wire, target)?;
            offers = capabilities(trace, wire, "capability_tls")?;
        }
        self.manners.judge_offers(trace, &offers);
        let disabled = offers.iter().any(|offer| is_named(offer, "LOGINDISABLED"));
        trace.fact("login", Cell::text(if disabled { "disabled" } else { "possible" }));
        let encrypted = if wire.is_encrypted() { ", encrypted" } else { "" };
        trace.summary(format!("{}, {} capabilities{encrypted}", quoted(&greeting), offers.len()));
        Ok(())
    }

    fn greeting(
        &self,
        trace: &mut Trace<'_>,
        wire: &mut Wire,
    ) -> std::result::Result<Vec<u8>, Halt> {
        let greeting = trace.step("greeting", "a greeting '* OK …'", |deadline| {
            self.manners.await_greeting(wire, deadline)?;
            wire.line(LINE, deadline)
        });
        let greeting = greeting.inspect_err(|_| self.manners.explain_silence(trace, wire, SLOW))?;
        self.manners.judge_greeting(trace, &greeting);
        let class = match () {
            () if begins(&greeting, "* OK") || begins(&greeting, "* PREAUTH") => {
                return Ok(greeting);
            }
            () if begins(&greeting, "* BYE") => Class::TurnedAway,
            () => Class::WrongProtocol,
        };
        Err(trace.halt(class, "a greeting '* OK …'", quoted(&greeting)))
    }
}

fn begins(line: &[u8], word: &str) -> bool {
    line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

/// The words behind `* CAPABILITY`.
fn capabilities(
    trace: &mut Trace<'_>,
    wire: &mut Wire,
    step: &'static str,
) -> std::result::Result<Vec<String>, Halt> {
    let (last, untagged) = trace
        .step(step, "answer to CAPABILITY", |deadline| command(wire, "CAPABILITY", deadline))?;
    if !begins(&last, "a OK") {
        return Err(trace.halt(Class::Unexpected, "OK to CAPABILITY", quoted(&last)));
    }
    let words = untagged.iter().filter_map(|line| named_capabilities(line)).flatten();
    Ok(words.collect())
}

fn named_capabilities(line: &[u8]) -> Option<Vec<String>> {
    let words = begins(line, "* CAPABILITY ").then(|| &line["* CAPABILITY ".len()..])?;
    let words = words.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    Some(words.map(offer).collect())
}

fn starttls(trace: &mut Trace<'_>, wire: &mut Wire) -> Dialogue {
    let asked = "OK to STARTTLS";
    let (last, _) =
        trace.step("starttls", asked, |deadline| command(wire, "STARTTLS", deadline))?;
    match begins(&last, "a OK") {
        true => Ok(()),
        false => Err(trace.halt(Class::StarttlsRefused, asked, quoted(&last))),
    }
}

/// Sends a command; the line that ends its answer, and those before it.
fn command(wire: &mut Wire, word: &str, deadline: Deadline) -> Answer<(Vec<u8>, Vec<Vec<u8>>)> {
    wire.send(format!("a {word}\r\n").as_bytes(), deadline)?;
    let mut untagged = Vec::new();
    loop {
        let line = wire.line(LINE, deadline)?;
        match &line[..] {
            [b'*', b' ', ..] => untagged.push(line),
            [b'a', b' ', ..] => return Ok((line, untagged)),
            _ => return Err(Failure::new(Class::Malformed, quoted(&line))),
        }
        if untagged.len() >= LINES {
            let came = format!("over {LINES} lines before the answer");
            return Err(Failure::new(Class::TooLarge, came));
        }
    }
}

impl Probe for Imap {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        Target::ports(word, Some(if self.manners.tls { 993 } else { 143 }))
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        run.each_address(target, |trace, peer| self.dialogue(trace, target, peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_words() {
        let line = b"* CAPABILITY IMAP4rev1  STARTTLS AUTH=PLAIN";
        assert_eq!(named_capabilities(line).unwrap(), ["IMAP4rev1", "STARTTLS", "AUTH=PLAIN"]);
        assert_eq!(named_capabilities(b"* OK hello"), None);
    }
}
