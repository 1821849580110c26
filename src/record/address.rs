//! Addresses as logs spell them, and prefixes of addresses.
//!
//! A client column is text: an address, a host name or `unix:`. Where something has to know that it is an address
//! (a filter, a grouping by prefix) it asks here. An IPv4 address inside IPv6 (`::ffff:192.0.2.7`) counts as IPv4.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::error::{Error, Result};

/// Reads an address: IPv4, IPv6, with brackets or a zone (`%eth0`), without port. `None` for anything else.
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    if let Some(address) = dotted(text) {
        return Some(IpAddr::V4(address));
    }
    let text = match text {
        [b'[', inner @ .., b']'] => inner,
        other => other,
    };
    let text = match memchr::memchr(b'%', text) {
        Some(zone) => &text[..zone],
        None => text,
    };
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

/// Reads an IPv4 address in the one spelling that logs have: four numbers without zeros in front. There are as many
/// addresses as clients, and the standard library takes its time.
fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut bits, mut parts, mut number) = (0, 0, None::<u32>);
    for byte in text {
        match (byte, number) {
            (b'0'..=b'9', known) if known != Some(0) => {
                let digit = u32::from(byte - b'0');
                number = Some(known.unwrap_or(0) * 10 + digit).filter(|number| *number < 256);
                number?;
            }
            (b'.', Some(part)) => (bits, parts, number) = (bits << 8 | part, parts + 1, None),
            _ => return None,
        }
    }
    (parts == 3).then_some(Ipv4Addr::from_bits(bits << 8 | number?))
}

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// The network of `bits` leading bits around an address; `None` when the address has fewer bits.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) if bits <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
            _ => return None,
        };
        Some(Self { address, bits })
    }

    /// True when the address lies in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address, self.bits) == Some(*self)
    }
}

impl FromStr for Prefix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::usage(format!("'{text}' is no network"))
                .advise("write 10.0.0.0/8 or 2001:db8::/32")
        };
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address = parse(address.as_bytes()).ok_or_else(wrong)?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        Self::new(address, bits.unwrap_or(whole)).ok_or_else(wrong)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        assert_eq!(parse(b"192.0.2.7"), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(parse(b"[2001:db8::7]"), Some("2001:db8::7".parse().unwrap()));
        assert_eq!(parse(b"fe80::1%eth0"), Some("fe80::1".parse().unwrap()));
        assert_eq!(parse(b"::ffff:192.0.2.7"), parse(b"192.0.2.7"));
        assert_eq!(parse(b"unix:"), None);
        assert_eq!(parse(b"1.2.3.4.example.org"), None);
    }

    #[test]
    fn dotted_numbers_are_those_of_the_standard_library() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1..2.3",
            ".1.2.3",
            "1.2.3.",
            "1.2.3.04",
            "10.20.30.40",
            "1.2.3.4 ",
            "",
            "4294967297.1.1.1",
            "1.2.3.0",
        ] {
            assert_eq!(dotted(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn networks() {
        let ten: Prefix = "10.9.8.7/8".parse().unwrap();
        assert_eq!(ten.to_string(), "10.0.0.0/8");
        assert!(ten.contains("10.255.0.1".parse().unwrap()));
        assert!(!ten.contains("11.0.0.1".parse().unwrap()));
        assert!(!ten.contains("::1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Prefix>().unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Prefix>().is_err());
    }
}
