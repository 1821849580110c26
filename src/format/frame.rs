//! What formats of the same build repeat: the list of their fields, the table of their kinds, and the frame around their
//! parser.

/// Declares `FIELDS`, the fields that the records of a format can carry, and `Slots`, where those stand in the blocks of
/// one run. A line of the list is a name for the slot and the constant of the field.
macro_rules! slots {
    ($($name:ident $field:ident),* $(,)?) => {
        /// The fields that a record can carry.
        pub(super) const FIELDS: &[$crate::record::Field] = &[$($crate::record::Field::$field),*];

        /// Where the fields stand.
        #[derive(Debug, Clone, Copy)]
        pub(super) struct Slots {
            $(pub(super) $name: $crate::record::Slot,)*
        }

        impl Slots {
            pub(super) fn new(layout: &$crate::record::Layout) -> Self {
                Self { $($name: layout.slot($crate::record::Field::$field),)* }
            }
        }
    };
}

/// Declares `Kind`, what a record of a format is about, and `Labels`, by which a parser writes it. A line of the table is
/// a kind and its word. Where a kind alone says how good or bad that is, the table begins with a type and each line ends
/// with a constant of it, which stand in `CLASSES`: `kind_table! { Class: Query "query" Ok; … }`.
macro_rules! kind_table {
    ($class:ident: $($kind:ident $word:literal $constant:ident;)*) => {
        kind_table! { $($kind $word;)* }
        const CLASSES: &[$class] = &[$($class::$constant,)*];
    };
    ($($kind:ident $word:literal;)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Kind { $(#[doc = $word] $kind,)* }

        /// The labels of all kinds, looked up once for each parser.
        #[derive(Debug)]
        pub(super) struct Labels(Box<[$crate::record::Label]>);

        impl Labels {
            pub(super) fn new() -> Self {
                Self([$($word),*].into_iter().map($crate::record::Label::of).collect())
            }

            /// The label of a kind.
            #[inline]
            pub(super) fn of(&self, kind: Kind) -> $crate::record::Label {
                self.0[kind as usize]
            }
        }
    };
}

/// Declares a format that has one name, the fields of `FIELDS`, and a parser that is made from a layout and a clock:
/// `frame! { Bind "bind" Named }`, where the format and its family have one name. Behind it may stand the lines that are
/// certainly its own, as a function that counts them in a sample.
macro_rules! frame {
    ($format:ident $name:literal $parser:ident $(, claims $claims:expr)?) => {
        /// The format.
        #[derive(Debug, Clone, Copy)]
        pub struct $format;

        impl $crate::format::Format for $format {
            fn name(&self) -> &str {
                $name
            }

            fn family(&self) -> $crate::format::Family {
                $crate::format::Family::$format
            }

            fn fields(&self) -> $crate::record::Fields {
                $crate::record::Fields::of(FIELDS)
            }

            $(fn claims(&self, sample: &[u8]) -> Option<u64> {
                let claims: fn(&[u8]) -> u64 = $claims;
                Some(claims(sample))
            })?

            fn parser(
                &self,
                layout: &$crate::record::Layout,
                clock: $crate::record::time::Clock,
            ) -> Box<dyn $crate::format::Scan> {
                Box::new($parser::new(layout, clock))
            }
        }
    };
}

/// How many lines of a sample are certainly a format's own, for its `claims`.
pub(super) fn certain_lines(sample: &[u8], is_certain: impl FnMut(&&[u8]) -> bool) -> u64 {
    sample.split(|byte| *byte == b'\n').filter(is_certain).count() as u64
}
