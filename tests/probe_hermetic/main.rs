//! The probes against listeners of the test's own: no network, no clock, no installed server.
#![cfg(feature = "probe")]
#![allow(unreachable_pub, reason = "the support modules are shared by two test programs")]
#![allow(dead_code, reason = "each test program uses a part of the support modules")]

#[path = "../support/mod.rs"]
mod support;

mod balance;
mod cli;
mod dns;
mod haproxy;
mod hostile;
mod http;
mod local;
mod mail;
mod mysql;
mod ping;
mod suite;
mod tcp;
mod tls;
