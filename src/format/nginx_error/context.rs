//! The context behind a message of Nginx: `, client: A, server: S, request: "…", upstream: "…", host: "…", referrer: "…"`.
//!
//! Nothing in these lines is escaped. A client chooses the request, the host, the referrer and, through paths and user
//! names, part of the message, and can write there what looks like a context. Therefore:
//!
//! 1. The context begins at `, client: ` before an address, where the message has come to its end. A message without
//!    quotes holds nothing foreign, so that its first such place is the true one. With quotes, the places count before
//!    which the message ends in one of Nginx's own ways; if that is not exactly one, nobody can tell, and the record
//!    has no context.
//! 2. The keys of the context have a fixed order, and each follows the quote that closes the value before it. A value
//!    reaches to the quote before the next key. If a key comes twice or out of order, somebody forged one: then
//!    only what stands before the first forgery can hold, the beginning of the request, is taken.
//! 3. Lines end at 2,048 bytes: the last value may lack its quote.

use memchr::memmem::{self, Finder};

/// Finds contexts; one for each parser.
#[derive(Debug)]
pub(super) struct Contexts(Finder<'static>);

/// The keys with quoted values, in their order. (`login` is of the mail proxy.)
const KEYS: [&[u8]; 6] = [
    b", request: ",
    b", subrequest: ",
    b", upstream: ",
    b", host: ",
    b", referrer: ",
    b", login: ",
];

/// What a context says. Parts of the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Context<'a> {
    /// The client's address.
    pub(super) client: &'a [u8],
    /// The name of the server block, or the address that was connected to. May be empty.
    pub(super) server: Option<&'a [u8]>,
    /// The request line.
    pub(super) request: Option<&'a [u8]>,
    /// The server behind with the URI that it was asked for.
    pub(super) upstream: Option<&'a [u8]>,
    /// The Host header.
    pub(super) host: Option<&'a [u8]>,
    /// The Referer header.
    pub(super) referrer: Option<&'a [u8]>,
    /// The mail user.
    pub(super) login: Option<&'a [u8]>,
}

impl Contexts {
    pub(super) fn new() -> Self {
        Self(Finder::new(b"client: "))
    }

    /// Cuts a body into the message and its context. `quotes` are the positions of all quotes in it.
    pub(super) fn split<'a>(
        &self,
        body: &'a [u8],
        quotes: &[usize],
    ) -> (&'a [u8], Option<Context<'a>>) {
        match self.start(body, quotes) {
            Some(start) => (&body[..start], Some(read(body, start, quotes))),
            None => (body, None),
        }
    }

    /// Where the context begins.
    fn start(&self, body: &[u8], quotes: &[usize]) -> Option<usize> {
        let first = self.next(body, 0)?;
        let before = quotes.iter().take_while(|quote| **quote < first).count();
        if before == 0 {
            return Some(first);
        }
        if before % 2 == 0 && self.next(body, first + 1).is_none() {
            return Some(first);
        }
        self.only_certain(body, first)
    }

    /// The only place before which the message is certainly at its end.
    #[cold]
    fn only_certain(&self, body: &[u8], first: usize) -> Option<usize> {
        let mut found = None;
        let mut place = Some(first);
        while let Some(start) = place {
            if is_end_of_message(&body[..start]) && found.replace(start).is_some() {
                return None;
            }
            place = self.next(body, start + 1);
        }
        found
    }

    /// The next place from `from` where a context might begin.
    fn next(&self, body: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let found = at + self.0.find(body.get(at..)?)?;
            let start = match &body[..found] {
                [.., b',', b' '] => found - 2,
                [.., b',', b' ', b'u', b'd', b'p', b' '] => found - 6,
                _ => body.len(),
            };
            at = found + LABEL;
            if (from..body.len()).contains(&start) && is_address_next(&body[at..]) {
                return Some(start);
            }
        }
    }
}

const LABEL: usize = b"client: ".len();

/// True when an address or `unix:` stands there, and then the server or nothing.
fn is_address_next(text: &[u8]) -> bool {
    let is_of_address = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let len = match text.strip_prefix(b"unix:") {
        Some(_) => b"unix:".len(),
        None => text.iter().take(64).take_while(is_of_address).count(),
    };
    let rest = &text[len..];
    len > 0
        && (rest.is_empty() || rest.starts_with(b", server: ") || b", server: ".starts_with(rest))
}

/// True when a message that quotes something ends as Nginx ends such messages.
fn is_end_of_message(text: &[u8]) -> bool {
    const CLOSINGS: [&[u8]; 4] =
        [b"\" is not found", b"\" is forbidden", b"\": password mismatch", b"bytes"];
    if CLOSINGS.iter().any(|closing| text.ends_with(closing)) || ends_in_error(text) {
        return true;
    }
    // ModSecurity quotes without closing: `Matched "Operator `Ge' with parameter …`, and ends in pairs.
    if text.ends_with(b"\"]") && memmem::find(text, b"ModSecurity: ").is_some() {
        return true;
    }
    if let Some(quoted) = text.strip_suffix(b"\"") {
        let open = memchr::memrchr(b'"', quoted).unwrap_or(0);
        let before = &quoted[..open];
        return before.ends_with(b"\" was not found in ") || before.ends_with(b" by zone ");
    }
    let plain = &text[memchr::memrchr(b'"', text).map_or(0, |at| at + 1)..];
    let action = memmem::rfind(plain, b" while ").map(|at| &plain[at..]);
    action.is_some_and(|action| {
        action.len() < 64
            && action.iter().all(|byte| byte.is_ascii_alphanumeric() || b" /".contains(byte))
    })
}

/// True at the end of `failed (2: No such file or directory)`.
fn ends_in_error(text: &[u8]) -> bool {
    if !text.ends_with(b")") {
        return false;
    }
    let open = memchr::memrchr(b'(', text).unwrap_or(0);
    let digits = text[open + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && text[open + 1 + digits..].starts_with(b": ")
}

/// Reads the context that begins at `start`.
fn read<'a>(body: &'a [u8], start: usize, quotes: &[usize]) -> Context<'a> {
    let client = start + 2 + LABEL + if body[start + 2] == b'u' { b"udp ".len() } else { 0 };
    let client_end = comma(body, client);
    let mut context = Context { client: &body[client..client_end], ..Context::default() };
    let Some(rest) = body[client_end..].strip_prefix(b", server: ") else { return context };
    let server = body.len() - rest.len();
    let server_end = comma(body, server);
    context.server = Some(&body[server..server_end]);
    read_quoted(&mut context, body, server_end, quotes);
    context
}

fn comma(body: &[u8], from: usize) -> usize {
    memchr::memchr(b',', &body[from..]).map_or(body.len(), |at| from + at)
}

/// A key that was found: which, where its `, ` stands, and where its value begins.
#[derive(Debug, Clone, Copy)]
struct Found {
    key: usize,
    start: usize,
    value: usize,
}

fn read_quoted<'a>(context: &mut Context<'a>, body: &'a [u8], from: usize, quotes: &[usize]) {
    let mut open: Option<Found> = None;
    let quotes = &quotes[quotes.partition_point(|quote| *quote < from)..];
    for quote in quotes {
        let Some(found) = key_before(body, *quote, from) else { continue };
        if let Some(open) = open {
            if body[found.start - 1] != b'"' || found.start <= open.value {
                continue;
            }
            context.set(open.key, &body[open.value..found.start - 1]);
            if found.key <= open.key {
                return context.forget_forged();
            }
        } else if found.start != from {
            continue;
        }
        open = Some(found);
    }
    if let Some(open) = open {
        context.set(open.key, last_value(&body[open.value..]));
    }
}

/// The key whose value the quote opens.
#[inline]
fn key_before(body: &[u8], quote: usize, from: usize) -> Option<Found> {
    let before = &body[from..quote];
    if !before.ends_with(b": ") {
        return None;
    }
    let key = KEYS.iter().position(|key| before.ends_with(key))?;
    Some(Found { key, start: quote - KEYS[key].len(), value: quote + 1 })
}

/// The last value reaches to the last quote, unless it was cut. The stream module counts bytes behind it.
fn last_value(text: &[u8]) -> &[u8] {
    if let Some(value) = text.strip_suffix(b"\"") {
        return value;
    }
    match memmem::rfind(text, b"\", bytes from/to client:") {
        Some(end) => &text[..end],
        None => text,
    }
}

impl<'a> Context<'a> {
    fn set(&mut self, key: usize, value: &'a [u8]) {
        match key {
            0 => self.request = Some(value),
            2 => self.upstream = Some(value),
            3 => self.host = Some(value),
            4 => self.referrer = Some(value),
            5 => self.login = Some(value),
            _ => {}
        }
    }

    /// Forgets what may be forged: all that the client could have written in front of or behind a doubled key.
    #[cold]
    fn forget_forged(&mut self) {
        (self.upstream, self.host, self.referrer, self.login) = (None, None, None, None);
    }
}

/// The scheme and the server of an upstream, without the URI: `http://192.0.2.20:8080`, `fastcgi://unix:/run/a.sock`.
pub(super) fn peer(upstream: &[u8]) -> &[u8] {
    let Some(scheme) = memmem::find(upstream, b"://") else { return upstream };
    let start = scheme + b"://".len();
    let name = &upstream[start..];
    let len = match name.strip_prefix(b"unix:") {
        Some(path) => memchr::memchr(b':', path).map(|len| len + b"unix:".len()),
        None => memchr::memchr(b'/', name),
    };
    &upstream[..start + len.unwrap_or(name.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &str) -> (&str, Option<Context<'_>>) {
        let quotes: Vec<usize> = body.match_indices('"').map(|(at, _)| at).collect();
        let (message, context) = Contexts::new().split(body.as_bytes(), &quotes);
        (std::str::from_utf8(message).unwrap(), context)
    }

    fn client(body: &str) -> Option<&str> {
        split(body).1.map(|context| std::str::from_utf8(context.client).unwrap())
    }

    #[test]
    fn trap_13_the_message_is_left_before_the_context_is_sought() {
        let user = "user \"x, client: 127.0.0.1, server: y\" was not found in \"/u\", client: 203.0.113.9, server: s";
        assert_eq!(client(user), Some("203.0.113.9"));
        let path = "open() \"/w/\"q\", client: 1.1.1.1, server: z\" failed (2: No such file or directory), client: 203.0.113.9, server: s";
        assert_eq!(client(path), Some("203.0.113.9"));
        let both = "open() \"/w failed (2: x), client: 1.1.1.1, server: z\" failed (2: x), client: 203.0.113.9, server: s";
        assert_eq!(client(both), None);
        let plain = "access forbidden by rule, client: 203.0.113.9, server: s, request: \"GET /, client: 1.1.1.1, server: z\"";
        assert_eq!(client(plain), Some("203.0.113.9"));
        let referrer = "open() \"/w\" failed (2: x), client: 203.0.113.9, server: s, request: \"GET / HTTP/1.1\", host: \"h\", referrer: \"a\", client: 127.0.0.1, server: f, request: \"GET /\"";
        let context = split(referrer).1.unwrap();
        assert_eq!(context.client, b"203.0.113.9");
        assert_eq!(context.host, Some(&b"h"[..]));
        assert_eq!(
            context.referrer,
            Some(&b"a\", client: 127.0.0.1, server: f, request: \"GET /"[..])
        );
    }

    #[test]
    fn trap_13_keys_that_come_twice_are_forged() {
        let forged = "x, client: ::1, server: s, request: \"GET / HTTP/1.1\", host: \"f HTTP/1.1\", upstream: \"http://a/\", host: \"h\"";
        let context = split(forged).1.unwrap();
        assert_eq!(context.request, Some(&b"GET / HTTP/1.1"[..]));
        assert_eq!((context.host, context.upstream), (None, None));
    }

    #[test]
    fn quotes_inside_values_stay() {
        let body = "x, client: ::1, server: s, request: \"GET /\"q\"?a=\"b\" HTTP/1.1\", host: \"h\", referrer: \"r\"\"";
        let context = split(body).1.unwrap();
        assert_eq!(context.request, Some(&b"GET /\"q\"?a=\"b\" HTTP/1.1"[..]));
        assert_eq!(context.referrer, Some(&b"r\""[..]));
    }

    #[test]
    fn trap_15_empty_missing_and_truncated() {
        let context = split("x, client: ::1, server: , request: \"\"").1.unwrap();
        assert_eq!((context.server, context.request), (Some(&b""[..]), Some(&b""[..])));
        assert_eq!(split("could not refresh, context: ngx.timer").1, None);
        for (cut, client, server) in [
            ("x, client: ::1", "::1", None),
            ("x, client: ::1, ser", "::1", None),
            ("x, client: ::1, server: sh", "::1", Some("sh")),
            ("x, client: ::1, server: sh, req", "::1", Some("sh")),
        ] {
            let context = split(cut).1.unwrap();
            assert_eq!(context.client, client.as_bytes(), "{cut}");
            assert_eq!(context.server, server.map(str::as_bytes), "{cut}");
        }
        let context = split("x, client: ::1, server: s, request: \"GET /c").1.unwrap();
        assert_eq!(context.request, Some(&b"GET /c"[..]));
    }

    #[test]
    fn streams_and_mail() {
        let stream = "x, udp client: 203.0.113.9, server: 0.0.0.0:53, upstream: \"192.0.2.20:53\", bytes from/to client:1/2, bytes from/to upstream:3/4";
        let context = split(stream).1.unwrap();
        assert_eq!(context.client, b"203.0.113.9");
        assert_eq!(context.upstream, Some(&b"192.0.2.20:53"[..]));
        let mail = "client login failed: \"NO\" while in http auth state, client: 203.0.113.9, server: 0.0.0.0:143, login: \"jo\"";
        assert_eq!(split(mail).1.unwrap().login, Some(&b"jo"[..]));
    }

    #[test]
    fn peers() {
        for (upstream, expected) in [
            ("http://192.0.2.20:8080/cart", "http://192.0.2.20:8080"),
            ("http://[2001:db8::20]:80/", "http://[2001:db8::20]:80"),
            ("http://unix:/run/a.sock:/x", "http://unix:/run/a.sock"),
            ("fastcgi://unix:/run/a.sock:", "fastcgi://unix:/run/a.sock"),
            ("fastcgi://unix:/run/a.so", "fastcgi://unix:/run/a.so"),
            ("192.0.2.20:5432", "192.0.2.20:5432"),
            ("http://twodead", "http://twodead"),
        ] {
            assert_eq!(peer(upstream.as_bytes()), expected.as_bytes());
        }
    }
}
