//! What messages of some kinds say beside the message: a user, a zone, a file, an alert of TLS.

use memchr::memmem;

use crate::record::number::integer;

/// What Nginx was doing: the words after ` while `. `plain` is the message behind its last quote.
pub(super) fn action(plain: &[u8]) -> Option<&[u8]> {
    let word = b" while ";
    memmem::rfind(plain, word).map(|at| &plain[at + word.len()..])
}

/// The last quoted text: `… by zone "perclient"`.
pub(super) fn last_quoted<'a>(message: &'a [u8], quotes: &[usize]) -> Option<&'a [u8]> {
    let [.., open, close] = quotes else { return None };
    Some(&message[open + 1..*close])
}

/// From the first quote to the last: `open() "/srv/"quoted"" failed …`.
pub(super) fn between_quotes<'a>(message: &'a [u8], quotes: &[usize]) -> Option<&'a [u8]> {
    let [open, .., close] = quotes else { return None };
    Some(&message[open + 1..*close])
}

/// `user "jo smith" was not found in "…"`, `user "jo": password mismatch`. The name is as the client sent it.
pub(super) fn user(message: &[u8]) -> Option<&[u8]> {
    let name = message.strip_prefix(b"user \"")?;
    let endings: [&[u8]; 2] = [b"\" was not found in \"", b"\": "];
    endings.iter().find_map(|ending| memmem::rfind(name, ending)).map(|end| &name[..end])
}

/// OpenSSL's words in `(SSL: error:0A000418:SSL routines:FUNCTION:tlsv1 alert unknown ca:SSL alert number 48)`.
pub(super) fn tls_reason(message: &[u8]) -> Option<&[u8]> {
    let start = b"(SSL: error:";
    let rest = &message[memmem::find(message, start)? + start.len()..];
    let reason = rest.split(|byte| *byte == b':').nth(3)?;
    let end = memchr::memchr(b')', reason).unwrap_or(reason.len());
    Some(&reason[..end])
}

/// The number in `SSL alert number 48`.
pub(super) fn tls_alert(message: &[u8]) -> Option<&[u8]> {
    let start = b"SSL alert number ";
    let rest = &message[memmem::find(message, start)? + start.len()..];
    Some(&rest[..rest.iter().take_while(|byte| byte.is_ascii_digit()).count()])
}

/// What a FastCGI program says first: `PHP Fatal error`, `Primary script unknown`, `Access to the script` (and not which
/// one: each would be a reason of its own).
pub(super) fn first_words<'a>(message: &'a [u8], quotes: &[usize]) -> Option<&'a [u8]> {
    let said = &message[quotes.first()? + 1..];
    let said = said.strip_prefix(b"PHP message: ").unwrap_or(said);
    let end = said.iter().take(64).position(|byte| matches!(byte, b':' | b'"' | b'\'' | b'\n'));
    Some(said[..end.unwrap_or(said.len().min(64))].trim_ascii_end())
}

/// The value of a pair that ModSecurity appends: `[id "942100"]`.
pub(super) fn pair<'a>(message: &'a [u8], before: &[u8]) -> Option<&'a [u8]> {
    let value = &message[memmem::find(message, before)? + before.len()..];
    Some(&value[..memmem::find(value, b"\"]").unwrap_or(value.len())])
}

/// `… too large body: 3000 bytes`; of a chunked body (`0+2304 bytes`) the sum.
pub(super) fn size(message: &[u8]) -> Option<i64> {
    let start = memmem::find(message, b"body: ")? + b"body: ".len();
    let text = message[start..].strip_suffix(b" bytes")?;
    text.split(|byte| *byte == b'+').try_fold(0_i64, |sum, part| sum.checked_add(integer(part)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        assert_eq!(user(b"user \"a\": password mismatch"), Some(&b"a"[..]));
        assert_eq!(user(b"user \"a\": b\" was not found in \"/u\""), Some(&b"a\": b"[..]));
        assert_eq!(user(b"no user/password was provided"), None);
    }

    #[test]
    fn tls() {
        let message = b"SSL_do_handshake() failed (SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48) while SSL handshaking";
        assert_eq!(tls_reason(message), Some(&b"tlsv1 alert unknown ca"[..]));
        assert_eq!(tls_alert(message), Some(&b"48"[..]));
        let message = b"SSL_do_handshake() failed (SSL: error:0A000102:SSL routines::unsupported protocol) while";
        assert_eq!(tls_reason(message), Some(&b"unsupported protocol"[..]));
        assert_eq!(tls_alert(message), None);
        assert_eq!(tls_reason(b"x (SSL: error:"), None);
    }

    #[test]
    fn sizes() {
        assert_eq!(size(b"client intended to send too large body: 3000 bytes"), Some(3000));
        assert_eq!(
            size(b"client intended to send too large chunked body: 0+2304 bytes"),
            Some(2304)
        );
        assert_eq!(size(b"body: 9223372036854775807+1 bytes"), None);
    }
}
