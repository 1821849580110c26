//! The JSON lines of MySQL 8's `log_sink_json`, one object a line.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;

use super::head;

/// What is read of an object; the other members are about the source of the server.
#[derive(Debug, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub(super) time: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) msg: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) subsystem: Cow<'a, str>,
    #[serde(borrow, default)]
    label: Cow<'a, str>,
    prio: Option<u8>,
    pub(super) err_code: Option<u32>,
    pub(super) thread: Option<i64>,
}

impl Said<'_> {
    /// The level: by its word, or by its priority.
    pub(super) fn level(&self) -> Option<u8> {
        let by_priority = match self.prio {
            Some(0) => Some(3),
            Some(priority @ 1..=3) => Some(priority - 1),
            _ => None,
        };
        head::level_named(&self.label).or(by_priority)
    }
}

/// Whether a line is such an object, by the names of members.
pub(super) fn is_line(line: &[u8]) -> bool {
    let has = |name: &str| memmem::find(line, name.as_bytes()).is_some();
    line.starts_with(b"{") && has("\"prio\"") && (has("\"err_code\"") || has("\"err_symbol\""))
}

/// Reads a line; `None` when it is no JSON or lacks time or message.
pub(super) fn read(line: &[u8]) -> Option<Said<'_>> {
    serde_json::from_slice(line).ok()
}
