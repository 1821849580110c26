//! Who ran a statement, as both forms of the log write it.

use memchr::{memchr, memrchr_iter};

use crate::format::Line;
use crate::record::number::integer;
use crate::record::{Row, Slot};

/// The parts of an account; those that the log does not say are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account<'a> {
    /// What the client sent, or the account of the privileges where it sent nothing.
    user: &'a [u8],
    host: &'a [u8],
    client: &'a [u8],
    pub(super) id: Option<i64>,
}

/// `PRIV[USER] @ HOST [IP]  Id: N`. Names may hold blanks, brackets and `@`.
pub(super) fn read(text: &[u8]) -> Option<Account<'_>> {
    let open = memchr(b'[', text)?;
    let mut signs = memrchr_iter(b'@', text);
    let sign = signs.find(|at| text[..*at].ends_with(b"] ") && text[*at..].starts_with(b"@ "))?;
    let at = sign - 2;
    let user = match text.get(open + 1..at) {
        Some([]) | None => &text[..open],
        Some(user) => user,
    };
    let rest = &text[at + 4..];
    let bracket = memchr(b'[', rest)?;
    let (host, rest) = (rest[..bracket].trim_ascii(), &rest[bracket + 1..]);
    let close = memchr(b']', rest).unwrap_or(rest.len());
    let id = rest.get(close + 1..).and_then(|rest| rest.trim_ascii().strip_prefix(b"Id:"));
    let id = id.and_then(|id| integer(id.trim_ascii()));
    Some(Account { user, host, client: &rest[..close], id })
}

impl Account<'_> {
    /// Writes user, host and client, which are parts of the line, into their slots.
    pub(super) fn write(&self, slots: [Slot; 3], line: &Line<'_>, row: &mut Row<'_>) {
        for (slot, part) in slots.into_iter().zip([self.user, self.host, self.client]) {
            if !part.is_empty() {
                row.span(slot, line.place(part), part.len());
            }
        }
    }
}
