//! Who ran a statement, as both forms of the log write it.

use memchr::{memchr, memrchr_iter};

use crate::format::Line;
use crate::record::number::integer;
use crate::record::{Row, Slot};
use crate::scan;

/// The parts of an account; those that the log does not say are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account<'a> {
    /// What the client sent, or the account of the privileges where it sent nothing.
    user: &'a [u8],
    host: &'a [u8],
    client: &'a [u8],
    pub(super) id: Option<i64>,
}

/// `PRIV[USER] @ HOST [IP]  Id: N`. Names may hold blanks, brackets and `@`. The account is the first `len` bytes of the text.
#[inline]
pub(super) fn read(text: &[u8], len: usize) -> Option<Account<'_>> {
    let parts = match text.first_chunk() {
        Some(first) if len <= first.len() => Parts::of_short(first, len)?,
        _ => Parts::of(&text[..len])?,
    };
    let Parts { open, sign, bracket, close } = parts;
    let user = match text.get(open + 1..sign - 2) {
        Some([]) | None => &text[..open],
        Some(user) => user,
    };
    let (host, client) = (text[sign + 2..bracket].trim_ascii(), &text[bracket + 1..close]);
    // Events run for an account, `root[root] @ % [%]`, and come from nowhere.
    let client = if client == b"%" { b"" } else { client };
    let id = text[..len].get(close + 1..).and_then(|rest| rest.trim_ascii().strip_prefix(b"Id:"));
    Some(Account { user, host, client, id: id.and_then(|id| integer(id.trim_ascii())) })
}

/// Where the parts of an account are told apart.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    /// The first `[`.
    open: usize,
    /// The last `@` that stands alone behind a `]`.
    sign: usize,
    /// The first `[` behind it.
    bracket: usize,
    /// The first `]` behind that, or the end.
    close: usize,
}

impl Parts {
    fn of(text: &[u8]) -> Option<Self> {
        let open = memchr(b'[', text)?;
        let mut signs = memrchr_iter(b'@', text);
        let sign = signs.find(|at| stands_alone(text, *at))?;
        let bracket = sign + 2 + memchr(b'[', &text[sign + 2..])?;
        let close = memchr(b']', &text[bracket..]).map_or(text.len(), |len| bracket + len);
        Some(Self { open, sign, bracket, close })
    }

    /// The same of the first `len` bytes of a text, all at once.
    #[inline]
    fn of_short(text: &[u8; 64], len: usize) -> Option<Self> {
        let own = !u64::MAX.checked_shl(len as u32).unwrap_or(0);
        let [opens, closes, mut signs] =
            [b'[', b']', b'@'].map(|byte| scan::places(byte, text) & own);
        let last = |places: u64| 63 - places.leading_zeros() as usize;
        while signs != 0 && !stands_alone(&text[..len], last(signs)) {
            signs &= !(1 << last(signs));
        }
        let (open, sign) = (opens.trailing_zeros() as usize, last(signs | 1));
        let behind = |place: usize| u64::MAX << place;
        let brackets = opens & behind(sign);
        let bracket = brackets.trailing_zeros() as usize;
        if signs == 0 || opens == 0 || brackets == 0 {
            return None;
        }
        let close = (closes & behind(bracket)).trailing_zeros() as usize;
        Some(Self { open, sign, bracket, close: close.min(len) })
    }
}

/// Whether the `@` there stands between a name in brackets and a host.
#[inline]
fn stands_alone(text: &[u8], at: usize) -> bool {
    text[..at].ends_with(b"] ") && text[at..].starts_with(b"@ ")
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_parts_of_a_short_account_are_those_of_any(
            text in r#"(\[|\]|\] @ | @ |@|[ab] ?|\[\] @ h \[){0,30}"#
        ) {
            let len = text.len().min(64);
            let mut first = [b'['; 64];
            first[..len].copy_from_slice(&text.as_bytes()[..len]);
            prop_assert_eq!(Parts::of_short(&first, len), Parts::of(&first[..len]));
        }
    }
}
