# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the agent is walked and asked, beside the same table inside snmpd (A) and behind
the least that is a subagent (B).

All three serve the same octets, recorded from weir, each behind an snmpd of its own. snmpd
and whoever serves the table share one processor, the manager has another: who of them waits
for whom is then the same for all. Of weir only the agent's thread is put there; those that
count are beside the manager, as what they do in a real weir is not the agent's."""
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

OID = "1.3.6.1.4.1.8072.9999.9999.1777"
ENTRY = f"{OID}.1.5.1"
COLUMNS = ["4", "6", "7", "8", "10", "21", "22", "24", "32", "33"]
SUMMARY = ["5"]
MODULES = "snmp_mib,sysORTable,system_mib,usmConf,usmStats,usmUser,vacm_conf,vacm_context,vacm_vars"
SERVER, CLIENT = 0, 1
SECONDS = 3
ASKING = 10  # s, of GETs


def pin(pid, cpu):
    if os.cpu_count() > 1:
        os.sched_setaffinity(pid, {cpu})


class Server:
    """An snmpd with whatever serves the table."""

    def __init__(self, name, work, tools, more="", env=None):
        self.name = name
        self.tools = tools
        self.dir = Path(work) / name
        self.dir.mkdir()
        self.port = tools.free_udp_port()
        self.agentx = self.dir / "agentx"
        self.child = None
        conf = self.dir / "snmpd.conf"
        conf.write_text(f"agentAddress udp:127.0.0.1:{self.port}\nmaster agentx\n"
                        f"agentXSocket unix:{self.agentx}\n"
                        f"view weir included .{OID}\nrocommunity public 127.0.0.1 -V weir\n{more}")
        self.snmpd = subprocess.Popen(
            ["snmpd", "-f", "-Lf", self.dir / "snmpd.log", "-C", "-c", conf, "-p",
             self.dir / "snmpd.pid", "-I", MODULES + (",dlmod" if "dlmod" in more else "")],
            env=dict(os.environ, MIBS="", SNMP_PERSISTENT_DIR=self.dir / "persist",
                     SNMPCONFPATH=self.dir, PATH=os.environ["PATH"] + ":/usr/sbin", **(env or {})))
        pin(self.snmpd.pid, SERVER)
        tools.wait_until(self.agentx.exists, 10)

    def start(self, *argv):
        with open(self.dir / "log", "w") as log:
            self.child = subprocess.Popen(list(map(str, argv)), stdout=log, stderr=log)
        return self.child

    def poll(self, *words):
        """What snmp-poll says, as numbers."""
        child = subprocess.Popen([self.tools.BIN / "snmp-poll", f"127.0.0.1:{self.port}",
                                  *map(str, words)], stdout=subprocess.PIPE, text=True)
        pin(child.pid, CLIENT)
        out, _ = child.communicate(timeout=900)
        if child.returncode != 0:
            raise RuntimeError(f"snmp-poll of {self.name}: exit status {child.returncode}")
        return [float(n) for n in out.split()]

    def walk(self, columns, repetitions):
        """Rows in a second, and us of the processor for each."""
        before = self.spent()
        rows, seconds = self.poll("walk", SECONDS, ENTRY, repetitions, *columns)
        return rows / seconds, (self.spent() - before) / rows

    def tasks(self):
        """Of snmpd and of who serves the table, below /proc."""
        return [self.snmpd.pid] + ([self.child.pid] if self.child else [])

    def spent(self):
        """Processor time of these so far, in us."""
        return sum(int(Path(f"/proc/{task}/schedstat").read_text().split()[0])
                   for task in self.tasks()) / 1e3

    def has_rows(self):
        out = subprocess.run(["snmpgetnext", "-v2c", "-c", "public", "-t", "1", "-r", "0", "-On",
                              f"127.0.0.1:{self.port}", f".{ENTRY}"], env=dict(os.environ, MIBS=""),
                             capture_output=True, text=True)
        return f".{ENTRY}." in out.stdout

    def stop(self):
        for child in (self.child, self.snmpd):
            if child:
                child.terminate()
        for child in (self.child, self.snmpd):
            if child:
                child.wait(60)


class Weir(Server):
    """weir itself, with so many rows; they come by NetFlow."""

    def __init__(self, name, work, tools, rows):
        super().__init__(name, work, tools)
        self.rows = rows
        self.netflow = tools.free_udp_port()
        conf = self.dir / "weir.conf"
        conf.write_text(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {self.netflow}\nworkers: 1\n"
                        f"plugins: snmp[flows]\nmax_entries: {2 * rows}\nsnmp_max_rows: {2 * rows}\n"
                        "aggregate: src_host, dst_host, src_port, dst_port, proto\n"
                        f"snmp_agentx_socket: unix:{self.agentx}\nsnmp_reconnect: 1\n"
                        f"control_socket: {self.dir}/control\nstate_dir: {self.dir}/state\n")
        (self.dir / "state").mkdir()
        pin(self.start(tools.WEIR, "run", "-f", conf).pid, CLIENT)
        tools.wait_until(lambda: self.thread(), 10)
        self.agent = self.thread()
        pin(self.agent, SERVER)
        # Datagrams that find no room are lost: come again until all rows are there.
        for _ in range(20):
            self.feed(5 * rows, 15_000)
            if self.shown() >= rows * 0.98:
                break
        tools.wait_until(self.has_rows, 30)

    def thread(self):
        tasks = Path(f"/proc/{self.child.pid}/task")
        for task in tasks.iterdir():
            if (task / "comm").read_text().strip() == "weir-agentx":
                return int(task.name)
        return None

    def tasks(self):
        return [self.snmpd.pid, f"{self.child.pid}/task/{self.agent}"]

    def feed(self, records, rate, wait=True):
        child = subprocess.Popen(
            [str(self.tools.BIN / "weir-gen"), "--kind", "netflow9", "--uniform", "--records", str(records),
             "--keys", str(self.rows), "--rate", str(rate), "--udp", f"127.0.0.1:{self.netflow}"],
            stdout=subprocess.DEVNULL)
        pin(child.pid, CLIENT)
        if wait:
            child.wait(600)
        return child

    def scalar(self, arc):
        out = subprocess.run(["snmpgetnext", "-v2c", "-c", "public", "-t", "5", "-r", "1", "-OnqU",
                              f"127.0.0.1:{self.port}", f".{OID}.{arc}"],
                             env=dict(os.environ, MIBS=""), capture_output=True, text=True)
        return int(out.stdout.split()[1])

    def shown(self):
        time.sleep(2)  # the last records are counted and published
        return self.scalar("1.4.1.5")

    def publications(self):
        return self.scalar("1.1.4")

    def agent_ms(self):
        """Processor time of the agent's thread so far."""
        with open(f"/proc/{self.child.pid}/task/{self.agent}/schedstat") as f:
            return int(f.read().split()[0]) / 1e6


def medians(turns, runs):
    """{name: medians} of the figures that each says, in turns."""
    found = {name: [] for name in turns}
    for _ in range(runs):
        for name, turn in turns.items():
            found[name].append(turn())
    return {name: [statistics.median(values) for values in zip(*said)]
            for name, said in found.items()}


def line(what, value, goal):
    return [what, value, goal]


def compare(weir, others, runs):
    """Against A and B."""
    servers = {"weir": weir, **others}
    rows = []
    for what, columns, repetitions, goals in (
            ("ten columns in lockstep", COLUMNS, 10, ("0.35", "0.75")),
            ("the summary alone", SUMMARY, 100, ("", "0.75, or 30000 rows/s"))):
        said = medians({n: (lambda s=s: s.walk(columns, repetitions))
                        for n, s in servers.items()}, runs)
        rows.append(line(f"{what}, rows/s", " ".join(f"{n} {r:.0f}" for n, (r, _) in
                                                     said.items()), ""))
        rows.append(line(f"{what}, us of the processor a row",
                         " ".join(f"{n} {us:.1f}" for n, (_, us) in said.items()), ""))
        for name, goal in zip(("A", "B"), goals):
            (rate, cost), (other_rate, other_cost) = said["weir"], said[name]
            rows.append(line(f"{what}, weir/{name}", f"{rate / other_rate:.2f}", goal))
            rows.append(line(f"{what}, weir/{name} by processor time",
                             f"{other_cost / cost:.2f}", ""))
    return rows


def publish_cost(big):
    """ms of the agent's thread for each snapshot, while nobody asks but for one object."""
    def one():
        serial, spent = big.publications(), big.agent_ms()
        time.sleep(5)
        spent = big.agent_ms() - spent
        return spent / max(1, big.publications() - serial)
    return statistics.median(one() for _ in range(3))


def at_size(small, big, work, runs):
    """What a hundred times the rows cost."""
    said = medians({"10k": lambda: small.walk(COLUMNS, 10), "1M": lambda: big.walk(COLUMNS, 10)},
                   runs)
    rows = [line("ten columns in lockstep, rows/s", " ".join(f"{n} {r:.0f}" for n, (r, _) in
                                                            said.items()), ""),
            line("1M rows / 10k rows", f"{said['1M'][0] / said['10k'][0]:.2f}", "0.9"),
            line("1M rows / 10k rows, by processor time",
                 f"{said['10k'][1] / said['1M'][1]:.2f}", "")]
    record = work / "big.record"
    big.poll("record", record, ENTRY, 20_000, *COLUMNS)
    idle = small.poll("get", ASKING, work / "small.record")
    publishing = []
    for _ in range(3):
        traffic = big.feed(5_000_000, 500, wait=False)
        publishing.append(big.poll("get", ASKING, record))
        traffic.kill()
        traffic.wait()
    p99 = statistics.median(p[2] for p in publishing)
    rows.append(line("GET of ten, us: p50 p99 most, 10k rows at rest",
                     " ".join(f"{n:.0f}" for n in idle[1:]), ""))
    for p in publishing:
        rows.append(line("the same, 1M rows published each second",
                         " ".join(f"{n:.0f}" for n in p[1:]), ""))
    rows.append(line("p99 while publishing / at rest", f"{p99 / idle[2]:.2f}", "at most 3"))
    rows.append(line("agent's thread for a snapshot of 1M rows, ms", f"{publish_cost(big):.3f}",
                     "below 1"))
    return rows


def measure(work, args, tools):
    if not (tools.BIN / "snmp-poll").exists():
        print("weir was built without SNMP", file=sys.stderr)
        return
    servers = []
    try:
        weir = Weir("weir", work, tools, 10_000)
        servers.append(weir)
        record = work / "small.record"
        weir.poll("record", record, ENTRY, 10_000, *COLUMNS[:1], *SUMMARY, *COLUMNS[1:])
        module = Server("module", work, tools, f"dlmod snmptable {tools.BIN}/snmptable.so\n",
                        {"SNMPTABLE": str(record)})
        servers.append(module)
        minimal = Server("minimal", work, tools)
        servers.append(minimal)
        pin(minimal.start(tools.BIN / "agentx-minimal", minimal.agentx, record).pid, SERVER)
        for server in (module, minimal):
            if not tools.wait_until(server.has_rows, 10):
                raise RuntimeError(f"{server.name} serves nothing")
        rows = compare(weir, {"A": module, "B": minimal}, args.runs)
        for server in (module, minimal):
            server.stop()
            servers.remove(server)
        weir.poll("record", record, ENTRY, 10_000, *COLUMNS)
        big = Weir("big", work, tools, tools.scaled(1_000_000))
        servers.append(big)
        rows += at_size(weir, big, work, args.runs)
        tools.table([["", "measured", "goal"], *rows])
    finally:
        for server in servers:
            server.stop()
