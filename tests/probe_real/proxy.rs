//! tinyproxy: `probe http --proxy` through a real forward proxy, plain and by CONNECT, and what it refuses.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use logmill::document::Cell;
use logmill::probe::{Class, Outcome};

use crate::support::certs::Lab;
use crate::support::peers::{answers, check, classes, read_head, serve_tls};
use crate::support::servers::{Server, folder, free_port, installed};

const TINYPROXY: &str = "/usr/bin/tinyproxy";

fn start(name: &str, port: u16, more: &str) -> Server {
    let folder = folder(name);
    let configuration = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 5\nLogFile \"{here}/proxy.log\"\nLogLevel Info\n\
         PidFile \"{here}/pid\"\nMaxClients 20\nAllow 127.0.0.1\n{more}\n",
        here = folder.display()
    );
    fs::write(folder.join("tinyproxy.conf"), configuration).unwrap();
    let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Server::start(&folder, TINYPROXY, &["-d", "-c", "tinyproxy.conf"], &[ready])
}

fn through(port: u16, url: &str, options: &[(&str, &str)]) -> Outcome {
    let proxy = format!("127.0.0.1:{port}");
    check("http", url, &[options, &[("proxy", &proxy), ("timeout", "5s")]].concat())
}

#[test]
fn through_a_proxy_in_health_and_in_its_faults() {
    if !installed("tinyproxy", &[TINYPROXY], false) {
        return;
    }
    let lab = Lab::new("real-proxy");
    let page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let plain = answers(page.to_vec());
    let secure = serve_tls(&lab.good(), move |tls| {
        read_head(tls);
        let _ = tls.write_all(page);
    });
    let dead = free_port();
    let (open, narrow) = (free_port(), free_port());
    let _open =
        start("proxy-open", open, &format!("ConnectPort {}\nConnectPort {dead}", secure.port()));
    let _narrow = start("proxy-narrow", narrow, "ConnectPort 443\nBasicAuth user secret");

    let good = through(open, &format!("http://{plain}/"), &[("expect-body", "ok")]);
    assert_eq!(good.class(), Class::Open, "{good:?}");
    let by_connect = [("ca-file", lab.ca()), ("name", "www.lab.test"), ("expect-body", "ok")];
    let good = through(open, &format!("https://127.0.0.1:{}/", secure.port()), &by_connect);
    assert_eq!(good.class(), Class::Open, "{good:?}");
    assert!(good.step("proxy").unwrap().micros().is_some() && good.fact("tls_version").is_some());
    // The certificate is judged through the tunnel as it is without.
    let untrusted =
        through(open, &format!("https://127.0.0.1:{}/", secure.port()), &by_connect[1..]);
    assert_eq!(classes(&untrusted), ["unknown_root"], "{untrusted:?}");

    let gone = through(open, &format!("http://127.0.0.1:{dead}/"), &[]);
    assert_eq!(
        (gone.class(), gone.level()),
        (Class::ProxyFailed, logmill::document::Level::Critical)
    );
    assert_eq!(gone.fact("answered_by"), Some(&Cell::text("tinyproxy itself")), "{gone:?}");
    let gone = through(open, &format!("https://127.0.0.1:{dead}/"), &[]);
    assert_eq!(
        (gone.class(), gone.failing_step()),
        (Class::ProxyFailed, Some("proxy")),
        "{gone:?}"
    );
    let unknown = through(open, "http://nowhere.invalid/", &[]);
    assert_eq!(unknown.class(), Class::ProxyFailed, "{unknown:?}");
    let refused = through(open, &format!("https://{plain}/"), &[]);
    assert_eq!((refused.class(), refused.failing_step()), (Class::ProxyRefused, Some("proxy")));
    for url in [format!("http://{plain}/"), format!("https://{secure}/")] {
        assert_eq!(through(narrow, &url, &[]).class(), Class::ProxyLogin, "{url}");
    }
    assert_eq!(through(dead, "http://127.0.0.1/", &[]).class(), Class::Refused);
}
