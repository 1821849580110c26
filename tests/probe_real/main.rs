//! The probes against real servers from Debian's packages, in health and in each fault that an operator meets. Each
//! test starts its server on loopback with a temporary configuration, and looks at both sides: the class that the probe
//! gives and the line that the server writes.
//!
//! `apt-get install nginx-light apache2 bind9 openssl postfix mariadb-server haproxy dovecot-imapd dovecot-pop3d`. What
//! is not installed is skipped, said on standard error; with `CI=true` in the environment it is a failure.
#![cfg(feature = "probe")]
#![allow(unreachable_pub, reason = "the support modules are shared by two test programs")]
#![allow(dead_code, reason = "each test program uses a part of the support modules")]

#[path = "../support/mod.rs"]
mod support;

mod apache;
mod bind;
mod dovecot;
mod haproxy;
mod local;
mod mariadb;
mod nginx;
mod postfix;
