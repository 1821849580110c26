//! Facts: a label and a value on each line; a long value goes on below its beginning.

use std::io::{self, Write};

use super::line::Line;
use super::shown::Shown;
use super::{DIM, GAP, INDENT, Look, clean};
use crate::document::Fact;
use crate::render::escape;

/// The least room for a value beside its label; with less, the value goes below.
const BESIDE: usize = 16;

pub(super) fn show(facts: &[Fact], look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let labels: Vec<_> = facts.iter().map(|fact| clean(&fact.label, look)).collect();
    let widest = labels.iter().map(|label| escape::width(label)).max().unwrap_or(0);
    let is_beside = look.width.is_none_or(|width| width >= INDENT + widest + GAP + BESIDE);
    for (fact, label) in facts.iter().zip(&labels) {
        let mut line = Line::new(look);
        line.skip(INDENT);
        if is_beside {
            line.put(label, DIM);
            line.skip(widest - escape::width(label) + GAP);
        } else {
            line.wrapped(label, DIM, out)?;
            line.skip(INDENT * 2);
        }
        value(Shown::of(&fact.value, look), &mut line, look, out)?;
    }
    Ok(())
}

fn value(shown: Shown, line: &mut Line, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let room = look.width.map_or(usize::MAX, |width| width.saturating_sub(line.column()));
    if shown.width <= room {
        shown.put(line);
        return line.end(out);
    }
    let (text, style) = shown.whole();
    line.wrapped(&text, style, out)
}
