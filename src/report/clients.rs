//! What belongs to clients: the networks that they stand in.
//!
//! Section beside those of a breakdown: `networks`, by /24 of IPv4 and /64 of IPv6, the sizes in which addresses are
//! mostly given out.

use super::breakdown::Rows;
use crate::document::Section;
use crate::record::address::{self, Prefix};

/// The sections that clients have beside the usual ones.
pub(super) fn sections(rows: &Rows<'_>) -> Vec<Section> {
    let name = |network: Prefix| network.to_string().into_bytes();
    vec![rows.section_of_groups(("networks", "Client networks"), network, name)]
}

/// The network of an address; names have none.
fn network(client: &[u8]) -> Option<Prefix> {
    let address = address::parse(client)?;
    let bits = if address.is_ipv4() { 24 } else { 64 };
    Prefix::new(address, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_addresses() {
        assert_eq!(network(b"192.0.2.77").unwrap().to_string(), "192.0.2.0/24");
        assert_eq!(network(b"2001:db8:1:2:3:4:5:6").unwrap().to_string(), "2001:db8:1:2::/64");
        assert_eq!(network(b"host.example.org"), None);
    }
}
