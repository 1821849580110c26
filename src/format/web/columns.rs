//! What tells the columns of built-in formats apart that are numbers all alike. A definition says what its columns are;
//! without one, `79 264 705` behind a combined line may be sizes and a time in any unit, and a wrong guess would be told as
//! a fact. So a line is only claimed for a built-in format when its numbers look like nothing else.

use super::{
    COMBINEDIO, MAIN_REQUEST_TIME, MAIN_TIMED, REQUEST_TIME, TIMED, TIMED_PIPE, TIMED_UPSTREAM,
};

/// Says whether the columns behind the last quote, with the size of the answer, look like those of a format.
pub(super) type Look = fn(columns: &[&[u8]], size: &[u8]) -> bool;

/// How the columns of a definition look, where they can be mistaken.
pub(super) fn look_of(definition: &str) -> Option<Look> {
    match definition {
        // Nginx writes durations with three decimals, and nobody else's are in seconds and fractions.
        TIMED | TIMED_PIPE | TIMED_UPSTREAM | REQUEST_TIME | MAIN_TIMED | MAIN_REQUEST_TIME => {
            Some(|columns, _| columns.first().is_some_and(|first| is_decimal(first)))
        }
        // What went over the wire holds the answer and its headers.
        COMBINEDIO => Some(|columns, size| match columns {
            [_, out] => number(out) > number(size),
            _ => false,
        }),
        _ => None,
    }
}

/// How many lines of a sample are claimed: all of them where nine in ten look like that, since an answer that was broken
/// off looks like anything.
pub(super) fn claimed(look: Look, sample: &[u8]) -> u64 {
    let lines = || sample.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (all, looking) = (lines().count(), lines().filter(|line| is_claimed(look, line)).count());
    if looking * 10 >= all * 9 { all as u64 } else { 0 }
}

fn is_claimed(look: Look, line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(quote) = memchr::memrchr(b'"', line) else { return false };
    let columns: Vec<&[u8]> = words(&line[quote + 1..]).collect();
    let behind = memchr::memmem::find(line, b"\" ").map_or(&[][..], |at| &line[at + 2..]);
    let size = words(behind).nth(1).unwrap_or_default();
    look(&columns, size)
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

fn is_decimal(word: &[u8]) -> bool {
    word.contains(&b'.')
}

fn number(word: &[u8]) -> Option<i64> {
    if word == b"-" { Some(0) } else { crate::record::number::integer(word) }
}
