//! What formats have in common whose lines have keys instead of places, whatever stands between the keys.

use std::sync::Arc;

use super::capture::Capture;
use super::enveloped;
use super::keys::{Keys, Learner, Spell};
use crate::format::Format;
use crate::record::Fields;

/// How many lines of a sample are looked at.
const LINES: usize = 100;

/// How the keys of a format stand in a line, and what their names mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// A key with all that belongs to it up to the value.
    pub(super) spell: Spell,
    /// What a name means.
    pub(super) known: fn(&str) -> Option<Capture>,
    /// Notes the keys of a line, as far as it is one.
    pub(super) learn: fn(&[u8], &mut Learner),
}

/// A format with keys: the usual ones, those of a definition, or those of a log.
#[derive(Debug, Clone)]
pub(super) struct Keyed {
    pub(super) name: String,
    pub(super) keys: Keys,
    /// True when it takes its keys from each log.
    is_open: bool,
    pub(super) is_web: bool,
    /// Its lines stand in envelopes.
    pub(super) is_enveloped: bool,
    /// The server writes nothing where it has nothing to say; else `-`.
    pub(super) takes_empty_for_absent: bool,
}

impl Keyed {
    /// With the usual keys, before a log has shown its own.
    pub(super) fn usual(name: &str, shape: Shape) -> Self {
        let keys = Keys::usual(shape.spell, shape.known);
        Self { is_open: true, ..Self::defined(name, keys) }
    }

    /// With the keys of a definition.
    pub(super) fn defined(name: &str, keys: Keys) -> Self {
        Self {
            name: name.to_owned(),
            keys,
            is_open: false,
            is_web: true,
            is_enveloped: false,
            takes_empty_for_absent: false,
        }
    }

    /// All fields that its lines carry.
    pub(super) fn fields(&self) -> Fields {
        let around = if self.is_enveloped { enveloped::fields() } else { Fields::NONE };
        self.keys.fields().union(around)
    }

    /// With the keys of the log that begins with this sample, if it takes them from there.
    pub(super) fn fitted<F: Format + 'static>(
        &self,
        sample: &[u8],
        shape: Shape,
        format: fn(Self) -> F,
    ) -> Option<Arc<dyn Format>> {
        let is_enveloped = enveloped::is_enveloped(sample);
        let fitted = match self.is_open {
            false if !is_enveloped => return None,
            false => Self { is_enveloped, ..self.clone() },
            true => {
                let mut learner = Learner::new(shape.spell);
                let inner = enveloped::inner_lines(sample);
                let lines = inner.split(|byte| *byte == b'\n').take(LINES);
                lines.for_each(|line| (shape.learn)(line, &mut learner));
                let keys = learner.into_keys(shape.known);
                let takes_empty_for_absent = !has_dash(&inner);
                let is_web = keys.are_of_web();
                Self { is_web, keys, is_enveloped, takes_empty_for_absent, ..self.clone() }
            }
        };
        Some(Arc::new(format(fitted)))
    }
}

/// True when a server writes a dash where it has nothing to say: what is empty was empty then.
fn has_dash(sample: &[u8]) -> bool {
    let dashes = [&b":-\t"[..], b":-\n"];
    dashes.iter().any(|dash| memchr::memmem::find(sample, dash).is_some())
}
