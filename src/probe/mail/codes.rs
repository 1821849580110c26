//! What the codes of SMTP mean: the enhanced codes of RFC 3463 and of its registry, and the plain ones of RFC 5321.

use super::reply::{Enhanced, Reply};

/// What a reply means, in words for a person; empty where its code says nothing.
pub(super) fn meaning(reply: &Reply) -> &'static str {
    let fine = reply.enhanced().map_or("", enhanced);
    if fine.is_empty() { plain(reply.code) } else { fine }
}

/// Subject and detail; the class (4 or 5) only says whether to try again.
fn enhanced(code: Enhanced) -> &'static str {
    match (code.subject, code.detail) {
        (1, 1) => "there is no such mailbox",
        (1, 2) => "there is no such domain",
        (1, 3) => "the address is not written as an address",
        (1, 6) => "the mailbox has moved and left no address",
        (1, 7) => "the sender's address is not written as an address",
        (1, 8) => "the sender's domain cannot be found",
        (1, 10) => "the recipient's domain accepts no mail (null MX)",
        (2, 1) => "the mailbox is disabled",
        (2, 2) => "the mailbox is full",
        (2, 3) => "the message is too long for this mailbox",
        (3, 0) => "the mail system has a problem of its own",
        (3, 1) => "the disk of the mail system is full",
        (3, 2) => "the system does not take mail now: shutdown or overload",
        (3, 4) => "the message is too big for this system",
        (3, 5) => "the system is not configured for this",
        (4, 1) => "no answer from the next host",
        (4, 2) => "the connection to the next host broke",
        (4, 3) => "a directory or DNS could not be asked",
        (4, 4) => "there is no route to the next host",
        (4, 5) => "the system is overloaded",
        (4, 6) => "the mail goes in a circle",
        (4, 7) => "the message waited too long",
        (5, 1) => "the command is not allowed here",
        (5, 2) => "the server did not understand the command",
        (5, 3) => "too many recipients",
        (5, 4) => "the arguments of the command are not allowed",
        (7, 0) => "a policy of the server: limits, blocklists, missing STARTTLS",
        (7, 1) => {
            "the server may not deliver this for this client: relaying, greylisting, blocklists"
        }
        (7, 8) => "the login is wrong",
        (7, 9) => "the way to log in is too weak",
        (7, 11) => "the way to log in wants encryption",
        (7, 20..=24 | 26) => "SPF, DKIM or DMARC of the sender do not hold",
        (7, 25) => "the client's address has no name that leads back to it",
        (7, 27) => "the sender's domain accepts no mail (null MX)",
        _ => "",
    }
}

fn plain(code: u16) -> &'static str {
    match code {
        421 => "the server closes: a limit of connections, a shutdown, or overload",
        450 => "the mailbox cannot be used now: greylisting, or in use",
        451 => "an error in the server, or greylisting",
        452 => "not enough space, or too many recipients",
        454 => "TLS or the login is not available for now",
        500..=504 => "the server does not know the command or its arguments",
        521 | 556 => "the host accepts no mail",
        530 => "STARTTLS or a login is wanted first",
        535 => "the login is wrong",
        550 => "no such mailbox, or a policy forbids it",
        551 => "the mailbox is elsewhere",
        552 => "the mailbox is full, or the message too big",
        553 => "the address is not allowed",
        554 => "the server does not want this client or this mail",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> &'static str {
        meaning(&Reply::from_lines(&[line.as_bytes().to_vec()]).unwrap())
    }

    #[test]
    fn the_enhanced_code_goes_first() {
        assert!(of("550 5.1.1 x").contains("mailbox"));
        assert!(of("550 5.7.1 x").contains("relaying"));
        assert!(of("550 5.99.99 x").contains("policy"));
        assert!(of("451 x").contains("greylisting"));
        assert_eq!(of("299 x"), "");
    }
}
