//! Addresses of web pages: as much of RFC 3986 as a probe needs.

use std::fmt;

use crate::error::{Error, Result};
use crate::probe::target::{Place, Target, is_host};

/// An `http` or `https` address without a fragment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// Whether it is `https`.
    pub secure: bool,
    /// Name or address, an IPv6 address without brackets, in lower case.
    pub host: String,
    /// The port, given or that of the scheme.
    pub port: u16,
    /// Path and query as they are sent: they begin with `/` and hold no blank and no control byte.
    pub path: String,
}

impl Url {
    /// Reads an address; one without scheme is `http`.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).ok_or_else(|| {
            Error::usage(format!("'{text}' is not the address of a web page"))
                .advise("write http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH")
        })
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (place, path) = rest.split_at(end);
        // What stands before an @ would be a password on the command line; it belongs in a file.
        let (host, port) = if place.contains('@') { return None } else { split(place) };
        let port = port.map_or(Some(if secure { 443 } else { 80 }), |port| port.parse().ok())?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        is_host(host).then(|| Self {
            secure,
            host: host.to_ascii_lowercase(),
            port,
            path: sendable(&format!("{slash}{path}")),
        })
    }

    /// The address that a reference on this page means: whole, without scheme, from the root, or beside the page.
    pub fn join(&self, reference: &str) -> Option<Self> {
        let reference = reference.trim();
        let scheme = if self.secure { "https:" } else { "http:" };
        if reference.contains("://") {
            return Self::read(reference);
        }
        if reference.starts_with("//") {
            return Self::read(&format!("{scheme}{reference}"));
        }
        let has_scheme = reference.split(['/', '?', '#']).next().is_some_and(|p| p.contains(':'));
        if has_scheme {
            return None;
        }
        let page = self.path.split('?').next().unwrap_or_default();
        let path = match reference.as_bytes() {
            [] | [b'#', ..] => self.path.clone(),
            [b'/', ..] => without_dots(reference),
            [b'?', ..] => format!("{page}{reference}"),
            _ => {
                let folder = &page[..=page.rfind('/').unwrap_or_default()];
                without_dots(&format!("{folder}{reference}"))
            }
        };
        let path = path.split('#').next().unwrap_or_default();
        Some(Self { path: sendable(path), ..self.clone() })
    }

    /// Scheme, host and port are the same.
    pub fn same_origin(&self, other: &Self) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }

    /// The host as it stands in a request.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// The address as a target, with itself as what the kind adds.
    pub fn target(&self) -> Target {
        Target {
            label: self.to_string(),
            place: Place::Net { host: self.host.clone(), port: self.port },
            rest: self.to_string(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// Host and port; an IPv6 address stands in brackets.
fn split(place: &str) -> (&str, Option<&str>) {
    match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    }
}

/// Bytes that a request line cannot carry, and quotes, which a command to type could not, as `%NN`.
fn sendable(path: &str) -> String {
    let mut sent = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'\'' | b'"' | b'<' | b'>' | b'\\' | b'`') => {
                sent.push(char::from(byte));
            }
            _ => sent.push_str(&format!("%{byte:02X}")),
        }
    }
    sent
}

/// `.` and `..` taken out of a path, as RFC 3986 has it; the query stays.
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut parts: Vec<&str> = Vec::new();
    let mut all = path.split('/').skip(1).peekable();
    while let Some(part) = all.next() {
        let last = all.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    parts.pop();
                }
                if last {
                    parts.push("");
                }
            }
            part => parts.push(part),
        }
    }
    format!("/{}{query}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        Url::parse(text).unwrap().to_string()
    }

    #[test]
    fn reads_and_prints() {
        assert_eq!(read("www.lab.test"), "http://www.lab.test/");
        assert_eq!(read("HTTPS://WWW.lab.test:443/a?b#c"), "https://www.lab.test/a?b");
        assert_eq!(read("http://[::1]:8080?q=a b"), "http://[::1]:8080/?q=a%20b");
        for bad in ["ftp://x/", "http://", "http://user:pw@x/", "http://a b/", "http://x:99999/"] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn joins_as_browsers_do() {
        let base = Url::parse("https://a.test/x/y?z").unwrap();
        let join = |reference: &str| base.join(reference).map(|url| url.to_string());
        assert_eq!(join("/r").unwrap(), "https://a.test/r");
        assert_eq!(join("s.css").unwrap(), "https://a.test/x/s.css");
        assert_eq!(join("../s.css?v=1#top").unwrap(), "https://a.test/s.css?v=1");
        assert_eq!(join("//b.test/c").unwrap(), "https://b.test/c");
        assert_eq!(join("?p").unwrap(), "https://a.test/x/y?p");
        assert_eq!(join("http://b.test").unwrap(), "http://b.test/");
        assert_eq!(join("javascript:void(0)"), None);
        assert_eq!(join("data:image/png;base64,AA=="), None);
    }

    proptest! {
        #[test]
        fn prints_itself_back(text in "(https?://)?[a-z0-9.]{1,10}(:[0-9]{1,4})?(/.{0,20})?") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert_eq!(Url::parse(&url.to_string()).unwrap(), url);
            }
        }

        #[test]
        fn joining_never_panics(reference in ".{0,40}") {
            let _ = Url::parse("http://a/b/c").unwrap().join(&reference);
        }
    }
}
