# SPDX-License-Identifier: GPL-2.0-or-later
"""aggregate_filter: which records pass, in weir, in Debian's pmacct, and of packets in tcpdump.

Where pmacct 1.7.7 is at fault a case has the reason behind. pmacctd lets all packets of a
capture file through, whatever the filter.
"""
import subprocess

import pytest

import beside
from tags import ALL, S_ALL, but

VLAN = "it looks at the first octet of a VLAN to see if there is one: lan, lan2, lan3 have none"
OUT = "on the way out it looks at the MAC addresses of that way alone"
LENGTH = "its frames are all as long as its buffer, and their headers tell no length"
SWITCH = "it looks at a frame that it makes of what the sample says, in the switch's VLAN"

TAGGED = "lan lan2 lan3 tagged"
LABELS = "mpls mpls6"
IP = but(ALL, TAGGED, LABELS, "six e6six")

NETFLOW_CASES = [
    ("tcp", "v5b a event other"),
    ("udp", "v5a b c"),
    ("icmp6", "six"),
    ("ip", IP, VLAN),
    ("ip6", "six e6six"),
    ("not tcp", but(ALL, "v5b a event other")),
    ("ip proto 17", "v5a b c"),
    ("ip6 proto 58", "six"),
    ("host 192.0.2.3", "a"),
    ("src host 2001:db8:1::1", "six"),
    ("src net 192.0.2.0/29", "v5a v5b a b c phys both"),
    ("dst net 198.51.100.0/24 or dst net 2001:db8:2::/48", "v5a v5b a b c phys both six other"),
    ("dst port 53", "v5a b"),
    ("port 443", "a"),
    ("src portrange 1000-2000 and udp", "v5a b"),
    ("tcp[tcpflags] & tcp-syn != 0", "v5b"),
    ("tcp[13] = 0x18", "a"),
    ("ether[12:2] = 0x86dd", "six e6six"),
    ("ether[12:2] = 0x800", IP, VLAN),
    ("ip[9] = 6", "v5b a event other"),
    ("vlan", TAGGED, VLAN),
    ("vlan 300", "tagged"),
    ("vlan 10", "lan", VLAN),
    ("vlan and udp", "tagged"),
    ("udp or (vlan and udp)", "v5a b c tagged"),
    ("mpls", LABELS),
    ("mpls 100", LABELS),
    ("ether src 02:00:00:00:00:01", "lan lan3", OUT),
    ("ether dst 02:00:00:00:00:02", "lan"),
    ("ether multicast", "lan2 lan3", OUT),
    ("ip[2:2] = 100 and tcp", "v5b a other", LENGTH),
    ("less 60", "nat fw nsel bi one event", LENGTH),
    # Any of several.
    ("tcp, udp", "v5a v5b a b c event other"),
    ("host 192.0.2.3, host 192.0.2.4, net 2001:db8:1::/48", "a b six e6six"),
    (", ".join(f"host 203.0.113.{i}" for i in range(127)) + ", dst port 53", "v5a b"),
]

SFLOW_CASES = [
    ("tcp", "tcp six"),
    ("udp", but(S_ALL, "tcp six vlan vlan300 switch_tag"), SWITCH),
    ("ip6", "six six_routed e6six"),
    ("vlan", "vlan vlan300 switch_tag", SWITCH),
    ("vlan 10", "vlan switch_tag"),
    ("vlan 300 and udp", "vlan300"),
    ("not ip", "vlan vlan300 switch_tag six six_routed e6six", SWITCH),
    ("tcp[tcpflags] = tcp-syn|tcp-ack", "tcp"),
    ("dst port 80 or (vlan and dst port 53)", "tcp vlan vlan300 switch_tag", SWITCH),
    ("ether src 02:00:00:00:00:03", "vlan300"),
    ("ether multicast", "vlan"),
    ("ether[14:2] = 300", "vlan300"),
    ("host 192.0.2.8", "decoded"),
    ("udp[4:2] = 8 and ip", but(S_ALL, "tcp six vlan vlan300 switch_tag decoded six_routed e6six"),
     LENGTH),
    ("tcp, vlan 10", "tcp vlan switch_tag six"),
]

PACKET_FILTERS = [
    "tcp", "udp", "ip", "ip6", "vlan", "vlan 10 and udp", "not vlan", "ip proto 47",
    "tcp[tcpflags] & tcp-syn != 0", "tcp[tcpflags] = tcp-syn", "ether src 02:00:00:00:00:03",
    "ether multicast", "net 203.0.113.0/24", "dst host 198.51.100.2", "dst port 53",
    "ether[12:2] = 0x8100", "ip[8] = 64", "ip6[6] = 6", "greater 55", "len <= 42",
    "src port 40000 and (dst port 80 or dst port 443)",
]


def wrong(given, directory, command, cases, lines=""):
    """Cases whose filter lets others pass: (filter, who passes, who should)."""
    rows = beside.rows_of(directory, command, "src_host",
                          [f"aggregate_filter[{{p}}]: {c[0]}" for c in cases], lines)
    passing = [" ".join(name for name, r in given.records.items() if any(
        row["ip_src"] == r.src for row in own)) for own in rows]
    return [(c[0], names, c[1]) for c, names in zip(cases, passing) if names != c[1]]


@pytest.mark.parametrize("given,cases", [(beside.NETFLOW, NETFLOW_CASES),
                                         (beside.SFLOW, SFLOW_CASES)],
                         ids=lambda x: getattr(x, "daemon", ""))
def test_flows(tmp_path, given, cases):
    given.write(tmp_path / "x.pcap")
    assert wrong(given, tmp_path, given.weir(), cases) == []
    agreed = [c for c in cases if len(c) == 2]
    assert beside.ask_pmacct(
        lambda more: wrong(given, tmp_path, given.pmacct(), agreed, more), lambda got: got) == []


def test_packets(tmp_path):
    """What tcpdump shows of a file is what passes."""
    given, file, cases = beside.PACKETS, tmp_path / "x.pcap", []
    given.write(file)
    by_octets = {r.octets: name for name, r in given.records.items()}
    for expression in PACKET_FILTERS:
        out = subprocess.run(["tcpdump", "-r", file, "-w", "-", expression], check=True,
                             capture_output=True).stdout
        shown, at = [], 24
        while at < len(out):
            octets = int.from_bytes(out[at + 8:at + 12], "little")
            shown.append(by_octets[out[at + 16:at + 16 + octets]])
            at += 16 + octets
        cases.append((expression, " ".join(shown)))
    assert wrong(given, tmp_path, given.weir(), cases) == []
