#!/usr/bin/env python3
"""Asks logmill probe, the monitoring plugins and blackbox_exporter about the same faults: who names which rightly?

  benches/faults.py                      all faults, as a table in Markdown on standard output
  benches/faults.py --verbose            and each tool's own words on standard error
  LOGMILL=target/release/logmill         a binary that is built already (else: cargo build --release)

Runs as root on Debian or Ubuntu, in a network and mount namespace of its own, so that nothing of the machine is touched
and every port is free. Needs the packages nginx bind9 bind9-dnsutils mariadb-server openssl iproute2 nftables
monitoring-plugins-basic monitoring-plugins-standard prometheus-blackbox-exporter.

Each tool gets the options that come nearest to the question; blackbox_exporter's words are those of its debug log, which
Prometheus does not see. *Named* means that what it says tells which fault it is: the words to look for stand beside each
fault below, and any of them counts. *Seen* means that it does not say OK, but the words would fit other faults of the list
as well, or are wrong. *OK* means that it says so.

The exit status is 1 when logmill does not give the class that stands beside a fault.
"""

import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

PLUGINS = "/usr/lib/nagios/plugins/"
OURS, OTHER, LOCKED = "127.0.0.1", "192.0.2.1", "192.0.2.2"
VERBOSE = "--verbose" in sys.argv
NEEDED = ["nginx", "named", "dig", "mariadbd", "mariadb", "openssl", "ip", "nft", "prometheus-blackbox-exporter",
          PLUGINS + "check_http", PLUGINS + "check_dig", PLUGINS + "check_smtp", PLUGINS + "check_mysql"]


def sheltered():
    """Starts again in a namespace of its own."""
    if os.environ.get("FAULTS_INSIDE"):
        return
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        sys.exit(f"benches/faults.py: {', '.join(missing)} missing; its first lines say which packages it needs")
    if os.geteuid() != 0:
        sys.exit("benches/faults.py: wants root, for a network namespace of its own")
    os.environ["FAULTS_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--", sys.executable, *sys.argv])


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)


def build():
    if os.environ.get("LOGMILL"):
        return os.path.abspath(os.environ["LOGMILL"])
    run("cargo", "build", "--release", "--quiet", "--bin", "logmill")
    return os.path.abspath("target/release/logmill")


# ---------------------------------------------------------------- the network and the certificates


def network(lab):
    commands = f"""
        ip link set lo up
        ip addr add {OTHER}/32 dev lo
        ip addr add {LOCKED}/32 dev lo
        ip route add unreachable 198.51.100.0/24
        nft add table inet t
        nft 'add chain inet t i {{ type filter hook input priority 0; }}'
        nft add rule inet t i tcp dport 8001 drop
        printf '127.0.0.1 localhost\\n{LOCKED} locked.lab.test\\n{OTHER} other.lab.test\\n' > {lab}/hosts
        printf 'nameserver 127.0.0.1\\noptions timeout:1 attempts:1\\n' > {lab}/resolv.conf
        for name in www mail a.b old; do echo "127.0.0.1 $name.lab.test" >> {lab}/hosts; done
        mount --bind {lab}/hosts /etc/hosts
        mount --bind {lab}/resolv.conf /etc/resolv.conf
    """
    run("sh", "-ec", commands)


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


class Authority:
    """A root, an intermediate, and leaves with exact dates."""

    def __init__(self, lab):
        self.lab = lab
        with open(f"{lab}/ca.cnf", "w") as file:
            file.write(
                f"[ca]\ndefault_ca=own\n[own]\ndatabase={lab}/index\nserial={lab}/serial\nnew_certs_dir={lab}\n"
                "default_md=sha256\npolicy=any\ncopy_extensions=copy\nunique_subject=no\n[any]\ncommonName=supplied\n"
            )
        open(f"{lab}/index", "w").close()
        open(f"{lab}/serial", "w").write("1000")
        for name in ["root", "unknown"]:
            self.openssl(
                f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.pem "
                f"-subj /CN={name} -days 3650 -addext basicConstraints=critical,CA:TRUE "
                "-addext keyUsage=critical,keyCertSign,cRLSign"
            )
        self.request("int", "int")
        with open(f"{lab}/int.ext", "w") as file:
            file.write("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
        self.openssl(
            "x509 -req -in int.csr -CA root.pem -CAkey root.key -CAcreateserial -days 1825 -out int.pem -extfile int.ext"
        )

    def openssl(self, words):
        run("openssl", *words.split(), cwd=self.lab)

    def request(self, name, common, san=None):
        more = f" -addext subjectAltName={san}" if san else ""
        self.openssl(
            f"req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN={common}{more}"
        )

    def leaf(self, name, hosts, start, end, chain=True, by="int"):
        self.request(name, hosts[0], ",".join(f"DNS:{host}" for host in hosts))
        self.openssl(
            f"ca -batch -notext -config ca.cnf -cert {by}.pem -keyfile {by}.key -in {name}.csr -out {name}.pem "
            f"-startdate {stamp(start)} -enddate {stamp(end)}"
        )
        parts = [f"{name}.pem", "int.pem"] if chain else [f"{name}.pem"]
        with open(f"{self.lab}/{name}.crt", "w") as file:
            file.writelines(open(f"{self.lab}/{part}").read() for part in parts)

    def self_signed(self, name, host):
        self.openssl(
            f"req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -subj /CN={host} -days 90 "
            f"-addext subjectAltName=DNS:{host}"
        )


def certificates(lab):
    own = Authority(lab)
    www = ["www.lab.test"]
    own.leaf("good", www, -10, 80)
    own.leaf("mail", ["mail.lab.test"], -10, 80)
    own.leaf("expired", www, -90, -3)
    own.leaf("future", www, 3, 90)
    own.leaf("soon", www, -85, 5)
    own.leaf("wildcard", ["*.lab.test"], -10, 80)
    own.leaf("incomplete", www, -10, 80, chain=False)
    own.leaf("private", www, -10, 80, chain=False, by="unknown")
    with open(f"{lab}/private.crt", "a") as file:
        file.write(open(f"{lab}/unknown.pem").read())
    own.leaf("mailexpired", ["mail.lab.test"], -90, -3)
    own.self_signed("selfsigned", "www.lab.test")


# ---------------------------------------------------------------- who plays the faults


def serve(port, part):
    """A listener that gives each connection to a part of its own."""
    listener = socket.create_server((OURS, port), backlog=50)

    def play(stream):
        try:
            part(stream)
        except OSError:
            pass
        finally:
            stream.close()

    def loop():
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=play, args=(stream,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def head(stream):
    got = b""
    while b"\r\n\r\n" not in got:
        more = stream.recv(4096)
        if not more:
            return
        got += more


def says(words, then=lambda stream: stream.recv(1)):
    def part(stream):
        stream.sendall(words)
        then(stream)

    return part


def answers(words):
    def part(stream):
        head(stream)
        stream.sendall(words)

    return part


def smtp(lines, identity=None):
    """Greets, then answers each command by its first word; after STARTTLS the same inside TLS."""

    def part(stream):
        reader = stream.makefile("rb")
        stream.sendall(lines[""])
        while True:
            command = reader.readline().decode("latin-1").strip()
            if not command:
                return
            word = command.split(" ")[0].upper()
            stream.sendall(lines.get(command.upper(), lines.get(word, b"250 2.0.0 ok\r\n")))
            if word == "QUIT":
                return
            if word == "STARTTLS" and identity:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(f"{identity}.crt", f"{identity}.key")
                stream = context.wrap_socket(stream, server_side=True)
                reader = stream.makefile("rb")

    return part


GREETING = b"220 mail.lab.test ESMTP\r\n"
PLAIN = {"": GREETING, "EHLO": b"250-mail.lab.test\r\n250 SIZE 1000000\r\n", "QUIT": b"221 bye\r\n"}
SECURE = {**PLAIN, "EHLO": b"250-mail.lab.test\r\n250 STARTTLS\r\n", "STARTTLS": b"220 go ahead\r\n"}
PICKY = {
    **PLAIN,
    "RCPT TO:<NOBODY@LAB.TEST>": b"550 5.1.1 <nobody@lab.test>: Recipient address rejected: User unknown\r\n",
}


def players(lab):
    serve(8002, lambda stream: time.sleep(20))
    # A moment later than a real one, which blackbox_exporter now and then reads before it has asked.
    serve(8003, lambda stream: (time.sleep(0.1), says(b"SSH-2.0-OpenSSH_9.2\r\n")(stream)))
    serve(8004, head)
    serve(8005, answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nonly this"))
    serve(8090, lambda stream: (head(stream), time.sleep(20)))
    serve(2501, says(b"554 5.7.1 mail.lab.test Client host rejected: Access denied\r\n"))
    serve(2502, says(b"421 4.7.0 mail.lab.test Error: too many connections from 127.0.0.1\r\n"))
    serve(2503, lambda stream: time.sleep(20))
    serve(2504, smtp(PLAIN))
    serve(2505, smtp(SECURE, f"{lab}/mailexpired"))
    serve(2506, smtp(SECURE, f"{lab}/good"))
    serve(2507, smtp(PICKY))
    serve(2508, smtp({**PLAIN, "EHLO": SECURE["EHLO"], "STARTTLS": b"454 4.7.0 TLS not available due to local problem\r\n"}))
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((OURS, 5302))
    return silent


class Servers:
    """Processes that are ended by their number."""

    def __init__(self):
        self.all = []

    def start(self, *words, **more):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        self.all.append(process)
        return process

    def end(self):
        for process in reversed(self.all):
            process.terminate()
        for process in reversed(self.all):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def wait(port, host=OURS):
    for _ in range(500):
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"benches/faults.py: nothing came up on port {port}")


TLS_PORTS = {
    "good": 8440,
    "expired": 8441,
    "future": 8442,
    "soon": 8443,
    "mail": 8444,
    "wildcard": 8445,
    "selfsigned": 8446,
    "incomplete": 8447,
    "private": 8448,
}


def nginx(lab, servers):
    blocks = "".join(
        f"server {{ listen {port} ssl; ssl_certificate {name}.crt; ssl_certificate_key {name}.key; return 200 ok; }}\n"
        for name, port in TLS_PORTS.items()
    )
    with open(f"{lab}/nginx.conf", "w") as file:
        file.write(
            "daemon off; master_process off; pid nginx.pid; error_log error.log; events {}\n"
            "http { access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;\n"
            "scgi_temp_path t5; limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;\n"
            "server { listen 8080; location /dead { proxy_pass http://127.0.0.1:1; }\n"
            "location /slow { proxy_read_timeout 500ms; proxy_pass http://127.0.0.1:8090; }\n"
            "location /loop { return 302 /loop; } location /other { return 200 'Under construction'; }\n"
            "location /missing { return 404; } location / { return 200 Welcome; } }\n"
            "server { listen 8449 ssl; ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;\n"
            f"ssl_certificate good.crt; ssl_certificate_key good.key; return 200 ok; }}\n{blocks}}}\n"
        )
    servers.start("nginx", "-p", lab + "/", "-c", "nginx.conf", "-e", "error.log", cwd=lab)
    wait(8080)


def named(lab, servers):
    zone = "$TTL 60\n@ IN SOA ns me ( 1 60 60 60 60 )\n@ NS ns\nns A 127.0.0.1\nwww A 127.0.0.9\nalias CNAME gone\n"
    open(f"{lab}/zone", "w").write(zone)
    open(f"{lab}/broken", "w").write("@ IN SOA ns me ( 1\n")
    with open(f"{lab}/named.conf", "w") as file:
        file.write(
            f'options {{ directory "{lab}"; listen-on port 5301 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file "pid";\n'
            f'session-keyfile "key"; managed-keys-directory "{lab}"; dnssec-validation no; recursion no; }}; controls {{ }};\n'
            'zone "lab.test" { type primary; file "zone"; }; zone "broken.test" { type primary; file "broken"; };\n'
            'zone "refused.test" { type primary; file "zone"; allow-query { none; }; };\n'
        )
    servers.start("named", "-4", "-g", "-n", "1", "-c", f"{lab}/named.conf", cwd=lab)
    wait(5301)


def mariadb(lab, servers):
    data = f"{lab}/data"
    run(
        "mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db",
        "--auth-root-authentication-method=normal",
    )
    servers.start(
        "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", "--port=3306", "--bind-address=0.0.0.0",
        f"--socket={lab}/s.sock", f"--pid-file={lab}/mariadb.pid", "--max-connect-errors=3",
        "--innodb-buffer-pool-size=16M", "--performance-schema=off",
    )
    for _ in range(400):
        if os.path.exists(f"{lab}/s.sock"):
            break
        time.sleep(0.05)
    sql(
        lab,
        "CREATE USER app@127.0.0.1 IDENTIFIED BY 'secret'; CREATE USER app@localhost IDENTIFIED BY 'secret'; "
        "CREATE USER idle@127.0.0.1; CREATE USER idle@localhost; CREATE USER app@'locked.lab.test'; "
        "DROP USER IF EXISTS ''@localhost, ''@other; SET GLOBAL max_connections = 10",
    )
    # What a port check does that hangs up after the greeting.
    for _ in range(4):
        stream = socket.create_connection((LOCKED, 3306), 5)
        stream.recv(200)
        stream.close()


def sql(lab, statements):
    run("mariadb", "--no-defaults", "-S", f"{lab}/s.sock", "-u", "root", "-e", statements)


def session(user):
    """A session that stays, by the login of a user without a password; or one that has only begun."""
    stream = socket.create_connection((OURS, 3306), 5)
    stream.recv(4096)
    if user:
        body = struct.pack("<IIB23x", 0x0008A201, 1 << 24, 45)
        body += user.encode() + b"\0\0mysql_native_password\0"
        stream.sendall(struct.pack("<I", len(body))[:3] + b"\1" + body)
        stream.recv(4096)
    return stream


BLACKBOX = r"""
modules:
  http: {prober: http, timeout: 3s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: LAB/root.pem}}}
  welcome: {prober: http, timeout: 3s, http: {preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [Welcome]}}
  dns_www: {prober: dns, timeout: 2s, dns: {preferred_ip_protocol: ip4, query_name: www.lab.test, query_type: A,
    validate_answer_rrs: {fail_if_none_matches_regexp: ['A\t127\.0\.0\.8']}}}
DNS
  smtp: {prober: tcp, timeout: 2s, tcp: {preferred_ip_protocol: ip4, query_response: [{expect: '^220 ([^ ]+) ESMTP'}, {send: QUIT}]}}
  smtp_starttls: {prober: tcp, timeout: 3s, tcp: {preferred_ip_protocol: ip4, tls_config: {ca_file: LAB/root.pem, server_name: mail.lab.test},
    query_response: [{expect: '^220 ([^ ]+) ESMTP'}, {send: 'EHLO prober'}, {expect: '^250-STARTTLS|^250 STARTTLS'}, {send: STARTTLS}, {expect: '^220'}, {starttls: true}, {send: QUIT}]}}
  smtp_rcpt: {prober: tcp, timeout: 2s, tcp: {preferred_ip_protocol: ip4,
    query_response: [{expect: '^220'}, {send: 'EHLO prober'}, {expect: '^250 '}, {send: 'MAIL FROM:<>'}, {expect: '^250'}, {send: 'RCPT TO:<nobody@lab.test>'}, {expect: '^250'}, {send: QUIT}]}}
  mysql: {prober: tcp, timeout: 2s, tcp: {preferred_ip_protocol: ip4}}
"""


def blackbox(lab, servers):
    names = ["nx.lab.test", "www.lab.test AAAA", "alias.lab.test", "www.broken.test", "www.refused.test"]
    dns = ""
    for name in names:
        host, _, kind = name.partition(" ")
        kind = kind or "A"
        dns += (
            f"  {module(name)}: {{prober: dns, timeout: 2s, dns: {{preferred_ip_protocol: ip4, query_name: {host}, "
            f"query_type: {kind}, validate_answer_rrs: {{fail_if_none_matches_regexp: ['{kind}\\t.*']}}}}}}\n"
        )
    with open(f"{lab}/blackbox.yml", "w") as file:
        file.write(BLACKBOX.replace("LAB", lab).replace("DNS\n", dns))
    servers.start(
        "prometheus-blackbox-exporter", f"--config.file={lab}/blackbox.yml", "--web.listen-address=127.0.0.1:9115"
    )
    wait(9115)


def module(name):
    return "dns_" + re.sub(r"\W", "_", name)


# ---------------------------------------------------------------- the faults


class Fault:
    def __init__(self, what, ours, wanted, plugin, plugin_names, module, target, module_names, before=None):
        self.what, self.wanted, self.before = what, wanted, before
        self.ours, self.plugin, self.plugin_names = ours, plugin, plugin_names
        self.module, self.target, self.module_names = module, target, module_names


def web(what, wanted, port, names, box_names, path="/", plugin="", ours="", module="http"):
    return Fault(
        what,
        f"http http://127.0.0.1:{port}{path} --timeout 2s {ours}",
        wanted,
        f"check_http -H 127.0.0.1 -p {port} -u {path} -t 2 {plugin}",
        names,
        module,
        f"http://127.0.0.1:{port}{path}",
        box_names,
    )


def tls(what, wanted, port, names, box_names, host="www.lab.test"):
    return Fault(
        what,
        f"tls {host}:{port} --ca-file LAB/root.pem",
        wanted,
        f"check_http -S --sni -H {host} -I 127.0.0.1 -p {port} -C 14,7 --continue-after-certificate -t 3",
        names,
        "http",
        f"https://{host}:{port}/",
        box_names,
    )


def dns(what, wanted, name, port, names, box_names, kind="A", plugin="", ours="", module_of=None):
    return Fault(
        what,
        f"dns {name}@127.0.0.1:{port} --type {kind} --timeout 2s {ours}",
        wanted,
        f"check_dig -H 127.0.0.1 -p {port} -l {name} -T {kind} -t 3 {plugin}",
        names,
        module_of or module(name if kind == "A" else f"{name} {kind}"),
        f"127.0.0.1:{port}",
        box_names,
    )


def mail(what, wanted, port, names, box_names, plugin="", ours="", module="smtp"):
    return Fault(
        what,
        f"smtp mail.lab.test:{port} --ca-file LAB/root.pem --timeout 2s {ours}",
        wanted,
        f"check_smtp -H 127.0.0.1 -p {port} -t 2 {plugin}",
        names,
        module,
        f"127.0.0.1:{port}",
        box_names,
    )


def mysql(what, wanted, host, names, box_names, login=True, port=3306, before=None):
    return Fault(
        what,
        f"mysql {host}:{port} --timeout 4s" + (" --user app --password-file LAB/password" if login else ""),
        wanted,
        f"check_mysql -H {host} -P {port}" + (" -u app -p secret" if login else " -u app -p wrong"),
        names,
        "mysql",
        f"{host}:{port}",
        box_names,
        before,
    )


FAULTS = [
    web("nothing listens", "refused", 8009, "refused", "refused"),
    web("a firewall drops", "timeout", 8001, "filtered|firewall|connect.*timed out|SYN", "dial.*(i/o timeout|deadline)"),
    Fault(
        "the way ends in an error", "tcp 198.51.100.1:80 --timeout 2s", "unreachable",
        "check_tcp -H 198.51.100.1 -p 80 -t 2", "No route to host|unreachable", "http", "http://198.51.100.1/",
        "no route to host|unreachable",
    ),
    web("connected and silent (all workers busy)", "silent", 8002, "silent|no (answer|response|data)|awaiting headers",
        "awaiting headers|awaiting response"),
    web("SSH on the port", "wrong_protocol", 8003, "invalid http|SSH", "malformed HTTP|SSH"),
    web("closed without a byte", "closed_early", 8004, "no data received|closed", "EOF"),
    web("body cut", "body_truncated", 8005, "truncat|incomplete|short", "unexpected EOF"),
    web("502 of a dead upstream", "status_5xx", 8080, "502", "502", "/dead"),
    web("504 of a slow upstream", "status_5xx", 8080, "504", "504", "/slow"),
    web("page not found", "status_4xx", 8080, "404", "404", "/missing"),
    web("redirect loop", "redirect_loop", 8080, "infinite loop|redirect", "stopped after|redirect", "/loop", "-f follow",
        "--redirect follow"),
    web("another page than expected", "unexpected", 8080, "not found|string", "match", "/other", "-s Welcome",
        "--expect-body Welcome", "welcome"),
    web("plain HTTP to the TLS port", "wrong_protocol", 8440, "HTTPS|plain HTTP|TLS", "HTTPS|plain HTTP|TLS"),
    tls("TLS to a plain port", "not_tls", 8080, "not TLS|plain|HTTP response", "HTTP response to HTTPS"),
    tls("certificate expired", "expired", 8441, "expired", "expired"),
    tls("certificate not valid yet", "not_yet_valid", 8442, "not yet valid|not valid before", "is before|not yet valid"),
    tls("certificate about to end", "expiring", 8443, "expires|day", "expir"),
    tls("certificate for another name", "wrong_name", 8444, "name|mail.lab.test", "valid for mail.lab.test"),
    tls("wildcard one label off", "wildcard_too_narrow", 8445, "name|wildcard", r"valid for \*", "a.b.lab.test"),
    tls("self-signed", "self_signed", 8446, "self.signed", "self.signed"),
    tls("intermediate not sent", "incomplete_chain", 8447, "issuer|incomplete|chain", "incomplete|intermediate"),
    tls("root not trusted", "unknown_root", 8448, "unknown|untrusted|trust|authority", "unknown authority"),
    tls("only TLS 1.1", "tls_too_old", 8449, "protocol|version", "protocol version|unsupported versions"),
    dns("name does not exist", "nxdomain", "nx.lab.test", 5301, "NXDOMAIN|does not exist", "NXDOMAIN"),
    dns("no record of that type", "nodata", "www.lab.test", 5301, "no answer", "no RRs|none matches|matched", "AAAA"),
    dns("alias to nowhere", "dangling_cname", "alias.lab.test", 5301, "CNAME|an alias", "CNAME|an alias"),
    dns("zone not loaded", "servfail", "www.broken.test", 5301, "SERVFAIL", "SERVFAIL"),
    dns("refused", "dns_refused", "www.refused.test", 5301, "REFUSED", "REFUSED"),
    dns("another address than expected", "unexpected", "www.lab.test", 5301, "expect|not found", "match",
        plugin="-a 127.0.0.8", ours="--expect 127.0.0.8", module_of="dns_www"),
    dns("name server silent", "dns_timeout", "nx.lab.test", 5302, "timeout|timed out|no servers", "timeout|deadline"),
    dns("name server stopped", "dns_port_closed", "nx.lab.test", 5303, "refused", "refused"),
    mail("mail server does not want this client", "turned_away", 2501, "554|rejected|denied", "554|rejected|denied"),
    mail("mail server full", "busy", 2502, "421|too many", "421|too many"),
    mail("mail server silent", "silent", 2503, "silent|no (answer|response|data|banner)", "greeting|banner"),
    mail("STARTTLS not offered", "starttls_missing", 2504, "not (supported|offered)|does not support", "not offered|does not support", "-S",
         "--starttls require", "smtp_starttls"),
    mail("STARTTLS offered and refused", "starttls_refused", 2508, "454|not available", "454|not available", "-S",
         "--starttls require", "smtp_starttls"),
    mail("mail server's certificate expired", "expired", 2505, "expired", "expired", "-S -D 14,7", "--starttls require",
         "smtp_starttls"),
    mail("mail server's certificate for another name", "wrong_name", 2506, "name", "valid for", "-S -D 14,7",
         "--starttls require", "smtp_starttls"),
    mail("recipient unknown", "mail_rejected", 2507, "550|unknown|5\\.1\\.1", "550|unknown|5\\.1\\.1",
         "-f <> -C RCPT_TO:<nobody@lab.test> -R 250", "--rcpt nobody@lab.test", "smtp_rcpt"),
    mysql("database stopped", "refused", OURS, "refused|can't connect", "refused", port=3307),
    mysql("password wrong", "auth_fail", OURS, "access denied|1045", "denied|1045", login=False),
    mysql("host not allowed", "host_denied", OTHER, "not allowed|1130", "not allowed|1130"),
    mysql("host locked out", "host_blocked", LOCKED, "blocked|1129", "blocked|1129"),
    mysql("no connection left, after the login", "too_many_connections", OURS, "too many|1040", "too many|1040", before="full"),
    mysql("no connection left, instead of the greeting", "too_many_connections", OURS, "too many|1040", "too many|1040",
          before="over"),
]

# ---------------------------------------------------------------- asking


def ask_ours(logmill, fault, lab):
    words = fault.ours.replace("LAB", lab).split()
    if fault.what == "password wrong":
        words += ["--user", "app", "--password-file", f"{lab}/wrong"]
    done = subprocess.run([logmill, "probe", *words, "--output", "ndjson"], capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[0])
    return found["class"], found["result"]


def ask_plugin(fault):
    words = [word.replace("RCPT_TO", "RCPT TO") for word in fault.plugin.split()]
    done = subprocess.run([PLUGINS + words[0], *words[1:]], capture_output=True, text=True, errors="replace")
    said = " / ".join((done.stdout + done.stderr).split("\n")).strip(" /")
    return done.returncode, said.split("|")[0]


def ask_blackbox(fault):
    query = urllib.parse.urlencode({"target": fault.target, "module": fault.module, "debug": "true"})
    with urllib.request.urlopen(f"http://127.0.0.1:9115/probe?{query}", timeout=20) as answer:
        text = answer.read().decode(errors="replace")
    log = text.split("Logs for the probe:")[-1].split("Metrics that would have been returned:")[0]
    success = re.search(r"^probe_success 1$", text, re.M) is not None
    # What it says of the fault: not its own plan, and not what it took for success.
    lines = [line for line in log.splitlines() if "level=error" in line or "err=" in line or "level=warn" in line]
    status = re.search(r"^probe_http_status_code (\d+)$", text, re.M)
    lines += [f"status {status.group(1)}"] if status and status.group(1) not in ("0", "200") else []
    lines += [line for line in log.splitlines() if re.search("rcode|Invalid|does not|did not|no RR|match", line)]
    return 0 if success else 2, " / ".join(dict.fromkeys(lines))


def verdict(code, said, names):
    if code == 0:
        return "**OK**"
    return "named" if re.search(names, said, re.I) else "seen"


def main():
    sheltered()
    logmill = build()
    lab = tempfile.mkdtemp(prefix="logmill-faults-")
    os.chmod(lab, 0o755)
    servers, held = Servers(), []
    try:
        open(f"{lab}/password", "w").write("secret\n")
        open(f"{lab}/wrong", "w").write("wrong\n")
        network(lab)
        certificates(lab)
        silent = players(lab)
        nginx(lab, servers)
        named(lab, servers)
        mariadb(lab, servers)
        blackbox(lab, servers)
        wrong = table(logmill, lab, held)
        silent.close()
    finally:
        for stream in held:
            stream.close()
        servers.end()
        shutil.rmtree(lab, ignore_errors=True)
    sys.exit(1 if wrong else 0)


def table(logmill, lab, held):
    count = {"ours": 0, "plugins": {}, "blackbox": {}}
    print("| fault | class | plugin | blackbox |\n| --- | --- | --- | --- |")
    for fault in FAULTS:
        if fault.before == "full":
            held += [session("idle") for _ in range(10)]
        if fault.before == "over":
            held.append(session(None))
        ours, line = ask_ours(logmill, fault, lab)
        code, said = ask_plugin(fault)
        plugin = verdict(code, said, fault.plugin_names)
        box_code, box_said = ask_blackbox(fault)
        box = verdict(box_code, box_said, fault.module_names)
        count["ours"] += ours == fault.wanted
        for who, what in [("plugins", plugin), ("blackbox", box)]:
            count[who][what] = count[who].get(what, 0) + 1
        shown = f"`{ours}`" if ours == fault.wanted else f"`{ours}`, not `{fault.wanted}`"
        print(f"| {fault.what} | {shown} | {plugin} | {box} |", flush=True)
        if VERBOSE:
            print(f"{fault.what}\n  ours: {line}\n  {code} {said}\n  {box_code} {box_said}\n", file=sys.stderr)
    words = lambda of: ", ".join(f"{of[name]} {name.strip('*')}" for name in ["named", "seen", "**OK**"] if name in of)
    print(f"\n{len(FAULTS)} faults. logmill: {count['ours']} named. plugins: {words(count['plugins'])}. "
          f"blackbox_exporter: {words(count['blackbox'])}.")
    return count["ours"] != len(FAULTS)


if __name__ == "__main__":
    main()
