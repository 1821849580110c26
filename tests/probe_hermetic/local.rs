//! `probe local`: what this machine shows of itself. Listeners and files are the test's own.

use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};

use logmill::document::{Cell, Level};
use logmill::probe::{Class, Outcome, plan};

use crate::support::peers::{check, check_all, classes};

fn local(part: &str) -> Outcome {
    check("local", part, &[])
}

#[test]
fn ports() {
    let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = own.local_addr().unwrap().port();
    let outcome = local(&format!("port:{port}"));
    assert_eq!(classes(&outcome), ["loopback_only"], "{outcome:?}");
    assert_eq!(local(&format!("port:127.0.0.1:{port}")).class(), Class::Open);
    assert_eq!(local(&format!("port:127.0.0.2:{port}")).class(), Class::NotListening);
    let client = TcpStream::connect(own.local_addr().unwrap()).unwrap();
    let waiting = local(&format!("port:127.0.0.1:{port}"));
    assert_eq!((waiting.class(), waiting.measure("waiting")), (Class::AcceptQueue, Some(1.0)));
    drop((client, own));
    let gone = local(&format!("port:{port}"));
    assert_eq!((gone.level(), gone.class()), (Level::Critical, Class::NotListening));
    assert!(gone.worst_fault().unwrap().next.contains(&port.to_string()));
}

#[test]
fn datagrams() {
    let own = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = own.local_addr().unwrap().port();
    assert_eq!(local(&format!("port:{port}/udp")).class(), Class::Open);
    assert_eq!(local(&format!("port:{port}")).class(), Class::NotListening);
}

#[test]
fn processes() {
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    let outcome = local(&format!("process:{}", own.trim()));
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    assert!(outcome.measure("processes").unwrap() >= 1.0);
    assert!(matches!(outcome.fact("open_files"), Some(Cell::Count(open)) if *open > 0));
    assert_eq!(local("process:no-such-thing").class(), Class::ProcessMissing);
}

#[test]
fn a_child_that_nobody_waits_for() {
    // A copy under a name of its own, so that no other test's children count.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("logmill-zombie");
    std::fs::copy("/bin/true", &program).unwrap();
    let mut child = std::process::Command::new(&program).spawn().unwrap();
    let found = (0..200).any(|_| local("process:logmill-zombie").has(Class::Zombies));
    child.wait().unwrap();
    assert!(found);
}

#[test]
fn file_systems() {
    let outcome = local("fs:/proc/self");
    assert!(outcome.fact("size").is_some(), "{outcome:?}");
    assert_eq!(local("fs:/nonexistent/x").class(), Class::BadTarget);
    let full = check("local", "fs:/", &[("crit", "space=~:-1")]);
    assert!(full.has(Class::Threshold), "{full:?}");
}

#[test]
fn the_whole_machine() {
    let all = check_all("local", "here", &[]);
    assert_eq!(all.len(), 1);
    assert!(all[0].fact("memory").is_some() && all[0].measure("load").is_some());
    assert!(all[0].sections.iter().any(|section| section.name == "listeners"));
}

fn saved(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_firewall_out_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let dump = saved(
        &folder,
        "rules",
        "*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT\n\
         -A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j ACCEPT\n\
         -A INPUT -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset\nCOMMIT\n",
    );
    let of = |question: &str| check("local", question, &[("firewall-dump", &dump)]);
    let open = of("firewall:80");
    assert_eq!((open.class(), open.fact("rules")), (Class::Open, Some(&Cell::Count(3))));
    let dropped = of("firewall:22@192.0.2.7");
    assert_eq!((dropped.level(), dropped.class()), (Level::Critical, Class::FirewallBlocks));
    assert!(dropped.worst_fault().unwrap().cause.contains("'timeout'"), "{dropped:?}");
    let some = of("firewall:22");
    assert_eq!((some.level(), some.class()), (Level::Warning, Class::FirewallBlocks));
    assert!(some.worst_fault().unwrap().cause.contains("-s 10.0.0.0/8"), "{some:?}");
    let rejected = of("firewall:25@192.0.2.7");
    assert!(rejected.line().contains("--dport 25"), "{}", rejected.line());
    let nonsense = saved(&folder, "nonsense", "hello\n");
    let nonsense = check("local", "firewall:80", &[("firewall-dump", &nonsense)]);
    assert_eq!(nonsense.class(), Class::BadTarget);
}

#[test]
fn a_mail_queue_out_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |seconds_ago: i64| crate::support::peers::NOW / 1_000_000 - seconds_ago;
    let line = |seconds_ago: i64| {
        format!(
            "{{\"queue_name\": \"deferred\", \"queue_id\": \"A\", \"arrival_time\": {}, \
             \"recipients\": [{{\"address\": \"u@slow.test\", \"delay_reason\": \"timed out \u{1b}[0m\"}}]}}\n",
            at(seconds_ago)
        )
        .replace('\u{1b}', "\\u001b")
    };
    let of = |text: &str| local(&format!("queue:{}", saved(&folder, "queue", text)));
    let young = of(&line(60));
    assert_eq!((young.class(), young.measure("messages")), (Class::Open, Some(1.0)), "{young:?}");
    let old = of(&(line(60) + &line(5 * 3600)));
    assert_eq!((classes(&old), old.measure("oldest")), (vec!["mail_waits"], Some(18_000.0)));
    assert!(old.line().contains("slow.test, timed out \\x1b"), "{}", old.line());
    assert_eq!(of("").class(), Class::Open);
    assert_eq!(of("Mail queue is empty\n").class(), Class::Malformed);
}

#[test]
fn words_that_name_nothing() {
    for bad in ["everything", "unit:--now", "port:http", "config:iis", "config:zone=a"] {
        assert!(plan("local", [bad], []).unwrap_err().is_usage(), "{bad}");
    }
}
