//! Lines that do not come apart at the quotes of their definition, because a value holds what separates values: a quote
//! that the server did not escape (Nginx's `escape=none`, servers of old), a bar in a line of bars.
//!
//! Such a line is read where its texts and the kinds of its values leave one way to read it, and refused where they leave
//! two: a client may have written what looks like the fields behind its own. Only definitions that somebody gave are
//! read so; for those of the table a line that does not follow them speaks for another one.

use memchr::memmem;

use super::capture::{Capture, Reader};
use crate::record::{Field, Layout, Slot};

/// How many ends of values are tried in a line: a dozen values with some doubt about each take hundreds.
const MOST_TRIES: usize = 4_000;
/// How many bytes may be looked at for the price of a try, so that long lines with many quotes, which a client can have
/// written, take no longer than short ones.
const TRY_BYTES: usize = 256;

/// A definition as a row of texts and variables. `F` as in [`Capture`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ways<F> {
    /// The text at the beginning.
    lead: Vec<u8>,
    places: Vec<Place<F>>,
}

/// A variable and the text behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place<F> {
    /// As defined: also where nobody wants the value, it must look like one.
    defined: Capture,
    capture: Capture<F>,
    behind: Vec<u8>,
}

impl Ways<Field> {
    /// Of the text at the beginning, and each variable with the text behind it.
    pub(super) fn new(lead: Vec<u8>, pairs: &[(Capture, Vec<u8>)]) -> Self {
        let place = |(capture, behind): &(Capture, Vec<u8>)| Place {
            defined: capture.clone(),
            capture: capture.clone(),
            behind: behind.clone(),
        };
        Self { lead, places: pairs.iter().map(place).collect() }
    }

    pub(super) fn bind(&self, layout: &Layout) -> Ways<Slot> {
        let bind = |place: &Place<Field>| Place {
            defined: place.defined.clone(),
            capture: place.capture.bind(layout),
            behind: place.behind.clone(),
        };
        Ways { lead: self.lead.clone(), places: self.places.iter().map(bind).collect() }
    }
}

/// Where a value begins and ends in its line.
type Stretch = (usize, usize);

/// Where the values of a line stand.
struct Search<'w> {
    ways: &'w Ways<Slot>,
    line: &'w [u8],
    ends: Vec<Stretch>,
    found: Option<Vec<Stretch>>,
    /// Tries that are left.
    tries: usize,
}

impl Ways<Slot> {
    /// The captures of a line with the stretch of each, if there is one way only.
    pub(super) fn only_way(
        &self,
        line: &[u8],
        reader: &mut Reader,
    ) -> Option<Vec<(&Capture<Slot>, Stretch)>> {
        if !line.starts_with(&self.lead) {
            return None;
        }
        let mut search =
            Search { ways: self, line, ends: Vec::new(), found: None, tries: MOST_TRIES };
        search.place(0, self.lead.len(), reader)?;
        Some(self.places.iter().map(|place| &place.capture).zip(search.found?).collect())
    }
}

impl Search<'_> {
    /// Tries all ends of a value that begins at `from`; `None` when a second way was found, or the search takes too long.
    fn place(&mut self, number: usize, from: usize, reader: &mut Reader) -> Option<()> {
        let Some(place) = self.ways.places.get(number) else {
            // All values have their places, and the last text ended the line.
            return self.found.replace(self.ends.clone()).is_none().then_some(());
        };
        let is_last = number + 1 == self.ways.places.len();
        let mut least = from;
        while let Some(end) = self.next_end(&place.behind, least, is_last) {
            self.pay(end - from)?;
            let value = &self.line[from..end];
            if is_word(&place.defined) && value.iter().any(|byte| matches!(byte, b' ' | b'"')) {
                break;
            }
            if reader.fits(&place.defined, value) {
                self.ends.push((from, end));
                self.place(number + 1, end + place.behind.len(), reader)?;
                self.ends.pop();
            }
            least = end + 1;
        }
        self.pay(self.line.len().saturating_sub(least))
    }

    /// Takes the price of looking at so many bytes; `None` when none is left.
    fn pay(&mut self, bytes: usize) -> Option<()> {
        self.tries = self.tries.checked_sub(1 + bytes / TRY_BYTES)?;
        Some(())
    }

    /// The next place where the text stands that ends a value; the last one ends the line.
    fn next_end(&self, behind: &[u8], least: usize, is_last: bool) -> Option<usize> {
        let rest = self.line.get(least..)?;
        if is_last {
            let end = self.line.len().checked_sub(behind.len()).filter(|end| *end >= least)?;
            return self.line.ends_with(behind).then_some(end);
        }
        // Behind a variable without any text comes another one: that of fixed length ends by its look.
        memmem::find(rest, behind).map(|at| least + at)
    }
}

/// True for values that are one word wherever a server writes them.
fn is_word(capture: &Capture) -> bool {
    const WORDS: [Field; 6] = [
        Field::CLIENT,
        Field::METHOD,
        Field::PROTOCOL,
        Field::SCHEME,
        Field::IDENT,
        Field::REQUEST_ID,
    ];
    matches!(capture, Capture::Text(field) if WORDS.contains(field))
}

#[cfg(test)]
mod tests {
    use super::super::from_definition;
    use super::super::tests::read_one;

    const JSON: &str = r#"escape=none {"uri":"$request_uri","status":$status,"ua":"$http_user_agent","ref":"$http_referer","n":"$body_bytes_sent"}"#;

    fn line(agent: &str, referer: &str) -> String {
        format!(r#"{{"uri":"/a","status":404,"ua":"{agent}","ref":"{referer}","n":"7"}}"#)
    }

    /// Lines of `escape=none` with quotes in their values were refused, or read by what the client had put there.
    #[test]
    fn json_that_is_not_escaped() {
        let format = from_definition("j", JSON).unwrap();
        let read = |agent: &str, referer: &str, field| {
            read_one(&*format, &line(agent, referer), field).ok().flatten()
        };
        for agent in [
            "x",
            r#"a "b" c"#,
            r"ends in a backslash \",
            r#"","status":200,"evil":"1"#,
            r#"x" 200 5 "-" "curl"#,
            r#"","re"#,
        ] {
            assert_eq!(read(agent, "/r", "agent").as_deref(), Some(agent));
            assert_eq!(read(agent, "/r", "status").as_deref(), Some("404"), "{agent}");
            assert_eq!(read(agent, "/r", "referer").as_deref(), Some("/r"), "{agent}");
        }
        assert_eq!(read("", "", "agent"), None);
        // Which of the two is the real end of the agent nobody can tell.
        assert_eq!(read(r#"x","ref":"y"#, "/r", "status"), None);
    }

    #[test]
    fn what_separates_values_may_stand_in_one() {
        let bars = from_definition("b", "$remote_addr|$status|$request_time|$request_uri").unwrap();
        let read = |line: &str, field| read_one(&*bars, line, field).ok().flatten();
        assert_eq!(read("::1|200|0.002|/a|b", "path").as_deref(), Some("/a|b"));
        let texts = from_definition("b", "$status|$http_referer|$http_user_agent").unwrap();
        assert!(
            read_one(&*texts, "200|a|b|c", "status").is_ok(),
            "the agent holds what is left over"
        );
        let plain = from_definition("p", "escape=none $remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\"").unwrap();
        let read = |line: &str, field| read_one(&*plain, line, field).ok().flatten();
        let line =
            r#"::1 - we"ird] "x [07/Mar/2024:09:15:02 +0100] "GET /a "b" HTTP/1.1" 401 0 """#;
        assert_eq!(read(line, "user").as_deref(), Some("we\"ird] \"x"));
        assert_eq!(read(line, "path").as_deref(), Some("/a \"b\""));
        assert_eq!(read(line, "referer"), None);
    }

    /// Wanting fewer fields accepts and refuses the same lines.
    #[test]
    fn the_way_does_not_depend_on_what_is_wanted() {
        use crate::format::testing;
        use crate::record::{Field, Fields};
        let format = from_definition("j", JSON).unwrap();
        for agent in [r#"a "b" c"#, r#"x","ref":"y"#, r#"","status":"#] {
            let line = line(agent, "/r");
            let count = |fields| testing::read(&*format, line.as_bytes(), fields).0.len();
            let all = count(format.fields());
            assert_eq!(count(Fields::of(&[Field::STATUS])), all, "{agent}");
            assert_eq!(count(Fields::NONE), all, "{agent}");
        }
    }

    #[test]
    fn hostile_lines_take_no_long_search() {
        let format = from_definition("j", JSON).unwrap();
        for quotes in [r#"","ref":"#, r#"","ref"#, "\""] {
            let quotes = quotes.repeat(20_000);
            let started = std::time::Instant::now();
            let _ = read_one(&*format, &line(&quotes, &quotes), "status");
            assert!(started.elapsed().as_millis() < 500, "{}", &quotes[..8]);
        }
    }
}
