//! Inflates a gzip file and drops what comes out: the least that any reader of it has to do.
//!
//! The same library as in `logmill`, in the plainest loop around it, on one thread. Prints how many bytes came out, so
//! that nothing is optimised away and `peers.sh` can compare.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use flate2::bufread::MultiGzDecoder;

/// Packed bytes read at a time, as in `logmill`.
const READ: usize = 256 << 10;

/// Plain bytes made at a time; more of them were not faster.
const MADE: usize = 1 << 20;

fn main() -> io::Result<()> {
    let usage = || io::Error::new(io::ErrorKind::InvalidInput, "usage: inflate FILE.gz");
    let path = std::env::args_os().nth(1).ok_or_else(usage)?;
    let mut packed = MultiGzDecoder::new(BufReader::with_capacity(READ, File::open(path)?));
    let (mut buffer, mut bytes) = (vec![0; MADE], 0);
    loop {
        match packed.read(&mut buffer)? {
            0 => return writeln!(io::stdout(), "{bytes}"),
            made => bytes += made,
        }
    }
}
