# SPDX-License-Identifier: GPL-2.0-or-later
"""The sfprobe door: packets, flows and samples go on to other collectors as sFlow v5."""
import collections
import ipaddress
import json
import os
import signal
import socket
import struct
import subprocess

import pytest

from conftest import TUPLE, Weir, free_port, generate, poll, truth, tuple_key
from netflow import capture, v5
from sflow import (datagram, decoded_ipv4, flow, flow_expanded, frame, gateway, probe_tags, router,
                   switch)
from streams import write_pcap
from test_doors import V5, send_from
from test_interop import program
from test_live import Net, may_make_wires
from test_pmacct import rows_of
from test_tee import receivers, targets  # noqa: F401 (receivers is a fixture)

FCS = 4  # octets behind a frame that sFlow counts, and nobody captures
SENT = f"{TUPLE}, tag, tag2"
TAGS = "set_tag=17 filter='tcp' jeq=next\nset_tag2=18446744073709551615 filter='ip6'\n"


@pytest.fixture
def pair(tmp_path):
    """A weir that collects, and one that sends to it."""
    running = []

    def start(collect, send, *args):
        port = free_port()
        for name in ("in", "out"):
            (tmp_path / name).mkdir()
        running.append(Weir(tmp_path / "in", "sfacctd_ip: 127.0.0.1\n"
                            f"sfacctd_port: {port}\nsfacctd_pipe_size: 8M\n{collect}\n").ready())
        running.append(Weir(tmp_path / "out",
                            send.replace("RECEIVER", f"127.0.0.1:{port}"), *args).ready())
        return running[-2:]
    yield start
    for w in running:
        w.kill()


def output(w, name="x"):
    return next(row for row in w.rows("outputs") if row["output"] == name)


def counted(rows):
    """{tuple: (packets, bytes)}; rows may differ in more than that."""
    sums = collections.defaultdict(lambda: (0, 0))
    for r in rows:
        packets, octets = sums[tuple_key(r)]
        sums[tuple_key(r)] = (packets + r["packets"], octets + r["bytes"])
    return sums


def wait_for(collector, records):
    poll(lambda: collector.stats()["records"] >= records)
    stats = collector.stats()
    assert stats["records_fed"] == records
    for name in ("sequence_lost", "sequence_resets", "samples_lost", "samples_dropped",
                 "parts_unknown", "parts_cut"):
        assert stats[name] == 0, name
    collector.books()


def test_packets_come_back_as_they_were(tmp_path, pair):
    """packets -> weir -> sFlow -> weir: frames, and the tags at both ends."""
    pcap, account, tags = tmp_path / "p.pcap", tmp_path / "truth", tmp_path / "tags"
    tags.write_text(TAGS)
    generate("packets", 30000, 3000, "--ipv4", 70, pcap=pcap, truth=account)
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {SENT}, vlan, tcpflags, sampling_rate\n",
        f"pcap_savefile: {pcap}\nsavefile_wait: true\nplugins: sfprobe[x], memory[m]\n"
        f"pre_tag_map: {tags}\naggregate: {SENT}, vlan, tcpflags\n"
        "sfprobe_receiver: RECEIVER\nsfprobe_agentip: 2001:db8::7\nsfprobe_agentsubid: 12\n")
    wait_for(collector, 30000)
    want = {key: (row["packets"], row["bytes_l2"] + FCS * row["packets"])
            for key, row in truth(account).items()}
    rows = collector.rows("m")
    assert counted(rows) == want
    told = ("tag", "tag2", "vlan", "tcp_flags")

    def shown(w):
        return {(tuple_key(r), *(r[n] for n in told), r["packets"]) for r in w.rows("m")}
    assert shown(collector) == shown(probe)
    assert {(r["tag"], r["tag2"]) for r in rows} == {(0, 0), (17, 0), (0, 2**64 - 1),
                                                     (17, 2**64 - 1)}
    assert {r["sampling_rate"] for r in rows} == {1}
    agent, = collector.rows("exporters")
    assert (agent["address"], agent["domain"]) == ("2001:db8::7", 12)
    books = output(probe)
    assert (books["rows"], books["written"], books["refused"]) == (30000, 30000, 0)
    probe.books()
    assert probe.stop() == 0


def test_what_is_sampled_adds_up(tmp_path, pair):
    """The pools of the samples tell how many packets there were, to a few."""
    pcap = tmp_path / "p.pcap"
    sent = generate("packets", 50000, 500, pcap=pcap)
    collector, probe = pair(
        "plugins: memory[m]\naggregate: none\nsfacctd_renormalize: true\n",
        f"pcap_savefile: {pcap}\nsavefile_wait: true\nplugins: sfprobe[x]\nworkers: 1\n"
        "sfprobe_sampling_rate[x]: 20\nsfprobe_receiver: RECEIVER\n")
    poll(lambda: output(probe)["written"] > 2000)
    poll(lambda: collector.stats()["records"] == output(probe)["written"])
    stats = collector.stats()
    assert (stats["sequence_lost"], stats["samples_lost"]) == (0, 0)
    row, = collector.rows("m")
    # The last packets found no sample that told of them; the first sample has the rate alone.
    assert 0.98 * int(sent["packets"]) <= row["packets"] <= 1.02 * int(sent["packets"])
    for w in (collector, probe):
        w.books()


NETFLOW_TOLD = ("src_as", "dst_as", "src_mask", "dst_mask", "nexthop", "in_iface", "out_iface", "tos",
                "tcpflags")


def test_netflow_becomes_samples(tmp_path, pair):
    """NetFlow -> sFlow -> weir: packets and octets to the unit, and all that samples can say."""
    netflow, account = free_port(), tmp_path / "truth"
    aggregate = f"{TUPLE}, {', '.join(NETFLOW_TOLD)}"
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {aggregate}\nsfacctd_renormalize: true\n"
        "sfacctd_as: sflow\nsfacctd_net: sflow\n",
        f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {netflow}\nplugins: sfprobe[x], memory[m]\n"
        f"aggregate: {aggregate}\nnfacctd_as: netflow\nnfacctd_net: netflow\n"
        "sfprobe_receiver: RECEIVER\n")
    generate("netflow5", 5000, 700, "--rate", "2000", udp=f"127.0.0.1:{netflow}", truth=account)
    poll(lambda: probe.stats()["records_fed"] == 5000)
    probe_output = poll(lambda: output(probe)["written"] >= 5000 and output(probe))
    poll(lambda: collector.stats()["records_fed"] == output(probe)["written"])
    assert probe_output["refused"] == 0
    rows = collector.rows("m")
    assert counted(rows) == {key: (row["packets"], row["bytes"])
                             for key, row in truth(account).items()}
    keys = [k for k in probe.rows("m")[0] if k not in ("packets", "bytes", "flows")]
    assert ({tuple(r[k] for k in keys) for r in rows} ==
            {tuple(r[k] for k in keys) for r in probe.rows("m")})
    for w in (collector, probe):
        w.books()


def one_packet():
    """Ethernet, 802.1Q, IPv4, UDP: 60 octets and what is missing of 1000."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0xb8, 978, 1, 0, 64, 17, 0, bytes((192, 0, 2, 1)),
                     bytes((198, 51, 100, 2)))
    return (bytes.fromhex("020102030405 02aabbccddee 8100 6064 0800") + ip +
            struct.pack("!HHHH", 4000, 53, 958, 0) + bytes(14))


SFLOW_TOLD = ("src_as, dst_as, peer_src_as, peer_dst_as, peer_dst_ip, src_mask, dst_mask, nexthop, "
              "in_iface, out_iface, tos, src_mac, dst_mac, vlan, in_vlan, out_vlan, cos, "
              "sampling_rate, sampling_direction, etype, tag, tag2")


def test_samples_go_on_as_they_came(tmp_path, pair):
    """sFlow -> sFlow: every member equal at both ends."""
    sflow = free_port()
    aggregate = f"{TUPLE}, {SFLOW_TOLD}"
    more = "sfacctd_as: sflow\nsfacctd_net: sflow\n"
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {aggregate}\n{more}",
        f"sfacctd_ip: 127.0.0.1\nsfacctd_port: {sflow}\nplugins: sfprobe[x], memory[m]\n"
        f"aggregate: {aggregate}\n{more}sfprobe_receiver: RECEIVER\nworkers: 1\n")
    records = (frame(one_packet()), switch(100, 200), router("192.0.2.3", 24, 16),
               gateway("2001:db8::9", 64500, 64501, 64502, 64503), probe_tags(5, 6))
    send_from("127.0.0.2", sflow, datagram(
        1, flow(1, *records), flow(2, *records, ifaces=(0x3fffffff, 2), source=2),
        flow(3, *records, ifaces=(3, 0x40000100)), flow(4, *records, ifaces=(3, 0x80000002)),
        flow_expanded(1, *records, source=0x1000001, ifaces=(0x1000001, 7), rate=9)))
    wait_for(collector, 5)
    near, far = probe.rows("m"), collector.rows("m")
    assert len(near) == 5

    def lines(rows):
        return sorted(json.dumps({k: v for k, v in r.items() if k != "flows"}) for r in rows)
    assert lines(near) == lines(far)
    assert {(r["iface_in"], r["iface_out"], r["sampling_direction"]) for r in far} == {
        (1, 2, "u"), (0x3fffffff, 2, "e"), (3, 0x40000100, "i"), (3, 0x80000002, "i"),
        (0x1000001, 7, "i")}
    for w in (collector, probe):
        w.books()


# ---------------------------------------------------------------- what is on the wire


class Samples:
    """Datagrams taken apart: [(sequence, [(format, words of the sample's head)])]."""

    def __init__(self, octets):
        self.octets = octets
        kind = self.word(1)
        at = {1: 3, 2: 6}[kind]
        self.agent = ipaddress.ip_address(octets[8:4 * at])
        self.sub_agent, self.sequence, self.uptime, n = (self.word(at + i) for i in range(4))
        at += 4
        self.samples = []
        for _ in range(n):
            length = self.word(at + 1)
            self.samples.append((self.word(at), [self.word(at + 2 + i) for i in range(8)]))
            at += 2 + length // 4
        assert 4 * at == len(octets)

    def word(self, i):
        return int.from_bytes(self.octets[4 * i:4 * i + 4], "big")


def send_packets(tmp_path, weir, config, records=2000):
    """Have a weir read a file and send what it makes of it."""
    pcap = tmp_path / "p.pcap"
    generate("packets", records, 50, pcap=pcap)
    w = weir(f"pcap_savefile: {pcap}\nsavefile_wait: true\nplugins: sfprobe[x]\n{config}").ready()
    poll(lambda: w.stats()["frames_fed"] == records)
    return w


def test_numbers_have_no_gap(tmp_path, weir, receivers):
    """Two receivers get the same, each numbered from 1; a dead one costs them nothing."""
    a, b, dead = receivers(), receivers(socket.AF_INET6, "::1"), free_port()
    pools = tmp_path / "pools"
    pools.write_text(f"id=1 ip=127.0.0.1:{a.port},[::1]:{b.port}\nid=2 ip=127.0.0.1:{dead}\n")
    w = send_packets(tmp_path, weir, f"sfprobe_receivers: {pools}\nworkers: 2\n"
                     "sfprobe_ifindex: 70000000\nsfprobe_agentip: 192.0.2.7\n")
    n = poll(lambda: output(w)["rows"] == 3 * 2000 and targets(w)[f"127.0.0.1:{a.port}"]["sent"])
    got = [Samples(d) for d in a.take(n)]
    assert [d.sequence for d in got] == list(range(1, n + 1))
    assert a.got and [d for d, _ in a.got] == b.take(n)
    assert {(str(d.agent), d.sub_agent) for d in got} == {("192.0.2.7", 1402)}
    samples = [s for d in got for s in d.samples]
    assert {kind for kind, _ in samples} == {3}  # expanded: the interface is beyond 24 bits
    assert [head[0] for _, head in samples] == list(range(1, 2001))
    assert {head[2] for _, head in samples} == {70000000}
    assert [head[4] for _, head in samples] == list(range(1, 2001))  # pool: all packets
    assert max(len(d.octets) for d in got) <= 1448 - 28
    refused = targets(w)[f"127.0.0.1:{dead}"]
    assert refused["refusals"] > 0 and refused["sent"] + refused["unsent"] == n
    w.books()


def test_a_narrow_way(tmp_path, weir, receivers):
    a = receivers()
    w = send_packets(tmp_path, weir, f"sfprobe_receiver: 127.0.0.1:{a.port}\nsfprobe_mtu: 576\n"
                     "sfprobe_source_ip: 127.0.0.9\nsfprobe_header_octets: 64\n")
    n = poll(lambda: output(w)["written"] == 2000 and targets(w)[f"127.0.0.1:{a.port}"]["sent"])
    got = [Samples(d) for d in a.take(n)]
    assert max(len(d.octets) for d in got) <= 576 - 28
    assert sum(len(d.samples) for d in got) == 2000
    assert {str(d.agent) for d in got} == {"127.0.0.9"}
    assert {sender for sender, _ in a.senders()} == {"127.0.0.9"}
    w.books()


def test_samples_that_do_not_fit_count_in_the_pool(tmp_path, weir, receivers):
    """The next one that goes tells of the packets that they stood for."""
    a, pcap = receivers(), tmp_path / "p.pcap"
    long = one_packet() + bytes(940)
    frames = [one_packet(), long, long, one_packet(), long, one_packet()]
    write_pcap(pcap, frames)
    w = weir(f"pcap_savefile: {pcap}\nsavefile_wait: true\nplugins: sfprobe[x]\n"
             f"sfprobe_receiver: 127.0.0.1:{a.port}\nsfprobe_mtu: 576\n"
             "sfprobe_header_octets: 1024\n").ready()
    poll(lambda: output(w)["rows"] == 6)
    assert output(w)["refused"] == w.stats()["export_too_long"] == 3
    got = [Samples(d) for d in a.take(targets(w)[f"127.0.0.1:{a.port}"]["sent"])]
    heads = [head for d in got for _, head in d.samples]
    assert [(head[0], head[3], head[4]) for head in heads] == [(1, 1, 0), (2, 4, 0), (3, 6, 0)]
    w.books()


def test_receivers_are_read_anew(tmp_path, weir, receivers):
    """Who stays gets the next number; who comes the first one, of samples that are the next."""
    a, b, port, pools = receivers(), receivers(), free_port(), tmp_path / "pools"
    pools.write_text(f"id=1 ip=127.0.0.1:{a.port}\n")
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: sfprobe[x]\n"
             f"sfprobe_receivers: {pools}\nworkers: 1\n").ready()
    send_from("127.0.0.2", port, V5)
    first = Samples(a.take(1)[0])
    pools.write_text(f"id=2 ip=127.0.0.1:{b.port},127.0.0.1:{a.port}\n")
    w.process.send_signal(signal.SIGHUP)
    poll(lambda: len(w.rows("targets")) == 2)
    send_from("127.0.0.2", port, V5)
    second, other = Samples(a.take(2)[1]), Samples(b.take(1)[0])
    assert (first.sequence, second.sequence, other.sequence) == (1, 2, 1)
    assert second.samples == other.samples and len(set(a.senders())) == 1
    assert second.samples[0][1][0] > first.samples[-1][1][0]
    w.books()


def test_a_sample_does_not_wait_for_others(tmp_path, weir, receivers):
    """One NetFlow record goes out while weir runs, without another to fill the datagram."""
    a, port = receivers(), free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: sfprobe[x]\n"
             f"sfprobe_receiver: 127.0.0.1:{a.port}\n").ready()
    send_from("127.0.0.2", port, v5("192.0.2.1", "198.51.100.2"))
    assert len(Samples(a.take(1)[0]).samples) >= 1
    w.books()


# ---------------------------------------------------------------- other people's receivers


def test_tshark_reads_every_datagram(tmp_path, weir, receivers):
    """All dissects without a complaint, and the fields are those that were sent."""
    a, sflow = receivers(), free_port()
    w = weir(f"sfacctd_ip: 127.0.0.1\nsfacctd_port: {sflow}\nplugins: sfprobe[x]\n"
             f"sfprobe_receiver: 127.0.0.1:{a.port}\nsfprobe_agentip: 192.0.2.7\n"
             "aggregate: tag, tag2\nworkers: 1\n").ready()
    records = (frame(one_packet()), switch(100, 200), router("192.0.2.3", 24, 16),
               gateway("192.0.2.9", 64500, 64501, 64502, 64503), probe_tags(5, 6))
    send_from("127.0.0.2", sflow, datagram(
        1, flow(1, *records), flow(2, frame(one_packet())),
        flow(3, decoded_ipv4("192.0.2.1", "198.51.100.2", 4000, 53, 100), source=9),
        flow_expanded(1, *records, source=0x1000001, ifaces=(0x1000001, 7))))
    poll(lambda: output(w)["written"] == 4)
    pcap = tmp_path / "sent.pcap"
    capture(pcap, [(1700000000, d) for d in a.take(targets(w)[f"127.0.0.1:{a.port}"]["sent"])], 6343)

    def tshark(*args):
        out = subprocess.run([program("tshark"), "-r", pcap, "-d", "udp.port==6343,sflow", *args],
                             capture_output=True, text=True, timeout=60)
        assert out.returncode == 0, out.stderr
        return out.stdout
    shown = tshark("-O", "sflow")
    assert "Expert Info" not in shown and "Malformed" not in shown, shown
    # What it knows of a sample, each in the order in which it was sent.
    for words in ("Agent address: 192.0.2.7", "Sub-agent ID: 1402", "NumSamples: 4",
                  "Sampling rate: 1 out of 100 packets", "Frame Length: 60",
                  "Payload stripped: 4", "Incoming 802.1Q VLAN: 100", "Outgoing 802.1Q VLAN: 200",
                  "Next hop: 192.0.2.3", "Next hop source mask: 24",
                  "Next hop destination mask: 16", "Next hop: 192.0.2.9", "AS Source: 64500",
                  "AS Peer: 64501", "AS Destination: 64502", "AS Destination: 64503",
                  "Length of IP Packet: 100", "Source ID index: 16777217",
                  "Enterprise: Non-standard sFlow (43874)",
                  "Data: 00000000000000050000000000000006"):
        assert words in shown, f"{words}: {shown}"


def test_sfacctd(tmp_path, weir, receivers):
    """pmacct's collector has the same rows, with the tags."""
    a, tags, pcap, sent = receivers(), tmp_path / "tags", tmp_path / "p.pcap", tmp_path / "sent.pcap"
    tags.write_text("set_tag=17 filter='tcp'\nset_tag2=1234567890123 filter='udp'\n")
    generate("packets", 5000, 300, "--ipv4", 100, "--vlan", 0, pcap=pcap, truth=tmp_path / "truth")
    w = weir(f"pcap_savefile: {pcap}\nsavefile_wait: true\nplugins: sfprobe[x]\n"
             f"pre_tag_map: {tags}\naggregate: {SENT}\nsfprobe_agentip: 192.0.2.7\n"
             f"sfprobe_receiver: 127.0.0.1:{a.port}\n").ready()
    poll(lambda: output(w)["written"] == 5000)
    capture(sent, [(1700000000, d) for d in a.take(targets(w)[f"127.0.0.1:{a.port}"]["sent"])], 6343)
    want = {(*key, 17 if key[4] == 6 else 0, 1234567890123 if key[4] == 17 else 0):
            (row["packets"], row["bytes_l2"] + FCS * row["packets"])
            for key, row in truth(tmp_path / "truth").items()}
    for _ in range(4):  # its core may not wait for its plugin: see test_pmacct.compare
        (tmp_path / "sfacctd.json").unlink(missing_ok=True)
        rows = [json.loads(row) for row in rows_of(
            tmp_path, "sfacctd", [program("sfacctd")], pcap=sent, aggregate=SENT, more="")]
        have = {(*tuple_key(r), r["tag"], r["tag2"]): (r["packets"], r["bytes"]) for r in rows}
        if have == want:
            break
    assert have == want


# ---------------------------------------------------------------- counters


@pytest.mark.skipif(not may_make_wires(), reason="no right to make network namespaces")
def test_counters_of_interfaces(tmp_path):
    """What the kernel counts on the interface that is captured from, as weir shows it."""
    net = Net(f"weir-{os.getpid()}")
    running = []
    try:
        net.pair("probe0", "wire0")
        port = free_port()
        for name, config in (
                ("in", f"sfacctd_ip: 127.0.0.1\nsfacctd_port: {port}\nplugins: memory[m]\n"
                       "aggregate: in_iface, out_iface\n"),
                ("out", f"pcap_interface: probe0\nplugins: sfprobe[x]\nworkers: 1\n"
                        f"sfprobe_receiver: 127.0.0.1:{port}\nsfprobe_counter_interval: 1\n"
                        "sfprobe_ifspeed: 12345678\n")):
            (tmp_path / name).mkdir()
            running.append(Weir(tmp_path / name, config, prefix=net.inside()).ready())
        collector, probe = running
        net.send("wire0", 700, 10)
        octets = json.loads(net.ip("-j", "-s", "link", "show", "probe0"))[0]["stats64"]["rx"]["bytes"]

        def counted_in():
            rows = [r for r in collector.rows("interfaces") if r["in_octets"] == octets]
            return rows[0] if rows else None
        row = poll(counted_in)
        index = net.index("probe0")
        assert (row["index"], row["speed"]) == (index, 12345678)
        assert (row["admin"], row["oper"]) == ("up", "up")
        poll(lambda: sum(r["packets"] for r in collector.rows("m")) == 700)
        # Packets that tell no interface came by the one that there is.
        assert {(r["iface_in"], r["iface_out"]) for r in collector.rows("m")} == {(index, 0)}
        assert collector.rows("exporters")[0]["address"] == "127.0.0.1"
        for w in running:
            w.books()
            assert w.stop() == 0
    finally:
        for w in running:
            w.kill()
        net.close()
