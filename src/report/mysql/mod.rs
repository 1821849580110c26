//! What the logs of MySQL, Percona Server and MariaDB say: slow statements by shape, pile-ups, clients in trouble.

pub(super) mod checksum;
pub(super) mod pileups;
pub(super) mod profile;
pub(super) mod sampling;
mod shape;
mod tables;
pub(super) mod trouble;
