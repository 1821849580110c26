//! Filters: which records are counted.
//!
//! A [`Filter`] is a period and expressions that must all hold. It is checked before any input is opened, and then
//! thins block after block: each expression goes over a whole column and leaves fewer rows for the next one, the
//! cheap ones first. Nothing is allocated per record. Filters know fields and their kinds, and no format.
//!
//! ```
//! use logmill::filter::{Calendar, Expr};
//! use logmill::record::{Field, Fields};
//!
//! let supplied = Fields::of(&[Field::STATUS, Field::CLIENT]);
//! let calendar = Calendar { zone: chrono_tz::UTC, now: 0 };
//! let expr = Expr::parse("client not in 10.0.0.0/8, ::1", supplied, &calendar)?;
//! assert_eq!(expr.to_string(), "client not in 10.0.0.0/8,::1/128");
//!
//! let error = Expr::parse("staus>=500", supplied, &calendar).unwrap_err();
//! assert_eq!(error.to_string(), "there is no field 'staus' (at byte 0)");
//! assert_eq!(error.advice(), Some("did you mean 'status'?"));
//! # Ok::<(), logmill::Error>(())
//! ```
//!
//! # What holds for a value that the log does not have
//!
//! An absent value equals nothing, matches nothing and stands in no list and no order: `=`, `~`, `in`, `<`, `<=`, `>`
//! and `>=` are false for it. `!=`, `!~` and `not in` are the exact opposites of their counterparts, so they are true
//! for it: `user!=alice` keeps the requests without a user, as `grep -v alice` and `awk '$3 != "alice"'` do, and each
//! record is in exactly one of `user=alice` and `user!=alice`, so that their counts add up to the whole. (SQL drops
//! such rows from both; then numbers go missing without a word.) Who means "somebody else than alice" adds
//! `user!=-`: a bare `-` is the absent value, as in the logs themselves, and `''` the empty text, which is another
//! thing.
//!
//! A period is no expression: what has no time is in no period.

mod expr;
mod parse;
mod pattern;
mod predicate;
mod when;

use std::fmt;

pub use expr::{Expr, Op};
pub use when::{Calendar, Moment};

use crate::error::{Error, Result};
use crate::names;
use crate::record::{Block, Fields, Kind};
use predicate::{Memory, Place, Predicate, Selection};

/// A period and expressions, all of which must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    exprs: Vec<Expr>,
    since: Option<i64>,
    until: Option<i64>,
    /// The same, ready to be asked, in the order in which they are asked.
    predicates: Vec<Predicate>,
}

/// What a thread needs to filter: the rows that are left, and what the patterns learnt.
#[derive(Debug)]
pub struct Scratch {
    rows: Selection,
    memories: Vec<Memory>,
}

impl Filter {
    /// Records from `since` (included) to `until` (excluded), in microseconds since 1970 UTC, for which all of the
    /// expressions hold. With either end set, records without a time are dropped.
    ///
    /// # Errors
    /// A usage error when the period ends before it begins.
    pub fn new(exprs: Vec<Expr>, since: Option<i64>, until: Option<i64>) -> Result<Self> {
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            let what = "the period is empty: it ends before it begins, or at the same instant";
            return Err(Error::usage(what).advise("--since is included, --until is not"));
        }
        let mut predicates: Vec<Predicate> = exprs.iter().map(Predicate::new).collect();
        if since.is_some() || until.is_some() {
            predicates.push(Predicate::period(since, until));
        }
        predicates.sort_by_key(Predicate::cost);
        Ok(Self { exprs, since, until, predicates })
    }

    /// True when it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.predicates.is_empty()
    }

    /// The expressions in the order in which they were given.
    pub fn exprs(&self) -> &[Expr] {
        &self.exprs
    }

    /// The beginning (included) and the end (excluded) of the period.
    pub fn period(&self) -> (Option<i64>, Option<i64>) {
        (self.since, self.until)
    }

    /// The columns that it reads.
    pub fn fields(&self) -> Fields {
        let read: Fields = self.predicates.iter().map(|predicate| predicate.field).collect();
        read.without(names::of_every_record())
    }

    /// What a thread passes to [`thin`](Self::thin) for each of its blocks.
    pub fn scratch(&self) -> Scratch {
        let memories = self.predicates.iter().map(Predicate::memory).collect();
        Scratch { rows: Selection::new(), memories }
    }

    /// Drops the records of a block that are not to be counted. `text` is that of the piece, `source` the name of its input.
    /// What was dropped is the difference in [`Block::accounted`] and [`Block::bytes`].
    pub fn thin(&self, scratch: &mut Scratch, block: &mut Block, text: &[u8], source: &str) {
        if self.is_empty() {
            return;
        }
        scratch.rows.fill(block.len());
        let records = block.records(text);
        for (predicate, memory) in self.predicates.iter().zip(&mut scratch.memories) {
            if scratch.rows.rows().is_empty() {
                break;
            }
            predicate.refine(Place { records: &records, source }, memory, &mut scratch.rows);
        }
        block.retain(scratch.rows.rows());
    }
}

impl fmt::Display for Filter {
    /// Expressions that say the same, the period among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = [(self.since, ">="), (self.until, "<")];
        let ends =
            ends.into_iter().filter_map(|(end, sign)| Some(format!("time{sign}{}", stamp(end?))));
        let exprs = self.exprs.iter().map(Expr::to_string);
        let all: Vec<String> = exprs.chain(ends).collect();
        f.write_str(&all.join(" and "))
    }
}

fn stamp(instant: i64) -> String {
    expr::Interval { kind: Kind::Instant, low: instant, high: instant }.to_string()
}

#[cfg(test)]
mod tests;
