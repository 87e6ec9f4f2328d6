# SPDX-License-Identifier: GPL-2.0-or-later
"""SQL tables on all three engines, row by row: what weir writes is what came in, to the
octet, in every form of table and with every way of writing; Debian's pmacct, given the same
configuration, writes the same; and weir goes on with what pmacct has begun.

Each engine gets one run of weir, one of pmacct, and one of weir into pmacct's tables, with
a plugin for every case. Where pmacct 1.7.7 is at fault a case is for weir alone:

- it does not lock rows with MySQL (sql_locking_style: row);
- sqlite3 plugins that share a file get in each other's way ("database is locked"): each
  has a file of its own;
- version 9 without sql_table writes to acct: the table is named;
- pgsql makes only the first of the tables that one write needs (sql_table_schema).
"""
import calendar
import concurrent.futures
import ipaddress
import os
import pathlib
import re
import subprocess
import time

import pytest

import netflow
import sflow
from conftest import PROTOS, TUPLE, WEIR, generate, run_file, truth

# The servers, and what runs against them, once.
pytestmark = pytest.mark.xdist_group("sql")

SCRIPTS = pathlib.Path("/usr/share/doc/pmacct/sql")
BIN = 60


class Case:
    def __init__(self, name, says, lines="", version=9, aggregate=TUPLE + ", tos", table=None,
                 engines=("sqlite3", "pgsql", "mysql"), pmacct=True, adds=True, scripts=False,
                 begins=lambda t: t // BIN * BIN):
        self.name, self.says, self.lines, self.version = name, says, lines, version
        self.aggregate, self.engines = aggregate, engines
        self.table = table or f"t_{name}"
        self.pmacct = pmacct    # can do it, too
        self.adds = adds        # to rows that are there
        self.scripts = scripts  # the table is one of pmacct's scripts
        self.begins = begins    # the bin of a second
        self.fields = [f.strip() for f in aggregate.split(",")]

    def on_pmacct(self, engine):
        return self.pmacct is True or (self.pmacct and engine in self.pmacct)


def versions():
    more = {1: "", 2: "", 3: ", tos", 4: ", tos, flows", 5: ", tos, flows",
            6: ", tos, flows, src_as, dst_as"}
    for v in range(1, 10):
        aggregate = TUPLE + more.get(v, ", tos, flows, src_as, dst_as, tcpflags")
        yield Case(f"v{v}", f"default table of version {v}", version=v, aggregate=aggregate,
                   table="acct" if v == 1 else f"acct_v{v}", scripts=True)


OPTIMIZE = "sql_optimize_clauses: true"
CASES = [
    *versions(),
    Case("optimized", "only columns of what is aggregated", OPTIMIZE,
         aggregate=TUPLE + ", src_as, flows"),
    Case("epoch", "times as numbers", OPTIMIZE + "\ntimestamps_since_epoch: true"),
    Case("dynamic", "a table for each minute", "", table="t_%Y%m%d_%H%M",
         pmacct=("sqlite3", "mysql")),
    Case("insert", "rows only inserted", OPTIMIZE + "\nsql_dont_try_update: true", adds=False),
    Case("copy", "COPY", OPTIMIZE + "\nsql_use_copy: true\nsql_dont_try_update: true\n"
         "sql_delimiter: ;", pmacct=("pgsql",), adds=False),
    Case("multi", "many rows a statement", OPTIMIZE + "\nsql_multi_values: 65536\n"
         "sql_dont_try_update: true", pmacct=("sqlite3", "mysql"), adds=False),
    Case("table", "the table locked", OPTIMIZE + "\nsql_locking_style: table"),
    Case("row", "rows locked", OPTIMIZE + "\nsql_locking_style: row",
         pmacct=("sqlite3", "pgsql")),
    Case("none", "nothing locked", OPTIMIZE + "\nsql_locking_style: none"),
    Case("protos", "protocols as numbers", OPTIMIZE + "\nsql_num_protos: true"),
    Case("offset", "bins begin earlier", OPTIMIZE + "\nsql_history_offset: 20",
         begins=lambda t: (t + 20) // BIN * BIN - 20),
    Case("hour", "bins of a full hour", OPTIMIZE + "\nsql_history: 2m\nsql_history_roundoff: h",
         begins=lambda t: t // 120 * 120),
    Case("stamps", "flows' own times", OPTIMIZE, aggregate=TUPLE + ", timestamp_start"),
    Case("secs", "flows' own times without fraction", OPTIMIZE + "\ntimestamps_secs: true",
         aggregate=TUPLE + ", timestamp_start"),
    Case("hosts", "addresses as octets", OPTIMIZE + "\nsql_num_hosts: true",
         engines=("sqlite3", "mysql"), pmacct=("mysql",)),
]
BY_NAME = {c.name: c for c in CASES}


def script(engine, version):
    """pmacct's own statements for a table."""
    if engine == "mysql":
        text = (SCRIPTS / f"pmacct-create-db_v{version}.mysql").read_text()
        return text.split("use pmacct;")[1]
    if engine == "sqlite3":
        return (SCRIPTS / f"pmacct-create-table_v{version}.sqlite3").read_text()
    name = "v7_v8" if version in (7, 8) else f"v{version}"
    text = (SCRIPTS / f"pmacct-create-table_{name}.pgsql").read_text()
    return text.replace("acct_v7", f"acct_v{version}") if version == 8 else text


class Runs:
    """The captures, configurations and databases of one engine."""

    def __init__(self, server, directory):
        self.server, self.engine, self.dir = server, server.engine, directory
        self.cases = [c for c in CASES if self.engine in c.engines]
        self.pcap = directory / "x.pcap"
        generate("netflow5", 2000, 200, "--uniform", "--pps", 10, pcap=self.pcap)
        netflow.v5_settle(self.pcap, BIN)
        self.schema = directory / "schema.sql"
        self.schema.write_text(self.statement(
            Case("made", "", "", table="t_%Y%m%d_%H%M"), table="made")
            .replace("made", "t_%Y%m%d_%H%M"))

    def config(self, cases, db, separate=False):
        text = [f"pcap_savefile: {self.pcap}",
                "plugins: " + ", ".join(f"{self.engine}[{c.name}]" for c in cases),
                f"sql_history: {BIN // 60}m", f"sql_refresh_time: {BIN}",
                "sql_history_roundoff: m",
                "plugin_pipe_size: 10240000"]
        for c in cases:
            at = f"[{c.name}]"
            text += [f"aggregate{at}: {c.aggregate}", f"sql_table_version{at}: {c.version}",
                     f"sql_table{at}: {c.table}",
                     self.server.config(f"{db}_{c.name}" if separate else db, at)]
            text += [line.replace(":", f"{at}:", 1) for line in c.lines.splitlines()]
            if "%" in c.table and separate is not None:
                text.append(f"sql_table_schema{at}: {self.schema}")
        return "\n".join(text) + "\n"

    def statement(self, case, table=None):
        """What weir says makes the table of `case`."""
        conf = self.dir / "schema.conf"
        conf.write_text(self.config([case], "x", None).replace(case.table, table or case.table))
        out = subprocess.run([str(WEIR), "sql", "schema", "--as", "nfacctd", "-f", str(conf)],
                             capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        return out.stdout.split(";")[0] + ";"

    def run(self, name, argv, config, **env):
        conf = self.dir / f"{name}.conf"
        conf.write_text(config)
        # To the end of its output: pmacct's writers outlive it.
        done = subprocess.run([*argv, "-f", str(conf)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=200,
                              env=dict(os.environ, TZ="UTC", **env))
        assert done.returncode == 0, done.stdout
        return done.stdout

    def weir(self, cases, db, separate=False):
        config = self.config(cases, db, separate) + f"state_dir: {self.dir}/state\n"
        log = self.run(f"weir-{db}", [str(WEIR), "run", "--as", "nfacctd"], config)
        assert "ERR" not in log and "WARN" not in log, log
        return log

    def pmacct(self):
        """pmacct's rows, and weir's after it, in the same tables, if it may not refuse that."""
        cases = [c for c in self.cases if c.on_pmacct(self.engine)]
        # Its plugins may not be there yet when the file is read: then it is asked again.
        for delay in (0, 5, 20):
            self.begun = self.pmacct_rows(cases, delay)
            if all(self.begun[c.name] == self.truth(c) for c in cases):
                break
        cases = [c for c in cases if c.adds]
        self.weir(cases, "theirs", self.engine == "sqlite3")
        self.continued = {c.name: self.rows(c, self.theirs(c)) for c in cases}

    def pmacct_rows(self, cases, delay):
        """What pmacct writes into tables of its own scripts or, where it has none, of weir's."""
        for db in {self.theirs(c) for c in cases}:
            self.server.fresh(db)
            self.server.set_utc(db)
        for c in cases:
            if c.scripts:
                self.server.client(script(self.engine, c.version), self.theirs(c))
            elif "%" not in c.table:
                self.server.client(self.statement(c), self.theirs(c))
        # Once, at its end: what it writes in two parts it would refuse where it only inserts.
        config = self.config(cases, "theirs", self.engine == "sqlite3").replace(
            f"sql_refresh_time: {BIN}", "sql_refresh_time: 86400")
        if delay:
            config += f"pcap_savefile_delay: {delay}\n"
        self.said = self.run("pmacct", ["/usr/sbin/nfacctd"], config)
        return {c.name: self.rows(c, self.theirs(c)) for c in cases}

    def theirs(self, case):
        return f"theirs_{case.name}" if self.engine == "sqlite3" else "theirs"

    # ---- reading back ----

    def rows(self, case, db):
        """{key: sums} of a case's table or tables."""
        named = {"tos": "tos", "src_as": "as_src", "dst_as": "as_dst", "tcpflags": "tcp_flags",
                 "timestamp_start": "timestamp_start" + (
                     ", timestamp_start_residual" if case.name == "stamps" else "")}
        old = self.engine != "pgsql" and case.version < 8
        host = {"mysql": "INET6_NTOA(%s)", "sqlite3": "hex(%s)"}.get(self.engine, "%s")
        host = host if case.name == "hosts" else "%s"
        columns = ["stamp_inserted", host % "ip_src", host % "ip_dst",
                   *(("src_port", "dst_port") if old else ("port_src", "port_dst")), "ip_proto",
                   *(named[f] for f in case.fields if f in named and f != "tcpflags"),
                   "packets", "bytes", *(["flows"] if "flows" in case.fields else []),
                   *(["tcp_flags"] if "tcpflags" in case.fields else [])]
        keys = ", ".join(columns).split(", ").index("packets")
        tables = [case.table]
        if "%" in case.table:
            tables = [t for t in self.server.tables(db) if t.startswith("t_2")]
        got = {}
        for table in tables:
            for row in self.server.rows(f"SELECT {', '.join(columns)} FROM {table}", db):
                key = self.normal(row, keys)
                assert key not in got, f"twice: {key}"
                got[key] = tuple(int(v) for v in row[keys:])
        return got

    @staticmethod
    def normal(row, keys):
        def number(text):
            if re.fullmatch("[0-9]+", text):
                return int(text)
            if text.startswith("000"):  # none
                return 0
            return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))

        def host(text):
            if len(text) == 8 and "." not in text:  # hex() of four octets
                return ".".join(str(b) for b in bytes.fromhex(text))
            return text
        proto = PROTOS.get(row[5]) or int(row[5])
        return (number(row[0]), host(row[1]), host(row[2]), int(row[3]), int(row[4]), proto,
                *(number(v) for v in row[6:keys]))

    def truth(self, case):
        """The same from the datagrams themselves."""
        got = {}
        for key, more, packets, octets, start in netflow.v5_rows(self.pcap):
            key = (case.begins(start // 1000), *key,
                   *(more[f] for f in case.fields if f in ("tos", "src_as", "dst_as")))
            if "timestamp_start" in case.fields:
                key += (start // 1000, *([start % 1000 * 1000] if case.name == "stamps" else []))
            at = got.setdefault(key, [0, 0, 0, 0])
            at[:] = at[0] + packets, at[1] + octets, at[2] + 1, at[3] | more["tcpflags"]
        return {k: (*v[:2], *([v[2]] if "flows" in case.fields else []),
                    *([v[3]] if "tcpflags" in case.fields else [])) for k, v in got.items()}


@pytest.fixture(scope="module")
def runs(engines, tmp_path_factory):
    """{engine: Runs}; pmacct, which sleeps much, runs for all engines at once."""
    all_runs = {e: Runs(engines(e), tmp_path_factory.mktemp(e))
                for e in ("sqlite3", "pgsql", "mysql")}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        logs = {e: pool.submit(r.pmacct) for e, r in all_runs.items()}
        for r in all_runs.values():
            r.server.fresh("ours")
            r.weir(r.cases, "ours")
        for log in logs.values():
            log.result()
    return all_runs


def pairs(fits=lambda engine, case: True):
    return pytest.mark.parametrize("engine,name", [
        (e, c.name) for c in CASES for e in c.engines if fits(e, c)])


@pairs()
def test_rows_are_the_truth(runs, engine, name):
    r, case = runs[engine], BY_NAME[name]
    assert len({key[0] for key in r.truth(case)}) > 2  # bins, and tables of their own
    assert r.rows(case, "ours") == r.truth(case), case.says


@pairs(lambda e, c: c.on_pmacct(e))
def test_rows_are_pmaccts(runs, engine, name):
    r, case = runs[engine], BY_NAME[name]
    assert r.begun[name] == r.truth(case), r.said[-4000:]


@pairs(lambda e, c: c.on_pmacct(e) and c.adds)
def test_weir_adds_to_the_rows_of_pmacct(runs, engine, name):
    """No new row, and every counter twice what it was; flags stay what they are."""
    r, case = runs[engine], BY_NAME[name]
    flags = ["tcpflags"] if "tcpflags" in case.fields else []

    def twice(values):
        sums = values[:len(values) - len(flags)]
        return (*(2 * v for v in sums), *values[len(sums):])
    assert r.continued[name] == {k: twice(v) for k, v in r.begun[name].items()}


@pytest.mark.parametrize("engine,data,table", [
    ("sqlite3", "typed", "acct_v5"), ("mysql", "typed", "acct_v5"),
    ("pgsql", "typed", "acct_as_v5"), ("pgsql", "unified", "acct_uni_v5")])
def test_as_numbers_before_version_6(engines, tmp_path, engine, data, table):
    """They stand where addresses do: as text, or in PostgreSQL's tables for them as numbers;
    in tables of weir's own and of pmacct's scripts."""
    server, pcap = engines(engine), tmp_path / "x.pcap"
    generate("netflow5", 2000, 200, "--uniform", "--pps", 10, pcap=pcap)
    want = {}
    for _, more, packets, octets, _ in netflow.v5_rows(pcap):
        at = want.setdefault((more["src_as"], more["dst_as"]), [0, 0, 0])
        at[:] = at[0] + packets, at[1] + octets, at[2] + 1
    for made_by in ("weir", "pmacct"):
        server.fresh("x")
        if made_by == "pmacct":
            server.client(script(engine, 5), "x")
        run_file(tmp_path, f"""
            pcap_savefile: {pcap}
            plugins: {engine}[s]
            {server.config("x")}
            aggregate: src_as, dst_as, flows
            sql_table_version: 5
            sql_data: {data}
            sql_history: 1m
            sql_refresh_time: 60
            """, "--as", "nfacctd")
        rows = server.rows(f"SELECT ip_src, ip_dst, SUM(packets), SUM(bytes), SUM(flows) FROM "
                           f"{table} GROUP BY ip_src, ip_dst", "x")
        assert {(int(a), int(b)): [int(v) for v in sums] for a, b, *sums in rows} == want


def test_times_that_nobody_told(engine, tmp_path, monkeypatch):
    """Samples of sFlow have none: pmacct adds to the row that weir has written for them."""
    monkeypatch.setenv("TZ", "UTC")
    pcap = tmp_path / "x.pcap"
    sample = sflow.flow(1, sflow.decoded_ipv4("192.0.2.1", "192.0.2.2", 1, 2, 100))
    netflow.capture(pcap, [(1700000000, sflow.datagram(1, sample))])
    engine.fresh("x")
    engine.set_utc("x")
    text = f"""
        pcap_savefile: {pcap}
        plugins: {engine.engine}[s]
        {engine.config("x")}
        aggregate: src_host, timestamp_start, timestamp_end
        sql_optimize_clauses: true
        sql_table: t
        sql_history: 1m
        sql_locking_style: row
        """
    run_file(tmp_path, text, "--as", "sfacctd")
    ask = ("SELECT timestamp_start, timestamp_end, timestamp_start_residual, packets FROM t")
    zero = "1970-01-01 00:00:00"
    assert engine.rows(ask, "x") == [(zero, zero, "0", "1")]
    (tmp_path / "pmacct.conf").write_text(text)
    done = subprocess.run(["/usr/sbin/sfacctd", "-f", tmp_path / "pmacct.conf"],
                          capture_output=True, text=True, timeout=60)
    assert engine.rows(ask, "x") == [(zero, zero, "0", "2")], done.stdout + done.stderr


@pytest.mark.parametrize("hosts", [False, True])
def test_addresses_of_both_families(engine, tmp_path, hosts):
    """IPv4 and IPv6 in one column, and MAC addresses, as text, as PostgreSQL's own types and as
    octets; two bins, twice."""
    pcap, csv = tmp_path / "x.pcap", tmp_path / "x.csv"
    generate("packets", 3000, 300, "--ipv4", 50, "--pps", 30, pcap=pcap, truth=csv)
    engine.fresh("x")
    for _ in range(2):
        run_file(tmp_path, f"""
            pcap_savefile: {pcap}
            plugins: {engine.engine}[s]
            {engine.config("x")}
            aggregate: {TUPLE}, src_mac, dst_mac
            sql_table: t
            sql_table_version: 9
            sql_num_hosts: {"true" if hosts else "false"}
            sql_history: 1m
            sql_refresh_time: 60
            """)
    host = {"mysql": "INET6_NTOA({})", "sqlite3": "hex({})", "pgsql": "host({})"}[engine.engine]
    host = host if hosts or engine.engine == "pgsql" else "{}"
    got = {}
    for src, dst, *key, packets, octets in engine.rows(
            f"SELECT {host.format('ip_src')}, {host.format('ip_dst')}, port_src, port_dst, "
            "ip_proto, packets, bytes FROM t", "x"):
        if hosts and engine.engine == "sqlite3":
            src, dst = (bytes.fromhex(a) for a in (src, dst))
        key = (ipaddress.ip_address(src), ipaddress.ip_address(dst), int(key[0]), int(key[1]),
               PROTOS.get(key[2]) or int(key[2]))
        at = got.setdefault(key, [0, 0])
        at[:] = at[0] + int(packets), at[1] + int(octets)
    want = {(ipaddress.ip_address(k[0]), ipaddress.ip_address(k[1]), *k[2:]):
            [2 * r["packets"], 2 * r["bytes"]] for k, r in truth(csv).items()}
    assert {k[0].version for k in want} == {4, 6}
    assert got == want
    macs = engine.rows("SELECT DISTINCT mac_src FROM t", "x")
    assert len(macs) > 0 and all(re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", m) for m, in macs)
