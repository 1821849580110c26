//! Which names were asked for, by whom, and how it ended.
//!
//! Sections:
//!
//! * `names`, `domains`: by queries; a domain is what someone registered, by the public suffix list;
//! * `names_servfail`, `domains_servfail`, `clients_servfail` and the same with `nxdomain`, `refused` and `limited`: those
//!   behind each trouble, and how much of their own queries it is;
//! * `name_levels`: by the last label, the last two, and so on: from the top of the tree to the name;
//! * `client_names`: which client asked for which name, and how often; `client_spread`: clients by different names;
//! * `suspicions`: what looks like an attack ([`super::attack`]);
//! * `odd_queries`: queries that should not be: unknown suffixes, addresses asked for as names, private reverse names.
//!
//! Names are counted in lower case. What hangs on a name alone (domain, level) is worked out at the end, once for each
//! different name. Pairs of client and name are bounded; with too many of them only a part is followed, and a note says so.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::{Closing, Needs, Renumberings, Report};
use super::attack;
use super::queries::{self, Known};
use super::what::{self, Kinds, LANES, Lane, Lanes, TROUBLES, Trouble};
use crate::document::{Cell, Column, Note, Role, Section, Table};
use crate::record::block::ROWS;
use crate::record::{Field, Records, Symbol, dname};
use crate::tally::{Pair, Pairs, PerSymbol, Renumbering, keep_largest, stable_hash};
use crate::units;

/// 24 MB a thread.
const MOST_PAIRS: usize = 1 << 20;
/// How deep the tree of names is shown.
const LEVELS: usize = 5;

/// The report.
#[derive(Debug)]
pub(in super::super) struct Names {
    kinds: Kinds,
    most_pairs: usize,
}

impl Names {
    /// About all names.
    pub(in super::super) fn new() -> Self {
        Self { kinds: Kinds::new(), most_pairs: MOST_PAIRS }
    }
}

/// Queries and troubles of names, or of clients.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Side {
    pub(super) queries: PerSymbol<u64>,
    pub(super) lanes: PerSymbol<Lanes>,
    /// Queries for all records at once, over UDP and without proof of the address.
    pub(super) any: PerSymbol<u32>,
}

impl Side {
    /// Counts the queries of those rows; `tell` hears of each whose symbol was not met before. First all counters are
    /// looked at, so that the cache misses overlap.
    fn count(&mut self, rows: &[u16], symbols: &[Symbol], mut tell: impl FnMut(Symbol, usize)) {
        let (mut new, mut len) = ([0; ROWS], 0);
        for row in rows {
            new[len] = *row;
            len += usize::from(*self.queries.at(symbols[usize::from(*row)]) == 0);
        }
        for row in rows {
            *self.queries.at(symbols[usize::from(*row)]) += 1;
        }
        for row in new[..len].iter().map(|row| usize::from(*row)) {
            tell(symbols[row], row);
        }
    }

    fn merge(&mut self, other: Self, renumbering: &Renumbering) {
        self.queries.merge(other.queries, renumbering, |own, more| *own += more);
        self.lanes.merge(other.lanes, renumbering, what::add);
        self.any.merge(other.any, renumbering, |own, more| *own = own.saturating_add(more));
    }
}

/// What was counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct State {
    pub(super) names: Side,
    pub(super) clients: Side,
    pub(super) pairs: Pairs,
    any: u64,
    a_for_a: u64,
    /// What types and flags are, by symbols of this thread.
    #[serde(skip)]
    known: [Known; 3],
}

impl Report for Names {
    type State = State;

    fn name(&self) -> String {
        "names".to_owned()
    }

    fn needs(&self) -> Needs {
        let symbols = [Field::NAME, Field::CLIENT, Field::QTYPE, Field::FLAGS];
        Needs::required(&[Field::KIND, Field::NAME]).optional(&symbols).by_symbol(&symbols)
    }

    fn start(&self) -> State {
        State {
            names: Side::default(),
            clients: Side::default(),
            pairs: Pairs::new(self.most_pairs),
            any: 0,
            a_for_a: 0,
            known: Default::default(),
        }
    }

    fn observe(&self, state: &mut State, records: &Records<'_>) {
        let columns = [Field::NAME, Field::CLIENT, Field::QTYPE, Field::FLAGS];
        let [Some(names), Some(clients), Some(types), Some(flags)] =
            columns.map(|field| records.symbols(field))
        else {
            return;
        };
        let Some(kinds) = records.column(Field::KIND) else { return };
        let (mut queries, mut len) = ([0; ROWS], 0);
        for (row, kind) in kinds.iter().enumerate() {
            let (name, client) = (names[row], clients[row]);
            match self.kinds.of(*kind) {
                Lane::Query => {
                    queries[len] = row as u16;
                    len += 1;
                }
                // Without a client it is told that a limit began or ended.
                Lane::Limited if client == Symbol::ABSENT => {}
                lane if (lane as usize) < LANES => {
                    for (side, symbol) in [(&mut state.names, name), (&mut state.clients, client)] {
                        let count = &mut side.lanes.at(symbol)[lane as usize];
                        *count = count.saturating_add(1);
                    }
                }
                _ => {}
            }
        }
        let (queries, pairs) = (&queries[..len], &mut state.pairs);
        let text = |field, row| records.text(field, row).unwrap_or_default();
        state.clients.count(queries, clients, |client, row| {
            pairs.tell_left(client, text(Field::CLIENT, row));
        });
        state.names.count(queries, names, |name, row| {
            pairs.tell_right(name, text(Field::NAME, row));
        });
        for row in queries.iter().map(|row| usize::from(*row)) {
            let (name, client) = (names[row], clients[row]);
            state.pairs.add(client, name, text(Field::CLIENT, row));
            state.see_type(records, row, types[row], flags[row], [name, client]);
        }
    }

    fn merge(&self, into: &mut State, from: State, renumberings: &Renumberings) {
        let names = renumberings.of(Field::NAME);
        let clients = renumberings.of(Field::CLIENT);
        rayon::join(
            || into.pairs.merge(from.pairs, clients, names),
            || {
                into.names.merge(from.names, names);
                into.clients.merge(from.clients, clients);
            },
        );
        into.any += from.any;
        into.a_for_a += from.a_for_a;
    }

    fn finish(&self, mut state: State, closing: &Closing<'_>) -> Vec<Section> {
        state.pairs.settle();
        let found = Found::of(&state, closing);
        let (domains, levels) = rayon::join(|| found.domains(), || found.levels());
        // What may be an attack comes first.
        let parts: [&(dyn Fn() -> Vec<Section> + Sync); 7] = [
            &|| attack::section(&state, &found, &domains).into_iter().collect(),
            &|| found.all("names", "Names", Field::NAME, &found.names),
            &|| found.all("domains", "Domains", Field::DOMAIN, &domains),
            &|| found.troubles("clients", "Clients", Field::CLIENT, &found.clients),
            &|| found.spread(&state).into_iter().collect(),
            &|| found.pairs(&state).into_iter().collect(),
            &|| found.odd(&state).into_iter().collect(),
        ];
        let mut sections: Vec<Vec<Section>> = parts.into_par_iter().map(|part| part()).collect();
        let before_odd = sections.len() - 1;
        sections.insert(before_odd, levels.into_iter().collect());
        sections.into_iter().flatten().collect()
    }
}

impl State {
    #[inline]
    fn see_type(
        &mut self,
        records: &Records<'_>,
        row: usize,
        kind: Symbol,
        flags: Symbol,
        [name, client]: [Symbol; 2],
    ) {
        let text = |field| records.text(field, row).unwrap_or_default();
        let [any, address, proven] = &mut self.known;
        if any.is(kind, || text(Field::QTYPE) == b"ANY") {
            self.any += 1;
            if !proven.is(flags, || queries::has_proof(text(Field::FLAGS))) {
                for (side, symbol) in [(&mut self.names, name), (&mut self.clients, client)] {
                    let count = side.any.at(symbol);
                    *count = count.saturating_add(1);
                }
            }
        } else if address.is(kind, || text(Field::QTYPE) == b"A") {
            self.a_for_a += u64::from(is_address(text(Field::NAME)));
        }
    }
}

/// True for an IPv4 address in the place of a name.
#[inline]
fn is_address(name: &[u8]) -> bool {
    name.last().is_some_and(u8::is_ascii_digit)
        && crate::record::address::parse(name).is_some_and(|address| address.is_ipv4())
}

/// A name, a domain or a client, with what was counted for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) key: &'a [u8],
    pub(super) queries: u64,
    pub(super) lanes: Lanes,
    /// How many different names it stands for; 1 for a name.
    pub(super) names: u64,
    /// Those of them that were asked for seldom.
    pub(super) seldom: Seldom,
}

/// Names that were asked for a few times only.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seldom {
    /// How many once only.
    pub(super) once: u64,
    /// How many at most [`FEW`] times.
    pub(super) names: u64,
    /// The queries for these.
    pub(super) queries: u64,
}

/// For both kinds of addresses, and again because no answer came.
const FEW: u64 = 4;

impl Seldom {
    fn of(queries: u64) -> Self {
        let is_few = queries <= FEW;
        Self {
            once: u64::from(queries == 1),
            names: u64::from(is_few),
            queries: if is_few { queries } else { 0 },
        }
    }

    fn add(&mut self, other: Self) {
        self.once += other.once;
        self.names += other.names;
        self.queries += other.queries;
    }
}

impl<'a> Row<'a> {
    fn new(key: &'a [u8]) -> Self {
        Self { key, queries: 0, lanes: [0; LANES], names: 0, seldom: Seldom::default() }
    }

    fn add(&mut self, other: &Row<'_>) {
        self.queries += other.queries;
        what::add(&mut self.lanes, other.lanes);
        self.names += other.names;
        self.seldom.add(other.seldom);
    }
}

/// All names and clients, in no particular order.
pub(super) struct Found<'a> {
    pub(super) closing: &'a Closing<'a>,
    pub(super) names: Vec<Row<'a>>,
    pub(super) clients: Vec<Row<'a>>,
    pub(super) queries: u64,
    /// Queries whose names did not fit into memory.
    others: u64,
}

fn rows<'a>(side: &Side, field: Field, closing: &'a Closing<'a>) -> Vec<Row<'a>> {
    let Some(texts) = closing.dictionaries.of(field) else { return Vec::new() };
    let rows = texts.iter().map(|(symbol, key)| {
        let queries = side.queries.get(symbol).copied().unwrap_or(0);
        let lanes = side.lanes.get(symbol).copied().unwrap_or_default();
        Row { queries, lanes, names: 1, seldom: Seldom::of(queries), ..Row::new(key) }
    });
    rows.filter(|row| row.queries > 0 || row.lanes != [0; LANES]).collect()
}

impl<'a> Found<'a> {
    fn of(state: &State, closing: &'a Closing<'a>) -> Self {
        let names = rows(&state.names, Field::NAME, closing);
        let clients = rows(&state.clients, Field::CLIENT, closing);
        let queries = state.names.queries.iter().map(|(_, count)| count).sum();
        let others = state.names.queries.get(Symbol::OTHER).copied().unwrap_or(0);
        Self { closing, names, clients, queries, others }
    }

    /// The names by what someone registered.
    fn domains(&self) -> Vec<Row<'a>> {
        self.grouped(dname::registrable)
    }

    /// The names together under a part of each.
    pub(super) fn grouped(&self, part: impl Fn(&'a [u8]) -> &'a [u8] + Sync) -> Vec<Row<'a>> {
        const SHARE: usize = 1 << 14;
        let parts = self.names.par_chunks(SHARE).map(|rows| {
            let mut groups: HashMap<&[u8], Row<'_>, RandomState> = HashMap::default();
            for row in rows {
                let key = part(row.key);
                groups.entry(key).or_insert_with(|| Row::new(key)).add(row);
            }
            groups
        });
        let joined = parts.reduce(HashMap::default, |mut into, from| {
            for (key, row) in from {
                match into.get_mut(key) {
                    None => {
                        into.insert(key, row);
                    }
                    Some(known) => known.add(&row),
                }
            }
            into
        });
        joined.into_values().collect()
    }

    /// A table by queries, and one a trouble.
    fn all(&self, name: &str, title: &str, field: Field, rows: &[Row<'a>]) -> Vec<Section> {
        let is_group = field == Field::DOMAIN;
        let (chosen, total_rows) = self.largest(rows, |row| row.queries);
        let mut columns =
            vec![Column::new(field.name(), Role::Key), Column::new("queries", Role::Main)];
        columns.push(Column::new("share", Role::Value));
        if is_group {
            columns.push(Column::new("names", Role::Value));
        }
        columns.extend(TROUBLES.map(|(name, ..)| Column::new(name, Role::Value)));
        let cells = |row: &Row<'_>| {
            let mut cells = vec![Cell::text(row.key), Cell::Count(row.queries)];
            cells.push(Cell::share(row.queries, self.queries));
            if is_group {
                cells.push(Cell::Count(row.names));
            }
            let troubled = TROUBLES.map(|(.., trouble)| what::troubled(&row.lanes, trouble));
            cells.extend(troubled.map(Cell::Count));
            cells
        };
        let rows_of: Vec<Vec<Cell>> = chosen.iter().map(|row| cells(row)).collect();
        let mut sections = Vec::new();
        if !rows_of.is_empty() {
            let mut section =
                Section::table(name, title, Table { columns, rows: rows_of, total_rows });
            if self.others > 0 {
                section.notes.push(Note::warning(format!(
                    "{} queries had a name that did not fit into memory and is not in the table",
                    units::count(self.others)
                )));
            }
            sections.push(section);
        }
        sections.extend(self.troubles(name, title, field, rows));
        sections
    }

    /// Those behind each trouble.
    fn troubles(&self, name: &str, title: &str, field: Field, rows: &[Row<'a>]) -> Vec<Section> {
        // They are few, and each table goes over them twice.
        let rows = rows.iter().filter(|row| row.lanes != [0; LANES]).copied();
        let rows: Vec<Row<'a>> = rows.collect();
        let tables = TROUBLES.iter().map(|(word, words, trouble)| {
            let title = format!("{title} behind {words}");
            self.trouble(format!("{name}_{word}"), title, field, &rows, (*trouble, word))
        });
        tables.into_iter().flatten().collect()
    }

    fn trouble(
        &self,
        name: String,
        title: String,
        field: Field,
        rows: &[Row<'a>],
        (trouble, word): (Trouble, &str),
    ) -> Option<Section> {
        let of = |row: &Row<'_>| what::troubled(&row.lanes, trouble);
        let (chosen, total_rows) = self.largest(rows, of);
        let all = rows.iter().map(of).sum();
        let mut columns = vec![Column::new(field.name(), Role::Key), Column::new(word, Role::Main)];
        columns.push(Column::new("share", Role::Value));
        columns.push(Column::new("queries", Role::Value));
        columns.push(Column::new("rate", Role::Value).labelled("of its own"));
        let cells = chosen.iter().map(|row| {
            let count = of(row);
            let own =
                if row.queries >= count { Cell::share(count, row.queries) } else { Cell::Empty };
            let counts = [Cell::Count(count), Cell::share(count, all), Cell::Count(row.queries)];
            std::iter::once(Cell::text(row.key)).chain(counts).chain([own]).collect()
        });
        let rows: Vec<Vec<Cell>> = cells.collect();
        (total_rows > 0).then(|| Section::table(name, title, Table { columns, rows, total_rows }))
    }

    /// The first rows by a measure, and how many count anything by it.
    pub(super) fn largest<'r>(
        &self,
        rows: &'r [Row<'a>],
        measure: impl Fn(&Row<'_>) -> u64,
    ) -> (Vec<&'r Row<'a>>, u64) {
        let mut found: Vec<(u64, &Row<'_>)> =
            rows.iter().map(|row| (measure(row), row)).filter(|(count, _)| *count > 0).collect();
        let total = found.len() as u64;
        keep_largest(&mut found, self.closing.options.limit, |a, b| {
            b.0.cmp(&a.0).then_with(|| a.1.key.cmp(b.1.key))
        });
        (found.into_iter().map(|(_, row)| row).collect(), total)
    }

    /// The tree of names, level by level.
    fn levels(&self) -> Option<Section> {
        let (mut rows, mut total_rows) = (Vec::new(), 0);
        for (level, mut branches) in (1_i64..).zip(self.tree()) {
            branches.retain(|branch| branch.queries > 0);
            total_rows += branches.len() as u64;
            keep_largest(&mut branches, self.closing.options.limit, |a, b| {
                b.queries.cmp(&a.queries).then_with(|| a.suffix.cmp(b.suffix))
            });
            rows.extend(branches.into_iter().map(|branch| {
                vec![
                    Cell::Number(level),
                    Cell::text(branch.suffix),
                    Cell::Count(branch.queries),
                    Cell::share(branch.queries, self.queries),
                    Cell::Count(branch.names),
                ]
            }));
        }
        let columns = vec![
            Column::new("level", Role::Key),
            Column::new("suffix", Role::Key),
            Column::new("queries", Role::Main),
            Column::new("share", Role::Value),
            Column::new("names", Role::Value),
        ];
        let table = Table { columns, rows, total_rows };
        (total_rows > 0).then(|| Section::table("name_levels", "Names by level", table))
    }

    /// The branches of the tree of names by level, the top first. It grows in shares side by side, which have little of the
    /// two upper levels in common.
    fn tree(&self) -> Vec<Vec<Branch<'a>>> {
        let shares = rayon::current_num_threads();
        let place = |row: &Row<'_>| (share(row.key, shares), dname::labels(row.key));
        let places: Vec<(usize, usize)> = self.names.par_iter().map(place).collect();
        let grow = |own: usize| {
            let placed = self.names.iter().zip(&places).filter(|(_, (share, _))| *share == own);
            grown(placed.map(|(row, (_, depth))| (row, *depth)))
        };
        let mut trees = (0..shares).into_par_iter().map(grow).collect::<Vec<_>>().into_iter();
        let mut tree = trees.next().unwrap_or_default();
        if shares == 1 {
            return tree;
        }
        for other in trees {
            tree.iter_mut().zip(other).for_each(|(level, more)| level.extend(more));
        }
        for (number, level) in (1..).zip(tree.iter_mut().take(2)) {
            let common = level.extract_if(.., |branch| number == 1 || is_reverse(branch.suffix));
            let common: Vec<Branch<'_>> = common.collect();
            level.extend(joined(Vec::new(), &common, number));
        }
        tree
    }

    fn text(&self, field: Field, symbol: Symbol) -> &'a [u8] {
        self.closing.dictionaries.text(field, symbol)
    }

    /// Which client asked for which name.
    fn pairs(&self, state: &State) -> Option<Section> {
        let mut found: Vec<Pair> = state.pairs.iter().collect();
        let total_rows = found.len() as u64;
        let texts =
            |pair: &Pair| (self.text(Field::CLIENT, pair.left), self.text(Field::NAME, pair.right));
        keep_largest(&mut found, self.closing.options.limit, |a, b| {
            b.count.cmp(&a.count).then_with(|| texts(a).cmp(&texts(b)))
        });
        let rows = found.into_iter().map(|pair| {
            let (client, name) = texts(&pair);
            let own = state.clients.queries.get(pair.left).copied().unwrap_or(0);
            let counts = [Cell::Count(pair.count), Cell::share(pair.count, own)];
            [Cell::text(client), Cell::text(name)].into_iter().chain(counts).collect()
        });
        let columns = vec![
            Column::new("client", Role::Key),
            Column::new("name", Role::Key),
            Column::new("queries", Role::Main),
            Column::new("rate", Role::Value).labelled("of its own"),
        ];
        let table = Table { columns, rows: rows.collect(), total_rows };
        let mut section = Section::table("client_names", "Clients and names", table);
        section.notes.extend(followed(state));
        (total_rows > 0).then_some(section)
    }

    /// The clients by how many different names they asked for.
    fn spread(&self, state: &State) -> Option<Section> {
        let mut spread: Vec<(u64, Symbol)> = spread(state);
        let total_rows = spread.len() as u64;
        let text = |symbol| self.text(Field::CLIENT, symbol);
        keep_largest(&mut spread, self.closing.options.limit, |a, b| {
            b.0.cmp(&a.0).then_with(|| text(a.1).cmp(text(b.1)))
        });
        let rows = spread.into_iter().map(|(names, client)| {
            let queries = state.clients.queries.get(client).copied().unwrap_or(0);
            let each = queries as f64 / names.max(1) as f64;
            vec![
                Cell::text(text(client)),
                Cell::Count(names),
                Cell::Count(queries),
                Cell::Real(each),
            ]
        });
        let columns = vec![
            Column::new("client", Role::Key),
            Column::new("names", Role::Main),
            Column::new("queries", Role::Value),
            Column::new("queries_a_name", Role::Value),
        ];
        let table = Table { columns, rows: rows.collect(), total_rows };
        let mut section = Section::table("client_spread", "Clients by different names", table);
        section.notes.extend(followed(state));
        (total_rows > 0).then_some(section)
    }

    /// Queries that should not be.
    fn odd(&self, state: &State) -> Option<Section> {
        let sum = |is: fn(&[u8]) -> bool| -> (u64, u64) {
            let rows = self.names.par_iter().filter(|row| is(row.key));
            let counted = rows.map(|row| (row.queries, u64::from(row.queries > 0)));
            counted.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        let refused = |row: &Row<'_>| what::troubled(&row.lanes, Trouble::Refused);
        let refused_names = self.names.iter().filter(|row| refused(row) > 0).count() as u64;
        let any_names = state.names.any.iter().filter(|(_, count)| **count > 0).count() as u64;
        let (unknown, unknown_names) =
            sum(|name| name != b"." && !dname::is_under_known_suffix(name));
        let (private, private_names) = sum(is_private_reverse);
        let addresses = sum(is_address).1;
        let rows = [
            ("unknown_suffix", unknown, unknown_names, "names under no suffix that exists"),
            ("a_for_a", state.a_for_a, addresses, "an address asked for as if it were a name"),
            (
                "private_reverse",
                private,
                private_names,
                "reverse names of private networks (RFC 1918)",
            ),
            ("refused", self.names.iter().map(refused).sum(), refused_names, "refused or denied"),
            ("any", state.any, any_names, "type ANY; names: those over UDP without cookie"),
        ];
        let rows: Vec<Vec<Cell>> = rows
            .into_iter()
            .filter(|(_, count, ..)| *count > 0)
            .map(|(name, count, names, meaning)| {
                let share = Cell::share(count, self.queries);
                let counts = [Cell::Count(count), share, Cell::Count(names)];
                std::iter::once(Cell::text(name))
                    .chain(counts)
                    .chain([Cell::text(meaning)])
                    .collect()
            })
            .collect();
        let columns = vec![
            Column::new("filter", Role::Key),
            Column::new("queries", Role::Main),
            Column::new("share", Role::Value),
            Column::new("names", Role::Value),
            Column::new("meaning", Role::Remark),
        ];
        let total_rows = rows.len() as u64;
        let table = Table { columns, rows, total_rows };
        (total_rows > 0).then(|| Section::table("odd_queries", "Odd queries", table))
    }
}

/// What is asked for under a suffix.
#[derive(Debug, Clone, Copy)]
struct Branch<'a> {
    suffix: &'a [u8],
    queries: u64,
    names: u64,
}

impl Branch<'_> {
    fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.names += other.names;
    }
}

/// In which share of the tree a name grows: told by its last two labels, or three where two are of no use.
fn share(name: &[u8], shares: usize) -> usize {
    let labels = if is_reverse(name) { 3 } else { 2 };
    match shares {
        1 => 0,
        _ => (stable_hash(dname::last_labels(name, labels)) >> 32) as usize % shares,
    }
}

/// True for names of addresses, `in-addr.arpa` and `ip6.arpa`.
fn is_reverse(name: &[u8]) -> bool {
    name.strip_suffix(b".").unwrap_or(name).ends_with(b".arpa")
}

/// The branches of these names with their numbers of labels, by level, from the names down to the top: what a level joins
/// the next one joins no more.
fn grown<'a: 'r, 'r>(names: impl Iterator<Item = (&'r Row<'a>, usize)>) -> Vec<Vec<Branch<'a>>> {
    let deepest = LEVELS + 1;
    let mut by_depth: Vec<Vec<Branch<'_>>> = vec![Vec::new(); deepest];
    for (row, depth) in names {
        let Row { key: suffix, queries, names, .. } = *row;
        by_depth[depth.clamp(1, deepest) - 1].push(Branch { suffix, queries, names });
    }
    for level in (1..deepest).rev() {
        let own = std::mem::take(&mut by_depth[level - 1]);
        by_depth[level - 1] = joined(own, &by_depth[level], level);
    }
    by_depth.truncate(LEVELS);
    by_depth
}

/// The branches of a level: names that end there, and deeper ones under their last so many labels.
fn joined<'a>(own: Vec<Branch<'a>>, deeper: &[Branch<'a>], level: usize) -> Vec<Branch<'a>> {
    let mut branches: Vec<Branch<'_>> = Vec::new();
    let mut places: HashMap<&[u8], usize, RandomState> = HashMap::default();
    for branch in deeper {
        let suffix = dname::last_labels(branch.suffix, level);
        let place = *places.entry(suffix).or_insert(branches.len());
        match branches.get_mut(place) {
            Some(known) => known.add(branch),
            None => branches.push(Branch { suffix, ..*branch }),
        }
    }
    // Most names of a level have none below: they are looked up and not put in.
    for branch in own {
        match places.get(branch.suffix) {
            Some(place) => branches[*place].add(&branch),
            None => branches.push(branch),
        }
    }
    branches
}

/// How many different names each client asked for. Where a part of the pairs is followed, their number times the part.
pub(super) fn spread(state: &State) -> Vec<(u64, Symbol)> {
    let mut spread: Vec<(u64, Symbol)> = Vec::new();
    for pair in state.pairs.iter() {
        match spread.last_mut() {
            Some((names, client)) if *client == pair.left => *names += state.pairs.one_in(),
            _ => spread.push((state.pairs.one_in(), pair.left)),
        }
    }
    spread
}

fn followed(state: &State) -> Option<Note> {
    let one_in = state.pairs.one_in();
    (one_in > 1).then(|| {
        Note::warning(format!(
            "pairs of client and name did not fit into memory: one in {one_in} was followed, and numbers of names are estimates"
        ))
    })
}

/// `7.2.168.192.in-addr.arpa` and the like.
fn is_private_reverse(name: &[u8]) -> bool {
    let Some(address) = name.strip_suffix(b".in-addr.arpa") else { return false };
    let mut labels = address.rsplit(|byte| *byte == b'.');
    let (first, second) = (labels.next(), labels.next().unwrap_or_default());
    let second: Option<u8> = std::str::from_utf8(second).ok().and_then(|text| text.parse().ok());
    match (first, second) {
        (Some(b"10"), _) | (Some(b"192"), Some(168)) => true,
        (Some(b"172"), Some(second)) => (16..32).contains(&second),
        _ => false,
    }
}

#[cfg(test)]
pub(super) fn bounded(most_pairs: usize) -> Names {
    Names { most_pairs, ..Names::new() }
}
