//! The dialogue that IMAP and POP3 have in common: greeting, what the server can do, TLS on request, the same again,
//! farewell. The two differ in their words, which each of them has in a table; neither logs in.

use super::{Dialogue, LINE, Manners, is_named};
use crate::error::Result;
use crate::probe::class::Class;
use crate::probe::courtesy::Protocol;
use crate::probe::escape::quoted;
use crate::probe::net::{Answer, Deadline, Peer, Wire};
use crate::probe::options::Options;
use crate::probe::target::Target;
use crate::probe::trace::{Halt, Trace};
use crate::probe::{Outcome, Probe, Run};

/// Why a mailbox server may not greet.
const SLOW: &str = "all its login processes are busy, or it is stuck";

/// The words of one of the protocols.
#[derive(Debug)]
pub(super) struct Words {
    pub protocol: Protocol,
    /// The port in clear, and the one where TLS begins with the first byte.
    pub ports: (u16, u16),
    /// The steps in clear and with TLS from the first byte.
    pub steps: (&'static [&'static str], &'static [&'static str]),
    /// How a greeting begins, in any case of letters, and that of a server that wants no client.
    pub greetings: &'static [&'static str],
    pub refusal: &'static str,
    /// The command that lists what the server can do, and the steps of it before and after TLS.
    pub list: &'static str,
    pub listing: (&'static str, &'static str),
    /// Asks for that list.
    pub capabilities: fn(&mut Wire, Deadline) -> Answer<Listed>,
    /// The command that begins TLS, and the capability of that name.
    pub starttls: &'static str,
    /// Sends it.
    pub agree: fn(&mut Wire, Deadline) -> Answer<Agreed>,
    /// What ends the dialogue.
    pub farewell: &'static [u8],
    /// What the capabilities tell beyond themselves.
    pub tell: fn(&mut Trace<'_>, &[String]),
}

/// What a server can do; or its answer where it would not say.
pub(super) type Listed = std::result::Result<Vec<String>, Vec<u8>>;

/// That a server agrees; or its answer where it does not.
pub(super) type Agreed = std::result::Result<(), Vec<u8>>;

/// A mailbox server that speaks one of the protocols.
#[derive(Debug)]
pub(super) struct Mailbox {
    words: &'static Words,
    manners: Manners,
}

impl Mailbox {
    pub(super) fn parse(words: &'static Words, options: &Options) -> Result<Box<dyn Probe>> {
        Ok(Box::new(Self { words, manners: Manners::parse(words.protocol, options)? }))
    }

    fn dialogue(&self, trace: &mut Trace<'_>, target: &Target, peer: &Peer) -> Dialogue {
        let (in_clear, secure) = self.words.steps;
        trace.plan(if self.manners.is_secure(target) { secure } else { in_clear });
        let mut wire = self.manners.open(trace, target, peer)?;
        let talked = self.talk(trace, &mut wire, target);
        self.manners.leave(wire, self.words.farewell, trace.deadline());
        talked
    }

    fn talk(&self, trace: &mut Trace<'_>, wire: &mut Wire, target: &Target) -> Dialogue {
        let words = self.words;
        let greeting = self.greeting(trace, wire)?;
        let mut offers = self.capabilities(trace, wire, words.listing.0)?;
        let offered = offers.iter().any(|offer| is_named(offer, words.starttls));
        if self.manners.wants_starttls(trace, wire, offered)? {
            self.starttls(trace, wire)?;
            self.manners.upgrade(trace, wire, target)?;
            offers = self.capabilities(trace, wire, words.listing.1)?;
        }
        self.manners.judge_offers(trace, &offers);
        (words.tell)(trace, &offers);
        let encrypted = if wire.is_encrypted() { ", encrypted" } else { "" };
        trace.summary(format!("{}, {} capabilities{encrypted}", quoted(&greeting), offers.len()));
        Ok(())
    }

    fn greeting(
        &self,
        trace: &mut Trace<'_>,
        wire: &mut Wire,
    ) -> std::result::Result<Vec<u8>, Halt> {
        let asked = format!("a greeting '{} …'", self.words.greetings[0]);
        let greeting = trace.step("greeting", asked.as_str(), |deadline| {
            self.manners.await_greeting(wire, deadline)?;
            wire.line(LINE, deadline)
        });
        let greeting = greeting.inspect_err(|_| self.manners.explain_silence(trace, wire, SLOW))?;
        self.manners.judge_greeting(trace, &greeting);
        if self.words.greetings.iter().any(|word| begins(&greeting, word)) {
            return Ok(greeting);
        }
        let class = match begins(&greeting, self.words.refusal) {
            true => Class::TurnedAway,
            false => Class::WrongProtocol,
        };
        Err(trace.halt(class, asked, quoted(&greeting)))
    }

    fn capabilities(
        &self,
        trace: &mut Trace<'_>,
        wire: &mut Wire,
        step: &'static str,
    ) -> std::result::Result<Vec<String>, Halt> {
        let asked = format!("answer to {}", self.words.list);
        let listed = trace
            .step(step, asked.as_str(), |deadline| (self.words.capabilities)(wire, deadline))?;
        listed.map_err(|answer| trace.halt(Class::Unexpected, asked, quoted(&answer)))
    }

    fn starttls(&self, trace: &mut Trace<'_>, wire: &mut Wire) -> Dialogue {
        let asked = format!("agreement to {}", self.words.starttls);
        let agreed = trace
            .step("starttls", asked.as_str(), |deadline| (self.words.agree)(wire, deadline))?;
        agreed.map_err(|answer| trace.halt(Class::StarttlsRefused, asked, quoted(&answer)))
    }
}

/// True when a line begins with this word, in any case of letters.
pub(super) fn begins(line: &[u8], word: &str) -> bool {
    line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

impl Probe for Mailbox {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        let (in_clear, secure) = self.words.ports;
        Target::ports(word, Some(if self.manners.tls { secure } else { in_clear }))
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        run.each_address(target, |trace, peer| self.dialogue(trace, target, peer))
    }
}
