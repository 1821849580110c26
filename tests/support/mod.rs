//! What the tests of the probes share: listeners that play a part, and certificates with every fault.

pub mod certs;
pub mod names;
pub mod namespace;
pub mod peers;
pub mod servers;
