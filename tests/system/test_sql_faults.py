# SPDX-License-Identifier: GPL-2.0-or-later
"""What may happen to a database and to weir while rows are written: nothing is lost and
nothing counts twice. A sender of our own knows what it sent in each second, which is a time
bin; at the end the table has the same. WEIR_KILLS=50 kills weir more often, and has every
fault on every engine that can have it."""
import os
import pathlib
import random
import resource
import signal
import sqlite3
import subprocess
import time

import pytest

import netflow
from conftest import WEIR, free_port, generate, poll, run_file, truth

KILLS = int(os.environ.get("WEIR_KILLS", "8"))


def engines_of(*some, rest=()):
    """A test's engines; those of `rest` too when there is time. Servers run once, so what needs
    them runs one after the other."""
    marks = {"sqlite3": ()}
    return pytest.mark.parametrize("engine", [
        pytest.param(e, marks=marks.get(e, pytest.mark.xdist_group("sql")))
        for e in (*some, *(rest if KILLS > 8 else ()))], indirect=True)


def config(server, port, more=""):
    return f"""
        nfacctd_port: {port}
        nfacctd_ip: 127.0.0.1
        plugins: {server.engine}[s]
        {server.config("x")}
        aggregate: src_host
        sql_optimize_clauses: true
        sql_table: t
        sql_history: 1s
        sql_refresh_time: 1
        timestamps_since_epoch: true
        {more}
        """


def output(w):
    return w.rows("outputs")[0]


def table(server, name="t"):
    """{second: [packets, octets]}, of whatever tables there are."""
    return {int(at): [int(p), int(b)] for at, p, b in server.rows(
        f"SELECT stamp_inserted, SUM(packets), SUM(bytes) FROM {name} GROUP BY 1", "x")}


def write_rest(weir, server, port, more=""):
    """Another weir writes what the last one left: on a slow machine the end comes in the middle
    of a bin."""
    w = weir(config(server, port, more), "--as", "nfacctd").ready()
    poll(lambda: output(w)["waiting"] == 0)
    assert w.stop() == 0


class Scene:
    """A weir that writes what a sender sends to a fresh database."""

    def __init__(self, weir, server, more=""):
        self.server, self.port, self.start, self.more = server, free_port(), weir, more
        server.fresh("x")
        self.weir = weir(config(server, self.port, more), "--as", "nfacctd").ready()
        self.sender = netflow.Sender(self.port)

    def wait_rows(self, n=1):
        """Until `n` more bins have been written."""
        have = output(self.weir)["last_success"]
        for _ in range(n):
            poll(lambda: output(self.weir)["last_success"] != have)
            have = output(self.weir)["last_success"]

    def wait_batches(self, n):
        """Until so many wait."""
        poll(lambda: output(self.weir)["waiting"] >= n)

    def end(self, name="t"):
        """Everything that was sent is in the table, once."""
        self.sender.stop()
        poll(lambda: self.weir.stats()["datagrams"] == self.sender.datagrams)
        poll(lambda: output(self.weir)["waiting"] == 0)
        self.weir.books()
        assert self.weir.stop() == 0
        log = self.weir.log_text()
        assert "rows refused" not in log and " lost" not in log, log
        if "left in" in log:
            write_rest(self.start, self.server, self.port, self.more)
        if name == "t":
            assert table(self.server) == self.sender.sent
        return log


def restart(server):
    """Start it again after it was killed: the rest of it may take a while to go."""
    for _ in range(50):
        try:
            server.start()
            return
        except AssertionError:
            time.sleep(0.1)
    server.start()


# ---------------------------------------------------------------- servers


@engines_of("pgsql", "mysql")
def test_server_dies(engine, weir):
    """kill -9, and PostgreSQL's immediate stop."""
    scene = Scene(weir, engine)
    for sig in [signal.SIGKILL] + [signal.SIGQUIT] * (engine.engine == "pgsql"):
        scene.wait_rows()
        engine.stop(sig)
        scene.wait_batches(2)
        assert output(scene.weir)["state"] == "failing"
        restart(engine)
        poll(lambda: output(scene.weir)["state"] == "ok")
    scene.end()


@engines_of("pgsql", "mysql")
@pytest.mark.parametrize("sig", [signal.SIGKILL] + [signal.SIGQUIT] * (KILLS > 8))
def test_server_dies_within_a_transaction(engine, sig, weir, tmp_path):
    """Many rows at once: it dies while it takes them, killed or stopped at once. What weir could
    not write when its file was read is written by the next weir."""
    pcap, csv, none = tmp_path / "x.pcap", tmp_path / "x.csv", tmp_path / "none.pcap"
    generate("netflow5", 150000, 60000, "--uniform", "--pps", 1000000, pcap=pcap, truth=csv)
    netflow.capture(none, [])
    text = f"""
        plugins: {engine.engine}[s]
        {engine.config("x")}
        aggregate: src_host, dst_host, src_port, dst_port, proto
        sql_optimize_clauses: true
        sql_table: t
        sql_history: 1h
        sql_refresh_time: 3600
        """
    engine.fresh("x")
    w = weir(text + f"pcap_savefile: {pcap}\n", "--as", "nfacctd")
    spool = w.dir / "state" / "spool" / "s"
    poll(lambda: list(spool.glob("*.batch")), every=0.002)
    engine.stop(sig if engine.engine == "pgsql" else signal.SIGKILL)
    restart(engine)
    assert w.process.wait(60) == 0
    again = weir(text + f"pcap_savefile: {none}\n", "--as", "nfacctd")
    assert again.process.wait(60) == 0
    assert not list(spool.glob("*.batch")), again.log_text()
    want = truth(csv).values()
    assert engine.rows("SELECT SUM(packets), SUM(bytes) FROM t", "x") == [
        (str(sum(r["packets"] for r in want)), str(sum(r["bytes"] for r in want)))]


@engines_of("pgsql", rest=["mysql"])
@pytest.mark.parametrize("end", ["weir ends meanwhile"] + ["it goes on"] * (KILLS > 8))
def test_server_stands_still(engine, weir, end):
    """It answers nothing for a while: what waits is seen, and collecting does not care. A weir
    that ends does not wait for it, and leaves what waits to the next."""
    scene = Scene(weir, engine)
    scene.wait_rows()
    pids = [engine.process.pid] + [
        int(p.parent.name) for p in pathlib.Path("/proc").glob("[0-9]*/stat")
        if f") S {engine.process.pid} " in p.read_text()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        scene.wait_batches(3)
        before = scene.weir.stats()["datagrams"]
        poll(lambda: scene.weir.stats()["datagrams"] > before + 10)
        at = output(scene.weir)
        assert at["spooled"] > 0 and at["waiting_octets"] > 0 and at["waiting_since"]
        if end == "weir ends meanwhile":
            scene.sender.stop()
            poll(lambda: scene.weir.stats()["datagrams"] == scene.sender.datagrams)
            assert scene.weir.stop() == 0
            assert "are left in" in scene.weir.log_text()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    if end == "it goes on":
        scene.end()
        return
    write_rest(weir, engine, scene.port)
    assert table(engine) == scene.sender.sent


@engines_of("mysql", rest=["pgsql"])
def test_wrong_password_at_first(engine, weir, tmp_path):
    """Tried again and again, said once; what was counted meanwhile is not lost."""
    secret = tmp_path / "password"
    secret.write_text("certainly not\n")
    secret.chmod(0o600)
    scene = Scene(weir, engine, f"sql_passwd_file: {secret}")
    scene.wait_batches(1)
    errors = output(scene.weir)["errors"]
    poll(lambda: output(scene.weir)["errors"] > errors)
    secret.write_text("arealsmartpwd\n")
    log = scene.end()
    assert len([line for line in log.splitlines() if " ERR " in line]) == 1, log


# ---------------------------------------------------------------- tables


@engines_of("sqlite3", "pgsql", rest=["mysql"])
def test_table_taken_away_and_changed(engine, weir):
    """Renamed, a new one is made; with a column missing, rows wait until it is back."""
    scene = Scene(weir, engine)
    scene.wait_rows()
    engine.client("ALTER TABLE t RENAME TO old", "x")
    scene.wait_rows(2)
    engine.client("ALTER TABLE t RENAME COLUMN bytes TO octets", "x")
    scene.wait_batches(2)
    engine.client("ALTER TABLE t RENAME COLUMN octets TO bytes", "x")
    scene.end("old and t")
    engine.client("CREATE TABLE whole AS SELECT * FROM old UNION ALL SELECT * FROM t", "x")
    assert table(engine, "whole") == scene.sender.sent


# ---------------------------------------------------------------- SQLite, and disks


@engines_of("sqlite3")
def test_locked_by_another_writer(engine, weir):
    """Longer than a statement waits for its turn."""
    scene = Scene(weir, engine)
    scene.wait_rows()
    with sqlite3.connect(engine.path("x"), isolation_level=None) as c:
        c.execute("BEGIN IMMEDIATE")
        scene.wait_batches(3)
        c.execute("ROLLBACK")
    scene.end()


@engines_of("sqlite3")
def test_mib_shows_what_waits(engine, weir, snmpd):
    """How many batches, how long and since when, while another has the database, and none
    afterwards."""
    engine.fresh("x")
    port = free_port()
    w = weir(config(engine, port, f"snmp_agentx_socket: unix:{snmpd.agentx}").replace(
        "[s]\n", "[s], snmp[m]\n", 1), "--as", "nfacctd").ready()
    sender = netflow.Sender(port)

    def waiting():
        names = snmpd.walk("1.8.1.2")
        at = next((index for index, name in names.items() if name == "s"), None)
        return [int(snmpd.walk(f"1.8.1.{arc}").get(at, -1)) for arc in (15, 16, 17)]

    with sqlite3.connect(engine.path("x"), isolation_level=None) as c:
        c.execute("BEGIN IMMEDIATE")
        poll(lambda: all(have >= least for have, least in zip(waiting(), (2, 200, 2))))
        c.execute("ROLLBACK")
    sender.stop()
    poll(lambda: waiting() == [0, 0, 0])
    assert w.stop() == 0


@engines_of("sqlite3")
@pytest.mark.parametrize("room", [0, 1 << 15], ids=["nowhere", "only in small files"])
def test_disk_full(engine, weir, room):
    """No file may grow beyond `room` (by RLIMIT_FSIZE, which needs no disk to fill): first
    neither the spool nor the database can be written, then only small batches can. weir says
    it once and goes on by itself when there is room again."""
    scene = Scene(weir, engine, "aggregate[s]: src_host, dst_host, tos")
    scene.wait_rows()
    pid = scene.weir.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    poll(lambda: output(scene.weir)["state"] == "failing")
    before = scene.weir.stats()["datagrams"]
    poll(lambda: scene.weir.stats()["datagrams"] > before + 100)
    resource.prlimit(pid, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    poll(lambda: output(scene.weir)["state"] == "ok")
    scene.end()


# ---------------------------------------------------------------- spools


def replay(*args, check=True):
    done = subprocess.run([str(WEIR), "replay", *map(str, args)], capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_spool_of_a_plugin_that_is_no_more(tmp_path):
    """What waits for a table that does not fit is told of when its plugin has gone, listed, and
    played to another table, once."""
    pcap, none, db = (tmp_path / name for name in ("x.pcap", "none.pcap", "x.db"))
    at = 1700000000
    netflow.capture(pcap, [(at, netflow.v9(("192.0.2.1", at, at, 3, 30), ("192.0.2.2", at + 90,
                                                                         at + 90, 4, 40)))])
    netflow.capture(none, [])
    with sqlite3.connect(db) as c:
        c.execute("CREATE TABLE t_2023 (something INT)")

    def run(source, plugin):
        return run_file(tmp_path, f"""
            pcap_savefile: {source}
            plugins: sqlite3[{plugin}]
            sql_db: {db}
            sql_table: t_%Y
            sql_history: 1m
            sql_refresh_time: 60
            timestamps_utc: true
            """, "--as", "nfacctd")

    log = run(pcap, "old/one")
    assert "t_2023 does not fit" in log and "are left in" in log
    spool = tmp_path / "state" / "spool" / "old%2Fone"
    log = run(none, "new")
    assert f"{spool}: 1 batches wait there for a plugin that is no more" in log
    listed = replay("-l", spool)
    assert [line.split()[4:] for line in listed.stdout.splitlines()] == [
        ["2023-11-14", "22:13:00", "sqlite3", "t_2023", "1"],
        ["2023-11-14", "22:14:00", "sqlite3", "t_2023", "1"]]
    assert "ip_src=192.0.2.2" in replay("-d", "-o", 2, spool).stdout
    assert replay("-t", spool).stderr == "2 batches read, 2 rows\n"
    for known in (0, 2):
        done = replay("-T", "mine", spool)
        assert done.stderr.endswith(
            f"2 batches read, 2 rows; {known} batches were there already, 0 rows refused\n")
    with sqlite3.connect(db) as c:
        assert c.execute("SELECT stamp_inserted, ip_src, packets, bytes FROM mine ORDER BY 1"
                         ).fetchall() == [("2023-11-14 22:13:00", "192.0.2.1", 3, 30),
                                          ("2023-11-14 22:14:00", "192.0.2.2", 4, 40)]
    assert "WEIR_SQL_PASSWD" in replay("-P", "secret", spool, check=False).stderr
    assert replay(pcap, check=False).returncode == 1


# ---------------------------------------------------------------- weir


@engines_of("sqlite3", rest=["pgsql", "mysql"])
def test_weir_killed(engine, weir):
    """kill -9 at random moments. A bin that was over three seconds before, one more than weir
    needs, is there, whole; of those that were not over, no more than was sent."""
    random.seed(1)
    engine.fresh("x")
    port, sent, unsure = free_port(), {}, set()
    for kill in range(KILLS):
        w = weir(config(engine, port), "--as", "nfacctd").ready()
        sender = netflow.Sender(port)
        # Now and then it lives long enough to have whole bins.
        time.sleep(random.uniform(0.1, 1.8) if kill % 4 else random.uniform(5.3, 5.9))
        w.kill()
        killed = time.time()
        sender.stop()
        for at, (packets, octets) in sender.sent.items():
            have = sent.setdefault(at, [0, 0])
            have[:] = have[0] + packets, have[1] + octets
            if at + 1 >= killed - 3.2:
                unsure.add(at)
        w.socket.unlink()
    write_rest(weir, engine, port)
    got, sure = table(engine), sent.keys() - unsure
    assert len(sure) >= KILLS // 4
    assert {at: got.get(at) for at in sure} == {at: sent[at] for at in sure}
    assert all(p <= sent[at][0] and b <= sent[at][1] for at, (p, b) in got.items())
