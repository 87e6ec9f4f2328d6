# SPDX-License-Identifier: GPL-2.0-or-later
"""Fragments of IPv4 and IPv6: ports, flows, and what pmacctd makes of them."""
import ipaddress
import struct

import pytest

from conftest import json_rows, poll, run_file
from test_pmacct import compare

FIRST, MIDDLE, LAST = (0, 1), (8, 1), (16, 0)  # offset in octets, and whether more follow
MACS = bytes.fromhex("020102030405 02aabbccddee")


def piece(family, number, part):
    """Eight octets of datagram `number`, whose source port is 1000 and its number."""
    offset, more = part
    payload = struct.pack(">HHHH", 1000 + number, 53, 24, 0) if offset == 0 else bytes(8)
    if family == 4:
        src, dst = ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("198.51.100.2")
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 28, number, more << 13 | offset >> 3, 64, 17, 0)
        return MACS + b"\x08\x00" + ip + src.packed + dst.packed + payload
    src, dst = ipaddress.ip_address("2001:db8::1"), ipaddress.ip_address("2001:db8::2")
    ip = struct.pack(">IHBB", 6 << 28, 16, 44, 64) + src.packed + dst.packed
    return MACS + b"\x86\xdd" + ip + struct.pack(">BBHI", 17, 0, offset | more, number) + payload


def write(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames):
            f.write(struct.pack("<IIII", 1700000000, i, len(frame), len(frame)) + frame)


def rows(tmp_path, frames, options=""):
    write(tmp_path / "x.pcap", frames)
    run_file(tmp_path, f"""
        pcap_savefile: {tmp_path}/x.pcap
        plugins: print[p]
        aggregate: src_host, src_port, dst_port, proto, flows
        print_output: json
        print_output_file: {tmp_path}/p.json
        {options}
        """)
    return {row["port_src"]: (row["packets"], row["flows"])
            for row in json_rows(tmp_path / "p.json")}


@pytest.mark.parametrize("family", [4, 6])
def test_fragments_belong_to_their_datagram(tmp_path, family):
    """In order, out of order behind the first, interleaved, doubled."""
    frames = [piece(family, n, part) for n, part in (
        (1, FIRST), (2, FIRST), (1, LAST), (2, LAST), (2, MIDDLE), (1, MIDDLE), (1, MIDDLE))]
    assert rows(tmp_path, frames) == {1001: (4, 1), 1002: (3, 1)}


@pytest.mark.parametrize("family", [4, 6])
def test_fragments_without_a_first_count_at_once(tmp_path, family):
    """What comes before the first one, or without it, has no ports and is not lost."""
    frames = [piece(family, n, part) for n, part in (
        (1, MIDDLE), (1, FIRST), (1, LAST), (2, MIDDLE), (2, LAST))]
    assert rows(tmp_path, frames) == {1001: (2, 1), 0: (3, 1)}


def test_a_flood_of_first_fragments_is_bounded(tmp_path, weir):
    """The oldest are forgotten and counted; every packet is there."""
    frames = [piece(6, n, FIRST) for n in range(20000)]
    frames += [piece(6, n, LAST) for n in range(20000)]
    write(tmp_path / "x.pcap", frames)
    w = weir(f"""
        pcap_savefile: {tmp_path}/x.pcap
        pcap_savefile_wait: true
        pmacctd_frag_buffer_size: 256K
        workers: 1
        plugins: memory[m]
        aggregate: dst_port
        """, "--as", "pmacctd").ready()
    poll(lambda: w.stats()["frames"] == 40000)
    stats = w.stats()
    assert stats["fragments_matched"] + stats["fragments_unmatched"] == 20000
    assert stats["fragments_unmatched"] == stats["fragments_evicted"] > 10000
    assert stats["fragments_matched"] > 500
    w.books()
    seen = {row["port_dst"]: row["packets"] for row in w.rows("m")}
    assert seen == {53: 20000 + stats["fragments_matched"], 0: stats["fragments_unmatched"]}


@pytest.mark.parametrize("family", [4, 6])
def test_pmacctd_on_fragments(tmp_path, family):
    """In order, as pmacctd. (It adds what comes before the first one to that, and loses
    what never sees a first one.)"""
    write(tmp_path / "x.pcap", [piece(family, n, part) for n in range(100)
                                for part in (FIRST, MIDDLE, LAST)])
    compare(tmp_path, "pmacctd", tmp_path / "x.pcap", "src_host, src_port, dst_port, proto")
