#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Time weir against pmacct's daemons and against what the machine allows.

Inputs come from weir-gen, which knows the true totals; every program's totals are held
against them. README.md beside this file says what the columns mean.
"""

import argparse
import ctypes
import importlib
import ipaddress
import json
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

SCALE = float(os.environ.get("BENCH_SCALE", "1"))
BIN = Path(os.environ.get("BENCH_BIN", Path(__file__).resolve().parent))
WEIR = os.environ.get("WEIR", str(BIN.parent / "weir"))
TIMEOUT_S = 600
AGGREGATE = "src_host, dst_host, src_port, dst_port, proto"


def scaled(n):
    return max(1, int(n * SCALE))


# ---------------------------------------------------------------- inputs


@dataclass
class Input:
    """One generated file and the truth about it."""

    path: Path
    records: int
    keys: int
    packets: int
    octets: int  # as the daemons count: link octets for sFlow, IP octets otherwise
    frames: int  # records of the pcap file
    networks: Path = None  # networks_file, where the case wants one
    tags: Path = None  # pre_tag_map, likewise


@dataclass
class Case:
    name: str
    kind: str  # weir-gen's
    daemon: str  # whose place weir takes
    keys: int
    records: int = 5_000_000
    options: list = field(default_factory=list)
    aggregate: str = AGGREGATE
    # a networks_file: "own" has all networks that come, "full" is as large as the Internet's
    networks: str = ""
    lines: list = field(default_factory=list)  # more of the configuration
    filters: int = 0  # expressions in aggregate_filter, of which the last passes everything
    tags: int = 0  # rules in pre_tag_map, each for a source, and the last for everything


CASES = [
    Case("packets, 100 k keys", "packets", "pmacctd", 100_000),
    Case("packets, 1 M keys", "packets", "pmacctd", 1_000_000),
    Case("packets, by network", "packets", "pmacctd", 100_000, networks="own",
         aggregate="src_net, dst_net"),
    Case("NetFlow v5, 100 k keys", "netflow5", "nfacctd", 100_000),
    Case("NetFlow v9, 100 k keys", "netflow9", "nfacctd", 100_000),
    Case("IPFIX, 100 k keys", "ipfix", "nfacctd", 100_000),
    Case("sFlow v5, 100 k keys", "sflow5", "sfacctd", 100_000),
    Case("packets, 2 filters", "packets", "pmacctd", 100_000, filters=2),
    Case("packets, 128 filters", "packets", "pmacctd", 100_000, 2_000_000, filters=128),
    Case("NetFlow v5, 2 filters", "netflow5", "nfacctd", 100_000, filters=2),
    Case("NetFlow v5, 128 filters", "netflow5", "nfacctd", 100_000, 2_000_000, filters=128),
    Case("sFlow v5, 2 filters", "sflow5", "sfacctd", 100_000, filters=2),
    Case("networks-full: NetFlow v9 by network and AS", "netflow9", "nfacctd", 100_000,
         networks="full", aggregate="src_net, dst_net, src_as, dst_as",
         lines=["nfacctd_net: file", "nfacctd_as: file"]),
    Case("NetFlow v5, 10 rules that tag, 2 filters", "netflow5", "nfacctd", 100_000,
         aggregate=f"{AGGREGATE}, tag", tags=10, filters=2),
    Case("NetFlow v5, 100 k rules that tag", "netflow5", "nfacctd", 200_000,
         aggregate=f"{AGGREGATE}, tag", tags=100_000),
]
# For memory every key is as likely, so that they all come.
MEMORY_CASE = Case("memory, 1 M keys", "packets", "pmacctd", 1_000_000,
                   options=["--uniform"])


def filter_list(n):
    """Expressions that some traffic passes, and one that all does."""
    some = [f"src net 198.18.{2 * i}.0/23 and not udp port 53" for i in range(n - 1)]
    return [*some, "ip or ip6 or vlan"]


def write_networks(truth, path):
    """The networks of all addresses: a /24 of each IPv4, a /48 of each IPv6."""
    found = set()
    for line in truth.read_text().splitlines():
        for text in line.split(",")[:2] if not line.startswith("#") else ():
            length = 48 if ":" in text else 24
            found.add(ipaddress.ip_network(f"{text}/{length}", strict=False))
    path.write_text("".join(f"{n}\n" for n in sorted(found, key=str)))


# How many in a hundred prefixes have a length, about as in the Internet's tables.
V4_LENGTHS = {24: 60, 23: 8, 22: 10, 21: 5, 20: 5, 19: 3, 18: 2, 17: 1, 16: 2, 15: 1, 14: 1,
              13: 1, 12: 1}
V6_LENGTHS = {48: 47, 32: 14, 44: 10, 40: 8, 36: 4, 46: 4, 47: 3, 45: 2, 42: 2, 38: 1, 34: 1,
              33: 2, 29: 2}
V6_BLOCKS = [0x2001, 0x2400, 0x2404, 0x2600, 0x2604, 0x2620, 0x2800, 0x2804, 0x2a00, 0x2a02,
             0x2a0c, 0x2c0f]


def write_full_table(path, v4=1_000_000, v6=250_000):
    """A table of the Internet's size and shape, with AS; a tenth is where the traffic is."""
    draw = random.Random(1)
    systems = [draw.randrange(1, 400_000) for _ in range(80_000)]
    blocks = [draw.choice(V6_BLOCKS) << 16 | draw.randrange(1 << 16) for _ in range(60_000)]
    found = set()

    def lengths(shares, n):
        return draw.choices(list(shares), list(shares.values()), k=n)

    def prefix(bits, length, width, left):
        first = bits >> (width - length) << (width - length + left)
        return f"{ipaddress.ip_address(first)}/{length}"
    with open(path, "w") as out:
        for family, shares, n in ((4, V4_LENGTHS, v4), (6, V6_LENGTHS, v6)):
            while n > 0:
                for length in lengths(shares, n):
                    if family == 4:
                        here = draw.random() < 0.1
                        bits = (0xc6120000 | draw.randrange(1 << 17) if here else
                                draw.randrange(0x01000000, 0xe0000000))
                        text = prefix(bits, length, 32, 0)
                    else:
                        bits = draw.choice(blocks) << 32 | draw.randrange(1 << 32)
                        text = prefix(bits, length, 64, 64)
                    if text not in found:
                        found.add(text)
                        out.write(f"{draw.choice(systems)},{text}\n")
                        n -= 1


def networks_for(case, directory, pcap):
    """The networks_file of a case, None when it has none."""
    if case.networks == "own":
        write_networks(pcap.with_suffix(".csv"), pcap.with_suffix(".networks"))
        return pcap.with_suffix(".networks")
    if case.networks != "full":
        return None
    path = directory / "full.networks"
    if not path.exists():
        write_full_table(path, scaled(1_000_000), scaled(250_000))
    return path


def tags_for(case, pcap):
    """The pre_tag_map of a case, None when it has none: a rule for each of the first sources,
    as far as there are any, and one for the rest."""
    if not case.tags:
        return None
    truth, path = pcap.with_suffix(".csv"), pcap.with_suffix(f".{case.tags}.map")
    sources = {line.split(",")[0]: None for line in truth.read_text().splitlines()
               if line[0].isdigit()}
    rules = [f"set_tag={i} ip=0.0.0.0/0 src_net={source}"
             for i, source in enumerate([*sources][:case.tags - 1], 1)]
    path.write_text("\n".join([*rules, f"set_tag={case.tags} ip=0.0.0.0/0", ""]))
    return path


def generate(case, directory, records=None, keys=None):
    records = records or scaled(case.records)
    keys = keys or scaled(case.keys)
    path = directory / f"{case.kind}-{records}-{keys}{''.join(case.options)}.pcap"
    out = subprocess.run(
        [BIN / "weir-gen", "--kind", case.kind, "--records", str(records),
         "--keys", str(keys), "--pcap", path, *case.options,
         *(["--truth", path.with_suffix(".csv")] if case.networks == "own" or case.tags
           else [])],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    networks = networks_for(case, directory, path)
    t = dict(word.split("=") for word in out.split())
    octets = t["bytes_l2"] if case.kind == "sflow5" else t["bytes"]
    return Input(path, records, int(t["keys"]), int(t["packets"]), int(octets),
                 int(t.get("frames") or t["datagrams"]), networks, tags_for(case, path))


# ---------------------------------------------------------------- running


@dataclass
class Result:
    seconds: float
    peak: int = 0  # octets of memory
    packets: int = 0
    octets: int = 0
    rows: int = 0
    failure: str = ""


class TimedOut(Exception):
    pass


def on_alarm(signum, frame):
    raise TimedOut


def adopt_orphans():
    """Writers that a daemon leaves behind become our children: we wait for them, too."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def reap_all(leader):
    """Wait for every child; returns the leader's status, None when it is not among them."""
    status = None
    while True:
        try:
            pid, st = os.waitpid(-1, 0)
        except ChildProcessError:
            return status
        if pid == leader:
            status = st


def kill_session(leader):
    """End what we started: our child's process group."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


def failure_text(status):
    code = os.waitstatus_to_exitcode(status)
    return f"exit status {code}" if code != 0 else ""


def run(argv, log):
    """Run a program until the last of its processes is gone."""
    with open(log, "wb") as out:
        start = time.monotonic()
        child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=out, start_new_session=True)
        signal.alarm(TIMEOUT_S)
        try:
            status = reap_all(child.pid)
            failure = failure_text(status)
        except TimedOut:
            kill_session(child.pid)
            status = reap_all(child.pid)
            failure = f"not done after {TIMEOUT_S} s"
        finally:
            signal.alarm(0)
        child.returncode = status or 0
        return Result(time.monotonic() - start, failure=failure)


def session_pids(leader):
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            if stat.rsplit(")", 1)[1].split()[3] == str(leader):
                yield int(entry.name)


def session_memory(leader):
    """Memory of all processes of a session; pages that they share count once."""
    total = 0
    for pid in session_pids(leader):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


def run_for_memory(argv, log):
    """As run(), but watch the memory of all its processes; too disturbing for timing."""
    peak = 0
    # What a process used before it became the program counts in its ru_maxrss: ours.
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open(log, "wb") as out:
        start = time.monotonic()
        child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=out, start_new_session=True)
        failure = ""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid != 0:
                if usage.ru_maxrss > ours:
                    peak = max(peak, usage.ru_maxrss * 1024)
                if pid == child.pid:
                    child.returncode = status
                    failure = failure_text(status)
                continue
            peak = max(peak, session_memory(child.pid))
            if time.monotonic() - start > TIMEOUT_S:
                kill_session(child.pid)
                failure = f"not done after {TIMEOUT_S} s"
            time.sleep(0.01)
    return Result(time.monotonic() - start, peak=peak, failure=failure)


# ---------------------------------------------------------------- programs


def sum_csv(path, result):
    """Add up a print plugin's CSV file; its title line says where the counters are."""
    if not path.exists():
        result.failure = result.failure or "no output"
        return
    with open(path) as rows:
        packets = octets = None
        for row in rows:
            cells = row.rstrip("\n").split(",")
            if "PACKETS" in cells:
                packets, octets = cells.index("PACKETS"), cells.index("BYTES")
            elif packets is not None:
                result.packets += int(cells[packets])
                result.octets += int(cells[octets])
                result.rows += 1


class Daemon:
    """A program with pmacct's configuration and the print plugin."""

    def __init__(self, name, work):
        self.name = name
        self.conf = work / f"{name}.conf"
        self.csv = work / f"{name}.csv"
        self.log = work / f"{name}.log"

    def plugin_lines(self, keys):
        raise NotImplementedError

    def argv(self, case):
        raise NotImplementedError

    def configure(self, keys, *input_lines, aggregate=AGGREGATE):
        lines = [*input_lines, "plugins: print[a]", f"aggregate[a]: {aggregate}",
                 "print_output[a]: csv", f"print_output_file[a]: {self.csv}",
                 "print_refresh_time[a]: 3600", *self.plugin_lines(keys)]
        self.conf.write_text("\n".join(lines) + "\n")
        self.csv.unlink(missing_ok=True)

    def filter_line(self, filters):
        return f"aggregate_filter[a]: {', '.join(filters)}"

    def measure(self, case, data, runner=run):
        lines = [f"networks_file: {data.networks}"] if data.networks else []
        if case.filters:
            lines.append(self.filter_line(filter_list(case.filters)))
        lines += case.lines
        if data.tags:
            lines.append(f"pre_tag_map: {data.tags}")
        self.configure(data.keys, f"pcap_savefile: {data.path}", *lines,
                       aggregate=case.aggregate)
        result = runner(self.argv(case), self.log)
        sum_csv(self.csv, result)
        return result


class Weir(Daemon):
    def __init__(self, work, workers, name="weir"):
        super().__init__(name, work)
        self.workers = workers

    def plugin_lines(self, keys):
        return [f"workers: {self.workers}", f"max_entries: {max(2_000_000, 2 * keys)}"]

    def argv(self, case):
        return [WEIR, "run", "--as", case.daemon, "-f", self.conf]


class Pmacct(Daemon):
    """pmacctd, nfacctd or sfacctd with a ZeroMQ queue: the fastest that is usually exact."""

    def plugin_lines(self, keys):
        # With fewer buckets (16411 is the default) it writes early, in many small
        # pieces, and loses most of a million keys.
        return ["plugin_pipe_zmq: true", "plugin_pipe_zmq_profile: xlarge",
                "print_output_file_append[a]: true",
                f"print_cache_entries[a]: {max(40009, keys // 8)}"]

    def filter_line(self, filters):
        # pmacctd leaves aggregate_filter out where it reads a file.
        if self.name == "pmacctd":
            return f"pcap_filter: {' or '.join(f'({f})' for f in filters)}"
        return super().filter_line(filters)

    def argv(self, case):
        return [self.name, "-f", self.conf]


class Limit:
    """A program of bench/limits: it prints its totals itself."""

    def __init__(self, name, work, *options):
        self.name = " ".join([name, *options])
        self.log = work / f"{name}.log"
        self.program = BIN / name
        self.options = [work / f"{name}.csv" if o == "CSV" else o for o in options]

    def measure(self, case, data, runner=run):
        result = runner([self.program, *self.options, data.path], self.log)
        words = self.log.read_text().split()
        t = dict(word.split("=") for word in words if "=" in word)
        result.packets = int(t.get("packets", 0))
        result.octets = int(t.get("bytes", 0))
        result.rows = int(t.get("keys", 0))
        return result


def programs_for(case, work, args):
    """weir first; pcapnull counts frames and has its own truth."""
    out = []
    if not args.without_weir:
        out.append(Weir(work, args.workers))
    # nfacctd 1.7.7 does not come to an end with an index of sources, nor soon without.
    if not args.without_peers and not case.tags and shutil.which(case.daemon):
        out.append(Pmacct(case.daemon, work))
    if case.aggregate == AGGREGATE and case.kind in ("packets", "netflow5") and \
            not case.filters:
        five = ["-5"] if case.kind == "netflow5" else []
        out.append(Limit("pcapagg", work, *five, "-w", "CSV"))
        out.append(Limit("pcapagg", work, *five))
    out.append(Limit("pcapnull", work))
    return out


# ---------------------------------------------------------------- telling


def verdict(program, data, results):
    """Whether every run's totals were the truth."""
    wrong = []
    for r in results:
        if r.failure:
            wrong.append(r.failure)
        elif program.name == "pcapnull":
            if r.packets != data.frames:
                wrong.append(f"{r.packets} frames of {data.frames}")
        elif (r.packets, r.octets) != (data.packets, data.octets):
            wrong.append(f"packets {r.packets - data.packets:+d}"
                         f" ({100 * r.packets / data.packets - 100:+.1f} %),"
                         f" bytes {r.octets - data.octets:+d}")
    if not wrong:
        return "exact"
    return f"WRONG in {len(wrong)} of {len(results)}: {wrong[-1]}"


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:-1], widths[1:])]
        print("  " + "  ".join(cells + [row[-1]]))
    print(flush=True)


def rate_text(rate):
    if not rate:
        return "-"
    return f"{rate / 1e6:.2f} M" if rate >= 1e6 else f"{rate / 1e3:.1f} k"


def machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    u = os.uname()
    print(f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB,"
          f" {u.sysname} {u.release} {u.machine}")
    for name in ("pmacctd", "nfacctd", "sfacctd"):
        if shutil.which(name):
            text = subprocess.run([name, "-V"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True).stdout
            print(text.splitlines()[0])
    print_load()
    print(flush=True)


def print_load():
    """Who else is at work: with much of it the figures say little."""
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    busy = "; the machine is busy, do not trust the figures" if load > cores / 2 else ""
    print(f"load before: {load:.2f}{busy}")


# ---------------------------------------------------------------- the measurements


def warm(path):
    """Bring the file (back) into the page cache."""
    with open(path, "rb", buffering=0) as f:
        buffer = bytearray(1 << 20)
        while f.readinto(buffer):
            pass


def measure_case(case, work, args):
    data = generate(case, work)
    one = generate(case, work, records=1, keys=1)
    programs = programs_for(case, work, args)
    results = {p.name: [] for p in programs}
    starts = {p.name: [] for p in programs}

    for n in range(args.runs):
        for p in programs[n % len(programs):] + programs[:n % len(programs)]:
            if n < 3:
                starts[p.name].append(p.measure(case, one).seconds)
            warm(data.path)
            results[p.name].append(p.measure(case, data))
            if args.verbose:
                r = results[p.name][-1]
                print(f"    {p.name}: {r.seconds:.3f} s {r.packets} {r.octets}"
                      f" {r.failure}", file=sys.stderr)
    report_case(case, data, programs, results, starts)
    data.path.unlink()
    return {p.name: {"seconds": [r.seconds for r in results[p.name]],
                     "start": starts[p.name], "totals": verdict(p, data, results[p.name])}
            for p in programs}


def report_case(case, data, programs, results, starts):
    net, rows = {}, []
    for p in programs:
        seconds = statistics.median(r.seconds for r in results[p.name])
        start = statistics.median(starts[p.name])
        # Too short to tell from the start: a larger BENCH_SCALE tells.
        net[p.name] = data.records / (seconds - start) if seconds > start + 0.001 else 0
        rows.append([p.name, f"{seconds:.3f}", f"{start:.3f}",
                     rate_text(data.records / seconds), rate_text(net[p.name])])
    print(f"{case.name}: {data.records} records, {data.keys} keys came,"
          f" {data.frames} frames; median of {len(next(iter(results.values())))}")
    weir = net.get("weir")
    for p, row in zip(programs, rows):
        known = weir and net[p.name] and p.name != "weir"
        row.append(f"{weir / net[p.name]:.2f}" if known else "")
        row.append(verdict(p, data, results[p.name]))
    table([["", "seconds", "start", "rec/s all", "rec/s net", "weir/it", "totals"], *rows])


def measure_memory(work, args):
    case = MEMORY_CASE
    data = generate(case, work)
    one = generate(case, work, records=1, keys=1)
    rows = [["", "empty", "peak", "rows", "octets/row", "totals"]]
    for p in programs_for(case, work, args):
        if p.name.startswith("pcapnull") or "-w" in p.name:
            continue
        low = p.measure(case, one, run_for_memory).peak
        r = p.measure(case, data, run_for_memory)
        each = r.peak / r.rows if r.rows else 0
        rows.append([p.name, f"{low / 2**20:.0f} MiB", f"{r.peak / 2**20:.0f} MiB",
                     str(r.rows), f"{each:.0f}", verdict(p, data, [r])])
    print(f"{case.name}: {data.records} packets, {data.keys} keys came")
    table(rows)
    data.path.unlink()


# ---------------------------------------------------------------- datagrams over loopback


UDP_SECONDS = 3
SEARCH_STEPS = 12
UDP_FIRST_RATE = 2000
UDP_RECORDS = 30  # of NetFlow v5 in a datagram
DRAIN_DATAGRAMS = 400_000  # that queue up in the sockets before they are fetched
DRAIN_OCTETS = 2**30 - 1  # room for them; needs CAP_NET_ADMIN
UDP_SOURCES = 64  # sockets that send, so that a port shared by workers is shared evenly


def udp_sockets(port):
    """(queued octets, drops) of the sockets bound to `port`."""
    for table_name in ("udp", "udp6"):
        for line in Path(f"/proc/net/{table_name}").read_text().splitlines()[1:]:
            w = line.split()
            if int(w[1].rsplit(":", 1)[1], 16) == port:
                yield int(w[4].split(":")[1], 16), int(w[-1])


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds, step=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(step)
    return False


def session_ticks(leader):
    ticks = 0
    for pid in session_pids(leader):
        try:
            w = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(w[11]) + int(w[12])
        except OSError:
            continue
    return ticks


def wait_idle(leader, queued=lambda: False):
    """Until nothing is `queued` and the program has not worked for twice half a second.

    Twice, so that one that merely did not get the processor is not taken for done.
    """

    def quiet():
        before = session_ticks(leader)
        time.sleep(0.5)
        busy = session_ticks(leader) - before
        return busy <= 2 and not queued()

    return wait_until(lambda: quiet() and quiet(), 60)


def udp_queued(port):
    return lambda: any(q for q, _ in udp_sockets(port))


def udp_poke(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"\0" * 32, ("127.0.0.1", port))


def stop_daemon(child, poke):
    """Interrupt it; `poke` wakes a daemon that looks at signals only when something comes."""
    child.send_signal(signal.SIGINT)
    if not wait_until(lambda: child.poll() is not None, 2):
        poke()
        wait_until(lambda: child.poll() is not None, 30)
    if child.poll() is None:
        kill_session(child.pid)
    reap_all(0)


def udp_start(program, case, port, *lines):
    """The running program, once it has bound its port."""
    program.configure(10_000, "nfacctd_ip: 127.0.0.1", f"nfacctd_port: {port}", *lines)
    with open(program.log, "wb") as log:
        child = subprocess.Popen([str(a) for a in program.argv(case)],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 start_new_session=True)
    if not wait_until(lambda: any(True for _ in udp_sockets(port)), 15):
        kill_session(child.pid)
        reap_all(0)
        sys.stderr.write(program.log.read_text(errors="replace")[-2000:])
        sys.exit(f"{program.name} did not bind its port")
    time.sleep(0.5)
    return child


def udp_generate(port, datagrams, *options):
    """Send; returns the generator's account."""
    sent = subprocess.run(
        [BIN / "weir-gen", "--kind", "netflow5", "--keys", "10000",
         "--records", str(datagrams * UDP_RECORDS), "--udp", f"127.0.0.1:{port}",
         "--sources", str(UDP_SOURCES), *options],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(word.split("=") for word in sent.split())


def udp_step(program, case, rate):
    """Send at `rate`; returns (rate reached, packets sent, packets counted, drops)."""
    port = free_udp_port()
    child = udp_start(program, case, port, "nfacctd_pipe_size: 16777216")
    start = time.monotonic()
    t = udp_generate(port, rate * UDP_SECONDS, "--rate", str(rate))
    seconds = time.monotonic() - start
    wait_idle(child.pid, udp_queued(port))
    drops = sum(d for _, d in udp_sockets(port))
    stop_daemon(child, lambda: udp_poke(port))
    r = Result(0)
    sum_csv(program.csv, r)
    return int(t["datagrams"]) / seconds, int(t["packets"]), r.packets, drops


def udp_drain(program, case):
    """Let datagrams queue up before a stopped weir, then time how it fetches them.

    So the sender takes no part of the machine meanwhile. Returns datagrams a second (0
    when some were lost) and the processor's time for each, in µs.
    """
    port = free_udp_port()
    child = udp_start(program, case, port, f"nfacctd_pipe_size: {DRAIN_OCTETS}")
    child.send_signal(signal.SIGSTOP)
    t = udp_generate(port, DRAIN_DATAGRAMS)
    start, ticks = time.monotonic(), session_ticks(child.pid)
    child.send_signal(signal.SIGCONT)
    wait_until(lambda: not udp_queued(port)(), 60, 0.001)
    seconds = time.monotonic() - start
    cost = (session_ticks(child.pid) - ticks) / os.sysconf("SC_CLK_TCK") / DRAIN_DATAGRAMS
    wait_idle(child.pid, udp_queued(port))
    stop_daemon(child, lambda: udp_poke(port))
    r = Result(0)
    sum_csv(program.csv, r)
    exact = r.packets == int(t["packets"])
    return (DRAIN_DATAGRAMS / seconds if exact else 0), cost * 1e6


def rate_search(program, step, first, args):
    """The highest rate without loss; `step(rate)` returns what udp_step does.

    Double until something is lost or the sender is too slow, then halve the gap.

    A rate that loses something is tried twice: the machine may have been busy.
    """
    good, bad, rate, reached = 0, None, first, 0
    note = ""
    for _ in range(SEARCH_STEPS):
        for _ in range(2):
            real, sent, counted, drops = step(rate)
            lost = sent - counted
            if args.verbose:
                print(f"    {program.name}: asked {rate}/s, got {real:.0f}/s, lost {lost}"
                      f" of {sent} packets, {drops} dropped", file=sys.stderr)
            if lost == 0:
                break
        if lost == 0:
            good, reached = rate, max(reached, real)
            if real < 0.9 * rate:
                note = "the sender's limit"
                break
        else:
            bad = rate
            note = f"at {real:.0f}/s lost {100 * lost / sent:.1f} %, {drops} dropped"
        rate = rate * 2 if bad is None else (good + bad) // 2
        if bad is not None and bad - good < 0.1 * bad:
            break
    return reached, note


def live_programs(case, work, args):
    """weir with one worker and with as many as asked for, then the peer."""
    programs = [p for p in programs_for(case, work, args) if isinstance(p, Daemon)]
    if args.workers == 1 or args.without_weir:
        return programs
    many = Weir(work, args.workers, f"weir-{args.workers}-workers")
    return [Weir(work, 1), many, *programs[1:]]


def measure_udp(work, args):
    case = next(c for c in CASES if c.kind == "netflow5")
    rows = [["", "datagrams/s", "records/s", "weir/it", "beyond"]]
    first = None
    for p in live_programs(case, work, args):
        rate, note = rate_search(p, lambda r, p=p: udp_step(p, case, r), UDP_FIRST_RATE, args)
        first = first or rate
        rows.append([p.name, f"{rate:.0f}", rate_text(rate * UDP_RECORDS),
                     f"{first / rate:.2f}" if rate else "-", note])
    limit = Path("/proc/sys/net/core/rmem_max").read_text().strip()
    print(f"NetFlow v5 over loopback from {UDP_SOURCES} exporters, {UDP_SECONDS} s a step,"
          " without loss"
          f" (rmem_max {limit}):")
    table(rows)
    if not args.without_weir:
        measure_drain(work, case, args)


def measure_drain(work, case, args):
    rows = [["", "datagrams/s", "records/s", "µs of CPU each", "workers"]]
    for workers in sorted({1, args.workers}):
        program = Weir(work, workers, f"weir-{workers}-workers")
        rates, costs = zip(*(udp_drain(program, case) for _ in range(args.runs)))
        note = str(workers) if all(rates) else f"{workers}: LOST in {rates.count(0)} runs"
        rate = statistics.median(rates)
        rows.append(["weir", f"{rate:.0f}", rate_text(rate * UDP_RECORDS),
                     f"{statistics.median(costs):.2f}", note])
    print(f"{DRAIN_DATAGRAMS} datagrams that wait in the sockets, median of {args.runs}:")
    table(rows)


# ---------------------------------------------------------------- packets on an interface


WIRE_SECONDS = 3
WIRE_FIRST_RATE = 50_000
WIRE_OCTETS = 64  # of a packet, from its IP header on


class Wire:
    """A pair of interfaces in a network namespace: what goes into one comes out of the other."""

    NAME, HERE, THERE = f"weir-bench-{os.getpid()}", "bench0", "bench1"

    def __init__(self):
        self.cost = {}  # of each program: seconds of processor a packet, in its last good step

    def __enter__(self):
        self.ip("netns", "add", self.NAME)
        self.inside("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
        self.ip("-n", self.NAME, "link", "set", "lo", "up")  # pmacct's own queue needs it
        self.ip("-n", self.NAME, "link", "add", self.HERE, "type", "veth", "peer", "name",
                self.THERE)
        for name in (self.HERE, self.THERE):
            self.ip("-n", self.NAME, "link", "set", name, "arp", "off", "up")
        return self

    def __exit__(self, *_):
        self.ip("netns", "del", self.NAME)

    @staticmethod
    def ip(*args):
        return subprocess.run(["ip", *args], check=True, stdout=subprocess.PIPE,
                              text=True).stdout

    def argv(self, *args):
        return ["ip", "netns", "exec", self.NAME, *(str(a) for a in args)]

    def inside(self, *args):
        return subprocess.run(self.argv(*args), check=True, stdout=subprocess.PIPE,
                              text=True).stdout

    def received(self):
        text = self.ip("-n", self.NAME, "-j", "-s", "link", "show", self.HERE)
        return json.loads(text)[0]["stats64"]["rx"]["packets"]

    def generate(self, packets, *options):
        return self.inside(BIN / "weir-gen", "--kind", "packets", "--keys", "10000", "--records",
                           packets, "--octets", WIRE_OCTETS, "--interface", self.THERE, *options)

    def sockets(self):
        """How many packet sockets there are."""
        return len(self.inside("cat", "/proc/net/packet").splitlines()) - 1

    def start(self, program, case):
        """The running program, once it captures."""
        program.configure(10_000, f"pcap_interface: {self.HERE}", "pmacctd_pipe_size: 67108864")
        with open(program.log, "wb") as log:
            child = subprocess.Popen(self.argv(*program.argv(case)), stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, start_new_session=True)
        if not wait_until(lambda: self.sockets() >= getattr(program, "workers", 1), 15):
            kill_session(child.pid)
            reap_all(0)
            sys.stderr.write(program.log.read_text(errors="replace")[-2000:])
            sys.exit(f"{program.name} does not capture")
        time.sleep(0.5)
        return child

    def step(self, program, case, rate):
        """Send at `rate`; returns (rate reached, packets that came, packets counted, drops)."""
        child = self.start(program, case)
        before, start = self.received(), time.monotonic()
        ticks = session_ticks(child.pid)
        self.generate(rate * WIRE_SECONDS, "--rate", rate)
        seconds = time.monotonic() - start
        came = self.received() - before
        wait_idle(child.pid)
        ticks = session_ticks(child.pid) - ticks
        stop_daemon(child, lambda: self.generate(1))
        r = Result(0)
        sum_csv(program.csv, r)
        if r.packets >= came:
            self.cost[program.name] = ticks / os.sysconf("SC_CLK_TCK") / came
        return came / seconds, came, min(r.packets, came), came - min(r.packets, came)


def measure_wire(work, args):
    case = next(c for c in CASES if c.kind == "packets")
    rows = [["", "packets/s", "weir/it", "CPU/packet", "beyond"]]
    first = None
    with Wire() as wire:
        for p in live_programs(case, work, args):
            rate, note = rate_search(p, lambda r, p=p: wire.step(p, case, r), WIRE_FIRST_RATE,
                                     args)
            first = first or rate
            cost = f"{wire.cost[p.name] * 1e9:.0f} ns" if p.name in wire.cost else "-"
            rows.append([p.name, f"{rate:.0f}", f"{first / rate:.2f}" if rate else "-", cost,
                         note])
    print(f"Packets of {WIRE_OCTETS} octets on an interface (veth), {WIRE_SECONDS} s a step,"
          " without loss:")
    table(rows)


# ---------------------------------------------------------------- main


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--runs", type=int, default=5, help="of each program (5)")
    p.add_argument("--only", default="", help="cases whose name contains this")
    p.add_argument("--workers", type=int, default=1, help="of weir (1)")
    p.add_argument("--udp", action="store_true",
                   help="highest loss-free datagram rate instead of files")
    p.add_argument("--live", action="store_true",
                   help="highest loss-free packet rate on an interface (needs root)")
    p.add_argument("--sql", action="store_true",
                   help="rows into SQLite, PostgreSQL and MariaDB")
    p.add_argument("--snmp", action="store_true",
                   help="walks and GETs, beside a table within snmpd and a bare subagent")
    p.add_argument("--tee", action="store_true",
                   help="datagrams handed on as they came, beside a bare relay")
    p.add_argument("--print", action="store_true", dest="text",
                   help="rows as JSON, CSV and text, and out of memory tables")
    p.add_argument("--rrd", action="store_true",
                   help="measure writing RRD archives, directly and through rrdcached")
    p.add_argument("--export", action="store_true",
                   help="flows from packets and NetFlow v9, sent as IPFIX")
    p.add_argument("--classes", action="store_true",
                   help="classes of streams by nDPI, beside ndpiReader")
    p.add_argument("--without-weir", action="store_true")
    p.add_argument("--without-peers", action="store_true")
    p.add_argument("--json", help="write the single times here, too")
    p.add_argument("--verbose", action="store_true", help="tell every run on stderr")
    args = p.parse_args()
    if not args.without_weir and not os.access(WEIR, os.X_OK):
        p.error(f"no weir at {WEIR}: name it in $WEIR, or say --without-weir")
    if not os.access(BIN / "weir-gen", os.X_OK):
        p.error(f"no weir-gen in {BIN}: build first, or name the place in $BENCH_BIN")
    if args.live and os.geteuid() != 0:
        p.error("--live makes a network namespace, which needs root")
    return args


def measure_sql(work, args, bench):
    import sqlbench
    for engine in ("sqlite3", "pgsql", "mysql"):
        if args.only in engine:
            sqlbench.measure(engine, work, args, bench)


def measure_module(name):
    def measure(work, args, bench):
        importlib.import_module(name).measure(work, args, bench)
    return measure


# What is measured instead of the cases above, by the option that asks for it.
MEASURES = {
    "udp": lambda work, args, _: measure_udp(work, args),
    "live": lambda work, args, _: measure_wire(work, args),
    "sql": measure_sql,
    "snmp": measure_module("snmpbench"),
    "tee": measure_module("teebench"),
    "text": measure_module("printbench"),
    "rrd": measure_module("rrdbench"),
    "export": measure_module("exportbench"),
    "classes": measure_module("classbench"),
}


def main():
    args = arguments()
    adopt_orphans()
    signal.signal(signal.SIGALRM, on_alarm)
    given = os.environ.get("BENCH_DIR")
    work = Path(tempfile.mkdtemp(prefix="weir-bench-", dir=given))
    machine()
    times = {}
    try:
        asked = [m for option, m in MEASURES.items() if getattr(args, option)]
        for measure in asked:
            measure(work, args, sys.modules[__name__])
        if asked:
            return
        for case in CASES:
            if args.only in case.name:
                times[case.name] = measure_case(case, work, args)
        if args.only in MEMORY_CASE.name:
            measure_memory(work, args)
        if args.json:
            Path(args.json).write_text(json.dumps(times, indent=1) + "\n")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
