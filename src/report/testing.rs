//! What the tests of reports share: blocks of made-up records, and the law of merging.
//!
//! [`check_merging`] is the test that every report has to pass: however the records are split over threads, in
//! whatever order the parts are joined, and with a save and a load between, the same sections come out.

pub(crate) mod haproxy;

use super::{AnyReport, AnyState, Closing, Dictionaries, Options};
use crate::document::{Cell, Section};
use crate::format::Family;
use crate::record::block::ROWS;
use crate::record::{Block, Field, Kind, Label, Layout, Records};

/// A record in the making: fields and their values as a person writes them. A text field takes the words, a label
/// too, a number its digits.
pub(crate) type Made = Vec<(Field, String)>;

/// One thread's part of a run.
struct Part<'r> {
    report: &'r dyn AnyReport,
    layout: Layout,
    dictionaries: Dictionaries,
    state: AnyState,
    records: u64,
    period: Option<(i64, i64)>,
}

impl<'r> Part<'r> {
    fn new(report: &'r dyn AnyReport) -> Self {
        let needs = report.needs();
        let mut wanted = needs.all();
        wanted.insert(Field::TIME);
        let layout = Layout::new(wanted, needs.symbols);
        let dictionaries = Dictionaries::new(layout.symbols(), usize::MAX);
        Self { report, layout, dictionaries, state: report.start(), records: 0, period: None }
    }

    fn observe(&mut self, records: &[Made]) {
        // A filter may leave nothing of a block, of the first one too.
        let blocks = std::iter::once(&records[..0]).chain(records.chunks(ROWS));
        for records in blocks {
            let mut block = block(&self.layout, records);
            self.number(&mut block);
            let records = block.records(b"");
            self.records += records.len() as u64;
            self.see_period(&records);
            self.report.observe(&mut self.state, &records);
        }
    }

    fn number(&mut self, block: &mut Block) {
        for (name, dictionary) in self.dictionaries.iter_mut() {
            let field = Field::named(name).unwrap();
            if let Some((texts, symbols)) = block.texts_and_symbols(field, b"") {
                dictionary.intern_all(texts, symbols);
            }
        }
    }

    fn see_period(&mut self, records: &Records<'_>) {
        for row in 0..records.len() {
            let Some(time) = records.number(Field::TIME, row) else { continue };
            let (first, last) = self.period.unwrap_or((time, time));
            self.period = Some((first.min(time), last.max(time)));
        }
    }

    fn merge(&mut self, other: Self) {
        let renumberings = self.dictionaries.absorb(&other.dictionaries).unwrap();
        let saved = self.report.save(&other.state).unwrap();
        let state = self.report.load(&saved).unwrap();
        self.report.merge(&mut self.state, state, &renumberings);
        self.records += other.records;
        self.period = match (self.period, other.period) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    fn finish(self, family: Family, options: &Options) -> Vec<Section> {
        let closing = Closing {
            dictionaries: &self.dictionaries,
            options,
            records: self.records,
            period: self.period,
            family,
        };
        self.report.finish(self.state, &closing)
    }
}

fn block(layout: &Layout, records: &[Made]) -> Block {
    let mut block = Block::new(layout.clone());
    for record in records {
        let mut row = block.row();
        for (field, value) in record {
            let slot = layout.slot(*field);
            match field.kind() {
                Kind::Text => row.made(slot, value.as_bytes()),
                Kind::Label => row.label(slot, Label::of(value)),
                _ => row.number(slot, value.parse().unwrap()),
            }
        }
        row.keep(0, 0);
    }
    block
}

/// The sections of one run over all records, in one part.
pub(crate) fn sections(
    report: &dyn AnyReport,
    family: Family,
    options: &Options,
    records: &[Made],
) -> Vec<Section> {
    let mut part = Part::new(report);
    part.observe(records);
    part.finish(family, options)
}

/// Demands the same sections from one part, from many parts in any order, and from parts of parts.
pub(crate) fn check_merging(
    report: &dyn AnyReport,
    family: Family,
    options: &Options,
    records: &[Made],
) {
    let expected = sections(report, family, options, records);
    for (pieces, seed) in [(2, 1), (3, 2), (7, 3), (16, 4)] {
        let mut parts: Vec<Part<'_>> = (0..pieces).map(|_| Part::new(report)).collect();
        let mut dice = Dice(seed);
        for chunk in records.chunks(records.len() / (pieces * 3) + 1) {
            parts[dice.below(pieces)].observe(chunk);
        }
        while parts.len() > 1 {
            let other = parts.swap_remove(dice.below(parts.len()));
            let into = dice.below(parts.len());
            parts[into].merge(other);
        }
        let found = parts.pop().unwrap().finish(family, options);
        assert_eq!(found, expected, "{} in {pieces} parts", report.name());
    }
}

/// A small generator of numbers (a linear congruential one), so that made-up records are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }

    fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Web requests with all fields that reports read, some of them absent now and then.
pub(crate) fn requests(count: usize, seed: u64) -> Vec<Made> {
    let mut dice = Dice(seed);
    (0..count).map(|at| request(at, &mut dice)).collect()
}

fn request(at: usize, dice: &mut Dice) -> Made {
    let time = 1_709_802_000_000_000 + at as i64 * 37_000_000 + dice.below(1_000_000) as i64;
    let status =
        dice.one_of(&["200", "200", "200", "301", "404", "404", "500", "502", "499", "000"]);
    let class = match &status[..1] {
        "4" | "0" => "warn",
        "5" => "error",
        _ => "ok",
    };
    let path = format!("/{}/{}", dice.below(12), dice.one_of(&["a", "b.css", "api", "x.png"]));
    let took = dice.below(3_000_000);
    let mut record = vec![
        (Field::TIME, time.to_string()),
        (Field::CLASS, class.to_owned()),
        (Field::KIND, format!("http_{status}")),
        (Field::CLIENT, format!("192.0.{}.{}", dice.below(4), dice.below(9))),
        (Field::METHOD, dice.one_of(&["GET", "GET", "POST"]).to_owned()),
        (Field::PATH, path.clone()),
        (Field::TARGET, format!("{path}?q={}", dice.below(3))),
        (Field::PROTOCOL, dice.one_of(&["HTTP/1.1", "HTTP/2.0"]).to_owned()),
        (Field::HOST, dice.one_of(&["example.org", "www.example.org"]).to_owned()),
        (Field::STATUS, status.to_owned()),
        (Field::BYTES, dice.below(100_000).to_string()),
        (Field::REFERER, dice.one_of(&["https://example.org/", "https://b.example/x"]).to_owned()),
        (Field::AGENT, dice.one_of(&AGENTS).to_owned()),
        (Field::DURATION, took.to_string()),
        (Field::CACHE_STATUS, dice.one_of(&["HIT", "MISS", "BYPASS"]).to_owned()),
        (Field::UPSTREAM, format!("10.0.0.{}:80", dice.below(3))),
        (Field::UPSTREAM_STATUS, dice.one_of(&["200", "502, 200"]).to_owned()),
        (Field::UPSTREAM_DURATION, (took / 2).to_string()),
        (Field::UPSTREAM_TRIES, (1 + dice.below(2)).to_string()),
    ];
    let lost = dice.below(record.len() * 3);
    if (1..record.len()).contains(&lost) {
        record.remove(lost);
    }
    record
}

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
];

/// The cells of a column of a table, to be compared with what a test expects.
pub(crate) fn column(sections: &[Section], section: &str, column: &str) -> Vec<Cell> {
    let section =
        sections.iter().find(|found| found.name == section).expect("the section is there");
    let crate::document::Body::Table(table) = &section.body else { panic!("it is no table") };
    let at = table.column(column).expect("it has the column");
    table.rows.iter().map(|row| row[at].clone()).collect()
}

/// Demands that every row has a cell for every column.
pub(crate) fn check_form(section: &Section) {
    use crate::document::Body;
    let (columns, rows) = match &section.body {
        Body::Facts(_) => return,
        Body::Table(table) => (table.columns.len(), &table.rows),
        Body::Series(series) => (series.columns.len(), &series.points),
    };
    assert!(rows.iter().all(|row| row.len() == columns), "{}", section.name);
}
