//! Lines of labelled values with tabs (here `\t`) between them, as <http://ltsv.org/> describes them.
//!
//! ```text
//! time:07/Mar/2024:09:15:02 +0100\thost:203.0.113.9\treq:GET /a HTTP/1.1\tstatus:200\tsize:5120\tua:curl/8.5
//! ```
//!
//! The tabs of a line are known before its parser is called; the labels in front of the values are those of the line
//! before, mostly.

use std::sync::Arc;

use memchr::memchr;

use super::keyed::{Keyed, Shape};
use super::keys::{Hand, Learner, ROOT};
use super::{enveloped, skeleton, variables};
use crate::error::{Error, Result};
use crate::format::{Family, Format, Line, Parser, Scan};
use crate::ledger::Reason;
use crate::record::time::Clock;
use crate::record::{Fields, Layout, Row};

/// The longest label.
const LONGEST_LABEL: usize = 64;

/// The format.
#[derive(Debug, Clone)]
pub(in crate::format) struct Ltsv(Keyed);

impl Ltsv {
    /// The format with the usual labels, before a log has shown its own.
    pub(in crate::format) fn usual() -> Self {
        Self(Keyed::usual("ltsv", SHAPE))
    }

    /// True when a definition has labels in front of its variables.
    pub(super) fn is_defined_by(definition: &str) -> bool {
        let text = definition.replace("\\t", "\t");
        let is_labelled = |part: &str| split(part.as_bytes()).is_some();
        text.contains('\t') && text.split('\t').all(is_labelled)
    }

    /// The format of a definition.
    pub(super) fn defined(
        name: &str,
        definition: &str,
        takes_empty_for_absent: bool,
    ) -> Result<Self> {
        let (text, captures) = skeleton::of(&definition.replace("\\t", "\t"))?;
        let mut learner = Learner::new(spell);
        if !learn(&text, &mut learner) {
            return Err(Error::usage(format!("'{definition}' has values without labels")));
        }
        let keys = learner
            .into_defined(|key, value| skeleton::capture(key, value, &captures, variables::label));
        let mut keyed = Keyed::defined(name, keys);
        keyed.takes_empty_for_absent = takes_empty_for_absent;
        Ok(Self(keyed))
    }
}

const SHAPE: Shape = Shape {
    spell,
    known: variables::label,
    learn: |line, learner| {
        learn(line.strip_suffix(b"\r").unwrap_or(line), learner);
    },
};

fn spell(name: &[u8]) -> Vec<u8> {
    [name, b":"].concat()
}

/// Label and value; `None` where there is no label.
#[inline]
fn split(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', &part[..part.len().min(LONGEST_LABEL + 1)])?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let label = &part[..colon];
    (colon > 0 && label.iter().all(is_plain)).then_some((label, &part[colon + 1..]))
}

/// Notes labels and values of a line, if it is one.
fn learn(line: &[u8], learner: &mut Learner) -> bool {
    let parts: Option<Vec<_>> = line.split(|byte| *byte == b'\t').map(split).collect();
    let Some(parts) = parts.filter(|parts| parts.len() > 1) else { return false };
    for (label, value) in parts {
        let key = learner.learn(ROOT, label);
        if value != b"-" {
            learner.note(key, value);
        }
    }
    true
}

impl Format for Ltsv {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn family(&self) -> Family {
        Family::Web
    }

    fn fields(&self) -> Fields {
        self.0.fields()
    }

    fn fitted(&self, sample: &[u8]) -> Option<Arc<dyn Format>> {
        self.0.fitted(sample, SHAPE, Self)
    }

    fn claims(&self, _sample: &[u8]) -> Option<u64> {
        (!self.0.is_web).then_some(0)
    }

    fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan> {
        let hand = Hand::new(&self.0.keys, layout, clock.clone());
        let parser = LtsvParser { hand: hand.with_empty_as_absent(self.0.takes_empty_for_absent) };
        enveloped::scan(parser, self.0.is_enveloped, layout, clock)
    }
}

struct LtsvParser {
    hand: Hand,
}

type Step = std::result::Result<(), Reason>;

impl Parser for LtsvParser {
    const MARK: u8 = b'\t';

    #[inline]
    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Step {
        match line.bytes.is_empty() {
            true => Err(Reason::Blank),
            false => self.parts(line, row).map_err(|reason| super::worse(reason, line)),
        }
    }
}

impl LtsvParser {
    #[inline]
    fn parts(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Step {
        if line.marks.is_empty() {
            return Err(Reason::Malformed);
        }
        self.hand.begin(row);
        let mut start = 0;
        for tab in line.marks {
            let end = *tab as usize - line.at;
            self.part(&line.bytes[start..end], line.at + start, row)?;
            start = end + 1;
        }
        self.part(&line.bytes[start..], line.at + start, row)?;
        self.hand.end(row)
    }

    /// One label with its value, which stand at `at` in the piece.
    #[inline]
    fn part(&mut self, part: &[u8], at: usize, row: &mut Row<'_>) -> Step {
        let (key, head) = match self.hand.foreseen(part) {
            Some(foreseen) => foreseen,
            None => {
                let (label, _) = split(part).ok_or(Reason::Malformed)?;
                (self.hand.named(ROOT, label), label.len() + 1)
            }
        };
        self.hand.leave(key);
        match self.hand.meet(key) {
            Some(_) => self.hand.read(key, &part[head..], at + head, row),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_one;
    use super::*;
    use crate::format::web::from_definition;

    const LINE: &str = "time:07/Mar/2024:09:15:02 +0100\thost:203.0.113.9\treq:GET /a HTTP/1.1\tstatus:200\tsize:-\tua:a:b\treferer:\tmy-id:7";

    #[test]
    fn reads_labels() {
        let format = Ltsv::usual().fitted(LINE.as_bytes()).unwrap();
        let read = |field| read_one(&*format, LINE, field).unwrap();
        assert_eq!(read("time").as_deref(), Some("1709799302000000"));
        assert_eq!(read("client").as_deref(), Some("203.0.113.9"));
        assert_eq!(read("path").as_deref(), Some("/a"));
        assert_eq!(read("bytes"), None);
        assert_eq!(read("agent").as_deref(), Some("a:b"));
        assert_eq!(read("referer").as_deref(), Some(""));
        assert_eq!(read("my_id").as_deref(), Some("7"));
    }

    #[test]
    fn refuses_what_has_no_labels() {
        let format = Ltsv::usual().fitted(LINE.as_bytes()).unwrap();
        let refused = |text: &str| read_one(&*format, text, "status").unwrap_err();
        assert_eq!(refused("status:200"), Reason::Malformed);
        assert_eq!(refused("status:200\tno label"), Reason::Malformed);
        assert_eq!(refused("level:info\tmessage:started"), Reason::Malformed);
        assert_eq!(refused("status:20\thost:a"), Reason::Malformed);
    }

    #[test]
    fn definitions() {
        let format = from_definition("own", r"t:$msec\twho:$remote_addr\ts:$status").unwrap();
        let line = "s:404\tt:1709799302.5\twho:::1";
        assert_eq!(read_one(&*format, line, "client"), Ok(Some("::1".into())));
        assert_eq!(read_one(&*format, line, "time"), Ok(Some("1709799302500000".into())));
        // Tabs alone are text of a definition like any other.
        let format = from_definition("own", "$msec\t$remote_addr").unwrap();
        assert_eq!(read_one(&*format, "1.5\t::1", "client"), Ok(Some("::1".into())));
    }

    /// `referer:` of `escape=none` was told as a referer without a name.
    #[test]
    fn what_is_empty_is_absent_where_nobody_writes_dashes() {
        let line = "time:07/Mar/2024:09:15:02 +0100\thost:203.0.113.9\tstatus:200\treferer:";
        let format = Ltsv::usual().fitted(line.as_bytes()).unwrap();
        assert_eq!(read_one(&*format, line, "referer").unwrap(), None);
        let definition = r"host:$remote_addr\tstatus:$status\treferer:$http_referer";
        let line = "host:::1\tstatus:200\treferer:";
        let format = from_definition("l", definition).unwrap();
        assert_eq!(read_one(&*format, line, "referer").unwrap().as_deref(), Some(""));
        let format = from_definition("l", &format!("escape=none {definition}")).unwrap();
        assert_eq!(read_one(&*format, line, "referer").unwrap(), None);
    }
}
