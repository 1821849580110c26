//! What is probed: a host and port, a socket file, a file, or this machine.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// The most ports that one target may name. The probe asks known services; it is no scanner.
const MOST_PORTS: usize = 64;

/// One thing to probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The target in the user's words, or a clearer form of them: `mail.example.com:25`.
    pub label: String,
    /// Where it is.
    pub place: Place,
    /// What a kind adds: the path of a URL, the name to ask for. Empty where there is nothing.
    pub rest: String,
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A host, by name or address, and a port. For DNS the port is UDP too.
    Net {
        /// Name or address, an IPv6 address without brackets.
        host: String,
        /// The port; 0 where the protocol has none.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// A file to look into.
    File(PathBuf),
    /// This machine.
    Here,
}

impl Target {
    /// `HOST`, `HOST:PORT`, `[IPV6]:PORT`, `IPV6`, `unix:/PATH` or `/PATH`.
    pub fn net(word: &str, default_port: Option<u16>) -> Result<Self> {
        let mut all = Self::ports(word, default_port)?;
        match all.len() {
            1 => Ok(all.remove(0)),
            _ => Err(Error::usage(format!("'{word}' names several ports"))
                .advise("name one port; several are for 'probe tcp'")),
        }
    }

    /// The same with a list of ports: `HOST:80,443` is two targets.
    pub fn ports(word: &str, default_port: Option<u16>) -> Result<Vec<Self>> {
        if let Some(socket) = Self::unix(word) {
            return Ok(vec![socket]);
        }
        let (host, ports) = split(word);
        if !is_host(host) {
            return Err(not_a_target(word));
        }
        let ports = match (ports, default_port) {
            (Some(ports), _) => port_list(ports).ok_or_else(|| not_a_target(word))?,
            (None, Some(port)) => vec![port],
            (None, None) => {
                return Err(Error::usage(format!("'{word}' names no port"))
                    .advise(format!("write {word}:PORT")));
            }
        };
        Ok(ports.into_iter().map(|port| Self::of(host, port)).collect())
    }

    /// A target from its parts.
    pub fn of(host: &str, port: u16) -> Self {
        let label = match (host.contains(':'), port) {
            (_, 0) => host.to_owned(),
            (true, _) => format!("[{host}]:{port}"),
            (false, _) => format!("{host}:{port}"),
        };
        Self { label, place: Place::Net { host: host.to_owned(), port }, rest: String::new() }
    }

    /// The socket file that a word names, if it does.
    fn unix(word: &str) -> Option<Self> {
        let path = word.strip_prefix("unix:").or(word.starts_with('/').then_some(word))?;
        Some(Self {
            label: word.to_owned(),
            place: Place::Unix(PathBuf::from(path)),
            rest: String::new(),
        })
    }

    /// The host, if the target is on the net.
    pub fn host(&self) -> Option<&str> {
        match &self.place {
            Place::Net { host, .. } => Some(host),
            _ => None,
        }
    }

    /// The port; 0 where there is none.
    pub fn port(&self) -> u16 {
        match &self.place {
            Place::Net { port, .. } => *port,
            _ => 0,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// Host and what stands behind its colon. An IPv6 address has colons of its own.
fn split(word: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = word.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    if word.parse::<IpAddr>().is_ok() {
        return (word, None);
    }
    match word.rsplit_once(':') {
        Some((host, ports)) => (host, Some(ports)),
        None => (word, None),
    }
}

fn port_list(text: &str) -> Option<Vec<u16>> {
    let ports: Option<Vec<u16>> =
        text.split(',').map(|port| port.parse().ok().filter(|port| *port != 0)).collect();
    ports.filter(|ports| ports.len() <= MOST_PORTS)
}

/// A name or an address: nothing that could be a flag, a path or a control byte.
pub(super) fn is_host(host: &str) -> bool {
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let plain = !host.is_empty() && host.len() <= 253 && !host.starts_with('-');
    plain && (host.parse::<IpAddr>().is_ok() || host.bytes().all(name))
}

fn not_a_target(word: &str) -> Error {
    Error::usage(format!("'{word}' is not a target")).advise(format!(
        "write HOST:PORT, [IPV6]:PORT, or unix:/PATH; at most {MOST_PORTS} ports, no ranges"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(word: &str) -> Vec<String> {
        let targets = Target::ports(word, Some(80)).unwrap();
        targets.into_iter().map(|target| target.label).collect()
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(labels("a.example"), ["a.example:80"]);
        assert_eq!(labels("a.example:1,2"), ["a.example:1", "a.example:2"]);
        assert_eq!(labels("::1"), ["[::1]:80"]);
        assert_eq!(labels("[::1]:25"), ["[::1]:25"]);
        assert_eq!(labels("127.0.0.1:25"), ["127.0.0.1:25"]);
        assert_eq!(labels("unix:/run/x.sock"), ["unix:/run/x.sock"]);
    }

    #[test]
    fn refuses_what_is_none() {
        for word in ["", ":80", "a:0", "a:70000", "a:1-5", "a b", "-x", "[::1", "a:", "a\x1b"] {
            assert!(Target::ports(word, Some(80)).is_err(), "{word}");
        }
        assert!(Target::net("a:1,2", None).is_err());
        assert!(Target::net("a", None).unwrap_err().advice().unwrap().contains("a:PORT"));
    }

    proptest! {
        #[test]
        fn never_panics(word in ".{0,40}") {
            let _ = Target::ports(&word, None);
        }
    }
}
