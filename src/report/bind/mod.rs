//! The reports about BIND: what was asked and how it ended ([`queries`]), which names and by whom, and what looks like
//! an attack ([`names`], [`attack`]), and what the server tells of zones, transfers and other servers ([`events`]).

mod attack;
pub(super) mod events;
pub(super) mod names;
pub(super) mod queries;
#[cfg(test)]
mod tests;
mod twice;
mod what;
