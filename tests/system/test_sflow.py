# SPDX-License-Identifier: GPL-2.0-or-later
"""sFlow as agents send it: rates that they did not announce, losses, counters, addresses."""
import json
import signal
import socket

import pytest

import sflow
from conftest import free_port, poll

FLOW = sflow.decoded_ipv4("198.51.100.1", "203.0.113.5", 1000, 53, 500)


def send(port, *datagrams, source="127.0.0.1"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        for d in datagrams:
            s.sendto(d, ("127.0.0.1", port))


def collect(weir, lines, *datagrams, source="127.0.0.1"):
    """A weir that has taken the datagrams."""
    port = free_port()
    w = weir(f"sfacctd_ip: 127.0.0.1\nsfacctd_port: {port}\nworkers: 1\nplugins: memory[m]\n"
             + lines).ready()
    send(port, *datagrams, source=source)
    poll(lambda: w.stats()["datagrams"] == len(datagrams))
    w.port = port
    return w


def test_renormalized_by_what_the_agent_did(weir):
    """1 in 100 is announced, but the pool says 150, and 120 where one sample is missing."""
    w = collect(
        weir, "aggregate: src_host, sampling_rate\nsfacctd_renormalize: true\n",
        sflow.datagram(1, sflow.flow(1, FLOW, pool=1000)),
        sflow.datagram(2, sflow.flow(2, FLOW, pool=1150), sflow.flow(4, FLOW, pool=1390)),
        # Another data source, and another sub-agent with one of the same number.
        sflow.datagram(3, sflow.flow(9, FLOW, pool=7, source=4)),
        sflow.datagram(1, sflow.flow(9, FLOW, pool=7), sub_agent=1))
    poll(lambda: w.rows("m"))
    packets = 100 + 150 + 120 + 100 + 100
    assert [(r["packets"], r["bytes"], r["sampling_rate"]) for r in w.rows("m")] == [
        (packets, 500 * packets, 1)]
    assert w.stats()["samples_lost"] == 1
    w.books()
    assert w.stop() == 0


def test_rate_as_announced(weir):
    """Without renormalisation the rate is shown as announced; counters are the samples'."""
    w = collect(
        weir, "aggregate: sampling_rate, sampling_direction, peer_src_ip\n",
        sflow.datagram(1, sflow.flow(1, FLOW, pool=1000, source=1),
                       sflow.flow(2, FLOW, pool=1150, source=1)))
    poll(lambda: w.rows("m"))
    assert [(r["packets"], r["bytes"], r["sampling_rate"], r["sampling_direction"],
             r["peer_ip_src"]) for r in w.rows("m")] == [(2, 1000, 100, "i", "192.0.2.9")]
    assert w.stop() == 0


def test_losses_by_agent(weir):
    """Datagrams lost, samples lost, samples that the agent dropped; IPv6 agents apart."""
    w = collect(
        weir, "aggregate: src_host\n",
        sflow.datagram(1, sflow.flow(1, FLOW, drops=10)),
        sflow.datagram(4, sflow.flow(5, FLOW, drops=17)),
        sflow.datagram(1, sflow.flow(1, FLOW, drops=3), agent="2001:db8::9"),
        sflow.datagram(2, sflow.flow(2, FLOW, drops=4), agent="2001:db8::9"),
        sflow.datagram(1, sflow.flow(1, FLOW), agent="2001:db8::a"))
    got = {x["address"]: (x["sequence_lost"], x["samples_lost"], x["samples_dropped"])
           for x in w.rows("exporters")}
    assert got == {"192.0.2.9": (2, 3, 7), "2001:db8::9": (0, 0, 1), "2001:db8::a": (0, 0, 0)}
    stats = w.stats()
    assert (stats["sequence_lost"], stats["samples_lost"], stats["samples_dropped"]) == (2, 3, 8)
    w.books()
    assert w.stop() == 0


@pytest.mark.parametrize("ignore,peer", [("false", "192.0.2.9"), ("true", "127.0.0.7")])
def test_agent_or_sender(weir, ignore, peer):
    w = collect(weir, f"aggregate: peer_src_ip\nsfacctd_ignore_exporter_address: {ignore}\n",
                sflow.datagram(1, sflow.flow(1, FLOW)), source="127.0.0.7")
    poll(lambda: w.rows("m"))
    assert [r["peer_ip_src"] for r in w.rows("m")] == [peer]
    assert [x["address"] for x in w.rows("exporters")] == ["192.0.2.9"]
    assert w.stop() == 0


# sfacctd_as, sfacctd_net; AS, neighbouring AS and prefix of the source, and of the other.
ORIGINS = [
    ("sflow", "sflow", 65001, 65002, "198.51.100.0/24", 65011, 65010, "203.0.112.0/20"),
    ("file", "file", 64500, 0, "198.51.0.0/16", 64501, 64502, "203.0.113.0/24"),
    ("longest", "longest", 65001, 65002, "198.51.100.0/24", 64501, 64502, "203.0.113.0/24"),
    ("sflow", "mask", 65001, 65002, "198.0.0.0/8", 65011, 65010, "203.0.0.0/8"),
]


@pytest.mark.parametrize("as_,net,src_as,src_peer,src_net,dst_as,dst_peer,dst_net", ORIGINS)
def test_as_and_net(tmp_path, weir, as_, net, src_as, src_peer, src_net, dst_as, dst_peer,
                    dst_net):
    """Whose word counts: the router's and the gateway's records, or networks_file."""
    networks = tmp_path / "networks"
    networks.write_text("64500,198.51.0.0/16\n64502_64501,203.0.113.0/24\n")
    w = collect(
        weir, f"aggregate: src_as, dst_as, src_net, dst_net, src_mask, dst_mask, peer_src_as, "
        f"peer_dst_as, nexthop\nsfacctd_as: {as_}\nsfacctd_net: {net}\n"
        f"networks_file: {networks}\nnetworks_mask: 8\n",
        sflow.datagram(1, sflow.flow(
            1, FLOW, sflow.router("192.0.2.254", 24, 20),
            sflow.gateway("192.0.2.253", 65001, 65002, 65010, 65011))))
    poll(lambda: w.rows("m"))
    row = w.rows("m")[0]
    assert (row["as_src"], row["peer_as_src"], f"{row['net_src']}/{row['mask_src']}") == (
        src_as, src_peer, src_net)
    assert (row["as_dst"], row["peer_as_dst"], f"{row['net_dst']}/{row['mask_dst']}") == (
        dst_as, dst_peer, dst_net)
    assert row["nexthop"] == "192.0.2.254"
    assert w.stop() == 0


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_counters(tmp_path, weir):
    """A file for each agent, opened anew on SIGHUP; what comes before the end is written."""
    file = tmp_path / "counters_192_0_2_9"
    w = collect(
        weir, f"aggregate: src_host\nsfacctd_counter_file: {tmp_path}/counters_$peer_src_ip\n",
        sflow.datagram(1, sflow.counters(1, 3, sflow.interface(3, 2**40, 7)),
                       sflow.flow(1, FLOW)),
        sflow.datagram(1, sflow.counters(8, 1, sflow.interface(1, 5, 6)), agent="2001:db8::9"))
    poll(lambda: lines(file) and lines(tmp_path / "counters_2001_db8__9"))
    row = lines(file)[0]
    assert {k: row[k] for k in ("peer_ip_src", "agent", "event_type", "source_id_index",
                                "sflow_seq", "sflow_cnt_seq", "sf_cnt_type", "ifIndex",
                                "ifInOctets", "ifOutOctets")} == {
        "peer_ip_src": "192.0.2.9", "agent": "192.0.2.9", "event_type": "log",
        "source_id_index": 3, "sflow_seq": 1, "sflow_cnt_seq": 1,
        "sf_cnt_type": "sflow_cnt_generic", "ifIndex": 3, "ifInOctets": 2**40,
        "ifOutOctets": 7}
    old = file.rename(tmp_path / "old")
    w.process.send_signal(signal.SIGHUP)
    poll(lambda: "opened anew" in w.log_text())
    send(w.port, sflow.datagram(2, sflow.counters(2, 3, sflow.interface(3, 2**40 + 1, 8))))
    poll(lambda: lines(file))
    assert [r["sflow_cnt_seq"] for r in lines(file)] == [2]
    assert len(lines(old)) == 1
    # The last of each interface, whatever the file has.
    assert {(r["address"], r["index"]): (r["in_octets"], r["in_errors"], r["oper"])
            for r in w.rows("interfaces")} == {
        ("192.0.2.9", 3): (2**40 + 1, 5, "up"), ("2001:db8::9", 1): (5, 5, "up")}
    assert "IN_OCTETS" in w.show("interfaces") and "PROMISCUOUS" not in w.show("interfaces")
    send(w.port, sflow.datagram(3, sflow.counters(3, 3, sflow.interface(3, 2**40 + 2, 9))))
    poll(lambda: w.stats()["counters"] == 4)
    w.books()
    assert w.stats()["counters_logged"] == 4
    assert w.stop() == 0
    assert [r["sflow_cnt_seq"] for r in lines(file)] == [2, 3]


def test_a_counter_file_that_cannot_be(tmp_path, weir):
    w = weir(f"sfacctd_port: {free_port()}\nplugins: memory\naggregate: src_host\n"
             f"sfacctd_counter_file: {tmp_path}/no/such/file\n")
    assert w.process.wait(30) != 0
    assert "no/such/file" in w.process.stderr.read() + w.log_text()
