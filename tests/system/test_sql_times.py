# SPDX-License-Identifier: GPL-2.0-or-later
"""Times in SQL tables: time bins, shares of flows in them, and logs of flows. Whatever the
rows' times are, they hold what came in, and each is compared with the records' own."""
import random
import sqlite3
import time

import pytest

import netflow
from conftest import TUPLE, generate, run_file, truth

BASE = 1700000040  # a whole minute
KEY = "ip_src, ip_dst, src_port, dst_port, CAST(ip_proto AS INTEGER)"


def read(db, sql):
    with sqlite3.connect(db) as c:
        return c.execute(sql).fetchall()


def sums(rows, key, value):
    """{key(row): sums of value(row)}"""
    got = {}
    for row in rows:
        at = got.setdefault(key(row), [0] * len(value(row)))
        for i, v in enumerate(value(row)):
            at[i] += v
    return {k: tuple(v) for k, v in got.items()}


@pytest.fixture(params=["netflow5", "netflow9", "ipfix"])
def three(request, tmp_path):
    """Records over two minutes, each up to half a minute long, in three tables: ten-second
    bins of starts; the same, of shares; and a log. (database, capture, truth)"""
    pcap, csv, db = (tmp_path / name for name in ("x.pcap", "x.csv", "x.db"))
    generate(request.param, 12000, 300, "--pps", 100, "--uniform", "--ipv4", 100,
             pcap=pcap, truth=csv)
    for table, more in (
            ("bins", ""),
            ("shares", "nfacctd_pro_rating: true\nnfacctd_stitching: true"),
            ("log_%Y%m", "nfacctd_pro_rating: true\nnfacctd_sql_log: true")):
        run_file(tmp_path, f"""
            pcap_savefile: {pcap}
            plugins: sqlite3[s]
            aggregate: {TUPLE}, flows
            sql_db: {db}
            sql_optimize_clauses: true
            sql_num_protos: true
            sql_history: 10s
            sql_refresh_time: 10
            timestamps_since_epoch: true
            sql_table: {table}
            {more}
            """, "--as", "nfacctd")
    return db, pcap, truth(csv)


def test_totals(three):
    """Bins, shares and log: of each key what came in, to the octet."""
    db, _, wanted = three
    wanted = {k: (row["packets"], row["bytes"], row["flows"]) for k, row in wanted.items()}
    for table in ("bins", "shares", "log_202311"):
        rows = read(db, f"SELECT {KEY}, packets, bytes, flows FROM {table}")
        assert sums(rows, lambda r: r[:5], lambda r: r[5:]) == wanted, table
    assert read(db, "SELECT count(*) FROM shares")[0][0] > read(
        db, "SELECT count(*) FROM bins")[0][0]


def test_shares_lie_in_their_bins(three):
    """What a row of a bin says of its packets' times is within the bin."""
    db, _, _ = three
    out = read(db, "SELECT stamp_inserted, timestamp_min, timestamp_max FROM shares WHERE "
                   "timestamp_min > timestamp_max OR timestamp_max > stamp_inserted + 10")
    assert out == []
    assert read(db, "SELECT count(DISTINCT stamp_inserted) > 10 FROM shares") == [(1,)]


@pytest.mark.parametrize("three", ["netflow5"], indirect=True)
def test_log_has_the_records_times(three):
    """Every row of the log: a key and a second, all records that began in it, the last end."""
    db, pcap, _ = three
    wanted = {}
    for key, packets, octets, start, end in netflow.v5_records(pcap):
        at = wanted.setdefault((*key, start // 1000), [0, 0, 0, 0])
        at[:] = at[0] + packets, at[1] + octets, at[2] + 1, max(at[3], end // 1000)
    rows = read(db, f"SELECT {KEY}, stamp_inserted, packets, bytes, flows, stamp_updated "
                    "FROM log_202311")
    assert len(rows) == len(wanted) > 300
    assert {r[:6]: list(r[6:]) for r in rows} == wanted


@pytest.mark.parametrize("form, text", [
    ("", lambda s: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(s + 5 * 3600))),
    ("timestamps_utc: true", lambda s: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(s))),
    ("sql_history_since_epoch: true", lambda s: s),
])
def test_log_without_history(tmp_path, monkeypatch, form, text):
    """No sql_history, each form of times; local time is five hours ahead of UTC."""
    monkeypatch.setenv("TZ", "TST-5")
    pcap, db = tmp_path / "x.pcap", tmp_path / "x.db"
    netflow.capture(pcap, [
        (BASE + 20, netflow.v9(("192.0.2.1", BASE + 5.25, BASE + 9.75, 1, 10),
                               ("192.0.2.1", BASE + 5.75, BASE + 8.5, 2, 20),
                               ("192.0.2.1", BASE + 6, BASE + 6, 4, 40))),
        (BASE + 90, netflow.v9(("192.0.2.1", BASE + 5.5, BASE + 70, 8, 80)))])
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: sqlite3[s]
        aggregate: src_host
        sql_db: {db}
        nfacctd_sql_log[s]: true
        {form}
        """, "--as", "nfacctd")
    assert read(db, "SELECT stamp_inserted, stamp_updated, packets, bytes FROM acct "
                    "ORDER BY 1") == [(text(BASE + 5), text(BASE + 70), 11, 110),
                                      (text(BASE + 6), text(BASE + 6), 4, 40)]


@pytest.mark.parametrize("off, more, want", [
    (-20 * 365 * 86400, "", (BASE + 20, BASE + 20)),
    (0, "nfacctd_time_new: true", (BASE + 20, BASE + 20)),
    (0, "", (BASE + 1, BASE + 9)),
])
def test_log_by_arrival(tmp_path, off, more, want):
    """Where the arrival decides the bin, it is what the log has."""
    pcap, db = tmp_path / "x.pcap", tmp_path / "x.db"
    netflow.capture(pcap, [(BASE + 20, netflow.v9(
        ("192.0.2.1", BASE + off + 1, BASE + off + 9, 1, 10)))])
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: sqlite3[s]
        aggregate: src_host
        sql_db: {db}
        nfacctd_sql_log: true
        timestamps_since_epoch: true
        {more}
        """, "--as", "nfacctd")
    assert read(db, "SELECT stamp_inserted, stamp_updated FROM acct") == [want]


def shares(start, end, packets, octets, step):
    """The rows of one flow in bins of `step` seconds: {bin: (packets, octets, flows, from,
    to)}. What is due by the end of a bin is the part of the time, rounded down."""
    rows, given = {}, (0, 0)
    bins = range(start // step * step, max(int(-(-end // 1)), start + 1), step)
    for b in bins:
        over = b + step >= end
        part = [c if over else int(c * ((b + step - start) * 1000) // round((end - start) * 1000))
                for c in (packets, octets)]
        row = (part[0] - given[0], part[1] - given[1], int(b <= start))
        if any(row):
            rows[b] = (*row, max(start, b), int(end) if over else b + step)
        given = part
        if over:
            break
    return rows


def test_shares_and_spans_of_each_bin(tmp_path):
    """Pro-rating, stitching and bins together, each row against sums by hand."""
    rng = random.Random(7)
    records = []
    for _ in range(600):
        start = BASE + rng.randrange(240)
        records.append((f"192.0.2.{rng.randrange(5)}", start,
                        start + rng.choice((0, 0.25, 12.5, 60, 61.75, 200)),
                        rng.randrange(1, 2000), rng.randrange(1, 10**6)))
    pcap, db = tmp_path / "x.pcap", tmp_path / "x.db"
    netflow.capture(pcap, [(BASE + 500, netflow.v9(*records[i:i + 20], seconds=BASE + 500))
                           for i in range(0, len(records), 20)])
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: sqlite3[s]
        aggregate: src_host, flows
        sql_db: {db}
        sql_optimize_clauses: true
        sql_table: t
        sql_history: 1m
        sql_history_roundoff: m
        timestamps_since_epoch: true
        nfacctd_pro_rating: true
        nfacctd_stitching: true
        """, "--as", "nfacctd")
    wanted = {}
    for source, start, end, packets, octets in records:
        for b, row in shares(start, end, packets, octets, 60).items():
            at = wanted.setdefault((source, b), [0, 0, 0, row[3], row[4]])
            at[:] = (at[0] + row[0], at[1] + row[1], at[2] + row[2], min(at[3], row[3]),
                     max(at[4], row[4]))
    rows = read(db, "SELECT ip_src, stamp_inserted, packets, bytes, flows, timestamp_min, "
                    "timestamp_max FROM t")
    assert {r[:2]: list(r[2:]) for r in rows} == wanted
    assert sum(r[2] for r in rows) == sum(r[3] for r in records)
    assert sum(r[3] for r in rows) == sum(r[4] for r in records)
    assert sum(r[4] for r in rows) == len(records)
