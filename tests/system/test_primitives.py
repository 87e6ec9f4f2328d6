# SPDX-License-Identifier: GPL-2.0-or-later
"""Primitives on their whole way: from elements in a datagram to rows that are written."""
import json
import socket
import sqlite3
import struct

import ipfix
from conftest import free_port, poll
from test_run import check

PEN, REVERSE = 9999, 29305
# Element, length, enterprise: addresses, octets, octets of the way back, two labels, forwarding
# status, direction, one that nobody knows, and one of an enterprise's own.
ELEMENTS = ((8, 4, 0), (12, 4, 0), (1, 4, 0), (1, 4, REVERSE), (70, 3, 0), (71, 3, 0), (89, 1, 0),
            (61, 1, 0), (2002, 2, PEN), (1001, 65535, PEN))


def template():
    fields = b""
    for element, octets, enterprise in ELEMENTS:
        fields += struct.pack("!HH", element | (0x8000 if enterprise else 0), octets)
        fields += struct.pack("!I", enterprise) if enterprise else b""
    return struct.pack("!HHHH", 2, 8 + len(fields), 300, len(ELEMENTS)) + fields


def record(back, text):
    body = (ipfix.ip("192.0.2.1") + ipfix.ip("198.51.100.2") + struct.pack("!II", 100, back) +
            bytes.fromhex("03ec10" "000641" "82" "01" "beef") + bytes([len(text)]) + text)
    return struct.pack("!HH", 300, 4 + len(body)) + body


def send(port, *datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for datagram in datagrams:
            s.sendto(datagram, ("127.0.0.1", port))


def test_from_elements_to_rows(tmp_path, weir):
    port, map_file = free_port(), tmp_path / "own.map"
    map_file.write_text(f"! mine\nname=alarm field_type={PEN}:1001 len=vlen semantics=str\n")
    aggregate = ("src_host, dst_host, mpls_label_top, mpls_label_bottom, mpls_label_stack, "
                 "fwd_status, sampling_direction, export_proto_version, export_proto_sysid, alarm")
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_biflow: true\n"
             f"aggregate_primitives: {map_file}\naggregate: {aggregate}\n"
             "plugins: print[p], sqlite3[s]\n"
             f"print_output: json\nprint_output_file: {tmp_path}/out.json\n"
             "print_refresh_time: 3600\nsql_refresh_time: 3600\n"
             f"sql_db[s]: {tmp_path}/db\nsql_optimize_clauses[s]: true\nsql_table[s]: t\n"
             "fwd_status_encode_as_string: true\nmpls_label_stack_encode_as_array: true\n").ready()
    send(port, ipfix.message(0, template(), record(40, b"on \"fire\""), record(0, b"")))
    poll(lambda: w.stats()["records_fed"] == 2)
    stats = w.stats()
    assert stats["records"] == 2 and stats["records_reversed"] == 1
    assert [e["unknown_elements"] for e in w.rows("exporters")] == [f"{PEN}:2002"]
    w.books()
    assert w.stop() == 0

    rows = {(r["ip_src"], r["alarm"]): r
            for r in map(json.loads, (tmp_path / "out.json").read_text().splitlines())}
    assert len(rows) == 3
    out, back = rows["192.0.2.1", 'on "fire"'], rows["198.51.100.2", 'on "fire"']
    assert out["bytes"] == 100 and rows["192.0.2.1", ""]["bytes"] == 100
    assert back["bytes"] == 40 and back["ip_dst"] == "192.0.2.1"
    assert (out["mpls_label_top"], out["mpls_label_bottom"]) == (16065, 100)
    assert out["mpls_label_stack"] == ["0-16065", "1-100"] and back["mpls_label_stack"] == []
    assert (out["fwd_status"], out["sampling_direction"]) == ("DROPPED ACL drop", "e")
    assert (out["export_proto_version"], out["export_proto_sysid"]) == (10, 1)

    with sqlite3.connect(tmp_path / "db") as db:
        got = db.execute("SELECT ip_src, mpls_label_stack, fwd_status, sampling_direction, alarm, "
                         "bytes FROM t ORDER BY ip_src, alarm").fetchall()
    assert got == [("192.0.2.1", "16065_100", "130", "e", "", 100),
                   ("192.0.2.1", "16065_100", "130", "e", 'on "fire"', 100),
                   ("198.51.100.2", "", "0", "e", 'on "fire"', 40)]


def test_faults_in_definitions_are_told_with_their_lines(tmp_path):
    map_file = tmp_path / "own.map"
    map_file.write_text("name=src_host field_type=1 semantics=str\nname=a field_type=x "
                        "semantics=str\n\nname=lab field_type=460 semantics=u_int\n")
    config = f"nfacctd_port: 2100\nplugins: print[a]\naggregate_primitives: {map_file}\n"
    out = check(tmp_path, config + "aggregate: src_host, lab, lob\n")
    assert out.returncode == 1
    for words in (f"{map_file}:1: aggregate_primitives: there is a primitive 'src_host'",
                  f"{map_file}:2:", "unknown primitive 'lob'; did you mean 'lab'?"):
        assert words in out.stdout, (words, out.stdout)
