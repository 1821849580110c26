//! What belongs to clients: the networks that they stand in.
//!
//! Section beside those of a breakdown: `networks`, by /24 of IPv4 and /64 of IPv6, the sizes in which addresses are
//! mostly given out.

use std::net::{IpAddr, Ipv6Addr};

use super::breakdown::Rows;
use crate::document::Section;
use crate::record::address::{self, Prefix};

/// The sections that clients have beside the usual ones.
pub(super) fn sections(rows: &Rows<'_>) -> Vec<Section> {
    let name = |network: Network| network.prefix().to_string().into_bytes();
    vec![rows.section_of_groups(("networks", "Client networks"), Network::of, name)]
}

/// The network of an address, as one number: that of IPv4 is mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network(u128);

impl Network {
    /// Names have none.
    fn of(client: &[u8]) -> Option<Self> {
        Some(Self(match address::parse(client)? {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits() & u128::MAX << 8,
            IpAddr::V6(address) => address.to_bits() & u128::MAX << 64,
        }))
    }

    fn prefix(self) -> Prefix {
        let address = Ipv6Addr::from_bits(self.0).to_canonical();
        let bits = if address.is_ipv4() { 24 } else { 64 };
        Prefix::new(address, bits).expect("an address has so many bits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_addresses() {
        let network = |client: &[u8]| Network::of(client).map(|known| known.prefix().to_string());
        assert_eq!(network(b"192.0.2.77").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network(b"::ffff:192.0.2.77").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network(b"2001:db8:1:2:3:4:5:6").as_deref(), Some("2001:db8:1:2::/64"));
        assert_eq!(network(b"::1").as_deref(), Some("::/64"));
        assert_eq!(network(b"host.example.org"), None);
    }
}
