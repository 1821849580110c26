//! Reports for HAProxy: what halog prints and haproxy_log_analysis counts, and what the manual reads from a line.
//!
//! * [`routes`]: frontends, backends and servers: statuses, time by stage, percentiles and density of timers, balance;
//! * [`states`]: how sessions ended, in words, with the setting to look at; cookies of persistence;
//! * [`changes`]: servers going up and down;
//! * [`queues`]: who waited, and when it was worst;
//! * [`sticky`]: whether sessions stay with their server;
//! * [`holes`]: stretches of time without sessions;
//! * [`urls`]: paths and clients, in every order that halog knows.
//!
//! Statuses, methods and the like are the breakdowns that web logs have as well.

pub(super) mod changes;
pub(super) mod holes;
mod keyed;
pub(super) mod queues;
pub(super) mod routes;
pub(super) mod states;
pub(super) mod sticky;
mod url_tables;
pub(super) mod urls;
