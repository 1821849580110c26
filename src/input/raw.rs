//! Bytes as the system gives them, one behind the other: a file up to the size it had, or a pipe.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A place to read from, and how much was read.
pub(crate) struct Raw {
    from: From,
    read: u64,
    short: bool,
}

enum From {
    /// A regular file, read by position up to the size it had when it was opened.
    File { file: Arc<File>, limit: u64 },
    /// A pipe, of which the first bytes were already taken to look at them.
    Pipe { held: Vec<u8>, reader: Box<dyn Read + Send> },
}

impl Raw {
    /// The bytes of a file up to `limit`. Several may read one file: the place is kept here, not in the system.
    pub(crate) fn file(file: Arc<File>, limit: u64) -> Self {
        Self { from: From::File { file, limit }, read: 0, short: false }
    }

    /// The bytes held, and then what the reader gives.
    pub(crate) fn pipe(held: Vec<u8>, reader: Box<dyn Read + Send>) -> Self {
        Self { from: From::Pipe { held, reader }, read: 0, short: false }
    }

    /// Bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read
    }

    /// True when a file turned out to have fewer bytes than when it was opened.
    pub(crate) fn is_short(&self) -> bool {
        self.short
    }

    /// Reads some bytes; 0 says that there are no more.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.read_once(buffer) {
                Ok(read) => {
                    self.read += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read_once(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.from {
            From::File { file, limit } => {
                let left = usize::try_from(*limit - self.read).unwrap_or(usize::MAX);
                let len = buffer.len().min(left);
                let read = file.read_at(&mut buffer[..len], self.read)?;
                self.short |= read == 0 && len > 0;
                Ok(read)
            }
            From::Pipe { held, reader } => match held.get(self.read as usize..) {
                Some(left) if !left.is_empty() => {
                    let len = left.len().min(buffer.len());
                    buffer[..len].copy_from_slice(&left[..len]);
                    Ok(len)
                }
                _ => reader.read(buffer),
            },
        }
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.from {
            From::File { .. } => "file",
            From::Pipe { .. } => "pipe",
        };
        f.debug_struct("Raw").field("from", &kind).field("read", &self.read).finish()
    }
}
