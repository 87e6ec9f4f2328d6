# SPDX-License-Identifier: GPL-2.0-or-later
"""Directives of nfprobe, sfprobe and tee, each by what it does to datagrams, or to what another
weir reads in them."""
import os
import pathlib
import re
import socket
import struct
import subprocess
import time

import pytest

import netflow
from conftest import TUPLE, Weir, free_port, generate, json_rows, poll, run_file, truth
from exports import KEEP, Sink, counted, directory, handed
from test_doors import V5, send_from
from test_interop import program
from test_run import check

DOORS = ("nfprobe", "sfprobe", "tee")
IP_RECVTTL = 12  # ip(7)
# The socket options by which a receiver is told TTL and ToS, and the messages that tell them.
TOLD = {socket.AF_INET: (socket.IPPROTO_IP, (IP_RECVTTL, socket.IP_RECVTOS),
                         (socket.IP_TTL, socket.IP_TOS)),
        socket.AF_INET6: (socket.IPPROTO_IPV6, (socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS),
                          (socket.IPV6_HOPLIMIT, socket.IPV6_TCLASS))}


@pytest.fixture
def start(tmp_path):
    """Start weirs in directories of their own: `start(name, config)`."""
    running = []

    def make(name, config):
        running.append(Weir(directory(tmp_path, name), config).ready())
        return running[-1]
    yield make
    for w in running:
        w.kill()


def told_of(family, host):
    """A socket that is told more than octets, and how to ask it for (TTL, ToS, sender)."""
    level, options, messages = TOLD[family]
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((host, 0))
    s.settimeout(30)
    for option in options:
        s.setsockopt(level, option, 1)

    def take():
        _, more, _, sender = s.recvmsg(65536, 256)
        values = {kind: data[0] if len(data) == 1 else struct.unpack("=i", data)[0]
                  for _, kind, data in more}
        return values[messages[0]], values[messages[1]], sender[:2]
    return s, take


@pytest.mark.parametrize("family,host,source", [(socket.AF_INET, "127.0.0.1", "127.0.0.9"),
                                                (socket.AF_INET6, "::1", "::1")])
@pytest.mark.parametrize("door", DOORS)
def test_what_the_way_is_told(tmp_path, start, door, family, host, source):
    """hoplimit, ipprec, source_ip, and src_port of the receivers' file."""
    s, take = told_of(family, host)
    port, own = free_port(), free_port()
    at = f"{host if family == socket.AF_INET else f'[{host}]'}:{s.getsockname()[1]}"
    (tmp_path / "pools").write_text(f"id=1 ip={at} src_port={own}\n")
    hops = "" if door == "tee" else f"{door}_hoplimit: 7\n"
    w = start("w", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: {door}[x]\n"
              f"{door}_receivers: {tmp_path}/pools\n{door}_ipprec: 5\n{door}_source_ip: {source}\n"
              f"{door}_pipe_size: 300000\n{hops}")
    send_from("127.0.0.2", port, V5)
    ttl, tos, sender = take()
    assert (tos, sender) == (5 << 5, (source, own))
    assert ttl == 7 if hops else ttl > 7
    # pipe_size: the kernel takes twice what it is asked for.
    out = subprocess.run([program("ss"), "-u", "-a", "-n", "-m", f"sport = :{own}"],
                         capture_output=True, text=True, check=True).stdout
    assert re.search(r"\btb600000\b", out), out
    s.close()
    assert w.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need CAP_NET_RAW")
def test_transparent_with_precedence(start):
    s, take = told_of(socket.AF_INET, "127.0.0.1")
    port = free_port()
    start("w", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: tee[x]\ntee_ipprec: 3\n"
          f"tee_receiver: 127.0.0.1:{s.getsockname()[1]}\ntee_transparent: true\n")
    send_from("127.0.0.77", port, V5)
    _, tos, sender = take()
    assert (tos, sender[0]) == (3 << 5, "127.0.0.77")
    s.close()


def record(**more):
    """One v9 record by interface 3 to 4, with AS of origin and of neighbours."""
    fields = [(8, socket.inet_aton("192.0.2.1")), (12, socket.inet_aton("192.0.2.2")),
              (4, b"\x11"), (7, b"\1\0"), (11, b"\2\0"), (10, struct.pack("!I", 3)),
              (14, struct.pack("!I", 4)), (2, struct.pack("!I", 1)), (1, struct.pack("!I", 100)),
              (16, struct.pack("!I", 65001)), (17, struct.pack("!I", 65002)),
              (129, struct.pack("!I", 65010)), (128, struct.pack("!I", 65011))]
    return netflow.record(9, fields, seconds=int(time.time()), **more)


IN, OUT = "i", "e"
INTERFACES = [
    # lines of PROBE, what the map gives; (in, out, direction) at the other end
    ("PROBE_ifindex: 12\n", "", (3, 4, None)),
    ("PROBE_ifindex: 12\nPROBE_ifindex_override: true\nPROBE_direction: in\n", "", (12, 4, IN)),
    ("PROBE_ifindex: 12\nPROBE_ifindex_override: true\nPROBE_direction: out\n", "", (3, 12, OUT)),
    ("PROBE_ifindex: tag\nPROBE_ifindex_override: true\nPROBE_direction: tag2\n",
     "set_tag=77 set_tag2=2", (3, 77, OUT)),
    ("PROBE_ifindex: tag2\nPROBE_ifindex_override: true\nPROBE_direction: tag\n",
     "set_tag=1 set_tag2=78", (78, 4, IN)),
]


@pytest.mark.parametrize("lines,rule,want", INTERFACES)
@pytest.mark.parametrize("door", ["nfprobe", "sfprobe"])
def test_interfaces_and_directions(tmp_path, start, door, lines, rule, want):
    port, to = free_port(), free_port()
    family = {"nfprobe": "nfacctd", "sfprobe": "sfacctd"}[door]
    (tmp_path / "map").write_text(rule + "\n" if rule else "")
    far = start("far", f"{family}_ip: 127.0.0.1\n{family}_port: {to}\nplugins: memory[m]\n"
                "aggregate: in_iface, out_iface, sampling_direction\n")
    start("near", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: {door}[x]\n"
          f"{door}_receiver: 127.0.0.1:{to}\n" + lines.replace("PROBE", door) +
          (f"pre_tag_map: {tmp_path}/map\n" if rule else ""))
    send_from("127.0.0.2", port, record())
    row, = poll(lambda: far.rows("m"))
    got = row["iface_in"], row["iface_out"], row["sampling_direction"]
    assert got[:2] == want[:2]
    if want[2] is not None:
        assert got[2] == want[2]


@pytest.mark.parametrize("door", ["nfprobe", "sfprobe"])
@pytest.mark.parametrize("peers", [False, True])
def test_neighbours_in_place_of_origins(start, door, peers):
    port, to = free_port(), free_port()
    family = {"nfprobe": "nfacctd", "sfprobe": "sfacctd"}[door]
    as_of = {"nfprobe": "netflow", "sfprobe": "sflow"}[door]
    far = start("far", f"{family}_ip: 127.0.0.1\n{family}_port: {to}\nplugins: memory[m]\n"
                f"aggregate: src_as, dst_as\n{family}_as: {as_of}\n")
    start("near", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: {door}[x]\n"
          f"aggregate: src_as, dst_as\nnfacctd_as: netflow\n{door}_receiver: 127.0.0.1:{to}\n"
          f"{door}_peer_as: {str(peers).lower()}\n")
    send_from("127.0.0.2", port, record())
    row, = poll(lambda: far.rows("m"))
    assert (row["as_src"], row["as_dst"]) == ((65010, 65011) if peers else (65001, 65002))


@pytest.mark.parametrize("version", [9, 10])
def test_microseconds(tmp_path, start, version):
    """nfprobe_tstamp_usec: starts and ends of flows as they were captured."""
    port, pcap = free_port(), tmp_path / "p.pcap"
    generate("packets", 500, 50, "--start", int(time.time()) - 60, "--pps", 777, pcap=pcap)
    told = f"aggregate: {TUPLE}\nnfacctd_stitching: true\nprint_output: json\n"
    far = start("far", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: print[p]\n{told}"
                f"print_output_file: {tmp_path}/far.json\n")
    run_file(tmp_path, f"pcap_savefile: {pcap}\nplugins: nfprobe[x], print[p]\n{told}"
             f"nfprobe_receiver: 127.0.0.1:{port}\nnfprobe_version: {version}\n"
             f"nfprobe_timeouts: {KEEP}\nnfprobe_tstamp_usec: true\n"
             f"print_output_file: {tmp_path}/near.json\n")
    near = json_rows(tmp_path / "near.json")
    poll(lambda: far.stats()["records_fed"] == len(near))
    assert far.stop() == 0

    def times(rows):
        return sorted((r["timestamp_min"], r["timestamp_max"], r["ip_src"], r["packets"])
                      for r in rows)
    assert times(json_rows(tmp_path / "far.json")) == times(near)
    assert any(not r["timestamp_min"].endswith("000") for r in near)


def test_a_cache_that_is_full(tmp_path, start):
    """nfprobe_maxflows: of many flows some leave before their time, and none is missing."""
    port, pcap, account = free_port(), tmp_path / "p.pcap", tmp_path / "truth"
    generate("packets", 5000, 1000, "--uniform", "--start", int(time.time()), pcap=pcap,
             truth=account)
    far = start("far", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nnfacctd_pipe_size: 8M\n"
                f"plugins: memory[m]\naggregate: {TUPLE}, flow_end_reason\n")
    run_file(tmp_path, f"pcap_savefile: {pcap}\nplugins: nfprobe[x]\nworkers: 1\n"
             f"aggregate: {TUPLE}, flow_end_reason\nnfprobe_receiver: 127.0.0.1:{port}\n"
             f"nfprobe_timeouts: {KEEP}\nnfprobe_maxflows: 64\n")
    poll(lambda: sum(r["packets"] for r in far.rows("m")) == 5000)
    rows = far.rows("m")
    assert counted(rows) == {k: (r["packets"], r["bytes"]) for k, r in truth(account).items()}
    # IANA, flowEndReason: lack of resources, and forced end of what was there at last.
    assert {r["flow_end_reason"] for r in rows} == {4, 5}
    assert far.stats()["records_fed"] > 1000


def test_engine_of_v5(start):
    sink, port = Sink(), free_port()
    w = start("w", f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: nfprobe[x]\n"
              f"nfprobe_receiver: 127.0.0.1:{sink.port}\nnfprobe_version: 5\n"
              "nfprobe_engine: 3:9\n")
    send_from("127.0.0.2", port, V5)
    poll(lambda: sink.got)
    assert tuple(sink.got[0][20:22]) == (3, 9)
    assert handed(w)[1] == 0
    sink.close()


@pytest.mark.parametrize("door,line,says", [
    ("tee", "tee_max_receivers: 5", "There is no bound"),
    ("tee", "tee_max_receiver_pools: 5", "There is no bound"),
    ("tee", "tee_kafka_config_file: /x", "no message broker"),
    ("nfprobe", "nfprobe_dtls_verify_cert: true", "does not encrypt"),
    ("nfprobe", "nfprobe_mtu: 500", "nfprobe_mtu"),
    ("nfprobe", "nfprobe_hoplimit: 256", "nfprobe_hoplimit"),
    ("nfprobe", "nfprobe_ipprec: 8", "nfprobe_ipprec"),
    ("nfprobe", "nfprobe_maxflows: 63", "nfprobe_maxflows"),
    ("nfprobe", "nfprobe_direction: both", "nfprobe_direction"),
    ("nfprobe", "nfprobe_version: 7", "nfprobe_version"),
    ("sfprobe", "sfprobe_mtu: 500", "sfprobe_mtu"),
    ("sfprobe", "sfprobe_header_octets: 16", "sfprobe_header_octets"),
    ("sfprobe", "sfprobe_ifindex: eth0", "write its number, 'tag' or 'tag2'"),
    ("sfprobe", "sfprobe_agentip: me", "sfprobe_agentip"),
])
def test_what_is_told_of_a_directive(tmp_path, door, line, says):
    out = check(tmp_path, f"nfacctd_port: 2100\nplugins: {door}[x]\n"
                f"{door}_receiver: 192.0.2.1:2055\n{line}\n")
    assert says in out.stdout


SOURCE = pathlib.Path(__file__).parents[2]


def shown():
    """What the guides and examples show of export: [(door, text)]."""
    for name, door in (("docs/export.md", "nfprobe"), ("docs/sfprobe.md", "sfprobe")):
        for text in (SOURCE / name).read_text().split("```\n")[1::2]:
            yield pytest.param(door, text, id=f"{name}: {text.splitlines()[0][:30]}")
    yield pytest.param("sfprobe", (SOURCE / "examples/sfprobe.conf").read_text(), id="sfprobe.conf")
    yield pytest.param("nfprobe", (SOURCE / "examples/receivers").read_text(), id="receivers")


@pytest.mark.parametrize("door,text", shown())
def test_what_guides_show_is_fine(tmp_path, door, text):
    """As an operator would copy it: `weir check` has nothing to say of it."""
    lines = [line for line in text.splitlines() if line and line[0] not in "!#"]
    config = text.replace("/etc/weir/pretag.map", str(SOURCE / "examples/pretag.map"))
    if lines[0].startswith("id="):
        (tmp_path / "receivers").write_text(text)
        config = f"nfacctd_port: 2100\nplugins: {door}[x]\n{door}_receivers: {tmp_path}/receivers\n"
    elif "plugins" not in text:
        config = f"nfacctd_port: 2100\nplugins: {door}[x]\n" + text
    elif "pcap_interface" not in text:
        config += f"nfacctd_port: 2100\nsql_db: {tmp_path}/db\n"
    out = check(tmp_path, config)
    assert out.returncode == 0 and "warning" not in out.stdout + out.stderr, out
