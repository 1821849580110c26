//! Who a message is about: the user, the host, the database, and why.

use memchr::{memmem, memrchr_iter};

/// What a message says beside its kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Detail<'a> {
    pub(super) user: Option<&'a [u8]>,
    pub(super) host: Option<&'a [u8]>,
    pub(super) database: Option<&'a [u8]>,
    pub(super) reason: Option<&'a [u8]>,
    pub(super) connection: Option<&'a [u8]>,
    pub(super) file: Option<&'a [u8]>,
}

/// Where a text ends and the next begins. Names are the client's choice, so marks are sought where they stand last.
/// Every mark begins with the quote that ends a name, and quotes are few.
fn split<'a>(text: &'a [u8], mark: &str) -> Option<(&'a [u8], &'a [u8])> {
    let at = memrchr_iter(b'\'', text).find(|at| text[*at..].starts_with(mark.as_bytes()))?;
    Some((&text[..at], &text[at + mark.len()..]))
}

/// `Access denied for user 'U'@'H' (using password: YES)`, `… to database 'D'`.
pub(super) fn denied(message: &[u8]) -> Option<Detail<'_>> {
    let rest = message.strip_prefix(b"Access denied for user '")?;
    let (account, database, reason) =
        match (split(rest, "' (using password: "), split(rest, "' to database '")) {
            (Some((account, _)), _) => (account, None, account.len() + 2),
            (None, Some((account, database))) => {
                (account, database.strip_suffix(b"'"), account.len() + 2)
            }
            (None, None) => (rest.trim_ascii_end().strip_suffix(b"'")?, None, rest.len()),
        };
    let reason = rest.get(reason..).filter(|reason| reason.starts_with(b"(using"));
    let (user, host) = split(account, "'@'")?;
    Some(Detail { user: Some(user), host: Some(host), database, reason, ..Detail::default() })
}

/// `Aborted connection N to db: 'D' user: 'U' host: 'H' (REASON)`. What no client has yet is absent.
pub(super) fn aborted(message: &[u8]) -> Option<Detail<'_>> {
    let rest = message.strip_prefix(b"Aborted connection ")?;
    let end = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (connection, rest) = rest.split_at(end);
    let rest = rest.strip_prefix(b" to db: '")?;
    let (rest, reason) = split(rest, "' (")?;
    let (rest, host) = split(rest, "' host: '")?;
    let (database, user) = split(rest, "' user: '")?;
    let reason = reason.trim_ascii_end();
    let reason = reason.strip_suffix(b".").unwrap_or(reason);
    let known = |text, none: &[u8]| Some(text).filter(|text| *text != none);
    Some(Detail {
        user: known(user, b"unauthenticated"),
        host: known(host, b"connecting host"),
        database: known(database, b"unconnected"),
        reason: Some(reason.strip_suffix(b")").unwrap_or(reason)),
        connection: Some(connection),
        file: None,
    })
}

/// `Host 'H' is blocked because …`, `IP address 'A' could not be resolved: …`, `Hostname 'H' does not …`.
pub(super) fn host(message: &[u8]) -> Option<Detail<'_>> {
    let open = memchr::memchr(b'\'', message)? + 1;
    let len = memchr::memchr(b'\'', &message[open..])?;
    Some(Detail { host: Some(&message[open..open + len]), ..Detail::default() })
}

/// The file or table between quotes in messages about files that are full, locked or damaged.
pub(super) fn file(message: &[u8]) -> Option<Detail<'_>> {
    let open = memchr::memchr(b'\'', message)? + 1;
    let len = memchr::memchr(b'\'', &message[open..])?;
    Some(Detail { file: Some(&message[open..open + len]), ..Detail::default() })
}

/// The system's number of an error: `(Errcode: 28 …)`, `error: 11`, `system error number 13`, `Got error: 98:`.
pub(super) fn errno(message: &[u8]) -> Option<i64> {
    const BEFORE: [&str; 4] =
        ["(Errcode: ", "Operating system error number ", "Got error: ", " error: "];
    BEFORE.iter().find_map(|before| {
        let at = memmem::find(message, before.as_bytes())? + before.len();
        let digits = message[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        crate::record::number::integer(&message[at..at + digits])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(part: Option<&[u8]>) -> String {
        part.map_or("-".into(), |part| String::from_utf8_lossy(part).into_owned())
    }

    #[test]
    fn denials() {
        for (message, expected) in [
            ("Access denied for user 'a'@'b' (using password: YES)", "a b -"),
            ("Access denied for user 'jo smith'@'%' to database 'mysql'", "jo smith % mysql"),
            (
                "Access denied for user 'it''s'@'x'@'10.0.0.1' (using password: NO)",
                "it''s'@'x 10.0.0.1 -",
            ),
            ("Access denied for user ''@'h'", " h -"),
        ] {
            let found = denied(message.as_bytes()).unwrap();
            let found = [found.user, found.host, found.database].map(text).join(" ");
            assert_eq!(found, expected, "{message}");
        }
    }

    #[test]
    fn aborts() {
        let message = b"Aborted connection 9 to db: 'a b' user: 'x' host: 'h' (Got an error reading communication packets).";
        let found = aborted(message).unwrap();
        let parts = [found.connection, found.database, found.user, found.host, found.reason];
        assert_eq!(
            parts.map(text).join("|"),
            "9|a b|x|h|Got an error reading communication packets"
        );
        let nobody = b"Aborted connection 0 to db: 'unconnected' user: 'unauthenticated' host: 'connecting host' (Too many connections)";
        let found = aborted(nobody).unwrap();
        assert_eq!((found.user, found.host, found.database), (None, None, None));
        assert_eq!(found.reason, Some(&b"Too many connections"[..]));
    }

    #[test]
    fn numbers_of_errors() {
        assert_eq!(errno(b"Disk is full (Errcode: 28 \"No space\")"), Some(28));
        assert_eq!(errno(b"Unable to lock ./ibdata1 error: 11"), Some(11));
        assert_eq!(errno(b"Bind on TCP/IP port. Got error: 98: Address already in use"), Some(98));
        assert_eq!(errno(b"no error: none"), None);
    }
}
