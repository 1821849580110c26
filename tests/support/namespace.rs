//! A network of a test's own: interfaces, routes, firewall rules and a resolver that nobody else sees, in a namespace
//! that ends with the script that was run in it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::servers::{installed, skipped};

/// True when a namespace can be made here. A system that forbids it to root is not for a test to mend: said, and
/// skipped.
pub fn permitted(what: &str) -> bool {
    if !installed(what, &["/usr/bin/unshare", "/usr/sbin/ip", "/usr/sbin/nft"], true) {
        return false;
    }
    let tried = "ip link set lo up && nft add table inet tried && ip link add tried0 type veth peer name tried1";
    let done = sheltered(tried).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let can = done.is_ok_and(|status| status.success());
    if !can {
        skipped(what, "this system lets nobody make network namespaces");
    }
    can
}

fn sheltered(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--", "sh", "-ec", script]).stdin(Stdio::null());
    command
}

/// Runs a script in a namespace of its own; `probe` in it is the program's, with one object a check. What it found, in
/// order. A script that fails is a failure of the test, but not one of its probes: they may well find faults.
pub fn probes(folder: &Path, script: &str) -> Vec<Value> {
    let program = env!("CARGO_BIN_EXE_logmill");
    let whole = format!(
        "cd '{}'\nprobe() {{ '{program}' probe \"$@\" --output ndjson || [ $? -ne 2 ]; }}\n{script}",
        folder.display()
    );
    let done = sheltered(&whole).output().unwrap();
    let (said, errors) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}\n{errors}");
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What each check found, as `target class`, against what was wanted.
pub fn assert_found(found: &[Value], wanted: &[(&str, &str)]) {
    let shown = |one: &Value| {
        format!("{} {}", one["target"].as_str().unwrap(), one["class"].as_str().unwrap())
    };
    let found: Vec<_> = found.iter().map(shown).collect();
    let wanted: Vec<_> = wanted.iter().map(|(target, class)| format!("{target} {class}")).collect();
    assert_eq!(found, wanted);
}

/// Writes a file that the script mounts in the place of one of the system's.
pub fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}
