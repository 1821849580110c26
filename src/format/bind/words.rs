//! The words of a line, read off the places of its spaces.

/// A cursor over the words of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    line: &'a [u8],
    at: usize,
    /// Where the spaces are, from `at` on, plus `base`.
    spaces: &'a [u32],
    base: usize,
}

impl<'a> Words<'a> {
    /// From `text` on, a part of `line` that reaches to its end. `spaces` are all those of the line, as positions in
    /// the piece in which it begins at `base`.
    #[inline]
    pub(super) fn new(line: &'a [u8], spaces: &'a [u32], base: usize, text: &[u8]) -> Self {
        let at = line.len() - text.len();
        let passed = spaces.iter().take_while(|space| (**space as usize) < base + at).count();
        Self { line, at, spaces: &spaces[passed..], base }
    }

    /// The next word, the space behind it being passed; the last one ends with the line.
    #[inline]
    pub(super) fn next(&mut self) -> &'a [u8] {
        let start = self.at;
        match self.spaces {
            [space, rest @ ..] => {
                let end = *space as usize - self.base;
                (self.spaces, self.at) = (rest, end + 1);
                &self.line[start..end]
            }
            [] => {
                self.at = self.line.len();
                &self.line[start..]
            }
        }
    }

    /// What is left.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.line[self.at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_between_spaces() {
        let line = b"one two  three";
        let spaces = [103, 107, 108];
        let mut words = Words::new(line, &spaces, 100, b"two  three");
        assert_eq!([words.next(), words.next(), words.next()], [&b"two"[..], b"", b"three"]);
        assert_eq!((words.next(), words.rest()), (&b""[..], &b""[..]));
    }
}
