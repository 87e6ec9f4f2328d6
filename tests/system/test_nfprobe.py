# SPDX-License-Identifier: GPL-2.0-or-later
"""The nfprobe door: flows go on to other collectors as NetFlow v5, v9 and IPFIX."""
import collections
import json
import signal
import socket
import struct
import subprocess
import time

import pytest

import netflow
import streams
from conftest import (TUPLE, WEIR, Weir, free_port, generate, poll, run_file, truth,
                      tuple_key)
from exports import acctd_rows
from test_doors import V5, send_from
from test_tee import receivers, targets  # noqa: F401 (receivers is a fixture)

VERSIONS = (5, 9, 10)
V5_RECORDS = int.from_bytes(V5[2:4], "big")
# What is asked of time is not what these tests are about.
KEEP = "tcp=3600:tcp.rst=3600:tcp.fin=3600:udp=3600:icmp=3600:general=3600"


@pytest.fixture
def pair(tmp_path):
    """A weir that collects, and one that sends to it."""
    running = []

    def start(collect, send, *args):
        port = free_port()
        running.append(Weir(directory(tmp_path, "in"), "nfacctd_ip: 127.0.0.1\n"
                            f"nfacctd_port: {port}\nnfacctd_pipe_size: 8M\n{collect}\n").ready())
        running.append(Weir(directory(tmp_path, "out"),
                            send.replace("RECEIVER", f"127.0.0.1:{port}"), *args))
        return running[-2:]
    yield start
    for w in running:
        w.kill()


def directory(tmp_path, name):
    path = tmp_path / name
    path.mkdir()
    return path


def output(w, name="x"):
    return next(row for row in w.rows("outputs") if row["output"] == name)


def counted(rows):
    got = {}
    for r in rows:
        packets, octets = got.get(tuple_key(r), (0, 0))
        got[tuple_key(r)] = (packets + r["packets"], octets + r["bytes"])
    return got


def sums(rows):
    return {key: (row["packets"], row["bytes"]) for key, row in rows.items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_packets_come_back_as_they_were(tmp_path, pair, version):
    """packets -> weir -> NetFlow, IPFIX -> weir: the views of both are equal, and the truth."""
    pcap, account = tmp_path / "p.pcap", tmp_path / "truth"
    generate("packets", 30000, 3000, "--ipv4", 100 if version == 5 else 70, pcap=pcap,
             truth=account)
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {TUPLE}, tcpflags\n",
        f"pcap_savefile: {pcap}\nplugins: nfprobe[x], memory[m]\n"
        f"aggregate: {TUPLE}, tcpflags\nnfprobe_receiver: RECEIVER\n"
        f"nfprobe_version: {version}\nnfprobe_timeouts: {KEEP}\nsavefile_wait: true\n")
    want = sums(truth(account))
    probe.ready()
    poll(lambda: sum(r["packets"] for r in probe.rows("m")) == 30000)
    there = {tuple_key(r): r["tcp_flags"] for r in probe.rows("m")}
    probe.books()
    assert probe.stop() == 0  # the cache goes out
    poll(lambda: collector.stats()["records_fed"] >= len(want))
    rows = collector.rows("m")
    assert counted(rows) == want
    assert {tuple_key(r): r["tcp_flags"] for r in rows} == there
    stats = collector.stats()
    assert stats["records_fed"] == len(want)
    assert (stats["sequence_lost"], stats["sequence_resets"], stats["sets_early"]) == (0, 0, 0)
    collector.books()


def test_records_go_on(tmp_path, pair):
    """NetFlow v9 -> weir -> IPFIX -> weir, live: every member and time as it came."""
    account, port = tmp_path / "truth", free_port()
    what = f"{TUPLE}, tos, tcpflags, src_as, dst_as, timestamp_start, timestamp_end"
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {what}\n",
        f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_pipe_size: 8M\n"
        f"plugins: nfprobe[x], memory[m]\naggregate: {what}\nnfprobe_receiver: RECEIVER\n"
        "nfprobe_engine: 77\n")
    probe.ready()
    generate("netflow9", 20000, 2000, "--rate", 400, udp=f"127.0.0.1:{port}", truth=account)
    poll(lambda: probe.stats()["records_fed"] == 20000)
    poll(lambda: collector.stats()["records_fed"] == 20000)

    def rows(w):
        return sorted(json.dumps(r, sort_keys=True) for r in w.rows("m"))
    assert rows(collector) == rows(probe)
    want = sums(truth(account))
    for key, (packets, octets) in want.items():
        assert packets > 0 and octets > 0, key
    assert sum(r["bytes"] for r in collector.rows("m")) == sum(o for _, o in want.values())
    stats = collector.stats()
    assert (stats["sequence_lost"], stats["sequence_resets"]) == (0, 0)
    assert [x["domain"] for x in collector.rows("exporters")] == [77]
    assert output(probe)["written"] == output(probe)["rows"] == 20000
    target, = targets(probe).values()
    assert target["unsent"] == 0 and target["octets"] > 20000 * 40
    probe.books()
    assert probe.stop() == 0


def test_v9_becomes_v5(tmp_path, pair):
    account, port = tmp_path / "truth", free_port()
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {TUPLE}\n",
        f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\naggregate: {TUPLE}\n"
        "nfprobe_receiver: RECEIVER\nnfprobe_version: 5\nnfprobe_engine: 3:9\n")
    probe.ready()
    generate("netflow9", 5000, 500, "--rate", 400, udp=f"127.0.0.1:{port}", truth=account)
    want = {k: v for k, v in sums(truth(account)).items() if ":" not in k[0]}
    poll(lambda: sum(r["packets"] for r in collector.rows("m")) ==
         sum(p for p, _ in want.values()))
    assert counted(collector.rows("m")) == want
    # What v5 cannot tell is not sent, and said so.
    refused = probe.stats()["export_wrong_family"]
    assert refused > 0 and output(probe)["refused"] == refused
    assert output(probe)["written"] == 5000 - refused
    assert probe.log_text().count(" records of IPv6 were not sent: NetFlow v5 has no place for their "
                                  "addresses; write nfprobe_version: 9 or 10") == 1
    assert collector.stats()["sequence_lost"] == 0
    probe.books()


TAGS = ("set_tag=7 set_tag2=18446744073709551615 set_label=gold ip=0.0.0.0/0 filter='tcp'\n"
        "set_tag=1 set_label=bronze%east ip=0.0.0.0/0\n")


@pytest.mark.parametrize("version,names", [(9, ("tag", "tag2")), (10, ("tag", "tag2", "label"))])
def test_tags_travel(tmp_path, pair, version, names):
    path, port = tmp_path / "pretag", free_port()
    path.write_text(TAGS)
    what = ", ".join(("proto", *names))
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {what}\n",
        f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x], memory[m]\n"
        f"aggregate: {what}\npre_tag_map: {path}\nnfprobe_receiver: RECEIVER\n"
        f"nfprobe_version: {version}\n")
    probe.ready()
    generate("netflow9", 2000, 200, "--rate", 200, udp=f"127.0.0.1:{port}")
    poll(lambda: collector.stats()["records_fed"] == 2000)

    def rows(w):
        return sorted(json.dumps(r, sort_keys=True) for r in w.rows("m"))
    assert rows(collector) == rows(probe)
    assert {r["tag"] for r in collector.rows("m")} == {1, 7}
    if version == 10:
        assert {r["label"] for r in collector.rows("m")} == {"gold", "bronze%east"}


@pytest.mark.parametrize("version,more", [
    (10, ""), (9, "nfprobe_legacy_tags: false\n"), (10, "nfprobe_biflow: true\n")],
    ids=["ipfix", "v9", "biflow"])
def test_classes_travel(tmp_path, pair, version, more):
    """Each stream is told with the class that it turned out to be of, and all its packets."""
    # Of one, nothing comes back any more when its class is known, long after it began.
    late = streams.stream(90, 6, 8080, [(">", b"GET / HTTP/1.1\r\nHost: example.net\r\n\r\n")])
    frames = [*late[:3], *streams.frames_all(),
              *[streams.packet(17, True, 91, 4711, bytes(20))] * 3000, late[3]]
    streams.write_pcap(tmp_path / "p.pcap", frames)
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {TUPLE}, class\nnfacctd_biflow: true\n",
        f"pcap_savefile: {tmp_path}/p.pcap\nplugins: nfprobe[x], memory[m]\n"
        f"aggregate: {TUPLE}, class\nnfprobe_receiver: RECEIVER\nnfprobe_version: {version}\n"
        f"nfprobe_timeouts: {KEEP}\nsavefile_wait: true\n{more}")
    probe.ready()

    def classes(w):
        return {(*tuple_key(r), r["class"]): (r["packets"], r["bytes"]) for r in w.rows("m")}
    poll(lambda: sum(n for n, _ in classes(probe).values()) == len(frames))
    want = classes(probe)
    assert {"HTTP", "TLS/Google", "unknown"} <= {key[-1] for key in want}
    probe.books()
    assert probe.stop() == 0
    poll(lambda: sum(n for n, _ in classes(collector).values()) == len(frames))
    assert classes(collector) == want
    collector.books()


def capture_of(probe_lines, tmp_path, receivers, *, kind="packets", records=2000):
    """What a weir sends of generated packets to its end: [datagram], and the truth."""
    pcap, account = tmp_path / "p.pcap", tmp_path / "truth"
    generate(kind, records, 300, "--ipv4", 60, pcap=pcap, truth=account)
    return sent_of(pcap, probe_lines, tmp_path, receivers), truth(account)


def sent_of(pcap, probe_lines, tmp_path, receivers):
    r = receivers()
    run_file(tmp_path, f"pcap_savefile: {pcap}\nplugins: nfprobe[x]\n"
             f"nfprobe_receiver: 127.0.0.1:{r.port}\n{probe_lines}\n")
    r.socket.setblocking(False)
    got = []
    while True:
        try:
            got.append(r.socket.recv(65536))
        except BlockingIOError:
            return got


ALL = (TUPLE + ", tos, tcpflags, in_iface, out_iface, src_mac, dst_mac, vlan, cos, etype, src_as, "
       "dst_as, src_mask, dst_mask, src_net, dst_net, nexthop, peer_dst_ip, peer_src_ip, "
       "sampling_rate, sampling_direction, mpls_label_top, flow_label, ttl, icmp_type, icmp_code, "
       "flow_end_reason, flows, tag, tag2, label, class, application_id, mpls_vpn_rd")


def tshark(tmp_path, datagrams, *fields):
    """Their dissection, after nothing was found odd in any of them."""
    netflow.capture(tmp_path / "sent.pcap", [(1700000000, d) for d in datagrams])
    command = ["tshark", "-r", str(tmp_path / "sent.pcap"), "-d", "udp.port==2055,cflow"]
    odd = subprocess.run([*command, "-Y", "_ws.expert || _ws.malformed || cflow.template_frame == 0",
                          "-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message"],
                         capture_output=True, text=True, check=True, timeout=60)
    assert odd.stdout == ""
    text = subprocess.run([*command, "-V"], capture_output=True, text=True, check=True, timeout=60)
    assert "Malformed" not in text.stdout and "no template found" not in text.stdout.lower()
    out = subprocess.run([*command, "-T", "fields", "-E", "occurrence=a",
                          *(x for f in fields for x in ("-e", f))],
                         capture_output=True, text=True, check=True, timeout=60)
    return [[c.split(",") if c else [] for c in line.split("\t")]
            for line in out.stdout.splitlines()]


@pytest.mark.parametrize("version", VERSIONS)
def test_tshark_finds_nothing_odd(tmp_path, receivers, version):  # noqa: F811
    # 201 and its like have other meanings by IANA: that is why they can be switched off.
    what = ALL if version != 5 else TUPLE + ", tos, tcpflags, src_as, dst_as"
    got, want = capture_of(f"aggregate: {what}\nnfprobe_version: {version}\n"
                           f"nfprobe_timeouts: {KEEP}\nnfprobe_source_ip: 127.0.0.1\n"
                           "nfprobe_legacy_tags: false\n",
                           tmp_path, receivers)
    rows = tshark(tmp_path, got, "cflow.octets", "cflow.packets", "cflow.srcport")
    keys = [k for k in want if version > 5 or ":" not in k[0]]
    assert sum(int(x) for row in rows for x in row[0]) == sum(want[k]["bytes"] for k in keys)
    assert sum(int(x) for row in rows for x in row[1]) == sum(want[k]["packets"] for k in keys)
    assert {int(x) for row in rows for x in row[2]} == {k[2] for k in keys}


@pytest.mark.parametrize("version", (9, 10))
def test_others_read_applications(tmp_path, receivers, version):  # noqa: F811
    """RFC 6759: records have numbers, which options data has named before. So tshark finds, and
    pmacct's nfacctd knows the same classes."""
    pcap = tmp_path / "p.pcap"
    streams.write_pcap(pcap, streams.frames_all())
    got = sent_of(pcap, f"aggregate: {TUPLE}, class\nnfprobe_version: {version}\n"
                  f"nfprobe_timeouts: {KEEP}\nnfprobe_legacy_tags: false\n", tmp_path, receivers)
    names, flows, sizes = {}, 0, collections.Counter()
    for engines, numbers, texts, octets in tshark(
            tmp_path, got, "cflow.appl_id.classification_engine_id", "cflow.appl_id.selector_id",
            "cflow.appl_name", "cflow.octets"):
        assert set(engines) <= {"6"} and len(engines) == len(numbers)
        names.update(zip(numbers, texts))
        flows += len(octets)
        if octets:
            assert not texts and len(numbers) == len(octets) and set(numbers) <= set(names)
            for number, n in zip(numbers, octets):
                sizes[names[number][:15]] += int(n)
    assert {"HTTP", "DNS", "TLS/Google", "SSH", "unknown"} <= set(names.values())
    assert len(set(names.values())) == len(names) and flows > len(names)
    rows = acctd_rows(tmp_path, got, "class", lambda rows: len(rows) >= len(sizes))
    assert {r["class"]: r["bytes"] for r in rows} == sizes


def test_conversations(tmp_path, pair):
    """RFC 5103: one record for both directions; weir reads both back as they were."""
    pcap, account = tmp_path / "p.pcap", tmp_path / "truth"
    generate("packets", 5000, 400, "--ipv4", 60, "--vlan", 0, pcap=pcap, truth=account)
    both_ways(pcap)
    what = f"{TUPLE}, tcpflags"
    collector, probe = pair(
        f"plugins: memory[m]\naggregate: {what}\nnfacctd_biflow: true\n",
        f"pcap_savefile: {pcap}\npcap_savefile_wait: true\nplugins: nfprobe[x], memory[m]\n"
        f"aggregate: {what}\nnfprobe_receiver: RECEIVER\nnfprobe_biflow: true\n"
        f"nfprobe_timeouts: {KEEP}\n")
    probe.ready()
    poll(lambda: sum(r["packets"] for r in probe.rows("m")) == 10000)
    want = counted(probe.rows("m"))
    assert probe.stop() == 0
    poll(lambda: sum(r["packets"] for r in collector.rows("m")) == 10000)
    assert counted(collector.rows("m")) == want
    stats = collector.stats()
    assert stats["records"] + stats["records_reversed"] == len(want)
    assert stats["records_reversed"] > 0.8 * stats["records"]


def both_ways(path):
    """Behind each packet of a capture of Ethernet frames one that answers it."""
    data = path.read_bytes()
    out, at = [data[:24]], 24
    while at < len(data):
        _, _, caplen, _ = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16:at + 16 + caplen]
        out.append(data[at:at + 16] + frame)
        ip, ports = (14 + 12, 4) if frame[12:14] == b"\x08\0" else (14 + 8, 16)
        l4 = 14 + (frame[14] & 15) * 4 if ports == 4 else 14 + 40
        proto = frame[23] if ports == 4 else frame[20]
        back = bytearray(frame)
        back[ip:ip + ports] = frame[ip + ports:ip + 2 * ports]
        back[ip + ports:ip + 2 * ports] = frame[ip:ip + ports]
        if proto in (6, 17):
            back[l4:l4 + 2], back[l4 + 2:l4 + 4] = frame[l4 + 2:l4 + 4], frame[l4:l4 + 2]
        out.append(data[at:at + 16] + bytes(back))
        at += 16 + caplen
    path.write_bytes(b"".join(out))


def test_over_tcp(tmp_path):
    """A connection is made when somebody listens, made anew when it breaks, and templates go
    first; meanwhile records are counted as not sent."""
    port, to = free_port(), free_port(socket.SOCK_STREAM)
    probe = Weir(directory(tmp_path, "out"),
                 f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n"
                 f"aggregate: {TUPLE}\nnfprobe_receiver: 127.0.0.1:{to}\nnfprobe_protocol: tcp\n")
    collect = (f"nfacctd_ip: 127.0.0.1\nnfacctd_tcp_port: {to}\nplugins: memory[m]\n"
               f"aggregate: {TUPLE}\n")
    name = f"127.0.0.1:{to}"
    running = [probe]
    try:
        probe.ready()
        send_from("127.0.0.2", port, V5)
        poll(lambda: targets(probe)[name]["unsent"] == 1)
        assert targets(probe)[name]["reasons"] == "unconnected 1"
        assert output(probe)["refused"] == V5_RECORDS
        for turn in ("a", "b"):
            collector = Weir(directory(tmp_path, turn), collect).ready()
            running.append(collector)
            poll(lambda: collector.stats()["connections"] == 1, 60)
            poll(lambda: feed_once(port) and collector.stats()["records_fed"] > 0)
            stats = collector.stats()
            assert stats["sets_early"] == stats["sequence_lost"] == 0
            assert stats["records_no_template"] == 0
            collector.books()
            assert collector.stop() == 0
        probe.books()
        assert probe.stop() == 0
    finally:
        for w in running:
            w.kill()


def test_a_file_goes_whole_by_tcp(tmp_path):
    """weir reads it faster than anybody connects, and ends when all of it has gone."""
    pcap, account, to = tmp_path / "p.pcap", tmp_path / "truth", free_port(socket.SOCK_STREAM)
    generate("packets", 100000, 60000, pcap=pcap, truth=account)
    collector = Weir(directory(tmp_path, "in"), f"nfacctd_ip: 127.0.0.1\nnfacctd_tcp_port: {to}\n"
                     f"plugins: memory[m]\naggregate: {TUPLE}\n")
    try:
        collector.ready()
        run_file(tmp_path, f"pcap_savefile: {pcap}\nplugins: nfprobe[x]\naggregate: {TUPLE}\n"
                 f"nfprobe_receiver: 127.0.0.1:{to}\nnfprobe_protocol: tcp\n"
                 f"nfprobe_dont_cache: true\n")
        poll(lambda: collector.stats()["records_fed"] == 100000)
        assert counted(collector.rows("m")) == sums(truth(account))
        assert collector.stats()["sequence_lost"] == 0
        collector.books()
    finally:
        collector.kill()


def feed_once(port):
    send_from("127.0.0.2", port, V5)
    return True


def test_a_target_that_was_gone_gets_templates_at_once(tmp_path):
    """No refresh by time or number: that it said that nobody listens is enough."""
    port, to = free_port(), free_port()
    name = f"127.0.0.1:{to}"
    probe = Weir(directory(tmp_path, "out"),
                 f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n"
                 f"aggregate: {TUPLE}\nnfprobe_receiver: {name}\nnfprobe_template_packets: 0\n"
                 "nfprobe_template_seconds: 0\n")
    collector = None
    try:
        probe.ready()
        poll(lambda: feed_once(port) and targets(probe)[name]["refusals"] > 1)
        collector = Weir(directory(tmp_path, "in"), f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {to}\n"
                         f"plugins: memory[m]\naggregate: {TUPLE}\n").ready()
        poll(lambda: feed_once(port) and collector.stats()["records_fed"] > 0)
        # What another worker sent in the tenth of a second since the last telling waited for it.
        poll(lambda: feed_once(port) and
             collector.stats()["sets_early"] == collector.stats()["sets_resolved"])
        assert collector.stats()["records_no_template"] == 0
        probe.books()
        assert probe.stop() == 0
    finally:
        for w in (probe, collector):
            if w is not None:
                w.kill()


def test_failover(tmp_path, receivers):  # noqa: F811
    port, dead, alive = free_port(), free_port(), receivers()
    (tmp_path / "pools").write_text(
        f"id=4 ip=127.0.0.1:{dead},127.0.0.1:{alive.port} balance-alg=failover\n")
    probe = Weir(directory(tmp_path, "out"),
                 f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n"
                 f"aggregate: {TUPLE}\nnfprobe_receivers: {tmp_path}/pools\n")
    try:
        probe.ready()
        poll(lambda: feed_once(port) and targets(probe)[f"127.0.0.1:{alive.port}"]["sent"] > 0)
        there = targets(probe)
        assert there[f"127.0.0.1:{dead}"]["refusals"] > 0
        alive.socket.setblocking(True)
        alive.socket.settimeout(10)
        assert struct.unpack_from("!HHIII", alive.socket.recv(65536), 0)[0] == 10
        probe.books()
        assert probe.stop() == 0
    finally:
        probe.kill()


def test_hash_divides_conversations(tmp_path, pair):
    """Every conversation has one receiver, and all of it arrives."""
    ports = [free_port() for _ in range(3)]
    (tmp_path / "pools").write_text(
        f"id=1 ip={','.join(f'127.0.0.1:{p}' for p in ports)} balance-alg=hash\n")
    port = free_port()
    collectors = [Weir(directory(tmp_path, f"c{p}"), f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {p}\n"
                       f"plugins: memory[m]\naggregate: {TUPLE}\n").ready() for p in ports]
    probe = Weir(directory(tmp_path, "out"),
                 f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n"
                 f"aggregate: {TUPLE}\nnfprobe_receivers: {tmp_path}/pools\n")
    try:
        probe.ready()
        generate("netflow9", 3000, 300, "--rate", 200, udp=f"127.0.0.1:{port}",
                 truth=tmp_path / "truth")
        poll(lambda: sum(c.stats()["records_fed"] for c in collectors) == 3000)
        rows = [counted(c.rows("m")) for c in collectors]
        assert {k: v for r in rows for k, v in r.items()} == sums(truth(tmp_path / "truth"))
        assert sum(map(len, rows)) == len({k for r in rows for k in r})
        assert all(len(r) > 50 for r in rows)
        for c in collectors:
            assert c.stats()["sequence_lost"] == 0
        probe.books()
    finally:
        for w in (probe, *collectors):
            w.kill()


def test_receivers_are_read_anew(tmp_path, receivers):  # noqa: F811
    """Who stays keeps its numbers and its socket; who comes is told templates first."""
    a, b, port, pools = receivers(), receivers(), free_port(), tmp_path / "pools"
    ips = [f"127.0.0.1:{r.port}" for r in (a, b)]
    pools.write_text(f"id=1 ip={ips[0]}\n")
    probe = Weir(directory(tmp_path, "out"),
                 f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n"
                 f"aggregate: {TUPLE}\nnfprobe_receivers: {pools}\n"
                 "nfprobe_template_packets: 0\nnfprobe_template_seconds: 0\n")
    try:
        probe.ready()
        feed_once(port)
        assert [d[16:18] for d in a.take(2)] == [b"\0\2", b"\1\0"]  # templates, data
        pools.write_text(f"id=1 ip={ips[1]} balance-alg=fair\n")
        probe.process.send_signal(signal.SIGUSR2)
        poll(lambda: f"{pools}:1: " in probe.log_text())
        assert list(targets(probe)) == ips[:1]
        pools.write_text(f"id=1 ip={ips[0]},{ips[1]} balance-alg=hash\nid=2 ip={ips[1]}\n")
        probe.process.send_signal(signal.SIGHUP)
        poll(lambda: "nfprobe_receivers" in probe.log_text() and len(probe.rows("targets")) == 3)
        pools.write_text(f"id=9 ip={ips[1]},{ips[0]}\n")
        probe.process.send_signal(signal.SIGHUP)
        poll(lambda: len(probe.rows("targets")) == 2)
        feed_once(port)
        assert struct.unpack_from("!I", a.take(3)[2], 8)[0] == V5_RECORDS
        assert a.got[2][0][16:18] == b"\1\0" and len(set(a.senders())) == 1
        assert [d[16:18] for d in b.take(2)] == [b"\0\2", b"\1\0"]
        there = targets(probe)
        assert [there[ip]["sent"] for ip in ips] == [3, 2]
        probe.books()
        assert probe.stop() == 0
    finally:
        probe.kill()


def test_a_receiver_that_comes_late(tmp_path):
    """Its sets wait for the templates of the next refresh."""
    port, to = free_port(), free_port()
    probe = Weir(directory(tmp_path, "out"),
                 f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n"
                 f"aggregate: {TUPLE}\nnfprobe_receiver: 127.0.0.1:{to}\n"
                 "nfprobe_template_packets: 4\nnfprobe_version: 9\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as early:
        early.bind(("127.0.0.1", to))
        early.settimeout(10)
        try:
            probe.ready()
            feed_once(port)
            assert early.recv(65536) and early.recv(65536)  # templates, data
            early.close()
            collector = Weir(directory(tmp_path, "in"), f"nfacctd_ip: 127.0.0.1\n"
                             f"nfacctd_port: {to}\nplugins: memory[m]\naggregate: {TUPLE}\n").ready()
            try:
                poll(lambda: feed_once(port) and collector.stats()["sets_resolved"] > 0)
                assert collector.stats()["records_no_template"] == 0
            finally:
                collector.kill()
        finally:
            probe.kill()


@pytest.mark.parametrize("mtu", [576, 1280, 9000])
def test_mtu(tmp_path, receivers, mtu):  # noqa: F811
    got, want = capture_of(f"aggregate: {TUPLE}, src_mac, dst_mac, vlan\nnfprobe_mtu: {mtu}\n"
                           f"nfprobe_timeouts: {KEEP}\n", tmp_path, receivers)
    longest = max(map(len, got))
    assert mtu - 48 - 80 < longest <= mtu - 48 or mtu == 9000 and longest > 1500
    assert sum(map(len, got)) > 300 * 40 and len(want) > 200


def test_records_that_are_cached(tmp_path, pair):
    """nfprobe_cache_records: what has one key becomes one record, when it has been silent."""
    port = free_port()
    collector, probe = pair(
        "plugins: memory[m]\naggregate: src_host, in_iface, sampling_direction\n",
        f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n"
        "aggregate: src_host\nnfprobe_receiver: RECEIVER\nnfprobe_cache_records: true\n"
        "nfprobe_timeouts: tcp=1:udp=1:icmp=1:general=1\nnfprobe_ifindex: 12\n"
        "nfprobe_direction: in\n")
    probe.ready()
    now = int(time.time())
    for _ in range(5):
        send_from("127.0.0.2", port, netflow.v9(("192.0.2.9", now - 1, now, 10, 1000)))
    poll(lambda: sum(r["packets"] for r in collector.rows("m")) == 50)
    row, = collector.rows("m")
    assert (row["ip_src"], row["bytes"], row["iface_in"]) == ("192.0.2.9", 5000, 12)
    assert row["sampling_direction"] == "i"
    assert 1 <= collector.stats()["records_fed"] < 5
    probe.books()


def test_neighbouring_as(tmp_path, pair):
    """nfprobe_peer_as: src_as and dst_as are those of peers."""
    port = free_port()
    collector, probe = pair(
        "plugins: memory[m]\naggregate: src_as, dst_as\nnfacctd_as: netflow\n",
        f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\nnfacctd_as: netflow\n"
        "aggregate: src_as, dst_as\nnfprobe_receiver: RECEIVER\nnfprobe_peer_as: true\n")
    probe.ready()
    values = {1: 100, 2: 1, 16: 64500, 17: 64501, 128: 64502, 129: 64503}  # 128: the next, 129
    send_from("127.0.0.2", port, netflow.record(
        9, [(ie, v.to_bytes(4, "big")) for ie, v in values.items()]))
    row, = poll(lambda: collector.rows("m"))
    assert (row["as_src"], row["as_dst"]) == (64503, 64502)
    probe.books()


@pytest.mark.parametrize("lines,says", [
    ("nfprobe_version: 9\nnfprobe_protocol: tcp\n", "write nfprobe_version: 10 for TCP"),
    ("nfprobe_version: 5\nnfprobe_biflow: true\n", "nfprobe_biflow"),
    ("nfprobe_version: 5\nnfprobe_engine: 300\n", "TYPE:ID"),
    ("nfprobe_engine: x\n", "nfprobe_engine"),
    ("nfprobe_version: 9\nnfprobe_engine: 1:1\n", "TYPE:ID is for NetFlow v5"),
    ("nfprobe_ifindex: eth0\n", "write its number, 'tag' or 'tag2'"),
    ("nfprobe_timeouts: tcp=5:udq=3\n", "'udq=3' is no timeout"),
    ("nfprobe_receiver: [::1\n", "is no receiver"),
    ("nfprobe_receiver: 127.0.0.1:OWN\n", "is this weir itself"),
    ("nfprobe_receivers: FILE\n", "write rr, hash, hash-agent or failover"),
    ("nfprobe_dtls: true\n", "does not encrypt"),
])
def test_faults_are_told(tmp_path, lines, says):
    port = free_port()
    (tmp_path / "pools").write_text("id=1 ip=127.0.0.1:2055 balance-alg=hash-tag\n")
    config = tmp_path / "weir.conf"
    config.write_text(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n" +
                      lines.replace("OWN", str(port)).replace("FILE", f"{tmp_path}/pools") +
                      f"state_dir: {tmp_path}/state\ncontrol_socket: {tmp_path}/sock\n")
    out = subprocess.run([str(WEIR), "run", "-f", str(config)], capture_output=True, text=True,
                         timeout=30)
    assert out.returncode != 0 and says in out.stdout + out.stderr
