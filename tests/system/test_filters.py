# SPDX-License-Identifier: GPL-2.0-or-later
"""aggregate_filter lets pass what Debian's pmacct lets pass, and what tcpdump counts.

Where pmacct 1.7.7 is at fault, or makes another frame of a record, the input leaves the
case out:

- pmacctd does not apply aggregate_filter to a pcap_savefile: it gets the same expression as
  its pcap_filter.
- nfacctd puts no tag into its frame where the VLAN is below 256: those rows are left out.
- The frames of nfacctd and sfacctd are all 100 octets or the sampled header's long, and
  nfacctd's tell no type and code of ICMP: `len`, `less` and `greater` are held against the
  generator's account.
- sfacctd reads ports at the wrong place behind IPv6 extension headers (test_pmacct.py).
"""
import json
import subprocess

import pytest

from conftest import TUPLE, WEIR, generate, json_rows, poll, run_file, truth, tuple_key

HEAD = """
pcap_savefile: {pcap}
plugin_pipe_zmq: true
plugin_pipe_zmq_profile: large
print_output: json
print_refresh_time: 3600
aggregate: """ + TUPLE + """, vlan
"""


def run_filters(tmp_path, name, command, pcap, expressions):
    """One print plugin for each expression; returns the rows of each."""
    config = HEAD.format(pcap=pcap)
    names = [f"p{i}" for i in range(len(expressions))]
    config += "plugins: " + ", ".join(f"print[{n}]" for n in names) + "\n"
    for n, expression in zip(names, expressions):
        config += f"aggregate_filter[{n}]: {expression}\n"
        config += f"print_output_file[{n}]: {tmp_path}/{name}-{n}.json\n"
    file = tmp_path / f"{name}.conf"
    file.write_text(config)
    done = subprocess.run([*command, "-f", str(file)], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return [json_rows(tmp_path / f"{name}-{n}.json") for n in names]


def compare(tmp_path, daemon, pcap, expressions, keep=lambda row: True):
    theirs = run_filters(tmp_path, "pmacct", [f"/usr/sbin/{daemon}"], pcap, expressions)
    ours = run_filters(tmp_path, "weir", [str(WEIR), "run", "--as", daemon], pcap, expressions)
    for expression, *rows in zip(expressions, theirs, ours):
        their_rows, our_rows = (
            sorted(json.dumps(row, sort_keys=True) for row in some if keep(row))
            for some in rows)
        assert len(their_rows) > 0, expression
        assert our_rows == their_rows, expression


FLOWS = [
    "tcp port 80, udp port 53",
    "src net 198.18.0.0/17 and not dst portrange 1-1023",
    "ether[12:2] = 0x0800 and tcp[tcpflags] & tcp-fin != 0",
    "ip[1] & 0xe0 = 0x20, icmp or icmp6",
]
WITH_TAGS = [*FLOWS, "vlan, ip6", "vlan and tcp, ether[12:2] = 0x86dd"]


@pytest.mark.parametrize("kind,expressions", [("netflow5", FLOWS), ("netflow9", WITH_TAGS),
                                              ("ipfix", WITH_TAGS)])
def test_nfacctd(tmp_path, kind, expressions):
    pcap = tmp_path / "x.pcap"
    generate(kind, 10000, 1000, pcap=pcap)
    compare(tmp_path, "nfacctd", pcap, expressions,
            lambda row: not 0 < row["vlan"] < 256)


def test_sfacctd(tmp_path):
    pcap = tmp_path / "x.pcap"
    generate("sflow5", 10000, 1000, "--ipv4", 100, pcap=pcap)
    compare(tmp_path, "sfacctd", pcap, [*FLOWS[:2], FLOWS[3], "vlan and tcp"])


def test_pmacctd(tmp_path):
    pcap, expression = tmp_path / "x.pcap", "tcp port 80 or (ip6 and greater 1000)"
    generate("packets", 10000, 1000, pcap=pcap)
    command = [str(WEIR), "run", "--as", "pmacctd"]
    ours, = run_filters(tmp_path, "weir", command, pcap, [expression])
    out = tmp_path / "theirs.json"
    file = tmp_path / "pmacct.conf"
    file.write_text(HEAD.format(pcap=pcap) + f"pcap_filter: {expression}\nplugins: print[p]\n"
                    f"print_output_file: {out}\n")
    subprocess.run(["/usr/sbin/pmacctd", "-f", str(file)], check=True, capture_output=True,
                   timeout=120)
    theirs = json_rows(out)
    key = lambda row: json.dumps(row, sort_keys=True)
    assert len(theirs) > 0
    assert sorted(ours, key=key) == sorted(theirs, key=key)


WRAPS = ["ethernet", "qinq", "mpls", "vxlan", "raw", "sll2"]


@pytest.mark.parametrize("wrap", WRAPS)
def test_tcpdump(tmp_path, wrap):
    """As many packets as tcpdump counts, on usual frames and others, cut or whole."""
    expressions = [
        "tcp port 80", "ip6 and not udp", "net 198.18.0.0/17 or net 2001:2::/48",
        "ip[2:2] - ((ip[0] & 0xf) << 2) > 500", "greater 1000",
        "tcp[tcpflags] & tcp-syn != 0",
    ]
    if wrap not in ("raw", "sll2"):
        expressions += ["vlan and tcp", "vlan and vlan and port 443", "mpls and ip6",
                        "ether src host 02:00:00:00:00:02"]
    pcap = tmp_path / "x.pcap"
    generate("packets", 5000, 500, "--wrap", wrap, pcap=pcap)
    plugins = [f"p{i}" for i in range(len(expressions))]
    config = f"pcap_savefile: {pcap}\naggregate: proto\nprint_output: json\n" \
             f"print_refresh_time: 3600\nplugins: " + ", ".join(
                 f"print[{n}]" for n in plugins) + "\n"
    for n, expression in zip(plugins, expressions):
        config += f"aggregate_filter[{n}]: {expression}\n" \
                  f"print_output_file[{n}]: {tmp_path}/{n}.json\n"
    run_file(tmp_path, config)
    found = 0
    for n, expression in zip(plugins, expressions):
        file = tmp_path / f"{n}.json"
        ours = sum(row["packets"] for row in json_rows(file)) if file.exists() else 0
        out = subprocess.run(["tcpdump", "-nr", str(pcap), "--count", expression], check=True,
                             capture_output=True, text=True).stdout
        assert ours == int(out.split()[0]), expression
        found += ours
    assert found > 0


def test_lengths_of_records(tmp_path):
    """`less` and `greater` go by the mean length of a record's packets on Ethernet."""
    pcap, csv, out = (tmp_path / name for name in ("x.pcap", "x.csv", "x.json"))
    generate("netflow5", 1000, 3000, "--uniform", pcap=pcap, truth=csv)
    run_file(tmp_path, f"pcap_savefile: {pcap}\nplugins: print[p]\naggregate[p]: {TUPLE}\n"
             "aggregate_filter[p]: less 499\nprint_output: json\nprint_refresh_time: 3600\n"
             f"print_output_file: {out}\n", "--as", "nfacctd")
    ones = {key: row for key, row in truth(csv).items() if row["flows"] == 1}
    want = {key for key, row in ones.items() if 14 + row["bytes"] // row["packets"] <= 499}
    got = {tuple_key(row) for row in json_rows(out)} & set(ones)
    assert 0 < len(want) < len(ones)
    assert got == want


def test_books(tmp_path, weir):
    """What no filter lets pass is in the books of its view, and the other has all."""
    pcap = tmp_path / "x.pcap"
    total = generate("netflow9", 5000, 500, pcap=pcap)
    w = weir(f"pcap_savefile: {pcap}\npcap_savefile_wait: true\nplugins: memory[all], "
             f"memory[some], memory[none]\naggregate: proto\n"
             "aggregate_filter[some]: ip and tcp, vlan and tcp\n"
             "aggregate_filter[none]: sctp\n", "--as", "nfacctd").ready()

    def counted():
        return sum(row["packets"] for row in w.rows("all")) == int(total["packets"])
    poll(counted)
    w.books()
    assert [row["ip_proto"] for row in w.rows("some")] == ["tcp"]
    assert w.rows("none") == []
    assert w.stop() == 0


@pytest.mark.parametrize("value,says", [
    ("tcp prot 80", "syntax error"),
    ("udp, host 192.0.2.300", "192.0.2.300"),
    ("tcp,,udp", "expression 2 is empty"),
])
def test_errors(tmp_path, value, says):
    """Where it stands, the expression, what libpcap says, and what to write."""
    file = tmp_path / "weir.conf"
    file.write_text("plugins: print[p]\naggregate[p]: proto\npcap_savefile: x\n"
                    f"aggregate_filter[p]: {value}\n")
    done = subprocess.run([str(WEIR), "check", "-f", str(file)], capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"{file}:4: aggregate_filter[p]: " in text
    assert says in text and "write" in text
