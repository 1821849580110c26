//! Networks in their faults: firewalls of each kind, hosts that are gone, routes that are missing, resolvers that fail.
//! Each has a namespace of its own, so that nothing of the machine is touched; nginx and BIND are the services in it.

use std::collections::BTreeSet;

use crate::support::namespace::{assert_found, permitted, probes, put};
use crate::support::servers::{folder, installed, open_folder};

/// One network: this host is 192.0.2.1, 192.0.2.7 has an address and does not answer, 192.0.2.9 has not even one.
const NETWORK: &str = "
    ip link set lo up
    ip link add inside type veth peer name outside
    ip addr add 192.0.2.1/24 dev inside
    ip link set inside up
    ip link set outside up
    ip neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev inside
    ip route add unreachable 198.51.100.0/24
    ip route add prohibit 203.0.113.0/24
";

/// Waits until a port of this host is served.
const WAIT: &str = "
    served() { for try in $(seq 250); do ss -Hltn \"sport = :$1\" | grep -q . && return; sleep 0.02; done; exit 9; }
";

#[test]
fn firewalls_and_routes() {
    let what = "network namespaces with nginx";
    if !permitted(what) || !installed(what, &["/usr/sbin/nginx", "/usr/bin/ss"], true) {
        return;
    }
    let folder = folder("network");
    put(
        &folder,
        "nginx.conf",
        "daemon off; master_process off; pid nginx.pid; error_log error.log; events {}\n\
         http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;\n\
         uwsgi_temp_path u; scgi_temp_path s; server { listen 80; return 200 ok; } }\n",
    );
    let script = format!(
        "{NETWORK}{WAIT}
        nft add table inet t
        nft 'add chain inet t i {{ type filter hook input priority 0; }}'
        nft add rule inet t i tcp dport 81 drop
        nft add rule inet t i tcp dport 82 reject with icmpx type host-unreachable
        nft add rule inet t i tcp dport 83 reject with icmpx type admin-prohibited
        nft add rule inet t i tcp dport 84 reject with tcp reset
        nft add rule inet t i tcp dport 85 reject
        nft add rule inet t i udp dport 81 drop
        nft add rule inet t i udp dport 82 reject with icmpx type admin-prohibited
        nginx -p $PWD/ -c nginx.conf -e error.log &
        nginx=$!
        trap 'kill $nginx' EXIT
        served 80
        probe tcp 192.0.2.1:80,81,82,83,84,85,86 --timeout 500ms
        probe http http://192.0.2.1/ http://192.0.2.1:81/ --timeout 500ms
        probe tcp 192.0.2.7:80 198.51.100.1:80 203.0.113.1:80 198.18.0.1:80 [2001:db8::1]:80 --timeout 500ms
        probe tcp 192.0.2.9:80 --timeout 8s
        probe dns a.test@192.0.2.1:81 a.test@192.0.2.1:82 a.test@192.0.2.1:83 a.test@198.18.0.1 --timeout 500ms
        probe ping 192.0.2.1 192.0.2.7 --count 2 --interval 10ms --timeout 500ms"
    );
    let found = probes(&folder, &script);
    assert_found(
        &found,
        &[
            ("192.0.2.1:80", "open"),
            ("192.0.2.1:81", "timeout"),
            ("192.0.2.1:82", "unreachable"),
            ("192.0.2.1:83", "unreachable"),
            ("192.0.2.1:84", "refused"),
            ("192.0.2.1:85", "refused"),
            ("192.0.2.1:86", "refused"),
            ("http://192.0.2.1/", "open"),
            ("http://192.0.2.1:81/", "timeout"),
            ("192.0.2.7:80", "timeout"),
            ("198.51.100.1:80", "unreachable"),
            ("203.0.113.1:80", "not_permitted"),
            ("198.18.0.1:80", "no_route"),
            ("[2001:db8::1]:80", "no_route"),
            ("192.0.2.9:80", "unreachable"),
            ("a.test@192.0.2.1:81", "dns_timeout"),
            ("a.test@192.0.2.1:82", "unreachable"),
            ("a.test@192.0.2.1:83", "dns_port_closed"),
            ("a.test@198.18.0.1:53", "no_route"),
            ("192.0.2.1", "open"),
            ("192.0.2.7", "ping_silent"),
        ],
    );
    // A firewall says no at once; for a host that is gone the system asks for three seconds.
    let took = |place: usize| found[place]["took"].as_i64().unwrap();
    assert!(took(2) < 400_000 && took(14) > 1_500_000, "{} {}", took(2), took(14));
    assert_eq!(found[1]["step"], "connect");
}

/// The four ways in which a name has no address, which the system's own words hide behind one; and a hosts file that
/// disagrees.
#[test]
fn names_that_do_not_resolve() {
    let what = "a resolver in a namespace";
    if !permitted(what) || !installed(what, &["/usr/sbin/named", "/usr/bin/ss"], true) {
        return;
    }
    let folder = open_folder("resolver");
    put(
        &folder,
        "named.conf",
        "options { directory \".\"; listen-on { 127.0.0.1; }; listen-on-v6 { none; }; pid-file \"pid\";\n\
         session-keyfile \"key\"; managed-keys-directory \".\"; dnssec-validation no; recursion yes; notify no; };\n\
         controls { };\n\
         zone \".\" { type primary; file \"root\"; };\nzone \"lab.test\" { type primary; file \"lab\"; };\nzone \"broken.test\" { type primary; file \"broken\"; };\n",
    );
    put(
        &folder,
        "lab",
        "$TTL 60\n@ IN SOA ns me ( 1 60 60 60 60 )\n@ NS ns\nns A 127.0.0.1\nempty TXT x\nwww A 127.0.0.9\n",
    );
    put(
        &folder,
        "root",
        "$TTL 60\n@ IN SOA ns.lab.test. me.lab.test. ( 1 60 60 60 60 )\n@ NS ns.lab.test.\nns.lab.test. A 127.0.0.1\n",
    );
    put(&folder, "broken", "@ IN SOA ns me ( 1\n");
    put(&folder, "hosts", "127.0.0.1 localhost\n127.0.0.8 www.lab.test\n");
    for (name, server) in [("ours", "127.0.0.1"), ("silent", "192.0.2.7"), ("closed", "127.0.0.5")]
    {
        put(&folder, name, &format!("nameserver {server}\noptions timeout:1 attempts:1\n"));
    }
    let script = format!(
        "{NETWORK}{WAIT}
        named -4 -g -n 1 -c named.conf > output.log 2>&1 &
        named=$!
        trap 'kill $named' EXIT
        served 53
        for try in $(seq 250); do grep -q running output.log && break; sleep 0.02; done
        mount --bind ours /etc/resolv.conf
        probe tcp gone.lab.test:1 empty.lab.test:1 www.broken.test:1 www.lab.test:1 --timeout 4s
        probe dns www.lab.test --timeout 4s
        mount --bind hosts /etc/hosts
        probe dns www.lab.test --system --timeout 4s
        probe local resolver resolver:www.broken.test
        mount --bind silent /etc/resolv.conf
        probe tcp gone.lab.test:1 --timeout 3s
        probe local resolver --timeout 1s
        mount --bind closed /etc/resolv.conf
        probe tcp gone.lab.test:1 --timeout 4s
        cat ours >> closed
        probe local resolver"
    );
    let found = probes(&folder, &script);
    assert_found(
        &found,
        &[
            ("gone.lab.test:1", "name_unknown"),
            ("empty.lab.test:1", "name_empty"),
            ("www.broken.test:1", "name_servfail"),
            ("www.lab.test:1", "refused"),
            ("www.lab.test@127.0.0.1:53", "open"),
            ("www.lab.test@127.0.0.1:53", "disagree"),
            ("resolver", "open"),
            ("resolver:www.broken.test", "servfail"),
            ("gone.lab.test:1", "name_timeout"),
            ("resolver", "dns_timeout"),
            ("gone.lab.test:1", "name_failed"),
            ("resolver", "dns_port_closed"),
        ],
    );
    // One of two that is closed costs time; the other still answers.
    let last = found.last().unwrap();
    assert_eq!(
        (&last["level"], &last["measures"]["servers"]["value"]),
        (&"warning".into(), &1.0.into())
    );
    let _ = std::fs::remove_dir_all(folder);
}

/// What this machine lacks is no fault of the service: no free port, no free descriptor, no right to send ICMP.
#[test]
fn limits_of_our_own() {
    let what = "limits in a namespace";
    if !permitted(what) || !installed(what, &["/usr/bin/setpriv", "/usr/bin/prlimit"], true) {
        return;
    }
    let folder = open_folder("limits");
    let program = folder.join("logmill");
    std::fs::copy(env!("CARGO_BIN_EXE_logmill"), &program).unwrap();
    let script = format!(
        "{NETWORK}
        nobody() {{ setpriv --reuid nobody --regid nogroup --clear-groups ./logmill probe \"$@\" --output ndjson; }}
        nobody ping 192.0.2.1 --by icmp || [ $? -eq 3 ]
        nobody ping 192.0.2.1 --count 1
        echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range
        nobody ping 192.0.2.1 --count 1
        probe ping 192.0.2.1 --count 1
        prlimit --nofile=6 ./logmill probe tcp 192.0.2.7:1,2,3,4,5,6,7,8 --timeout 300ms --output ndjson || :
        echo 50000 50000 > /proc/sys/net/ipv4/ip_local_port_range
        echo 50000 > /proc/sys/net/ipv4/ip_local_reserved_ports
        probe tcp 192.0.2.1:1"
    );
    let found = probes(&folder, &script);
    assert_found(
        &found[..4],
        &[
            ("192.0.2.1", "not_permitted"),
            ("192.0.2.1", "open"),
            ("192.0.2.1", "open"),
            ("192.0.2.1", "open"),
        ],
    );
    assert_found(&found[12..], &[("192.0.2.1:1", "local_limit")]);
    // Eight at once, and room for three or so.
    let crowd: BTreeSet<_> =
        found[4..12].iter().map(|one| one["class"].as_str().unwrap()).collect();
    assert_eq!(crowd.into_iter().collect::<Vec<_>>(), ["local_limit", "timeout"]);
    let by: Vec<_> = found.iter().map(|one| one["facts"]["by"].clone()).collect();
    assert_eq!(by[1..4], ["tcp", "icmp", "icmp"]);
    let _ = std::fs::remove_dir_all(folder);
}

/// Two name servers, a root and a zone under it: the way from the one to the other, a delegation to a server that knows
/// nothing of it, an answer too large for a datagram where TCP is filtered, and two servers that share one port.
#[test]
fn name_servers_and_the_way_between_them() {
    let what = "name servers in a namespace";
    if !permitted(what) || !installed(what, &["/usr/sbin/named"], true) {
        return;
    }
    let folder = open_folder("names");
    let server = |address: &str, zones: &str| {
        format!(
            "options {{ directory \".\"; listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; pid-file none;\n\
             session-keyfile none; managed-keys-directory \".\"; dnssec-validation no; recursion no; notify no;\n\
             empty-zones-enable no; }};\ncontrols {{ }};\n{zones}"
        )
    };
    let zone =
        |name: &str, file: &str| format!("zone \"{name}\" {{ type primary; file \"{file}\"; }};\n");
    let head = "$TTL 60\n@ IN SOA ns.lab.test. me.lab.test. ( 1 60 60 60 60 )\n@ NS ns.lab.test.\n";
    put(&folder, "root.conf", &server("127.0.0.1", &zone(".", "root")));
    put(
        &folder,
        "lab.conf",
        &server("127.0.0.2", &(zone("lab.test", "lab") + &zone("127.in-addr.arpa", "reverse"))),
    );
    for (name, file) in [("one", "lab"), ("other", "lab2")] {
        put(&folder, &format!("{name}.conf"), &server("127.0.0.4", &zone("lab.test", file)));
    }
    put(
        &folder,
        "root",
        &format!(
            "{head}lab.test. NS ns.lab.test.\nlame.test. NS ns.lab.test.\nns.lab.test. A 127.0.0.2\n"
        ),
    );
    let text = vec!["x".repeat(250); 8].join("\" \"");
    let records = format!("ns A 127.0.0.2\nwww A 127.0.0.9\n@ MX 10 www\nbig TXT \"{text}\"\n");
    put(&folder, "lab", &format!("{head}{records}"));
    put(&folder, "lab2", &format!("{head}ns A 127.0.0.2\nwww A 127.0.0.42\n"));
    put(&folder, "reverse", &format!("{head}9.0.0 PTR www.lab.test.\n8.0.0 PTR www.lab.test.\n"));
    let script = "
        ip link set lo up
        ip addr add 127.0.0.2/8 dev lo
        ip addr add 127.0.0.4/8 dev lo
        all=
        trap 'kill $all' EXIT
        for name in root lab one other; do
            named -4 -g -n 1 -c $name.conf > $name.log 2>&1 &
            all=\"$all $!\"
            for try in $(seq 500); do grep -q running $name.log && break; sleep 0.02; done
        done
        probe dns www.lab.test@127.0.0.1 --trace
        probe dns www.lame.test@127.0.0.1 --trace
        probe dns www.lab.test@127.0.0.1
        probe dns lab.test@127.0.0.2 --mx
        probe dns 127.0.0.9@127.0.0.2 127.0.0.8@127.0.0.2 --ptr
        probe dns big.lab.test@127.0.0.2 --type TXT
        probe dns www.lab.test@127.0.0.4 --tries 30
        nft add table inet t
        nft 'add chain inet t i { type filter hook input priority 0; }'
        nft add rule inet t i tcp dport 53 drop
        probe dns big.lab.test@127.0.0.2 --type TXT --timeout 500ms
        probe dns www.lab.test@127.0.0.2 --both --timeout 500ms";
    let found = probes(&folder, script);
    assert_found(
        &found,
        &[
            ("www.lab.test@127.0.0.1:53", "open"),
            ("www.lame.test@127.0.0.1:53", "lame"),
            ("www.lab.test@127.0.0.1:53", "lame"),
            ("lab.test@127.0.0.2:53", "open"),
            ("9.0.0.127.in-addr.arpa@127.0.0.2:53", "open"),
            ("8.0.0.127.in-addr.arpa@127.0.0.2:53", "disagree"),
            ("big.lab.test@127.0.0.2:53", "open"),
            ("www.lab.test@127.0.0.4:53", "disagree"),
            ("big.lab.test@127.0.0.2:53", "truncated_no_tcp"),
            ("www.lab.test@127.0.0.2:53", "timeout"),
        ],
    );
    assert_eq!(found[6]["facts"]["transport"], "tcp");
    let _ = std::fs::remove_dir_all(folder);
}
