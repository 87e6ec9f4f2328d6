# SPDX-License-Identifier: GPL-2.0-or-later
"""What the operator says about times: stitching, pro-rating, clocks that are wrong."""
import collections
import sqlite3

import pytest

import netflow
from conftest import generate, poll, run_file

BASE = 1700000040  # a whole minute


def record(start, end, packets, octets):
    return netflow.v9(("192.0.2.1", start, end, packets, octets))


def rows_of(tmp_path, datagrams, more, columns):
    pcap, db = tmp_path / "x.pcap", tmp_path / "x.db"
    netflow.capture(pcap, datagrams)
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
        {more}
        """, "--as", "nfacctd")
    with sqlite3.connect(db) as c:
        return [tuple(r) for r in c.execute(f"SELECT {columns} FROM t ORDER BY 1")]


def test_stitching(tmp_path):
    rows = rows_of(tmp_path, [(BASE + 20, record(BASE + 5, BASE + 9, 1, 10)),
                              (BASE + 20, record(BASE + 2, BASE + 7, 1, 10)),
                              (BASE + 90, record(BASE + 61, BASE + 75, 1, 10))],
                   "nfacctd_stitching: true",
                   "stamp_inserted, timestamp_min, timestamp_max, packets")
    assert rows == [(BASE, BASE + 2, BASE + 9, 2), (BASE + 60, BASE + 61, BASE + 75, 1)]


@pytest.mark.parametrize("pro_rating, want", [
    ("true", [(BASE, 2, 2000, 1), (BASE + 60, 4, 4000, 0), (BASE + 120, 2, 2000, 0)]),
    ("false", [(BASE, 8, 8000, 1)]),
])
def test_pro_rating(tmp_path, pro_rating, want):
    """A flow of two minutes: a half, a whole, and a half; and the flow where it starts."""
    assert rows_of(tmp_path, [(BASE + 155, record(BASE + 30, BASE + 150, 8, 8000))],
                   f"nfacctd_pro_rating: {pro_rating}",
                   "stamp_inserted, packets, bytes, flows") == want


@pytest.mark.parametrize("flows, apart", [(480, 180), (70, 127 * 60)])
def test_pro_rating_of_a_long_file(tmp_path, flows, apart):
    """Flows of two hours each, of days in all, read in no time: each minute is one by itself."""
    minutes = 127
    got = rows_of(tmp_path, [(BASE + apart * i + 60 * minutes,
                              record(BASE + apart * i, BASE + apart * i + 60 * minutes,
                                     10 * minutes, 1000 * minutes)) for i in range(flows)],
                  "nfacctd_pro_rating: true", "stamp_inserted, packets, bytes, flows")
    packets, begun = collections.Counter(), collections.Counter()
    for i in range(flows):
        begun[BASE + apart * i] += 1
        packets.update({BASE + apart * i + 60 * k: 10 for k in range(minutes)})
    sums = collections.defaultdict(lambda: (0, 0, 0))
    for at, *row in got:
        sums[at] = tuple(map(sum, zip(sums[at], row)))
    assert sums == {at: (n, 100 * n, begun[at]) for at, n in packets.items()}


@pytest.mark.parametrize("pro_rating", ["true", "false"])
def test_packets_beside_pro_rating(tmp_path, pro_rating):
    """Packets are of one moment; the flows that they start are counted as ever."""
    pcap = tmp_path / "x.pcap"
    generate("packets", 600, 5, "--pps", 10, "--start", BASE, pcap=pcap)
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: sqlite3[s]
        aggregate: src_host, flows
        nfacctd_pro_rating: {pro_rating}
        sql_db: {tmp_path}/x.db
        sql_optimize_clauses: true
        sql_table: t
        sql_history: 1m
        sql_history_roundoff: m
        """)
    with sqlite3.connect(tmp_path / "x.db") as c:
        assert c.execute("SELECT SUM(packets), SUM(flows) FROM t").fetchone() == (600, 5)


def test_pro_rating_by_arrival(tmp_path):
    """Bins of the arrival: there is nothing to divide."""
    rows = rows_of(tmp_path, [(BASE + 155, record(BASE + 30, BASE + 150, 8, 8000))],
                   "nfacctd_pro_rating: true\nnfacctd_time_new: true",
                   "stamp_inserted, packets, bytes, flows")
    assert rows == [(BASE + 120, 8, 8000, 1)]


@pytest.mark.parametrize("off", [-20 * 365 * 86400, 3 * 365 * 86400])
def test_wrong_clock(tmp_path, off):
    """A record from another decade goes into the bin of its arrival."""
    rows = rows_of(tmp_path, [(BASE + 20, record(BASE + off, BASE + off + 1, 8, 8000))], "",
                   "stamp_inserted, packets")
    assert rows == [(BASE, 8)]


def test_a_long_file_has_all_its_bins(tmp_path):
    """A day and more of minutes, read in less than a second: each is one by itself, in each
    output, though there is no room for all at once."""
    pcap, minutes = tmp_path / "x.pcap", 1700
    generate("packets", minutes * 60, 5, "--pps", 1, "--start", BASE, pcap=pcap)
    log = run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: sqlite3[s], print[p], rrd[r]
        aggregate: proto
        sql_db: {tmp_path}/x.db
        sql_optimize_clauses: true
        sql_table: t
        sql_history: 1m
        sql_history_roundoff: m
        timestamps_since_epoch: true
        print_history: 1m
        print_history_roundoff: m
        print_output: csv
        print_output_file: {tmp_path}/p-%s
        rrd_path: {tmp_path}/rrd
        rrd_step: 60
        """)
    with sqlite3.connect(tmp_path / "x.db") as c:
        rows = c.execute("SELECT stamp_inserted, SUM(packets) FROM t GROUP BY 1 ORDER BY 1")
        assert rows.fetchall() == [(BASE + 60 * i, 60) for i in range(minutes)]
    files = {f"p-{BASE + 60 * i}" for i in range(minutes)}
    assert {p.name for p in tmp_path.glob("p-*")} == files
    assert "came after their bin" not in log


def test_a_long_file_waits_for_its_output(weir, tmp_path):
    """The database is locked, and the spool full: the file waits while they are, and has all its
    bins in the end."""
    pcap, db, minutes, each = tmp_path / "x.pcap", tmp_path / "x.db", 2400, 60
    generate("packets", minutes * each, 20000, "--pps", 1, "--start", BASE, pcap=pcap)
    with sqlite3.connect(db, isolation_level=None) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        w = weir(f"""
            pcap_savefile: {pcap}
            plugins: sqlite3[s]
            aggregate: src_host, dst_host, src_port, dst_port, proto
            sql_db: {db}
            sql_spool_max: 1M
            sql_optimize_clauses: true
            sql_table: t
            sql_history: 1m
            sql_history_roundoff: m
            timestamps_since_epoch: true
            """)
        poll(lambda: "sql_spool_max is reached: rows stay in memory" in w.log_text())
        fed = []
        while len(fed) < 2 or fed[-1] != fed[-2]:  # it is still on its way to where it waits
            fed.append(w.stats()["flows_fed"])
        assert fed[-1] < minutes * each
        lock.execute("ROLLBACK")
    assert w.process.wait(60) == 0
    assert "do not balance" not in w.log_text()
    with sqlite3.connect(db) as c:
        rows = c.execute("SELECT stamp_inserted, SUM(packets) FROM t GROUP BY 1 ORDER BY 1")
        assert rows.fetchall() == [(BASE + 60 * i, each) for i in range(minutes)]
