# SPDX-License-Identifier: GPL-2.0-or-later
"""Time how datagrams are handed on as they came: run.py --tee.

They wait in the socket of a stopped program; what is timed is how it fetches and sends them,
until none is left. Each was sent by itself, as exporters do; "joined" is weir where they were
sent together, which is how a network card hands on what comes fast (UDP_GRO). The receiver is
a socket that nobody reads: what the kernel threw away there and what lies in it are counted,
and every copy should have come: rates are those of copies that did.
"""
import os
import shutil
import signal
import socket
import statistics
import subprocess
import time
from pathlib import Path

DATAGRAMS = 40_000
SOCKET_OCTETS = 256 << 20  # of the program; as root, else as far as rmem_max allows


class Relay:
    """The bare loop of recvmmsg and sendmmsg."""

    name, sent = "relay", ["--one-by-one"]

    def __init__(self, bench, work):
        self.bench, self.log = bench, work / "relay.log"

    def argv(self, port, to):
        return [self.bench.BIN / "relay", port, to, SOCKET_OCTETS]


class Tee:
    """weir or nfacctd with one receiver."""

    def __init__(self, bench, work, name, more="", joined=False):
        self.bench, self.name, self.more = bench, name, more
        self.sent = [] if joined else ["--one-by-one"]
        self.conf, self.log = work / f"{name}.conf", work / f"{name}.log"
        self.receivers = work / f"{name}.receivers"

    def argv(self, port, to):
        self.receivers.write_text(f"id=1 ip=127.0.0.1:{to}\n")
        self.conf.write_text(
            f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: tee[t]\n"
            f"nfacctd_pipe_size: {SOCKET_OCTETS}\ntee_receivers[t]: {self.receivers}\n{self.more}")
        if self.name == "nfacctd":
            return ["nfacctd", "-f", self.conf]
        return [self.bench.WEIR, "run", "--as", "nfacctd", "-f", self.conf]


def session_seconds(bench, leader):
    """Of the processor, of all threads of a session."""
    ns = 0
    for pid in bench.session_pids(leader):
        for task in Path(f"/proc/{pid}/task").iterdir():
            ns += int((task / "schedstat").read_text().split()[0])
    return ns / 1e9


def sink_total(bench, sink, octets):
    """Datagrams that came to `sink`: read what it holds, add what it lost."""
    n = 0
    sink.setblocking(False)
    try:
        while True:
            assert len(sink.recv(65536)) == octets
            n += 1
    except BlockingIOError:
        pass
    return n + sum(d for _, d in bench.udp_sockets(sink.getsockname()[1]))


def step(bench, program):
    """(copies a second, µs of processor each, how much of it came)."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sink.bind(("127.0.0.1", 0))
    to, port = sink.getsockname()[1], bench.free_udp_port()
    with open(program.log, "wb") as log:
        child = subprocess.Popen([str(a) for a in program.argv(port, to)], stdin=subprocess.DEVNULL,
                                 stdout=log, stderr=log, start_new_session=True)
    bench.wait_until(lambda: any(True for _ in bench.udp_sockets(port)), 15)
    time.sleep(0.5)
    for pid in bench.session_pids(child.pid):
        os.kill(pid, signal.SIGSTOP)
    # One sender: so all of it waits in one worker's socket.
    subprocess.run([bench.BIN / "weir-gen", "--kind", "netflow5", "--keys", "10000", "--records",
                    str(DATAGRAMS * bench.UDP_RECORDS), "--udp", f"127.0.0.1:{port}", *program.sent],
                   check=True, stdout=subprocess.DEVNULL)
    lost = sum(d for _, d in bench.udp_sockets(port))
    start, before = time.monotonic(), session_seconds(bench, child.pid)
    for pid in bench.session_pids(child.pid):
        os.kill(pid, signal.SIGCONT)
    bench.wait_until(lambda: not bench.udp_queued(port)(), 120, 0.001)
    seconds = time.monotonic() - start
    bench.wait_idle(child.pid, bench.udp_queued(port))
    cost = session_seconds(bench, child.pid) - before
    came = sink_total(bench, sink, 24 + 48 * bench.UDP_RECORDS)
    bench.kill_session(child.pid)
    bench.reap_all(0)
    sink.close()
    n = DATAGRAMS - lost
    return came / seconds, 1e6 * cost / came, came / n


def measure(work, args, bench):
    programs = [Relay(bench, work)]
    if not args.without_weir:
        programs.append(Tee(bench, work, "weir", "workers: 1\n"))
        programs.append(Tee(bench, work, "weir, joined", "workers: 1\nnfacctd_udp_gro: true\n",
                            joined=True))
        tags = work / "tags"
        tags.write_text("set_tag=1 ip=127.0.0.0/8\n")
        programs.append(Tee(bench, work, "weir, by tag",
                            f"workers: 1\npre_tag_map: {tags}\npre_tag_filter[t]: 1\n"))
    if not args.without_peers and shutil.which("nfacctd"):
        programs.append(Tee(bench, work, "nfacctd", "tee_pipe_size: 67108864\n"
                            "plugin_pipe_zmq: true\nplugin_pipe_zmq_profile: xlarge\n"))
    results = {p.name: [] for p in programs}
    for _ in range(args.runs):
        for p in programs:
            results[p.name].append(step(bench, p))
    rows = [["", "copies/s", "by relay's", "µs of CPU each", "relay's by it", "copies"]]
    base = [statistics.median(r[i] for r in results["relay"]) for i in (0, 1)]
    for name, got in results.items():
        rate, cost = (statistics.median(r[i] for r in got) for i in (0, 1))
        share = statistics.median(r[2] for r in got)
        rows.append([name, f"{rate:.0f}", f"{rate / base[0]:.2f}", f"{cost:.2f}",
                     f"{base[1] / cost:.2f}" if cost else "-",
                     "all" if all(r[2] == 1 for r in got) else f"SHORT: {100 * share:.0f} %"])
    print(f"{DATAGRAMS} datagrams of NetFlow v5 handed on to one receiver, median of {args.runs}:")
    bench.table(rows)
