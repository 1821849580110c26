//! The configuration checkers of the services themselves, and a port with two owners.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use logmill::probe::{Class, Outcome};

use crate::support::certs::Lab;
use crate::support::namespace::{assert_found, permitted, probes, put};
use crate::support::peers::check;
use crate::support::servers::{Server, folder, free_port, installed, open_folder, php_fpm};

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
    let nobody = format!(
        "{good}http {{ server {{ location / {{ proxy_pass http://nohost.invalid; }} }} }}\n"
    );
    assert_invalid(&judged("nginx", &folder, &nobody), "host not found in upstream");
    let lab = Lab::new("check-nginx");
    lab.good().write(&folder, "one");
    lab.good().write(&folder, "other");
    let here = folder.display();
    let mixed = format!(
        "{good}http {{ server {{ listen 127.0.0.1:1 ssl; ssl_certificate {here}/one.crt;\n\
         ssl_certificate_key {here}/other.key; }} }}\n"
    );
    assert_invalid(&judged("nginx", &folder, &mixed), "key values mismatch");
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

/// What systemd says of a unit, in its own words. There is none in most places where tests run, so one plays its part,
/// in a namespace where `/run` says that it is there.
#[test]
fn units() {
    let what = "units in a namespace";
    if !permitted(what) || !installed(what, &["/usr/bin/mount"], true) {
        return;
    }
    let folder = open_folder("units");
    put(
        &folder,
        "systemctl",
        "#!/bin/sh\n[ \"$1\" = show ] || exit 1\nfor unit; do :; done\nN=0 LOAD=loaded\ncase $unit in\n\
         good.service) A=active S=running R=success ;;\n\
         failed.service) A=failed S=failed R=exit-code N=5 ;;\n\
         stopped.service) A=inactive S=dead R=success ;;\n\
         looping.service) A=activating S=auto-restart R=exit-code N=7 ;;\n\
         *) LOAD=not-found A=inactive S=dead R=success ;;\nesac\n\
         printf 'LoadState=%s\\nActiveState=%s\\nSubState=%s\\nResult=%s\\nNRestarts=%s\\nExecMainStatus=0\\n' \
         $LOAD $A $S $R $N\n\
         echo 'ActiveEnterTimestamp=Mon 2026-06-15 00:00:00 UTC'; echo UnitFileState=enabled\n",
    );
    let script = "chmod +x systemctl
        mount -t tmpfs none /run
        probe local unit:no-such-thing.service
        mkdir -p /run/systemd/system
        PATH=$PWD:$PATH
        probe local unit:good.service unit:failed.service unit:stopped.service unit:looping.service unit:none.service";
    let found = probes(&folder, script);
    assert_found(
        &found,
        &[
            ("unit:no-such-thing.service", "process_missing"),
            ("unit:good.service", "open"),
            ("unit:failed.service", "unit_failed"),
            ("unit:stopped.service", "unit_down"),
            ("unit:looping.service", "unit_restarting"),
            ("unit:none.service", "bad_target"),
        ],
    );
    assert!(found[0]["facts"]["systemd"].as_str().unwrap().contains("not running"), "{}", found[0]);
    assert_eq!(found[2]["measures"]["restarts"]["value"], 5.0);
    assert_eq!(found[1]["facts"]["at_boot"], "enabled");
    fs::remove_dir_all(&folder).unwrap();
}

/// The kernel's own rules, by each program that writes them, and what a packet finds: both must say the same.
#[test]
fn firewalls() {
    let what = "firewalls in a namespace";
    let programs = ["/usr/sbin/iptables-legacy", "/usr/sbin/iptables-nft", "/usr/bin/setpriv"];
    if !permitted(what) || !installed(what, &programs, true) {
        return;
    }
    let folder = open_folder("firewall");
    fs::copy(env!("CARGO_BIN_EXE_logmill"), folder.join("logmill")).unwrap();
    let script = "ip link set lo up
        ask() { for port; do probe local firewall:$port; done; }
        ask 80
        nft add table inet t
        nft 'add chain inet t i { type filter hook input priority 0; }'
        nft add rule inet t i ct state established accept
        nft add rule inet t i tcp dport 81 drop
        nft add rule inet t i tcp dport '{ 82, 8000-8999 }' reject with icmpx type admin-prohibited
        nft add rule inet t i ip saddr 10.0.0.0/8 tcp dport 83 drop
        ask 80 81 8500 83 83@10.1.2.3 83@192.0.2.7 81/udp
        probe tcp 127.0.0.1:81,8500,80 --timeout 300ms
        nft flush ruleset
        iptables-nft -A INPUT -p tcp --dport 25 -j REJECT --reject-with tcp-reset
        iptables-nft -A INPUT -p udp -m multiport --dports 53,123 -j DROP
        ask 25@192.0.2.7 53/udp@192.0.2.7 26@192.0.2.7
        nft flush ruleset
        iptables-legacy -P INPUT DROP
        iptables-legacy -A INPUT -i lo -j ACCEPT
        iptables-legacy -A INPUT -p tcp --dport 443 -j ACCEPT
        ask 443@192.0.2.7 80@192.0.2.7 80@127.0.0.1
        setpriv --reuid nobody --regid nogroup --clear-groups ./logmill probe local firewall:80 --output ndjson || [ $? -eq 3 ]";
    let found = probes(&folder, script);
    assert_found(
        &found,
        &[
            ("firewall:80", "open"),
            ("firewall:80", "open"),
            ("firewall:81", "firewall_blocks"),
            ("firewall:8500", "firewall_blocks"),
            ("firewall:83", "open"),
            ("firewall:83@10.1.2.3", "firewall_blocks"),
            ("firewall:83@192.0.2.7", "open"),
            ("firewall:81/udp", "open"),
            ("127.0.0.1:81", "timeout"),
            ("127.0.0.1:8500", "unreachable"),
            ("127.0.0.1:80", "refused"),
            ("firewall:25@192.0.2.7", "firewall_blocks"),
            ("firewall:53/udp@192.0.2.7", "firewall_blocks"),
            ("firewall:26@192.0.2.7", "open"),
            ("firewall:443@192.0.2.7", "open"),
            ("firewall:80@192.0.2.7", "firewall_blocks"),
            ("firewall:80@127.0.0.1", "open"),
            ("firewall:80", "not_permitted"),
        ],
    );
    let result = |place: usize| found[place]["result"].as_str().unwrap();
    assert!(result(2).contains("inet t i: tcp dport 81 drop"), "{}", result(2));
    assert!(found[4]["facts"]["unless"].as_str().unwrap().contains("10.0.0.0/8"), "{}", found[4]);
    assert!(result(11).contains("--dport 25"), "{}", result(11));
    assert!(result(15).contains("the policy of iptables filter INPUT"), "{}", result(15));
    fs::remove_dir_all(&folder).unwrap();
}

/// File systems that are full, out of names, or read-only, and a process at its limit of open files.
#[test]
fn limits_of_the_machine() {
    let what = "file systems in a namespace";
    if !permitted(what) || !installed(what, &["/usr/bin/mount", "/usr/bin/prlimit"], true) {
        return;
    }
    let folder = open_folder("limits-of-the-machine");
    let script = "mkdir full names sealed
        mount -t tmpfs -o size=100k none full
        head -c 98304 /dev/zero > full/file
        mount -t tmpfs -o nr_inodes=20 none names
        for name in $(seq 18); do : > names/$name; done
        mount -t tmpfs -o ro none sealed
        probe local fs:$PWD/full fs:$PWD/names fs:$PWD/sealed
        cp /bin/sleep logmill-files
        prlimit --nofile=12 sh -c 'exec 3< . 4< . 5< . 6< . 7< . 8< . 9< .; exec ./logmill-files 20' &
        files=$!
        trap 'kill $files' EXIT
        for try in $(seq 250); do grep -q files /proc/$files/comm && break; sleep 0.02; done
        probe local process:logmill-files";
    let found = probes(&folder, script);
    let classes: Vec<_> = found.iter().map(|one| one["class"].as_str().unwrap()).collect();
    assert_eq!(classes, ["disk_full", "inodes_full", "read_only_filesystem", "near_file_limit"]);
    assert_eq!(found[0]["level"], "critical", "{}", found[0]);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn php_fpm_and_its_checker() {
    let Some(program) = php_fpm() else { return };
    let folder = folder("check-php");
    let pool = |more: &str| {
        format!(
            "[global]\nerror_log = {here}/fpm.log\n[www]\nuser = nobody\ngroup = nogroup\n\
             listen = {here}/s\npm = static\npm.max_children = 1\n{more}\n",
            here = folder.display()
        )
    };
    let good = judged("php-fpm", &folder, &pool(""));
    assert_eq!(good.class(), Class::Open, "{program} {good:?}");
    assert_invalid(&judged("php-fpm", &folder, &pool("pm.nonsense = 1")), "unknown entry");
}
