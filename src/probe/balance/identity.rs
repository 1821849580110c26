//! Who answered, and what it asked to be remembered by: identities and cookies of HTTP answers.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::probe::escape::escaped;
use crate::probe::expect::Expectation;
use crate::probe::http::client::{Body, Head};

/// By what the servers are told apart.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    /// The first known header or cookie that an answer has.
    Guessed,
    /// The value of this header, in lower case.
    Header(String),
    /// The value of this cookie.
    Cookie(String),
    /// What this pattern matches in the body.
    Body(Expectation),
    /// The status.
    Status,
}

/// Headers by which servers commonly say who they are.
const HEADERS: [&str; 8] = [
    "x-served-by",
    "x-backend",
    "x-backend-server",
    "x-server",
    "x-server-name",
    "x-upstream",
    "x-instance",
    "x-hostname",
];

/// Cookies by which balancers commonly bind clients, in lower case.
const COOKIES: [&str; 6] = ["serverid", "srv", "srvid", "route", "awsalb", "server"];

impl FromStr for Identity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(':') {
            None if text == "status" => Ok(Self::Status),
            Some(("header", name)) if !name.is_empty() => {
                Ok(Self::Header(name.to_ascii_lowercase()))
            }
            Some(("cookie", name)) if !name.is_empty() => Ok(Self::Cookie(name.to_owned())),
            Some(("body", pattern)) if pattern.starts_with('~') => {
                Expectation::parse(pattern).map(Self::Body).map_err(|_| ())
            }
            _ => Err(()),
        }
    }
}

impl Identity {
    /// The identity that an answer shows, escaped; `None` if it shows none.
    pub(super) fn of(&self, head: &Head, body: &Body) -> Option<String> {
        match self {
            Self::Guessed => guess(head),
            Self::Header(name) => head.all(name).next().map(shown),
            Self::Cookie(name) => {
                cookies(head).find(|cookie| cookie.name == *name).map(|c| c.value)
            }
            Self::Body(pattern) => pattern.found(&body.bytes).map(shown),
            Self::Status => Some(head.status.to_string()),
        }
    }
}

fn shown(value: &[u8]) -> String {
    escaped(value.trim_ascii(), 80)
}

fn guess(head: &Head) -> Option<String> {
    let header = HEADERS.iter().find_map(|name| head.all(name).next().map(shown));
    header.or_else(|| {
        let known = |cookie: &Cookie| COOKIES.contains(&cookie.name.to_ascii_lowercase().as_str());
        cookies(head).find(known).map(|cookie| cookie.value)
    })
}

/// One cookie as it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cookie {
    pub name: String,
    pub value: String,
    /// The attributes behind it, as they came, escaped.
    pub attributes: Vec<String>,
}

impl Cookie {
    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|one| one.eq_ignore_ascii_case(attribute))
    }

    /// Its path; the root where none is set or it is none.
    fn path(&self) -> &str {
        let path = self.attributes.iter().find_map(|one| {
            let (name, value) = one.split_once('=')?;
            name.trim().eq_ignore_ascii_case("path").then_some(value.trim())
        });
        path.filter(|path| path.starts_with('/')).unwrap_or("/")
    }

    /// Why a browser would not send it back to this address; `None` if it would.
    pub(super) fn why_lost(&self, secure: bool, path: &str) -> Option<&'static str> {
        let own = self.path().trim_end_matches('/');
        let below = path
            .strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        match () {
            () if self.has("secure") && !secure => Some("it is for https only"),
            () if !below => Some("it is for another path"),
            () => None,
        }
    }
}

/// The cookies that an answer sets.
pub(super) fn cookies(head: &Head) -> impl Iterator<Item = Cookie> {
    head.all("set-cookie").filter_map(|value| {
        let text = escaped(value, 1000);
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let attributes = parts.map(str::to_owned).collect();
        Some(Cookie { name: name.trim().to_owned(), value: value.trim().to_owned(), attributes })
    })
}

/// The cookies that a browser would hold and send back.
#[derive(Debug, Clone, Default)]
pub(super) struct Jar(BTreeMap<String, Cookie>);

impl Jar {
    /// Keeps what an answer sets; the latest of a name wins.
    pub(super) fn keep(&mut self, head: &Head) {
        self.0.extend(cookies(head).map(|cookie| (cookie.name.clone(), cookie)));
    }

    /// The value of `Cookie`; `None` when there is nothing to send.
    pub(super) fn header(&self, secure: bool, path: &str) -> Option<String> {
        let sent = self.0.values().filter(|cookie| cookie.why_lost(secure, path).is_none());
        let pairs: Vec<_> =
            sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// All cookies that were set, in the order of their names.
    pub(super) fn all(&self) -> impl Iterator<Item = &Cookie> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&str, &str)]) -> Head {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()));
        Head { status: 200, headers: headers.collect(), ..Head::default() }
    }

    #[test]
    fn tells_servers_apart() {
        let body = Body { bytes: b"<p>node-7 of 9</p>".to_vec(), ..Body::default() };
        let head = head(&[("x-served-by", " web1 "), ("set-cookie", "SERVERID=s2; path=/")]);
        let of = |text: &str| text.parse::<Identity>().unwrap().of(&head, &body);
        assert_eq!(of("header:X-Served-By").as_deref(), Some("web1"));
        assert_eq!(of("cookie:SERVERID").as_deref(), Some("s2"));
        assert_eq!(of("body:~node-[0-9]").as_deref(), Some("node-7"));
        assert_eq!(of("status").as_deref(), Some("200"));
        assert_eq!(Identity::Guessed.of(&head, &body).as_deref(), Some("web1"));
        assert_eq!(of("header:none"), None);
        for bad in ["", "header:", "body:x", "body:~(", "colour:red"] {
            assert!(bad.parse::<Identity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_browser_sends_back_what_fits() {
        let mut jar = Jar::default();
        jar.keep(&head(&[
            ("set-cookie", "A=1; Path=/app; Secure"),
            ("set-cookie", "B=2; path=/"),
            ("set-cookie", "C=3; Path=/shop"),
            ("set-cookie", "nonsense"),
        ]));
        assert_eq!(jar.header(true, "/app/x").as_deref(), Some("A=1; B=2"));
        assert_eq!(jar.header(false, "/app").as_deref(), Some("B=2"));
        assert_eq!(jar.header(true, "/apple").as_deref(), Some("B=2"));
        assert_eq!(jar.all().count(), 3);
        assert_eq!(Jar::default().header(true, "/"), None);
    }
}
