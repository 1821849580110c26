//! What is told of zones: loading, refreshing, transfers, notifies, updates.

use super::kinds::Kind;
use super::parts::{self, around, in_parentheses, peer, quoted, word};
use super::sheet::Sheet;

/// Reads a message about a zone. False when it is none.
pub(super) fn read(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    match text.first() {
        Some(b'z') => zone(sheet, text),
        Some(b'm') => special(sheet, text, b"managed-keys-zone"),
        Some(b'r') => special(sheet, text, b"redirect-zone") || received_notify(sheet, text),
        Some(b't') => transfer(sheet, text),
        Some(b'0') => pointer(sheet, text),
        Some(b'b') => bad_transfer(sheet, text),
        Some(b'u') => update(sheet, text),
        _ => false,
    }
}

fn name(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    let zone = parts::zone(text);
    let slots = sheet.slots;
    sheet.text(slots.zone, zone.name);
    sheet.some(slots.qclass, zone.class);
    sheet.some(slots.view, zone.view);
}

/// `zone Z/C/V: TEXT` or `zone Z/C/V (signed): TEXT`
fn zone(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"zone ") else { return false };
    let Some((before, told)) = around(rest, ": ") else { return false };
    // Names of views may hold spaces.
    let marks = [&b" (signed)"[..], b" (unsigned)"];
    let zone = marks.iter().find_map(|mark| before.strip_suffix(*mark)).unwrap_or(before);
    if parts::zone(zone).class.is_none() {
        return false;
    }
    name(sheet, zone);
    of_zone(sheet, told);
    true
}

/// `managed-keys-zone/V: TEXT`
fn special(sheet: &mut Sheet<'_, '_>, text: &[u8], beginning: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(beginning) else { return false };
    let Some((before, told)) = around(rest, ": ") else { return false };
    match before {
        b"" => {}
        [b'/', view @ ..] => sheet.text(sheet.slots.view, view),
        _ => return false,
    }
    sheet.text(sheet.slots.zone, &text[..beginning.len()]);
    of_zone(sheet, told);
    true
}

/// The beginnings of what is told of a zone.
const BEGINNINGS: [(&[u8], Kind); 30] = [
    (b"loaded serial ", Kind::ZoneLoaded),
    (b"loaded; checking validity", Kind::ZoneLoaded),
    (b"not loaded due to errors", Kind::ZoneNotLoaded),
    // Why, in front of the line that says that it was not: one zone may have several.
    (b"loading from ", Kind::ZoneLoadError),
    (b"loading master file ", Kind::ZoneLoadError),
    (b"has no NS records", Kind::ZoneLoadError),
    (b"has 0 SOA records", Kind::ZoneLoadError),
    (b"zone serial (", Kind::ZoneSerial),
    (b"serial number (", Kind::ZoneSerial),
    (b"expired", Kind::ZoneExpired),
    (b"refresh: ", Kind::ZoneRefresh),
    (b"unable to transfer: ", Kind::ZoneRefresh),
    (b"journal ", Kind::ZoneJournal),
    (b"retried using the backup journal", Kind::ZoneJournal),
    (b"sending notifies ", Kind::Notify),
    (b"sending notify to ", Kind::Notify),
    (b"Transfer started", Kind::TransferIn),
    (b"transferred serial ", Kind::TransferIn),
    (b"zone transfer deferred ", Kind::TransferIn),
    (b"got incremental response", Kind::TransferIn),
    (b"reconfiguring zone keys", Kind::ZoneKeys),
    (b"next key event", Kind::ZoneKeys),
    (b"receive_secure_serial: ", Kind::ZoneKeys),
    (b"Unable to fetch DNSKEY", Kind::Dnssec),
    (b"No DNSKEY RRSIGs found", Kind::Dnssec),
    (b"DNSKEY RRSIG(s) have expired", Kind::Dnssec),
    (b"Key ", Kind::ZoneKeys),
    (b"removed", Kind::ZoneRemoved),
    (b"(stub) ", Kind::Zone),
    (b"shutting down", Kind::ZoneRemoved),
];

/// What stands in the middle of what is told of a zone, and no beginning tells.
const MIDDLES: [(&str, Kind); 6] = [
    ("has no address records", Kind::ZoneData),
    ("GLUE address records", Kind::ZoneData),
    ("is a CNAME (illegal)", Kind::ZoneData),
    ("CNAME and other data", Kind::ZoneSyntax),
    ("is below a DNAME", Kind::ZoneData),
    ("journal", Kind::ZoneJournal),
];

fn of_zone(sheet: &mut Sheet<'_, '_>, told: &[u8]) {
    if let Some(rest) = told.strip_prefix(b"notify from ") {
        sheet.kind(Kind::Notify);
        return from_peer(sheet, rest);
    }
    // What became of a notify of ours.
    let ours = told.strip_prefix(b"notify response from ").or(told.strip_prefix(b"notify to "));
    if let Some((address, rest)) = ours.and_then(peer) {
        let outcome = rest.strip_prefix(b": ").unwrap_or(rest);
        sheet.kind(if outcome == b"NOERROR" { Kind::Notify } else { Kind::NotifyFailed });
        sheet.text(sheet.slots.upstream, address);
        return sheet.text(sheet.slots.reason, outcome);
    }
    if let Some(rest) = told.strip_prefix(b"refused notify from ") {
        sheet.kind(Kind::NotifyRefused);
        let (who, peer) = around(rest, ": ").unwrap_or((b"", rest));
        from_peer(sheet, peer);
        sheet.some(sheet.slots.reason, Some(who).filter(|who| !who.is_empty()));
        return;
    }
    let found = BEGINNINGS.iter().find(|(beginning, _)| told.starts_with(beginning));
    let kind = found.map(|(_, kind)| *kind).or_else(|| {
        let has = |part: &str| memchr::memmem::find(told, part.as_bytes()).is_some();
        MIDDLES.iter().find(|(part, _)| has(part)).map(|(_, kind)| *kind)
    });
    let kind = kind.unwrap_or(Kind::Zone);
    sheet.kind(kind);
    if kind == Kind::TransferIn {
        return step(sheet, told);
    }
    sheet.text(sheet.slots.reason, told);
    if kind == Kind::ZoneRefresh {
        refresh(sheet, told);
    }
}

/// `Transfer started.`, `transferred serial N: TSIG 'K'`, `zone transfer deferred due to quota`: the step alone, since each serial would be another reason.
fn step(sheet: &mut Sheet<'_, '_>, told: &[u8]) {
    let before = [&b"Transfer "[..], b"zone transfer "];
    let rest = before.iter().find_map(|before| told.strip_prefix(*before)).unwrap_or(told);
    let step = word(rest).0;
    sheet.text(sheet.slots.action, step.strip_suffix(b".").unwrap_or(step));
}

/// `A#P: …`
fn from_peer(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    if let Some((address, rest)) = peer(text) {
        let port = &text[address.len() + 1..text.len() - rest.len()];
        sheet.text(sheet.slots.client, address);
        sheet.digits(sheet.slots.client_port, port);
        sheet.some(sheet.slots.reason, rest.strip_prefix(b": "));
    }
}

/// The server that was asked: `refresh: failure trying primary A#P (source …): WHY`, `… from master A#P`.
fn refresh(sheet: &mut Sheet<'_, '_>, told: &[u8]) {
    const BEFORE: [&str; 4] = [" primary ", " master ", " from ", " for "];
    let found = BEFORE.iter().find_map(|before| peer(around(told, before)?.1));
    if let Some((address, _)) = found {
        sheet.text(sheet.slots.upstream, address);
    }
}

/// `0x7f91: transfer of …`, as newer versions write it.
fn pointer(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some((pointer, rest)) = around(text, ": ") else { return false };
    let is_one = pointer.starts_with(b"0x") && pointer[2..].iter().all(u8::is_ascii_hexdigit);
    is_one && transfer(sheet, rest)
}

/// `transfer of 'Z/C' from A#P: TEXT` of one that comes in, `transfer of 'Z/C': TEXT` of one that goes out.
fn transfer(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"transfer of ") else { return false };
    let Some((zone, rest)) = quoted(rest) else { return false };
    name(sheet, zone);
    match (rest.strip_prefix(b" from "), rest.strip_prefix(b": ")) {
        (Some(rest), _) => {
            let Some((address, rest)) = peer(rest) else { return false };
            sheet.text(sheet.slots.upstream, address);
            incoming(sheet, rest.strip_prefix(b": ").unwrap_or(rest));
        }
        (None, Some(told)) => outgoing(sheet, told),
        (None, None) => return false,
    }
    true
}

fn incoming(sheet: &mut Sheet<'_, '_>, told: &[u8]) {
    let slots = sheet.slots;
    if let Some(status) = told.strip_prefix(b"Transfer status: ") {
        // Every failure has a line of its own before this one, and is no second one here.
        sheet.kind(Kind::TransferIn);
        sheet.text(slots.action, &told[b"Transfer ".len()..][..b"status".len()]);
        return sheet.text(slots.reason, status);
    }
    let failed = told.starts_with(b"failed ") || told.starts_with(b"giving up");
    sheet.kind(if failed { Kind::TransferFailed } else { Kind::TransferIn });
    if let Some(rest) = told.strip_prefix(b"Transfer completed: ") {
        sheet.text(slots.action, &told[b"Transfer ".len()..][..b"completed".len()]);
        return amounts(sheet, rest);
    }
    sheet.text(slots.action, word(told).0);
    if failed && let Some((_, reason)) = around(told, ": ") {
        sheet.text(slots.reason, reason);
    }
}

/// `M messages, R records, B bytes, S secs (X bytes/sec)`
fn amounts(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    for part in text.split(|byte| *byte == b',') {
        let (number, unit) = word(part.trim_ascii_start());
        match unit {
            b"bytes" => sheet.digits(sheet.slots.bytes, number),
            _ if unit.starts_with(b"secs") => sheet.seconds(sheet.slots.duration, number),
            b"records" => sheet.digits(sheet.slots.answers, number),
            _ => {}
        }
    }
}

/// `AXFR started: TSIG K (serial N)`, `IXFR ended: M messages, …`, `AXFR-style IXFR …`
fn outgoing(sheet: &mut Sheet<'_, '_>, told: &[u8]) {
    let slots = sheet.slots;
    let failed = told.starts_with(b"aborted")
        || told.starts_with(b"send: ")
        || memchr::memmem::find(told, b" failed").is_some();
    sheet.kind(if failed { Kind::TransferFailed } else { Kind::TransferOut });
    let style = told.strip_prefix(b"AXFR-style ").unwrap_or(told);
    let (kind, rest) = word(style);
    if matches!(kind, b"AXFR" | b"IXFR") {
        sheet.text(slots.qtype, kind);
        // `IXFR delta size (555 bytes) exceeds the maximum ratio to database size (368 bytes), falling back to AXFR`
        let fallback = memchr::memmem::find(rest, b"falling back to ").map(|at| &rest[at..]);
        let (action, rest) = word(rest);
        let step = action.strip_suffix(b":").unwrap_or(action);
        sheet.text(slots.action, fallback.unwrap_or(step));
        if action == b"ended:" {
            amounts(sheet, rest);
        }
    }
    if failed {
        sheet.text(slots.reason, around(told, ": ").map_or(told, |(_, reason)| reason));
    }
}

/// `bad zone transfer request: 'Z/C': non-authoritative zone (NOTAUTH)`
fn bad_transfer(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"bad zone transfer request: ") else { return false };
    sheet.kind(Kind::TransferRefused);
    if let Some((zone, rest)) = quoted(rest) {
        name(sheet, zone);
        sheet.some(sheet.slots.reason, rest.strip_prefix(b": "));
    }
    true
}

/// `received notify for zone 'Z'[: TSIG 'K']` or `…: not authoritative`
fn received_notify(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"received notify for zone ") else { return false };
    let Some((zone, rest)) = quoted(rest) else { return false };
    sheet.text(sheet.slots.zone, zone);
    match rest.strip_prefix(b": ") {
        Some(reason) if !reason.starts_with(b"TSIG ") => {
            sheet.kind(Kind::NotifyRefused);
            sheet.text(sheet.slots.reason, reason);
        }
        _ => sheet.kind(Kind::Notify),
    }
    true
}

/// `updating zone 'Z/C': …` and `update failed: …`
fn update(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    if let Some(rest) = text.strip_prefix(b"update failed: ") {
        sheet.kind(Kind::UpdateFailed);
        match around(rest, ": ").filter(|(zone, _)| !zone.contains(&b' ')) {
            Some((zone, reason)) => {
                sheet.text(sheet.slots.zone, zone);
                sheet.text(sheet.slots.reason, reason);
            }
            None => sheet.text(sheet.slots.reason, rest),
        }
        return true;
    }
    let Some(rest) = text.strip_prefix(b"updating zone ") else { return false };
    let Some((zone, rest)) = quoted(rest) else { return false };
    name(sheet, zone);
    let told = rest.strip_prefix(b": ").unwrap_or(rest);
    let has = |part: &[u8]| memchr::memmem::find(told, part).is_some();
    let failed = told.starts_with(b"update unsuccessful")
        || told.starts_with(b"update failed")
        || told.starts_with(b"error: ")
        || has(b" rejected")
        || has(b"rolling back");
    sheet.kind(if failed { Kind::UpdateFailed } else { Kind::Update });
    let end = match failed {
        true => memchr::memchr(b':', told).unwrap_or(told.len()),
        // What is done, without the name that it is done to.
        false => [&b" at "[..], b" from name "]
            .iter()
            .filter_map(|before| memchr::memmem::find(told, before))
            .min()
            .unwrap_or(told.len()),
    };
    sheet.text(sheet.slots.action, &told[..end]);
    if failed {
        sheet.text(sheet.slots.reason, in_parentheses(told).unwrap_or(told));
    }
    true
}
