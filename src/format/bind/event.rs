//! Everything that is no query and no response: failures, refusals, limits, other servers, zones, the server itself.
//!
//! A message is told by how it begins, whatever its category, since categories can be switched off and moved between
//! versions. What is known of none gets a kind by its category.

use super::kinds::{self, Kind, Severity};
use super::parts::{around, in_parentheses, peer, quoted, three, two, word};
use super::sheet::Sheet;
use super::zone;

/// Reads a message. False when nothing is known of it.
pub(super) fn read(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let known = match text.first() {
        Some(b'q') => query_failed(sheet, text) || denied(sheet, text),
        Some(b'r') => rate_limit(sheet, text) || policy(sheet, text) || signature(sheet, text),
        Some(b'l' | b'*' | b'w') => limit(sheet, text) || lame_server(sheet, text),
        Some(b'c') => catalog(sheet, text),
        Some(b'd') => policy(sheet, text),
        Some(b's') => limit(sheet, text) || signer(sheet, text),
        Some(b'v') => validating(sheet, text),
        Some(b'D') => format_error(sheet, text),
        Some(b'f') => fetch(sheet, text),
        Some(b't') => too_many(sheet, text) || telemetry(sheet, text),
        _ => false,
    };
    known
        || zone::read(sheet, text)
        || denied(sheet, text)
        || resolving(sheet, text)
        || stale(sheet, text)
        || simple(sheet, text)
}

/// Names a message of which nothing is known.
pub(super) fn unknown(sheet: &mut Sheet<'_, '_>, category: Option<&[u8]>) {
    let kind = match category.unwrap_or_default() {
        b"config" => Kind::Config,
        b"network" => Kind::Network,
        b"xfer-in" => Kind::TransferIn,
        b"xfer-out" => Kind::TransferOut,
        b"notify" => Kind::Notify,
        b"update" | b"update-security" => Kind::Update,
        b"dnssec" => Kind::ZoneKeys,
        b"resolver" | b"delegation-only" | b"edns-disabled" | b"cname" => Kind::Resolver,
        b"lame-servers" => Kind::Lame,
        b"rpz" => Kind::PolicyZone,
        b"rpz-passthru" => Kind::PolicyPassed,
        b"rate-limit" => Kind::RateLimit,
        b"client" => Kind::ClientTrouble,
        b"spill" => Kind::FetchLimit,
        b"zoneload" => Kind::Zone,
        b"serve-stale" => Kind::Stale,
        b"trust-anchor-telemetry" => Kind::Telemetry,
        _ => Kind::Other,
    };
    sheet.kind(kind);
}

/// `catz: adding zone 'Z' from catalog 'C' - success`, `catz: updating catalog zone 'C' with serial N`, `catz: C: reload
/// start`.
fn catalog(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"catz: ") else { return false };
    sheet.kind(Kind::CatalogZone);
    match memchr::memchr(b'\'', rest) {
        Some(quote) => {
            sheet.text(sheet.slots.action, rest[..quote].trim_ascii_end());
            sheet.some(sheet.slots.zone, quoted(&rest[quote..]).map(|(zone, _)| zone));
            sheet.some(sheet.slots.reason, around(rest, " - ").map(|(_, result)| result));
        }
        None => {
            let (zone, step) = around(rest, ": ").unwrap_or((b"", rest));
            sheet.some(sheet.slots.zone, Some(zone).filter(|zone| !zone.is_empty()));
            sheet.text(sheet.slots.action, step);
        }
    }
    true
}

/// `query failed (REASON) for N/C/T at FILE:LINE`, of which all behind the reason may be missing.
fn query_failed(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"query failed (") else { return false };
    let Some((reason, rest)) = around(rest, ")") else { return false };
    sheet.kind(kinds::of_failure(reason));
    sheet.text(sheet.slots.reason, reason);
    if let Some(rest) = rest.strip_prefix(b" for ")
        && let Some((name, class, kind)) = three(word(rest).0)
    {
        sheet.question(name, Some(kind), Some(class));
    }
    true
}

/// `query (cache) 'N/T/C' denied (WHY)`, and the same of zone transfers, updates and notifies, or `approved`.
fn denied(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const ACTIONS: [&[u8]; 9] = [
        b"query",
        b"query (cache)",
        b"query-on",
        b"query-on (cache)",
        b"zone transfer",
        b"update",
        b"update forwarding",
        b"notify",
        b"recursion",
    ];
    let Some(quote) = memchr::memchr(b'\'', text) else { return denied_unnamed(sheet, text) };
    let action = text[..quote].trim_ascii_end();
    let Some((what, rest)) = quoted(&text[quote..]) else { return false };
    if !ACTIONS.contains(&action) {
        return false;
    }
    let kind = match rest {
        _ if rest.starts_with(b" denied") => Kind::Denied,
        _ if rest.starts_with(b" approved") => Kind::Approved,
        _ => return false,
    };
    sheet.kind(kind);
    sheet.text(sheet.slots.action, action);
    sheet.some(sheet.slots.reason, in_parentheses(rest));
    match (three(what), two(what)) {
        (Some((name, kind, class)), _) => {
            sheet.question(name, Some(kind), Some(class));
            if action == b"zone transfer" {
                sheet.text(sheet.slots.zone, name);
            }
        }
        (None, Some((zone, class))) => {
            sheet.text(sheet.slots.zone, zone);
            sheet.text(sheet.slots.qclass, class);
        }
        (None, None) => {}
    }
    true
}

/// `query (cache) denied`: before 9.4 without a name.
fn denied_unnamed(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let action = text.trim_ascii_end().strip_suffix(b" denied").unwrap_or_default();
    let is_one = matches!(action, b"query" | b"query (cache)" | b"recursion");
    if is_one {
        sheet.kind(Kind::Denied);
        sheet.text(sheet.slots.action, action);
    }
    is_one
}

/// `request has invalid signature: TSIG K: …`
fn signature(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"request has invalid signature: ") else { return false };
    sheet.kind(Kind::Denied);
    sheet.text(sheet.slots.action, &text[..b"request".len()]);
    sheet.text(sheet.slots.reason, rest);
    true
}

/// `signer "K" approved` or `denied`.
fn signer(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    if !text.starts_with(b"signer \"") {
        return false;
    }
    let is_denied = text.ends_with(b" denied");
    sheet.kind(if is_denied { Kind::Denied } else { Kind::Approved });
    sheet.text(sheet.slots.action, &text[..b"signer".len()]);
    true
}

/// `rate limit slip NXDOMAIN response to NET for N IN T  (HASH)`: what became of one answer.
fn rate_limit(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"rate limit ") else { return false };
    let (action, rest) = word(rest);
    sheet.text(sheet.slots.action, action);
    limited(sheet, rest)
}

/// `[*]limit|stop limiting|would limit NXDOMAIN responses to NET for N IN T  (HASH)`: what the server began or ended. What
/// it would do under `log-only` it does not do: nobody is limited.
fn limit(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 5] = [
        b"limit ",
        b"stop limiting ",
        b"would limit ",
        b"would stop limiting ",
        b"would rate limit ",
    ];
    let text = text.strip_prefix(b"*").unwrap_or(text);
    let Some(beginning) = BEGINNINGS.iter().find(|beginning| text.starts_with(beginning)) else {
        return false;
    };
    let (action, rest) = text.split_at(beginning.len());
    sheet.text(sheet.slots.action, action.trim_ascii_end());
    let is_known = limited(sheet, rest);
    if is_known && beginning.starts_with(b"would ") {
        sheet.kind(Kind::RateLimitLogOnly);
    }
    is_known
}

/// `[KIND ]response[s] to NET for N[ CLASS[ TYPE]]  (HASH)`
fn limited(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some((what, rest)) = around(text, " to ") else { return false };
    let (network, rest) = word(rest);
    sheet.kind(Kind::RateLimit);
    sheet.text(sheet.slots.rule, network);
    let (what, all) = word(what);
    if !all.is_empty() {
        sheet.text(sheet.slots.reason, what);
    }
    if let Some(rest) = rest.strip_prefix(b"for ") {
        let (name, rest) = word(rest);
        let (class, rest) = word(rest);
        let (kind, _) = word(rest);
        let is_given = |word: &[u8]| !word.is_empty() && !word.starts_with(b"(");
        let class = Some(class).filter(|class| is_given(class));
        sheet.question(name, Some(kind).filter(|kind| is_given(kind)), class);
    }
    true
}

/// `[disabled ]rpz TRIGGER POLICY rewrite N/T/C via RULE[ (CNAME to: X)]`, and what policy zones tell.
fn policy(sheet: &mut Sheet<'_, '_>, whole: &[u8]) -> bool {
    let (text, is_disabled) = match whole.strip_prefix(b"disabled ") {
        Some(rest) => (rest, true),
        None => (whole, false),
    };
    if text.starts_with(b"rpz: ") {
        sheet.kind(Kind::PolicyZone);
        return true;
    }
    let Some(rest) = text.strip_prefix(b"rpz ") else { return false };
    let Some((before, rest)) = around(rest, "rewrite ") else { return false };
    let (_, policy) = word(before.trim_ascii_end());
    let policy = policy.trim_ascii_end();
    let is_failure = memchr::memmem::find(rest, b" failed: ").is_some();
    sheet.kind(match policy {
        _ if is_failure => Kind::PolicyFailed,
        b"PASSTHRU" => Kind::PolicyPassed,
        // The answer went out as it was; the rule says what would have become of it.
        _ if is_disabled => Kind::PolicyPassed,
        _ => Kind::Policy,
    });
    sheet.text(sheet.slots.action, if is_disabled { &whole[..b"disabled".len()] } else { policy });
    let (question, rest) = word(rest);
    match three(question) {
        Some((name, kind, class)) if super::parts::is_class(class) => {
            sheet.question(name, Some(kind), Some(class));
        }
        _ => sheet.name(question),
    }
    if let Some(rule) = rest.strip_prefix(b"via ") {
        sheet.text(sheet.slots.rule, word(rule).0);
    }
    true
}

/// `lame server resolving 'N' (in 'D'?): A#53`
fn lame_server(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"lame server resolving ") else { return false };
    let Some((name, rest)) = quoted(rest) else { return false };
    sheet.kind(Kind::Lame);
    sheet.name(name);
    sheet.text(sheet.slots.reason, &text[..b"lame server".len()]);
    upstream(sheet, rest);
    true
}

/// The server at the end of a message: `…: A#53`.
fn upstream(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    if let Some(colon) = memchr::memmem::rfind(text, b": ")
        && let Some((address, _)) = peer(&text[colon + 2..])
    {
        sheet.text(sheet.slots.upstream, address);
    }
}

/// `REASON resolving 'N/T/C': A#53`, and what else is told of resolving a name.
fn resolving(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some((reason, rest)) = around(text, " resolving '") else { return false };
    let Some((what, rest)) = quoted(&text[text.len() - rest.len() - 1..]) else { return false };
    let is_lame = three(what).is_some_and(|(.., class)| super::parts::is_class(class));
    sheet.kind(if is_lame { Kind::Lame } else { Kind::Resolver });
    match (three(what).filter(|_| is_lame), two(what)) {
        (Some((name, kind, class)), _) => sheet.question(name, Some(kind), Some(class)),
        (None, Some((name, kind))) => sheet.question(name, Some(kind), None),
        (None, None) => sheet.name(what),
    }
    let (_, after) = around(rest, " after ").unwrap_or_default();
    sheet.text(sheet.slots.reason, if after.is_empty() { reason } else { after });
    upstream(sheet, rest);
    true
}

/// `N resolver failure, stale answer used`, `N stale answer used, an attempt to refresh the RRset will still be made`
fn stale(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let (name, reason) = word(text);
    if name.is_empty() || memchr::memmem::find(reason, b"stale answer ").is_none() {
        return false;
    }
    sheet.kind(Kind::Stale);
    sheet.name(name);
    sheet.text(sheet.slots.reason, reason);
    true
}

/// `DNS format error from A#53 resolving N/T for CLIENT: TEXT`
fn format_error(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"DNS format error from ") else { return false };
    let Some((address, rest)) = peer(rest) else { return false };
    sheet.kind(Kind::Resolver);
    sheet.text(sheet.slots.upstream, address);
    let Some(rest) = rest.strip_prefix(b" resolving ") else { return true };
    let (question, rest) = word(rest);
    let question = question.strip_suffix(b":").unwrap_or(question);
    if let Some((name, kind)) = two(question) {
        sheet.question(name, Some(kind), None);
    }
    let reason = match rest.strip_prefix(b"for ") {
        Some(rest) => {
            // BIND 9.9 and before say `for client A#P`.
            let (client, reason) = word(rest.strip_prefix(b"client ").unwrap_or(rest));
            if let Some((address, _)) = peer(client) {
                sheet.text(sheet.slots.client, address);
                let port = client[address.len() + 1..].strip_suffix(b":").unwrap_or_default();
                sheet.digits(sheet.slots.client_port, port);
            }
            reason
        }
        None => rest,
    };
    sheet.text(sheet.slots.reason, reason);
    true
}

/// `validating N/T: TEXT`; older versions put a pointer in front, and a space for the slash.
fn validating(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let text = match text.strip_prefix(b"view ") {
        Some(rest) => around(rest, ": ").map_or(text, |(_, rest)| rest),
        None => text,
    };
    let Some(mut rest) = text.strip_prefix(b"validating ") else { return false };
    if rest.starts_with(b"@0x") {
        rest = word(rest).1;
    }
    let Some((question, reason)) = around(rest, ": ") else { return false };
    sheet.kind(Kind::Dnssec);
    let split = two(question).or_else(|| Some(word(question)).filter(|(_, kind)| !kind.is_empty()));
    match split {
        Some((name, kind)) => sheet.question(name, Some(kind), None),
        None => sheet.name(question),
    }
    sheet.text(sheet.slots.reason, reason);
    true
}

/// `fetch completed for N/T in S: …` and `fetch counters for D now being discarded (…)`.
fn fetch(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    if let Some(rest) = text.strip_prefix(b"fetch counters for ") {
        sheet.kind(Kind::FetchLimit);
        sheet.name(word(rest).0);
        return true;
    }
    let Some(rest) = text.strip_prefix(b"fetch completed ") else { return false };
    sheet.kind(Kind::FetchDetail);
    let Some((question, rest)) = around(rest, " in ") else { return true };
    let question = question.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    if let Some((name, kind)) = two(question) {
        sheet.question(name, Some(kind), None);
    }
    if let Some((seconds, rest)) = around(rest, ": ") {
        sheet.seconds(sheet.slots.duration, seconds);
        sheet.text(sheet.slots.reason, around(rest, " [").map_or(rest, |(reason, _)| reason));
    }
    true
}

/// `too many simultaneous fetches for D (allowed 6 spilled 1)`
fn too_many(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"too many simultaneous fetches for ";
    let Some(rest) = text.strip_prefix(BEGINNING) else { return false };
    sheet.kind(Kind::Quota);
    sheet.name(word(rest).0);
    sheet.text(sheet.slots.reason, &text[..BEGINNING.len() - b" for ".len()]);
    true
}

/// `trust-anchor-telemetry '_ta-4f66/IN' from A`
fn telemetry(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"trust-anchor-telemetry ") else { return false };
    sheet.kind(Kind::Telemetry);
    if let Some((what, rest)) = quoted(rest) {
        sheet.name(super::parts::zone(what).name);
        sheet.some(sheet.slots.client, rest.strip_prefix(b" from "));
    }
    true
}

/// Messages that are told whole by how they begin.
fn simple(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let found = BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(beginning));
    let kind = match found {
        Some((beginning, kind)) => {
            if let Some(command) = text.strip_prefix(b"received control channel command ") {
                sheet.some(sheet.slots.action, quoted(command).map(|(command, _)| command));
            } else if *kind == Kind::Quota {
                let end = memchr::memchr(b'(', text).unwrap_or(text.len());
                sheet.text(sheet.slots.reason, text[..end].trim_ascii_end());
            } else if *kind == Kind::SendFailed {
                sheet.text(sheet.slots.reason, &text[beginning.len()..]);
            }
            *kind
        }
        None if is_outcome(text) => {
            sheet.text(sheet.slots.action, text);
            Kind::Control
        }
        None if is_crash(text) => Kind::Crash,
        None if is_frame(text) => Kind::CrashTrace,
        None if is_syntax_error(text) => of_file(sheet.severity, text),
        None => return false,
    };
    sheet.kind(kind);
    true
}

/// The beginnings of messages, the longer of two alike first.
const BEGINNINGS: [(&[u8], Kind); 99] = [
    (b"RFC 1918 response from Internet for ", Kind::Resolver),
    (b"shut down hung fetch ", Kind::Resolver),
    (b"enforced delegation-only ", Kind::Resolver),
    (b"notify question section contains no SOA", Kind::NotifyRefused),
    (b"request is not signed", Kind::ClientTrouble),
    (b"received SIGHUP signal ", Kind::Control),
    (b"could not configure root hints ", Kind::ConfigFailed),
    (b"config.c: ", Kind::Config),
    (b"the default for the ", Kind::Config),
    (b"zone '", Kind::Config),
    (b"isc_log_open '", Kind::Config),
    (b"open '", Kind::Config),
    (b"no IPv4 interfaces found", Kind::Config),
    (b"no IPv6 interfaces found", Kind::Config),
    (b"binding TCP socket: ", Kind::NetworkFailed),
    (b"binding UDP socket: ", Kind::NetworkFailed),
    (b"internal_accept: ", Kind::NetworkFailed),
    (b"dispatch 0x", Kind::Network),
    (b"socket: too many open file descriptors", Kind::Limits),
    (b"dumping ", Kind::Zone),
    (b"TTL differs in rdataset", Kind::ZoneData),
    (b"GeoIP ", Kind::GeoIp),
    (b"Inc. (ISC), a non-profit", Kind::Lifecycle),
    (b"corporation.  Support and training", Kind::Lifecycle),
    (b"available at https://www.isc.org", Kind::Lifecycle),
    (b"----------------------------------------------------", Kind::Lifecycle),
    (b"no more recursive clients", Kind::Quota),
    (b"no more TCP clients", Kind::Quota),
    (b"recursive-clients soft limit exceeded", Kind::Quota),
    (b"recursive-clients hard limit exceeded", Kind::Quota),
    (b"TCP client quota reached", Kind::Quota),
    (b"clients-per-query", Kind::FetchLimit),
    (b"error sending response: ", Kind::SendFailed),
    (b"TCP connection failed: ", Kind::SendFailed),
    (b"message parsing failed: ", Kind::Formerr),
    (b"recursion requested but not available", Kind::Denied),
    (b"dropped request", Kind::ClientTrouble),
    (b"request failed: ", Kind::ClientTrouble),
    (b"received control channel command ", Kind::Control),
    (b"unknown control channel command ", Kind::Control),
    (b"invalid command from ", Kind::Control),
    (b"rejected command channel message from ", Kind::Control),
    (b"reloading configuration failed", Kind::ConfigFailed),
    (b"loading configuration: ", Kind::ConfigFailed),
    (b"reloading zones failed", Kind::ConfigFailed),
    (b"reloading ", Kind::Lifecycle),
    (b"starting BIND ", Kind::Lifecycle),
    (b"running on ", Kind::Lifecycle),
    (b"running as: ", Kind::Lifecycle),
    (b"running", Kind::Lifecycle),
    (b"all zones loaded", Kind::Lifecycle),
    (b"any newly configured zones are now loaded", Kind::Lifecycle),
    (b"scheduled loading new zones", Kind::Lifecycle),
    (b"shutting down", Kind::Lifecycle),
    (b"stopping ", Kind::Lifecycle),
    (b"exiting (due to ", Kind::Crash),
    (b"exiting", Kind::Lifecycle),
    (b"built with ", Kind::Lifecycle),
    (b"built by ", Kind::Lifecycle),
    (b"compiled ", Kind::Lifecycle),
    (b"linked ", Kind::Lifecycle),
    (b"found ", Kind::Lifecycle),
    (b"using ", Kind::Config),
    (b"BIND 9 is maintained ", Kind::Lifecycle),
    (b"loading configuration from ", Kind::Config),
    (b"the working directory is ", Kind::Config),
    (b"reading built-in trust anchors ", Kind::Config),
    (b"looking for GeoIP", Kind::Config),
    (b"GEO-IP Database ", Kind::GeoIp),
    (b"initializing GeoIP", Kind::GeoIp),
    (b"sizing zone task pool", Kind::Config),
    (b"automatic empty zone: ", Kind::Config),
    (b"default max-cache-size ", Kind::Config),
    (b"set up managed keys zone", Kind::Config),
    (b"generating session key ", Kind::Config),
    (b"obtaining root key ", Kind::Config),
    (b"none:", Kind::Config),
    (b"configuring command channel ", Kind::Config),
    (b"command channel listening on ", Kind::Network),
    (b"couldn't add command channel ", Kind::NetworkFailed),
    (b"no longer listening on ", Kind::Network),
    (b"listening on ", Kind::Network),
    (b"could not listen on ", Kind::NetworkFailed),
    (b"not listening on any interfaces", Kind::NetworkFailed),
    (b"unable to listen on ", Kind::NetworkFailed),
    (b"creating IPv4 interface ", Kind::NetworkFailed),
    (b"creating IPv6 interface ", Kind::NetworkFailed),
    (b"max open files ", Kind::Limits),
    (b"adjusted limit on open files ", Kind::Limits),
    (b"socket: file descriptor exceeds limit", Kind::Limits),
    (b"checkhints: ", Kind::Hints),
    (b"resolver priming query complete", Kind::Other),
    (b"keymgr: ", Kind::ZoneKeys),
    (b"Fetching ", Kind::ZoneKeys),
    (b"DNSKEY ", Kind::ZoneKeys),
    (b"dns_rdata_fromtext: ", Kind::ZoneSyntax),
    (b"dns_master_load: ", Kind::ZoneSyntax),
    (b"skipping nameserver ", Kind::Resolver),
    (b"missing expected cookie from ", Kind::Resolver),
];

/// What came of a control command, which the line before it has named: `query logging is now off`.
fn is_outcome(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 19] = [
        b"freezing ",
        b"thawing ",
        b"query logging is now ",
        b"debug level is now ",
        b"flushing ",
        b"flush tree ",
        b"dumpdb ",
        b"dumpstats ",
        b"dumpsecroots ",
        b"dumprecursing ",
        b"added NTA ",
        b"removed NTA ",
        b"updated NTA ",
        b"added zone ",
        b"updated zone ",
        b"deleting zone ",
        b"removed zone ",
        b"loading NZD ",
        b"NZD database ",
    ];
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        || text.ends_with(b" scheduled for removal via delzone")
}

/// Assertions that failed: `query.c:123: INSIST(…) failed, back trace`.
fn is_crash(text: &[u8]) -> bool {
    const WORDS: [&str; 5] =
        [": INSIST(", ": REQUIRE(", ": ENSURE(", ": RUNTIME_CHECK(", ": fatal error"];
    WORDS.iter().any(|word| memchr::memmem::find(text, word.as_bytes()).is_some())
}

/// `named(+0x246f4) [0x55c81473e6f4]`, `#1 0x7f0301595a74 in ??`: a line of the trace behind a crash.
fn is_frame(text: &[u8]) -> bool {
    let numbered = || {
        let rest = text.strip_prefix(b"#")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        Some(digits > 0 && rest[digits..].starts_with(b" 0x"))
    };
    let is_address = |address: &[u8]| {
        let digits = address.strip_prefix(b"[0x").and_then(|rest| rest.strip_suffix(b"]"));
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let last = text.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    is_address(last) || numbered().unwrap_or(false)
}

/// An error in a configuration, or in a zone file. Of a configuration much is only remarked, and the server starts.
fn of_file(severity: Option<Severity>, text: &[u8]) -> Kind {
    const REMARKS: [&[u8]; 6] =
        [b"deprecated", b"obsolete", b"experimental", b"no longer", b"ignored", b"not recommended"];
    let file = &text[..memchr::memchr(b':', text).unwrap_or(0)];
    let is_configuration =
        file.ends_with(b".conf") || memchr::memmem::find(file, b"named.conf").is_some();
    let is_remark = match severity {
        Some(severity) => severity > Severity::Error,
        None => REMARKS.iter().any(|word| memchr::memmem::find(text, word).is_some()),
    };
    match (is_configuration, is_remark) {
        (false, _) => Kind::ZoneSyntax,
        (true, true) => Kind::Config,
        (true, false) => Kind::ConfigFailed,
    }
}

/// `broken.db:2: near '@': extra input text`, `db.shop:7: www: CNAME and other data`
fn is_syntax_error(text: &[u8]) -> bool {
    let Some((file, rest)) = around(text, ":") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    !file.is_empty()
        && !file.iter().any(u8::is_ascii_whitespace)
        && digits > 0
        && rest[digits..].starts_with(b": ")
}
