//! The lines that belong to no message: sessions, TLS, postscreen, other servers that could not be reached, warnings.

use std::net::IpAddr;

use memchr::{memchr, memmem};

use super::kinds::{self, Kind, Severity};
use super::parts::{self, Peer};
use super::sheet::Sheet;

/// Sessions that ended badly, by their beginnings: `lost connection after RCPT from mx.example.org[192.0.2.7]`.
const TROUBLES: [&[u8]; 6] = [
    b"lost connection",
    b"timeout",
    b"too many errors",
    b"bare <LF> received",
    b"improper command pipelining",
    b"SSL_accept error",
];

/// Reads a line; false when it is none of those below.
pub(super) fn read(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    match text.first() {
        Some(b'c') => connect(sheet, text) || cleaned_cache(sheet, text) || untrusted(sheet, text),
        Some(b'd') => disconnect(sheet, text) || keywords(sheet, text),
        Some(b'A' | b'U' | b'T' | b'V') if tls(sheet, text) => true,
        Some(b'T') if handshake(sheet, text) => true,
        Some(b's') => statistics(sheet, text) || untrusted(sheet, text),
        Some(b'a') => listed(sheet, text) || aborted(sheet, text),
        Some(b'e' | b'l') if stressed(sheet, text) => true,
        Some(b'b' | b'l' | b't' | b'i' | b'S') => trouble(sheet, text) || lifecycle(sheet, text),
        Some(b'H') if offered(sheet, text) => true,
        Some(b'D' | b'P' | b'R' | b'E' | b'F') if queue_admin(sheet, text) => true,
        Some(b'A'..=b'Z') => screened(sheet, text),
        _ => lifecycle(sheet, text),
    }
}

/// What the TLS library does, step by step: `smtpd_tls_loglevel = 2`, and with 3 and 4 each byte. That TLS was spoken is
/// said by another line.
pub(super) fn tls_detail(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 12] = [
        b"subject=/",
        b"issuer=/",
        b"SSL_connect:",
        b"SSL_accept:",
        // `SSL3 alert write:fatal:unexpected_message`, whatever the version.
        b"SSL3 alert read:",
        b"SSL3 alert write:",
        b"open smtpd TLS cache ",
        b"open smtp TLS cache ",
        b"tlsmgr_cache_run_event",
        b"setting up TLS connection ",
        b"initializing the server-side TLS engine",
        b"initializing the client-side TLS engine",
    ];
    /// Behind the name of the other side.
    const BEHIND: [&[u8]; 10] = [
        b": matched peername: ",
        b": TLS cipher list ",
        b": subject_CN=",
        b": depth=",
        b": certificate verification depth=",
        b": Matched ",
        b": Issuing session ticket",
        b": Reusing old session",
        b": save session ",
        b": looking for session ",
    ];
    /// A name in front is at most so long.
    const WITHIN: usize = 300;
    let front = &text[..text.len().min(WITHIN)];
    let is_one = is_dump(text)
        || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        || BEHIND.iter().any(|words| memchr::memmem::find(front, words).is_some());
    if is_one {
        sheet.kind(Kind::TlsDetail);
    }
    is_one
}

/// `read from 56267FB62790 [56267FB75563] (5 bytes => 5 (0x5))`, `0010 e9 48 0a 73 11 9d c8 64|f2 7a b4 b2 57 ac 71 92  .H.s...d .z..W.q.`
fn is_dump(text: &[u8]) -> bool {
    match text.split_first_chunk::<5>() {
        Some(([place @ .., b' '], rest)) if place.iter().all(u8::is_ascii_hexdigit) => {
            matches!(rest, [b'-', b' ', ..] | [_, _, b' ' | b'|', ..])
        }
        Some((b"read " | b"write", _)) => {
            text.ends_with(b")") && memmem::find(text, b" bytes => ").is_some()
        }
        _ => false,
    }
}

/// `Host offered STARTTLS: [mx.example.org]`: a server that could have been asked for TLS.
fn offered(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(host) = text.strip_prefix(b"Host offered STARTTLS: ") else { return false };
    sheet.kind(Kind::TlsOffered);
    let host = host.strip_prefix(b"[").unwrap_or(host);
    sheet.text(sheet.slots.relay, host.strip_suffix(b"]").unwrap_or(host));
    true
}

/// `Deleted: 3 messages`: what postsuper says when it is done. It has named each message before.
fn queue_admin(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const DONE: [&[u8]; 7] = [
        b"Deleted",
        b"Requeued",
        b"Placed on hold",
        b"Released from hold",
        b"Expired",
        b"Force-expired",
        b"Renamed to match inode number",
    ];
    let colon = memchr(b':', text).unwrap_or(0);
    let (done, count) = text.split_at(colon);
    let is_count =
        count.strip_prefix(b": ").and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit);
    if !is_count || !DONE.contains(&done) {
        return false;
    }
    sheet.kind(Kind::QueueAdmin);
    sheet.text(sheet.slots.action, done);
    true
}

/// `connect from mx.example.org[192.0.2.7]`, `connect to mx.example.org[192.0.2.7]:25: Connection refused`
fn connect(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    if let Some(rest) = text.strip_prefix(b"connect from ") {
        sheet.kind(Kind::Connect);
        if let Some(peer) = parts::peer(rest) {
            sheet.client(&peer);
        }
        return true;
    }
    let Some(rest) = text.strip_prefix(b"connect to ") else { return false };
    let Some(peer) = parts::peer(rest) else { return false };
    sheet.kind(Kind::ConnectFailed);
    sheet.relay(peer.whole);
    sheet.some(sheet.slots.reason, peer.rest.strip_prefix(b": "));
    true
}

/// `cache btree:/var/lib/postfix/postscreen_cache full cleanup: retained=0 dropped=0 entries`
fn cleaned_cache(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let is_one = text.starts_with(b"cache ") && text.ends_with(b" entries");
    if is_one {
        sheet.kind(Kind::Statistics);
    }
    is_one
}

/// `certificate verification failed for mx.example.org[192.0.2.7]:25: untrusted issuer /C=US/O=Example`; 2.4 had a word
/// before or within.
fn untrusted(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 3] = [
        b"certificate verification failed for ",
        b"server certificate verification failed for ",
        b"certificate peer name verification failed for ",
    ];
    let Some(rest) = BEGINNINGS.iter().find_map(|words| text.strip_prefix(*words)) else {
        return false;
    };
    sheet.kind(Kind::TlsTrouble);
    if let Some(peer) = parts::peer(rest) {
        sheet.relay(peer.whole);
        sheet.some(sheet.slots.reason, peer.rest.strip_prefix(b": "));
    }
    true
}

/// `entering STRESS mode with 90 connections`: postscreen drops clients sooner until it leaves it.
fn stressed(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const WORDS: [&[u8]; 2] = [b"entering STRESS mode", b"leaving STRESS mode"];
    let Some(which) = WORDS.iter().position(|words| text.starts_with(words)) else { return false };
    sheet.kind([Kind::RateLimit, Kind::Screened][which]);
    sheet.text(sheet.slots.action, &text[..WORDS[which].len()]);
    true
}

/// `discarding EHLO keywords: CHUNKING`: what the other side is not told of, or not believed.
fn keywords(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let is_one = text.starts_with(b"discarding EHLO keywords: ");
    if is_one {
        sheet.kind(Kind::Ehlo);
    }
    is_one
}

fn disconnect(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"disconnect from ") else { return lifecycle(sheet, text) };
    sheet.kind(Kind::Disconnect);
    if let Some(peer) = parts::peer(rest) {
        sheet.client(&peer);
    }
    true
}

/// `timeout after DATA (17 bytes) from unknown[203.0.113.24]`. Towards other servers it is `lost connection with`.
pub(super) fn trouble(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let slots = sheet.slots;
    let Some(what) = TROUBLES.iter().find(|what| text.starts_with(what)) else { return false };
    let rest = &text[what.len()..];
    if !rest.starts_with(b" after ") && !rest.starts_with(b" from ") {
        return false;
    }
    sheet.kind(Kind::Session);
    sheet.text(slots.action, &text[..what.len()]);
    if let Some(stage) = rest.strip_prefix(b" after ") {
        let len = memchr(b' ', stage).unwrap_or(stage.len());
        sheet.text(slots.stage, &stage[..len]);
    }
    sheet.client_after(rest, " from ");
    true
}

/// `NOQUEUE: abort: TLS from mx.example.org[192.0.2.7]: …`
fn aborted(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"abort: ") else { return false };
    sheet.kind(Kind::Session);
    sheet.text(sheet.slots.action, &text[..5]);
    sheet.client_after(rest, " from ");
    true
}

/// `TLS handshake failed for service=smtpd peer=[192.0.2.7]:4242`: tlsproxy, for postscreen or for smtp.
fn handshake(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"TLS handshake failed for service=") else { return false };
    sheet.kind(Kind::TlsTrouble);
    let Some(at) = memmem::find(rest, b" peer=") else { return true };
    let Some(peer) = parts::peer(&rest[at + 6..]) else { return true };
    match rest.starts_with(b"smtpd ") {
        true => sheet.client(&peer),
        false => sheet.relay(peer.whole),
    }
    true
}

/// `Untrusted TLS connection established to mx.example.org[192.0.2.7]:25: TLSv1.3 with cipher NAME (256/256 bits) …`
fn tls(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let slots = sheet.slots;
    // Before 2.5 nothing was said of trust.
    let trust = if text.starts_with(b"TLS ") { 0 } else { memchr(b' ', text).unwrap_or(0) };
    let rest = text[trust..].trim_ascii_start();
    let Some(rest) = rest.strip_prefix(b"TLS connection ") else { return false };
    let word = memchr(b' ', rest).unwrap_or(0);
    let peer = match &rest[word..] {
        [b' ', b'f', b'r', b'o', b'm', b' ', peer @ ..] => {
            let peer = parts::peer(peer);
            peer.iter().for_each(|peer| sheet.client(peer));
            peer
        }
        [b' ', b't', b'o', b' ', peer @ ..] => {
            let peer = parts::peer(peer);
            peer.iter().for_each(|peer| sheet.relay(peer.whole));
            peer
        }
        _ => return false,
    };
    sheet.kind(Kind::Tls);
    sheet.some(slots.tls_trust, Some(&text[..trust]).filter(|trust| !trust.is_empty()));
    sheet.text(slots.action, &rest[..word]);
    if let Some(peer) = peer {
        cipher(sheet, peer.rest);
    }
    true
}

/// `: TLSv1.3 with cipher NAME (…)`, or with ` to SNI` in front of the colon.
fn cipher(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    let Some(colon) = memmem::find(text, b": ") else { return };
    let version = &text[colon + 2..];
    let len = memchr(b' ', version).unwrap_or(version.len());
    sheet.text(sheet.slots.tls_version, &version[..len]);
    if let Some(cipher) = version[len..].strip_prefix(b" with cipher ") {
        let len = memchr(b' ', cipher).unwrap_or(cipher.len());
        sheet.text(sheet.slots.tls_cipher, &cipher[..len]);
    }
}

/// What postscreen says in capitals, and whether the client has misbehaved.
const SCREENED: [(&[u8], Kind); 19] = [
    (b"CONNECT", Kind::Screened),
    (b"DISCONNECT", Kind::Screened),
    (b"PASS OLD", Kind::Screened),
    (b"PASS NEW", Kind::Screened),
    (b"WHITELISTED", Kind::Screened),
    (b"ALLOWLISTED", Kind::Screened),
    (b"BLACKLISTED", Kind::Policy),
    (b"DENYLISTED", Kind::Policy),
    (b"WHITELIST VETO", Kind::Policy),
    (b"ALLOWLIST VETO", Kind::Policy),
    (b"PREGREET", Kind::Session),
    (b"DNSBL rank", Kind::Session),
    (b"HANGUP", Kind::Session),
    (b"COMMAND PIPELINING", Kind::Session),
    (b"COMMAND TIME LIMIT", Kind::Session),
    (b"COMMAND COUNT LIMIT", Kind::Session),
    (b"COMMAND LENGTH LIMIT", Kind::Session),
    (b"BARE NEWLINE", Kind::Session),
    (b"NON-SMTP COMMAND", Kind::Session),
];

/// `PREGREET 20 after 0.1 from [192.0.2.7]:4242: EHLO x`, `PASS NEW [192.0.2.7]:4242`
fn screened(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let found = SCREENED.iter().find(|(word, _)| text.starts_with(word));
    let Some((word, kind)) = found.filter(|(word, _)| text.get(word.len()) == Some(&b' ')) else {
        return trouble(sheet, text) || lifecycle(sheet, text);
    };
    sheet.kind(*kind);
    sheet.text(sheet.slots.action, &text[..word.len()]);
    // The first peer is the client; CONNECT has the server behind it.
    let open = memmem::find(text, b" [").map(|at| &text[at + 1..]);
    if let Some(peer) = open.and_then(parts::peer) {
        sheet.client(&peer);
    }
    true
}

/// `addr 192.0.2.7 listed by domain zen.example as 127.0.0.4`; 2.8 began with `blocked`.
fn listed(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const WORDS: &[u8] = b" by domain ";
    let Some(rest) = text.strip_prefix(b"addr ") else { return false };
    let Some(at) = memmem::find(rest, WORDS) else { return false };
    let client = rest[..at].strip_suffix(b" listed").or(rest[..at].strip_suffix(b" blocked"));
    let Some(client) = client else { return false };
    sheet.kind(Kind::Listed);
    sheet.text(sheet.slots.client, client);
    let list = &rest[at + WORDS.len()..];
    sheet.text(sheet.slots.rule, &list[..memchr(b' ', list).unwrap_or(list.len())]);
    true
}

/// `statistics: max connection rate 3/60s for (smtp:192.0.2.7) at Mar  7 09:15:02`
fn statistics(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"statistics: ") else { return lifecycle(sheet, text) };
    sheet.kind(Kind::Statistics);
    if let Some(open) = memmem::find(rest, b" for (") {
        let service = &rest[open + 6..];
        let service = &service[..memchr(b')', service).unwrap_or(service.len())];
        sheet.some(sheet.slots.client, behind_service(service));
    }
    true
}

/// The client of `smtp:192.0.2.7`, `192.0.2.25:2525:192.0.2.7` and `[::1]:25:2001:db8::7`: what stands behind the
/// service, which is a port, by number or name, or a host and a port.
fn behind_service(text: &[u8]) -> Option<&[u8]> {
    let part = |text: &[u8]| memchr(b':', text).map(|at| at + 1);
    let host = match text.first() {
        Some(b'[') => memmem::find(text, b"]:")? + 2,
        _ => part(text).filter(|end| text[..*end].contains(&b'.')).unwrap_or(0),
    };
    let rest = &text[host + part(&text[host..])?..];
    // A host without a dot, such as `localhost`: what is left begins with the port, and is no address.
    let is_address =
        |text: &[u8]| str::from_utf8(text).is_ok_and(|text| text.parse::<IpAddr>().is_ok());
    match part(rest).map(|end| &rest[end..]) {
        Some(behind) if !is_address(rest) && is_address(behind) => Some(behind),
        _ => Some(rest),
    }
}

/// What the programs of the master and the scripts around it say of themselves.
fn lifecycle(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 12] = [
        b"daemon started",
        b"the Postfix mail system is running",
        b"using backwards-compatible default ",
        // By every postscreen that ends, where its cache is of Berkeley DB.
        b"close database ",
        b"reload ",
        b"terminating on signal",
        b"starting the Postfix",
        b"stopping the Postfix",
        b"refreshing the Postfix",
        b"aborting the Postfix",
        b"waiting for the Postfix",
        b"exiting on",
    ];
    let is_one = BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
    if is_one {
        sheet.kind(Kind::Lifecycle);
    }
    is_one
}

/// A message with a severity in front of it.
pub(super) fn severe(sheet: &mut Sheet<'_, '_>, severity: Severity, text: &[u8]) {
    if severity != Severity::Warning {
        return sheet.kind(Kind::Fatal);
    }
    let kind = kinds::of_warning(text);
    if kind == Kind::AuthFail {
        return sasl(sheet, text);
    }
    sheet.kind(kind);
    match kind {
        Kind::Resolve => unresolved(sheet, text),
        Kind::RelayTrouble => unfit(sheet, text),
        Kind::Protocol | Kind::RateLimit => sheet.client_after(text, " from "),
        _ => {
            // `[built-in]: zero result in delay template`: no client either.
            let is_client = |peer: &Peer<'_>| peer.rest.starts_with(b": ") && peer.is_client();
            let peer = parts::peer(text).filter(is_client);
            peer.iter().for_each(|peer| sheet.client(peer));
        }
    }
}

/// `unknown[192.0.2.7]: SASL LOGIN authentication failed: reason, sasl_username=jo`. What the SASL library adds in a
/// line of its own has no client, and is not one more attempt.
fn sasl(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    let slots = sheet.slots;
    let said = parts::peer(text).and_then(|peer| Some((peer, peer.rest.strip_prefix(b": SASL ")?)));
    let Some((peer, said)) = said else {
        sheet.kind(Kind::AuthDetail);
        return;
    };
    sheet.kind(Kind::AuthFail);
    sheet.client(&peer);
    let method = memchr(b' ', said).unwrap_or(said.len());
    sheet.text(slots.sasl_method, &said[..method]);
    let user = memmem::find(said, b", sasl_username=");
    sheet.some(slots.sasl_user, user.map(|at| &said[at + 16..]));
    let why = &said[method..user.unwrap_or(said.len())];
    let reason = memmem::find(why, b": ").map_or(why.trim_ascii_start(), |at| &why[at + 2..]);
    sheet.text(slots.reason, reason);
    // Nobody looked at the password.
    if reason == b"Connection lost to authentication server" {
        sheet.kind(Kind::Communication);
    }
}

/// `hostname liar.example does not resolve to address 192.0.2.7: …`, `192.0.2.7: hostname liar.example verification
/// failed: …`
fn unresolved(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    const BETWEEN: [&[u8]; 2] = [b": hostname ", b": address not listed for hostname "];
    let (name, address) = if let Some(rest) = text.strip_prefix(b"hostname ") {
        let at = memmem::find(rest, b"to address ");
        (Some(word(rest)), at.map(|at| word(&rest[at + 11..])))
    } else {
        let text = text.strip_prefix(b"smtpd_peer_init: ").unwrap_or(text);
        let found = BETWEEN.iter().find_map(|words| {
            memmem::find(text, words).map(|at| (word(&text[at + words.len()..]), &text[..at]))
        });
        found.filter(|(_, address)| !address.contains(&b' ')).unzip()
    };
    sheet.some(sheet.slots.client_name, name);
    sheet.some(sheet.slots.client, address);
}

/// `host mx.example.org[192.0.2.7]:25 greeted me with my own hostname mx1`, `non-SMTP response from mx.example.org[…]`
fn unfit(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    let behind = |at: usize| &text[at + 6..];
    let relay = text.strip_prefix(b"host ").or_else(|| memmem::find(text, b" from ").map(behind));
    if let Some(peer) = relay.and_then(parts::peer) {
        sheet.relay(peer.whole);
    }
}

/// The bytes up to a space, without a colon at their end.
fn word(text: &[u8]) -> &[u8] {
    let word = &text[..memchr(b' ', text).unwrap_or(text.len())];
    word.strip_suffix(b":").unwrap_or(word)
}
