//! Postfix's log, behind any syslog envelope or from Postfix's own file logger.
//!
//! ```text
//! Mar  7 09:15:02 mx1 postfix/smtpd[2011]: 739D7998049: client=mail.example.org[198.51.100.4]
//! Mar  7 09:15:03 mx1 postfix/smtp[2013]: 739D7998049: to=<u@good.example>, relay=mx.good.example[192.0.2.7]:25, delay=0.5, delays=0.1/0/0.3/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
//! Mar  7 09:15:04 mx1 postfix/smtpd[2011]: NOQUEUE: reject: RCPT from unknown[203.0.113.24]: 554 5.7.1 <x@y.example>: Relay access denied; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>
//! ```
//!
//! A record is a line, and every line that Postfix writes is a record; what nothing is known of has the kind `other`.
//! Only `last message repeated 3 times`, by which a log daemon says that the line before came again, is a part of that.
//! [`head`] reads what stands in front, [`delivery`] what is said of messages, [`reject`] what rules did, [`session`]
//! the rest, [`policy`] what the services say that Postfix asks. Instances and services have names that the administrator chose, and some relays cut the program off the
//! tag, so that a line is told by what it says and not by who says it.
//!
//! There is no description but the source: <https://www.postfix.org/>, `src/global/log_adhoc.c`,
//! `src/smtpd/smtpd_check.c`, `src/qmgr/qmgr_active.c`, `src/cleanup/cleanup_message.c`, `src/postscreen/`.

mod delivery;
mod head;
mod kinds;
mod parts;
mod policy;
mod reject;
mod repetition;
mod session;
mod sheet;

use self::head::{Head, Heads};
use self::kinds::{Kind, Labels, SEVERITIES, STATUSES};
use self::policy::Service;
use self::sheet::{FIELDS, Sheet, Slots};
use super::envelope;
use super::{Line, Parser};
use crate::input::Framing;
use crate::ledger::Reason;
use crate::record::time::Clock;
use crate::record::{Label, Layout, Row};

frame! { Postfix "postfix" Mail }

/// The parser.
#[derive(Debug)]
struct Mail {
    slots: Slots,
    heads: Heads,
    labels: Labels,
    statuses: [Label; STATUSES.len()],
    severities: [Label; SEVERITIES.len()],
}

impl Parser for Mail {
    const MARK: u8 = b' ';

    const FRAMING: Framing = Framing::Opens(repetition::opens);

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        if repetition::may_end(line.bytes) {
            return self.repeated(line, row);
        }
        match self.heads.usual(line) {
            Some(head) if head.is_postfix() => self.record(line, &head, row),
            _ => self.unusual(line, row, 0),
        }
    }
}

impl Mail {
    fn new(layout: &Layout, clock: Clock) -> Self {
        Self {
            slots: Slots::new(layout),
            heads: Heads::new(clock),
            labels: Labels::new(),
            statuses: STATUSES.map(Label::of),
            severities: SEVERITIES.map(Label::of),
        }
    }

    /// A line that may have repetitions of itself behind it.
    #[cold]
    fn repeated(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let (first, again) = repetition::split(line.bytes);
        let line = Line { bytes: first, ..line };
        match self.heads.usual(line) {
            Some(head) if head.is_postfix() => {
                row.repeat(again + 1);
                self.record(line, &head, row)
            }
            _ => self.unusual(line, row, again),
        }
    }

    /// A line in another envelope, or not one of Postfix, that happened so many times again.
    #[cold]
    fn unusual(&mut self, line: Line<'_>, row: &mut Row<'_>, again: u32) -> Result<(), Reason> {
        match line.bytes.first() {
            Some(0) => return Err(Reason::Binary),
            _ if line.bytes.iter().all(u8::is_ascii_whitespace) => return Err(Reason::Blank),
            _ => {}
        }
        let peeled = envelope::peel(line.bytes);
        if peeled.is_noise {
            return Err(Reason::Banner);
        }
        let head = self.heads.peeled(&peeled, line).ok_or(Reason::Malformed)?;
        let service = policy::service(head.tag);
        if service.is_none() && !head.is_postfix() {
            return Err(Reason::OtherProgram);
        }
        let times = (peeled.repeat + again).min(envelope::MOST_REPEATS);
        if times > 1 {
            row.repeat(times);
        }
        match service {
            Some(service) => self.of_service(line, &head, service, row),
            None => self.record(line, &head, row),
        }
    }

    /// A line of a service that Postfix asks.
    fn of_service(
        &mut self,
        line: Line<'_>,
        head: &Head<'_>,
        service: Service,
        row: &mut Row<'_>,
    ) -> Result<(), Reason> {
        let slots = &self.slots;
        if let Some(time) = head.time {
            row.number(slots.time, time.ok_or(Reason::BadTime)?);
        }
        let mut sheet = Sheet { line, row, slots, labels: &self.labels, spaces: head.spaces };
        sheet.some(slots.loghost, head.host);
        sheet.text(slots.program, head.tag);
        if let Some(pid) = head.pid {
            sheet.row.number(slots.pid, pid);
        }
        let message = head.message.trim_ascii_end();
        let mut text = message.strip_prefix(b": ").unwrap_or(message);
        if let Some((id, rest)) = parts::queue_id(text) {
            sheet.text(slots.queue_id, id);
            text = rest;
        }
        sheet.text(slots.message, text);
        policy::read(&mut sheet, service, text);
        Ok(())
    }

    #[inline]
    fn record(&mut self, line: Line<'_>, head: &Head<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let slots = &self.slots;
        if let Some(time) = head.time {
            row.number(slots.time, time.ok_or(Reason::BadTime)?);
        }
        let spaces = head.spaces;
        let mut sheet = Sheet { line, row, slots, labels: &self.labels, spaces };
        let (instance, program) = head.instance_and_program();
        sheet.some(slots.loghost, head.host);
        sheet.text(slots.instance, instance);
        sheet.some(slots.program, program);
        if let Some(pid) = head.pid {
            sheet.row.number(slots.pid, pid);
        }
        self.message(sheet, head.message);
        Ok(())
    }

    /// `[severity: ][queue id: ][severity: ]text`
    #[inline]
    fn message(&self, mut sheet: Sheet<'_, '_>, message: &[u8]) {
        let slots = sheet.slots;
        let mut severity = None;
        let mut text = message;
        if let Some((found, rest)) = kinds::severity(text) {
            (severity, text) = (Some(found), rest);
        }
        let mut id = None;
        if sheet.has_colon_behind_first_word(text) {
            id = parts::queue_id(text).filter(|(id, _)| *id != b"NOQUEUE");
            if let Some((id, rest)) = id {
                sheet.text(slots.queue_id, id);
                text = rest;
            } else if let Some(rest) = text.strip_prefix(b"NOQUEUE: ") {
                text = rest;
            }
        }
        if severity.is_none()
            && let Some((found, rest)) = kinds::severity(text)
            && reject::action(text).is_none()
        {
            (severity, text) = (Some(found), rest);
        }
        sheet.text(slots.message, text);
        if let Some(severity) = severity {
            sheet.label(slots.level, self.severities[severity as usize]);
            return session::severe(&mut sheet, severity, text);
        }
        match id {
            Some(_) => self.of_message(&mut sheet, text),
            None => self.of_nothing(&mut sheet, text),
        }
    }

    /// What is said behind a queue id.
    #[inline]
    fn of_message(&self, sheet: &mut Sheet<'_, '_>, text: &[u8]) {
        match text {
            [b't', b'o', b'=', b'<', rest @ ..] => {
                delivery::delivery(sheet, rest, &self.statuses);
            }
            [b'f', b'r', b'o', b'm', b'=', b'<', rest @ ..] => {
                delivery::queued(sheet, rest, &self.statuses);
            }
            b"removed" => removed(sheet),
            _ => self.of_message_otherwise(sheet, text),
        }
    }

    fn of_message_otherwise(&self, sheet: &mut Sheet<'_, '_>, text: &[u8]) {
        if let Some(rest) = text.strip_prefix(b"client=") {
            return delivery::received(sheet, rest, true);
        }
        let id = text.strip_prefix(b"message-id=");
        if let Some(rest) = id.or_else(|| text.strip_prefix(b"resent-message-id=")) {
            return delivery::message_id(sheet, rest);
        }
        if let Some(rest) = text.strip_prefix(b"uid=") {
            return delivery::picked_up(sheet, rest);
        }
        if let Some((action, kind, rest)) = reject::action(text) {
            return reject::read(sheet, action, kind, rest);
        }
        if QUEUE_ADMIN.contains(&text) {
            sheet.kind(Kind::QueueAdmin);
            return sheet.text(sheet.slots.action, text);
        }
        let known = session::trouble(sheet, text)
            || delivery::notification(sheet, text)
            || relay_trouble(sheet, text)
            || tls_missed(sheet, text);
        if !known {
            sheet.kind(Kind::Other);
        }
    }

    /// What is said without a queue id.
    #[inline]
    fn of_nothing(&self, sheet: &mut Sheet<'_, '_>, text: &[u8]) {
        if sheet.has_colon_behind_first_word(text)
            && let Some((action, kind, rest)) = reject::action(text)
        {
            return reject::read(sheet, action, kind, rest);
        }
        if let Some(rest) = text.strip_prefix(b"client=") {
            return delivery::received(sheet, rest, false);
        }
        let known = session::read(sheet, text)
            || relay_trouble(sheet, text)
            || policy::spf_in_perl(sheet, text)
            || policy::weighed(sheet, text)
            || session::tls_detail(sheet, text);
        if !known {
            sheet.kind(Kind::Other);
        }
    }
}

/// What happens to a message in the queue beside deliveries, by an administrator's word or a rule's.
const QUEUE_ADMIN: [&[u8]; 6] = [
    b"placed on hold",
    b"released from hold",
    b"requeued",
    b"expired",
    b"canceled",
    b"skipped, still being delivered",
];

/// The end of a message, by the queue manager or by postsuper.
#[inline]
fn removed(sheet: &mut Sheet<'_, '_>) {
    sheet.kind(Kind::Removed);
}

/// What went wrong with another server before the delivery line says what came of it: the next server is asked.
fn relay_trouble(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 10] = [
        b"host ",
        b"lost connection with ",
        b"conversation with ",
        b"SSL_connect error to ",
        b"Cannot start TLS: ",
        b"enabling PIX ",
        b"SASL authentication failed; server ",
        b"SASL authentication failed; cannot authenticate to server ",
        b"SASL [CACHED] authentication failed; server ",
        b"SASL authentication failed; authentication protocol loop with server: ",
    ];
    let Some(beginning) = BEGINNINGS.iter().find(|beginning| text.starts_with(beginning)) else {
        return false;
    };
    sheet.kind(Kind::RelayTrouble);
    // Of a message that is tried without TLS next time: the server stands in the line before.
    if *beginning == b"Cannot start TLS: " {
        sheet.text(sheet.slots.reason, text);
        return true;
    }
    if let Some(peer) = parts::peer(&text[beginning.len()..]) {
        sheet.relay(peer.whole);
        let reason = peer.rest.strip_prefix(b" ").or(peer.rest.strip_prefix(b": "));
        sheet.some(sheet.slots.reason, reason);
        sheet.some(sheet.slots.reply, delivery::reply(peer.rest));
    } else if let Some(at) = memchr::memmem::rfind(text, b" for ") {
        // `enabling PIX workarounds: delay_dotcrlf for mx.example.org[192.0.2.7]:25`
        parts::peer(&text[at + 5..]).iter().for_each(|peer| sheet.relay(peer.whole));
    }
    true
}

/// `TLS is required, but was not offered by host mx.example.org[192.0.2.7]`, `Server certificate not trusted`: what was
/// asked of another server, and it has not.
fn tls_missed(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const HOST: &[u8] = b" by host ";
    if !text.starts_with(b"TLS is required, but ") && !text.starts_with(b"Server certificate not ")
    {
        return false;
    }
    sheet.kind(Kind::TlsTrouble);
    sheet.text(sheet.slots.reason, text);
    let host =
        memchr::memmem::find(text, HOST).and_then(|at| parts::peer(&text[at + HOST.len()..]));
    host.iter().for_each(|peer| sheet.relay(peer.whole));
    true
}

#[cfg(test)]
mod tests;
