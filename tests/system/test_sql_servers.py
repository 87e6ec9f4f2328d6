# SPDX-License-Identifier: GPL-2.0-or-later
"""What SQL servers make hard: several writers, readers meanwhile, text that breaks
statements, time zones, who may do what, and secrets."""
import os
import re
import socket
import struct
import subprocess
import threading

import pytest

import ipfix
import netflow
from conftest import TUPLE, WEIR, free_port, generate, poll, run_file, truth

# The servers, and what runs against them, once.
pytestmark = pytest.mark.xdist_group("sql")

SERVERS = pytest.mark.parametrize("engine", ["pgsql", "mysql"], indirect=True)


def config(server, pcap, more="", plugin="s"):
    return f"""
        pcap_savefile: {pcap}
        plugins: {server.engine}[{plugin}]
        {server.config("x")}
        sql_history: 1m
        sql_history_roundoff: m
        sql_refresh_time: 60
        {more}
        """


def start(directory, text, **env):
    directory.mkdir()
    (directory / "weir.conf").write_text(
        text + f"\nlogfile: {directory}/log\nstate_dir: {directory}/state\n")
    return subprocess.Popen([str(WEIR), "run", "--as", "nfacctd", "-f",
                             str(directory / "weir.conf")], env=dict(os.environ, **env))


def totals(server, table="t"):
    return [tuple(int(v) for v in row) for row in server.rows(
        f"SELECT COUNT(*), SUM(packets), SUM(bytes) FROM {table}", "x")]


# ---------------------------------------------------------------- many at one table


WAYS = [("pgsql", way) for way in ("table", "row", "none", "keyless")]
WAYS += [("mysql", way) for way in ("table", "row", "none", "keyless")]
WAYS += [("sqlite3", "row"), ("sqlite3", "keyless")]


@pytest.mark.parametrize("engine,way", WAYS)
def test_several_weirs_write_the_same_rows(engines, tmp_path, engine, way):
    """Three at once, from a database without tables on: no update is lost, whatever is
    locked, and where the table has no key."""
    server, pcap, csv = engines(engine), tmp_path / "x.pcap", tmp_path / "x.csv"
    generate("netflow5", 6000, 600, "--uniform", "--pps", 20, pcap=pcap, truth=csv)
    text = config(server, pcap, f"""
        aggregate: {TUPLE}
        sql_optimize_clauses: true
        sql_table: t
        sql_locking_style: {"row" if way == "keyless" else way}
        """)
    server.fresh("x")
    if way == "keyless":
        stamp = "TIMESTAMP" if engine == "pgsql" else "DATETIME"
        server.client(f"CREATE TABLE t (stamp_inserted {stamp}, ip_src VARCHAR(45), "
                      f"ip_dst VARCHAR(45), src_port INT, dst_port INT, port_src INT, "
                      f"port_dst INT, ip_proto VARCHAR(6), packets BIGINT, bytes BIGINT, "
                      f"stamp_updated {stamp})", "x")
    running = [start(tmp_path / f"{i}", text) for i in range(3)]
    assert [w.wait(60) for w in running] == [0, 0, 0]
    logs = [(tmp_path / f"{i}" / "log").read_text() for i in range(3)]
    errors = [line for log in logs for line in log.splitlines() if " ERR " in line]
    assert all("locked" in line for line in errors), errors
    # Who waits for SQLite's only writer for longer than it is patient leaves its spool behind.
    for i in range(3):
        spool = tmp_path / f"{i}" / "state" / "spool" / "s"
        left = list(spool.glob("*.batch"))
        assert not left or engine == "sqlite3"
        if left:
            subprocess.run([str(WEIR), "replay", "-f", tmp_path / f"{i}" / "weir.conf", "-p", "s",
                            *left], check=True)
    want = truth(csv).values()
    n, packets, octets = totals(server)[0]
    assert (packets, octets) == (3 * sum(r["packets"] for r in want),
                                 3 * sum(r["bytes"] for r in want))
    assert n == len(server.rows("SELECT DISTINCT stamp_inserted, ip_src, ip_dst, " + (
        "src_port, dst_port" if engine != "pgsql" else "port_src, port_dst") +
        ", ip_proto FROM t", "x"))


def test_tables_in_a_schema(engine, one, tmp_path):
    """Of the operator's or made, with a key and without, locked or not, straight or merged;
    where another of the same name has no schema, and other columns."""
    schema = {"pgsql": "Flows", "mysql": "flows", "sqlite3": "Main"}[engine.engine]
    engine.fresh("x")
    if engine.engine == "pgsql":
        engine.client("CREATE SCHEMA flows", "x")
    elif engine.engine == "mysql":
        engine.fresh("flows")
    if engine.engine != "sqlite3":
        engine.client("CREATE TABLE made (packets INT); CREATE TABLE bare (packets INT)", "x")
    engine.client(f"CREATE TABLE {schema}.bare (ip_src VARCHAR(45), packets BIGINT, bytes BIGINT)",
                  "x")
    text = f"""
        pcap_savefile: {one}
        plugins: {", ".join(f"{engine.engine}[{p}]" for p in ("made", "lock", "bare"))}
        {engine.config("x")}
        aggregate: src_host
        sql_optimize_clauses: true
        sql_history[made]: 1m
        sql_history[lock]: 1m
        sql_table[made]: {schema}.made
        sql_table[lock]: {schema}.lock_%Y
        sql_table[bare]: {schema}.bare
        sql_locking_style[lock]: table
        """
    for n in (1, 2):  # the second finds the rows of the first
        log = run_file(tmp_path, text, "--as", "nfacctd")
        assert " ERR " not in log
        assert len(re.findall(f" {engine.engine} lock: table .* made", log)) == 1
        for table in ("made", "lock_2023", "bare"):
            assert totals(engine, f"{schema}.{table}") == [(1, 3 * n, 333 * n)]


def test_dashboards_read_while_weir_writes(engine, tmp_path):
    """Plugins with filters feed acct_in, a ring of tables by week day, and the sums of customers;
    whoever adds up a minute meanwhile gets all of it or nothing, and what the datagrams had."""
    pcap = tmp_path / "x.pcap"
    generate("netflow5", 60000, 100, "--uniform", "--pps", 60, pcap=pcap)
    netflow.v5_settle(pcap, 60)
    (tmp_path / "tags").write_text("set_tag=10 filter='dst port 443'\n"
                                   "set_tag=20 filter='dst port 53'\n")
    want_in, want_out, customers = {}, {}, {}
    for (src, dst, _, dport, proto), _, _, octets, began in netflow.v5_rows(pcap):
        tag = {443: 10, 53: 20}.get(dport, 0)
        customers[tag] = customers.get(tag, 0) + octets
        host, sums = {6: (src, want_in), 17: (dst, want_out)}.get(proto, (src, {}))
        at = (host, began // 60000 * 60)
        sums[at] = sums.get(at, 0) + octets
    source = next(iter(want_in))[0]
    assert want_out
    engine.fresh("x")
    w = start(tmp_path / "w", f"""
        pcap_savefile: {pcap}
        plugins: {engine.engine}[in], {engine.engine}[out], {engine.engine}[customers]
        {engine.config("x")}
        aggregate[in]: src_host
        aggregate[out]: dst_host
        aggregate[customers]: tag
        pre_tag_map[customers]: {tmp_path}/tags
        sql_table_version[customers]: 2
        aggregate_filter[in]: tcp
        aggregate_filter[out]: udp
        sql_table[in]: acct_in
        sql_table[out]: acct_v4_%w
        sql_table_version[out]: 4
        sql_history: 1m
        sql_history_roundoff: m
        sql_refresh_time: 60
        timestamps_since_epoch: true
        """)

    def read(column, table):
        if table not in engine.tables("x"):
            return {}
        return {(host, int(at)): int(octets) for host, at, octets in engine.rows(
            f"SELECT {column}, stamp_inserted, SUM(bytes) FROM {table} GROUP BY "
            f"{column}, stamp_inserted", "x")}
    looks = 0
    while w.poll() is None:
        for column, table, want in (("ip_src", "acct_in", want_in),
                                    ("ip_dst", "acct_v4_2", want_out)):
            got = read(column, table)
            looks += len(got) > 0
            assert {k: want[k] for k in got} == got
            bins = {at for _, at in got}
            assert len(got) == sum(at in bins for _, at in want)
    assert w.returncode == 0
    assert read("ip_src", "acct_in") == want_in
    assert read("ip_dst", "acct_v4_2") == want_out  # 2023-11-14 was a Tuesday
    assert len(customers) == 3
    assert customers == {int(tag): int(octets) for tag, octets in engine.rows(
        "SELECT agent_id, SUM(bytes) FROM acct_v2 GROUP BY agent_id", "x")}
    one = engine.rows(f"SELECT stamp_inserted, SUM(bytes) FROM acct_in WHERE ip_src='{source}' "
                      "GROUP BY stamp_inserted", "x")
    assert {int(at): int(octets) for at, octets in one} == {
        at: octets for (host, at), octets in want_in.items() if host == source}


# ---------------------------------------------------------------- after and beside a batch


@SERVERS
def test_another_server_and_a_trigger(engine, tmp_path):
    """The second server gets what the first does not take, but for rows that sql_preprocess
    keeps out; the trigger then knows all but the password."""
    netflow.capture(tmp_path / "x.pcap", [(1700000000, netflow.v9(
        ("192.0.2.1", 1700000000, 1700000001, 3, 300), ("192.0.2.2", 1700000000, 1700000001, 2, 2000),
        ("192.0.2.3", 1700000000, 1700000001, 9, 9000)))])
    script = tmp_path / "trigger"
    script.write_text("#!/bin/sh\nenv > \"$1\"\n")
    script.chmod(0o755)
    engine.fresh("x")
    text = f"""
        pcap_savefile: {tmp_path}/x.pcap
        plugins: {engine.engine}[s]
        {engine.config('x')}
        sql_host: unix:{tmp_path}/none
        sql_recovery_backup_host: {engine.host}
        sql_history: 1m
        sql_history_roundoff: m
        sql_refresh_time: 60
        sql_max_writers: 3
        aggregate: src_host
        sql_optimize_clauses: true
        sql_table: t_%M
        sql_preprocess: minb=1000, maxp=5
        sql_preprocess_type: all
        sql_trigger_exec: {script} {tmp_path}/env
        """
    log = run_file(tmp_path, text, "--as", "nfacctd")
    assert engine.rows("SELECT ip_src, packets, bytes FROM t_13", "x") == [
        ("192.0.2.2", "2", "2000")], log
    env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    want = {"EFFECTIVE_SQL_TABLE": "t_13", "SQL_TABLE": "t_%M", "TOTAL_ELEM_NUMBER": "1",
            "EFFECTIVE_ELEM_NUMBER": "1", "SQL_HISTORY_BASETIME": "1699999980",
            "SQL_HISTORY_TIMESLOT": "60", "SQL_REFRESH_TIME": "60", "SQL_MAX_WRITERS": "3",
            "SQL_RECOVERY_BACKUP_HOST": str(engine.host)}
    assert {k: env.get(k) for k in want} == want, env
    assert not any("smartpwd" in value for value in env.values())


# ---------------------------------------------------------------- text from the wire


NAMES = [b"it's", b'say "x"', b"'; DROP TABLE t; --", b"tab\there", b"new\nline", b"back\\slash",
         b"\\N", b"\\.", b"$1", b"?", b"%s", b"`tick`", "\u00fcml\u00e4ut \u65e5\u672c \U0001f600".encode(),
         b"bad \xff\xfe utf", b"half \xe6\x97", b"UPPER", b"upper", b"trail ", b"x" * 250]
PEN = 9999


def names_capture(path):
    """Flows, each with a name as applicationName and as an element of one's own."""
    fields = ((8, 4, 0), (1, 4, 0), (2, 4, 0), (96, 65535, 0), (1001, 65535, PEN))
    body = b"".join(struct.pack("!HH", f | (0x8000 if pen else 0), n) +
                    (struct.pack("!I", pen) if pen else b"") for f, n, pen in fields)
    template = struct.pack("!HHHH", 2, 8 + len(body), 300, len(fields)) + body
    datagrams = []
    for i, name in enumerate(NAMES):
        data = (ipfix.ip("192.0.2.1") + struct.pack("!II", 10 + i, 1) +
                2 * (bytes([len(name)]) + name))
        datagrams.append((1700000000, ipfix.message(
            i, *([template] if i == 0 else []), struct.pack("!HH", 300, 4 + len(data)) + data)))
    netflow.capture(path, datagrams)


def clean(name):
    """`name` as weir has it: what is no UTF-8 or no character to print made '?'."""
    out = ""
    while name:
        for n in (1, 2, 3, 4):
            try:
                out += name[:n].decode()
                break
            except UnicodeDecodeError:
                continue
        else:
            n = 1
            out += "?"
        name = name[n:]
    return "".join("?" if c < " " else c for c in out)


HEX = {"pgsql": "encode(convert_to({}, 'UTF8'), 'hex')", "mysql": "HEX({})",
       "sqlite3": "hex({})"}


@pytest.mark.parametrize("aim", ["add", "insert"])
def test_names_from_the_wire_are_data(engine, tmp_path, aim):
    """In a table of weir's own every name stands as it came, twice written."""
    names_capture(tmp_path / "x.pcap")
    (tmp_path / "own.map").write_text(
        f"name=alarm field_type={PEN}:1001 len=vlen semantics=str\n")
    engine.fresh("x")
    text = config(engine, tmp_path / "x.pcap", f"""
        aggregate_primitives: {tmp_path}/own.map
        aggregate: src_host, class, alarm
        sql_optimize_clauses: true
        sql_table: t
        sql_dont_try_update: {"true" if aim == "insert" else "false"}
        """)
    for status in (0, int(aim == "insert")):  # keys that are taken are refused
        run_file(tmp_path, text, "--as", "nfacctd", status=status)
    wanted = {(clean(n), clean(n)): (2 if aim == "add" else 1) * (10 + i)
              for i, n in enumerate(NAMES)}
    h = HEX[engine.engine]
    rows = engine.rows(f"SELECT {h.format('class_id')}, {h.format('alarm')}, bytes FROM t", "x")
    got = {(bytes.fromhex(a).decode(), bytes.fromhex(b).decode()): int(n) for a, b, n in rows}
    assert len(rows) == len(NAMES)
    assert got == wanted


def no_temporary_tables(engine):
    """A user who may make none: rows go one by one. SQLite has no other way."""
    if engine.engine == "sqlite3":
        return ""
    engine.client({
        "pgsql": "DROP ROLE IF EXISTS bare; CREATE ROLE bare LOGIN PASSWORD 'bare'; REVOKE "
                 "TEMPORARY ON DATABASE x FROM PUBLIC; GRANT CREATE ON SCHEMA public TO bare; "
                 "GRANT ALL ON t TO bare",
        "mysql": "CREATE OR REPLACE USER bare@'%' IDENTIFIED BY 'bare'; GRANT SELECT, INSERT, "
                 "UPDATE, DELETE, CREATE, LOCK TABLES ON x.* TO bare@'%'"}[engine.engine], "x")
    return "\nsql_user: bare\nsql_passwd: bare\n"


@pytest.mark.parametrize("way", ["merged", "rows", "keyless rows"])
def test_names_that_do_not_fit_stop_no_batch(engine, tmp_path, way):
    """A table of pmacct's time has 16 characters of Latin-1: what is longer is cut, what it
    has no letter for becomes another, rows that then have one key are one (but for such letters
    with MariaDB where rows without a key go one by one: each write has its own); sums are right."""
    names_capture(tmp_path / "x.pcap")
    engine.fresh("x")
    stamp = "TIMESTAMP" if engine.engine == "pgsql" else "DATETIME"
    latin = " CHARACTER SET latin1" if engine.engine == "mysql" else ""
    engine.client(f"CREATE TABLE t (stamp_inserted {stamp} NOT NULL, class_id CHAR(16) NOT NULL, "
                  f"packets INT NOT NULL, bytes BIGINT NOT NULL, stamp_updated {stamp}"
                  f"{'' if 'keyless' in way else ', PRIMARY KEY (stamp_inserted, class_id)'})"
                  f"{latin}", "x")
    low = no_temporary_tables(engine) if "rows" in way else ""
    text = config(engine, tmp_path / "x.pcap", """
        aggregate: class
        sql_optimize_clauses: true
        sql_table: t
        """)
    for _ in range(2):
        log = run_file(tmp_path, text + low, "--as", "nfacctd")
        assert "one by one" in log or not low
    n, packets, octets = totals(engine)[0]
    assert packets == 2 * len(NAMES)
    assert octets == 2 * sum(10 + i for i in range(len(NAMES)))
    again = engine.engine == "mysql" and way == "keyless rows"
    folds = engine.engine == "mysql"  # UPPER and upper are one
    assert n == len(NAMES) - folds + again


COLUMN = {"pgsql": ("INT", 2**31 - 1, "BIGINT", 2**63 - 1),
          "mysql": ("INT UNSIGNED", 2**32 - 1, "BIGINT UNSIGNED", 2**64 - 1),
          "sqlite3": ("INT", 2**63 - 1, "BIGINT", 2**63 - 1)}


@pytest.mark.parametrize("way", ["merged", "rows", "keyless"])
def test_sums_that_do_not_fit_stop_no_batch(engine, tmp_path, way):
    """They stay at the largest that the column holds, which is said; all else is right."""
    engine.fresh("x")
    if engine.engine == "mysql":
        engine.client("SET GLOBAL sql_mode = 'STRICT_ALL_TABLES'", "x")
    stamp = "TIMESTAMP" if engine.engine == "pgsql" else "DATETIME"
    small, small_max, large, large_max = COLUMN[engine.engine]
    key = "" if way == "keyless" else ", PRIMARY KEY (stamp_inserted, ip_src)"
    engine.client(f"CREATE TABLE t (stamp_inserted {stamp} NOT NULL, ip_src VARCHAR(45) NOT NULL, "
                  f"packets {small} NOT NULL, bytes {large} NOT NULL, stamp_updated {stamp}{key})",
                  "x")
    netflow.capture(tmp_path / "x.pcap", [(1700000000, netflow.v9(
        ("192.0.2.1", 1700000000, 1700000001, 3, 333),
        ("192.0.2.2", 1700000000, 1700000001, 5, 555)))])
    text = config(engine, tmp_path / "x.pcap", """
        aggregate: src_host
        sql_optimize_clauses: true
        sql_table: t
        """)
    low = no_temporary_tables(engine) if way == "rows" else ""
    for _ in range(2):
        assert "largest" not in run_file(tmp_path, text + low, "--as", "nfacctd")
    engine.client(f"UPDATE t SET packets = {small_max - 2}, bytes = {large_max - 1} "
                  "WHERE ip_src = '192.0.2.1'", "x")
    for _ in range(2):
        (tmp_path / "weir.log").unlink()
        log = run_file(tmp_path, text + low, "--as", "nfacctd")
        assert "stays at the largest" in log and "ERR" not in log, log
    assert sorted(engine.rows("SELECT ip_src, packets, bytes FROM t", "x")) == [
        ("192.0.2.1", str(small_max), str(large_max)), ("192.0.2.2", "20", "2220")]


def test_prepared_statements_do_not_pile_up(engines, tmp_path):
    """A connection that stays lets go of what a bin and a table of its own needed."""
    server, pcap = engines("pgsql"), tmp_path / "x.pcap"
    generate("netflow5", 6000, 20, "--uniform", "--pps", 20, pcap=pcap, truth=tmp_path / "csv")
    server.fresh("x")
    text = config(server, pcap, """
        aggregate: src_host
        sql_optimize_clauses: true
        sql_table: t_%M
        """)
    run_file(tmp_path, text, "--as", "nfacctd")
    before = server.log.stat().st_size
    run_file(tmp_path, text, "--as", "nfacctd")
    with open(server.log, "rb") as f:
        f.seek(before)
        log = f.read().decode(errors="replace")
    merges = set(re.findall(r"execute (weir\d+): INSERT INTO \"t_\d\d\" \([^)]*\) SELECT", log))
    assert len(merges) >= 4 and merges <= set(re.findall(r"DEALLOCATE (weir\d+)", log))


@pytest.mark.parametrize("aim", ["add", "insert"])
@pytest.mark.parametrize("kind", ["policy", "view"])
def test_a_table_that_takes_no_copy(engines, one, tmp_path, kind, aim):
    """Row-level security and views refuse COPY; INSERT goes."""
    server = engines("pgsql")
    server.fresh("x")
    server.client("""
        DROP ROLE IF EXISTS low; CREATE ROLE low LOGIN PASSWORD 'low';
        CREATE TABLE real (stamp_inserted TIMESTAMP NOT NULL, ip_src INET NOT NULL,
            packets BIGINT NOT NULL, bytes BIGINT NOT NULL, stamp_updated TIMESTAMP,
            PRIMARY KEY (stamp_inserted, ip_src));
        GRANT CREATE ON SCHEMA public TO low;
        """ + ("CREATE VIEW t AS SELECT * FROM real;" if kind == "view" else """
        ALTER TABLE real RENAME TO t; ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON t TO low USING (packets < 100);
        """) + "GRANT ALL ON t TO low", "x")
    text = config(server, one, f"""
        aggregate: src_host
        sql_optimize_clauses: true
        sql_table: t
        sql_user: low
        sql_passwd: low
        sql_dont_try_update: {'true' if aim == 'insert' else 'false'}
        """)
    logs = [run_file(tmp_path, text, "--as", "nfacctd", status=status)
            for status in (0, int(aim == "insert"))]
    times = 2 if aim == "add" else 1
    assert server.rows("SELECT packets, bytes FROM t", "x") == [
        (f"{3 * times}", f"{333 * times}")], "".join(logs)
    errors = [line for line in logs[-1].splitlines() if " ERR " in line]
    assert all("1 rows refused" in line or "exit status 1" in line for line in errors)
    assert len(errors) == 2 * (2 - times)
    server.client("DROP OWNED BY low; DROP ROLE low", "x")


def test_keys_of_many_texts(engine, tmp_path):
    """More text than an index of MariaDB takes: rows are added to all the same."""
    names_capture(tmp_path / "x.pcap")
    (tmp_path / "own.map").write_text("".join(
        f"name={n} field_type={PEN}:1001 len=vlen semantics=str\n" for n in ("one", "two", "three")))
    engine.fresh("x")
    text = config(engine, tmp_path / "x.pcap", f"""
        aggregate_primitives: {tmp_path}/own.map
        aggregate: src_host, class, one, two, three
        sql_optimize_clauses: true
        sql_table: Big_T
        """)
    for _ in range(2):
        log = run_file(tmp_path, text, "--as", "nfacctd")
        assert "no unique key" not in log
    assert totals(engine, "Big_T")[0][:2] == (len(NAMES), 2 * len(NAMES))


def test_a_latin1_database_takes_all_names(engines, tmp_path):
    """PostgreSQL refuses a letter that the database's encoding has not; weir asks first."""
    server = engines("pgsql")
    server.client("DROP DATABASE IF EXISTS latin", "postgres")
    server.client("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' "
                  "LC_CTYPE 'C'", "postgres")
    names_capture(tmp_path / "x.pcap")
    run_file(tmp_path, config(server, tmp_path / "x.pcap", """
        sql_db: latin
        aggregate: class
        sql_optimize_clauses: true
        sql_table: t
        """), "--as", "nfacctd")
    assert server.rows("SELECT SUM(packets) FROM t", "latin") == [(str(len(NAMES)),)]


# ---------------------------------------------------------------- times


@pytest.mark.parametrize("utc", [False, True])
@SERVERS
def test_times_in_any_zone(engine, tmp_path, monkeypatch, utc):
    """weir lives five hours ahead of UTC, the server nine: columns without a zone have weir's
    time (or UTC), columns with one the instant."""
    at = 1700000000 // 60 * 60
    monkeypatch.setenv("TZ", "TST-5")
    netflow.capture(tmp_path / "x.pcap", [(at + 20, netflow.v9(
        ("192.0.2.1", at + 10, at + 11, 1, 10)))])
    zoned = "TIMESTAMPTZ" if engine.engine == "pgsql" else "TIMESTAMP NULL"
    engine.fresh("x")
    engine.client(f"CREATE TABLE zoned (stamp_inserted {zoned}, packets INT, bytes BIGINT, "
                  f"stamp_updated {zoned}, UNIQUE (stamp_inserted))", "x")
    for table in ("plain", "zoned"):
        run_file(tmp_path, config(engine, tmp_path / "x.pcap", f"""
            aggregate: none
            sql_optimize_clauses: true
            sql_table: {table}
            timestamps_utc: {"true" if utc else "false"}
            """), "--as", "nfacctd")
    seconds = {"pgsql": "EXTRACT(EPOCH FROM {})::bigint", "mysql": "UNIX_TIMESTAMP({})"}
    got = engine.rows(f"SELECT {seconds[engine.engine].format('stamp_inserted')} FROM zoned", "x")
    assert got == [(str(at),)]
    wall = "2023-11-14 22:13:00" if utc else "2023-11-15 03:13:00"
    assert engine.rows("SELECT stamp_inserted FROM plain", "x") == [(wall,)]


# ---------------------------------------------------------------- who may do what


@pytest.fixture
def one(tmp_path):
    """A capture of one flow."""
    netflow.capture(tmp_path / "one.pcap", [(1700000000, netflow.v9(
        ("192.0.2.1", 1700000000, 1700000001, 3, 333)))])
    return tmp_path / "one.pcap"


@SERVERS
def test_the_statements_of_weir_sql_schema_make_the_tables(engine, one, tmp_path):
    """Who may only read and write rows has them made by somebody else."""
    text = config(engine, one, "aggregate: src_host\nsql_table_version: 9")
    (tmp_path / "s.conf").write_text(text)
    out = subprocess.run([str(WEIR), "sql", "schema", "-f", str(tmp_path / "s.conf")],
                         capture_output=True, text=True, check=True)
    engine.fresh("x")
    grants = {
        "pgsql": "DROP ROLE IF EXISTS low; CREATE ROLE low LOGIN PASSWORD 'low'; "
                 "REVOKE CREATE ON SCHEMA public FROM PUBLIC; REVOKE TEMPORARY ON DATABASE x FROM "
                 "PUBLIC; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO low",
        "mysql": "CREATE OR REPLACE USER low@'%' IDENTIFIED BY 'low'; "
                 "GRANT SELECT, INSERT, UPDATE, DELETE ON x.* TO low@'%'",
    }
    low = text + "\nsql_user: low\nsql_passwd: low\n"
    engine.client(grants[engine.engine], "x")
    assert "'weir sql schema' prints the statement" in run_file(tmp_path, low, "--as", "nfacctd")
    engine.client(out.stdout, "x")
    if engine.engine == "pgsql":
        engine.client("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO low",
                      "x")
    for _ in range(2):
        log = run_file(tmp_path, low, "--as", "nfacctd")
        assert "go one by one" in log  # no temporary table for it
    assert totals(engine, "acct_v9") == [(1, 9, 999)]  # with what had to wait
    engine.client("DROP OWNED BY low; DROP ROLE low" if engine.engine == "pgsql"
                  else "DROP USER low@'%'", "x")


@pytest.mark.parametrize("hosts", [False, True])
def test_a_server_without_local_infile(engines, tmp_path, hosts):
    """Rows then go many a statement, or one by one where addresses are octets; the names in
    them as they came."""
    server = engines("mysql")
    names_capture(tmp_path / "x.pcap")
    generate("netflow5", 3000, 2000, "--uniform", "--pps", 20, pcap=tmp_path / "y.pcap",
             truth=tmp_path / "y.csv")
    server.fresh("x")
    server.client("SET GLOBAL local_infile = 0", "x")
    more = f"sql_optimize_clauses: true\nsql_num_hosts: {'true' if hosts else 'false'}\n"
    try:
        for _ in range(2):
            log = run_file(tmp_path, config(server, tmp_path / "x.pcap", more +
                           "aggregate: src_host, class\nsql_table: names"), "--as", "nfacctd")
            assert ("go one by one" in log) == hosts
            run_file(tmp_path, config(server, tmp_path / "y.pcap", more +
                     f"aggregate: {TUPLE}\nsql_table: t"), "--as", "nfacctd")
    finally:
        server.client("SET GLOBAL local_infile = 1", "x")
    rows = server.rows(f"SELECT {HEX['mysql'].format('class_id')}, bytes FROM names", "x")
    assert {bytes.fromhex(name).decode(): int(n) for name, n in rows} == {
        clean(n): 2 * (10 + i) for i, n in enumerate(NAMES)}
    want = truth(tmp_path / "y.csv").values()
    assert totals(server)[0][1:] == (2 * sum(r["packets"] for r in want),
                                     2 * sum(r["bytes"] for r in want))


def test_a_table_without_transactions(engines, tmp_path):
    """MyISAM takes nothing back: no row may be tried that may be there already."""
    server, pcap, csv = engines("mysql"), tmp_path / "x.pcap", tmp_path / "x.csv"
    generate("netflow5", 3000, 300, "--uniform", "--pps", 20, pcap=pcap, truth=csv)
    text = config(server, pcap, f"aggregate: {TUPLE}\nsql_optimize_clauses: true\nsql_table: t")
    server.fresh("x")
    run_file(tmp_path, text, "--as", "nfacctd")
    server.client("ALTER TABLE t ENGINE=MyISAM; DELETE FROM t WHERE bytes % 2 = 0", "x")
    _, packets, octets = totals(server)[0]
    assert "has no transactions" in run_file(tmp_path, text, "--as", "nfacctd")
    want = truth(csv).values()
    assert totals(server)[0][1:] == (packets + sum(r["packets"] for r in want),
                                     octets + sum(r["bytes"] for r in want))


# ---------------------------------------------------------------- connections and secrets


@SERVERS
def test_connections(engine, one, tmp_path, monkeypatch):
    """By socket and over TCP; the password from a file, the environment, the configuration."""
    secret = "s3cret&'\"% x"
    file = tmp_path / "passwd"
    file.write_text(secret + "\nmore\n")
    os.chmod(file, 0o600)
    engine.fresh("x")
    engine.client({
        "pgsql": "DROP ROLE IF EXISTS meter; CREATE ROLE meter SUPERUSER LOGIN PASSWORD "
                 "$$%s$$" % secret,
        "mysql": "CREATE OR REPLACE USER meter@'%%' IDENTIFIED BY '%s'; GRANT ALL ON x.* TO "
                 "meter@'%%'" % secret.replace("'", "''")}[engine.engine], "x")
    base = config(engine, one, "aggregate: src_host\nsql_table: t\nsql_user: meter\n")
    tcp = "sql_host: 127.0.0.1\n"
    log = ""
    for n, more in enumerate((f"sql_passwd_file: {file}", f"{tcp}sql_passwd_file: {file}",
                              f"sql_passwd: {secret}", tcp), 1):
        if more == tcp:
            monkeypatch.setenv("WEIR_SQL_PASSWD", secret)
        log += run_file(tmp_path, base + more + "\ndebug: true", "--as", "nfacctd")
        assert totals(engine) == [(1, 3 * n, 333 * n)]
    assert secret not in log
    os.chmod(file, 0o644)
    assert "is open to others: chmod o=" in run_file(
        tmp_path, base + f"sql_passwd_file: {file}", "--as", "nfacctd")
    (tmp_path / "weir.log").unlink()
    log = run_file(tmp_path, base + "sql_passwd: wr0ng", "--as", "nfacctd")
    assert "wr0ng" not in log and len(re.findall("(?i)(?:ERR|WARN).*password", log)) == 1
    run_file(tmp_path, base, "--as", "nfacctd")  # and what had to wait
    assert totals(engine) == [(1, 3 * 7, 333 * 7)]
    (tmp_path / "x.conf").write_text(base + f"sql_passwd: {secret}")
    out = subprocess.run([str(WEIR), "check", "--print", "--as", "nfacctd", "-f",
                          str(tmp_path / "x.conf")], capture_output=True, text=True, check=True)
    assert secret not in out.stdout and "! sql_passwd[s]: (not shown)" in out.stdout


# Protocol::HandshakeV10, whole, by a server that then reads and says no more.
HELLO = (b"\x0a" + b"5.5.5-10.11.6-MariaDB\0" + struct.pack("<I", 1) + b"abcdefgh\0" +
         struct.pack("<HBHHB", 0xf7fe & ~0x800, 33, 2, 0x81bf, 21) + bytes(10) +
         b"ijklmnopqrst\0" + b"mysql_native_password\0")
GREETING = struct.pack("<I", len(HELLO)) + HELLO


def say(server, words, stop, clients):
    """Accept whoever comes, say `words` and no more."""
    server.settimeout(0.1)
    while not stop.is_set():
        try:
            clients.append(server.accept()[0])
            clients[-1].sendall(words)
        except OSError:
            pass


def test_servers_that_say_nothing(tmp_path, weir):
    """They accept and are silent; or begin to answer and stop; or there is no way to them: weir
    counts before any is given up, and ends at once with all of them, the rows in its spool. It
    looks no further then where it has several hosts."""
    kinds = [("pgsql", b""), ("mysql", b""), ("pgsql", b"R\0\0"), ("mysql", GREETING),
             ("pgsql", None), ("mysql", None)]
    clients, stop = [[] for _ in kinds], threading.Event()
    listening, threads, port = [], [], free_port()
    text = f"""
        nfacctd_port: {port}
        nfacctd_ip: 127.0.0.1
        aggregate: src_host
        sql_host: 127.0.0.1
        plugins: """ + ", ".join(f"{plugin}[p{i}]" for i, (plugin, _) in enumerate(kinds))
    for i, (_, words) in enumerate(kinds):
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen(0 if words is None else 16)
        listening.append(server)
        if words is None:
            for _ in range(4):  # a backlog that is full answers no more
                clients[i].append(socket.socket())
                clients[i][-1].setblocking(False)
                clients[i][-1].connect_ex(server.getsockname())
        else:
            threads.append(threading.Thread(target=say, args=(server, words, stop, clients[i])))
            threads[-1].start()
        text += f"\nsql_port[p{i}]: {server.getsockname()[1]}"
    hosts = 12 * ["127.0.0.1"]
    text += f"\nsql_host[p0]: {','.join(hosts)}"
    try:
        w = weir(text, "--as", "nfacctd").ready()
        sender = netflow.Sender(port)
        poll(lambda: w.stats()["datagrams"] > 0)
        # The third's answer is none, and it tries no more than that.
        assert set(re.findall("p[0-9]: rows wait in", w.log_text())) <= {"p2: rows wait in"}
        sender.stop()
        assert w.stop() == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for c in [*listening, *sum(clients, [])]:
            c.close()
    assert w.log_text().count("1 batches are left") == len(kinds)
    assert all(clients) and len(clients[0]) < len(hosts)


@SERVERS
def test_idle_connections_are_watched(engine, one, weir):
    """A server that has gone without a word is looked for within half a minute, not after the
    system's two hours."""
    engine.fresh("x")
    w = weir(config(engine, one, "sql_table: t\naggregate: src_host\nsql_host: 127.0.0.1").replace(
        f"pcap_savefile: {one}", f"nfacctd_port: {free_port()}\nnfacctd_ip: 127.0.0.1"),
        "--as", "nfacctd").ready()

    def timers():
        """Those of keepalive (2) of connections to the server, in seconds (proc(5))."""
        lines = [line.split() for line in open("/proc/net/tcp", encoding="ascii")][1:]
        return [int(f[5].split(":")[1], 16) / os.sysconf("SC_CLK_TCK") for f in lines
                if f[2] == f"0100007F:{engine.port:04X}" and f[3] == "01" and f[5][:3] == "02:"]

    poll(lambda: (got := timers()) and max(got) <= 30)
    assert w.stop() == 0


def test_several_hosts(engines, one, tmp_path):
    """The first that answers, of sockets, names and their addresses."""
    server = engines("pgsql")
    server.fresh("x")
    for n, host in enumerate((server.host, "127.0.0.1", "localhost"), 1):
        run_file(tmp_path, config(server, one, f"""
            aggregate: src_host
            sql_table: t
            sql_host: {tmp_path},{host}
            """), "--as", "nfacctd")
        assert totals(server) == [(1, 3 * n, 333 * n)]


@SERVERS
def test_tls(engine, one, tmp_path):
    """With sql_conn_ca_file the server must be one that the CA vouches for, by its name."""
    ca, other = engine.dir / "ca.pem", tmp_path / "other"
    other.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=ca", "-keyout",
                    other / "key.pem", "-out", other / "ca.pem"], check=True, capture_output=True)
    engine.fresh("x")
    if engine.engine == "mysql":
        engine.client("CREATE OR REPLACE USER tls@'%' IDENTIFIED BY 'tls' REQUIRE SSL; "
                      "GRANT ALL ON x.* TO tls@'%'", "x")
        user = "sql_user: tls\nsql_passwd: tls\n"
    else:
        user = ""
    base = config(engine, one, f"aggregate: src_host\nsql_table: t\nsql_host: 127.0.0.1\n{user}")
    assert "ERR" not in run_file(tmp_path, base + f"sql_conn_ca_file: {ca}", "--as", "nfacctd")
    assert totals(engine) == [(1, 3, 333)]
    (tmp_path / "weir.log").unlink()
    log = run_file(tmp_path, base + f"sql_conn_ca_file: {other}/ca.pem", "--as", "nfacctd")
    assert re.search("(?i)ERR.*certificate", log)
    if engine.engine == "mysql":  # libpq has words of its own
        assert f"with sql_conn_ca_file {other}/ca.pem: " in log
    (tmp_path / "weir.log").unlink()
    # The same server by a name that is not in its certificate; to MySQL localhost is a socket.
    name = {"pgsql": "localhost", "mysql": "127.1"}[engine.engine]
    log = run_file(tmp_path, base.replace("127.0.0.1", name) + f"sql_conn_ca_file: {ca}",
                   "--as", "nfacctd")
    assert re.search("(?i)ERR.*(certificate|TLS|SSL)", log), log
    assert totals(engine) == [(1, 3, 333)]
    if engine.engine == "mysql":
        engine.client("DROP USER tls@'%'", "x")
    else:
        assert "SSL enabled" in engine.log.read_text()
