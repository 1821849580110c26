#!/usr/bin/env python3
"""Measures what logmill probe costs: a thousand checks at once, and its own part of an HTTPS check.

  benches/probes.py                      both; needs openssl for a certificate
  RUNS=9 benches/probes.py               how often each is run (5); the median and the extremes are shown
  LOGMILL=target/release/logmill         a binary that is built already (else: cargo build --release)

The checks go to a hundred listeners of this script on loopback, which say a line one second after a client connects; the
time is that of the whole command, the memory its largest resident size. Of an HTTPS check the steps (name, connection,
handshake, first byte, body) are the network's and the server's time; what the check takes beyond their sum is its own, and
what the command takes beyond it is the start of a process, the roots of the system read and the answer printed.

Other work on the machine counts in: two processors serve the listeners too.

The exit status is 1 when a check fails, or a figure is over what it must be (2.5 s and 40 MB; 5 ms).
"""

import asyncio
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

RUNS = int(os.environ.get("RUNS", "5"))
LISTENERS, CHECKS = 100, 1000
MOST_SECONDS, MOST_MEGABYTES, MOST_OWN_MILLIS = 2.5, 40, 5


def build():
    if os.environ.get("LOGMILL"):
        return os.path.abspath(os.environ["LOGMILL"])
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "logmill"], check=True)
    return os.path.abspath("target/release/logmill")


async def slow(reader, writer):
    await asyncio.sleep(1)
    writer.write(b"220 ready\r\n")
    await reader.read(100)
    writer.close()


async def page(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    await writer.drain()
    writer.close()


def listeners(lab):
    """Starts them in a thread; the ports of the slow ones and that of the page."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{lab}/cert.pem", f"{lab}/key.pem")
    ports, ready = [], threading.Event()

    async def start():
        for _ in range(LISTENERS):
            server = await asyncio.start_server(slow, "127.0.0.1", 0, backlog=256)
            ports.append(server.sockets[0].getsockname()[1])
        server = await asyncio.start_server(page, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(start()), daemon=True).start()
    ready.wait()
    return ports[:-1], ports[-1]


def command(words):
    """Its output, seconds and largest resident megabytes."""
    began = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return output.decode(), took, usage.ru_maxrss * 1024 / 1e6


def shown(values, unit):
    low, mid, high = min(values), statistics.median(values), max(values)
    return f"{mid:.2f} {unit} ({low:.2f} to {high:.2f})"


def thousand(logmill, lab, ports):
    with open(f"{lab}/targets", "w") as file:
        file.writelines(f"127.0.0.1:{ports[number % len(ports)]}\n" for number in range(CHECKS))
    words = [logmill, "probe", "tcp", "--targets-from", f"{lab}/targets", "--expect", "220", "--output", "ndjson"]
    seconds, megabytes, bad = [], [], 0
    for _ in range(RUNS):
        output, took, size = command(words)
        seconds.append(took)
        megabytes.append(size)
        classes = [json.loads(line)["class"] for line in output.splitlines()]
        bad += CHECKS - classes.count("open")
    print(f"{CHECKS} TCP checks of listeners that answer after a second: {shown(seconds, 's')}, {shown(megabytes, 'MB')}")
    return bad == 0 and statistics.median(seconds) < MOST_SECONDS and max(megabytes) < MOST_MEGABYTES


def https(logmill, lab, port):
    url = f"https://www.lab.test:{port}/"
    words = [logmill, "probe", "http", url, "--ca-file", f"{lab}/cert.pem", "--resolve", "www.lab.test=127.0.0.1",
             "--expect-body", "ok", "--output", "ndjson"]
    own, steps, beyond, good = [], [], [], True
    for _ in range(RUNS * 4):
        output, took, _ = command(words)
        found = json.loads(output)
        good &= found["class"] == "open"
        spent = sum(step["time"] for step in found["steps"]) / 1000
        steps.append(spent)
        own.append(found["took"] / 1000 - spent)
        beyond.append(took * 1000 - found["took"] / 1000)
    print(f"a full HTTPS check: its steps {shown(steps, 'ms')}, its own time {shown(own, 'ms')}, "
          f"the command around it {shown(beyond, 'ms')}")
    return good and statistics.median(own) < MOST_OWN_MILLIS


def main():
    logmill = build()
    lab = tempfile.mkdtemp(prefix="logmill-probes-")
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
             "-keyout", f"{lab}/key.pem", "-out", f"{lab}/cert.pem", "-subj", "/CN=www.lab.test",
             "-addext", "subjectAltName=DNS:www.lab.test"],
            check=True, stderr=subprocess.DEVNULL,
        )
        slow_ports, page_port = listeners(lab)
        good = [thousand(logmill, lab, slow_ports), https(logmill, lab, page_port)]
    finally:
        shutil.rmtree(lab, ignore_errors=True)
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
