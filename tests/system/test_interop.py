# SPDX-License-Identifier: GPL-2.0-or-later
"""Other people's exporters, live: softflowd and pmacct's probes read a generated capture and
export it over loopback; what weir counts must be what is in the capture, flow by flow.

Where an exporter is at fault the comparison leaves it out, and here is the reason:

- softflowd 1.1.0 numbers IPFIX messages by the records after them instead of before them
  and leaves out records of options (RFC 7011 s3.1), so that some always seem to be missing.
- pmacct's sfprobe 1.7.7 keeps what is in its last datagram when it ends.
"""
import collections
import shutil
import socket
import subprocess

import pytest

from conftest import TUPLE, free_port, generate, poll, truth, tuple_key

RECORDS, KEYS = 20000, 500
ETHERNET = 14 + 4  # header, and the FCS, which sFlow counts and captures lack
SFPROBE_KEEPS = 10  # packets, fewer than fit into a datagram


def program(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin")
    assert path is not None, f"{name} is not installed: packaging/install test"
    return path


def capture(tmp_path, ipv6):
    """A capture file and the truth about it, key by key."""
    pcap, csv = tmp_path / "x.pcap", tmp_path / "x.csv"
    generate("packets", RECORDS, KEYS, "--ipv4", 60 if ipv6 else 100, "--vlan", 0,
             pcap=pcap, truth=csv)
    return pcap, truth(csv)


def collector(weir, port, key="nfacctd_port"):
    family = key.split("_", 1)[0]
    return weir(f"{family}_ip: 127.0.0.1\n{key}: {port}\nplugins: memory[m]\nworkers: 2\n"
                f"aggregate: {TUPLE}\n").ready()


def softflowd(tmp_path, pcap, port, version, transport="udp"):
    subprocess.run(
        [program("softflowd"), "-r", str(pcap), "-n", f"127.0.0.1:{port}", "-v", str(version),
         "-P", transport, "-d", "-c", "none", "-p", str(tmp_path / "softflowd.pid")],
        check=True, capture_output=True, timeout=60)


def probe(tmp_path, pcap, port, plugin, *lines):
    """pmacct's pmacctd as a probe, to the end of the file."""
    file = tmp_path / "probe.conf"
    file.write_text("\n".join((
        f"pcap_savefile: {pcap}", f"plugins: {plugin}[x]", f"aggregate: {TUPLE}, tos",
        f"{plugin}_receiver: 127.0.0.1:{port}", "plugin_pipe_zmq: true",
        "plugin_pipe_zmq_profile: large", *lines)) + "\n")
    out = subprocess.run([program("pmacctd"), "-f", str(file)], capture_output=True, text=True,
                         timeout=60)
    # Its plugin may be gone, all sent, before its core is: that ends with 1 then.
    assert out.returncode == 0 or "no more plugins active" in out.stdout + out.stderr, out


def flow_key(key):
    """Exporters may put type and code where the destination port of ICMP would be."""
    return key if key[4] in (6, 17) else (*key[:2], 0, 0, key[4])


def check_rows(w, want):
    """All packets arrive, each key has its sums, and nothing was malformed on the way."""
    packets = sum(row["packets"] for row in want.values())
    poll(lambda: sum(row["packets"] for row in w.rows("m")) >= packets)
    got, expected = collections.Counter(), collections.Counter()
    for row in w.rows("m"):
        for unit in ("packets", "bytes"):
            got[(*flow_key(tuple_key(row)), unit)] += row[unit]
    for key, row in want.items():
        for unit in ("packets", "bytes"):
            expected[(*flow_key(key), unit)] += row[unit]
    assert got == expected
    return check_stats(w)


def check_stats(w):
    stats = w.stats()
    assert {k: v for k, v in stats.items() if k.startswith("malformed") and v} == {}
    assert stats["records_no_template"] == stats["kernel_drops"] == 0
    w.books()
    return stats


@pytest.mark.parametrize("version", [1, 5, 9, 10])
def test_softflowd(tmp_path, weir, version):
    pcap, want = capture(tmp_path, ipv6=version > 5)
    port = free_port()
    w = collector(weir, port)
    softflowd(tmp_path, pcap, port, version)
    stats = check_rows(w, want)
    assert [x["version"] for x in w.rows("exporters")] == [version]
    if version != 10:
        assert stats["sequence_lost"] == 0
    assert w.stop() == 0


def test_softflowd_over_tcp(tmp_path, weir):
    pcap, want = capture(tmp_path, ipv6=True)
    port = free_port(socket.SOCK_STREAM)
    w = collector(weir, port, "nfacctd_tcp_port")
    softflowd(tmp_path, pcap, port, 10, "tcp")
    stats = check_rows(w, want)
    assert stats["connections"] == 1
    assert w.stop() == 0


@pytest.mark.parametrize("version", [5, 9, 10])
def test_nfprobe(tmp_path, weir, version):
    pcap, want = capture(tmp_path, ipv6=version != 5)
    port = free_port()
    w = collector(weir, port)
    probe(tmp_path, pcap, port, "nfprobe", f"nfprobe_version: {version}")
    stats = check_rows(w, want)
    assert [x["version"] for x in w.rows("exporters")] == [version]
    assert stats["sequence_lost"] == 0
    assert w.stop() == 0


def test_sfprobe(tmp_path, weir):
    pcap, want = capture(tmp_path, ipv6=True)
    port = free_port()
    w = collector(weir, port, "sfacctd_port")
    probe(tmp_path, pcap, port, "sfprobe")
    poll(lambda: sum(row["packets"] for row in w.rows("m")) >= RECORDS - SFPROBE_KEEPS)
    left = collections.Counter()
    for key, row in want.items():
        left[key, "packets"] += row["packets"]
        left[key, "bytes"] += row["bytes"] + ETHERNET * row["packets"]
    for row in w.rows("m"):
        for unit in ("packets", "bytes"):
            left[tuple_key(row), unit] -= row[unit]
    assert min(left.values()) == 0
    assert sum(n for (_, unit), n in left.items() if unit == "packets") <= SFPROBE_KEEPS
    for key in want:
        assert (left[key, "packets"] == 0) == (left[key, "bytes"] == 0), key
    assert check_stats(w)["sequence_lost"] == 0
    assert w.stop() == 0
