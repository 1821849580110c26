//! Lines of which only parts have come in: one a pipe, because what a program says on its two pipes is interleaved.

/// Where a program wrote a line to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pipe {
    Out,
    Error,
}

impl Pipe {
    /// The pipe of that name; what has none came from the first.
    pub(super) fn named(name: &[u8]) -> Self {
        if name == b"stderr" { Self::Error } else { Self::Out }
    }
}

/// What is held of the line of each pipe.
#[derive(Debug, Default)]
pub(super) struct Parts {
    out: Vec<u8>,
    error: Vec<u8>,
}

impl Parts {
    pub(super) fn of(&mut self, pipe: Pipe) -> &mut Vec<u8> {
        match pipe {
            Pipe::Out => &mut self.out,
            Pipe::Error => &mut self.error,
        }
    }

    /// Hands out what is left at the end: lines that are not whole.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.out);
        if !self.error.is_empty() && out.last().is_some_and(|byte| *byte != b'\n') {
            out.push(b'\n');
        }
        out.append(&mut self.error);
    }
}
