//! The texts in which servers define their lines: Nginx's `log_format` and Apache's `LogFormat`.
//!
//! Both become the [parts](Part) of a template. Which of the two a text is shows in its variables: `$name` or `%x`.

use super::capture::{Capture, Stamp};
use super::strftime;
use super::template::Part;
use super::variables::{self, Spare};
use crate::error::{Error, Result};
use crate::record::{Field, Fields};

/// Reads a definition of either server.
///
/// # Errors
/// When it has no variable, an unknown directive, or a brace that is not closed.
pub(crate) fn parse(text: &str) -> Result<Vec<Part>> {
    let elements = match (text.contains('$'), text.contains('%')) {
        (true, _) => nginx(text)?,
        (false, true) => apache(&text.replace("\\\"", "\"").replace("\\t", "\t"))?,
        (false, false) => {
            let what = format!("'{text}' names no variable");
            let is_name = crate::format::FORMATS.iter().any(|entry| entry.name == text.trim());
            let advice = match is_name {
                true => format!("that is the name of a format: --format {}", text.trim()),
                false => {
                    "a definition looks like '$remote_addr [$time_local] …' or '%h %t …'".to_owned()
                }
            };
            return Err(Error::usage(what).advise(advice));
        }
    };
    elements.settled()
}

/// What was read of a definition so far.
#[derive(Default)]
struct Elements {
    parts: Vec<Part>,
    /// By part: what a variable is called where another one of the definition has its field.
    spares: Vec<Option<Spare>>,
}

impl Elements {
    fn text(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Literal(literal)) => literal.extend(text.as_bytes()),
            _ => {
                self.parts.push(Part::Literal(text.as_bytes().to_vec()));
                self.spares.push(None);
            }
        }
    }

    /// A variable; right behind another one it may be but a piece of the same value, and of a stamp also behind a text.
    fn variable(&mut self, capture: Capture, spare: Option<Spare>) {
        if let Capture::Time(Stamp::Strftime(more)) = &capture
            && self.goes_on(more)
        {
            return;
        }
        if let Some(Part::Variable(last)) = self.parts.last_mut()
            && let Some(whole) = joined(last, &capture)
        {
            *last = whole;
            return;
        }
        self.parts.push(Part::Variable(capture));
        self.spares.push(spare);
    }

    /// Adds a piece to the stamp before it, if one stands there: `%{%F %T}t.%{msec_frac}t%{%z}t` is one stamp.
    fn goes_on(&mut self, more: &str) -> bool {
        let (between, stamp) = match &mut self.parts[..] {
            [.., Part::Variable(Capture::Time(stamp)), Part::Literal(between)] => {
                (String::from_utf8_lossy(between).replace('%', "%%"), stamp)
            }
            [.., Part::Variable(Capture::Time(stamp))] => (String::new(), stamp),
            _ => return false,
        };
        let is_piece = strftime::is_piece(more);
        match stamp {
            // Its numbers may have a fraction anyhow.
            Stamp::Epoch(6) if between == "." && is_piece && strftime::places(more) > 0 => {}
            Stamp::Strftime(format)
                if !between.contains('"') && (is_piece || strftime::is_piece(format)) =>
            {
                *format += &between;
                *format += more;
            }
            _ => return false,
        }
        let variable = self.parts.iter().rposition(|part| matches!(part, Part::Variable(_)));
        self.parts.truncate(variable.map_or(0, |at| at + 1));
        self.spares.truncate(self.parts.len());
        true
    }

    /// Lets each field have one variable, and each variable a field where it has something of its own to say.
    fn settled(mut self) -> Result<Vec<Part>> {
        for part in &mut self.parts {
            if let Part::Variable(capture @ Capture::Time(_)) = part {
                settle_stamp(capture);
            }
        }
        tell_apart(self.parts.iter_mut().filter_map(|part| match part {
            Part::Variable(capture) => Some(capture),
            Part::Literal(_) => None,
        }));
        for (part, spare) in self.parts.iter_mut().zip(self.spares) {
            if let (Part::Variable(capture @ Capture::Ignore), Some(spare)) = (part, spare) {
                *capture = spare.capture()?;
            }
        }
        Ok(self.parts)
    }
}

/// A stamp is read in the quickest way; what is but a piece of one has nothing to say.
fn settle_stamp(capture: &mut Capture) {
    let Capture::Time(Stamp::Strftime(format)) = capture else { return };
    *capture = match (strftime::is_piece(format), strftime::width(format)) {
        (false, _) => Capture::Time(strftime::stamp(format)),
        (true, width) => width.map_or(Capture::Ignore, Capture::Blank),
    };
}

/// One value of two variables between which nothing stands: a path and its query, a host and the target behind it.
fn joined(first: &Capture, second: &Capture) -> Option<Capture> {
    use Capture as C;
    let is_query = match second {
        C::Question => true,
        C::Text(field) => *field == Field::QUERY || field.name() == "is_args",
        _ => false,
    };
    let is_target = matches!(second, C::Target) || *second == C::Text(Field::PATH);
    match first {
        C::Text(Field::PATH) | C::Target if is_query => Some(C::Target),
        C::Address(_) | C::PortAndTarget(_) if is_query => Some(first.clone()),
        C::Number(port) if is_target => Some(C::PortAndTarget(*port)),
        // `$is_args$args`, as Apache's `%q`.
        C::Text(field) if field.name() == "is_args" && *second == C::Text(Field::QUERY) => {
            Some(C::Question)
        }
        C::Text(host) if is_target && is_host(*host) => Some(C::Address(*host)),
        _ => None,
    }
}

fn is_host(field: Field) -> bool {
    [Field::HOST, Field::SERVER_NAME].contains(&field) || field.name() == "http_host"
}

/// Nginx: literal text with `$name` and `${name}`.
fn nginx(text: &str) -> Result<Elements> {
    let mut elements = Elements::default();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        elements.text(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let (name, after) = match rest.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or_else(|| unclosed(text))?,
            None => rest.split_at(rest.find(is_no_name).unwrap_or(rest.len())),
        };
        if name.is_empty() {
            return Err(Error::usage(format!("a '$' without a name in '{text}'")));
        }
        elements.variable(variables::nginx(name)?, variables::nginx_spare(name)?);
        rest = after;
    }
    elements.text(rest);
    Ok(elements)
}

fn is_no_name(character: char) -> bool {
    !character.is_ascii_alphanumeric() && character != '_'
}

fn unclosed(text: &str) -> Error {
    Error::usage(format!("a brace is not closed in '{text}'"))
}

/// Apache: `%`, modifiers (`!400,501`, `<`, `>`), an argument in braces, the directive.
fn apache(text: &str) -> Result<Elements> {
    let mut elements = Elements::default();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        elements.text(&rest[..percent]);
        let behind = &rest[percent + 1..];
        rest = behind.trim_start_matches(|c: char| "!,<>".contains(c) || c.is_ascii_digit());
        let is_final = behind[..behind.len() - rest.len()].contains('>');
        if let Some(after) = rest.strip_prefix('%') {
            elements.text("%");
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
            "s" if !is_final && text.contains(">s") => {
                elements.variable(variables::status_before()?, None);
            }
            directive => directive_of(&mut elements, argument, directive)?,
        }
        rest = &after[len..];
    }
    elements.text(rest);
    Ok(elements)
}

/// A directive is one letter, or `^` and two.
fn directive_len(text: &str) -> Option<usize> {
    let len = if text.starts_with('^') { 3 } else { text.chars().next()?.len_utf8() };
    text.is_char_boundary(len).then_some(len)
}

/// The brackets of `%t` belong to its value; the strftime form has none.
fn directive_of(elements: &mut Elements, argument: &str, directive: &str) -> Result<()> {
    let capture = variables::apache(argument, directive)?;
    let spare = variables::apache_spare(argument, directive);
    let has_brackets = argument.is_empty() && capture == Capture::Time(Stamp::Clf);
    elements.text(if has_brackets { "[" } else { "" });
    elements.variable(capture, spare);
    elements.text(if has_brackets { "]" } else { "" });
    Ok(())
}

/// A definition may log one thing twice. What was sent to the client is `bytes` as a whole where that is logged, else
/// without the headers; durations and stamps are taken in their finest unit. Of other things the first keeps the name, and the second
/// has none. Behind a balancer whose address nobody logs, the first of X-Forwarded-For is the client.
pub(super) fn tell_apart<'c>(captures: impl Iterator<Item = &'c mut Capture>) {
    let mut captures: Vec<&mut Capture> = captures.collect();
    let has_whole = captures.iter().any(|capture| **capture == Capture::Size(Field::BYTES));
    let finest = captures.iter().filter_map(|capture| places(capture)).min();
    let finest_stamp = captures.iter().filter_map(|capture| stamp_places(capture)).max();
    let has_client = captures.iter().any(|capture| capture.fields().has(Field::CLIENT));
    let mut seen = Fields::NONE;
    for capture in &mut captures {
        if !has_client && **capture == Capture::Text(Field::FORWARDED) {
            **capture = Capture::Forwarded;
        }
        if !has_whole && **capture == Capture::Size(Field::BODY_BYTES) {
            **capture = Capture::Size(Field::BYTES);
        }
        let fields = capture.fields();
        let stamp = stamp_places(capture);
        let is_coarse = places(capture) > finest || stamp.is_some() && stamp < finest_stamp;
        if is_coarse || fields != Fields::NONE && fields.is_within(seen) {
            **capture = capture.width().map_or(Capture::Ignore, Capture::Blank);
        } else {
            seen = seen.union(fields);
        }
    }
}

/// The unit of the duration as a whole; `None` for other captures.
fn places(capture: &Capture) -> Option<u32> {
    match capture {
        Capture::Duration(Field::DURATION, places) => Some(*places),
        _ => None,
    }
}

/// How many places of a second a stamp has; `None` for other captures.
fn stamp_places(capture: &Capture) -> Option<u32> {
    let Capture::Time(stamp) = capture else { return None };
    Some(match stamp {
        Stamp::Epoch(0) => 6,
        Stamp::Epoch(_) => 3,
        Stamp::FixedIso(23 | 28) => 3,
        Stamp::FixedIso(26 | 31) => 6,
        Stamp::Strftime(format) => strftime::places(format),
        Stamp::Clf | Stamp::Iso | Stamp::FixedIso(_) | Stamp::Any => 0,
    })
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

    /// A real one: `$scheme://$host$request_uri` was refused as two variables side by side, and with it, out of a whole
    /// configuration, every other definition.
    #[test]
    fn a_host_and_the_target_behind_it_are_told_apart() {
        for text in [
            "$scheme://$host$request_uri $status",
            "$scheme://$host$uri$is_args$args $status",
            "$scheme://$host$uri?$args $status",
        ] {
            let parts = parse(text).unwrap();
            assert_eq!(parts[2], Part::Variable(Capture::Address(Field::HOST)), "{text}");
        }
        assert_eq!(parse("%v%U%q %>s").unwrap()[0], Part::Variable(Capture::Address(Field::HOST)));
        assert_eq!(parse("%U%q %>s").unwrap()[0], Part::Variable(Capture::Target));
        assert_eq!(parse("$uri$is_args$args").unwrap(), [Part::Variable(Capture::Target)]);
        // Refused until a server that wrote these was met.
        assert_eq!(parse("$status|$is_args$args").unwrap()[2], Part::Variable(Capture::Question));
        for text in ["$host:$server_port$request_uri $status", "%v:%p%U%q %>s"] {
            let parts = parse(text).unwrap();
            assert_eq!(parts[2], Part::Variable(Capture::PortAndTarget(Field::PORT)), "{text}");
        }
    }

    #[test]
    fn the_finest_of_several_durations_is_the_duration() {
        let parts = parse("%T %{ms}T %D").unwrap();
        let captures: Vec<_> = parts.iter().step_by(2).cloned().collect();
        let wanted = [Capture::Ignore, Capture::Ignore, Capture::Duration(Field::DURATION, 0)];
        assert_eq!(captures, wanted.map(Part::Variable));
    }

    /// `%s` beside `%>s`, the peer beside the client: both are in the line, so both have a name.
    #[test]
    fn the_second_of_two_alike_has_a_name_of_its_own() {
        let field = |text: &str, at: usize| match &parse(text).unwrap()[at] {
            Part::Variable(Capture::Text(field) | Capture::Number(field)) => field.name(),
            part => panic!("{part:?}"),
        };
        assert_eq!(field("%s %>s", 0), "status_before");
        assert_eq!(field("%h %a", 2), "client_address");
        assert_eq!(field("%v %V", 2), "server_name");
        assert_eq!(field("\"%r\" %U", 3), "url_path");
        assert_eq!(field("$remote_addr $realip_remote_addr", 2), "realip_remote_addr");
        assert_eq!(field("\"$request\" $uri", 3), "uri");
        let parts = parse("\"$request\" $request_method $server_protocol").unwrap();
        assert_eq!(parts[3], Part::Variable(Capture::Ignore), "said by the request line");
    }

    #[test]
    fn a_second_stamp_is_passed_over_as_a_whole() {
        assert_eq!(
            parse("$msec $time_local $status").unwrap()[2],
            Part::Variable(Capture::Blank(26))
        );
    }

    #[test]
    fn what_is_no_definition() {
        assert!(parse("combined").is_err());
        assert!(parse("${status").is_err());
        assert!(parse("%{Referer").is_err());
        assert!(parse("%J").is_err());
    }

    fn stamp(text: &str) -> Capture {
        let is_time = |part: &Part| match part {
            Part::Variable(capture @ Capture::Time(_)) => Some(capture.clone()),
            _ => None,
        };
        let parts = parse(text).unwrap();
        let mut stamps = parts.iter().filter_map(is_time);
        let first = stamps.next().unwrap();
        assert_eq!(stamps.next(), None, "{text}");
        first
    }

    /// `%{%FT%T}t.%{msec_frac}t%{%z}t` was refused as variables side by side, and where texts stood between, the fraction
    /// and the zone were lost.
    #[test]
    fn a_stamp_may_be_written_in_pieces() {
        assert_eq!(
            stamp("%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t %h"),
            Capture::Time(Stamp::FixedIso(28))
        );
        assert_eq!(stamp("%{%d/%b/%Y:%T %z}t %h"), Capture::Time(Stamp::Clf));
        assert_eq!(
            stamp("[%{%d/%b/%Y %T}t.%{usec_frac}t %{%z}t] %h"),
            Capture::Time(Stamp::Strftime("%d/%b/%Y %T.%6f %z".to_owned()))
        );
        assert_eq!(stamp("%{sec}t.%{usec_frac}t %h"), Capture::Time(Stamp::Epoch(6)));
        // A piece alone says no instant.
        assert_eq!(parse("%{%T}t %h").unwrap()[0], Part::Variable(Capture::Blank(8)));
        // Two whole stamps are two.
        let two = parse("%{%F %T}t %{begin:%F %T}t %h").unwrap();
        assert_eq!(two[0], Part::Variable(Capture::Time(Stamp::FixedIso(19))));
        assert_eq!(two[2], Part::Variable(Capture::Blank(19)));
    }

    /// A request at .448 was told as one of the whole second when `$time_local` stood before `$msec`.
    #[test]
    fn the_finest_of_several_stamps_is_the_time() {
        assert_eq!(
            stamp("[$time_local] $msec $time_iso8601 $status"),
            Capture::Time(Stamp::Epoch(6))
        );
        assert_eq!(stamp("%t %{end:usec}t %h"), Capture::Time(Stamp::Epoch(0)));
    }
}
