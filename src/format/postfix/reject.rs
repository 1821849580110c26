//! Lines about mail that was refused, held, discarded or otherwise dealt with by a rule.
//!
//! ```text
//! reject: RCPT from mx.example.org[192.0.2.7]: 554 5.7.1 <x@y>: Relay access denied; from=<a> to=<x@y> proto=ESMTP helo=<h>
//! reject: RCPT from [192.0.2.7]:4242: 550 5.7.1 Service currently unavailable; from=<a>, to=<b>, proto=ESMTP, helo=<h>
//! reject: header Subject: pills from mx.example.org[192.0.2.7]; from=<a> to=<b> proto=ESMTP helo=<h>: 5.7.1 no pills
//! milter-reject: END-OF-MESSAGE from mx.example.org[192.0.2.7]: 5.7.1 Spam; from=<a> to=<b> proto=ESMTP helo=<h>
//! ```
//!
//! The first two are of smtpd and of postscreen, which puts commas between the pairs; the other two are of cleanup. The
//! text in front of the pairs may hold anything, semicolons included, hence the pairs begin at the last `; ` that has
//! one of their keys behind it. Neither the pairs nor the semicolon need be there.

use memchr::memmem;

use super::kinds::Kind;
use super::parts;
use super::sheet::Sheet;

/// The actions, and what kind of record they make. Reject lines of smtpd get theirs by the reply code.
const ACTIONS: [(&[u8], Kind); 24] = [
    (b"reject", Kind::RejectPermanent),
    (b"reject_warning", Kind::Policy),
    (b"hangup", Kind::RejectPermanent),
    (b"milter-reject", Kind::ContentReject),
    (b"milter-discard", Kind::ContentReject),
    (b"milter-hold", Kind::Policy),
    (b"milter-quarantine", Kind::Policy),
    (b"discard", Kind::ContentReject),
    (b"hold", Kind::Policy),
    (b"warn", Kind::Policy),
    (b"warning", Kind::Policy),
    (b"info", Kind::Policy),
    (b"filter", Kind::Policy),
    (b"redirect", Kind::Policy),
    (b"delay", Kind::Policy),
    (b"bcc", Kind::Policy),
    (b"prepend", Kind::Policy),
    (b"replace", Kind::Policy),
    (b"strip", Kind::Policy),
    (b"trigger", Kind::Policy),
    (b"permit", Kind::Policy),
    (b"client-ok", Kind::Policy),
    (b"proxy-accept", Kind::Policy),
    (b"proxy-reject", Kind::RejectPermanent),
];

/// Stages of cleanup: the text in front of the client is what it found.
const PARTS: [&[u8]; 3] = [b"header ", b"body ", b"content "];

/// In front of an action on a header that a milter has added: `milter_header_checks`.
const OF_MILTER: &[u8] = b"milter-header-";

/// The action that a text begins with, and what follows it.
pub(super) fn action(text: &[u8]) -> Option<(&[u8], Kind, &[u8])> {
    let named = text.strip_prefix(OF_MILTER).unwrap_or(text);
    let colon = named.iter().take(20).position(|byte| *byte == b':')?;
    let rest = named[colon..].strip_prefix(b": ")?;
    let (word, kind) = ACTIONS.iter().find(|(word, _)| *word == &named[..colon])?;
    // `warning: ` is a severity too, which says nothing of a header.
    let is_one = *word != b"warning" || PARTS.iter().any(|part| rest.starts_with(part));
    let len = text.len() - named.len() + colon;
    is_one.then_some((&text[..len], *kind, rest))
}

/// Behind the action.
pub(super) fn read(sheet: &mut Sheet<'_, '_>, action: &[u8], kind: Kind, text: &[u8]) {
    let slots = sheet.slots;
    sheet.text(slots.action, action);
    let (said, pairs) = split(text);
    if let Some(part) = PARTS.iter().find(|part| said.starts_with(part)) {
        sheet.text(slots.stage, &text[..part.len() - 1]);
        return content(sheet, kind, said, pairs);
    }
    let Some((stage, rest)) = stage(said) else { return sheet.kind(of_smtpd(kind, b"")) };
    sheet.text(slots.stage, stage);
    let mut reason = rest;
    if let Some(peer) = parts::peer(rest) {
        sheet.client(&peer);
        reason = peer.rest.strip_prefix(b": ").unwrap_or(peer.rest);
    }
    let code = reply(sheet, reason);
    sheet.kind(of_smtpd(kind, code));
    let tail = self::pairs(sheet, pairs);
    super::delivery::login(sheet, tail);
}

/// `RCPT from ` or `END-OF-MESSAGE: `, and what follows.
fn stage(said: &[u8]) -> Option<(&[u8], &[u8])> {
    const LONGEST: usize = 24;
    let end = said.iter().take(LONGEST).position(|byte| matches!(byte, b' ' | b':'))?;
    let (stage, rest) = said.split_at(end);
    let rest = rest.strip_prefix(b" from ").or_else(|| rest.strip_prefix(b": "))?;
    Some((stage, rest))
}

/// Cleanup's finding: `header Subject: pills from mx[192.0.2.7]`, and the rule's text behind the pairs.
fn content(sheet: &mut Sheet<'_, '_>, kind: Kind, said: &[u8], pairs: &[u8]) {
    let kind = if kind == Kind::RejectPermanent { Kind::ContentReject } else { kind };
    sheet.kind(kind);
    if let Some(at) = memmem::rfind(said, b" from ")
        && let Some(peer) = parts::peer(&said[at + 6..])
    {
        sheet.client(&peer);
    }
    let tail = self::pairs(sheet, pairs);
    if let Some(text) = tail.strip_prefix(b": ") {
        reply(sheet, text);
    }
}

/// Temporary or not, by the reply code; cleanup and milters have none.
fn of_smtpd(kind: Kind, code: &[u8]) -> Kind {
    match (kind, code.first()) {
        (Kind::RejectPermanent, Some(b'4')) => Kind::RejectTemporary,
        _ => kind,
    }
}

/// `554 5.7.1 <x@y>: Relay access denied`: the reply code, if there is one.
fn reply<'a>(sheet: &mut Sheet<'_, '_>, text: &'a [u8]) -> &'a [u8] {
    let slots = sheet.slots;
    let (code, rest) = parts::reply(text).unwrap_or((&[], text));
    if !code.is_empty() {
        sheet.text(slots.reply, code);
    }
    let (dsn, reason) = parts::dsn(rest).unzip();
    sheet.some(slots.dsn, dsn);
    let reason = reason.unwrap_or(rest);
    sheet.text(slots.reason, reason);
    if slots.rule.is_wanted() {
        sheet.some(slots.rule, list(reason));
    }
    match (code.is_empty(), dsn) {
        (false, _) => code,
        (true, Some(dsn)) => dsn,
        (true, None) if BUSY.contains(&reason) => b"421",
        (true, None) => b"",
    }
}

/// What postscreen writes without the code 421 that it sends: the client may come again.
const BUSY: [&[u8]; 3] =
    [b"too many connections", b"all server ports busy", b"all screening ports busy"];

/// The list of `blocked using zen.example; …`.
fn list(reason: &[u8]) -> Option<&[u8]> {
    const WORDS: &[u8] = b"blocked using ";
    let rest = &reason[memmem::find(reason, WORDS)? + WORDS.len()..];
    let len = rest.iter().take_while(|byte| !matches!(byte, b';' | b' ' | b',')).count();
    Some(&rest[..len])
}

const KEYS: [&[u8]; 4] = [b"from=<", b"to=<", b"proto=", b"helo=<"];

fn is_key(text: &[u8]) -> bool {
    KEYS.iter().any(|key| text.starts_with(key))
}

/// What is said, and the pairs: the last that do not begin within brackets, where a client's word can stand.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let (mut end, mut last) = (text.len(), None);
    while let Some(at) = memmem::rfind(&text[..end], b"; ") {
        if is_key(&text[at + 2..]) {
            if is_balanced(&text[..at]) {
                return (&text[..at], &text[at + 2..]);
            }
            last = last.or(Some(at));
        }
        end = at;
    }
    last.map_or((text, &[]), |at| (&text[..at], &text[at + 2..]))
}

/// True where as many brackets close as open.
fn is_balanced(text: &[u8]) -> bool {
    let count = |bracket| memchr::memchr_iter(bracket, text).count();
    count(b'<') == count(b'>')
}

/// `from=<a> to=<b> proto=ESMTP helo=<h>`; what follows them.
fn pairs<'a>(sheet: &mut Sheet<'_, '_>, mut rest: &'a [u8]) -> &'a [u8] {
    let slots = sheet.slots;
    // Postfix writes each once and in this order. A client says what its HELO holds, and that may look like further pairs.
    let mut keys = &KEYS[..];
    loop {
        let text = rest.strip_prefix(b",").unwrap_or(rest);
        let text = text.strip_prefix(b" ").unwrap_or(text);
        let Some(at) = keys.iter().position(|key| text.starts_with(key)) else { return rest };
        let key = &keys[at];
        keys = &keys[at + 1..];
        let value = &text[key.len()..];
        if *key == b"proto=" {
            let len = value.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            sheet.text(slots.protocol, &value[..len]);
            rest = &value[len..];
            continue;
        }
        let is_end: fn(&[u8]) -> bool =
            if keys.is_empty() { is_end_of_last } else { is_end_of_pair };
        let Some((value, after)) = parts::address(value, is_end) else { return rest };
        match *key {
            b"from=<" => sheet.sender(value),
            b"to=<" => sheet.recipient(value),
            _ => sheet.text(slots.helo, value),
        }
        rest = after;
    }
}

/// True for what may follow the closing bracket of the last pair.
fn is_end_of_last(rest: &[u8]) -> bool {
    rest.is_empty()
        || rest.starts_with(b": ")
        || rest.starts_with(b" sasl_")
        || rest.starts_with(b", sasl_")
}

/// True for what may follow the closing bracket of a pair.
fn is_end_of_pair(rest: &[u8]) -> bool {
    let next = rest.strip_prefix(b", ").or_else(|| rest.strip_prefix(b" "));
    rest.is_empty()
        || rest.starts_with(b": ")
        || next.is_some_and(|next| is_key(next) || next.starts_with(b"sasl_"))
}
