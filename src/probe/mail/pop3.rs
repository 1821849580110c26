//! `probe pop3`: does the mailbox server greet, what can it do, is its TLS sound?
//!
//! Name, connection, greeting, CAPA, STLS, CAPA again, QUIT; the probe does not log in. `-ERR` in the place of the
//! greeting is `turned_away`. A server without CAPA (it is optional) has no offers and is sound.

use super::mailbox::{Listed, Mailbox, Words};
use super::{KNOBS, LINE, LINES, offer};
use crate::probe::class::Class;
use crate::probe::courtesy::Protocol;
use crate::probe::escape::quoted;
use crate::probe::net::{Answer, Deadline, Failure, Wire};
use crate::probe::{Kind, tls};

/// The table line.
pub(in crate::probe) static KIND: Kind = Kind {
    name: "pop3",
    about: "POP3 servers: greeting, capabilities, STLS",
    target: "HOST[:110]",
    steps: STEPS,
    knobs: &[KNOBS, tls::KNOBS],
    measures: &[("days", "days until the first certificate of the chain ends")],
    make: |options| Mailbox::parse(&WORDS, options),
};

const STEPS: &[&str] = &["resolve", "connect", "greeting", "capa", "starttls", "tls", "capa_tls"];

static WORDS: Words = Words {
    protocol: Protocol::Pop3,
    ports: (110, 995),
    steps: (STEPS, &["resolve", "connect", "tls", "greeting", "capa"]),
    greetings: &["+OK"],
    refusal: "-ERR",
    list: "CAPA",
    listing: ("capa", "capa_tls"),
    capabilities,
    starttls: "STLS",
    agree: |wire, deadline| {
        wire.send(b"STLS\r\n", deadline)?;
        let answer = wire.line(LINE, deadline)?;
        Ok(if answer.starts_with(b"+OK") { Ok(()) } else { Err(answer) })
    },
    farewell: b"QUIT\r\n",
    tell: |_, _| {},
};

/// The lines up to a single full stop; none of a server that does not know the command.
fn capabilities(wire: &mut Wire, deadline: Deadline) -> Answer<Listed> {
    wire.send(b"CAPA\r\n", deadline)?;
    let status = wire.line(LINE, deadline)?;
    if status.starts_with(b"-ERR") {
        return Ok(Ok(Vec::new()));
    }
    if !status.starts_with(b"+OK") {
        return Err(Failure::new(Class::Malformed, quoted(&status)));
    }
    let mut offers = Vec::new();
    for _ in 0..LINES {
        match wire.line(LINE, deadline)? {
            end if end == b"." => return Ok(Ok(offers)),
            line => offers.push(offer(&line)),
        }
    }
    Err(Failure::new(Class::TooLarge, format!("over {LINES} lines of capabilities")))
}
