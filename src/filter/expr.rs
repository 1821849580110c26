//! What a filter says: one expression over one field, checked, in a form that prints itself back.
//!
//! The printed form is plain: instants in UTC, sizes and durations exact, texts quoted where they have to be. Read
//! again it gives the same expression, whatever the zone and the clock are by then.

use std::fmt;

use super::pattern::Pattern;
use crate::record::address::Prefix;
use crate::record::{Field, Kind};
use crate::units::{Bytes, Micros};

/// `FIELD OP VALUE`, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub(super) field: Field,
    pub(super) op: Op,
    pub(super) operand: Operand,
}

/// How the value of the field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`: the same; in the range, if the value is one.
    Equal,
    /// `!=`: everything that `=` is not.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    Greater,
    /// `>=`.
    AtLeast,
    /// `~`: the pattern occurs in the text.
    Matches,
    /// `!~`: everything that `~` is not.
    MatchesNot,
    /// `in`: one of the list.
    In,
    /// `not in`: everything that `in` is not.
    NotIn,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::AtMost,
        Self::Greater,
        Self::AtLeast,
        Self::Matches,
        Self::MatchesNot,
        Self::In,
        Self::NotIn,
    ];

    /// How it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Matches => "~",
            Self::MatchesNot => "!~",
            Self::In => "in",
            Self::NotIn => "not in",
        }
    }

    /// True when it holds exactly where its counterpart does not.
    pub(super) fn is_negative(self) -> bool {
        matches!(self, Self::NotEqual | Self::MatchesNot | Self::NotIn)
    }

    /// True when it compares by order.
    pub(super) fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::Greater | Self::AtLeast)
    }

    pub(super) fn is_pattern(self) -> bool {
        matches!(self, Self::Matches | Self::MatchesNot)
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }
}

/// What the field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// One item, or for `in` at least one. For the operators of order it is a range of one number.
    Items(Vec<Item>),
    /// For `~` and `!~`.
    Pattern(Pattern),
}

/// One value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// `-`: the log does not say.
    Absent,
    /// From the first to the second number, both included, in the unit of the field.
    Range(i64, i64),
    /// A text or the word of a label.
    Text(String),
    /// The addresses of a network.
    Network(Prefix),
}

impl Expr {
    /// The field that it looks at.
    pub fn field(&self) -> Field {
        self.field
    }

    /// How it compares.
    pub fn op(&self) -> Op {
        self.op
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.op.is_list() {
            true => write!(f, "{} {} ", self.field, self.op.sign())?,
            false => write!(f, "{}{}", self.field, self.op.sign())?,
        }
        match &self.operand {
            Operand::Pattern(pattern) => write_text(f, pattern.source(), |_| false),
            Operand::Items(items) => {
                for (at, item) in items.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    self.write_item(f, item)?;
                }
                Ok(())
            }
        }
    }
}

impl Expr {
    fn write_item(&self, f: &mut fmt::Formatter<'_>, item: &Item) -> fmt::Result {
        match item {
            Item::Absent => f.write_str("-"),
            Item::Network(prefix) => write!(f, "{prefix}"),
            Item::Range(low, high) => {
                let interval = Interval { kind: self.field.kind(), low: *low, high: *high };
                write!(f, "{interval}")
            }
            // In a list commas part the items, what looks like a network is one, and parentheses stand around none.
            Item::Text(text) if self.op.is_list() => write_text(f, text, |text| {
                let is_network = text.parse::<Prefix>().is_ok() || looks_like_network(text);
                is_network || text.starts_with('(') || text.contains(',')
            }),
            Item::Text(text) => write_text(f, text, |_| false),
        }
    }
}

/// A text bare, or quoted where it would be read as something else. `also` names further cases.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str, also: impl Fn(&str) -> bool) -> fmt::Result {
    let starts_oddly = text.starts_with(['\'', '"', '=', '!', '<', '>', '~']);
    let has_blanks = text.contains(char::is_whitespace);
    match text.is_empty() || text == "-" || starts_oddly || has_blanks || also(text) {
        true => write!(f, "'{}'", text.replace('\'', "''")),
        false => f.write_str(text),
    }
}

/// Digits or an address before a slash: somebody meant a network and mistyped it.
pub(super) fn looks_like_network(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let is_address = crate::record::address::parse(address.as_bytes()).is_some();
    is_address || (address.contains('.') && bits.parse::<u8>().is_ok() && is_dotted(address))
}

fn is_dotted(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// A range of numbers in the unit of a kind, printed as it can be typed.
pub(super) struct Interval {
    pub(super) kind: Kind,
    pub(super) low: i64,
    pub(super) high: i64,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, low, high } = *self;
        match kind {
            Kind::Instant => write_moment(f, low, high),
            Kind::Number if (100..1000).contains(&low) && low % 100 == 0 && high == low + 99 => {
                write!(f, "{}xx", low / 100)
            }
            _ => {
                write_number(f, kind, low)?;
                if low == high {
                    return Ok(());
                }
                f.write_str("-")?;
                write_number(f, kind, high)
            }
        }
    }
}

fn write_number(f: &mut fmt::Formatter<'_>, kind: Kind, number: i64) -> fmt::Result {
    match kind {
        Kind::Bytes => write!(f, "{}", Bytes(number.unsigned_abs())),
        Kind::Duration => write!(f, "{}", Micros(number)),
        _ => write!(f, "{number}"),
    }
}

/// A moment by its ends. A stamp without fraction stands for its whole second: as a first end for the beginning of it,
/// as a last end for the end of it.
fn write_moment(f: &mut fmt::Formatter<'_>, first: i64, last: i64) -> fmt::Result {
    const SECOND: i64 = crate::record::time::SECOND;
    let (in_first, in_last) = (first.rem_euclid(SECOND), last.rem_euclid(SECOND));
    if first == last {
        return write_stamp(f, first, true);
    }
    write_stamp(f, first, in_first != 0)?;
    if in_first == 0 && last == first + SECOND - 1 {
        return Ok(());
    }
    f.write_str("..")?;
    write_stamp(f, last, in_last != SECOND - 1)
}

fn write_stamp(f: &mut fmt::Formatter<'_>, instant: i64, is_exact: bool) -> fmt::Result {
    use chrono::SecondsFormat::{Micros, Secs};
    let form = if is_exact { Micros } else { Secs };
    let time = chrono::DateTime::from_timestamp_micros(instant).unwrap_or_default();
    f.write_str(&time.to_rfc3339_opts(form, true))
}
