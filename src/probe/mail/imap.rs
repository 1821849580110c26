//! `probe imap`: does the mailbox server greet, what can it do, is its TLS sound?
//!
//! Name, connection, greeting, CAPABILITY, STARTTLS, CAPABILITY again, LOGOUT; the probe does not log in. `* BYE` in
//! the place of the greeting is `turned_away`.

use super::mailbox::{Listed, Mailbox, Words, begins};
use super::{KNOBS, LINE, LINES, is_named, offer};
use crate::document::Cell;
use crate::probe::class::Class;
use crate::probe::courtesy::Protocol;
use crate::probe::escape::quoted;
use crate::probe::net::{Answer, Deadline, Failure, Wire};
use crate::probe::trace::Trace;
use crate::probe::{Kind, tls};

/// The table line.
pub(in crate::probe) static KIND: Kind = Kind {
    name: "imap",
    about: "IMAP servers: greeting, capabilities, STARTTLS",
    target: "HOST[:143]",
    steps: STEPS,
    knobs: &[KNOBS, tls::KNOBS],
    measures: &[("days", "days until the first certificate of the chain ends")],
    make: |options| Mailbox::parse(&WORDS, options),
};

const STEPS: &[&str] =
    &["resolve", "connect", "greeting", "capability", "starttls", "tls", "capability_tls"];

static WORDS: Words = Words {
    protocol: Protocol::Imap,
    ports: (143, 993),
    steps: (STEPS, &["resolve", "connect", "tls", "greeting", "capability"]),
    greetings: &["* OK", "* PREAUTH"],
    refusal: "* BYE",
    list: "CAPABILITY",
    listing: ("capability", "capability_tls"),
    capabilities,
    starttls: "STARTTLS",
    agree: |wire, deadline| {
        let (last, _) = command(wire, "STARTTLS", deadline)?;
        Ok(if begins(&last, "a OK") { Ok(()) } else { Err(last) })
    },
    farewell: b"z LOGOUT\r\n",
    tell: |trace: &mut Trace<'_>, offers| {
        let disabled = offers.iter().any(|offer| is_named(offer, "LOGINDISABLED"));
        trace.fact("login", Cell::text(if disabled { "disabled" } else { "possible" }));
    },
};

/// The words behind `* CAPABILITY`.
fn capabilities(wire: &mut Wire, deadline: Deadline) -> Answer<Listed> {
    let (last, untagged) = command(wire, "CAPABILITY", deadline)?;
    if !begins(&last, "a OK") {
        return Ok(Err(last));
    }
    Ok(Ok(untagged.iter().filter_map(|line| named_capabilities(line)).flatten().collect()))
}

fn named_capabilities(line: &[u8]) -> Option<Vec<String>> {
    let words = begins(line, "* CAPABILITY ").then(|| &line["* CAPABILITY ".len()..])?;
    let words = words.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    Some(words.map(offer).collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn capabilities_are_words() {
        let line = b"* CAPABILITY IMAP4rev1  STARTTLS AUTH=PLAIN";
        assert_eq!(named_capabilities(line).unwrap(), ["IMAP4rev1", "STARTTLS", "AUTH=PLAIN"]);
        assert_eq!(named_capabilities(b"* OK hello"), None);
    }

    proptest! {
        #[test]
        fn any_bytes(words in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = named_capabilities(&words);
            let line = [b"* capability ".as_slice(), &words].concat();
            let found = named_capabilities(&line).unwrap();
            prop_assert!(found.iter().all(|word| !word.contains(char::is_control)));
        }
    }
}
