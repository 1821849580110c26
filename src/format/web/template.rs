//! Definitions of lines, compiled: literal text and variables in the order in which they stand.
//!
//! The double quotes of a definition cut it into segments, outside and inside quotes by turns, and the quotes of a line
//! (whose positions are known before its parser is called) cut the line in the same places. Each segment is then
//! matched within known bounds, from both ends: variables in front of the one that may hold anything from the left,
//! those behind it from the right. So a user name with spaces and brackets, or a user agent that quotes a whole log
//! line, cannot shift the fields beside it.
//!
//! A quote with an odd number of backslashes before it belongs to the text (Apache, JSON-like escapes). Nginx writes
//! `\x22` and never comes into that case.

use memchr::memchr;

use super::capture::{Capture, Reader};
use super::search::Ways;
use crate::format::Line;
use crate::ledger::Reason;
use crate::record::{Field, Fields, Layout, Row, Slot};

/// A part of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// This text.
    Literal(Vec<u8>),
    /// A variable.
    Variable(Capture),
}

/// A compiled definition. `F` as in [`Capture`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template<F = Field> {
    /// Outside and inside quotes by turns: one more than there are quotes.
    pub(super) segments: Vec<Segment<F>>,
    /// The segment in which a user stands without quotes, and the text behind him.
    user: Option<(usize, Vec<u8>)>,
    /// True when it ends in whatever is left of the line, quotes and all.
    is_open: bool,
    /// For lines that do not come apart at their quotes.
    ways: Option<Ways<F>>,
}

/// How much there is to a segment. Most are the text between quoted fields, or one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The literal text at the beginning, and nothing else.
    Literal,
    /// One variable, and nothing else.
    Alone,
    /// Anything.
    Mixed,
}

/// What stands between two quotes of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment<F> {
    pub(super) shape: Shape,
    /// Literal text at the beginning.
    pub(super) lead: Literal,
    /// Variables with the literal behind each, matched from the left.
    pub(super) front: Vec<Step<F>>,
    /// The variable that takes what is left over.
    pub(super) middle: Option<Capture<F>>,
    /// Variables with the literal before each, matched from the right; the last one first.
    pub(super) back: Vec<Step<F>>,
    /// Literal text at the end.
    pub(super) trail: Literal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step<F> {
    pub(super) capture: Capture<F>,
    pub(super) literal: Literal,
    /// How long the variable's text always is.
    pub(super) width: Option<usize>,
    is_list: bool,
}

impl Template<Field> {
    /// Compiles the parts of a definition.
    ///
    /// # Errors
    /// Two variables with nothing between them cannot be told apart: says which.
    pub(crate) fn new(parts: &[Part]) -> Result<Self, String> {
        let quotes: usize = parts.iter().map(count_quotes).sum();
        let mut segments = vec![Vec::new()];
        for part in parts {
            match part {
                // An odd number of quotes delimits nothing; they are text then.
                Part::Literal(text) if quotes.is_multiple_of(2) => {
                    let mut pieces = text.split(|byte| *byte == b'"');
                    push_literal(&mut segments, pieces.next().unwrap_or_default());
                    for piece in pieces {
                        segments.push(Vec::new());
                        push_literal(&mut segments, piece);
                    }
                }
                part => segments.last_mut().expect("one from the start").push(part.clone()),
            }
        }
        let segments = segments.into_iter().enumerate();
        let segments = segments.map(|(at, parts)| Segment::new(parts, at % 2 == 1));
        let segments: Vec<_> = segments.collect::<Result<_, _>>()?;
        let has_user = |segment: &Segment<Field>| segment.middle == Some(Capture::User);
        let user = segments.iter().position(has_user);
        let user = user.map(|at| (at, segments[at].behind_middle().to_vec()));
        let is_tail = |part: &Part| matches!(part, Part::Variable(Capture::Text(field)) if field.name() == "tail");
        let is_open = parts.last().is_some_and(is_tail);
        Ok(Self { segments, user, is_open, ways: None })
    }

    /// The same, which also reads lines whose values hold what separates values.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn searching(parts: &[Part]) -> Result<Self, String> {
        let (lead, pairs) = in_pairs(parts.to_vec())?;
        Ok(Self { ways: Some(Ways::new(lead, &pairs)), ..Self::new(parts)? })
    }

    /// All fields that its lines carry.
    pub(crate) fn fields(&self) -> Fields {
        self.captures().fold(Fields::NONE, |fields, capture| fields.union(capture.fields()))
    }

    fn captures(&self) -> impl Iterator<Item = &Capture> {
        self.segments.iter().flat_map(|segment| {
            let steps = segment.front.iter().chain(&segment.back).map(|step| &step.capture);
            steps.chain(&segment.middle)
        })
    }

    /// The same for a parser.
    pub(crate) fn bind(&self, layout: &Layout) -> Template<Slot> {
        let segments = self.segments.iter().map(|segment| segment.bind(layout)).collect();
        let ways = self.ways.as_ref().map(|ways| ways.bind(layout));
        Template { segments, user: self.user.clone(), is_open: self.is_open, ways }
    }
}

fn count_quotes(part: &Part) -> usize {
    match part {
        Part::Literal(text) => text.iter().filter(|byte| **byte == b'"').count(),
        Part::Variable(_) => 0,
    }
}

fn push_literal(segments: &mut [Vec<Part>], text: &[u8]) {
    if !text.is_empty() {
        segments.last_mut().expect("one from the start").push(Part::Literal(text.to_vec()));
    }
}

impl Segment<Field> {
    fn new(parts: Vec<Part>, is_quoted: bool) -> Result<Self, String> {
        let (lead, variables) = in_pairs(parts)?;
        let looseness = |at: &usize| variables[*at].0.looseness();
        // Of equals the last.
        let Some(middle) = (0..variables.len()).max_by_key(looseness) else {
            let shape = Shape::Literal;
            return Ok(Self {
                shape,
                lead: Literal::new(lead),
                front: vec![],
                middle: None,
                back: vec![],
                trail: Literal::new(vec![]),
            });
        };
        let front: Vec<_> = variables[..middle].iter().map(Step::new).collect();
        let trail = variables[variables.len() - 1].1.clone();
        // From the right, each variable has the literal before it, which stands behind the one before.
        let back = variables[middle..].windows(2).rev();
        let back = back.map(|pair| Step::new(&(pair[1].0.clone(), pair[0].1.clone()))).collect();
        let is_alone = variables.len() == 1 && lead.is_empty() && trail.is_empty();
        let shape = if is_alone { Shape::Alone } else { Shape::Mixed };
        let (lead, trail) = (Literal::new(lead), Literal::new(trail));
        // What is left over ends where the segment does, spaces and all.
        let middle = match &variables[middle].0 {
            Capture::Text(Field::CLIENT) if !is_quoted => Capture::Word(Field::CLIENT),
            capture => capture.clone(),
        };
        Ok(Self { shape, lead, front, middle: Some(middle), back, trail })
    }

    /// The literal behind the variable that takes what is left over.
    fn behind_middle(&self) -> &[u8] {
        &self.back.last().map_or(&self.trail, |step| &step.literal).bytes
    }

    fn bind(&self, layout: &Layout) -> Segment<Slot> {
        Segment {
            shape: self.shape,
            lead: self.lead.clone(),
            front: self.front.iter().map(|step| step.bind(layout)).collect(),
            middle: self.middle.as_ref().map(|capture| capture.bind(layout)),
            back: self.back.iter().map(|step| step.bind(layout)).collect(),
            trail: self.trail.clone(),
        }
    }
}

/// The literal at the beginning, and each variable with the literal behind it.
#[allow(clippy::type_complexity)] // Said in the line above; used once.
fn in_pairs(parts: Vec<Part>) -> Result<(Vec<u8>, Vec<(Capture, Vec<u8>)>), String> {
    let (mut lead, mut pairs) = (Vec::new(), Vec::<(Capture, Vec<u8>)>::new());
    for part in parts {
        match (part, pairs.last_mut()) {
            (Part::Literal(text), None) => lead.extend(text),
            (Part::Literal(text), Some((_, literal))) => literal.extend(text),
            (Part::Variable(capture), Some((before, literal))) if literal.is_empty() => {
                if before.width().is_none() {
                    return Err("two variables stand side by side with nothing between them".into());
                }
                pairs.push((capture, Vec::new()));
            }
            (Part::Variable(capture), _) => pairs.push((capture, Vec::new())),
        }
    }
    Ok((lead, pairs))
}

impl Step<Field> {
    fn new((capture, literal): &(Capture, Vec<u8>)) -> Self {
        let (width, is_list) = (capture.width(), capture.is_list());
        Self { capture: capture.clone(), literal: Literal::new(literal.clone()), width, is_list }
    }

    fn bind(&self, layout: &Layout) -> Step<Slot> {
        Step {
            capture: self.capture.bind(layout),
            literal: self.literal.clone(),
            width: self.width,
            is_list: self.is_list,
        }
    }
}

type Read = Result<(), Reason>;

impl Template<Slot> {
    /// Reads one line into the row.
    #[inline]
    pub(crate) fn read(&self, line: Line<'_>, reader: &mut Reader, row: &mut Row<'_>) -> Read {
        let quotes = self.segments.len() - 1;
        reader.begin(row);
        let read = if quotes == 0 {
            self.segments[0].read(line.bytes, line.at, reader, row)
        } else if line.marks.len() == quotes && !has_escaped_quote(line) {
            self.read_between(line.marks, line, reader, row)
        } else {
            self.read_odd(line, reader, row)
        };
        if let Err(reason) = read {
            self.read_the_only_way(line, reader, row).ok_or(reason)?;
        }
        reader.end(row);
        Ok(())
    }

    /// Reads a line that does not come apart at its quotes, if there is one way to read it.
    #[cold]
    fn read_the_only_way(
        &self,
        line: Line<'_>,
        reader: &mut Reader,
        row: &mut Row<'_>,
    ) -> Option<()> {
        let values = self.ways.as_ref()?.only_way(line.bytes, reader)?;
        row.clear();
        reader.begin(row);
        values.into_iter().try_for_each(|(capture, (start, end))| {
            reader.read(capture, &line.bytes[start..end], line.at + start, row).ok()
        })
    }

    /// Reads a line whose quotes are those of the definition.
    #[inline]
    fn read_between(
        &self,
        quotes: &[u32],
        line: Line<'_>,
        reader: &mut Reader,
        row: &mut Row<'_>,
    ) -> Read {
        let mut start = 0;
        for (segment, quote) in self.segments.iter().zip(quotes) {
            let end = *quote as usize - line.at;
            segment.read(&line.bytes[start..end], line.at + start, reader, row)?;
            start = end + 1;
        }
        let last = &self.segments[self.segments.len() - 1];
        last.read(&line.bytes[start..], line.at + start, reader, row)
    }

    /// Reads a line with other quotes than the definition has.
    #[cold]
    fn read_odd(&self, line: Line<'_>, reader: &mut Reader, row: &mut Row<'_>) -> Read {
        let wanted = self.segments.len() - 1;
        let mut quotes = true_quotes(line);
        if quotes.len() == wanted + 2 {
            self.drop_empty_user(&mut quotes, line);
        }
        if quotes.len() < wanted {
            let first = quotes.first().map_or(line.bytes.len(), |quote| *quote as usize - line.at);
            self.segments[0].read(&line.bytes[..first], line.at, reader, row)?;
            return Err(Reason::Truncated);
        }
        if self.is_open {
            quotes.truncate(wanted);
        }
        if quotes.len() > wanted {
            // Some servers do not escape. What stands inside the last pair of quotes may hold more of them, but not
            // whole quoted fields, with a key or without: then the line follows another definition.
            let swallowed: Vec<u32> = quotes.drain(wanted - 1..quotes.len() - 1).collect();
            let behind = |quote: &u32| &line.bytes[*quote as usize + 1 - line.at..];
            if swallowed.iter().any(|quote| opens_a_field(behind(quote))) {
                return Err(Reason::Malformed);
            }
        }
        self.read_between(&quotes, line, reader, row)
    }
}

impl Template<Slot> {
    /// Apache writes an empty user name as two quotes that delimit nothing, `- "" [07/Mar/…`.
    fn drop_empty_user(&self, quotes: &mut Vec<u32>, line: Line<'_>) {
        let Some((at, behind)) = &self.user else { return };
        let [first, second] = [quotes[*at], quotes[*at + 1]];
        let after = &line.bytes[second as usize + 1 - line.at..];
        if second == first + 1 && after.starts_with(behind) {
            quotes.drain(*at..at + 2);
        }
    }
}

/// True for ` "` and ` key="`, behind a quote.
fn opens_a_field(text: &[u8]) -> bool {
    let Some(text) = text.strip_prefix(b" ") else { return false };
    let is_of_key = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let key = text.iter().take_while(is_of_key).count();
    match text[key..] {
        [b'=', b'"', ..] => key > 0,
        [b'"', ..] => key == 0,
        _ => false,
    }
}

/// True when a quote of the line follows a backslash. Where it does, some quote is not what it seems.
#[inline]
fn has_escaped_quote(line: Line<'_>) -> bool {
    line.marks.iter().any(|mark| {
        let at = *mark as usize - line.at;
        at > 0 && line.bytes[at - 1] == b'\\'
    })
}

/// The quotes that are not escaped.
fn true_quotes(line: Line<'_>) -> Vec<u32> {
    let is_true = |mark: &&u32| {
        let before = &line.bytes[..**mark as usize - line.at];
        before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    };
    line.marks.iter().filter(is_true).copied().collect()
}

impl Segment<Slot> {
    #[inline(always)] // Little code, unless there is much to a segment.
    fn read(&self, text: &[u8], at: usize, reader: &mut Reader, row: &mut Row<'_>) -> Read {
        match (self.shape, &self.middle) {
            (Shape::Alone, Some(capture)) => reader.read(capture, text, at, row),
            (Shape::Literal, _) if self.lead.is_all_of(text) => Ok(()),
            (Shape::Literal, _) => Err(Reason::Malformed),
            _ => self.read_mixed(text, at, reader, row),
        }
    }

    fn read_mixed(&self, text: &[u8], at: usize, reader: &mut Reader, row: &mut Row<'_>) -> Read {
        let mut at = at + self.lead.len();
        let mut rest = self.lead.strip_prefix(text).ok_or(Reason::Malformed)?;
        rest = self.trail.strip_suffix(rest).ok_or(Reason::Malformed)?;
        for step in &self.front {
            let end = step.end(rest).ok_or(Reason::Malformed)?;
            reader.read(&step.capture, &rest[..end], at, row)?;
            rest = &rest[end + step.literal.len()..];
            at += end + step.literal.len();
        }
        for step in &self.back {
            let start = step.start(rest).ok_or(Reason::Malformed)?;
            reader.read(&step.capture, &rest[start..], at + start, row)?;
            rest = &rest[..start - step.literal.len()];
        }
        match &self.middle {
            Some(capture) => reader.read(capture, rest, at, row),
            None => Err(Reason::Malformed),
        }
    }
}

impl Step<Slot> {
    /// The byte at which the variable ends, where that is all there is to say about its end.
    pub(super) fn byte_behind(&self) -> Option<u8> {
        match self.literal.bytes[..] {
            [byte] if self.width.is_none() && !self.is_list => Some(byte),
            _ => None,
        }
    }

    /// Where the variable ends: at the first literal behind it.
    #[inline]
    pub(super) fn end(&self, text: &[u8]) -> Option<usize> {
        if let Some(width) = self.width {
            return self.literal.begins(text.get(width..)?).then_some(width);
        }
        let first = *self.literal.bytes.first()?;
        let mut from = 0;
        loop {
            let end = from + near(first, &text[from..])?;
            if self.literal.begins(&text[end..]) && !(self.is_list && goes_on(text, end)) {
                return Some(end);
            }
            from = end + 1;
        }
    }

    /// Where the variable begins: behind the last literal before it.
    #[inline]
    pub(super) fn start(&self, text: &[u8]) -> Option<usize> {
        let start = match self.width {
            Some(width) => text.len().checked_sub(width)?,
            None => memchr::memmem::rfind(text, &self.literal.bytes)? + self.literal.len(),
        };
        self.literal.strip_suffix(&text[..start]).is_some().then_some(start)
    }
}

/// Literal text of a definition, mostly a few bytes.
///
/// Up to eight bytes are compared as a word, in place. A call of `memcmp` instead is also a trap: for an empty `Vec` it
/// gets a pointer to nothing, and a `memcmp` made of masked vector loads seems to take a microcode assist then: it was
/// 82 % of a run, over a microsecond a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    bytes: Vec<u8>,
    /// The bytes as the lower part of a word, and the bits that they take.
    low: (u64, u64),
    /// The same as the upper part.
    high: (u64, u64),
}

impl Literal {
    fn new(bytes: Vec<u8>) -> Self {
        let mut word = [0; 8];
        let len = bytes.len().min(8);
        word[..len].copy_from_slice(&bytes[..len]);
        let (word, free) = (u64::from_le_bytes(word), 64 - 8 * len as u32);
        let low = (word, u64::MAX.checked_shr(free).unwrap_or(0));
        let high = (word.checked_shl(free).unwrap_or(0), u64::MAX.checked_shl(free).unwrap_or(0));
        Self { bytes, low, high }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True when the text begins with it.
    #[inline(always)] // Several times a line, and mostly a load and a comparison.
    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(word) if self.len() <= 8 => u64::from_le_bytes(*word) & self.low.1 == self.low.0,
            _ => text.len() >= self.len() && same(&self.bytes, text),
        }
    }

    /// True when it stands in the text at that place.
    #[inline(always)]
    pub(super) fn stands_at(&self, at: u32, text: &[u8]) -> bool {
        text.get(at as usize..).is_some_and(|text| self.begins(text))
    }

    #[inline(always)]
    fn strip_prefix<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        self.begins(text).then(|| &text[self.len()..])
    }

    #[inline(always)]
    fn strip_suffix<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let (rest, end) = text.split_at_checked(text.len().wrapping_sub(self.len()))?;
        let ends = match text.last_chunk() {
            Some(word) if self.len() <= 8 => u64::from_le_bytes(*word) & self.high.1 == self.high.0,
            _ => same(&self.bytes, end),
        };
        ends.then_some(rest)
    }

    #[inline(always)]
    fn is_all_of(&self, text: &[u8]) -> bool {
        text.len() == self.len() && same(&self.bytes, text)
    }
}

/// True when the texts are equal as far as the shorter one goes.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b)
}

/// Where a byte first stands in a text: within the first sixteen without a call.
#[inline(always)]
fn near(byte: u8, text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(2).enumerate() {
        // A byte of nothing borrows from the bit above it; the lowest such bit is exact (H. Warren, Hacker's Delight, 6-1).
        let differing = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
        let found = differing.wrapping_sub(ONES) & !differing & (ONES << 7);
        if found != 0 {
            return Some(8 * at + found.trailing_zeros() as usize / 8);
        }
    }
    let seen = 8 * words.len().min(2);
    Some(seen + memchr(byte, &text[seen..])?)
}

/// True when the space at `end` stands inside a list: after a comma, before or after a lone colon.
fn goes_on(text: &[u8], end: usize) -> bool {
    let (before, after) = text.split_at(end);
    before.ends_with(b",") || before.ends_with(b" :") || after.starts_with(b" : ")
}
