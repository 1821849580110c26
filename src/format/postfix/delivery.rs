//! The lines about messages that have a queue id, rejections apart: where they come from, what they are, what became
//! of them.
//!
//! ```text
//! client=mx.example.org[192.0.2.7], sasl_method=PLAIN, sasl_username=jo
//! from=<jo@example.org>, size=345, nrcpt=1 (queue active)
//! to=<u@good.example>, relay=mx.good.example[192.0.2.8]:25, delay=0.5, delays=0.1/0/0.3/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4F9D195432D)
//! ```
//!
//! The pairs of a delivery are read by name and not by place: 2.3 added `delays` and `dsn`, 3.11 added `tls`, and
//! whatever comes next must not make a delivery vanish.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder, FinderRev};
use memchr::{memchr, memrchr};

use super::kinds::{self, Kind};
use super::parts;
use super::sheet::Sheet;
use crate::record::Label;

/// Behind `to=<`.
pub(super) fn delivery(sheet: &mut Sheet<'_, '_>, text: &[u8], statuses: &[Label]) {
    let Some((recipient, rest)) = parts::address(text, is_pair_of_delivery) else {
        return sheet.kind(Kind::Other);
    };
    sheet.recipient(recipient);
    let mut rest = &rest[2..];
    if let Some(original) = rest.strip_prefix(b"orig_to=<") {
        let Some((original, after)) = parts::address(original, is_pair_of_delivery) else {
            return sheet.kind(Kind::Other);
        };
        sheet.text(sheet.slots.original_recipient, original);
        rest = &after[2..];
    }
    pairs(sheet, rest, statuses);
}

/// True for what follows the address of a delivery.
#[inline]
fn is_pair_of_delivery(rest: &[u8]) -> bool {
    rest.starts_with(b", relay=") || rest.starts_with(b", orig_to=<")
}

/// `relay=…, delay=…, …, status=sent (…)`
fn pairs(sheet: &mut Sheet<'_, '_>, whole: &[u8], statuses: &[Label]) {
    let slots = sheet.slots;
    let mut dsn = &[][..];
    let mut ends = sheet.spaces_of(whole).filter(|end| whole[..*end].ends_with(b","));
    let mut start = 0;
    loop {
        let rest = &whole[start..];
        let Some(equals) = rest.iter().take(32).position(|byte| *byte == b'=') else { break };
        let (key, value) = (&rest[..equals], &rest[equals + 1..]);
        if key == b"status" {
            return status(sheet, value, dsn, statuses);
        }
        // The comma and the space behind the value.
        let Some(end) = ends.find(|end| *end > start + equals + 1) else { break };
        let value = &whole[start + equals + 1..end - 1];
        start = end + 1;
        match key {
            b"relay" => sheet.relay(value),
            b"delay" => sheet.seconds(slots.duration, value),
            b"delays" => delays(sheet, value),
            b"dsn" => {
                dsn = value;
                sheet.text(slots.dsn, value);
            }
            b"conn_use" => sheet.digits(slots.keepalive, value),
            b"tls" => sheet.text(slots.tls_features, value),
            _ => {}
        }
    }
    // A line that was cut before the status: nobody knows what became of the message.
    sheet.kind(Kind::Other);
}

/// `0.1/0/0.3/0.1`
#[inline]
fn delays(sheet: &mut Sheet<'_, '_>, value: &[u8]) {
    let slots = sheet.slots;
    let stages = [slots.delay_before, slots.delay_queue, slots.delay_connect, slots.delay_transmit];
    if stages.iter().any(|slot| slot.is_wanted()) {
        for (slot, value) in stages.into_iter().zip(value.split(|byte| *byte == b'/')) {
            sheet.seconds(slot, value);
        }
    }
}

/// `sent (250 2.0.0 Ok)`. The text reaches to the last bracket of the line; the line may be cut before it.
fn status(sheet: &mut Sheet<'_, '_>, value: &[u8], dsn: &[u8], statuses: &[Label]) {
    let len = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (number, kind) = kinds::status(&value[..len]);
    let kind = kind.unwrap_or_else(|| kinds::by_dsn(dsn));
    sheet.label(sheet.slots.delivery, statuses[number]);
    sheet.kind(kind);
    let Some(text) = value[len..].strip_prefix(b" (") else { return };
    let whole = text.strip_suffix(b")");
    let whole = whole.unwrap_or_else(|| &text[..memrchr(b')', text).unwrap_or(text.len())]);
    response(sheet, kind, whole);
}

/// What the relay answered, or why it was not asked. The answer to what was sent is no reason for anything, and
/// another text each time.
fn response(sheet: &mut Sheet<'_, '_>, kind: Kind, text: &[u8]) {
    const FORWARDED: &[u8] = b"forwarded";
    let slots = sheet.slots;
    if kind != Kind::Sent {
        sheet.text(slots.reason, text);
    } else if text.starts_with(FORWARDED) {
        sheet.text(slots.action, &text[..FORWARDED.len()]);
    }
    if slots.new_queue_id.is_wanted() {
        let id = new_id(text);
        sheet.some(slots.new_queue_id, id);
    }
    if slots.reply.is_wanted() {
        let code = reply(text);
        sheet.some(slots.reply, code);
    }
}

/// `250 2.0.0 Ok`, `host mx.example.org[192.0.2.7] said: 450 4.2.0 later`, or `… refused to talk to me: 554 5.7.1 no`,
/// which is how it greeted.
#[inline]
pub(super) fn reply(text: &[u8]) -> Option<&[u8]> {
    let said = match text.first()? {
        b'0'..=b'9' => text,
        _ => behind(text, &SAID).or_else(|| behind(text, &REFUSED))?,
    };
    parts::reply(said).map(|(code, _)| code)
}

fn behind<'a>(text: &'a [u8], words: &Finder<'_>) -> Option<&'a [u8]> {
    Some(&text[words.find(text)? + words.needle().len()..])
}

static SAID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b" said: "));
static REFUSED: LazyLock<Finder<'static>> =
    LazyLock::new(|| Finder::new(b" refused to talk to me: "));
static TAKEN: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(b"ed as "));

/// The id under which another queue has taken the message over, or this one once more. Nearly always it is the last
/// word.
#[inline]
fn new_id(text: &[u8]) -> Option<&[u8]> {
    let last = memrchr(b' ', text)? + 1;
    if is_taken(&text[..last]) {
        return parts::leading_id(&text[last..]);
    }
    let mut before = text;
    while let Some(at) = TAKEN.rfind(before) {
        let end = at + TAKEN.needle().len();
        if is_taken(&text[..end]) {
            return parts::leading_id(&text[end..]);
        }
        before = &text[..at];
    }
    None
}

#[inline]
fn is_taken(text: &[u8]) -> bool {
    text.ends_with(b"queued as ") || text.ends_with(b"forwarded as ")
}

/// Behind `client=`.
pub(super) fn received(sheet: &mut Sheet<'_, '_>, text: &[u8], has_id: bool) {
    sheet.kind(if has_id { Kind::Received } else { Kind::Other });
    let Some(peer) = parts::peer(text) else { return };
    sheet.client(&peer);
    if !peer.rest.is_empty() {
        login(sheet, peer.rest);
        original_id(sheet, peer.rest, b", orig_queue_id=");
    }
}

/// The two pairs with nothing behind them, as they are nearly always.
#[inline]
fn usual_login(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let method = text.strip_prefix(b", sasl_method=")?;
    let (method, rest) = method.split_at(memchr(b',', method)?);
    let user = rest.strip_prefix(b", sasl_username=")?;
    memchr(b',', user).is_none().then_some((method, user))
}

/// The id that the message had before: in the queue of the host that a filter got it from, or in this one. It stands
/// behind whatever a client may have chosen.
fn original_id(sheet: &mut Sheet<'_, '_>, text: &[u8], key: &[u8]) {
    let slot = sheet.slots.original_queue_id;
    if slot.is_wanted()
        && let Some(at) = memmem::rfind(text, key)
    {
        sheet.some(slot, parts::leading_id(&text[at + key.len()..]));
    }
}

/// `, sasl_method=PLAIN, sasl_username=jo[, sasl_sender=…]`, wherever it stands in a text. A user may have any name;
/// it reaches to the next pair.
pub(super) fn login(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    let slots = sheet.slots;
    if let Some((method, user)) = usual_login(text) {
        sheet.text(slots.sasl_method, method);
        return sheet.text(slots.sasl_user, user);
    }
    let pair = |key: &str| {
        let at = memmem::find(text, key.as_bytes())? + key.len();
        let value = &text[at..];
        let ends =
            [", sasl_username=", ", sasl_sender=", ", orig_", " sasl_username=", " sasl_sender="];
        let ends = ends.iter().filter_map(|end| memmem::find(value, end.as_bytes()));
        Some(&value[..ends.min().unwrap_or(value.len())])
    };
    let (method, user) = (pair("sasl_method="), pair("sasl_username="));
    sheet.some(slots.sasl_method, method);
    sheet.some(slots.sasl_user, user);
}

/// Behind `uid=`: a message of this host.
pub(super) fn picked_up(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    sheet.kind(Kind::Received);
    let from = memmem::find(text, b" from=<").map(|at| &text[at + 7..]);
    let ends = |rest: &[u8]| rest.is_empty() || rest.starts_with(b" orig_id=");
    if let Some((sender, rest)) = from.and_then(|from| parts::address(from, ends)) {
        sheet.sender(sender);
        original_id(sheet, rest, b" orig_id=");
    }
}

/// Behind `from=<`: the message enters the active queue, or it is given up.
pub(super) fn queued(sheet: &mut Sheet<'_, '_>, text: &[u8], statuses: &[Label]) {
    let ends = |rest: &[u8]| rest.starts_with(b", size=") || rest.starts_with(b", status=");
    let Some((sender, rest)) = parts::address(text, ends) else { return sheet.kind(Kind::Other) };
    sheet.sender(sender);
    if let Some(status) = rest.strip_prefix(b", status=") {
        let word = &status[..memchr(b',', status).unwrap_or(status.len())];
        let (number, kind) = kinds::status(word);
        sheet.label(sheet.slots.delivery, statuses[number]);
        return sheet.kind(kind.unwrap_or(Kind::Other));
    }
    sheet.kind(Kind::Active);
    let rest = &rest[b", size=".len()..];
    let size = &rest[..memchr(b',', rest).unwrap_or(rest.len())];
    sheet.digits(sheet.slots.bytes, size);
    if let Some(count) = rest[size.len()..].strip_prefix(b", nrcpt=") {
        let len = memchr(b' ', count).unwrap_or(count.len());
        sheet.digits(sheet.slots.recipients, &count[..len]);
    }
}

/// Behind `message-id=`; the brackets may be missing, or hold nothing.
pub(super) fn message_id(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    sheet.kind(Kind::Cleaned);
    let inner = text.strip_prefix(b"<").unwrap_or(text);
    sheet.text(sheet.slots.message_id, inner.strip_suffix(b">").unwrap_or(inner));
}

/// `sender non-delivery notification: 6F2C59AE0D9`, `sender non-delivery notification failed`
pub(super) fn notification(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    if let Some(what) = text.strip_suffix(b" notification failed") {
        sheet.kind(Kind::NotificationFailed);
        sheet.text(sheet.slots.action, what);
        return true;
    }
    const WORD: &[u8] = b" notification: ";
    let Some(at) = memmem::find(text, WORD) else { return false };
    let Some(id) = parts::leading_id(&text[at + WORD.len()..]) else { return false };
    sheet.kind(Kind::Notification);
    sheet.text(sheet.slots.action, &text[..at]);
    sheet.text(sheet.slots.new_queue_id, id);
    true
}
