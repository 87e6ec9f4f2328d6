# SPDX-License-Identifier: GPL-2.0-or-later
"""What the directives of SQL plugins do that the other tests leave out: those that do nothing
say so; forms of times in rows; when rows are written; when triggers run. The database is
SQLite."""
import sqlite3
import subprocess
import time

import pytest

import netflow
from conftest import WEIR, free_port, poll, run_file

BASE = 1700000040  # a whole minute


def read(db, sql):
    with sqlite3.connect(db) as c:
        return c.execute(sql).fetchall()


def check(tmp_path, text):
    """Each line that `weir check` says of the lines of `text`: {number: what}."""
    (tmp_path / "weir.conf").write_text(text)
    done = subprocess.run([str(WEIR), "check", "-f", str(tmp_path / "weir.conf")],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = {}
    for line in (done.stdout + done.stderr).splitlines():
        level, _, rest = line.partition(f": {tmp_path}/weir.conf:")
        if rest:
            assert level == "notice"
            number, _, what = rest.partition(": ")
            assert said.setdefault(int(number), what) == what, "said twice"
    return said


def test_lines_without_effect_are_told(tmp_path):
    """Where they stand, and what to write instead; not where a plugin uses them, and not where
    they ask for what is so anyway."""
    said = check(tmp_path, "\n".join((
        "plugins: sqlite3[file], pgsql[pg], mysql[my]",
        "sql_host: db.example.net",
        "sql_conn_ca_file[file]: /etc/ca.pem",
        "sql_num_hosts: true",
        "sql_num_hosts[pg]: true",
        "sql_data[my]: unified",
        "sql_data[file]: typed",
        "sql_trigger_time: 5m",
        "sql_trigger_exec_async[pg]: true",
        "sql_locking_style: table",
        "sql_locking_style[file]: table",
        "sql_multi_values: 1000",
        "sql_history_offset: 60",
        "nfacctd_port: 2100", "")))
    words = {3: "'sql_conn_ca_file' does nothing to sqlite3[file]",
             5: "'sql_num_hosts' does nothing to pgsql[pg]",
             6: "'sql_data' does nothing to mysql[my]",
             8: "write sql_trigger_exec", 9: "write sql_trigger_exec",
             11: "'sql_locking_style' does nothing to sqlite3[file]",
             12: "'sql_multi_values' does nothing here", 13: "write sql_history"}
    assert said.keys() == words.keys(), said
    assert all(words[n] in what for n, what in said.items()), said


def refusal(command, tmp_path, text, engine):
    """What weir says when it refuses `text`."""
    file = tmp_path / "weir.conf"
    file.write_text(text + f"\nstate_dir: {tmp_path}/state\nsql_db: {tmp_path}/x.db\n"
                           f"plugins: {engine}[s]\nnfacctd_port: 0\nnfacctd_ip: 127.0.0.1\n")
    done = subprocess.run([str(WEIR), command, "--as", "nfacctd", "-f", str(file)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


@pytest.mark.parametrize("name,value,why", [
    ("sql_trigger_exec", "/nope", "/nope: No such file"),
    ("sql_conn_ca_file", "/nope", "sql_conn_ca_file: /nope: No such file"),
    ("sql_table_schema", "/nope", "/nope: No such file"),
    ("sql_table_schema", "{dir}", "{dir}: Is a directory"),
    ("sql_recovery_logfile", "/proc/x", "/proc/x: No such file"),
    ("sql_recovery_logfile", "{dir}/a/b", "{dir}/a/b: No such file"),
    ("sql_recovery_logfile", "{dir}/weir.conf", "is a file"),
    ("sql_table", "other.t", "write 't'"),
])
def test_files_that_cannot_be_are_refused_at_once(tmp_path, name, value, why):
    """By the check as by the start."""
    engine = "mysql" if name == "sql_conn_ca_file" else "sqlite3"
    line = f"{name}[s]: {value.format(dir=tmp_path)}"
    if name == "sql_conn_ca_file":
        line += "\nsql_host: 127.0.0.1"
    for command in ("check", "run"):
        assert why.format(dir=tmp_path) in refusal(command, tmp_path, line, engine), command
    assert not (tmp_path / "x.db").exists() and not (tmp_path / "a").exists()


def test_a_folder_of_spools_that_will_be_made_is_fine(tmp_path):
    for folder in (tmp_path / "state" / "spools", tmp_path / "spools"):
        assert check(tmp_path, f"plugins: sqlite3[s]\nnfacctd_port: 2100\n"
                               f"state_dir: {tmp_path}/state\n"
                               f"sql_recovery_logfile: {folder}\n") == {}
        assert not folder.exists()


@pytest.mark.parametrize("statement,why", [
    ("CREATE TABEL t (a INT);", "syntax error"),
    ("CREATE TABLE other (a INT);", "write CREATE TABLE with the name"),
])
def test_a_schema_file_that_does_not_make_the_table(tmp_path, statement, why):
    """Is named, at every try; the table is not said to be made, nor the database to be away."""
    pcap, schema = tmp_path / "x.pcap", tmp_path / "t.sql"
    netflow.capture(pcap, [(BASE, netflow.v9(("192.0.2.1", BASE, BASE, 1, 10)))])
    schema.write_text(statement)
    log = run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: sqlite3[s]
        aggregate: src_host
        sql_history: 1m
        sql_db: {tmp_path}/x.db
        sql_table: t_%Y
        sql_table_schema: {schema}
        """, "--as", "nfacctd")
    errors = [line for line in log.splitlines() if " ERR " in line]
    assert errors and all(f"{schema} does not make table t_2023: " in line for line in errors)
    assert why in errors[0]
    assert "table t_2023 of" not in log and "can be reached" not in log


def local(s):
    """Five hours ahead of UTC."""
    return utc(s + 5 * 3600)


def utc(s):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(s))


@pytest.mark.parametrize("more,form,fraction", [
    ("", local, True),
    ("timestamps_secs: true", local, False),
    ("timestamps_utc: true", utc, True),
    ("timestamps_since_epoch: true", int, True),
    ("sql_history_since_epoch: true\ntimestamps_secs: true", int, False),
    ("timestamps_utc: true\nsql_history_offset: 20\nsql_table: t_%H%M%S", utc, True),
])
def test_forms_of_times(tmp_path, monkeypatch, more, form, fraction):
    """Of bins and of the flows themselves, whose fraction of a second has a column of its own,
    in microseconds, unless timestamps_secs leaves it out: flows are then of whole seconds."""
    monkeypatch.setenv("TZ", "TST-5")
    pcap, db = tmp_path / "x.pcap", tmp_path / "x.db"
    offset = -20 if "offset" in more else 0
    starts = [BASE + 5.25, BASE + 5.75, BASE + 61]
    netflow.capture(pcap, [(BASE + 90, netflow.v9(*(
        ("192.0.2.1", at, at + 1, 1 + i, 10) for i, at in enumerate(starts)), seconds=BASE + 90))])
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: sqlite3[s]
        aggregate: src_host, timestamp_start
        sql_db: {db}
        sql_optimize_clauses: true
        sql_table: t
        sql_history: 1m
        sql_history_roundoff: m
        {more}
        """, "--as", "nfacctd")
    want = {}
    for i, at in enumerate(starts):
        key = (int((at - offset) // 60 * 60 + offset), int(at),
               round(at % 1 * 1000000) if fraction else None)
        want[key] = want.get(key, 0) + 1 + i
    tables = [name for name, in read(db, "SELECT name FROM sqlite_master WHERE type = 'table' "
                                         "AND name GLOB 't*'")]
    residual = ", timestamp_start_residual" if fraction else ", NULL"
    got = sorted(sum((read(db, f"SELECT stamp_inserted, timestamp_start{residual}, packets "
                               f"FROM {t}") for t in tables), []), key=lambda r: r[1:3])
    assert got == [(form(b), form(s), f, n) for (b, s, f), n in sorted(
        want.items(), key=lambda item: item[0][1:])]
    if offset:  # tables are of bins
        assert sorted(tables) == ["t_" + time.strftime("%H%M%S", time.gmtime(b))
                                  for b in sorted({b for b, _, _ in want})]


def test_a_table_that_does_not_fit_refuses_the_start(tmp_path):
    """Where the database says so within the second that the start waits for it."""
    pcap, db, log = tmp_path / "x.pcap", tmp_path / "x.db", tmp_path / "log"
    netflow.capture(pcap, [(BASE, netflow.v9(("192.0.2.1", BASE, BASE, 1, 10)))])
    with sqlite3.connect(db) as c:
        c.execute("CREATE TABLE t (something INT)")
    (tmp_path / "weir.conf").write_text(f"""
        pcap_savefile: {pcap}
        plugins: sqlite3[s]
        aggregate: src_host
        sql_db: {db}
        sql_table: t
        state_dir: {tmp_path}/state
        logfile: {log}
        """)
    # A machine that is slow once is not slow each time.
    assert 1 in (subprocess.run([str(WEIR), "run", "--as", "nfacctd", "-f",
                                 str(tmp_path / "weir.conf")]).returncode for _ in range(5))
    assert "table t does not fit" in log.read_text()


TRIGGER = """#!/bin/sh
# Say that it began, with its environment, and stay until it may end.
env > "$1/$$.tmp" && mv "$1/$$.tmp" "$1/$$"
while [ ! -e "$1/go" ]; do sleep 0.1; done
"""


def test_when_rows_are_written_and_triggers_run(tmp_path, weir):
    """sql_startup_delay puts writing off. A trigger with times of its own runs at these and
    knows of no batch; one that is waited for keeps the next batch waiting, an asynchronous one
    does not; one that takes too long is killed."""
    script, port = tmp_path / "trigger", free_port()
    script.write_text(TRIGGER)
    script.chmod(0o755)
    plugins = ("delayed", "timed", "waits", "async", "long")
    for name in plugins:
        (tmp_path / name).mkdir()
    w = weir(f"""
        nfacctd_port: {port}
        nfacctd_ip: 127.0.0.1
        plugins: {", ".join(f"sqlite3[{name}]" for name in plugins)}
        aggregate: src_host
        sql_optimize_clauses: true
        sql_history: 1s
        sql_refresh_time: 1
        timestamps_since_epoch: true
        sql_refresh_time[delayed]: 4
        sql_startup_delay[delayed]: 2
        sql_trigger_time[timed]: 1s
        sql_trigger_exec_async[timed]: true
        sql_trigger_exec_async[async]: true
        sql_trigger_limit[long]: 1
        """ + "".join(f"sql_table[{name}]: {name}\nsql_db[{name}]: {tmp_path}/{name}.db\n" +
                      (f"sql_trigger_exec[{name}]: {script} {tmp_path}/{name}\n"
                       if name != "delayed" else "") for name in plugins),
        "--as", "nfacctd").ready()
    sender = netflow.Sender(port)

    def begun(name):
        return [p for p in (tmp_path / name).iterdir() if p.suffix == "" and p.name != "go"]

    def output(name):
        return next(o for o in w.rows("outputs") if o["output"] == name)

    try:
        poll(lambda: len(begun("async")) >= 3 and len(begun("timed")) >= 2)
        poll(lambda: "killed, since it had not ended after 1 s" in w.log_text()
             and len(begun("long")) >= 2)
        poll(lambda: output("waits")["waiting"] >= 2)
        assert len(begun("waits")) == 1
        env = begun("timed")[0].read_text()
        assert "\nSQL_TABLE=timed\n" in "\n" + env and "EFFECTIVE_SQL_TABLE" not in env
        assert "\nEFFECTIVE_SQL_TABLE=async\n" in "\n" + begun("async")[0].read_text()
        # By the minute and two seconds more; late where the machine is slow, but not always.
        delayed = tmp_path / "delayed.db"
        poll(lambda: delayed.exists() and read(delayed, "SELECT 1 FROM sqlite_master WHERE "
                                                        "name = 'delayed'"))
        poll(lambda: 2 in {at % 4 for at, in read(
            delayed, "SELECT DISTINCT stamp_updated FROM delayed")})
    finally:
        for name in plugins:
            (tmp_path / name / "go").touch()
        sender.stop()
    poll(lambda: len(begun("waits")) >= 2)
    w.books()
    assert w.stop() == 0
