//! The keys of lines that have keys instead of places, and what stands behind each.
//!
//! A log's own keys are not known beforehand: they come from a definition, or from the first lines of the log, where
//! the name of a key and the look of its values say what it is. Keys inside objects inside a line form a tree; the
//! root is the line itself. What is not in the tree when a run begins is passed over.
//!
//! Of a key that occurs twice in one line the first counts. Of two keys that mean the same, that one counts which lies
//! less deep, and of those the one that was seen first.

use super::capture::{Capture, Reader};
use super::{definition, variables};
use crate::ledger::Reason;
use crate::record::time::Clock;
use crate::record::{Block, Field, Fields, Layout, Row, Slot};

/// A key, by number.
pub(super) type Id = u16;

/// The line itself.
pub(super) const ROOT: Id = 0;
/// A key that is not in the tree, and everything below it.
pub(super) const UNKNOWN: Id = Id::MAX;

/// The most keys that one format has, so that hostile first lines cannot make many.
const MOST_KEYS: usize = 200;
/// The longest name of a key that becomes a field.
const LONGEST_NAME: usize = 64;
/// How many values of a key are looked at to tell what it is.
const SAMPLES: usize = 16;

/// All keys of a format. `F` as in [`Capture`].
#[derive(Debug, Clone)]
pub(super) struct Keys<F = Field> {
    keys: Vec<Key<F>>,
}

#[derive(Debug, Clone)]
struct Key<F> {
    parent: Id,
    depth: u16,
    name: Vec<u8>,
    /// The name as it stands in a line, with all that belongs to it up to the value.
    head: Vec<u8>,
    capture: Capture<F>,
    /// True for keys that make a line one of a web server.
    is_telling: bool,
}

/// How a key stands in a line.
pub(super) type Spell = fn(name: &[u8]) -> Vec<u8>;

impl<F> Keys<F> {
    /// The key of that name below another one.
    pub(super) fn find(&self, parent: Id, name: &[u8]) -> Id {
        let is_it = |key: &Key<F>| key.name == name && key.parent == parent;
        let found = self.keys.iter().skip(1).position(is_it);
        found.map_or(UNKNOWN, |at| at as Id + 1)
    }
}

impl Keys {
    /// No key.
    fn new() -> Self {
        let capture = Capture::Ignore;
        let root = Key {
            parent: UNKNOWN,
            depth: 0,
            name: vec![],
            head: vec![],
            capture,
            is_telling: false,
        };
        Self { keys: vec![root] }
    }

    /// All names that say what they mean, for logs that nobody has looked at yet.
    pub(super) fn usual(spell: Spell, known: fn(&str) -> Option<Capture>) -> Self {
        let mut learned = Learner::new(spell);
        for name in variables::keys() {
            let id = learned.learn(ROOT, name.as_bytes());
            learned.keys.keys[usize::from(id)].capture = known(name).unwrap_or(Capture::Ignore);
        }
        learned.keys.mark_telling();
        learned.keys
    }

    /// All fields that its lines carry.
    pub(super) fn fields(&self) -> Fields {
        let captures = self.keys.iter().map(|key| &key.capture);
        captures.fold(Fields::NONE, |fields, capture| fields.union(capture.fields()))
    }

    /// True when these are the keys of a web server: a status, or two other things that only requests have.
    pub(super) fn are_of_web(&self) -> bool {
        let fields = self.fields();
        let others = [Field::CLIENT, Field::METHOD, Field::TARGET, Field::PATH, Field::AGENT];
        let count = others.iter().filter(|field| fields.has(**field)).count();
        count > 1 || count == 1 && fields.has(Field::STATUS)
    }

    /// The same for a parser.
    pub(super) fn bind(&self, layout: &Layout) -> Keys<Slot> {
        let bind = |key: &Key<Field>| Key {
            parent: key.parent,
            depth: key.depth,
            name: key.name.clone(),
            head: key.head.clone(),
            capture: key.capture.bind(layout),
            is_telling: key.is_telling,
        };
        Keys { keys: self.keys.iter().map(bind).collect() }
    }

    /// Lets each field have one key.
    fn settle(&mut self) {
        let mut keys: Vec<&mut Key<Field>> = self.keys.iter_mut().collect();
        keys.sort_by_key(|key| key.depth);
        definition::tell_apart(keys.into_iter().map(|key| &mut key.capture));
        self.mark_telling();
    }

    fn mark_telling(&mut self) {
        for key in &mut self.keys {
            key.is_telling = !matches!(key.capture, Capture::Ignore | Capture::Time(_))
                && key.capture.fields().iter().all(|field| Field::all_known().any(|f| f == field));
        }
    }

    /// The path of a key, in the spelling of a field's name.
    fn path(&self, id: usize) -> Option<String> {
        let key = &self.keys[id];
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.@".contains(byte);
        if key.name.is_empty() || key.name.len() > LONGEST_NAME || !key.name.iter().all(is_plain) {
            return None;
        }
        let name = String::from_utf8_lossy(&key.name).to_ascii_lowercase();
        let name = name.trim_start_matches('@').replace(['-', '.'], "_");
        match key.depth {
            1 => Some(name),
            _ => Some(format!("{}_{name}", self.path(usize::from(key.parent))?)),
        }
    }
}

/// Collects keys and some values of each.
#[derive(Debug)]
pub(super) struct Learner {
    keys: Keys,
    values: Vec<Vec<Vec<u8>>>,
    spell: Spell,
}

impl Learner {
    /// Has seen nothing.
    pub(super) fn new(spell: Spell) -> Self {
        Self { keys: Keys::new(), values: vec![vec![]], spell }
    }

    /// The key of that name below another one, which is new or not.
    pub(super) fn learn(&mut self, parent: Id, name: &[u8]) -> Id {
        let found = self.keys.find(parent, name);
        let Some(above) = self.keys.keys.get(usize::from(parent)) else { return UNKNOWN };
        if found != UNKNOWN || self.keys.keys.len() > MOST_KEYS || name.contains(&b'\\') {
            return found;
        }
        let depth = above.depth + 1;
        let (name, head, capture) = (name.to_vec(), (self.spell)(name), Capture::Ignore);
        self.keys.keys.push(Key { parent, depth, name, head, capture, is_telling: false });
        self.values.push(Vec::new());
        self.keys.keys.len() as Id - 1
    }

    /// Notes a value of a key; absent ones say nothing.
    pub(super) fn note(&mut self, key: Id, value: &[u8]) {
        if let Some(values) = self.values.get_mut(usize::from(key))
            && values.len() < SAMPLES
            && !value.is_empty()
        {
            values.push(value.to_vec());
        }
    }

    /// The keys, each with what it means: by its name where its values look like that, else a field of that name. Keys
    /// inside other keys are also known by their last name. `known` tells names.
    pub(super) fn into_keys(mut self, known: fn(&str) -> Option<Capture>) -> Keys {
        let mut trial = Trial::new();
        let has = |name: &[u8]| self.keys.find(ROOT, name) != UNKNOWN;
        let unit = match (has(b"response_flags"), has(b"DownstreamStatus")) {
            (true, _) => variables::Unit::Envoys,
            (_, true) => variables::Unit::Traefiks,
            _ => variables::Unit::Unknown,
        };
        for id in 1..self.keys.keys.len() {
            let values = &self.values[id];
            let is_object = self.keys.keys.iter().any(|key| usize::from(key.parent) == id);
            let Some(path) = self.keys.path(id).filter(|_| !is_object) else { continue };
            let last = String::from_utf8_lossy(&self.keys.keys[id].name).into_owned();
            let of_no_unit = variables::of_no_unit(&last, unit, values).and_then(Result::ok);
            let by_name = of_no_unit.or_else(|| known(&path)).or_else(|| known(&last));
            let by_name = by_name.or_else(|| variables::run_together(&last, values));
            let fitting = by_name.filter(|capture| trial.fits(capture, values));
            let custom = || variables::custom(&path).ok().filter(|own| trial.fits(own, values));
            self.keys.keys[id].capture = fitting.or_else(custom).unwrap_or(Capture::Ignore);
        }
        self.part_targets();
        self.keys.settle();
        self.keys
    }

    /// Beside a key with the query, `path` or `uri` is the path alone, unless a question mark says otherwise. Taken for the
    /// whole target it would have a query, and that of the other key would be lost.
    fn part_targets(&mut self) {
        let has = |capture| self.keys.keys.iter().any(|key| key.capture == capture);
        let has_mark = |value: &Vec<u8>| value.contains(&b'?');
        let is_target = |key: &Key<Field>| key.capture == Capture::Target;
        let keys = || self.keys.keys.iter().zip(&self.values);
        let is_whole = keys().any(|(key, values)| is_target(key) && values.iter().any(has_mark));
        if is_whole || has(Capture::Request) || !has(Capture::Text(Field::QUERY)) {
            return;
        }
        for key in self.keys.keys.iter_mut().filter(|key| is_target(key)) {
            key.capture = Capture::Text(Field::PATH);
        }
    }

    /// The keys of a definition: each means what its value there does.
    pub(super) fn into_defined(
        mut self,
        meaning: impl Fn(&[u8], &[u8]) -> Option<Capture>,
    ) -> Keys {
        for (key, values) in self.keys.keys.iter_mut().zip(&self.values) {
            let capture = values.first().and_then(|value| meaning(&key.name, value));
            key.capture = capture.unwrap_or(Capture::Ignore);
        }
        self.keys.settle();
        self.keys
    }
}

/// Tries captures on values.
struct Trial {
    reader: Reader,
    block: Block,
}

impl Trial {
    fn new() -> Self {
        let layout = Layout::new(Fields::NONE, Fields::NONE);
        let reader = Reader::new(&layout, Clock::new(chrono_tz::UTC, 0));
        Self { reader, block: Block::new(layout) }
    }

    /// True when most of the values, if there are any, can be read so.
    fn fits(&mut self, capture: &Capture, values: &[Vec<u8>]) -> bool {
        let capture = capture.bind(self.block.layout());
        let mut row = self.block.row();
        let reader = &mut self.reader;
        let is_whole = capture.is_whole();
        let fits = |value: &&Vec<u8>| {
            let whole = value.strip_suffix(b".0").filter(|_| is_whole);
            reader.read(&capture, whole.unwrap_or(value), 0, &mut row).is_ok()
        };
        values.is_empty() || values.iter().filter(fits).count() * 2 > values.len()
    }
}

/// Reads the members of a line: foresees the next key, since the order is mostly that of the line before.
#[derive(Debug)]
pub(super) struct Hand {
    keys: Keys<Slot>,
    reader: Reader,
    /// Which key came next, after the beginning of each (even) and after its end (odd).
    next: Vec<Id>,
    /// The record in which each key was seen last.
    seen: Vec<u64>,
    record: u64,
    last: usize,
    is_told: bool,
}

impl Hand {
    /// A hand for one input on one thread.
    pub(super) fn new(keys: &Keys, layout: &Layout, clock: Clock) -> Self {
        let count = keys.keys.len();
        Self {
            keys: keys.bind(layout),
            reader: Reader::new(layout, clock),
            // The root, whose head is empty, stands for nothing foreseen.
            next: vec![ROOT; 2 * count],
            seen: vec![0; count],
            record: 0,
            last: 0,
            is_told: false,
        }
    }

    /// See [`Reader::with_empty_as_absent`].
    pub(super) fn with_empty_as_absent(self, takes_empty_for_absent: bool) -> Self {
        Self { reader: self.reader.with_empty_as_absent(takes_empty_for_absent), ..self }
    }

    /// Begins a record.
    #[inline]
    pub(super) fn begin(&mut self, row: &Row<'_>) {
        self.reader.begin(row);
        self.record += 1;
        self.last = 0;
        self.is_told = false;
    }

    /// Ends a record: class and kind. A line without a key that tells of a request is none.
    #[inline]
    pub(super) fn end(&mut self, row: &mut Row<'_>) -> Result<(), Reason> {
        self.reader.end(row);
        if self.is_told { Ok(()) } else { Err(Reason::Malformed) }
    }

    /// The key that is foreseen, when it stands at the beginning of `text`: with the length of its head.
    #[inline]
    pub(super) fn foreseen(&self, text: &[u8]) -> Option<(Id, usize)> {
        let id = self.next[self.last];
        let head = &self.keys.keys[usize::from(id)].head[..];
        // Never with an empty head: a comparison with nothing is slow on some processors.
        (id != ROOT && text.len() >= head.len() && text[..head.len()] == *head)
            .then_some((id, head.len()))
    }

    /// The key of that name below another one; next time it is foreseen here.
    #[inline(never)]
    pub(super) fn named(&mut self, parent: Id, name: &[u8]) -> Id {
        let id = self.keys.find(parent, name);
        if id != UNKNOWN {
            self.next[self.last] = id;
        }
        id
    }

    /// What follows stands inside this key.
    #[inline]
    pub(super) fn enter(&mut self, id: Id) {
        if id != UNKNOWN {
            self.last = 2 * usize::from(id);
        }
    }

    /// What follows stands behind this key.
    #[inline]
    pub(super) fn leave(&mut self, id: Id) {
        if id != UNKNOWN {
            self.last = 2 * usize::from(id) + 1;
        }
    }

    /// The capture of a key that is met, unless there is nothing to be done with its value.
    #[inline]
    pub(super) fn meet(&mut self, id: Id) -> Option<&Capture<Slot>> {
        if id == UNKNOWN {
            return None;
        }
        let at = usize::from(id);
        let key = &self.keys.keys[at];
        self.is_told |= key.is_telling;
        let seen = std::mem::replace(&mut self.seen[at], self.record);
        (seen != self.record && key.capture != Capture::Ignore).then_some(&key.capture)
    }

    /// Reads the value of a key that was met, which stands at `at`.
    #[inline]
    pub(super) fn read(
        &mut self,
        id: Id,
        value: &[u8],
        at: usize,
        row: &mut Row<'_>,
    ) -> Result<(), Reason> {
        self.reader.read(&self.keys.keys[usize::from(id)].capture, value, at, row)
    }
}
