//! The texts in which servers define their lines: Nginx's `log_format` and Apache's `LogFormat`.
//!
//! Both become the [parts](Part) of a template. Which of the two a text is shows in its variables: `$name` or `%x`.

use super::capture::{Capture, Stamp};
use super::template::Part;
use super::variables;
use crate::error::{Error, Result};
use crate::record::{Field, Fields};

/// Reads a definition of either server.
///
/// # Errors
/// When it has no variable, an unknown directive, or a brace that is not closed.
pub(crate) fn parse(text: &str) -> Result<Vec<Part>> {
    let mut parts = match (text.contains('$'), text.contains('%')) {
        (true, _) => nginx(text)?,
        (false, true) => apache(&text.replace("\\\"", "\"").replace("\\t", "\t"))?,
        (false, false) => {
            let what = format!("'{text}' names no variable");
            let advice = "a definition looks like '$remote_addr [$time_local] …' or '%h %t …'";
            return Err(Error::usage(what).advise(advice));
        }
    };
    tell_apart(parts.iter_mut().filter_map(|part| match part {
        Part::Variable(capture) => Some(capture),
        Part::Literal(_) => None,
    }));
    Ok(parts)
}

/// Nginx: literal text with `$name` and `${name}`.
fn nginx(text: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        push(&mut parts, &rest[..dollar]);
        rest = &rest[dollar + 1..];
        let (name, after) = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or_else(|| unclosed(text))?,
            None => rest.split_at(rest.find(is_no_name).unwrap_or(rest.len())),
        };
        if name.is_empty() {
            return Err(Error::usage(format!("a '$' without a name in '{text}'")));
        }
        parts.push(Part::Variable(variables::nginx(name)?));
        rest = after;
    }
    push(&mut parts, rest);
    Ok(parts)
}

fn is_no_name(character: char) -> bool {
    !character.is_ascii_alphanumeric() && character != '_'
}

fn unclosed(text: &str) -> Error {
    Error::usage(format!("a brace is not closed in '{text}'"))
}

/// Apache: `%`, modifiers (`!400,501`, `<`, `>`), an argument in braces, the directive.
fn apache(text: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        push(&mut parts, &rest[..percent]);
        let behind = &rest[percent + 1..];
        rest = behind.trim_start_matches(|c: char| "!,<>".contains(c) || c.is_ascii_digit());
        let is_final = behind[..behind.len() - rest.len()].contains('>');
        if let Some(after) = rest.strip_prefix('%') {
            push(&mut parts, "%");
            rest = after;
            continue;
        }
        let (argument, after) = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or_else(|| unclosed(text))?,
            None => ("", rest),
        };
        let after = after.trim_start_matches(['<', '>']);
        let len =
            directive_len(after).ok_or_else(|| Error::usage(format!("a '%' ends '{text}'")))?;
        match &after[..len] {
            // The status before an internal redirect, beside that of the answer.
            "s" if !is_final && text.contains(">s") => parts.push(Part::Variable(Capture::Ignore)),
            directive => push_directive(&mut parts, argument, directive)?,
        }
        rest = &after[len..];
    }
    push(&mut parts, rest);
    Ok(parts)
}

/// A directive is one letter, or `^` and two.
fn directive_len(text: &str) -> Option<usize> {
    let len = if text.starts_with('^') { 3 } else { text.chars().next()?.len_utf8() };
    text.is_char_boundary(len).then_some(len)
}

/// The brackets of `%t` belong to its value; the strftime form has none. `%U%q` is one value: the question mark belongs to
/// the second.
fn push_directive(parts: &mut Vec<Part>, argument: &str, directive: &str) -> Result<()> {
    let capture = variables::apache(argument, directive)?;
    if capture == Capture::Question
        && let Some(Part::Variable(path)) = parts.last_mut()
        && *path == Capture::Text(Field::PATH)
    {
        *path = Capture::Target;
        return Ok(());
    }
    if argument.is_empty() && capture == Capture::Time(Stamp::Clf) {
        push(parts, "[");
        parts.push(Part::Variable(capture));
        push(parts, "]");
    } else {
        parts.push(Part::Variable(capture));
    }
    Ok(())
}

fn push(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Literal(literal)) => literal.extend(text.as_bytes()),
        _ => parts.push(Part::Literal(text.as_bytes().to_vec())),
    }
}

/// A definition may log one thing twice. What was sent to the client is `bytes` as a whole where that is logged, else
/// without the headers. Of other things the first keeps the name, and the second has none.
pub(super) fn tell_apart<'c>(captures: impl Iterator<Item = &'c mut Capture>) {
    let mut captures: Vec<&mut Capture> = captures.collect();
    let has_whole = captures.iter().any(|capture| **capture == Capture::Size(Field::BYTES));
    let mut seen = Fields::NONE;
    for capture in &mut captures {
        if !has_whole && **capture == Capture::Size(Field::BODY_BYTES) {
            **capture = Capture::Size(Field::BYTES);
        }
        let fields = capture.fields();
        if fields != Fields::NONE && fields.is_within(seen) {
            **capture = Capture::Ignore;
        }
        seen = seen.union(fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_syntaxes_of_one_line_agree() {
        let nginx =
            parse("$remote_addr - $remote_user [$time_local] \"$request\" $status").unwrap();
        let apache = parse("%h - %u %t \\\"%r\\\" %>s").unwrap();
        assert_eq!(nginx, apache);
    }

    #[test]
    fn modifiers_and_arguments() {
        let parts = parse("%!200,304{X-Request-Id}i %400>s %{ms}T %% %^FB").unwrap();
        let id = Field::named("http_x_request_id").unwrap();
        assert_eq!(parts[0], Part::Variable(Capture::Text(id)));
        assert_eq!(parts[2], Part::Variable(Capture::Status));
        assert_eq!(parts[4], Part::Variable(Capture::Duration(Field::DURATION, 3)));
        assert_eq!(parts[5], Part::Literal(b" % ".to_vec()));
    }

    #[test]
    fn the_whole_size_goes_before_that_of_the_body() {
        let parts = parse("%b %I %O").unwrap();
        assert_eq!(parts[0], Part::Variable(Capture::Size(Field::BODY_BYTES)));
        assert_eq!(parts[4], Part::Variable(Capture::Size(Field::BYTES)));
        assert_eq!(parse("%b").unwrap(), [Part::Variable(Capture::Size(Field::BYTES))]);
    }

    #[test]
    fn what_is_no_definition() {
        assert!(parse("combined").is_err());
        assert!(parse("${status").is_err());
        assert!(parse("%{Referer").is_err());
        assert!(parse("%J").is_err());
    }
}
