# SPDX-License-Identifier: GPL-2.0-or-later
"""The nfprobe door: flows go on to other collectors as NetFlow v5, v9 and IPFIX."""
import json
import signal
import socket
import struct
import subprocess

import pytest

from conftest import (TUPLE, Weir, free_port, generate, json_rows, poll, run_file, truth,
                      tuple_key)
from test_doors import send_from
from test_tee import receivers, targets  # noqa: F401 (receivers is a fixture)

VERSIONS = (5, 9, 10)
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
    return {tuple_key(r): (r["packets"], r["bytes"]) for r in rows}


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
