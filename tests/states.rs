//! Saved answers with the program in hand: what joins, what is refused, and what is never overwritten.

#[path = "support/place.rs"]
mod place;

use std::fs;
use std::process::Command;

use place::{LINE, Place, lines};

/// The files of a merged answer stood in the order of the states.
#[test]
fn merging_in_any_order_gives_the_same_bytes() {
    let place = Place::with("a.log", lines(2));
    place.write("b.log", lines(3).replace("09:15:02", "08:15:02") + "junk\n");
    place.run("report a.log --save a.state");
    place.run("report b.log --save b.state");
    let whole = place.run("report a.log b.log --output json").out;
    for order in ["a.state b.state", "b.state a.state --save both.state", "both.state"] {
        assert_eq!(place.run(&format!("merge {order} --output json")).out, whole, "{order}");
    }
}

/// The checksum covered all but the first line, so that a changed name or count there was shown and believed.
#[test]
fn every_byte_of_a_state_is_guarded() {
    let place = Place::with("a.log", lines(2));
    place.run("report a.log --save a.state");
    let state = fs::read(place.0.path().join("a.state")).unwrap();
    let head = state.iter().position(|byte| *byte == b'\n').unwrap();
    for at in (0..head + 40).step_by(3) {
        let mut damaged = state.clone();
        damaged[at] ^= 1;
        place.write("x.state", damaged);
        let said = place.run("merge x.state");
        assert_eq!(said.code, 3, "byte {at}: {}", said.out);
    }
}

/// What the two were counted with had to be guessed.
#[test]
fn states_that_contradict_each_other_say_in_what() {
    let place = Place::with("a.log", lines(2));
    place.run("report a.log --save a.state");
    place.run("report a.log --where status=200 --save b.state");
    let said = place.run("merge a.state b.state");
    assert!(said.err.contains("another filter"), "{}", said.err);
    assert!(
        said.err.contains("with no --where, this one with --where 'status=200'"),
        "{}",
        said.err
    );
}

/// `--save /dev/full` put a file in the place of the device, and `--save access.log` one in the place of a log.
#[test]
fn nothing_but_a_saved_answer_is_overwritten() {
    let place = Place::with("a.log", format!("{LINE}\n"));
    for (name, words) in [
        ("a.log", "holds something else than a saved answer"),
        (".", "is a directory"),
        ("none/a.state", "lies in a directory that is not there"),
    ] {
        for command in
            [format!("report --save {name} a.log"), format!("top client --save {name} a.log")]
        {
            let said = place.run(&command);
            assert_eq!(said.code, 2, "{command}: {}", said.err);
            assert!(said.err.contains(words), "{}", said.err);
        }
    }
    assert_eq!(std::fs::read_to_string(place.0.path().join("a.log")).unwrap(), format!("{LINE}\n"));
    std::os::unix::fs::symlink("a.state", place.0.path().join("link")).unwrap();
    for _ in 0..2 {
        assert_eq!(place.run("report --save a.state a.log").code, 0);
        assert_eq!(place.run("report --save link a.log").code, 0);
    }
    assert!(place.0.path().join("link").is_symlink());
    // The device is still one, and the answer is shown although it could not be saved.
    let said = place.run("report --save /dev/full a.log");
    assert_eq!(said.code, 3);
    assert!(said.err.contains("'/dev/full': cannot write"), "{}", said.err);
    assert!(said.out.contains("Every line accounted for"));
    use std::os::unix::fs::FileTypeExt;
    assert!(std::fs::metadata("/dev/full").unwrap().file_type().is_char_device());
}

/// A log with one table alone (`clients`) saved it under the name of that, and no other state could be joined with it; and
/// what another log does not carry was counted as absent in one run, but not in a joined answer.
#[test]
fn states_of_logs_with_other_fields() {
    let place = Place::with("combined.log", lines(3));
    place.write("client.log", "10.0.0.8 [07/Mar/2024:09:15:02 +0100]\n".repeat(2));
    place.write("method.log", "[07/Mar/2024:09:15:02 +0100] GET\n".repeat(2));
    place.write(
        "timed.log",
        lines(4).replace("\"x\"", "\"x\" rt=0.004 uct=\"-\" uht=\"-\" urt=\"0.003\""),
    );
    place.write("host.log", lines(5).replace("10.0.0.7", "shop.example:443 10.0.0.7"));
    let logs = ["combined", "client", "method", "timed", "host"];
    let definitions =
        [("client", "$remote_addr [$time_local]"), ("method", "[$time_local] $request_method")];
    for log in logs {
        let definition = definitions.iter().find(|(name, _)| *name == log);
        let mut command = Command::new(env!("CARGO_BIN_EXE_logmill"));
        command.args(["report", "--save", &format!("{log}.state"), &format!("{log}.log")]);
        definition.iter().for_each(|(_, text)| {
            command.args(["--log-format", text]);
        });
        let output = command.current_dir(place.0.path()).output().unwrap();
        assert!(output.status.success(), "{log}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let whole = place.run("report combined.log timed.log host.log --output json");
    let joined = place.run("merge host.state combined.state timed.state --output json");
    assert_eq!(joined.out, whole.out);
    assert!(!whole.out.contains("say no host"), "{}", whole.out);
    let one = place.run("merge client.state method.state combined.state timed.state host.state");
    assert_eq!(one.code, 0, "{}", one.err);
    assert!(one.out.contains("5 files · 16 records"), "{}", one.out);
    let other = place.run("merge host.state timed.state method.state combined.state client.state");
    assert_eq!(other.out, one.out);
}

/// A merged answer was shown in UTC, whatever zone its hours had been counted in.
#[test]
fn a_merged_answer_keeps_its_zone() {
    let place = Place::with("a.log", lines(1));
    let whole = place.run("report a.log --tz Asia/Kolkata --save a.state").out;
    assert!(whole.contains("times in Asia/Kolkata"));
    assert_eq!(place.run("merge a.state").out, whole);
}
