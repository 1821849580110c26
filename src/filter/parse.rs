//! Text to expression, and where the text is wrong.
//!
//! ```text
//! EXPR  = FIELD OP VALUE                  blanks around the three are free
//! OP    = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~" | "in" | "not in"
//! VALUE = ITEM                            for =, != and the operators of order
//!       | ITEM { "," ITEM }               for in, not in
//!       | pattern                         for ~, !~
//! ITEM  = "-"                             absent
//!       | number | "5xx" | low "-" high   fields of numbers; sizes and durations with their units
//!       | moment | from ".." to           instants (see the module `when`)
//!       | text | 'text' | "text"          texts and labels; a quote inside is doubled. Quotes around other
//!                                         values change nothing
//!       | 10.0.0.0/8 | 2001:db8::1        networks, in lists on texts
//! ```

use super::expr::{Expr, Item, Op, Operand, looks_like_network};
use super::pattern::Pattern;
use super::when::Calendar;
use crate::error::{Error, Result};
use crate::names;
use crate::record::address::Prefix;
use crate::record::number::signed;
use crate::record::{Field, Fields, Kind, Label};
use crate::units::{parse_bytes, parse_count, parse_duration};

/// What people coming from elsewhere write for an operator of ours.
const ELSEWHERE: &[(&str, &str)] = &[
    ("==", "="),
    ("===", "="),
    ("=~", "~"),
    ("<>", "!="),
    ("=!", "!="),
    ("=>", ">="),
    ("=<", "<="),
    ("!", "!="),
    (":", "="),
    ("eq", "="),
    ("is", "="),
    ("ne", "!="),
    ("gt", ">"),
    ("ge", ">="),
    ("lt", "<"),
    ("le", "<="),
    ("like", "~"),
    ("matches", "~"),
    ("contains", "~"),
];

/// A part of what was typed: the text, and at which byte of the whole it begins.
#[derive(Debug, Clone, Copy)]
struct Part<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Part<'t> {
    fn trim(self) -> Self {
        let trimmed = self.text.trim_start();
        Part { text: trimmed.trim_end(), at: self.at + self.text.len() - trimmed.len() }
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        let (left, right) = self.text.split_at(at);
        (Part { text: left, at: self.at }, Part { text: right, at: self.at + at })
    }

    fn fail(self, what: impl Into<String>) -> Error {
        Error::usage(what).offset(self.at as u64)
    }
}

impl Expr {
    /// Reads an expression over the fields that the logs at hand supply.
    ///
    /// # Errors
    /// A usage error with the byte of `text` at which it is wrong and with what was probably meant.
    pub fn parse(text: &str, supplied: Fields, calendar: &Calendar) -> Result<Self> {
        let whole = Part { text, at: 0 }.trim();
        let (name, rest) = whole.split_at(name_len(whole.text));
        if is_negation(name.text, rest.text) {
            return Err(whole.fail("a whole expression is not negated").advise(NEGATIONS));
        }
        if name.text.is_empty() {
            return Err(name.fail("a filter begins with the name of a field").advise(EXAMPLES));
        }
        let field =
            names::field(name.text, supplied).map_err(|error| error.offset(name.at as u64))?;
        let (op, value) = operator(rest.trim())?;
        let reader = Reader { kind: field.kind(), name: field.name(), op, calendar };
        reader.check_op(value)?;
        reader.check_value(value, supplied)?;
        let operand = match op.is_pattern() {
            true => Operand::Pattern(pattern(value)?),
            false => Operand::Items(reader.items(value)?),
        };
        Ok(Self { field, op, operand })
    }
}

const EXAMPLES: &str =
    "write for example 'status>=500', 'path~^/api/', 'client in 10.0.0.0/8' or 'user!=-'";

const NEGATIONS: &str =
    "the operator is: 'status!=200', 'path!~^/api/', 'client not in 10.0.0.0/8'";

/// True for what begins like `not status=200` or `!(status=200)`.
fn is_negation(name: &str, rest: &str) -> bool {
    match name {
        "" => rest.starts_with('!') && !rest.starts_with("!="),
        name => name.eq_ignore_ascii_case("not") && rest.starts_with(char::is_whitespace),
    }
}

/// How many bytes of the text are a name: up to a blank or a sign.
fn name_len(text: &str) -> usize {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>' | '~');
    text.find(is_end).unwrap_or(text.len())
}

/// The operator at the start of a text, and the value after it.
fn operator(rest: Part<'_>) -> Result<(Op, Part<'_>)> {
    let is_sign = |c: char| matches!(c, '=' | '!' | '<' | '>' | '~');
    let signs = rest.text.find(|c| !is_sign(c)).unwrap_or(rest.text.len());
    let (sign, len) = match &rest.text[..signs] {
        // What follows a tilde is a pattern, whatever it looks like.
        run if run.starts_with('~') => ("~", 1),
        run if run.starts_with("!~") => ("!~", 2),
        "" => word(rest.text),
        run => (run, run.len()),
    };
    match Op::ALL.into_iter().find(|op| op.sign() == sign) {
        Some(op) => Ok((op, rest.split_at(len).1.trim())),
        None => Err(no_operator(rest, sign)),
    }
}

/// An operator that is a word, and how long it is with the blanks in it.
fn word(text: &str) -> (&str, usize) {
    let first = text.split_whitespace().next().unwrap_or("");
    let after = text[first.len()..].trim_start();
    let followed_by_in = after
        .strip_prefix("in")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
    match first {
        "not" if followed_by_in => ("not in", text.len() - after.len() + 2),
        first => (first, first.len()),
    }
}

#[cold]
fn no_operator(rest: Part<'_>, sign: &str) -> Error {
    let signs = Op::ALL.map(Op::sign).join(" ");
    if sign.is_empty() {
        return rest.fail("the operator is missing").advise(format!("one of {signs}"));
    }
    let error = rest.fail(format!("'{}' is no operator", sign.escape_debug()));
    match ELSEWHERE.iter().find(|(other, _)| *other == sign.to_lowercase()) {
        Some((_, ours)) => error.advise(format!(
            "did you mean '{ours}'? A text that begins with such a sign stands in quotes"
        )),
        None => error.advise(format!("one of {signs}")),
    }
}

/// A pattern, bare or in quotes.
fn pattern(value: Part<'_>) -> Result<Pattern> {
    let (source, shift) = match unquoted(value)? {
        Some(source) => (source, 1),
        None => (value.text.to_owned(), 0),
    };
    Pattern::new(&source, value.at + shift)
}

/// The text inside of quotes, if the part begins with one. A doubled quote stands for one.
fn unquoted(part: Part<'_>) -> Result<Option<String>> {
    let Some(quote) = part.text.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        return Ok(None);
    };
    let inner = &part.text[1..];
    let doubled = String::from_iter([quote, quote]);
    let text = inner.replace(&doubled, "");
    match text.strip_suffix(quote) {
        Some(bare) if !bare.contains(quote) && inner.ends_with(quote) => {
            Ok(Some(inner[..inner.len() - 1].replace(&doubled, &quote.to_string())))
        }
        _ => Err(part
            .fail(format!("the text that begins with {quote} does not end with it"))
            .advise(format!("close it at its end, and write {doubled} for {quote} inside it"))),
    }
}

/// The same without quotes around it: numbers and moments need none, and mean the same with them.
fn bare(part: Part<'_>) -> Result<Part<'_>> {
    Ok(match unquoted(part)? {
        Some(text) => Part { text: &part.text[1..=text.len()], at: part.at + 1 },
        None => part,
    })
}

/// Reads the values for one field and operator.
struct Reader<'c> {
    kind: Kind,
    name: &'static str,
    op: Op,
    calendar: &'c Calendar,
}

impl Reader<'_> {
    /// Refuses what the kind of the field cannot do.
    fn check_op(&self, value: Part<'_>) -> Result<()> {
        let has_order = !matches!(self.kind, Kind::Text | Kind::Label);
        let (name, kind, sign) = (self.name, self.kind.name(), self.op.sign());
        if self.op.is_order() && !has_order {
            let what = format!("'{name}' is {kind} and has no order, so '{sign}' says nothing");
            return Err(value.fail(what).advise("use =, !=, ~, !~, in or not in"));
        }
        if self.op.is_pattern() && has_order {
            let what = format!("'{name}' is a {kind}, and '{sign}' is for texts");
            return Err(value
                .fail(what)
                .advise("use =, !=, <, <=, >, >=, in or not in, as in 'status=5xx'"));
        }
        Ok(())
    }

    /// Refuses an empty value and several expressions in one.
    fn check_value(&self, value: Part<'_>, supplied: Fields) -> Result<()> {
        if value.text.is_empty() {
            let what = format!("nothing stands after '{}'", self.op.sign());
            return Err(value
                .fail(what)
                .advise("write '' for the empty text and - for an absent value"));
        }
        for joint in [" and ", " && ", " or ", " || "] {
            let Some(at) = value.text.find(joint) else { continue };
            let (before, second) = value.split_at(at + joint.len());
            // What stands in quotes, or after some, is meant as it is.
            if !before.text.contains(['\'', '"']) && begins_expression(second.trim(), supplied) {
                return Err(value.split_at(at + 1).1.fail("an expression ends here").advise(
                    "give each its own --where: all must hold; for one of several values use 'in'",
                ));
            }
        }
        Ok(())
    }

    fn items(&self, value: Part<'_>) -> Result<Vec<Item>> {
        if !self.op.is_list() {
            return Ok(vec![self.item(value)?]);
        }
        // As SQL writes it; read as texts, the first and the last one would never be found.
        if value.text.starts_with('(') && value.text.ends_with(')') {
            return Err(value.fail("a list stands without parentheses").advise(
                "as in 'status in 404,5xx'; a text that begins with such a sign stands in quotes",
            ));
        }
        parts(value).map(|part| self.item(part)).collect()
    }

    fn item(&self, part: Part<'_>) -> Result<Item> {
        if part.text.is_empty() {
            return Err(part.fail("an item of the list is missing"));
        }
        if part.text == "-" {
            return self.absent(part);
        }
        match self.kind {
            Kind::Text | Kind::Label => self.text(part),
            Kind::Instant => self.period(bare(part)?),
            _ => self.range(bare(part)?),
        }
    }

    fn absent(&self, part: Part<'_>) -> Result<Item> {
        if self.op.is_order() {
            let what = format!("'-' is absent, and nothing is '{}' than that", self.op.sign());
            return Err(part.fail(what).advise("use = or !="));
        }
        Ok(Item::Absent)
    }

    fn text(&self, part: Part<'_>) -> Result<Item> {
        let text = unquoted(part)?;
        if self.name == Field::CLASS.name() {
            check_class(part, text.as_deref().unwrap_or(part.text))?;
        }
        if let Some(text) = text {
            return Ok(Item::Text(text));
        }
        if !self.op.is_list() || self.kind == Kind::Label {
            return Ok(Item::Text(part.text.to_owned()));
        }
        match part.text.parse::<Prefix>() {
            Ok(prefix) => Ok(Item::Network(prefix)),
            Err(error) if looks_like_network(part.text) => Err(error.offset(part.at as u64)),
            Err(_) => Ok(Item::Text(part.text.to_owned())),
        }
    }

    fn period(&self, part: Part<'_>) -> Result<Item> {
        let moment =
            |text| self.calendar.moment(text).map_err(|error| error.offset(part.at as u64));
        let (first, last) = match part.text.split_once("..") {
            Some((from, to)) => (moment(from)?.first, moment(to)?.last),
            None => {
                let moment = moment(part.text)?;
                (moment.first, moment.last)
            }
        };
        self.interval(part, first, last)
    }

    fn range(&self, part: Part<'_>) -> Result<Item> {
        // A minus at the very beginning is a sign.
        let dash = part.text.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(at, _)| at);
        let (low, high) = match dash {
            Some(dash) => {
                let (low, rest) = part.split_at(dash);
                let high = rest.split_at(1).1;
                (self.span(low.trim())?.0, self.span(high.trim())?.1)
            }
            None => self.span(part)?,
        };
        self.interval(part, low, high)
    }

    /// A range, cut down to the end that counts where the operator is one of order.
    fn interval(&self, part: Part<'_>, low: i64, high: i64) -> Result<Item> {
        if low > high {
            return Err(part.fail(format!("'{}' ends before it begins", part.text.escape_debug())));
        }
        Ok(match self.op {
            Op::Less | Op::AtLeast => Item::Range(low, low),
            Op::AtMost | Op::Greater => Item::Range(high, high),
            _ => Item::Range(low, high),
        })
    }

    /// One number as a range: `5xx` is a hundred of them.
    fn span(&self, part: Part<'_>) -> Result<(i64, i64)> {
        let located = |error: Error| error.offset(part.at as u64);
        let number = match self.kind {
            Kind::Bytes => parse_bytes(part.text).map_err(located).and_then(|bytes| {
                i64::try_from(bytes).map_err(|_| part.fail("no log knows so large a size"))
            })?,
            Kind::Duration => parse_duration(part.text).map_err(located)?,
            _ => match class(part.text) {
                Some(span) => return Ok(span),
                None => self.number(part)?,
            },
        };
        // The smallest number stands for absent.
        if number == i64::MIN {
            return Err(part.fail("no log knows so small a number"));
        }
        Ok((number, number))
    }

    fn number(&self, part: Part<'_>) -> Result<i64> {
        let number = signed(part.text.as_bytes())
            .or_else(|| parse_count(part.text).ok().and_then(|count| i64::try_from(count).ok()));
        number.ok_or_else(|| {
            part.fail(format!("'{}' is not a number", part.text.escape_debug())).advise(format!(
                "'{}' is a number: write '500', '10k', '400-499' or '5xx'",
                self.name
            ))
        })
    }
}

/// The classes of records are three, so that any other word is a slip.
fn check_class(part: Part<'_>, word: &str) -> Result<()> {
    let classes = [Label::OK, Label::WARN, Label::ERROR].map(Label::word);
    if classes.contains(&word) {
        return Ok(());
    }
    Err(part
        .fail(format!("'{}' is no class of records", word.escape_debug()))
        .advise(format!("the classes are: {}", classes.join(", "))))
}

/// `5xx` and `40x`: the numbers that begin so.
fn class(text: &str) -> Option<(i64, i64)> {
    let digits = text.trim_end_matches(['x', 'X']);
    let wild = text.len() - digits.len();
    if text.len() != 3 || wild == 0 || wild == 3 {
        return None;
    }
    let step = 10_i64.pow(wild as u32);
    let low = signed(digits.as_bytes()).filter(|_| !digits.starts_with(['-', '+']))? * step;
    Some((low, low + step - 1))
}

/// The items of a list: at commas outside of quotes.
fn parts(value: Part<'_>) -> impl Iterator<Item = Part<'_>> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let part = rest?;
        let end = item_len(part.text);
        let (item, after) = part.split_at(end);
        rest = (!after.text.is_empty()).then(|| after.split_at(1).1);
        Some(item.trim())
    })
}

fn item_len(text: &str) -> usize {
    let mut quote = None;
    let mut is_start = true;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, ',') => return at,
            (None, '\'' | '"') if is_start => quote = Some(c),
            // A doubled quote closes and opens again, which comes to the same.
            (Some(open), c) if c == open => (quote, is_start) = (None, true),
            _ => is_start = is_start && c.is_whitespace(),
        }
    }
    text.len()
}

/// True when the text is the beginning of another expression over a field that there is.
fn begins_expression(text: Part<'_>, supplied: Fields) -> bool {
    let (name, rest) = text.split_at(name_len(text.text));
    names::field(name.text, supplied).is_ok() && operator(rest.trim()).is_ok()
}
