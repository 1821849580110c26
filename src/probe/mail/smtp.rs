//! `probe smtp`: does the mail server greet, what does it offer, is its TLS sound, would it take mail for somebody?
//!
//! Name, connection, greeting (the wait for it is a measure), EHLO, or HELO where that is refused, STARTTLS and EHLO
//! again. With `--rcpt` sender and recipients are named and the answers to them judged; then the probe takes it all
//! back with RSET and leaves. It never sends DATA or VRFY, so no mail moves.
//!
//! `busy` is a 4xx greeting, `turned_away` a 5xx one, `mail_deferred` and `mail_rejected` are answers to sender and
//! recipients, `starttls_missing` and `starttls_refused` are about TLS that was offered or wanted.

use super::codes::meaning;
use super::reply::Reply;
use super::{Dialogue, KNOBS, Manners, is_named};
use crate::document::{Cell, Column, Role, Section, Table};
use crate::error::{Error, Result};
use crate::probe::class::Class;
use crate::probe::courtesy::Protocol;
use crate::probe::net::{Peer, Wire};
use crate::probe::options::{Knob, Options};
use crate::probe::target::Target;
use crate::probe::trace::{Halt, Trace};
use crate::probe::{Kind, Outcome, Probe, Run, tls};

/// The table line.
pub(in crate::probe) static KIND: Kind = Kind {
    name: "smtp",
    about: "mail servers: greeting, offers, STARTTLS, whether they would take mail",
    target: "HOST[:25] or unix:/PATH",
    steps: &["resolve", "connect", "greeting", "ehlo", "starttls", "tls", "ehlo_tls", "mail"],
    knobs: &[
        &[
            Knob::one("helo", "NAME", "the name to introduce ourselves by (logmill.invalid)"),
            Knob::one("from", "ADDRESS", "the sender to name with --rcpt (none, as of a bounce)"),
            Knob::many("rcpt", "ADDRESS", "ask whether mail for this address would be taken"),
            Knob::flag("lmtp", "speak LMTP (port 24)"),
        ],
        KNOBS,
        tls::KNOBS,
    ],
    measures: &[("days", "days until the first certificate of the chain ends")],
    make: |options| Ok(Box::new(Smtp::parse(options)?)),
};

/// The steps where TLS begins with the first byte.
const SECURE: &[&str] = &["resolve", "connect", "tls", "greeting", "ehlo", "mail"];

/// Why a mail server may be slow to greet.
const SLOW: &str =
    "the server looks the client's name or a blocklist up, or all its processes are busy";

/// The most recipients of one dialogue.
const MOST_RECIPIENTS: usize = 20;

#[derive(Debug)]
struct Smtp {
    manners: Manners,
    helo: String,
    from: String,
    rcpt: Vec<String>,
    lmtp: bool,
}

impl Smtp {
    fn parse(options: &Options) -> Result<Self> {
        let rcpt: Vec<_> = options.all("rcpt").map(address).collect::<Result<_>>()?;
        if rcpt.len() > MOST_RECIPIENTS {
            return Err(Error::usage(format!("more than {MOST_RECIPIENTS} recipients")));
        }
        Ok(Self {
            manners: Manners::parse(Protocol::Smtp, options)?,
            helo: options.text("helo").map_or(Ok("logmill.invalid".to_owned()), name)?,
            from: options
                .text("from")
                .filter(|text| !text.is_empty())
                .map_or(Ok(String::new()), address)?,
            rcpt,
            lmtp: options.flag("lmtp"),
        })
    }

    fn dialogue(&self, trace: &mut Trace<'_>, target: &Target, peer: &Peer) -> Dialogue {
        let steps = if self.manners.is_secure(target) { SECURE } else { KIND.steps };
        trace.plan(if self.rcpt.is_empty() { &steps[..steps.len() - 1] } else { steps });
        let mut wire = self.manners.open(trace, target, peer)?;
        let talked = self.talk(trace, &mut wire, target);
        self.manners.leave(wire, b"QUIT\r\n", trace.deadline());
        talked
    }

    fn talk(&self, trace: &mut Trace<'_>, wire: &mut Wire, target: &Target) -> Dialogue {
        let greeting = self.greeting(trace, wire)?;
        let mut offers = self.introduce(trace, wire, "ehlo")?;
        let offered = offers.iter().any(|offer| is_named(offer, "STARTTLS"));
        if self.manners.wants_starttls(trace, wire, offered)? {
            starttls(trace, wire)?;
            self.manners.upgrade(trace, wire, target)?;
            offers = self.introduce(trace, wire, "ehlo_tls")?;
        }
        self.keep_offers(trace, &offers);
        let encrypted = if wire.is_encrypted() { ", encrypted" } else { "" };
        trace.summary(format!("{greeting}, {} offers{encrypted}", offers.len()));
        if !self.rcpt.is_empty() {
            self.name_recipients(trace, wire)?;
        }
        Ok(())
    }

    fn greeting(&self, trace: &mut Trace<'_>, wire: &mut Wire) -> std::result::Result<Reply, Halt> {
        let greeting = trace.step("greeting", "a greeting '220 …'", |deadline| {
            self.manners.await_greeting(wire, deadline)?;
            Reply::read(wire, deadline)
        });
        let greeting = greeting.inspect_err(|_| self.manners.explain_silence(trace, wire, SLOW))?;
        self.manners.judge_greeting(trace, &greeting.bytes());
        let class = match greeting.code {
            220 => return Ok(greeting),
            400..=499 => Class::Busy,
            500..=599 => Class::TurnedAway,
            _ => Class::Unexpected,
        };
        Err(refusal(trace, class, "a greeting '220 …'", &greeting))
    }

    /// EHLO, or HELO where the server is too old for it; the offers.
    fn introduce(
        &self,
        trace: &mut Trace<'_>,
        wire: &mut Wire,
        step: &'static str,
    ) -> std::result::Result<Vec<String>, Halt> {
        let word = if self.lmtp { "LHLO" } else { "EHLO" };
        let reply = trace.step(step, format!("answer to {word} {}", self.helo), |deadline| {
            let reply = Reply::to(wire, &format!("{word} {}", self.helo), deadline)?;
            match (500..=504).contains(&reply.code) && !self.lmtp {
                true => Reply::to(wire, &format!("HELO {}", self.helo), deadline),
                false => Ok(reply),
            }
        })?;
        match reply.code {
            250 => Ok(reply.offers()),
            421 => Err(refusal(trace, Class::Busy, "250 to EHLO", &reply)),
            _ => Err(refusal(trace, Class::TurnedAway, "250 to EHLO", &reply)),
        }
    }

    fn keep_offers(&self, trace: &mut Trace<'_>, offers: &[String]) {
        self.manners.judge_offers(trace, offers);
        let size = offers.iter().find_map(|offer| offer.strip_prefix("SIZE "));
        if let Some(size) = size.and_then(|size| size.parse().ok()) {
            trace.fact("size_limit", Cell::Bytes(size));
        }
    }

    /// Names sender and recipients, and takes it all back.
    fn name_recipients(&self, trace: &mut Trace<'_>, wire: &mut Wire) -> Dialogue {
        let mut replies = Vec::new();
        let mut commands = vec![format!("MAIL FROM:<{}>", self.from)];
        commands.extend(self.rcpt.iter().map(|address| format!("RCPT TO:<{address}>")));
        trace.step("mail", commands.join(", "), |deadline| {
            for command in commands {
                let reply = Reply::to(wire, &command, deadline)?;
                let hopeless = replies.is_empty() && !reply.is_good();
                replies.push((command, reply));
                if hopeless {
                    break;
                }
            }
            Reply::to(wire, "RSET", deadline)
        })?;
        for (command, reply) in replies.iter().filter(|(_, reply)| !reply.is_good()) {
            let class = match reply.is_temporary() {
                true => Class::MailDeferred,
                false => Class::MailRejected,
            };
            let _ = refusal(trace, class, command, reply);
        }
        trace.section(mail_table(&replies));
        Ok(())
    }
}

fn starttls(trace: &mut Trace<'_>, wire: &mut Wire) -> Dialogue {
    let reply = trace
        .step("starttls", "220 to STARTTLS", |deadline| Reply::to(wire, "STARTTLS", deadline))?;
    match reply.code {
        220 => Ok(()),
        _ => Err(refusal(trace, Class::StarttlsRefused, "220 to STARTTLS", &reply)),
    }
}

/// A fault with what the reply's code says as its cause.
fn refusal(trace: &mut Trace<'_>, class: Class, asked: &str, reply: &Reply) -> Halt {
    let halt = trace.halt(class, asked, reply.to_string());
    let meaning = meaning(reply);
    if !meaning.is_empty() {
        trace.because(meaning);
    }
    halt
}

fn mail_table(replies: &[(String, Reply)]) -> Section {
    let columns = vec![
        Column::new("command", Role::Key),
        Column::new("code", Role::Value),
        Column::new("enhanced", Role::Value),
        Column::new("meaning", Role::Value),
        Column::new("reply", Role::Detail),
    ];
    let row = |(command, reply): &(String, Reply)| {
        vec![
            Cell::text(command),
            Cell::Number(i64::from(reply.code)),
            reply.enhanced().map_or(Cell::Empty, |code| Cell::text(code.to_string())),
            Cell::text(if reply.is_good() { "taken" } else { meaning(reply) }),
            Cell::text(reply.bytes()),
        ]
    };
    let rows: Vec<_> = replies.iter().map(row).collect();
    let table = Table { columns, total_rows: rows.len() as u64, rows };
    Section::table("mail", "Answers to sender and recipients", table)
}

/// An address that can stand in a command: no blank, no bracket, no control byte.
fn address(text: &str) -> Result<String> {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>');
    match !text.is_empty() && text.len() <= 320 && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(Error::usage(format!("'{text}' is not a mail address"))
            .advise("write NAME@DOMAIN, without '<' and '>'")),
    }
}

fn name(text: &str) -> Result<String> {
    match !text.is_empty() && text.len() <= 255 && text.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err(Error::usage(format!("--helo '{text}': wants a host name"))),
    }
}

impl Probe for Smtp {
    fn targets(&self, word: &str) -> Result<Vec<Target>> {
        let port = match (self.lmtp, self.manners.tls) {
            (true, _) => 24,
            (false, true) => 465,
            (false, false) => 25,
        };
        Target::ports(word, Some(port))
    }

    fn check(&self, target: &Target, run: &Run<'_>) -> Vec<Outcome> {
        run.each_address(target, |trace, peer| self.dialogue(trace, target, peer))
    }
}
