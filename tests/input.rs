//! The laws of reading: whatever the reader, the cut and the number of threads, the same records come out, and every
//! byte is in one piece or in one gap.

use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use logmill::input::{
    Account, Compression, Feed, FeedOptions, Framing, Gap, Hand, Input, Mmap, Reason, Source,
};

const OPENS: Framing = Framing::Opens(|line| line.starts_with(b"> "));

/// A piece without its bytes' owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Got {
    input: usize,
    offset: u64,
    sequence: u64,
    last: bool,
    cut: bool,
    bytes: Vec<u8>,
}

/// Reads everything with as many threads as the options say; the pieces in order, and the accounts.
fn read(inputs: Vec<(Input, Framing)>, options: FeedOptions) -> (Vec<Got>, Vec<Account>) {
    let feed = Feed::new(inputs, options);
    let pieces = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                let mut hand = Hand::default();
                while let Some(piece) = feed.next(&mut hand) {
                    pieces.lock().unwrap().push(Got {
                        input: piece.input,
                        offset: piece.offset,
                        sequence: piece.sequence,
                        last: piece.last,
                        cut: piece.cut,
                        bytes: piece.bytes().to_vec(),
                    });
                }
            });
        }
    });
    let mut pieces = pieces.into_inner().unwrap();
    pieces.sort();
    (pieces, feed.into_accounts())
}

/// The records of a text, found byte by byte.
fn records(text: &[u8], framing: Framing) -> Vec<(u64, Vec<u8>)> {
    let mut starts = vec![0];
    for at in (1..text.len()).filter(|&at| text[at - 1] == b'\n') {
        let line = text[at..].split(|&byte| byte == b'\n').next().unwrap();
        let opens = match framing {
            Framing::Opens(opens) => opens(line),
            _ => true,
        };
        if opens {
            starts.push(at);
        }
    }
    starts.push(text.len());
    let record = |pair: &[usize]| (pair[0] as u64, text[pair[0]..pair[1]].to_vec());
    starts.windows(2).filter(|pair| pair[0] < pair[1]).map(record).collect()
}

/// Demands that pieces and gaps are just what the text and the longest record say.
fn check(text: &[u8], framing: Framing, max_record: usize, pieces: &[Got], account: &Account) {
    let mut kept = Vec::new();
    let mut gaps = Vec::new();
    for (offset, record) in records(text, framing) {
        if record.len() > max_record {
            gaps.push(Gap { offset, bytes: record.len() as u64, reason: Reason::TooLong });
        } else {
            kept.push((offset, record));
        }
    }
    let mut seen = Vec::new();
    for piece in pieces {
        assert!(!piece.bytes.is_empty());
        let inside = records(&piece.bytes, framing);
        seen.extend(inside.into_iter().map(|(offset, bytes)| (piece.offset + offset, bytes)));
        assert_eq!(piece.last, piece.offset + piece.bytes.len() as u64 == text.len() as u64);
        assert!(!piece.cut);
    }
    assert_eq!(seen, kept);
    assert!(pieces.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    assert_eq!(account.gaps, gaps);
    assert!(account.is_whole(), "{:?}", account.problems);
    assert_eq!(account.bytes, pieces.iter().map(|piece| piece.bytes.len() as u64).sum::<u64>());
}

/// Packs a text with one member.
type Pack = fn(&[u8]) -> Vec<u8>;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    bzip2::read::BzEncoder::new(text, bzip2::Compression::best()).read_to_end(&mut packed).unwrap();
    packed
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    liblzma::read::XzEncoder::new(text, 6).read_to_end(&mut packed).unwrap();
    packed
}

/// Cuts a text into parts, packs each, and puts them one behind the other.
fn members(text: &[u8], pack: Pack) -> Vec<u8> {
    let third = text.len() / 3;
    [&text[..third], b"", &text[third..2 * third], &text[2 * third..]].map(pack).concat()
}

fn pipe(bytes: Vec<u8>) -> Input {
    Input::from_reader("pipe", Cursor::new(bytes)).unwrap()
}

fn open(path: &Path) -> Input {
    Input::open(&Source::path(path).unwrap()).unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Input {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    open(&path)
}

/// Texts that have broken readers: no end, empty lines, CRLF, zero bytes, openings at odd places.
fn texts() -> Vec<Vec<u8>> {
    let plain: [&[u8]; 9] = [
        b"",
        b"\n",
        b"one",
        b"one\n",
        b"one\ntwo\r\n\r\n\nfive\n",
        b"\n\n\nno end",
        b"\0\0\0\0after a hole\nzero\0inside\n",
        b"> a\nmore of a\n> b\n> c\n\nmore of c\n> d",
        b"orphan\nanother\n> first\n>not one\n> second, rather long, longer than the others\nx\n",
    ];
    let mut texts: Vec<Vec<u8>> = plain.map(<[u8]>::to_vec).to_vec();
    texts.push(
        (0..40).flat_map(|n| format!("> {n}\n{}", "x\n".repeat(n % 4)).into_bytes()).collect(),
    );
    texts
}

#[test]
fn any_cut_by_any_number_of_threads_gives_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    for text in texts() {
        let path = folder.path().join("a.log");
        fs::write(&path, &text).unwrap();
        for framing in [Framing::Lines, OPENS, Framing::Whole] {
            for piece_bytes in (1..20).chain([50, 1000]) {
                for (threads, mmap) in [(1, Mmap::Never), (3, Mmap::Never), (2, Mmap::Always)] {
                    for max_record in [7, 1000] {
                        let options = FeedOptions { threads, piece_bytes, max_record, mmap };
                        let (pieces, accounts) = read(vec![(open(&path), framing)], options);
                        check(&text, framing, max_record, &pieces, &accounts[0]);
                        let (pieces, accounts) = read(vec![(pipe(text.clone()), framing)], options);
                        check(&text, framing, max_record, &pieces, &accounts[0]);
                    }
                }
            }
        }
    }
}

#[test]
fn lines_longer_than_what_tells_an_opening_are_cut_alike() {
    let folder = tempfile::tempdir().unwrap();
    let line = |start: &str, len: usize| format!("{start}{}\n", "x".repeat(len)).into_bytes();
    let lines = [
        line("> ", 5000),
        line("", 4093),
        line("> ", 4094),
        line("> ", 10),
        line("", 9000),
        line("", 20_000),
        line("> ", 4095),
        line("> ", 3),
    ];
    let text = lines.concat();
    let path = folder.path().join("a.log");
    fs::write(&path, &text).unwrap();
    for framing in [Framing::Lines, OPENS, Framing::Whole] {
        for piece_bytes in [97, 4095, 4096, 4097, 5003, 8192, 30_000, 1 << 20] {
            for max_record in [100, 4096, 4097, 5003, 9097, 33_000, 1 << 20] {
                for (threads, mmap) in [(2, Mmap::Never), (1, Mmap::Always)] {
                    let options = FeedOptions { threads, piece_bytes, max_record, mmap };
                    for input in [open(&path), pipe(text.clone()), pipe(gzip(&text))] {
                        let (pieces, accounts) = read(vec![(input, framing)], options);
                        check(&text, framing, max_record, &pieces, &accounts[0]);
                    }
                }
            }
        }
    }
}

#[test]
fn every_packing_gives_what_was_packed() {
    let folder = tempfile::tempdir().unwrap();
    let text: Vec<u8> = (0..20_000).flat_map(|n| format!("> line {n}\n").into_bytes()).collect();
    let packings: [(Compression, Pack); 4] = [
        (Compression::Gzip, gzip),
        (Compression::Zstd, zstd),
        (Compression::Bzip2, bzip2),
        (Compression::Xz, xz),
    ];
    for (compression, pack) in packings {
        let padded = [members(&text, pack), vec![0; 512]].concat();
        for packed in [pack(&text), members(&text, pack), padded] {
            for threads in [1, 2] {
                let options =
                    FeedOptions { threads, piece_bytes: 10_000, ..FeedOptions::default() };
                let mut input = write(folder.path(), "misnamed.txt", &packed);
                assert_eq!(input.compression(), compression);
                assert_eq!(input.head(9).unwrap(), b"> line 0\n");
                let mut piped = pipe(packed.clone());
                assert_eq!(piped.head(150_000).unwrap(), text[..150_000]);
                for input in [input, piped] {
                    let (pieces, accounts) = read(vec![(input, OPENS)], options);
                    check(&text, OPENS, usize::MAX, &pieces, &accounts[0]);
                    assert_eq!(accounts[0].bytes_read, packed.len() as u64);
                    assert!(accounts[0].warnings.is_empty());
                }
            }
        }
    }
}

#[test]
fn many_inputs_go_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<Vec<u8>> =
        (0..30).map(|n| format!("> input {n}\n").repeat(n * 50).into_bytes()).collect();
    for threads in 1..=4 {
        let options = FeedOptions { threads, piece_bytes: 1000, ..FeedOptions::default() };
        let input = |(n, text): (usize, &Vec<u8>)| match n % 3 {
            0 => (write(folder.path(), &format!("{n}"), text), Framing::Lines),
            1 => (write(folder.path(), &format!("{n}"), &gzip(text)), Framing::Whole),
            _ => (pipe(zstd(text)), OPENS),
        };
        let (pieces, accounts) = read(texts.iter().enumerate().map(input).collect(), options);
        for (n, text) in texts.iter().enumerate() {
            let own: Vec<Got> = pieces.iter().filter(|piece| piece.input == n).cloned().collect();
            check(text, Framing::Lines, usize::MAX, &own, &accounts[n]);
        }
    }
}

#[test]
fn whole_inputs_come_in_order_and_one_piece_at_a_time() {
    let text = b"one line\n".repeat(2000);
    let options = FeedOptions { threads: 3, piece_bytes: 100, ..FeedOptions::default() };
    let feed = Feed::new(vec![(pipe(gzip(&text)), Framing::Whole)], options);
    let state = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                let mut hand = Hand::default();
                while let Some(piece) = feed.next(&mut hand) {
                    let mut state = state.try_lock().expect("nobody else has a piece");
                    assert_eq!(piece.offset, state.len() as u64);
                    state.extend_from_slice(piece.bytes());
                    drop(state);
                    drop(piece);
                }
            });
        }
    });
    assert_eq!(state.into_inner().unwrap(), text);
}

#[test]
fn a_gzip_cut_at_any_byte_gives_the_records_before_the_cut() {
    let text: Vec<u8> = (0..300).flat_map(|n| format!("line {}\n", n * n).into_bytes()).collect();
    let packed = members(&text, gzip);
    let whole_members: Vec<usize> = (1..=4)
        .map(|n| {
            let third = text.len() / 3;
            let parts = [&text[..third], b"", &text[third..2 * third], &text[2 * third..]];
            parts[..n].iter().map(|part| gzip(part).len()).sum()
        })
        .collect();
    let mut before = 0;
    for cut in 2..packed.len() {
        let options = FeedOptions { piece_bytes: 64, ..FeedOptions::default() };
        let (pieces, accounts) =
            read(vec![(pipe(packed[..cut].to_vec()), Framing::Lines)], options);
        let got = pieces.iter().flat_map(|piece| piece.bytes.clone()).collect::<Vec<u8>>();
        assert!(text.starts_with(&got) && got.len() >= before, "cut at {cut}");
        before = got.len();
        // A cut between members leaves nothing to notice; one in the next member's magic is garbage.
        let account = &accounts[0];
        let behind = whole_members.iter().find(|&&end| end <= cut && cut < end + 2);
        match behind {
            Some(_) => assert!(account.is_whole()),
            None => {
                assert!(account.problems[0].to_string().contains("ends early"), "cut at {cut}");
                let torn = !got.is_empty() && !got.ends_with(b"\n");
                assert_eq!(pieces.last().is_some_and(|piece| piece.cut), torn);
            }
        }
        assert!(pieces.iter().rev().skip(1).all(|piece| !piece.cut));
    }
}

#[test]
fn a_damaged_stream_gives_what_stands_before_the_damage() {
    let text: Vec<u8> = (0u64..200_000)
        .flat_map(|n| format!("{}\n", n.wrapping_mul(n) % 99_991).into_bytes())
        .collect();
    for pack in [gzip, zstd, bzip2, xz] {
        let mut packed = pack(&text);
        let middle = packed.len() / 2;
        for byte in &mut packed[middle..middle + 40] {
            *byte ^= 0x5a;
        }
        let (pieces, accounts) = read(vec![(pipe(packed), Framing::Lines)], FeedOptions::default());
        assert!(!accounts[0].is_whole());
        let got: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        assert!(got < text.len() + 1000);
    }
}

#[test]
fn a_wrong_checksum_is_said_and_the_data_given() {
    let text = b"a line\n".repeat(100);
    let mut packed = gzip(&text);
    let crc = packed.len() - 8;
    packed[crc] ^= 1;
    let (pieces, accounts) = read(vec![(pipe(packed), Framing::Lines)], FeedOptions::default());
    assert_eq!(pieces[0].bytes, text);
    assert!(accounts[0].problems[0].to_string().contains("damaged"), "{:?}", accounts[0]);
}

#[test]
fn garbage_behind_a_stream_is_a_warning_and_padding_is_nothing() {
    for pack in [gzip, zstd, bzip2, xz] {
        let packed = [pack(b"a line\n"), b"\0\0\0\0and then some text".to_vec()].concat();
        let (pieces, accounts) = read(vec![(pipe(packed), Framing::Lines)], FeedOptions::default());
        assert_eq!(pieces[0].bytes, b"a line\n");
        assert!(accounts[0].is_whole());
        assert!(accounts[0].warnings[0].to_string().contains("garbage behind"));
    }
}

/// What stood behind garbage between two members was lost, with a warning that spoke of the garbage alone.
#[test]
fn members_behind_garbage_are_read() {
    for pack in [gzip, zstd, bzip2, xz] {
        for garbage in [&b"and then some text"[..], b"x", &[0x1f; 600_000]] {
            let packed =
                [&pack(b"one\n")[..], garbage, &pack(b"two\n"), b"tail", &pack(b"three\n")]
                    .concat();
            let options = FeedOptions::default();
            let (pieces, accounts) = read(vec![(pipe(packed), Framing::Lines)], options);
            let text: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.bytes).collect();
            assert_eq!(text, b"one\ntwo\nthree\n");
            let warning = accounts[0].warnings[0].to_string();
            let words = format!("{} bytes of garbage between", garbage.len() + 4);
            assert!(warning.contains(&words), "{warning}");
        }
    }
}

#[test]
fn an_empty_packed_input_is_whole() {
    for pack in [gzip, zstd, bzip2, xz] {
        let (pieces, accounts) =
            read(vec![(pipe(pack(b"")), Framing::Lines)], FeedOptions::default());
        assert!(pieces.is_empty());
        assert!(accounts[0].is_whole());
    }
}

/// Gives one line of any length without holding it.
fn long_line(bytes: u64) -> impl Read + Send {
    Cursor::new(b"before\n")
        .chain(std::io::repeat(b'x').take(bytes))
        .chain(Cursor::new(b"\nafter\n"))
}

#[test]
fn a_line_of_a_hundred_megabytes_takes_little_memory() {
    let options = FeedOptions { max_record: 1 << 20, ..FeedOptions::default() };
    let input = Input::from_reader("long", long_line(100_000_000)).unwrap();
    let feed = Feed::new(vec![(input, Framing::Lines)], options);
    let mut hand = Hand::default();
    let mut got = Vec::new();
    while let Some(piece) = feed.next(&mut hand) {
        got.extend_from_slice(piece.bytes());
    }
    assert_eq!(got, b"before\nafter\n");
    let accounts = feed.into_accounts();
    let gap = Gap { offset: 7, bytes: 100_000_001, reason: Reason::TooLong };
    assert_eq!(accounts[0].gaps, [gap]);
}

#[test]
fn a_file_that_shrinks_is_said_by_both_readers() {
    let folder = tempfile::tempdir().unwrap();
    let line = b"a line of the log\n";
    let text = line.repeat(100_000);
    for mmap in [Mmap::Never, Mmap::Always] {
        for left in [0, 10_000, 1_000_005] {
            let path = folder.path().join("shrinks.log");
            fs::write(&path, &text).unwrap();
            let options = FeedOptions { piece_bytes: 64 << 10, mmap, ..FeedOptions::default() };
            let feed = Feed::new(vec![(open(&path), Framing::Lines)], options);
            let mut hand = Hand::default();
            let mut lines = 0;
            while let Some(piece) = feed.next(&mut hand) {
                if piece.sequence == 3 {
                    // While the piece is looked at: a mapping has a hole from here on.
                    File::options().write(true).open(&path).unwrap().set_len(left).unwrap();
                }
                lines += piece.bytes().iter().filter(|&&byte| byte == b'\n').count();
            }
            let account = &feed.into_accounts()[0];
            assert!(account.problems[0].to_string().contains("shorter"), "{account:?}");
            let gaps: u64 = account.gaps.iter().map(|gap| gap.bytes).sum();
            assert_eq!(account.bytes + gaps, text.len() as u64, "{mmap:?} to {left}");
            assert!(account.gaps.len() == 1 && account.gaps[0].reason == Reason::Missing);
            let most = 4 * (64 << 10) / line.len() + 2;
            assert!(lines <= most.max(left as usize / line.len()));
        }
    }
}

#[test]
fn a_file_that_grows_is_read_up_to_the_size_it_had() {
    let folder = tempfile::tempdir().unwrap();
    for packed in [b"one\ntwo\n".to_vec(), gzip(b"one\ntwo\n")] {
        let path = folder.path().join("grows.log");
        fs::write(&path, &packed).unwrap();
        let input = open(&path);
        File::options().append(true).open(&path).unwrap().write_all(b"three\n").unwrap();
        let (pieces, accounts) = read(vec![(input, Framing::Lines)], FeedOptions::default());
        assert_eq!(pieces[0].bytes, b"one\ntwo\n");
        assert!(accounts[0].is_whole() && accounts[0].warnings.is_empty());
    }
}

#[test]
fn progress_ends_at_all_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let packed = gzip(&b"a line\n".repeat(5000));
    let inputs = vec![
        (write(folder.path(), "a", &b"a line\n".repeat(5000)), Framing::Lines),
        (write(folder.path(), "b", &packed), Framing::Lines),
    ];
    let feed = Feed::new(inputs, FeedOptions { piece_bytes: 1000, ..FeedOptions::default() });
    let total = 35_000 + packed.len() as u64;
    assert_eq!(feed.progress(), (0, total));
    let mut hand = Hand::default();
    while feed.next(&mut hand).is_some() {}
    assert_eq!(feed.progress(), (total, total));
}

#[test]
fn a_named_pipe_is_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let source = Source::path(&path).unwrap();
    assert_eq!(source.size, None);
    let writer = std::thread::spawn(move || fs::write(path, gzip(b"one\ntwo\n")));
    let mut input = Input::open(&source).unwrap();
    assert_eq!(input.compression(), Compression::Gzip);
    assert_eq!(input.head(4).unwrap(), b"one\n");
    let (pieces, _) = read(vec![(input, Framing::Lines)], FeedOptions::default());
    assert_eq!(pieces[0].bytes, b"one\ntwo\n");
    writer.join().unwrap().unwrap();
}

#[test]
fn no_damage_panics_hangs_or_gives_bytes_twice() {
    let text: Vec<u8> = (0..3000).flat_map(|n| format!("line {}\n", n * n).into_bytes()).collect();
    let mut dice = 1u64;
    let mut roll = |sides: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) as usize % sides
    };
    for pack in [gzip, zstd, bzip2, xz] {
        let packed = members(&text, pack);
        for _ in 0..200 {
            let mut damaged = packed.clone();
            for _ in 0..=roll(3) {
                let at = roll(damaged.len());
                damaged[at] = roll(256) as u8;
            }
            damaged.truncate(damaged.len() - roll(2) * roll(damaged.len()));
            let options = FeedOptions { piece_bytes: 4096, threads: 2, ..FeedOptions::default() };
            let (pieces, accounts) = read(vec![(pipe(damaged), Framing::Lines)], options);
            let mut end = 0;
            for piece in pieces {
                assert_eq!(piece.offset, end);
                end += piece.bytes.len() as u64;
            }
            assert_eq!(end, accounts[0].bytes);
        }
    }
}

#[test]
fn every_stream_that_is_cut_is_said_to_end_early() {
    let text: Vec<u8> = (0..30_000).flat_map(|n| format!("{}\n", n * n).into_bytes()).collect();
    for pack in [gzip, zstd, bzip2, xz] {
        let packed = pack(&text);
        for cut in (20..packed.len()).step_by(packed.len() / 50) {
            let input = pipe(packed[..cut].to_vec());
            let (pieces, accounts) = read(vec![(input, Framing::Lines)], FeedOptions::default());
            let got = pieces.iter().flat_map(|piece| piece.bytes.clone()).collect::<Vec<u8>>();
            assert!(text.starts_with(&got));
            assert!(accounts[0].problems[0].to_string().contains("ends early"));
        }
    }
}

/// The child's part of the test below: reads its standard input, which should be what the variable says.
#[test]
fn read_standard_input() {
    let Some(expected) = std::env::var_os("LOGMILL_TEST_STDIN") else { return };
    let mut input = Input::open(&Source::stdin()).unwrap();
    assert_eq!(input.head(100).unwrap(), expected.as_encoded_bytes());
    let (pieces, accounts) = read(vec![(input, Framing::Lines)], FeedOptions::default());
    let got = pieces.iter().flat_map(|piece| piece.bytes.clone()).collect::<Vec<u8>>();
    assert_eq!(got, expected.as_encoded_bytes());
    assert!(accounts[0].is_whole() && accounts[0].name == "standard input");
}

#[test]
fn standard_input_may_be_a_file_a_file_begun_or_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    fs::write(&path, "one\ntwo\n").unwrap();
    let mut begun = File::open(&path).unwrap();
    begun.read_exact(&mut [0; 4]).unwrap();
    let (end, mut start) = std::io::pipe().unwrap();
    start.write_all(&gzip(b"one\ntwo\n")).unwrap();
    drop(start);
    let cases: [(Stdio, &str); 3] = [
        (File::open(&path).unwrap().into(), "one\ntwo\n"),
        (begun.into(), "two\n"),
        (end.into(), "one\ntwo\n"),
    ];
    for (stdin, expected) in cases {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "read_standard_input"])
            .env("LOGMILL_TEST_STDIN", expected)
            .stdin(stdin)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
