//! What formats of the same build repeat: the list of the fields of their rows, and where those stand in a block.

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
