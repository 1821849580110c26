//! The definition of a line with keys, its variables taken out, so that the text around them can be read as the line
//! will be.

use super::capture::{Capture, Stamp};
use super::definition;
use super::template::Part;
use crate::error::Result;

/// Stands for a variable, with its number behind it: a byte that no definition holds.
const MARK: u8 = 1;

/// A definition with marks in the places of its variables, and the variables.
pub(super) fn of(definition: &str) -> Result<(Vec<u8>, Vec<Capture>)> {
    let (mut text, mut captures) = (Vec::new(), Vec::new());
    for part in definition::parse(definition)? {
        match part {
            Part::Literal(literal) => text.extend(literal),
            Part::Variable(capture) => {
                text.push(MARK);
                text.extend(captures.len().to_string().bytes());
                text.push(MARK);
                captures.push(capture);
            }
        }
    }
    Ok((text, captures))
}

/// What stands behind a key: a variable, or what the key says when several make up the value. `None` for plain text.
pub(super) fn capture(
    key: &[u8],
    value: &[u8],
    captures: &[Capture],
    known: fn(&str) -> Option<Capture>,
) -> Option<Capture> {
    match alone(value).and_then(|number| captures.get(number)) {
        // With the brackets that Apache puts around it.
        Some(Capture::Time(Stamp::Clf)) => Some(Capture::Time(Stamp::Any)),
        Some(capture) => Some(capture.clone()),
        None if value.contains(&MARK) => known(std::str::from_utf8(key).ok()?),
        None => None,
    }
}

/// The number of the variable that a value consists of.
fn alone(value: &[u8]) -> Option<usize> {
    let inner = match value {
        [b'[', inner @ .., b']'] => inner,
        value => value,
    };
    let number = inner.strip_prefix(&[MARK])?.strip_suffix(&[MARK])?;
    std::str::from_utf8(number).ok()?.parse().ok()
}
