//! Logs in two formats: a server whose definition of lines was changed while it wrote goes on in the same file.
//!
//! Lines that the first format refuses are read by the second. Which two they are was told by lines from all over the log;
//! a line that both would take is the first one's, so that a record does not depend on its neighbours.

use std::sync::Arc;

use super::{Access, Json};
use super::{AccessParser, enveloped};
use crate::format::{Batch, Family, Format, Line, Parser, Scan};
use crate::input::Framing;
use crate::ledger::Reason;
use crate::record::block::Rows;
use crate::record::time::Clock;
use crate::record::{Fields, Layout, Row};

/// What reads single lines whose double quotes are marked.
pub(in crate::format) trait ReadLine: Send {
    /// See [`Parser::parse`].
    fn read_line(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason>;
}

impl<P: Parser> ReadLine for P {
    fn read_line(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        self.parse(line, row)
    }
}

/// A format that can be one of two.
#[derive(Debug, Clone)]
pub struct Half(Lines);

#[derive(Debug, Clone)]
enum Lines {
    Access(Access),
    Json(Json),
}

impl From<&Access> for Half {
    fn from(access: &Access) -> Self {
        Self(Lines::Access(access.clone()))
    }
}

impl From<&Json> for Half {
    fn from(json: &Json) -> Self {
        Self(Lines::Json(json.clone()))
    }
}

impl Half {
    fn format(&self) -> &dyn Format {
        match &self.0 {
            Lines::Access(access) => access,
            Lines::Json(json) => json,
        }
    }

    fn reader(&self, layout: &Layout, clock: Clock) -> Box<dyn ReadLine> {
        match &self.0 {
            Lines::Access(access) => Box::new(access.own_parser(layout, clock)),
            Lines::Json(json) => Box::new(json.own_parser(layout, clock)),
        }
    }

    fn is_enveloped(&self) -> bool {
        match &self.0 {
            Lines::Access(access) => access.is_enveloped,
            Lines::Json(json) => json.is_enveloped(),
        }
    }
}

/// A format for the lines that another one refuses.
#[derive(Debug)]
pub(in crate::format) struct Either {
    name: String,
    first: Half,
    second: Half,
}

impl Either {
    /// `None` where the two cannot be read together: the lines of one stand in envelopes, and those of the other do not.
    pub(in crate::format) fn of(first: Half, second: Half) -> Option<Arc<dyn Format>> {
        let name = format!("{}, {}", first.format().name(), second.format().name());
        (first.is_enveloped() == second.is_enveloped())
            .then(|| Arc::new(Self { name, first, second }) as Arc<dyn Format>)
    }
}

impl Format for Either {
    fn name(&self) -> &str {
        &self.name
    }

    fn family(&self) -> Family {
        Family::Web
    }

    fn fields(&self) -> Fields {
        self.first.format().fields().union(self.second.format().fields())
    }

    fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan> {
        let second = self.second.reader(layout, clock.clone());
        let is_enveloped = self.first.is_enveloped();
        match &self.first.0 {
            Lines::Access(access) => {
                let first: AccessParser = access.own_parser(layout, clock.clone());
                enveloped::scan(Both { first, second }, is_enveloped, layout, clock)
            }
            Lines::Json(json) => {
                let first = json.own_parser(layout, clock.clone());
                enveloped::scan(Both { first, second }, is_enveloped, layout, clock)
            }
        }
    }
}

struct Both<P> {
    first: P,
    second: Box<dyn ReadLine>,
}

impl<P: Parser> Parser for Both<P> {
    const MARK: u8 = P::MARK;
    const FRAMING: Framing = P::FRAMING;
    const IN_BATCHES: bool = P::IN_BATCHES;

    fn parse_all(&mut self, batch: &Batch<'_>, rows: &mut Rows<'_>) -> u64 {
        self.first.parse_all(batch, rows)
    }

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let Err(reason) = self.first.parse(line, row) else { return Ok(()) };
        if reason == Reason::Blank {
            return Err(reason);
        }
        row.clear();
        self.second.read_line(line, row).map_err(|_| reason)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_one;
    use super::*;
    use crate::format::web;

    const LINE: &str = r#"::1 - - [07/Mar/2024:09:15:02 +0100] "GET /a HTTP/1.1" 200 5 "-" "x""#;

    #[test]
    fn what_the_first_refuses_the_second_reads() {
        let combined = Access::built_in("combined", web::COMBINED).unwrap();
        let timed = Access::built_in("request_time", web::REQUEST_TIME).unwrap();
        let both = Either::of(Half::from(&combined), Half::from(&timed)).unwrap();
        assert_eq!(both.name(), "combined, request_time");
        let read = |line: &str, field| read_one(&*both, line, field);
        assert_eq!(read(LINE, "agent"), Ok(Some("x".to_owned())));
        assert_eq!(read(LINE, "duration"), Ok(None));
        let timed = format!("{LINE} 0.002");
        assert_eq!(read(&timed, "agent"), Ok(Some("x".to_owned())));
        assert_eq!(read(&timed, "duration"), Ok(Some("2000".to_owned())));
        assert_eq!(read("dear diary", "agent"), Err(Reason::Malformed));
        assert_eq!(read("\n", "agent"), Err(Reason::Blank));
    }
}
