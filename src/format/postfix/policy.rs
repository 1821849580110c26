//! The services that Postfix asks before it takes a message, and that log beside it: greylisting, rules, SPF, DKIM, DMARC.
//!
//! ```text
//! postgrey[86]: action=greylist, reason=new, client_name=mx.soft.example, client_address=198.51.100.4, sender=ann@soft.example, recipient=v@shop.example
//! postfwd[88]: [RULES] rule=1, id=SOFT, client=mx.soft.example[198.51.100.4], sender=<ann@soft.example>, recipient=<v@shop.example>, helo=<mx.soft.example>, proto=ESMTP, state=RCPT, delay=0.00s, hits=SOFT, action=WARN soft sender
//! policyd-spf[230]: : prepend Received-SPF: Softfail (mailfrom) identity=mailfrom; client-ip=198.51.100.4; helo=mx.soft.example; envelope-from=ann@soft.example; receiver=shop.example
//! opendkim[67]: 923429944F5: DKIM verification successful
//! opendmarc[68]: 923429944F5: good.example pass
//! ```
//!
//! Their verdicts are normal work: what came of them stands in a line of Postfix too, and would count twice. Only what
//! goes wrong with a service itself is bad. What a client chose stands in these lines without quotes, so that values are
//! cut out between keys from the side on which the server wrote last.
//!
//! There is no description but the sources: <https://postgrey.schweikert.ch/>, <https://postfwd.org/>,
//! <https://launchpad.net/pypolicyd-spf>, <https://launchpad.net/postfix-policyd-spf-perl>,
//! <http://www.opendkim.org/>, <http://www.trusteddomain.org/opendmarc/>.

use memchr::{memchr, memmem};

use super::kinds::Kind;
use super::parts;
use super::sheet::Sheet;

/// A service, by what it decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// postgrey.
    Greylisting,
    /// postfwd.
    Rules,
    /// The policy service for SPF that is written in Python. That in Perl has a tag of Postfix.
    Spf,
    /// OpenDKIM.
    Dkim,
    /// OpenDMARC.
    Dmarc,
}

/// The service that logs under a tag.
pub(super) fn service(tag: &[u8]) -> Option<Service> {
    let first = &tag[..memchr(b'/', tag).unwrap_or(tag.len())];
    Some(match first {
        b"postgrey" => Service::Greylisting,
        b"postfwd" | b"postfwd1" | b"postfwd2" | b"postfwd3" => Service::Rules,
        b"policyd-spf" => Service::Spf,
        b"opendkim" => Service::Dkim,
        b"opendmarc" => Service::Dmarc,
        _ => return None,
    })
}

/// Reads what a service says, behind its queue id if there is one.
pub(super) fn read(sheet: &mut Sheet<'_, '_>, service: Service, text: &[u8]) {
    let is_known = match service {
        Service::Greylisting => greylisting(sheet, text),
        Service::Rules => rules(sheet, text),
        Service::Spf => spf(sheet, text),
        Service::Dkim => dkim(sheet, text),
        Service::Dmarc => dmarc(sheet, text),
    };
    if !is_known {
        sheet.kind(if is_trouble(text) { Kind::PolicyTrouble } else { Kind::PolicyService });
    }
}

/// True for what a service says when it does not work.
fn is_trouble(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 10] = [
        b"error",
        b"fatal",
        b"warning",
        b"panic",
        b"traceback",
        b"unable",
        b"cannot",
        b"can't",
        b"could not",
        b"couldn't",
    ];
    let begins = |beginning: &&[u8]| {
        text.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
    };
    BEGINNINGS.iter().any(begins)
}

/// What stands behind the first `open`, up to the first `close` behind that, and what follows.
fn cut<'t>(text: &'t [u8], open: &str, close: &str) -> Option<(&'t [u8], &'t [u8])> {
    let inner = &text[memmem::find(text, open.as_bytes())? + open.len()..];
    let end = memmem::find(inner, close.as_bytes()).unwrap_or(inner.len());
    Some(inner.split_at(end))
}

/// What stands before and behind the first `between`.
fn split<'t>(text: &'t [u8], between: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = memmem::find(text, between)?;
    Some((&text[..at], &text[at + between.len()..]))
}

/// An address without the brackets or quotes around it.
fn bare(address: &[u8]) -> &[u8] {
    match address {
        [b'<', inner @ .., b'>'] | [b'"', inner @ .., b'"'] => inner,
        address => address,
    }
}

/// `action=A, reason=R[, delay=N], client_name=N, client_address=A[, sender=S], recipient=R`. No sender is the null one.
fn greylisting(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let slots = sheet.slots;
    let Some(rest) = text.strip_prefix(b"action=") else { return false };
    let Some((action, rest)) = split(rest, b", reason=") else { return false };
    sheet.kind(if action == b"pass" { Kind::PolicyPass } else { Kind::Greylisted });
    sheet.text(slots.action, action);
    let end = [", delay=", ", client_name="].iter();
    let end = end.filter_map(|key| memmem::find(rest, key.as_bytes())).min();
    let (reason, rest) = rest.split_at(end.unwrap_or(rest.len()));
    sheet.text(slots.reason, reason);
    if let Some((name, _)) = cut(rest, ", client_name=", ",").filter(|(name, _)| !name.is_empty()) {
        sheet.text(slots.client_name, name);
    }
    let Some((address, rest)) = cut(rest, ", client_address=", ",") else { return true };
    // By subnet, some versions write how long the prefix is.
    sheet.text(slots.client, &address[..memchr(b'/', address).unwrap_or(address.len())]);
    const RECIPIENT: &[u8] = b", recipient=";
    let Some(at) = memmem::rfind(rest, RECIPIENT) else { return true };
    sheet.sender(rest[..at].strip_prefix(b", sender=").unwrap_or_default());
    sheet.recipient(&rest[at + RECIPIENT.len()..]);
    true
}

/// `[RULES] rule=N, id=ID, client=N[A], sender=<S>, recipient=<R>, helo=<H>, proto=P, state=S, …, action=ACTION`
fn rules(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const ACTION: &[u8] = b", action=";
    let slots = sheet.slots;
    let Some((_, rest)) = split(text, b"] rule=") else { return false };
    let Some((id, rest)) = cut(rest, ", id=", ", ") else { return false };
    let Some(at) = memmem::rfind(rest, ACTION) else { return false };
    sheet.text(slots.rule, id);
    rule_action(sheet, &rest[at + ACTION.len()..]);
    let Some(client) = rest.strip_prefix(b", client=") else { return true };
    let Some(peer) = parts::peer(client) else { return true };
    sheet.client(&peer);
    let next = |key: &'static [u8]| move |rest: &[u8]| rest.starts_with(key);
    let Some((_, rest)) = split(peer.rest, b", sender=<") else { return true };
    let Some((sender, rest)) = parts::address(rest, next(b", recipient=<")) else { return true };
    sheet.sender(sender);
    let rest = &rest[b", recipient=<".len()..];
    let Some((recipient, rest)) = parts::address(rest, next(b", helo=<")) else { return true };
    sheet.recipient(recipient);
    let rest = &rest[b", helo=<".len()..];
    let Some((helo, rest)) = parts::address(rest, next(b", proto=")) else { return true };
    sheet.text(slots.helo, helo);
    for (slot, key) in [(slots.protocol, ", proto="), (slots.stage, ", state=")] {
        sheet.some(slot, cut(rest, key, ",").map(|(value, _)| value));
    }
    true
}

/// `REJECT not from you`, `450 4.7.1 too many`, `DUNNO`
fn rule_action(sheet: &mut Sheet<'_, '_>, text: &[u8]) {
    let slots = sheet.slots;
    let (action, reason) = text.split_at(memchr(b' ', text).unwrap_or(text.len()));
    let refuses = [&b"REJECT"[..], b"DEFER", b"DISCARD"];
    let refuses = refuses
        .iter()
        .any(|word| action.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
    let is_reply =
        matches!(action, [b'4' | b'5', b, c] if b.is_ascii_digit() && c.is_ascii_digit());
    sheet.kind(if refuses || is_reply { Kind::PolicyRefused } else { Kind::PolicyPass });
    sheet.text(slots.action, action);
    if is_reply {
        sheet.text(slots.reply, action);
    }
    let reason = reason.trim_ascii();
    let (dsn, reason) = parts::dsn(reason).map_or((None, reason), |(dsn, rest)| (Some(dsn), rest));
    sheet.some(slots.dsn, dsn);
    if !reason.is_empty() {
        sheet.text(slots.reason, reason);
    }
}

/// `prepend Received-SPF: Pass (mailfrom) identity=…; client-ip=…; helo=…; envelope-from=…; receiver=…`, `Pass;
/// identity=…`, `550 5.7.23 …`, `prepend Authentication-Results: HOST; spf=pass (…) … (client-ip=…; …)`.
fn spf(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let slots = sheet.slots;
    if parts::reply(text).is_some() {
        rule_action(sheet, text);
        return true;
    }
    let (action, rest) = match text.strip_prefix(b"prepend ") {
        Some(rest) => (Some(&text[..7]), rest),
        None => (None, text),
    };
    let result = match rest.strip_prefix(b"Received-SPF: ") {
        Some(rest) => &rest[..word(rest)],
        None if rest.starts_with(b"Authentication-Results: ") => {
            let Some((_, rest)) = split(rest, b"; spf=") else { return false };
            &rest[..word(rest)]
        }
        None => match split(rest, b"; identity=") {
            Some((result, _)) => result,
            None => return false,
        },
    };
    sheet.kind(Kind::Spf);
    sheet.some(slots.action, action);
    sheet.text(slots.reason, result);
    if let Some((client, rest)) = cut(rest, "client-ip=", ";") {
        sheet.text(slots.client, client);
        let receiver = memmem::rfind(rest, b"; receiver=").unwrap_or(rest.len());
        let rest = &rest[..receiver];
        if let Some((helo, rest)) = cut(rest, "; helo=", "; envelope-from=") {
            sheet.text(slots.helo, helo);
            if let Some(sender) = rest.strip_prefix(b"; envelope-from=") {
                sheet.sender(bare(sender));
            }
        }
    }
    true
}

fn word(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

/// What the policy service in Perl says under a tag of Postfix: `Policy action=PREPEND Received-SPF: pass (…)
/// receiver=…; identity=mailfrom; envelope-from="…"; helo=…; client-ip=…`, `SPF pass (…): Envelope-from: …`.
pub(super) fn spf_in_perl(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let slots = sheet.slots;
    let text = text.strip_prefix(b": ").unwrap_or(text);
    if let Some(rest) = text.strip_prefix(b"SPF ") {
        // The action follows on a line of its own, and counts.
        let Some((_, sender)) = split(rest, b"): Envelope-from: ") else {
            return false;
        };
        sheet.kind(Kind::PolicyService);
        sheet.text(slots.reason, &rest[..word(rest)]);
        sheet.sender(bare(sender));
        return true;
    }
    let Some(action) = text.strip_prefix(b"Policy action=") else { return false };
    let Some((_, rest)) = split(action, b" Received-SPF: ") else {
        rule_action(sheet, action);
        return true;
    };
    sheet.kind(Kind::Spf);
    sheet.text(slots.action, &action[..word(action)]);
    sheet.text(slots.reason, &rest[..word(rest)]);
    let Some(at) = memmem::rfind(rest, b"; client-ip=") else { return true };
    let (rest, client) = (&rest[..at], &rest[at + b"; client-ip=".len()..]);
    sheet.text(slots.client, client);
    let Some((_, rest)) = split(rest, b"; envelope-from=") else { return true };
    let Some(at) = memmem::rfind(rest, b"; helo=") else { return true };
    sheet.sender(bare(&rest[..at]));
    sheet.text(slots.helo, &rest[at + b"; helo=".len()..]);
    true
}

/// What policyd-weight says under a tag of Postfix: `decided action=550 Mail appeared to be SPAM …; <client=NAME[ADDRESS]>
/// <helo=H> <from=S> <to=R>; delay: 2s`, and the marks that led to it on a line before: `weighted check:  MARK=-1.5 …;
/// <client=…> <helo=…> <from=…> <to=…>; rate: -7`.
pub(super) fn weighed(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    let decided = text.strip_prefix(b"decided action=");
    let Some(said) = decided.or_else(|| text.strip_prefix(b"weighted check: ")) else {
        return false;
    };
    let Some(at) = memmem::rfind(said, b"; ") else { return false };
    let Some((said, rest)) = split(&said[..at], b"; <client=") else { return false };
    match decided {
        Some(_) => rule_action(sheet, said),
        // The decision follows on a line of its own, and counts.
        None => sheet.kind(Kind::PolicyService),
    }
    let slots = sheet.slots;
    let Some((client, rest)) = split(rest, b"> <helo=") else { return true };
    if let Some(peer) = parts::peer(client) {
        sheet.client(&peer);
    }
    let Some((helo, rest)) = split(rest, b"> <from=") else { return true };
    sheet.text(slots.helo, helo);
    let Some(at) = memmem::rfind(rest, b"> <to=") else { return true };
    sheet.sender(&rest[..at]);
    let recipient = &rest[at + b"> <to=".len()..];
    sheet.recipient(recipient.strip_suffix(b">").unwrap_or(recipient));
    true
}

/// What became of the signatures of a message.
fn dkim(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const VERDICTS: [&[u8]; 7] = [
        b"DKIM-Signature field added",
        b"DKIM-Signature header added",
        b"DKIM verification successful",
        b"bad signature data",
        b"no signature data",
        b"key retrieval failed",
        b"signature verification failed",
    ];
    let slots = sheet.slots;
    if let Some(verdict) = VERDICTS.iter().find(|verdict| text.starts_with(verdict)) {
        sheet.kind(Kind::Dkim);
        sheet.text(slots.reason, &text[..verdict.len()]);
        return true;
    }
    if text.starts_with(b"signature=")
        && let Some((result, _)) = cut(text, " result=\"", "\"")
    {
        sheet.kind(Kind::Dkim);
        sheet.text(slots.reason, result);
        return true;
    }
    // `mx.example [192.0.2.7] not internal`
    if let Some(peer) = text.strip_suffix(b"] not internal")
        && let Some(open) = memchr::memrchr(b'[', peer)
    {
        sheet.kind(Kind::PolicyService);
        sheet.text(slots.client, &peer[open + 1..]);
        return true;
    }
    false
}

/// `good.example pass`, `SPF(mailfrom): good.example pass`
fn dmarc(sheet: &mut Sheet<'_, '_>, text: &[u8]) -> bool {
    const RESULTS: [&[u8]; 9] = [
        b"pass",
        b"fail",
        b"none",
        b"softfail",
        b"neutral",
        b"temperror",
        b"permerror",
        b"tempfail",
        b"reject",
    ];
    let Some(blank) = memchr::memrchr(b' ', text) else { return false };
    let (about, result) = (&text[..blank], &text[blank + 1..]);
    let is_spf = about.starts_with(b"SPF(");
    if !RESULTS.contains(&result) || (!is_spf && about.contains(&b' ')) {
        return false;
    }
    sheet.kind(if is_spf { Kind::Spf } else { Kind::Dmarc });
    sheet.text(sheet.slots.reason, result);
    true
}
