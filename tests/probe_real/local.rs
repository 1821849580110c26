//! The configuration checkers of the services themselves, and a port with two owners.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use logmill::probe::{Class, Outcome};

use crate::support::peers::check;
use crate::support::servers::{Server, folder, free_port, installed, open_folder};

fn config(what: &str, file: &Path) -> Outcome {
    check("local", &format!("config:{what}={}", file.display()), &[])
}

/// Writes a configuration and asks its checker.
fn judged(what: &str, folder: &Path, text: &str) -> Outcome {
    let file = folder.join(format!("{}.conf", what.replace('=', "-")));
    fs::write(&file, text).unwrap();
    config(what, &file)
}

fn assert_invalid(outcome: &Outcome, words: &str) {
    assert_eq!(outcome.class(), Class::ConfigInvalid, "{outcome:?}");
    assert!(outcome.line().contains(words), "{}", outcome.line());
    assert!(outcome.worst_fault().unwrap().next.contains(" -"), "the command to type");
}

#[test]
fn nginx_and_its_checker() {
    if !installed("nginx -t", &["/usr/sbin/nginx"], true) {
        return;
    }
    let folder = folder("check-nginx");
    let pid = folder.join("pid");
    let good = format!("pid {};\nerror_log stderr;\nevents {{}}\n", pid.display());
    assert_eq!(judged("nginx", &folder, &good).class(), Class::Open);
    let bad = judged("nginx", &folder, &format!("{good}http {{ server {{ listen 80 }} }}\n"));
    assert_invalid(&bad, "unexpected \"}\"");
    let unknown = judged("nginx", &folder, &format!("{good}nonsense on;\n"));
    assert_invalid(&unknown, "unknown directive");
}

#[test]
fn apache_and_its_checker() {
    if !installed("apachectl -t", &["/usr/sbin/apachectl", "/usr/sbin/apache2"], false) {
        return;
    }
    let folder = folder("check-apache");
    let base = "ServerRoot /etc/apache2\nServerName localhost\nDefaultRuntimeDir /tmp\n\
        LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n\
        LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\nListen 127.0.0.1:1\n\
        ErrorLog /dev/null\nPidFile /tmp/logmill-check.pid\n";
    let good = judged("apache", &folder, base);
    assert_eq!(good.class(), Class::Open, "{good:?}");
    let bad = judged("apache", &folder, &format!("{base}ProxyTimeot 5\n"));
    assert_invalid(&bad, "Invalid command 'ProxyTimeot'");
}

#[test]
fn bind_and_its_checkers() {
    if !installed(
        "named-checkconf",
        &["/usr/bin/named-checkconf", "/usr/bin/named-checkzone"],
        false,
    ) {
        return;
    }
    let folder = folder("check-bind");
    let good = judged("named", &folder, "options { directory \"/tmp\"; recursion no; };\n");
    assert_eq!(good.class(), Class::Open, "{good:?}");
    let bad = judged("named", &folder, "options { recursion no allow-recursion { none; }; };\n");
    assert_invalid(&bad, "missing ';'");
    let head = "$TTL 60\n@ IN SOA ns a ( 1 60 60 60 60 )\n@ IN NS ns\nns IN A 127.0.0.1\n";
    assert_eq!(judged("zone=lab.test", &folder, head).class(), Class::Open);
    let bad = judged("zone=lab.test", &folder, &format!("{head}www IN A 1.2.3\n"));
    assert_invalid(&bad, "bad dotted quad");
}

#[test]
fn haproxy_and_its_checker() {
    if !installed("haproxy -c", &["/usr/sbin/haproxy"], false) {
        return;
    }
    let folder = folder("check-haproxy");
    let base =
        "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n";
    let good = judged("haproxy", &folder, &format!("{base}frontend f\n bind 127.0.0.1:1\n"));
    assert_eq!(good.class(), Class::Open, "{good:?}");
    let bad = judged("haproxy", &folder, &format!("{base}frontend f\n bind 127.0.0.1:1\n foo\n"));
    assert_invalid(&bad, "unknown keyword 'foo'");
    let doubtful = judged("haproxy", &folder, "frontend f\n mode http\n bind 127.0.0.1:1\n");
    assert_eq!(doubtful.class(), Class::ConfigWarning, "{doubtful:?}");
}

#[test]
fn postfix_and_its_checker() {
    if !installed("postfix check", &["/usr/sbin/postfix"], true) {
        return;
    }
    let folder = open_folder("check-postfix");
    fs::copy("/usr/share/postfix/master.cf.dist", folder.join("master.cf")).unwrap();
    for sub in ["queue", "data"] {
        fs::create_dir_all(folder.join(sub)).unwrap();
    }
    Command::new("chown").arg("postfix").arg(folder.join("data")).status().unwrap();
    let path = folder.display();
    let good = format!(
        "compatibility_level = 3.6\nqueue_directory = {path}/queue\ndata_directory = {path}/data\n"
    );
    fs::write(folder.join("main.cf"), &good).unwrap();
    let outcome = config("postfix", &folder);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    fs::write(folder.join("main.cf"), format!("{good}this is no setting\n")).unwrap();
    assert_invalid(&config("postfix", &folder), "missing '='");
    fs::remove_dir_all(&folder).unwrap();
}

/// A user who may not read is told so; the configuration is not called broken.
#[test]
fn not_permitted_is_not_broken() {
    if !installed("nginx -t as nobody", &["/usr/sbin/nginx", "/usr/sbin/runuser"], true) {
        return;
    }
    let folder = open_folder("check-nobody");
    let file = folder.join("nginx.conf");
    fs::write(&file, "pid /run/nginx-of-nobody.pid;\nerror_log stderr;\nevents {}\n").unwrap();
    let binary = folder.join("logmill");
    fs::copy(env!("CARGO_BIN_EXE_logmill"), &binary).unwrap();
    let target = format!("config:nginx={}", file.display());
    let done = Command::new("/usr/sbin/runuser")
        .args(["-u", "nobody", "--"])
        .arg(&binary)
        .args(["probe", "local", &target])
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("not_permitted") && !said.contains("config_invalid"), "{said} {done:?}");
    fs::remove_dir_all(&folder).unwrap();
}

/// A second HAProxy on the port of the first starts without a word, and takes half of the requests.
#[test]
fn two_services_on_one_port() {
    if !installed("two HAProxies", &["/usr/sbin/haproxy"], false) {
        return;
    }
    let port = free_port();
    let start = |name: &str| {
        let folder = folder(name);
        let text = format!(
            "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n\
             frontend f\n bind 127.0.0.1:{port}\n http-request return status 200\n"
        );
        fs::write(folder.join("h.cfg"), text).unwrap();
        let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Server::start(&folder, "/usr/sbin/haproxy", &["-db", "-f", "h.cfg"], &[ready])
    };
    let target = format!("port:127.0.0.1:{port}");
    let _one = start("two-one");
    let alone = check("local", &target, &[]);
    assert!(!alone.has(Class::TwoOwners), "{alone:?}");
    let mut other = start("two-other");
    other.wait_until(|| check("local", &target, &[]).has(Class::TwoOwners));
}
