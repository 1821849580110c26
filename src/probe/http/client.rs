//! One request and one answer over a wire: HTTP/1.1, one connection each, everything bounded.
//!
//! The head is read by `httparse`; the lines, the limits, the kinds of body and what each failure means are here.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::url::Url;
use crate::probe::class::Class;
use crate::probe::courtesy::recognise;
use crate::probe::escape::quoted;
use crate::probe::net::{Answer, Deadline, Failure, Wire};

/// The most bytes of a head; servers allow clients a tenth of it.
const HEAD: usize = 64 * 1024;

/// The most header lines.
const HEADERS: usize = 200;

/// A request, ready to be written.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `HEAD`, `OPTIONS` or `POST`.
    pub method: String,
    /// Path and query, or the whole address for a proxy.
    pub target: String,
    /// The value of `Host`.
    pub host: String,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// The body, if it has one.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// A plain request for an address.
    pub fn get(url: &Url) -> Self {
        Self {
            method: "GET".to_owned(),
            target: url.path.clone(),
            host: url.authority(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// The bytes as sent: who we are, what we take, and that one answer is enough.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, self.host);
        let ours = [
            ("User-Agent", concat!("logmill/", env!("CARGO_PKG_VERSION"))),
            ("Accept", "*/*"),
            ("Accept-Encoding", "gzip"),
            ("Connection", "close"),
        ];
        for (name, value) in ours {
            if !self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// 0 or 1: the minor version of HTTP.
    pub version: u8,
    /// The status.
    pub status: u16,
    /// The words behind the status, escaped.
    pub reason: String,
    /// The headers in order, names in lower case, values as sent.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// The first value of a header as text; bytes that are not ASCII are replaced.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).trim().to_owned())
    }

    /// All values of a header.
    pub fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| &value[..])
    }

    /// The status line as people know it.
    pub fn line(&self) -> String {
        format!("HTTP/1.{} {} {}", self.version, self.status, self.reason)
    }
}

/// A body as received and unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// The bytes, unpacked, up to the limit.
    pub bytes: Vec<u8>,
    /// The limit cut it.
    pub cut: bool,
    /// It ended before its announced end.
    pub truncated: Option<String>,
}

/// Reads the head of the final answer; interim answers (1xx) before it are passed over.
pub fn head(wire: &mut Wire, deadline: Deadline) -> Answer<Head> {
    for _ in 0..5 {
        let head = one_head(wire, deadline)?;
        if head.status >= 200 || head.status == 101 {
            return Ok(head);
        }
    }
    Err(Failure::new(Class::Malformed, "interim answers without end"))
}

fn one_head(wire: &mut Wire, deadline: Deadline) -> Answer<Head> {
    if wire.unread().is_empty() {
        wire.more(deadline)?;
    }
    check_is_http(wire, deadline)?;
    let mut lines = Vec::new();
    loop {
        let line = wire.line(HEAD, deadline)?;
        let end = line.is_empty();
        lines.extend(line);
        lines.extend(b"\r\n");
        if end {
            return parse(&lines);
        }
        if lines.len() > HEAD {
            return Err(Failure::new(Class::TooLarge, format!("a head of over {HEAD} bytes")));
        }
    }
}

/// The first bytes must be HTTP's; anything else is named if it is known.
fn check_is_http(wire: &mut Wire, deadline: Deadline) -> Answer<()> {
    const START: &[u8] = b"HTTP/1.";
    while wire.unread().len() < START.len() && START.starts_with(wire.unread()) {
        wire.more(deadline)?;
    }
    if wire.unread().starts_with(START) {
        return Ok(());
    }
    let first = wire.unread();
    let who = recognise(first).map_or("something else", |protocol| protocol.name());
    let first = &first[..first.len().min(80)];
    Err(Failure::new(Class::WrongProtocol, format!("{who} instead of HTTP: {}", quoted(first))))
}

/// Reads the bytes of a whole head.
pub fn parse(bytes: &[u8]) -> Answer<Head> {
    let malformed = |what: &str| {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Failure::new(Class::Malformed, format!("{what}: {}", quoted(first)))
    };
    let mut space = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Response::new(&mut space);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed("the head has no end")),
        Err(error) => return Err(malformed(&error.to_string())),
    }
    let headers = parsed.headers.iter();
    Ok(Head {
        version: parsed.version.unwrap_or_default(),
        status: parsed.code.unwrap_or_default(),
        reason: crate::probe::escape::escaped(parsed.reason.unwrap_or_default().as_bytes(), 100),
        headers: headers.map(|h| (h.name.to_ascii_lowercase(), h.value.to_vec())).collect(),
    })
}

/// Reads the body that belongs to a head, and unpacks it. `limit` bounds what is received and what it unpacks to.
pub fn body(
    wire: &mut Wire,
    head: &Head,
    method: &str,
    limit: usize,
    deadline: Deadline,
) -> Answer<Body> {
    if method == "HEAD" || matches!(head.status, 101 | 204 | 304) {
        return Ok(Body::default());
    }
    let chunked = head
        .header("transfer-encoding")
        .is_some_and(|v| v.to_ascii_lowercase().ends_with("chunked"));
    let mut body = match (chunked, length(head)?) {
        (true, _) => chunks(wire, limit, deadline)?,
        (false, Some(length)) => counted(wire, length, limit, deadline)?,
        (false, None) => {
            let (bytes, cut) = wire.rest(limit, deadline)?;
            Body { bytes, cut, truncated: None }
        }
    };
    let packed = head.header("content-encoding").is_some_and(|v| v.eq_ignore_ascii_case("gzip"));
    if packed && !body.bytes.is_empty() {
        unpack(&mut body, limit)?;
    }
    Ok(body)
}

/// The announced length. Two that differ are a fault: what stands behind would be read as another answer.
fn length(head: &Head) -> Answer<Option<u64>> {
    let mut lengths: Vec<_> = head.all("content-length").collect();
    lengths.dedup();
    match lengths[..] {
        [] => Ok(None),
        [one] => {
            let text = std::str::from_utf8(one).ok().map(str::trim);
            let digits = text.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
            let length = digits.and_then(|text| text.parse().ok());
            length.map(Some).ok_or_else(|| bad_length(one))
        }
        [one, ..] => Err(bad_length(one)),
    }
}

fn bad_length(value: &[u8]) -> Failure {
    Failure::new(Class::Malformed, format!("a Content-Length of {}", quoted(value)))
}

fn counted(wire: &mut Wire, length: u64, limit: usize, deadline: Deadline) -> Answer<Body> {
    let wanted = usize::try_from(length).unwrap_or(usize::MAX);
    let bytes = wire.up_to(wanted.min(limit), deadline)?;
    let cut = wanted > limit;
    let short = bytes.len() < wanted.min(limit);
    let truncated = short.then(|| format!("{} of {length} bytes", bytes.len()));
    Ok(Body { bytes, cut, truncated })
}

/// Pieces with their length in hexadecimal before each, up to one of length zero.
fn chunks(wire: &mut Wire, limit: usize, deadline: Deadline) -> Answer<Body> {
    let mut body = Body::default();
    loop {
        let size = match chunk_size(wire, deadline) {
            Err(failure) if failure.class == Class::ClosedEarly => {
                body.truncated = Some(format!("{} bytes and no last piece", body.bytes.len()));
                return Ok(body);
            }
            size => size?,
        };
        if size == 0 {
            return Ok(body);
        }
        let room = limit.saturating_sub(body.bytes.len());
        let piece = wire.up_to(size.min(room), deadline)?;
        let short = piece.len() < size.min(room);
        body.bytes.extend(piece);
        if short {
            body.truncated = Some(format!("{} bytes, in the middle of a piece", body.bytes.len()));
            return Ok(body);
        }
        if size > room {
            body.cut = true;
            return Ok(body);
        }
        wire.line(2, deadline)?;
    }
}

fn chunk_size(wire: &mut Wire, deadline: Deadline) -> Answer<usize> {
    let line = wire.line(1000, deadline)?;
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let text = std::str::from_utf8(digits).unwrap_or_default().trim();
    let hexadecimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = usize::from_str_radix(text, 16).ok().filter(|_| hexadecimal);
    size.ok_or_else(|| {
        Failure::new(Class::Malformed, format!("a piece of length {}", quoted(&line)))
    })
}

/// Unpacks gzip, at most to the limit: a small bomb must not become a big one.
fn unpack(body: &mut Body, limit: usize) -> Answer<()> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(&body.bytes[..]).take(limit as u64 + 1);
    let result = decoder.read_to_end(&mut plain);
    if plain.len() > limit {
        plain.truncate(limit);
        body.cut = true;
    } else if let Err(error) = result
        && !body.cut
        && body.truncated.is_none()
    {
        return Err(Failure::new(Class::Malformed, format!("a body that is not gzip: {error}")));
    }
    body.bytes = plain;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_a_head() {
        let head = parse(b"HTTP/1.1 404 Not \x1b\r\nServer: x\r\nA:b\r\na: c\r\n\r\n");
        assert_eq!(head.unwrap_err().class, Class::Malformed);
        let head = parse(b"HTTP/1.1 404 Not Found\r\nServer: x\r\nA:b\r\na: c\r\n\r\n").unwrap();
        assert_eq!((head.status, head.line().as_str()), (404, "HTTP/1.1 404 Not Found"));
        assert_eq!(head.all("a").collect::<Vec<_>>(), [b"b", b"c"]);
    }

    #[test]
    fn two_lengths_that_differ_are_a_fault() {
        let of = |lengths: &[&str]| Head {
            headers: lengths
                .iter()
                .map(|l| ("content-length".into(), l.as_bytes().into()))
                .collect(),
            ..Head::default()
        };
        assert_eq!(length(&of(&["5", "5"])), Ok(Some(5)));
        assert!(length(&of(&["5", "6"])).is_err() && length(&of(&["+5"])).is_err());
        assert!(length(&of(&["99999999999999999999999"])).is_err());
    }

    #[test]
    fn a_request_says_who_asks() {
        let mut request = Request::get(&Url::parse("http://a.test:81/x").unwrap());
        request.headers.push(("accept".into(), "text/html".into()));
        let text = String::from_utf8(request.bytes()).unwrap();
        assert!(text.starts_with("GET /x HTTP/1.1\r\nHost: a.test:81\r\nUser-Agent: logmill/"));
        assert!(text.contains("accept: text/html\r\n") && !text.contains("Accept: */*"));
        assert!(text.ends_with("\r\n\r\n"));
    }

    proptest! {
        #[test]
        fn any_head_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
            head.extend(bytes);
            head.extend(b"\r\n\r\n");
            let _ = parse(&head);
        }
    }
}
