# SPDX-License-Identifier: GPL-2.0-or-later
"""What was generated is what every output shows, key by key.

WEIR_TRUTH=N makes the inputs N times as large: 25 is 5 M packets of 500 k keys, and 20
is 1 M records of 100 k keys over UDP.
"""
import os
import sqlite3
import subprocess

import pytest

from conftest import (TUPLE, generate, json_rows, poll, run_file, truth, tuple_key,
                      free_port)


SIZE = int(os.environ.get("WEIR_TRUTH", "1"))


def rrd_sums(root):
    """Sums over all archives below `root` of rate times step, by data source."""
    sums = {"packets": 0.0, "bytes": 0.0, "flows": 0.0}
    for file in root.rglob("*.rrd"):
        info = subprocess.run(["rrdtool", "lastupdate", file], capture_output=True, text=True)
        last = int(info.stdout.splitlines()[-1].split(":")[0])
        out = subprocess.run(["rrdtool", "fetch", file, "AVERAGE", "-r", "60", "-s",
                              str(last - 60 * 500), "-e", str(last)],
                             capture_output=True, text=True, check=True).stdout.splitlines()
        names = out[0].split()
        for line in out[2:]:
            for name, value in zip(names, line.split(":")[1].split()):
                if "nan" not in value:
                    sums[name] += float(value) * 60
    return {name: round(value) for name, value in sums.items()}


def same_rows(rows, wanted, counters=("packets", "bytes", "flows")):
    got = {}
    for row in rows:
        at = got.setdefault(tuple_key(row), dict.fromkeys(counters, 0))
        for name in counters:
            at[name] += row[name]
    assert set(got) == set(wanted)
    wrong = {k: (v, wanted[k]) for k, v in got.items()
             if any(v[name] != wanted[k][name] for name in counters)}
    assert not wrong, dict(list(wrong.items())[:3])


@pytest.mark.parametrize("keys", [100, 20000 * SIZE])
def test_packets_from_a_file_to_json_sqlite_and_rrd(tmp_path, keys):
    """Packets of both families with VLANs and extension headers: each key exactly."""
    pcap, csv = tmp_path / "p.pcap", tmp_path / "p.csv"
    generate("packets", 200000 * SIZE, keys, "--pps", 1000 * SIZE, pcap=pcap, truth=csv)
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: print[p], sqlite3[s], rrd[r]
        aggregate: {TUPLE}, flows
        print_output[p]: json
        print_output_file[p]: {tmp_path}/p.json
        sql_db[s]: {tmp_path}/s.db
        sql_optimize_clauses[s]: true
        sql_history[s]: 1m
        sql_table[s]: flows
        rrd_path[r]: {tmp_path}/rrd
        rrd_step[r]: 60
        rrd_max_files[r]: 50
        aggregate[r]: proto
        """)
    wanted = truth(csv)
    same_rows(json_rows(tmp_path / "p.json"), wanted)

    db = sqlite3.connect(tmp_path / "s.db")
    names = [row[1] for row in db.execute("pragma table_info(flows)")]
    src_port = "src_port" if "src_port" in names else "port_src"
    dst_port = "dst_port" if "dst_port" in names else "port_dst"
    rows = [dict(zip(("ip_src", "ip_dst", "port_src", "port_dst", "ip_proto", "packets",
                      "bytes", "flows"), row))
            for row in db.execute(f"select ip_src, ip_dst, {src_port}, {dst_port}, ip_proto, "
                                  "sum(packets), sum(bytes), sum(flows) from flows "
                                  "group by 1, 2, 3, 4, 5")]
    same_rows(rows, wanted)
    assert db.execute("select count(distinct stamp_inserted) from flows").fetchone()[0] >= 3

    sums = rrd_sums(tmp_path / "rrd")
    assert sums["packets"] == sum(row["packets"] for row in wanted.values())
    assert sums["bytes"] == sum(row["bytes"] for row in wanted.values())


@pytest.mark.parametrize("wrap", [
    "ethernet", "qinq", "mpls", "pppoe", "snap", "null", "ppp", "raw", "chdlc", "sll", "sll2",
    "radiotap", "nflog", "loop", "fddi", "token_ring"])
def test_packets_of_every_link_layer(tmp_path, wrap):
    """Whatever stands before IP, each key is what it was."""
    pcap, csv = tmp_path / "p.pcap", tmp_path / "p.csv"
    generate("packets", 20000, 1000, "--wrap", wrap, pcap=pcap, truth=csv)
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: print[p]
        aggregate: {TUPLE}, flows
        print_output: json
        print_output_file: {tmp_path}/p.json
        """)
    same_rows(json_rows(tmp_path / "p.json"), truth(csv))


@pytest.mark.parametrize("wrap", ["vxlan", "gtp"])
def test_packets_within_tunnels(tmp_path, wrap):
    """tunnel_0 counts the inner packets, flows included."""
    pcap, csv = tmp_path / "p.pcap", tmp_path / "p.csv"
    generate("packets", 20000, 1000, "--wrap", wrap, pcap=pcap, truth=csv)
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        tunnel_0: {wrap}
        plugins: print[p]
        aggregate: {TUPLE}, flows
        print_output: json
        print_output_file: {tmp_path}/p.json
        """)
    same_rows(json_rows(tmp_path / "p.json"), truth(csv))


@pytest.mark.parametrize("wrap,around", [("ipip", 20), ("gre", 28), ("vxlan", 50),
                                         ("gtp", 36), ("geneve", 50), ("nvgre", 42)])
def test_primitives_of_tunnels(tmp_path, wrap, around):
    """The outer packets count; who speaks to whom within is told by tunnel_..."""
    pcap, csv = tmp_path / "p.pcap", tmp_path / "p.csv"
    generate("packets", 20000, 1000, "--wrap", wrap, "--vlan", 0, pcap=pcap, truth=csv)
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: print[p]
        aggregate: src_host, tunnel_src_host, tunnel_dst_host, tunnel_src_port, tunnel_dst_port, tunnel_proto, vxlan
        print_output: json
        print_output_file: {tmp_path}/p.json
        """)
    wanted = truth(csv)
    for row in wanted.values():
        row["bytes"] += around * row["packets"]
    rows = json_rows(tmp_path / "p.json")
    assert {row["vxlan"] for row in rows} == {77 if wrap == "vxlan" else 0}
    assert {row["ip_src"] for row in rows} == {"192.0.2.1"}
    for row in rows:
        for name in ("ip_src", "ip_dst", "port_src", "port_dst"):
            row[name] = row["tunnel_" + name]
        row["ip_proto"] = row["tunnel_ip_proto"]
    same_rows(rows, wanted, ("packets", "bytes"))


def test_labels_and_inner_tags(tmp_path):
    """What the tags and labels before IP said, as primitives."""
    for wrap, names, want in (
            ("qinq", "vlan, cos", {(1001, 3)}),
            ("mpls", "mpls_label_top, mpls_label_stack", None)):
        pcap = tmp_path / f"{wrap}.pcap"
        generate("packets", 5000, 200, "--wrap", wrap, pcap=pcap)
        run_file(tmp_path, f"""
            pcap_savefile: {pcap}
            plugins: print[p]
            aggregate: {names}
            print_output: json
            print_output_file: {tmp_path}/p.json
            """)
        rows = json_rows(tmp_path / "p.json")
        assert sum(row["packets"] for row in rows) == 5000
        if want is not None:
            assert {(row["vlan"], row["cos"]) for row in rows} == want
            continue
        assert {row["mpls_label_top"] for row in rows} == {1000, 1001}
        for row in rows:
            top, bottom = row["mpls_label_stack"].replace(",", "_").split("_")
            assert int(top) == row["mpls_label_top"]
            assert 2000 <= int(bottom) <= 2007


@pytest.mark.parametrize("wrap", ["ethernet", "mpls", "radiotap"])
def test_octets_with_the_link_layer(tmp_path, wrap):
    """link_bytes beside bytes: in JSON, and added up in SQLite."""
    pcap, csv = tmp_path / "p.pcap", tmp_path / "p.csv"
    generate("packets", 20000, 1000, "--wrap", wrap, pcap=pcap, truth=csv)
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: print[p], sqlite3[s]
        aggregate[p]: {TUPLE}, link_bytes
        aggregate[s]: proto, link_bytes
        print_output: json
        print_output_file: {tmp_path}/p.json
        sql_db: {tmp_path}/s.db
        sql_table: flows
        sql_optimize_clauses: true
        """)
    wanted = truth(csv)
    for row in wanted.values():
        row["link_bytes"] = row["bytes_l2"]
    same_rows(json_rows(tmp_path / "p.json"), wanted, ("packets", "bytes", "link_bytes"))
    total = sqlite3.connect(tmp_path / "s.db").execute(
        "select sum(link_bytes) from flows").fetchone()[0]
    assert total == sum(row["bytes_l2"] for row in wanted.values())


@pytest.mark.parametrize("kind,directive,size", [
    ("netflow5", "nfacctd", "bytes"),
    ("netflow9", "nfacctd", "bytes"),
    ("ipfix", "nfacctd", "bytes"),
    ("sflow5", "sfacctd", "bytes_l2"),
])
def test_datagrams_over_udp(tmp_path, weir, kind, directive, size):
    """Records over loopback: each key exactly, no loss, and the books balance."""
    port, csv = free_port(), tmp_path / "t.csv"
    w = weir(f"""
        {directive}_ip: 127.0.0.1
        {directive}_port: {port}
        plugins: memory[m], print[p]
        workers: 2
        aggregate: {TUPLE}, flows
        print_output[p]: json
        print_output_file[p]: {tmp_path}/p.json
        print_refresh_time[p]: 3600
        """).ready()
    said = generate(kind, 50000 * SIZE, 5000 * SIZE, "--rate", 4000, "--sources", 4,
                    udp=f"127.0.0.1:{port}", truth=csv)
    poll(lambda: w.stats()["records_fed"] >= 50000 * SIZE)
    stats = w.stats()
    assert stats["datagrams"] == stats["datagrams_decoded"] == int(said["datagrams"])
    assert stats["kernel_drops"] == 0 and stats["sequence_lost"] == 0
    wanted = truth(csv)
    for row in wanted.values():
        row["bytes"] = row[size]
    w.books()
    same_rows(w.rows("m"), wanted)
    exporters = w.rows("exporters")
    assert sum(e["datagrams"] for e in exporters) == int(said["datagrams"])
    assert w.stop() == 0
    same_rows(json_rows(tmp_path / "p.json"), wanted)


@pytest.mark.parametrize("kind,family,size", [
    ("netflow5", "nfacctd", "bytes"),
    ("netflow9", "nfacctd", "bytes"),
    ("ipfix", "nfacctd", "bytes"),
    ("sflow2", "sfacctd", "bytes_l2"),
    ("sflow4", "sfacctd", "bytes_l2"),
    ("sflow5", "sfacctd", "bytes_l2"),
    ("sflow5_expanded", "sfacctd", "bytes_l2"),
    ("sflow5_decoded", "sfacctd", "bytes"),
])
def test_datagrams_from_a_file(tmp_path, kind, family, size):
    pcap, csv = tmp_path / "d.pcap", tmp_path / "d.csv"
    generate(kind, 100000 * SIZE, 5000 * SIZE, pcap=pcap, truth=csv)
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: print[p]
        aggregate: {TUPLE}, flows
        print_output: json
        print_output_file: {tmp_path}/p.json
        """, "--as", family)
    wanted = truth(csv)
    for row in wanted.values():
        row["bytes"] = row[size]
    same_rows(json_rows(tmp_path / "p.json"), wanted)


def test_a_full_view_keeps_known_keys_and_the_totals(tmp_path):
    """More keys than max_entries: the rest is in the other row, nothing is lost."""
    pcap, csv = tmp_path / "p.pcap", tmp_path / "p.csv"
    generate("packets", 100000, 20000, "--uniform", pcap=pcap, truth=csv)
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: print[p]
        aggregate: {TUPLE}
        max_entries: 1000
        print_output: json
        print_output_file: {tmp_path}/p.json
        """)
    wanted, rows = truth(csv), json_rows(tmp_path / "p.json")
    assert len(rows) == 1001
    known = [row for row in rows if row["ip_src"] != "0.0.0.0"]
    assert len(known) == 1000
    for row in known:
        key = tuple_key(row)
        assert (row["packets"], row["bytes"]) == (wanted[key]["packets"], wanted[key]["bytes"])
    for name in ("packets", "bytes"):
        assert sum(row[name] for row in rows) == sum(row[name] for row in wanted.values())
