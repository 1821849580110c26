//! The probes against real servers from Debian's packages, in health and in each fault that an operator meets. Each
//! test starts its server on loopback with a temporary configuration, and looks at both sides: the class that the probe
//! gives and the line that the server writes.
//!
//! `tests/run.sh` installs what they need. What is not installed is skipped, said on standard error; with `CI=true` in
//! the environment it is a failure.
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
mod network;
mod nginx;
mod postfix;
mod proxy;
