# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong around the subagent: masters that come, go, hang and close; many
descriptors; managers that walk all the while."""
import contextlib
import os
import resource
import signal
import socket
import subprocess
import threading

import pytest

import agentx
from agentx import VERSION
from conftest import OID, WEIR, Weir, free_port, generate, poll, shown
from test_snmp import ENTRY, VIEW, begin


class Walker(threading.Thread):
    """Walks everything again and again; `faults` is what was wrong with a walk."""

    def __init__(self, port, patient=False):
        super().__init__()
        self.command = ["snmpbulkwalk", "-v2c", "-c", "public", "-On", "-t", "5", "-r", "0",
                        f"127.0.0.1:{port}", f".{OID}.1"]
        self.patient = patient  # snmpd may be away
        self.over = threading.Event()
        self.walks, self.faults = 0, []

    def run(self):
        while not self.over.is_set():
            out = subprocess.run(self.command, env=dict(os.environ, MIBS=""),
                                 capture_output=True, text=True)
            self.walks += out.returncode == 0
            # snmpbulkwalk itself looks whether names ascend.
            if "not increasing" in out.stderr or (out.returncode != 0 and not self.patient):
                self.faults.append(out.stdout[-200:] + out.stderr)

    def end(self):
        self.over.set()
        self.join(60)
        assert not self.faults, self.faults[0]


@pytest.fixture
def walker():
    """Start walkers that end with the test, however that ends."""
    started = []

    def start(*args, **more):
        started.append(Walker(*args, **more))
        started[-1].start()
        return started[-1]
    yield start
    for one in started:
        one.over.set()
        one.join(60)


def test_walks_over_a_hundred_snapshots(weir, snmpd, walker):
    """Rows come in each; no walk fails, or goes back."""
    w, port = begin(weir, snmpd)
    poll(lambda: snmpd.walk(f"{VIEW}.2"))

    def serial():
        return int(next(iter(snmpd.walk("1.1.4").values())))
    first, walking = serial(), walker(snmpd.port)
    traffic = threading.Thread(target=generate, args=("netflow9", 30000, 3000, "--rate", 60),
                               kwargs={"udp": f"127.0.0.1:{port}"})
    traffic.start()
    # A snapshot is made for who asks what there is by now, and not only each second.
    poll(lambda: w.rows("views") and serial() >= first + 100, seconds=120, every=0)
    traffic.join()
    poll(lambda: walking.walks >= 2)
    walking.end()
    w.books()
    assert w.stop() == 0


def test_what_happens_to_snmpd_costs_no_record(weir, snmpd, walker):
    """It hangs, goes on, is killed, and comes again, while it is walked."""
    w, port = begin(weir, snmpd)
    poll(lambda: snmpd.walk(f"{VIEW}.2"))
    walking = walker(snmpd.port, patient=True)
    sent = 0

    def more():
        nonlocal sent
        sent += 500
        generate("netflow9", 500, 50, "--rate", 2000, "--seed", sent, udp=f"127.0.0.1:{port}")
        poll(lambda: w.stats()["records_fed"] == sent)
    more()
    snmpd.process.send_signal(signal.SIGSTOP)
    more()
    snmpd.process.send_signal(signal.SIGCONT)
    more()
    snmpd.stop(signal.SIGKILL)
    snmpd.agentx.unlink(missing_ok=True)
    more()
    snmpd.start()
    more()
    flows = sum(row["flows"] for row in w.rows("talkers"))
    assert flows == sent
    poll(lambda: list(snmpd.walk(f"{VIEW}.10").values()) == [str(flows)])
    walks = walking.walks
    poll(lambda: walking.walks > walks)
    walking.end()
    w.books()
    assert w.stop() == 0


def test_descriptors_beyond_those_of_select(tmp_path, snmpd):
    """FD_SETSIZE is 1024; a weir with many files and sockets has its session above that."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < 2000:
        pytest.skip(f"no more than {most} descriptors")
    high = tmp_path / "high"
    high.write_text("#!/bin/bash\nulimit -n 2000\n"
                    "for ((i = 3; i < 1200; i++)); do [ $i = 255 ] || eval \"exec $i</dev/null\"; done\n"
                    "exec \"$@\"\n")
    high.chmod(0o755)
    port = free_port()
    w = Weir(tmp_path, f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: snmp[talkers]\n"
                       f"aggregate: src_host\nsnmp_agentx_socket: unix:{snmpd.agentx}\n",
             prefix=(str(high),))
    try:
        w.ready()
        poll(lambda: snmpd.walk(f"{VIEW}.2"))
        generate("netflow9", 100, 5, udp=f"127.0.0.1:{port}")
        poll(lambda: snmpd.walk(f"{ENTRY}.4"))
        sockets = [int(fd) for fd in os.listdir(f"/proc/{w.process.pid}/fd")
                   if int(fd) > 1024 and "socket" in os.readlink(f"/proc/{w.process.pid}/fd/{fd}")]
        assert sockets
        assert w.stop() == 0
    finally:
        w.kill()


def test_a_master_that_asks_and_takes_no_answers(tmp_path, weir):
    """It is left, and weir ends when it is told to."""
    master = agentx.Master(tmp_path / "agentx")
    w, _ = shown(weir, master.path, "snmp_reconnect: 1")
    root = agentx.oid(OID, ">") + b"\0\0\0\0"
    for last in (False, True):
        master.meet()
        master.agent.settimeout(1)
        with pytest.raises(OSError):  # neither is read any more
            for _ in range(1000):
                master.send(agentx.GETNEXT, root * 1000)
        if last:
            assert w.stop() == 0
        master.drop()
    master.close()


def test_a_master_that_closes_the_session(tmp_path, weir):
    """It says so (RFC 2741 s7.1.9), keeps the connection, and knows the session no more."""
    master = agentx.Master(tmp_path / "agentx")
    w, _ = shown(weir, master.path, "snmp_reconnect: 1")
    master.meet()
    master.send(agentx.CLOSE, b"\5\0\0\0")  # reasonShutdown
    first = master.agent
    master.refusing = agentx.NOT_OPEN
    master.until_gone()
    master.refusing = 0
    master.accept()
    assert master.agent is not first
    assert master.ask(agentx.GET, VERSION)[2][0][2].startswith(b"weir ")
    master.drop()
    assert w.stop() == 0
    master.close()


def test_a_master_that_goes_while_one_registers(tmp_path, weir):
    """The next one gets the same: weir registers, and is asked."""
    master = agentx.Master(tmp_path / "agentx")
    w, _ = shown(weir, master.path, "snmp_reconnect: 1\nsnmp_ipfix_mib: true")
    for registers in (0, 1):  # none, or one of the two, is answered
        master.listener.settimeout(20)
        master.agent, _ = master.listener.accept()
        assert master.take(20)[0] == agentx.OPEN
        if registers:
            assert master.take(20)[0] == agentx.REGISTER
        head = master.octets(agentx.HEADER, 20)
        assert head[1] == agentx.REGISTER
        master.drop()
    master.listener.settimeout(20)
    master.agent, _ = master.listener.accept()
    assert [master.take(20)[0] for _ in range(3)] == [agentx.OPEN, agentx.REGISTER,
                                                      agentx.REGISTER]
    poll(lambda: master.ask(agentx.GET, VERSION)[2][0][0] == agentx.OCTETS)
    master.drop()
    assert w.stop() == 0
    master.close()


# Root without what makes it root: modes of files hold for it.
BOUND = ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.getuid() == 0 else ()


def test_a_socket_that_weirs_user_may_not_use(tmp_path):
    """The log says that it is that, and not that nobody is there."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "agentx"))
    listener.listen(1)
    os.chmod(tmp_path / "agentx", 0)
    w = Weir(tmp_path, f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {free_port()}\nplugins: snmp[talkers]\n"
                       f"aggregate: src_host\nsnmp_agentx_socket: unix:{tmp_path}/agentx\n",
             prefix=BOUND)
    try:
        w.ready()
        log = poll(lambda: (t := w.log_text()) and "snmp: " in t and t)
        assert f"may not use the AgentX socket {tmp_path}/agentx;" in log, log
        assert "agentXPerms" in log and "no AgentX master" not in log
        assert w.stop() == 0
    finally:
        w.kill()
        listener.close()


def output(w):
    return w.rows("outputs")[0]


def test_a_second_weir_at_the_same_snmpd(tmp_path, weir, snmpd):
    """It says why it is not served, and is when the first has gone."""
    first, _ = shown(weir, snmpd.agentx)
    poll(lambda: snmpd.walk(f"{VIEW}.2"))
    (tmp_path / "second").mkdir()
    port = free_port()
    second = Weir(tmp_path / "second", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n"
                  "plugins: snmp[others]\naggregate: src_host\nsnmp_reconnect: 1\n"
                  f"snmp_agentx_socket: unix:{snmpd.agentx}\n")
    try:
        second.ready()
        why = f"another subagent has OID {OID}: end it, or set snmp_oid_base"
        poll(lambda: output(second)["state"] == "failing" and output(second)["errors"] >= 2)
        log = second.log_text()
        assert log.count(f"snmp others: {why}") == 1 and "263" not in log, log
        assert output(first)["state"] == "ok"
        assert list(snmpd.walk(f"{VIEW}.2").values()) == ["talkers"]
        for w, status, what in ((first, 0, "is served"), (second, 1, "FAULT who is seen is not")):
            out = subprocess.run([WEIR, "doctor", "snmp", "-f", w.file, "-a",
                                  f"127.0.0.1:{snmpd.port}"], capture_output=True, text=True)
            assert out.returncode == status and what in out.stdout, out
        assert first.stop() == 0
        poll(lambda: list(snmpd.walk(f"{VIEW}.2").values()) == ["others"])
        poll(lambda: output(second)["state"] == "ok")
        assert second.log_text().count("snmp others: works again") == 1
        assert second.stop() == 0
    finally:
        second.kill()


def test_a_master_that_does_not_answer_who_registers(tmp_path, weir):
    """It is asked again, and its answers may come in pieces."""
    master = agentx.Master(tmp_path / "agentx")
    w, _ = shown(weir, master.path, "snmp_reconnect: 1")
    master.listener.settimeout(20)
    master.agent, _ = master.listener.accept()
    assert master.take(20)[0] == agentx.OPEN
    master.silent = {agentx.REGISTER}
    assert master.take(20)[0] == agentx.REGISTER
    poll(lambda: output(w)["state"] == "failing" or not master.take(20))
    assert "does not answer who registers" in w.log_text()
    master.silent, master.pieces = set(), 9

    def serves():
        with contextlib.suppress(AssertionError):  # nothing came
            master.take(0.1)
        return output(w)["state"] == "ok"
    poll(serves)
    master.drop()
    assert w.stop() == 0
    master.close()


def test_a_master_that_accepts_nobody(tmp_path, weir):
    """As one that hangs, when so many have tried already that nobody may queue any more. weir
    counts, and ends when it is told to; and the doctor does not wait for ever, either."""
    listener, queue = socket.socket(socket.AF_UNIX), []
    listener.bind(str(tmp_path / "agentx"))
    listener.listen(0)
    with contextlib.suppress(BlockingIOError):
        while True:
            queue.append(socket.socket(socket.AF_UNIX))
            queue[-1].setblocking(False)
            queue[-1].connect(str(tmp_path / "agentx"))
    w, port = shown(weir, tmp_path / "agentx")
    generate("netflow9", 100, 5, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 100)
    said = subprocess.run([WEIR, "doctor", "snmp", "-f", w.file], capture_output=True,
                          text=True, timeout=60)
    assert "snmpd hangs" in said.stdout, said
    w.books()
    assert w.stop() == 0
    for one in (*queue, listener):
        one.close()
