//! `probe haproxy`: the statistics by socket and by HTTP, each verdict, and peers that are none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use logmill::document::{Body, Level};
use logmill::probe::{Class, plan};

use crate::support::peers::{answers, check, classes, says, serve};

const HEAD: &str = "# pxname,svname,qcur,qmax,scur,slim,stot,econ,wretr,status,weight,act,lastchg,type,check_status,\n";

fn server(name: &str, stot: u32, status: &str, check: &str) -> String {
    format!("app,{name},0,0,0,,{stot},0,0,{status},1,1,9,2,{check},\n")
}

fn backend(queued: u32, status: &str) -> String {
    format!("app,BACKEND,{queued},{queued},0,200,0,0,0,{status},2,2,9,1,,\n")
}

fn two(status: &str, check: &str) -> String {
    let (one, other) = (server("web1", 60, "UP", "L7OK"), server("web2", 60, status, check));
    format!("{HEAD}{one}{other}{}", backend(0, "UP"))
}

/// A statistics socket: one question a connection.
fn socket(stat: String, level: &'static str) -> SocketAddr {
    sockets(vec![stat], level)
}

/// The same with other statistics each time, the last for ever.
fn sockets(stats: Vec<String>, level: &'static str) -> SocketAddr {
    let asked = AtomicUsize::new(0);
    serve(move |mut stream| {
        let question = line(&mut stream);
        let answer = match question.trim_end() {
            "show stat" => {
                let at = asked.fetch_add(1, Ordering::SeqCst).min(stats.len() - 1);
                stats[at].clone()
            }
            "show info" => {
                "Name: HAProxy\nVersion: 2.6.12\nIdle_pct: 99\nCurrConns: 1\nMaxconn: 100\n".into()
            }
            "show cli level" => format!("{level}\n"),
            "show servers state" => "1\n# be_id be_name srv_id srv_name srv_addr srv_port\n\
                3 app 1 web1 192.0.2.1 80\n3 app 2 web2 192.0.2.2 8080\n\n"
                .into(),
            other => panic!("asked '{other}'"),
        };
        let _ = stream.write_all(answer.as_bytes());
    })
}

fn line(stream: &mut TcpStream) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while byte[0] != b'\n' && matches!(stream.read(&mut byte), Ok(1)) {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

fn found(stat: String) -> Vec<&'static str> {
    classes(&check("haproxy", &socket(stat, "user").to_string(), &[("timeout", "2s")]))
}

#[test]
fn all_is_well() {
    let outcome = check("haproxy", &socket(two("UP", "L7OK"), "user").to_string(), &[]);
    assert_eq!((outcome.level(), outcome.class()), (Level::Ok, Class::Open), "{outcome:?}");
    assert_eq!(outcome.line(), "2 servers up, 0 down, 0 taken out");
    assert_eq!((outcome.measure("servers_up"), outcome.measure("idle")), (Some(2.0), Some(99.0)));
    let Body::Table(table) = &outcome.sections[0].body else { panic!("no table") };
    assert_eq!(table.rows.len(), 2);
}

#[test]
fn each_verdict() {
    assert_eq!(found(two("DOWN", "* L7TOUT")), ["server_down"]);
    assert_eq!(found(two("MAINT", "")), [""; 0]);
    let all_down = format!("{HEAD}{}{}", server("web1", 0, "DOWN", "L4CON"), backend(0, "DOWN"));
    assert_eq!(found(all_down), ["backend_down"]);
    let queue = format!("{HEAD}{}{}", server("web1", 0, "UP", ""), backend(3, "UP"));
    assert_eq!(found(queue), ["queueing"]);
    let uneven = format!(
        "{HEAD}{}{}{}",
        server("web1", 500, "UP", ""),
        server("web2", 2, "UP", ""),
        backend(0, "UP")
    );
    assert_eq!(found(uneven), ["unbalanced"]);
    let full = format!("{HEAD}fe,FRONTEND,,,90,100,9,,,OPEN,,,,0,,\n{}", backend(0, "UP"));
    assert_eq!(found(full), ["near_session_limit"]);
}

#[test]
fn the_check_says_why_a_server_is_down() {
    let cause = |check: &str| {
        let outcome = crate::support::peers::check(
            "haproxy",
            &socket(two("DOWN", check), "user").to_string(),
            &[],
        );
        outcome.worst_fault().unwrap().cause.clone()
    };
    assert!(cause("* L7TOUT").contains("timeout check"));
    assert!(cause("L4CON").contains("nothing listens"));
    assert!(cause("L7STS").contains("another status"));
}

/// The statistics do not say where a server is; the question beside them does.
#[test]
fn the_next_question_goes_to_the_server_that_is_down() {
    let next = |check: &str| {
        let address = socket(two("DOWN", check), "user").to_string();
        let outcome = crate::support::peers::check("haproxy", &address, &[]);
        outcome.worst_fault().unwrap().next.clone()
    };
    assert!(next("L4CON").starts_with("logmill probe tcp 192.0.2.2:8080"), "{}", next("L4CON"));
    assert!(next("L7STS").starts_with("logmill probe http http://192.0.2.2:8080/"));
}

#[test]
fn an_open_control_port() {
    for (level, wanted) in [("admin", vec!["open_control_port"]), ("user", vec![])] {
        let outcome = check("haproxy", &socket(two("UP", ""), level).to_string(), &[]);
        assert_eq!(classes(&outcome), wanted, "{level}");
    }
}

#[test]
fn errors_between_two_looks() {
    let failing = two("UP", "L7OK").replace("60,0,0", "61,4,2");
    let address = sockets(vec![two("UP", "L7OK"), failing], "user");
    let options = [("interval", "10ms"), ("backend", "app")];
    let outcome = check("haproxy", &address.to_string(), &options);
    assert_eq!(classes(&outcome), ["backend_errors"]);
    assert!(outcome.line().contains("4 failed connections, 2 retries"), "{}", outcome.line());
}

#[test]
fn over_http() {
    let table = two("UP", "L7OK");
    let page = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{table}", table.len());
    let address = answers(page);
    let outcome = check("haproxy", &format!("http://{address}/stats"), &[]);
    assert_eq!(outcome.class(), Class::Open, "{outcome:?}");
    assert!(outcome.target.ends_with("/stats;csv"));
    let status = |head: &'static str| {
        let address = answers(format!("{head}\r\nContent-Length: 0\r\n\r\n"));
        check("haproxy", &format!("http://{address}/stats;csv"), &[]).class()
    };
    assert_eq!(status("HTTP/1.1 401 Unauthorized"), Class::AuthFail);
    assert_eq!(status("HTTP/1.1 404 Not Found"), Class::StatusClient);
    assert_eq!(status("HTTP/1.1 503 No"), Class::StatusServer);
    assert_eq!(status("HTTP/1.1 200 OK"), Class::WrongProtocol);
}

#[test]
fn others_and_hostile_ones() {
    let class = |address: SocketAddr| {
        check("haproxy", &address.to_string(), &[("timeout", "150ms")]).class()
    };
    let mail = serve(|mut stream| {
        line(&mut stream);
        let _ = stream.write_all(b"220 mail\r\n");
    });
    assert_eq!(class(mail), Class::WrongProtocol);
    assert_eq!(class(says(b"")), Class::Silent);
    assert_eq!(class(says(b"# pxname,svname,\n")), Class::Stalled);
    let endless = serve(|mut stream| while stream.write_all(&[b'x'; 65536]).is_ok() {});
    let outcome = check("haproxy", &endless.to_string(), &[("timeout", "20s")]);
    assert_eq!(outcome.class(), Class::TooLarge);
    let options = [("backend", "nope")];
    let outcome = check("haproxy", &socket(two("UP", ""), "user").to_string(), &options);
    assert_eq!(outcome.class(), Class::Unexpected);
    assert!(plan("haproxy", ["localhost"], []).unwrap_err().is_usage());
    let gone = check("haproxy", "unix:/nonexistent/haproxy.sock", &[]);
    assert_eq!(gone.class(), Class::SocketMissing);
}
