# SPDX-License-Identifier: GPL-2.0-or-later
"""Maps of rules that attach tags and labels (pre_tag_map): over generated traffic, in all
that shows tags, and while the rules are read anew. What each key means: test_tags.py."""
import pathlib
import signal
import sqlite3
import subprocess
import threading

import pytest

from conftest import WEIR, free_port, generate, json_rows, poll, run_file
from test_pmacct import compare

RULES = """set_tag=1 filter='dst port 53' src_net=-10.0.0.0/9
set_tag=2 src_net=10.0.0.0/8 filter='udp'
set_tag=3 dst_net=10.0.0.0/9 in=-1
set_tag=4 filter='tcp and dst port 443' jeq=next
set_tag=16 nexthop=-10.0.0.1 stack=or jeq=out
set_tag=32 out=-3 label=out stack=or jeq=next
set_tag2=1 ip=10.0.0.1 in=1
set_tag2=2 ip=10.0.0.0/24
"""


@pytest.mark.parametrize("kind", ["netflow5", "ipfix"])
def test_nfacctd(tmp_path, kind):
    """Some thousand flows beside pmacct. All are of IPv4: it takes any next hop for equal
    where the record has none."""
    pcap, path = tmp_path / "x.pcap", tmp_path / "pretag.map"
    generate(kind, 10000, 1000, "--vlan", 0, "--ipv4", 100, pcap=pcap)
    path.write_text(RULES)
    compare(tmp_path, "nfacctd", pcap, "tag, tag2, label, in_iface, out_iface, dst_port, proto",
            f"pre_tag_map: {path}")


def check(tmp_path, rules):
    conf = tmp_path / "weir.conf"
    conf.write_text(f"nfacctd_port: 2100\nplugins: memory\naggregate: tag\npre_tag_map: {rules}\n")
    return subprocess.run([str(WEIR), "check", "-f", str(conf)], capture_output=True, text=True)


def test_check(tmp_path):
    """The example is fine; what is not is told with its line."""
    example = pathlib.Path(__file__).parents[2] / "examples" / "pretag.map"
    out = check(tmp_path, example)
    assert out.returncode == 0 and "pretag.map" not in out.stdout + out.stderr
    bad = tmp_path / "bad.map"
    bad.write_text("set_tag=1\nset_tag=-1\nset_tag=2 inn=3\nset_tag=3 jeq=x\n")
    out = check(tmp_path, bad)
    text = out.stdout + out.stderr
    assert out.returncode == 1
    for line in ("bad.map:2: pre_tag_map: set_tag: '-1'", "did you mean 'in'?",
                 "warning: " + str(bad) + ":4: pre_tag_map: the rule ends the search"):
        assert line in text


def test_each_its_own(tmp_path):
    """Plugins have the map that they name, or the common one; JSON and SQL show the tags."""
    pcap, common, own = (tmp_path / n for n in ("x.pcap", "common.map", "own.map"))
    generate("netflow9", 5000, 500, pcap=pcap)
    common.write_text("set_tag=7 in=1\nset_tag=8 set_label=other\n")
    own.write_text("set_tag2=9++ in=-1\n")
    run_file(tmp_path, f"""
        pcap_savefile: {pcap}
        plugins: print[a], print[b], sqlite3[s]
        aggregate[a]: tag, tag2, label, in_iface
        aggregate[b]: tag, tag2, in_iface
        aggregate[s]: tag, tag2, in_iface
        pre_tag_map: {common}
        pre_tag_map[b]: {own}
        print_output: json
        print_output_file[a]: {tmp_path}/a.json
        print_output_file[b]: {tmp_path}/b.json
        sql_db[s]: {tmp_path}/s.db
        sql_table_version[s]: 9
        sql_optimize_clauses[s]: true
        """, "--as", "nfacctd")
    shown = {(r["tag"], r["tag2"], r["label"], r["iface_in"] == 1)
             for r in json_rows(tmp_path / "a.json")}
    assert shown == {(7, 0, "", True), (8, 0, "other", False)}
    rows = json_rows(tmp_path / "b.json")
    counted = sorted(r["tag2"] for r in rows if r["iface_in"] != 1)
    assert counted == list(range(9, 9 + len(counted))) and len(counted) > 1000
    assert {(r["tag"], r["tag2"]) for r in rows if r["iface_in"] == 1} == {(0, 0)}
    with sqlite3.connect(tmp_path / "s.db") as db:
        got = set(db.execute("SELECT tag, tag2, iface_in = 1 FROM acct_v9"))
    assert got == {(7, 0, 1), (8, 0, 0)}


def start(weir, rules, more=""):
    port = free_port()
    w = weir(f"""
        nfacctd_port: {port}
        nfacctd_ip: 127.0.0.1
        workers: 2
        plugins: memory[m]
        aggregate: tag, tag2, in_iface, flows
        pre_tag_map: {rules}
        {more}
        """).ready()
    return w, port


def test_show_rules(weir, tmp_path):
    """Each rule with what it fitted; a map with a fault, or one that compares what was not
    compared before, leaves the old one in place, and the log says why."""
    rules = tmp_path / "pretag.map"
    rules.write_text("! tags\nset_tag=1 in=1\nset_tag=2  in=-1 filter='ip or ip6'\nset_tag=3\n")
    w, port = start(weir, rules)
    generate("netflow9", 1000, 100, "--vlan", 0, udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 1000)
    w.books()
    shown = w.rows("rules")
    assert [(r["line"], r["rule"]) for r in shown] == [
        (2, "set_tag=1 in=1"), (3, "set_tag=2  in=-1 filter='ip or ip6'"), (4, "set_tag=3")]
    counts = [r["matches"] for r in shown]
    assert sum(counts) == 1000 and counts[0] > 0 and counts[2] == 0
    by_tag = {}
    for row in poll(lambda: w.rows("m")):
        by_tag[row["tag"]] = by_tag.get(row["tag"], 0) + row["flows"]
    assert by_tag == {1: counts[0], 2: counts[1]}
    assert "MATCHES" in w.show("rules")

    for text, says in (("set_tag=x in=1\n", "pretag.map:1: pre_tag_map: set_tag: 'x'"),
                       ("set_tag=1 label=next\n", "label=next: 'next' is always"),
                       ("set_tag=1 src_mac=00:01:02:03:04:05\n", "src_mac")):
        rules.write_text(text)
        w.process.send_signal(signal.SIGUSR2)
        poll(lambda: says in w.log_text())
        assert [r["matches"] for r in w.rows("rules")] == counts
    rules.write_text("set_tag=5 out=-77\n")
    w.process.send_signal(signal.SIGUSR2)
    poll(lambda: "1 rules" in w.log_text() or len(w.rows("rules")) == 1)
    assert w.rows("rules")[0]["matches"] == 0


def test_reloads_under_load(weir, tmp_path):
    """A hundred maps, one after the other, while flows come: nothing is lost, and none has
    the tag of one map and the second of another."""
    rules = tmp_path / "pretag.map"
    maps = [f"set_tag={n} in=1 jeq=next\nset_tag2={n} label=x\n" for n in range(1, 101)]
    rules.write_text(maps[0])
    w, port = start(weir, rules, "nfacctd_pipe_size: 4M")
    sent = {}
    load = threading.Thread(target=lambda: sent.update(generate(
        "netflow9", 400000, 1000, "--rate", 4000, "--sources", 4, udp=f"127.0.0.1:{port}")))
    load.start()
    for n, text in enumerate(maps[1:], 2):
        rules.with_suffix(".new").write_text(text)
        rules.with_suffix(".new").rename(rules)
        w.process.send_signal(signal.SIGUSR2)
        poll(lambda: f"set_tag={n} " in w.show("rules"), every=0.005)
    load.join()
    poll(lambda: w.stats()["records_fed"] > 0)
    w.books()
    rows = poll(lambda: w.rows("m"))
    assert all(r["tag"] in ((r["tag2"],) if r["iface_in"] == 1 else (0,)) for r in rows)
    assert len({r["tag2"] for r in rows}) > 10
    assert w.stop() == 0
