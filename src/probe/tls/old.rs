//! Does the server still accept TLS 1.0 or 1.1? rustls cannot ask, so the first message of a handshake is made by
//! hand, and only the head of the answer is read.
//!
//! A `ServerHello` of the asked version means accepted; an alert, another version or silence means not.

use std::net::IpAddr;

use crate::probe::net::{self, Answer, Deadline, Peer};

/// A version that nobody should accept any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Of 1999.
    Tls10,
    /// Of 2006.
    Tls11,
}

impl Version {
    /// The name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tls10 => "TLSv1.0",
            Self::Tls11 => "TLSv1.1",
        }
    }

    fn minor(self) -> u8 {
        match self {
            Self::Tls10 => 1,
            Self::Tls11 => 2,
        }
    }
}

/// The old versions that a server accepts.
pub(super) fn accepted(
    peer: &Peer,
    source: Option<IpAddr>,
    name: Option<&str>,
    deadline: Deadline,
) -> Vec<Version> {
    let accepts = |version: &Version| ask(peer, source, name, *version, deadline) == Ok(true);
    [Version::Tls10, Version::Tls11].into_iter().filter(accepts).collect()
}

fn ask(
    peer: &Peer,
    source: Option<IpAddr>,
    name: Option<&str>,
    version: Version,
    deadline: Deadline,
) -> Answer<bool> {
    let mut wire = net::connect(peer, source, deadline)?;
    wire.send(&client_hello(version, name), deadline)?;
    let head = wire.exact(11, deadline)?;
    wire.leave(&ALERT_CANCELED);
    Ok(is_hello_of(&head, version))
}

/// A record with the alert "user canceled", so that the server knows that nothing went wrong.
const ALERT_CANCELED: [u8; 7] = [21, 3, 1, 0, 2, 1, 90];

/// A handshake record, a server's hello, and the version that it chose.
fn is_hello_of(head: &[u8], version: Version) -> bool {
    matches!(head, [22, 3, _, _, _, 2, _, _, _, 3, minor] if *minor == version.minor())
}

/// Suites of the time: elliptic and plain, for RSA and elliptic certificates, with AES and triple DES.
const SUITES: [u16; 9] = [0xc009, 0xc00a, 0xc013, 0xc014, 0x002f, 0x0035, 0x000a, 0x0033, 0x0039];

fn client_hello(version: Version, name: Option<&str>) -> Vec<u8> {
    let mut body = vec![3, version.minor()];
    // The random of a handshake that is never finished may be any bytes.
    body.extend([0x6c; 32]);
    body.push(0);
    let suites: Vec<u8> = SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    body.extend(sized(&suites));
    body.extend([1, 0]);
    body.extend(sized(&extensions(name)));
    let mut message = vec![1, 0];
    message.extend(sized(&body));
    let mut record = vec![22, 3, 1];
    record.extend(sized(&message));
    record
}

/// The name, the curves, and the form of points.
fn extensions(name: Option<&str>) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(name) = name {
        let mut entry = vec![0];
        entry.extend(sized(name.as_bytes()));
        all.extend([0, 0]);
        all.extend(sized(&sized(&entry)));
    }
    all.extend([0, 10, 0, 6, 0, 4, 0, 23, 0, 24]);
    all.extend([0, 11, 0, 2, 1, 0]);
    all
}

/// Bytes behind their length in two bytes. Names are at most 253 bytes long.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut all = length.to_be_bytes().to_vec();
    all.extend(bytes);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_add_up() {
        let hello = client_hello(Version::Tls10, Some("www.lab.test"));
        let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        let message = usize::from(u16::from_be_bytes([hello[7], hello[8]]));
        assert_eq!((record, message), (hello.len() - 5, hello.len() - 9));
    }

    #[test]
    fn only_the_asked_version_counts() {
        assert!(is_hello_of(&[22, 3, 1, 0, 90, 2, 0, 0, 80, 3, 1], Version::Tls10));
        assert!(!is_hello_of(&[22, 3, 3, 0, 90, 2, 0, 0, 80, 3, 3], Version::Tls10));
        assert!(!is_hello_of(&[21, 3, 1, 0, 2, 2, 70, 0, 0, 0, 0], Version::Tls11));
    }
}
