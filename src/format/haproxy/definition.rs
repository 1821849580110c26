//! The language of `log-format`: text, separators, `%ci`, `%{+Q}r`, `%[expression]`, `%(name)[…]`.

use super::variables::{self, Escapes, Shape, What};
use crate::error::{Error, Result};
use crate::record::Field;

/// An element of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element<W = What> {
    /// This text.
    Text(Vec<u8>),
    /// A space, left out where one was just written: behind captures that are not there.
    Space,
    /// A variable, perhaps in quotes.
    Variable(W),
}

/// True when a definition is one of HAProxy and not of Nginx or Apache, whose variables look alike.
pub(crate) fn is_haproxy(definition: &str) -> bool {
    const TELLING: [&str; 15] = [
        "%ci", "%ft", "%ST", "%tsc", "%ts", "%tr", "%TR", "%Ta", "%Tt", "%HM", "%hr", "%[", "%(",
        "%{+", "%{-",
    ];
    !definition.contains('$') && TELLING.iter().any(|word| definition.contains(word))
}

/// Reads a definition, as it stands in a configuration (with or without its quotes).
///
/// # Errors
/// When a variable is unknown, a bracket is not closed, or two variables stand side by side with nothing between them.
pub(super) fn parse(definition: &str) -> Result<Vec<Element>> {
    let text = without_quotes(definition.trim());
    let (mut elements, mut flags) = (Vec::new(), Flags::default());
    let mut rest = text;
    while let Some(at) = rest.find(['%', ' ', '\\']) {
        push_text(&mut elements, &rest[..at]);
        let after = &rest[at + 1..];
        rest = match rest.as_bytes()[at] {
            b' ' => {
                push_space(&mut elements);
                after
            }
            b'\\' => {
                let escaped = after.chars().next().map_or(0, char::len_utf8);
                match &after[..escaped] {
                    " " => push_space(&mut elements),
                    other => push_text(&mut elements, other),
                }
                &after[escaped..]
            }
            _ => variable(after, text, &mut flags, &mut elements)?,
        };
    }
    push_text(&mut elements, rest);
    let elements = joined(elements);
    check(&elements, text)?;
    Ok(elements)
}

/// `%HP%HQ` is one variable: the query begins at its question mark.
fn joined(elements: Vec<Element>) -> Vec<Element> {
    let is_path = |element: &Element| matches!(element, Element::Variable(What::Text(field) | What::Escaped(field, _)) if *field == Field::PATH);
    let mut joined: Vec<Element> = Vec::with_capacity(elements.len());
    for element in elements {
        match joined.last_mut() {
            Some(last) if is_path(last) && element == Element::Variable(What::Question) => {
                *last = Element::Variable(What::Target);
            }
            _ => joined.push(element),
        }
    }
    joined
}

fn without_quotes(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.or_else(|| text.strip_prefix('\'')?.strip_suffix('\'')).unwrap_or(text)
}

fn push_text(elements: &mut Vec<Element>, text: &str) {
    match elements.last_mut() {
        _ if text.is_empty() => {}
        Some(Element::Text(known)) => known.extend(text.as_bytes()),
        _ => elements.push(Element::Text(text.as_bytes().to_vec())),
    }
}

/// Several spaces are one: HAProxy writes no space behind a space.
fn push_space(elements: &mut Vec<Element>) {
    if elements.last() != Some(&Element::Space) {
        elements.push(Element::Space);
    }
}

/// Of the flags in braces those that matter here.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    is_escaped: bool,
}

impl Flags {
    /// With those of one variable: `+Q,+E`.
    fn with(self, flags: &str) -> Self {
        flags.split(',').fold(self, |flags, flag| match flag.trim() {
            "+E" => Self { is_escaped: true },
            "-E" => Self { is_escaped: false },
            _ => flags,
        })
    }
}

/// Reads a variable behind its per cent sign; says what follows it.
fn variable<'a>(
    text: &'a str,
    whole: &str,
    all_flags: &mut Flags,
    elements: &mut Vec<Element>,
) -> Result<&'a str> {
    if let Some(rest) = text.strip_prefix('%') {
        push_text(elements, "%");
        return Ok(rest);
    }
    let unclosed = || Error::usage(format!("a bracket is not closed in '{whole}'"));
    let (mut name, mut rest) = (None, text);
    if let Some(named) = rest.strip_prefix('(') {
        let (inner, after) = named.split_once(')').ok_or_else(unclosed)?;
        // A type may stand behind the name: `%(bytes:sint)B`.
        (name, rest) = (inner.split(':').next(), after);
    }
    let mut flags = *all_flags;
    if let Some(inner) = rest.strip_prefix('{') {
        let (inner, after) = inner.split_once('}').ok_or_else(unclosed)?;
        if let Some(encoding) = ["+json", "+cbor"].iter().find(|flag| inner.contains(**flag)) {
            let what = format!("lines in the encoding '{encoding}' are not read by a definition");
            return Err(Error::usage(what)
                .advise("leave it out: lines in JSON are read by the names of their members"));
        }
        (flags, rest) = (flags.with(inner), after);
    }
    let backslashes = flags.is_escaped.then_some(Escapes::Backslash);
    if let Some(expression) = rest.strip_prefix('[') {
        let end = closing_bracket(expression).ok_or_else(unclosed)?;
        let (expression, rest) = (&expression[..end], &expression[end + 1..]);
        let what = variables::expression(name, expression)?;
        let is_json = expression.split(',').skip(1).any(|word| word.trim().starts_with("json"));
        let escapes = if is_json { Some(Escapes::Json) } else { backslashes };
        elements.push(Element::Variable(what.escaped(escapes)));
        return Ok(rest);
    }
    let end = rest.find(|character: char| !character.is_ascii_alphanumeric());
    let (alias, rest) = rest.split_at(end.unwrap_or(rest.len()));
    match variables::alias(alias)? {
        Some(what) => elements.push(Element::Variable(what.escaped(backslashes))),
        // `%{+E}o` sets flags for all that follow.
        None => *all_flags = flags,
    }
    Ok(rest)
}

/// Where the bracket closes that was open before the text; brackets inside come in pairs.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut open = 0;
    text.bytes().position(|byte| {
        match byte {
            b'[' => open += 1,
            b']' if open == 0 => return true,
            b']' => open -= 1,
            _ => {}
        }
        false
    })
}

/// More elements than any definition has; matching goes one call deeper with each.
const MOST_ELEMENTS: usize = 500;

fn check(elements: &[Element], text: &str) -> Result<()> {
    if elements.len() > MOST_ELEMENTS {
        return Err(Error::usage(format!("a log-format has at most {MOST_ELEMENTS} parts")));
    }
    if !elements.iter().any(|element| matches!(element, Element::Variable(_))) {
        let what = format!("'{text}' names no variable");
        return Err(Error::usage(what).advise("a log-format looks like '%ci:%cp [%tr] %ft …'"));
    }
    let adjoin = elements.windows(2).any(|pair| match pair {
        [Element::Variable(first), Element::Variable(_)] => {
            matches!(first.shape(), Shape::Word | Shape::Any)
        }
        _ => false,
    });
    if adjoin {
        let why = "two variables stand side by side with nothing between them";
        return Err(Error::usage(format!("'{text}' cannot be read back: {why}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_variable() {
        let elements =
            parse(r#""%{+Q}o %ci:%cp %%\ %{+Q}[ssl_fc_sni] %(id)[rand(9)] 100%%""#).unwrap();
        let id = Field::named("id").unwrap();
        assert_eq!(elements[1], Element::Variable(What::Client));
        assert_eq!(elements[2], Element::Text(b":".to_vec()));
        assert_eq!(elements[5], Element::Text(b"%".to_vec()));
        assert_eq!(elements[7], Element::Variable(What::Text(Field::SNI)));
        assert_eq!(elements[9], Element::Variable(What::Text(id)));
        assert_eq!(elements.last(), Some(&Element::Text(b"100%".to_vec())));
        let host = parse("%[capture.req.hdr(0),lower]").unwrap();
        let field = Field::named("capture_req_hdr_0").unwrap();
        assert_eq!(host, [Element::Variable(What::Text(field))]);
    }

    #[test]
    fn values_that_were_escaped() {
        let what = |text| match parse(text).unwrap().remove(0) {
            Element::Variable(what) => what,
            element => panic!("{element:?}"),
        };
        let (path, escaped) = (Field::PATH, |escapes| What::Escaped(Field::PATH, escapes));
        assert_eq!(what("%HP"), What::Text(path));
        assert_eq!(what("%{+Q,+E}HP"), escaped(Escapes::Backslash));
        assert_eq!(what("%{+E}o%HP"), escaped(Escapes::Backslash));
        assert_eq!(what("%{+E}o%{-E}[path]"), What::Text(path));
        assert_eq!(what("%[path,lower,json(utf8s)]"), escaped(Escapes::Json));
    }

    #[test]
    fn what_is_no_definition() {
        for text in
            ["", "plain", "%xyz", "%[src", "%(a", "%{+Q", "%b%s", "%[src]%[dst]", "%{+json}o %B"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn told_from_the_others() {
        assert!(is_haproxy("%ci:%cp [%tr] %ft %b/%s"));
        assert!(is_haproxy("%[src] %ST"));
        assert!(is_haproxy("%{+json}o %(client)B"));
        assert!(!is_haproxy("%h %l %u %t \"%r\" %>s %b"));
        assert!(!is_haproxy("$remote_addr %ci"));
    }
}
