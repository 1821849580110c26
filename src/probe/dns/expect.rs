//! What the answers should be: exactly these, one of these, or a certain answer code.

use std::net::IpAddr;

use crate::error::Result;
use crate::probe::class::Class;
use crate::probe::expect::Expectation;
use crate::probe::options::Options;
use crate::probe::trace::Trace;

/// The expectations of a check, decided.
#[derive(Debug)]
pub(super) struct Expected {
    exactly: Vec<Wanted>,
    some: Vec<Wanted>,
    rcode: Option<String>,
}

#[derive(Debug)]
enum Wanted {
    /// The whole answer, without case and final dot.
    Text(String),
    /// An address in a network: its address, and how many of its bits count.
    Network(IpAddr, u32),
    /// A pattern.
    Pattern(Expectation),
}

impl Wanted {
    fn parse(text: &str) -> Result<Self> {
        if text.starts_with('~') {
            return Ok(Self::Pattern(Expectation::parse(text)?));
        }
        let network = text.split_once('/').and_then(|(address, bits)| {
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            Some(Self::Network(address, bits.parse().ok().filter(|bits| *bits <= most)?))
        });
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        Ok(network.unwrap_or(Self::Text(text)))
    }

    fn matches(&self, answer: &str) -> bool {
        match self {
            Self::Text(text) => answer.trim_matches('"').eq_ignore_ascii_case(text),
            Self::Network(network, bits) => {
                answer.parse().is_ok_and(|address| in_network(address, *network, *bits))
            }
            Self::Pattern(pattern) => pattern.holds(answer.as_bytes()),
        }
    }
}

fn in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            (a.to_bits() ^ n.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            (a.to_bits() ^ n.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

impl Expected {
    pub(super) fn parse(options: &Options) -> Result<Self> {
        let read = |name| options.list(name).into_iter().map(Wanted::parse).collect::<Result<_>>();
        Ok(Self {
            exactly: read("expect")?,
            some: read("expect-some")?,
            rcode: options.text("expect-rcode").map(str::to_ascii_uppercase),
        })
    }

    /// The answer code that is wanted, if a certain one is.
    pub(super) fn rcode(&self) -> Option<&str> {
        self.rcode.as_deref()
    }

    /// Records what is missing and what is too much.
    pub(super) fn judge(&self, trace: &mut Trace<'_>, answers: &[&str]) {
        let came = if answers.is_empty() { "nothing".to_owned() } else { answers.join(", ") };
        let met = |wanted: &Wanted| answers.iter().any(|answer| wanted.matches(answer));
        let expected = |answer: &&str| self.exactly.iter().any(|wanted| wanted.matches(answer));
        let exactly = self.exactly.iter().all(met) && answers.iter().all(expected);
        if !self.exactly.is_empty() && !exactly {
            trace.fault(Class::Unexpected, "exactly the answers that are expected", &came);
        }
        if !self.some.is_empty() && !self.some.iter().any(met) {
            trace.fault(Class::Unexpected, "one of the answers that are expected", came);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_networks_names_patterns() {
        let matches = |wanted: &str, answer: &str| Wanted::parse(wanted).unwrap().matches(answer);
        assert!(matches("192.0.2.7", "192.0.2.7") && !matches("192.0.2.7", "192.0.2.70"));
        assert!(matches("192.0.2.0/24", "192.0.2.7") && !matches("192.0.2.0/24", "192.0.3.7"));
        assert!(matches("0.0.0.0/0", "9.9.9.9") && !matches("0.0.0.0/0", "::1"));
        assert!(matches("2001:db8::/32", "2001:db8::1"));
        assert!(matches("Mail.Lab.Test.", "mail.lab.test"));
        assert!(matches("~^v=spf1", "v=spf1 -all") && matches("v=spf1", "\"v=spf1\""));
    }
}
