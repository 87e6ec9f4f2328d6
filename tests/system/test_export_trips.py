# SPDX-License-Identifier: GPL-2.0-or-later
"""What one weir collects and another receives from it in another format, down to the rows of SQL
and the archives of RRD: the same at both ends, tags included."""
import sqlite3
import time

import pytest

from conftest import TUPLE, Weir, free_port, generate, poll, truth
from exports import KEEP, directory, handed
from test_truth import rrd_sums

TAGS = ("set_tag=17 set_label=web%tcp filter='tcp' jeq=next\n"
        "set_tag2=18446744073709551615 filter='ip6'\n")


@pytest.fixture
def trip(tmp_path):
    """A weir that takes `protocol`, and one to which it sends by nfprobe; and the port."""
    running = []

    def start(protocol, near, far, version):
        port, to = free_port(), free_port()
        running.append(Weir(directory(tmp_path, "far"), f"nfacctd_ip: 127.0.0.1\n"
                            f"nfacctd_port: {to}\nnfacctd_pipe_size: 8M\n{far}").ready())
        running.append(Weir(directory(tmp_path, "near"), f"{protocol}_ip: 127.0.0.1\n"
                            f"{protocol}_port: {port}\n{protocol}_pipe_size: 8M\n{near}\n"
                            f"nfprobe_receiver: 127.0.0.1:{to}\nnfprobe_version: {version}\n"
                            "nfprobe_timeouts: tcp=1:tcp.fin=1:tcp.rst=1:udp=1:icmp=1:general=1\n")
                       .ready())
        return *running[::-1], port
    yield start
    for w in running:
        w.kill()


def arrive(near, far, records):
    """Until all that one took is at the other, or known to be refused; their books balance."""
    poll(lambda: near.stats()["records_fed"] == records)
    poll(lambda: sum(handed(near)) == records)
    poll(lambda: far.stats()["records_fed"] == handed(near)[0])
    for w in (near, far):
        w.books()
        assert w.stop() == 0


def test_sflow_to_ipfix_to_sql(tmp_path, trip):
    """Samples become flows, and rows of SQLite: those of both ends are equal."""
    (tmp_path / "map").write_text(TAGS)
    def sql(name):
        return (f"aggregate: {TUPLE}, vlan, tag, tag2, label\n"
                f"sql_db: {tmp_path}/{name}.db\nsql_table: t\nsql_optimize_clauses: true\n"
                "sql_refresh_time: 1\n")
    near, far, port = trip(
        "sfacctd", f"plugins: nfprobe[x], sqlite3[s]\npre_tag_map: {tmp_path}/map\n" + sql("near"),
        "plugins: sqlite3[s]\n" + sql("far"), 10)
    generate("sflow5", 10000, 500, "--rate", 2000, udp=f"127.0.0.1:{port}",
             truth=tmp_path / "truth")
    want = sum(r["packets"] for r in truth(tmp_path / "truth").values())
    poll(lambda: near.stats()["records_fed"] == 10000)

    def rows(name):
        with sqlite3.connect(f"file:{tmp_path}/{name}.db?mode=ro", uri=True) as c:
            c.row_factory = sqlite3.Row
            return sorted(tuple(sorted(dict(r).items())) for r in c.execute("SELECT * FROM t"))

    def packets(name):
        try:
            return sum(dict(r)["packets"] for r in rows(name))
        except sqlite3.OperationalError:  # not there yet, or being written
            return 0
    poll(lambda: packets("far") == want)
    for w in (near, far):
        w.books()
        assert w.stop() == 0
    assert rows("near") == rows("far")
    assert {dict(r)["agent_id"] for r in rows("far")} == {0, 17}  # tag
    assert {dict(r)["label"] for r in rows("far")} == {"", "web%tcp"}
    assert len({dict(r)["tag2"] for r in rows("far")}) == 2


def test_v5_to_v9_to_rrd(tmp_path, trip):
    """What rrdtool fetches adds up to what was generated, at both ends."""
    def rrd(name):
        return (f"aggregate: src_host, dst_host\nrrd_path: {tmp_path}/{name}.rrd\n"
                "rrd_create: top 20\nrrd_step: 60\nrrd_profile: custom\n"
                "rrd_rra: AVERAGE:0.5:1:600\n")
    near, far, port = trip("nfacctd", "plugins: nfprobe[x], rrd[r]\n" + rrd("near"),
                           "plugins: rrd[r]\n" + rrd("far"), 9)
    generate("netflow5", 5000, 50, "--rate", 400, "--start", int(time.time()) - 30, "--pps", 500,
             udp=f"127.0.0.1:{port}", truth=tmp_path / "truth")
    want = truth(tmp_path / "truth").values()
    arrive(near, far, 5000)
    for name in ("near", "far"):
        sums = rrd_sums(tmp_path / f"{name}.rrd")
        assert {n: sums[n] for n in ("packets", "bytes")} == {
            n: sum(r[n] for r in want) for n in ("packets", "bytes")}


@pytest.mark.parametrize("version", [5, 9, 10])
def test_a_rate_is_made_up_for_at_the_other_end(tmp_path, version):
    """sampling_rate goes along, in the header of v5 and in options data of the others."""
    pcap, to = tmp_path / "p.pcap", free_port()
    generate("packets", 20000, 200, "--ipv4", 100, "--start", int(time.time()) - 60, pcap=pcap)
    far = Weir(directory(tmp_path, "far"), f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {to}\n"
               f"nfacctd_renormalize: true\nplugins: memory[m]\naggregate: {TUPLE}\n").ready()
    near = Weir(directory(tmp_path, "near"), f"pcap_savefile: {pcap}\nsavefile_wait: true\n"
                f"plugins: nfprobe[x]\naggregate: {TUPLE}\nsampling_rate: 10\n"
                f"nfprobe_receiver: 127.0.0.1:{to}\nnfprobe_version: {version}\n"
                f"nfprobe_timeouts: {KEEP}\n")
    try:
        near.ready()
        poll(lambda: near.stats()["frames_fed"] == 20000)
        assert near.stop() == 0
        poll(lambda: sum(r["packets"] for r in far.rows("m")) > 0)
        records = far.stats()["records_fed"]
        poll(lambda: len(far.rows("m")) == records)
        packets = sum(r["packets"] for r in far.rows("m"))
        assert packets % 10 == 0 and 0.8 * 20000 < packets < 1.2 * 20000
        far.books()
    finally:
        for w in (near, far):
            w.kill()
