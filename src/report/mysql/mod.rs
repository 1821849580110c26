//! What the logs of MySQL, Percona Server and MariaDB say: slow statements by shape, pile-ups, clients in trouble.

pub(super) mod checksum;
pub(super) mod pileups;
pub(super) mod profile;
mod shape;
mod tables;
pub(super) mod trouble;
