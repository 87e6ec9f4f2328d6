# SPDX-License-Identifier: GPL-2.0-or-later
"""What the system tests share: the built programs, generated traffic with its truth, a
running weir, a private snmpd. Everything lives in the test's own directory and on
loopback, is stopped by pid, and is waited for by polling, never by sleeping a guess.
"""
import csv
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

from ports import free_port  # noqa: F401 (tests take it from here)

BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", "build/plain")).resolve()
WEIR = BUILD / "weir"
GEN = BUILD / "bench" / "weir-gen"
OID = "1.3.6.1.4.1.8072.9999.9999.1777"
TUPLE = "src_host, dst_host, src_port, dst_port, proto"


def pytest_configure(config):
    config.addinivalue_line("markers", "xdist_group(name): one after the other, when tests "
                            "run side by side")


@pytest.hookimpl(tryfirst=True)  # before xdist takes note of the groups
def pytest_collection_modifyitems(items):
    """The tests of a database engine follow each other in one process, which starts it once;
    those of another one go on beside them."""
    for item in items:
        engine = getattr(item, "callspec", None) and item.callspec.params.get("engine")
        if engine:
            item.add_marker(pytest.mark.xdist_group(engine))


def poll(what, seconds=30.0, every=0.05):
    """Call `what` until it returns something true; that is the result."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not true within {seconds} s: {what}")
        time.sleep(every)


def generate(kind, records, keys, *options, **outputs):
    """Run the generator; outputs are pcap=, udp=, truth= and so on."""
    args = [GEN, "--kind", kind, "--records", records, "--keys", keys, *options]
    for name, value in outputs.items():
        args += [f"--{name}", value]
    out = subprocess.run([str(a) for a in args], check=True, capture_output=True, text=True)
    return {k: v for k, v in (word.split("=", 1) for word in out.stdout.split())}


def truth(path):
    """The generator's account: {(src, dst, sport, dport, proto): row}."""
    with open(path, encoding="ascii") as f:
        lines = [line for line in f]
    names = lines[1][2:].strip().split(",")
    rows = {}
    for row in csv.DictReader((line for line in lines if line[0] != "#"), names):
        key = (row["ip_src"], row["ip_dst"], int(row["port_src"]), int(row["port_dst"]),
               int(row["proto"]))
        rows[key] = {k: int(row[k]) for k in names[5:]}
    return rows


class Weir:
    """A running weir with a control socket; `prefix` is the command that starts it."""

    def __init__(self, directory, config, *args, prefix=()):
        self.dir = pathlib.Path(directory)
        self.socket = self.dir / "weir.sock"
        self.file = self.dir / "weir.conf"
        self.log = self.dir / "weir.log"
        self.file.write_text(
            config + f"\ncontrol_socket: {self.socket}\nlogfile: {self.log}\n"
            f"state_dir: {self.dir}/state\n")
        self.process = subprocess.Popen(
            [*prefix, str(WEIR), "run", *args, "-f", str(self.file)], stderr=subprocess.PIPE, text=True)

    def ready(self):
        def there():
            if self.process.poll() is not None:
                raise AssertionError(self.process.stderr.read() + self.log_text())
            return self.socket.exists()
        poll(there)
        return self

    def log_text(self):
        return self.log.read_text() if self.log.exists() else ""

    def show(self, *args, check=True):
        out = subprocess.run([str(WEIR), "show", *args, "-p", str(self.socket)],
                             capture_output=True, text=True)
        assert not check or out.returncode == 0, out.stdout + out.stderr
        return out.stdout

    def rows(self, view):
        return [json.loads(line) for line in self.show(view, "--json").splitlines() if line]

    def stats(self):
        return {row["name"]: row["value"] for row in self.rows("stats")}

    def books(self):
        """Fails unless every line balances."""
        return self.show("books")

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        status = self.process.wait(30)
        assert "do not balance" not in self.log_text()
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def weir(tmp_path):
    """Start weirs that end with the test."""
    running = []

    def start(config, *args):
        running.append(Weir(tmp_path, config, *args))
        return running[-1]
    yield start
    for w in running:
        w.kill()


def run_file(tmp_path, config, *args, status=0):
    """weir over a capture file, to its end, which has `status`; returns its log."""
    file, log = tmp_path / "weir.conf", tmp_path / "weir.log"
    file.write_text(config + f"\nlogfile: {log}\nstate_dir: {tmp_path}/state\n")
    out = subprocess.run([str(WEIR), "run", *args, "-f", str(file)], capture_output=True,
                         text=True, timeout=120)
    text = log.read_text() if log.exists() else ""
    assert out.returncode == status, out.stderr + text
    assert "do not balance" not in text
    return text


def json_rows(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


PROTOS = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}


def tuple_key(row):
    """The key of a JSON row, as truth() has it."""
    proto = row["ip_proto"]
    return (row["ip_src"], row["ip_dst"], row["port_src"], row["port_dst"],
            PROTOS.get(proto) or int(proto))


class Snmpd:
    """A private snmpd: own port, own AgentX socket, own state."""

    def __init__(self, directory, more=""):
        self.dir = pathlib.Path(directory) / "snmpd"
        (self.dir / "state").mkdir(parents=True)  # snmpd writes a snmpd.conf of its own there
        self.port = free_port()
        self.agentx = self.dir / "agentx"
        (self.dir / "snmpd.conf").write_text(
            f"agentAddress udp:127.0.0.1:{self.port}\nmaster agentx\n"
            f"agentXSocket unix:{self.agentx}\nview weir included .{OID}\n"
            "rocommunity public 127.0.0.1 -V weir\nrwcommunity private 127.0.0.1 -V weir\n"
            + more)
        self.process = None
        self.start()

    def start(self):
        env = dict(os.environ, MIBS="", SNMP_PERSISTENT_DIR=str(self.dir / "state"))
        self.process = subprocess.Popen(
            ["/usr/sbin/snmpd", "-f", "-Lf", str(self.dir / "log"), "-C", "-c",
             str(self.dir / "snmpd.conf"), "-I",
             "snmp_mib,sysORTable,system_mib,usmConf,usmStats,usmUser,vacm_conf,"
             "vacm_context,vacm_vars"], env=env)
        poll(self.agentx.exists)

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        self.process.wait(30)

    def walk(self, arc, command="snmpbulkwalk"):
        """{index as text: value as text} below OID.arc"""
        out = subprocess.run(
            [command, "-v2c", "-c", "public", "-On", "-Oe", "-t", "2", "-r", "2",
             f"127.0.0.1:{self.port}", f".{OID}.{arc}"],
            env=dict(os.environ, MIBS=""), capture_output=True, text=True)
        rows = {}
        for line in out.stdout.splitlines():
            oid, eq, value = line.partition(" = ")
            prefix = f".{OID}.{arc}."
            if (eq and oid.startswith(prefix) and "No Such" not in value
                    and "No more variables" not in value):
                rows[oid[len(prefix):]] = value.split(": ", 1)[-1].strip('"')
        return rows


def shown(weir, socket, more="", aggregate="src_host"):
    """A weir without traffic that shows a view through the AgentX master at `socket`, and the
    port that it listens to."""
    port = free_port()
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: snmp[talkers]
        aggregate: {aggregate}
        snmp_agentx_socket: unix:{socket}
        {more}
        """).ready()
    return w, port


def flood_told(tmp_path, weir, command_file, more=""):
    """A weir with an alarm when it counts more than five packets in a second, of which it tells
    service `told` of host `router` in this file, and the port that it listens to."""
    thresholds = tmp_path / "threshold.map"
    thresholds.write_text("name=flood scope=view subject=talkers metric=packets rising=5 window=1 "
                          "service=router;told\n")
    port = free_port()
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: memory[talkers]
        aggregate: src_host
        threshold_map: {thresholds}
        alarm_command_file: {command_file}
        {more}
        """).ready()
    return w, port


@pytest.fixture
def snmpd(tmp_path):
    if shutil.which("snmpd", path="/usr/sbin:/usr/bin:/sbin") is None:
        pytest.fail("snmpd is not installed: packaging/install test")
    s = Snmpd(tmp_path)
    yield s
    if s.process.poll() is None:
        s.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def engines():
    """The database engines by plugin type, each started when a test first asks for it."""
    import servers
    started = {}

    def get(engine):
        if engine not in started:
            started[engine] = servers.ENGINES[engine]()
        return started[engine]
    yield get
    for server in started.values():
        server.close()


@pytest.fixture(params=["sqlite3", "pgsql", "mysql"], scope="session")
def engine(request, engines):
    """Each database engine in turn."""
    return engines(request.param)
