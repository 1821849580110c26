//! A request line taken apart: `GET /cart?id=1 HTTP/1.1`.
//!
//! Access logs, error logs and proxies all carry it, mostly as it was received. What is none (TLS bytes on a plain
//! port, nothing at all) has no parts.

use memchr::{memchr, memchr2};

use crate::scan;

/// The parts of a request line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// The method.
    pub(crate) method: &'a [u8],
    /// The target as sent.
    pub(crate) target: &'a [u8],
    /// The target without scheme, host and query.
    pub(crate) path: &'a [u8],
    /// What follows the question mark, where there is one.
    pub(crate) query: Option<&'a [u8]>,
    /// The protocol, where it is said.
    pub(crate) protocol: Option<&'a [u8]>,
}

/// Takes a request line apart; `None` when it is none.
#[inline]
pub(crate) fn split(text: &[u8]) -> Option<Request<'_>> {
    let (method, end) = ends(text)?;
    let target = &text[method + 1..end];
    let (path, query) = path_and_query(target);
    Some(Request { method: &text[..method], target, path, query, protocol: text.get(end + 1..) })
}

/// The path of a target, without scheme and host, and what follows its question mark.
#[inline]
pub(crate) fn path_and_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    let start = if target.first() == Some(&b'/') { 0 } else { path_start(target) };
    let path = &target[start..];
    match memchr(b'?', path) {
        Some(question) => (&path[..question], Some(&path[question + 1..])),
        None => (path, None),
    }
}

/// Where the method ends, and where the target ends: at the space before the protocol, or at the end of the text.
#[inline]
pub(crate) fn ends(text: &[u8]) -> Option<(usize, usize)> {
    let method = scan::find(b' ', text, 0, text.len().min(32))?;
    if let Some(target) = before_protocol(text).filter(|target| *target > method) {
        return is_method(&text[..method]).then_some((method, target));
    }
    unusual_ends(text, method)
}

/// Where the protocol's space is, in a request line that ends like nearly all do: in ` HTTP/1.1` or another digit.
#[inline]
fn before_protocol(text: &[u8]) -> Option<usize> {
    const DIGITS: u64 = u64::from_le_bytes([0, 0, 0, 0, 0, 0xFF, 0, 0xFF]);
    const HTTP: u64 = u64::from_le_bytes(*b"HTTP/\0.\0");
    let space = text.len().checked_sub(9)?;
    let protocol = text.last_chunk::<8>()?;
    let is_http = u64::from_le_bytes(*protocol) & !DIGITS == HTTP
        && protocol[5].is_ascii_digit()
        && protocol[7].is_ascii_digit();
    (is_http && text[space] == b' ').then_some(space)
}

#[inline]
fn is_method(text: &[u8]) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'-';
    matches!(text, b"GET" | b"POST" | b"HEAD") || !text.is_empty() && text.iter().all(is_usual)
}

#[cold]
fn unusual_ends(text: &[u8], method: usize) -> Option<(usize, usize)> {
    let last = memchr::memrchr(b' ', text)?;
    let is_named = is_method(&text[..method]);
    let protocol = text[last + 1..].strip_prefix(b"HTTP/").filter(|_| last > method);
    match protocol {
        Some(version) if version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') => {
            is_named.then_some((method, last))
        }
        // HTTP/0.9 has no protocol; then only a path can be told from junk.
        _ => (is_named && text.get(method + 1) == Some(&b'/')).then_some((method, text.len())),
    }
}

/// Where the path begins in a target that does not begin with one: after scheme and host, or at its beginning.
#[cold]
pub(crate) fn path_start(target: &[u8]) -> usize {
    let Some(scheme) = memchr::memmem::find(target, b"://") else { return 0 };
    match memchr2(b'/', b'?', &target[scheme + 3..]) {
        Some(slash) if memchr2(b'/', b'?', &target[..scheme]).is_none() => scheme + 3 + slash,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let request = split(b"GET http://h:80/a?b=1 HTTP/1.1").unwrap();
        assert_eq!((request.method, request.path), (&b"GET"[..], &b"/a"[..]));
        assert_eq!(request.query, Some(&b"b=1"[..]));
        assert_eq!(request.protocol, Some(&b"HTTP/1.1"[..]));
        let request = split(b"GET /a").unwrap();
        assert_eq!((request.target, request.query, request.protocol), (&b"/a"[..], None, None));
        assert_eq!(split(b"\x16\x03\x01"), None);
    }
}
