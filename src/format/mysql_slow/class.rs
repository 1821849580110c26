//! What a slow statement suffered from, in a word, and how bad that is.

use super::attributes::Telling;
use crate::record::Label;

/// At which time a statement is slow whatever the reason, in microseconds.
const SLOW: i64 = 1_000_000;
/// Shorter waits are none: the clock's own grain.
const SHORT_WAIT: i64 = 1_000;
/// From so many rows examined, and so many for each row sent, an index is missing or does not help.
const MANY_ROWS: i64 = 10_000;
const ROWS_FOR_ONE: i64 = 1_000;

kind_table! {
    QueryError "query_error";
    Killed "killed";
    LockWait "lock_wait";
    FullJoin "full_join";
    FullScan "full_scan";
    DiskTmp "disk_tmp";
    Inefficient "inefficient";
    Slow "slow";
    Throttle "throttle";
    Command "command";
    Query "query";
}

/// The kind and the class of a statement. A throttle entry stands for statements that were not logged: its times and
/// counts are sums over them.
pub(super) fn judge(told: &Telling, statement: &[u8], is_command: bool) -> (Kind, Label) {
    if statement.starts_with(b"throttle: ") {
        return (Kind::Throttle, Label::OK);
    }
    match of(told) {
        (Kind::Query, class) if is_command => (Kind::Command, class),
        judged => judged,
    }
}

/// The kind and the class of a statement.
fn of(told: &Telling) -> (Kind, Label) {
    let took = told.duration.unwrap_or(0);
    let locked = told.lock_time.unwrap_or(0);
    let examined = told.rows_examined.unwrap_or(0);
    let many =
        examined >= MANY_ROWS && examined / told.rows_sent.unwrap_or(0).max(1) >= ROWS_FOR_ONE;
    if told.killed != 0 {
        return (Kind::Killed, Label::ERROR);
    }
    if told.errno != 0 {
        return (Kind::QueryError, Label::ERROR);
    }
    let causes = [
        (locked >= SHORT_WAIT && locked > took / 2, Kind::LockWait),
        (told.full_join, Kind::FullJoin),
        (told.full_scan, Kind::FullScan),
        (told.on_disk, Kind::DiskTmp),
        (many, Kind::Inefficient),
        (took >= SLOW, Kind::Slow),
    ];
    match causes.iter().find(|(holds, _)| *holds) {
        Some((_, kind)) => (*kind, Label::WARN),
        None => (Kind::Query, Label::OK),
    }
}
