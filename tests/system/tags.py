# SPDX-License-Identifier: GPL-2.0-or-later
"""What pre_tag_map makes of records: records of every input, and maps with what they give each.

A record is known by its source address. A case is (what is so, the map, who is tagged): names
of records that get tag 1, or {name: (tag, tag2, label)}; all others of the input stay as they
came. Where Debian's pmacct 1.7.7 gives something else, the case has the reason behind, which
PMACCT explains.
"""
from records import E1, E2, E3, E6, MAC1, MAC2, MAC3, MULTICAST, NETFLOW, PACKETS, SFLOW

# Why pmacct 1.7.7 differs.
PMACCT = {
    "carried": "tags of the protocol stay there, against its own manual, whatever rules set",
    "direction": "there nothing of v5 has a direction",
    "json": "it writes numbers from 2^63 on as negative ones",
    "jeq=next of IPv6": "it does not go on in the rules for IPv6 exporters",
    "key": "it does not know the key; later versions do",
    "mpls": "it takes flow-mpls-ipv4 for 'flow', which comes first in its list",
    "next hop": "every record without a next hop, or BGP's of IPv6, has any there",
    "post MAC": "it looks only at the addresses of the way in, but shows the others",
    "two tags": "of two tags in one rule it takes the second one for the first",
    "v5 family": "it takes records of v5 for flows of no family",
    "zero": "it tells 0 from what a record does not have",
    "VLAN below 256": "it looks at the first octet of the VLAN to see if there is one",
}


def sent_by(records, *exporters):
    return " ".join(name for name, r in records.items() if r.exporter in exporters)


def but(names, *others):
    left = [n for n in names.split() if n not in " ".join(others).split()]
    assert len(left) < len(names.split())
    return " ".join(left)


def tagged(names, *tags):
    return {name: tags for name in names.split()}


BY_E1, BY_E2, BY_E6 = (sent_by(NETFLOW, e) for e in (E1, E2, E6))
ALL = " ".join(NETFLOW)
EVENTS = "nat nel fw event"
IN_1 = "v5a a c phys short six e6 set probe option other"
IN_3 = "v5b b e6six"

NETFLOW_CASES = [
    # Exporters: of NetFlow the sender, whatever it tells of itself.
    ("an exporter", "set_tag=1 ip=10.0.0.1", BY_E1),
    ("an exporter, and all 32 bits of it", "set_tag=1 ip=10.0.0.2/32", BY_E2),
    ("a network of exporters", "set_tag=1 ip=10.0.0.0/24", sent_by(NETFLOW, E1, E2)),
    ("a larger one", "set_tag=1 ip=10.0.0.0/23", sent_by(NETFLOW, E1, E2, E3)),
    ("nearly all", "set_tag=1 ip=10.0.0.0/8", but(ALL, BY_E6)),
    ("all IPv4 exporters", "set_tag=1 ip=0.0.0.0/0", but(ALL, BY_E6)),
    ("all IPv6 exporters", "set_tag=1 ip=::/0", BY_E6),
    ("an IPv6 exporter", "set_tag=1 ip=2001:db8:e::1", BY_E6),
    ("a network of IPv6 exporters", "set_tag=1 ip=2001:db8::/32", BY_E6),
    ("without ip, all of both families", "set_tag=1", ALL),
    ("what a record tells of its exporter is another matter", "set_tag=1 ip=10.9.9.9", ""),
    ("an exporter that is not there", "set_tag=1 ip=192.0.2.3", ""),
    # Interfaces: 10 and 14, else 252 and 253.
    ("input", "set_tag=1 in=1", IN_1),
    ("output", "set_tag=1 out=4", "v5b b c"),
    ("both", "set_tag=1 in=1 out=2", "v5a a phys six e6 other"),
    ("physical interfaces where there are no others", "set_tag=1 out=2",
     "v5a a phys six e6 e6six other"),
    ("no input is interface 0", "set_tag=1 in=0 ip=10.0.0.1",
     but(BY_E1, IN_1, IN_3, "both"), "zero"),
    ("input and exporter", "set_tag=1 in=1 ip=10.0.0.2", "c"),
    ("words in any order", "ip=10.0.0.2 in=1 set_tag=1", "c"),
    ("blanks and tabs between words", "set_tag=1 \t in=3\t  out=4", "v5b b"),
    ("not an input", "set_tag=1 in=-1 ip=10.0.0.2", "v5b"),
    ("not an output", "set_tag=1 out=-2 in=1", "c short set probe option"),
    ("neither", "set_tag=1 in=-1 out=-4 ip=2001:db8:e::1", "e6six"),
    ("not an input: neither is none", "set_tag=1 in=-1 ip=10.0.0.1",
     but(BY_E1, IN_1)),
    # Engines and domains.
    ("engine type, which v5 has", "set_tag=1 engine_type=1", "v5a"),
    ("engine of v5", "set_tag=1 engine_id=5 in=1 out=2 ip=10.0.0.1 engine_type=1", "v5a"),
    ("source id of v9", "set_tag=1 source_id=16909061", "c"),
    ("is the engine, too", "set_tag=1 engine_id=16909061", "c"),
    ("domain of IPFIX", "set_tag=1 source_id=7", "phys both e6six vrf bi one probe as4"),
    ("the same, of one exporter", "set_tag=1 source_id=7 ip=10.0.1.1", "phys"),
    ("not a source id", "set_tag=1 source_id=-5 ip=10.0.0.2", "v5b c"),
    # Sets and kinds of records.
    ("the id of a set", "set_tag=1 flowset_id=1024", "set"),
    ("any traffic", "set_tag=1 sample_type=flow", but(ALL, EVENTS, "option")),
    ("traffic of IPv4", "set_tag=1 sample_type=flow-ipv4",
     but(ALL, EVENTS, "option six e6six mpls mpls6"), "v5 family"),
    ("traffic of IPv6", "set_tag=1 sample_type=flow-ipv6", "six e6six"),
    ("labelled IPv4", "set_tag=1 sample_type=flow-mpls-ipv4", "mpls", "mpls"),
    ("labelled IPv6", "set_tag=1 sample_type=flow-mpls-ipv6", "mpls6", "mpls"),
    ("events", "set_tag=1 sample_type=event", EVENTS),
    ("options", "set_tag=1 sample_type=option", "option"),
    ("no events", "set_tag=1 sample_type=-event", but(ALL, EVENTS)),
    ("no traffic", "set_tag=1 sample_type=-flow", EVENTS + " option"),
    ("conversations", "set_tag=1 is_bi_flow=true", "nsel bi"),
    ("what is none", "set_tag=1 is_bi_flow=false", but(ALL, "nsel bi")),
    ("logged translations", "set_tag=1 is_nel=true", "nat nel", "key"),
    ("what is none", "set_tag=1 is_nel=false ip=10.0.0.2", BY_E2, "key"),
    ("a firewall's log", "set_tag=1 is_nsel=true", "fw nsel", "key"),
    ("what is none", "set_tag=1 is_nsel=false ip=2001:db8:e::1", BY_E6, "key"),
    ("an event of translation", "set_tag=1 nat_event=2", "nel"),
    # Direction, next hops.
    ("out", "set_tag=1 direction=1", "lan2 lan3"),
    ("in, where nothing says out", "set_tag=1 direction=0", but(ALL, "lan2 lan3"), "direction"),
    ("next hop", "set_tag=1 nexthop=192.0.2.254", "v5a a", "next hop"),
    ("next hop of IPv6", "set_tag=1 nexthop=2001:db8::fe", "six", "next hop"),
    ("not a next hop", "set_tag=1 nexthop=-192.0.2.254 in=1 out=2 src_net=192.0.2.0/28",
     "phys e6", "next hop"),
    ("BGP's next hop, or the tunnel's end", "set_tag=1 bgp_nexthop=192.0.2.253", "a mpls"),
    ("BGP's next hop of IPv6", "set_tag=1 bgp_nexthop=2001:db8::fd", "six", "next hop"),
    ("v5 has one for both", "set_tag=1 bgp_nexthop=192.0.2.254", "v5a"),
    # Link layer.
    ("source MAC", "set_tag=1 src_mac=02:00:00:00:00:01", "lan lan3"),
    ("destination MAC", "set_tag=1 dst_mac=02:00:00:00:00:02", "lan"),
    ("as it left", f"set_tag=1 dst_mac={MULTICAST}", "lan2 lan3", "post MAC"),
    ("groups", "set_tag=1 is_multicast=true", "lan2 lan3", "post MAC"),
    ("no group", "set_tag=1 is_multicast=false vlan=10", "lan"),
    ("VLAN", "set_tag=1 vlan=10", "lan"),
    ("VLAN as 802.1Q has it", "set_tag=1 vlan=11", "lan2"),
    ("vlanId counts before it", "set_tag=1 vlan=12", "lan3"),
    ("not a VLAN", "set_tag=1 vlan=-10 src_mac=02:00:00:00:00:01", "lan3"),
    ("customer's VLAN", "set_tag=1 cvlan=20", "lan"),
    # Addresses, ports, protocols.
    ("source", "set_tag=1 src_net=192.0.2.3", "a"),
    ("sources", "set_tag=1 src_net=192.0.2.0/30", "v5a v5b a"),
    ("sources of IPv6", "set_tag=1 src_net=2001:db8:1::/48", "six e6six mpls6"),
    ("a source of IPv6", "set_tag=1 src_net=2001:db8:1::2", "e6six"),
    ("destination", "set_tag=1 dst_net=198.51.100.2", "v5b b"),
    ("destinations", "set_tag=1 dst_net=198.51.100.0/24", "v5a v5b a b c phys both other"),
    ("destinations of IPv6", "set_tag=1 dst_net=2001:db8:2::/48", "six"),
    ("prefixes that are told", "set_tag=1 dst_net=203.0.114.0/24", "net"),
    ("source and destination", "set_tag=1 src_net=192.0.2.0/24 dst_net=198.51.100.2", "v5b b"),
    ("protocol by name", "set_tag=1 ip_proto=tcp", "v5b a event other", "key"),
    ("protocol by number", "set_tag=1 ip_proto=17", "v5a b c tagged", "key"),
    ("not a protocol", "set_tag=1 ip_proto=-6 ip=10.0.0.2", "c", "key"),
    ("source port", "set_tag=1 src_port=40000", "v5b a", "key"),
    ("destination port", "set_tag=1 dst_port=53", "v5a b", "key"),
    ("not a port", "set_tag=1 dst_port=-53 dst_net=198.51.100.2", "v5b", "key"),
    ("flags, all of them", "set_tag=1 tcp_flags=0x12", "v5b", "key"),
    ("other flags", "set_tag=1 tcp_flags=18", "a", "key"),
    # What routers know.
    ("source AS", "set_tag=1 src_as=65001", "v5a a"),
    ("destination AS", "set_tag=1 dst_as=65002", "v5a a as4"),
    ("an AS of 32 bits", "set_tag=1 src_as=4200000001", "as4"),
    ("not an AS", "set_tag=1 src_as=-65001 in=1 out=2 ip=10.0.0.0/8",
     "phys other six"),
    ("neighbouring ASes", "set_tag=1 peer_src_as=65010 peer_dst_as=65011", "as4", "key"),
    ("VRF on the way in", "set_tag=1 mpls_vpn_id_in=7", "vrf", "key"),
    ("VRF on the way out", "set_tag=1 mpls_vpn_id_out=8", "vrf", "key"),
    ("route distinguisher", "set_tag=1 mpls_vpn_rd=0:65000:7", "vrf", "key"),
    ("pseudowire", "set_tag=1 mpls_pw_id=9", "vrf"),
    ("what became of it", "set_tag=1 fwdstatus=64", "vrf"),
    ("by its later name", "set_tag=1 fwd_status=130", "drop", "key"),
    # What rules set.
    ("second tag", "set_tag2=7 in=3", tagged(IN_3, 0, 7, "")),
    ("label", "set_label=blue in=3", tagged(IN_3, 0, 0, "blue")),
    ("tag and second tag", "set_tag=6 set_tag2=7 in=3", tagged(IN_3, 6, 7, ""), "two tags"),
    ("the greatest tag", "set_tag=18446744073709551615 in=3",
     tagged(IN_3, 2**64 - 1, 0, ""), "json"),
    ("old names", "id=6 in=3 jeq=next\nid2=7 out=4",
     {"v5b": (6, 7, ""), "b": (6, 7, ""), "c": (0, 7, ""), "e6six": (6, 0, "")}),
    ("one more each time", "set_tag=5++ in=3 ip=0.0.0.0/0",
     {"v5b": (5, 0, ""), "b": (6, 0, "")}),
    ("the second one, too", "set_tag2=8++ in=3 ip=0.0.0.0/0",
     {"v5b": (0, 8, ""), "b": (0, 9, "")}),
    ("in place of what the probe told", "set_tag=1 in=1 ip=10.0.0.1",
     {**tagged("v5a a short six set option", 1, 0, ""), "probe": (1, 200, "core")}),
    ("as older ones told it", "set_tag=1 src_net=192.0.2.30", "old"),
    ("what is not set stays the probe's", "set_tag2=1 label=x src_net=192.0.2.24",
     {"probe": (100, 1, "core")}),
    ("the label in its place", "set_label=edge src_net=192.0.2.24",
     {"probe": (100, 200, "edge")}),
    # The order of rules.
    ("the first that fits", "set_tag=1 in=1\nset_tag=2 out=4\nset_tag=3 ip=0.0.0.0/0 in=3",
     {**tagged(IN_1, 1, 0, ""), **tagged("v5b b", 2, 0, ""), "probe": (1, 200, "core")}),
    ("and no other, though it sets something else", "set_tag=1 in=3\nset_tag2=2 in=3",
     IN_3),
    ("the more general first", "set_tag=1 ip=10.0.0.0/8\nset_tag=2 ip=10.0.0.2",
     but(ALL, BY_E6)),
    ("the more special first", "set_tag=2 ip=10.0.0.2\nset_tag=1 ip=10.0.0.0/8",
     {**tagged(but(ALL, f"{BY_E6} {BY_E2}"), 1, 0, ""), **tagged(BY_E2, 2, 0, ""),
      "probe": (1, 200, "core")}),
    ("on to the next", "set_tag=1 in=3 jeq=next\nset_tag2=2 out=4",
     {"v5b": (1, 2, ""), "b": (1, 2, ""), "e6six": (1, 0, ""), "c": (0, 2, "")}),
    ("from one side to the other",
     "set_tag=1 in=1 jeq=out\nset_tag=3 in=3 jeq=out\nset_tag=9 in=3\n"
     "set_tag2=2 out=2 label=out\nset_tag2=4 out=4",
     {"v5a": (1, 2, ""), "v5b": (3, 4, ""), "a": (1, 2, ""), "b": (3, 4, ""),
      "c": (1, 4, ""), "phys": (1, 2, ""), "short": (1, 0, ""), "six": (1, 2, ""),
      "e6": (1, 2, ""), "e6six": (3, 2, ""), "set": (1, 0, ""), "probe": (1, 200, "core"),
      "option": (1, 0, ""), "other": (1, 2, "")}),
    ("a label that is jumped over", "set_tag=1 in=3 jeq=b\nset_tag=2 label=a\n"
     "set_tag2=3 in=3 label=b", {**tagged(but(ALL, IN_3, "probe"), 2, 0, ""),
                                "probe": (2, 200, "core"), **tagged(IN_3, 1, 3, "")}),
    ("of labels that stand twice the first", "set_tag=1 in=3 jeq=b\nset_tag2=2 in=3 label=b\n"
     "set_tag2=3 in=3 label=b", tagged(IN_3, 1, 2, "")),
    ("no jump back", "set_tag2=2 in=7 label=b\nset_tag=1 in=3 jeq=b\nset_tag=5 in=3", IN_3),
    ("a jump to nowhere is none", "set_tag=1 in=3 jeq=no\nset_tag2=2 in=3", IN_3),
    ("a later match sets the tag anew", "set_tag=1 in=3 jeq=next\nset_tag=2 out=4",
     {"v5b": (2, 0, ""), "b": (2, 0, ""), "c": (2, 0, ""), "e6six": (1, 0, "")}),
    ("or is added to it", "set_tag=1 in=3 jeq=next\nset_tag=2 out=4 stack=sum",
     {"v5b": (3, 0, ""), "b": (3, 0, ""), "c": (2, 0, ""), "e6six": (1, 0, "")}),
    ("or or-ed", "set_tag=5 in=3 jeq=next\nset_tag=3 out=4 stack=or",
     {"v5b": (7, 0, ""), "b": (7, 0, ""), "c": (3, 0, ""), "e6six": (5, 0, "")}),
    ("also the second one", "set_tag2=1 in=3 jeq=next\nset_tag2=2 out=4 stack=sum",
     {"v5b": (0, 3, ""), "b": (0, 3, ""), "c": (0, 2, ""), "e6six": (0, 1, "")}),
    ("labels are put behind each other", "set_label=x in=3 jeq=next\nset_label=y out=4",
     {"v5b": (0, 0, "x,y"), "b": (0, 0, "x,y"), "c": (0, 0, "y"), "e6six": (0, 0, "x")}),
    ("a label and a tag", "set_label=x in=3 jeq=next\nset_tag=2 in=3",
     tagged(IN_3, 2, 0, "x"), "jeq=next of IPv6"),
    ("three one after the other", "set_tag=1 in=3 jeq=next\nset_tag=2 in=3 stack=sum jeq=next\n"
     "set_tag=4 in=3 stack=sum", tagged(IN_3, 7, 0, ""), "jeq=next of IPv6"),
    ("comments and empty lines", "! set_tag=9\n\n# set_tag=9\nset_tag=1 in=3\n", IN_3),
    # Filters on the frame that the record would have been.
    ("a filter", "set_tag=1 filter='tcp'", "v5b a event other"),
    ("a filter of two words", "set_tag=1 filter='dst port 53'", "v5a b"),
    ("a filter and a key", "set_tag=1 in=1 filter='tcp or icmp6'", "a six other"),
    ("a filter of octets", "set_tag=1 filter='tcp[13] = 0x12'", "v5b"),
    ("a filter of VLANs", "set_tag=1 filter='vlan 300'", "tagged"),
    ("and of their contents", "set_tag=1 filter='vlan and udp'", "tagged"),
    ("a VLAN of a low number", "set_tag=1 filter='vlan 10'", "lan", "VLAN below 256"),
    ("IPv6 that bears no label", "set_tag=1 filter='ip6'", "six e6six"),
    ("labels", "set_tag=1 filter='mpls 100'", "mpls mpls6"),
    ("a filter of addresses", "set_tag=1 filter='src net 192.0.2.0/30 and dst 198.51.100.1'",
     "v5a a"),
]

S_ALL = " ".join(SFLOW)
S_IN_1 = but(S_ALL, "tcp six_routed e3 e6six")

SFLOW_CASES = [
    # The agent, by what its datagrams say.
    ("an agent", "set_tag=1 ip=10.0.0.2", "decoded"),
    ("a network of agents", "set_tag=1 ip=10.0.0.0/23", but(S_ALL, "e6 e6six")),
    ("all IPv4 agents", "set_tag=1 ip=0.0.0.0/0", but(S_ALL, "e6 e6six")),
    ("all IPv6 agents", "set_tag=1 ip=::/0", "e6 e6six"),
    ("an IPv6 agent", "set_tag=1 ip=2001:db8:e::1", "e6 e6six"),
    ("without ip, all", "set_tag=1", S_ALL),
    ("a sub-agent", "set_tag=1 agent_id=7", "vlan300 decoded"),
    ("not a sub-agent", "set_tag=1 agent_id=-7 ip=10.0.0.2", ""),
    ("a data source", "set_tag=1 source_id=4", "tcp", "key"),
    # The sample.
    ("a flow sample", "set_tag=1 sample_type=0:1", but(S_ALL, "tcp")),
    ("an expanded one", "set_tag=1 sample_type=0:3", "tcp"),
    ("no flow sample", "set_tag=1 sample_type=-0:1", "tcp"),
    ("another's samples", "set_tag=1 sample_type=43874:1", ""),
    ("input", "set_tag=1 in=3", "tcp six_routed e6six"),
    ("output", "set_tag=1 out=4", "tcp six"),
    ("both", "set_tag=1 in=1 out=4", "six"),
    ("not an input", "set_tag=1 in=-1", but(S_ALL, S_IN_1)),
    ("the agent itself", "set_tag=1 in=1073741823", "e3"),
    ("several outputs", "set_tag=1 out=2147483650", "e3"),
    ("where it went in", "set_tag=1 direction=0", "udp six six_routed e6six"),
    ("where it went out", "set_tag=1 direction=1", "tcp"),
    # The frame.
    ("source MAC", f"set_tag=1 src_mac={MAC3}", "vlan300"),
    ("destination MAC", f"set_tag=1 dst_mac={MULTICAST}", "vlan"),
    ("not a source MAC", f"set_tag=1 src_mac=-{MAC1}", "vlan300 decoded"),
    ("groups", "set_tag=1 is_multicast=true", "vlan"),
    ("no group", "set_tag=1 is_multicast=false vlan=300", "vlan300"),
    ("the frame's VLAN", "set_tag=1 vlan=300", "vlan300"),
    ("the switch's VLAN", "set_tag=1 vlan=11", "switch"),
    ("its outgoing VLAN", "set_tag=1 vlan=12", "switch switch_tag"),
    ("a VLAN, whoever tells it", "set_tag=1 vlan=10", "vlan switch_tag"),
    ("not a VLAN", "set_tag=1 vlan=-12 in=1 ip=10.0.0.1", but(S_IN_1, "switch switch_tag "
                                                              "decoded e6")),
    ("source", "set_tag=1 src_net=192.0.2.1", "udp"),
    ("sources", "set_tag=1 src_net=192.0.2.0/30", "udp tcp vlan"),
    ("sources of IPv6", "set_tag=1 src_net=2001:db8:1::/48", "six six_routed e6six"),
    ("destination", "set_tag=1 dst_net=198.51.100.2", "tcp"),
    ("protocol", "set_tag=1 ip_proto=tcp", "tcp six", "key"),
    ("ports", "set_tag=1 src_port=40000 dst_port=80", "tcp", "key"),
    ("flags", "set_tag=1 tcp_flags=0x12", "tcp", "key"),
    ("a filter", "set_tag=1 filter='tcp'", "tcp six"),
    ("a filter of VLANs", "set_tag=1 filter='vlan 10'", "vlan switch_tag"),
    ("a filter of octets of Ethernet", "set_tag=1 filter='ether[12:2] = 0x86dd'",
     "six six_routed e6six"),
    ("a filter and a key", "set_tag=1 filter='ip6' in=3", "six_routed e6six"),
    # What the router adds.
    ("next hop", "set_tag=1 nexthop=192.0.2.254", "routed"),
    ("next hop of IPv6", "set_tag=1 nexthop=2001:db8::fe", "six_routed"),
    ("BGP's next hop", "set_tag=1 bgp_nexthop=192.0.2.253", "routed"),
    ("BGP's next hop of IPv6", "set_tag=1 bgp_nexthop=2001:db8::fd", "six_routed"),
    ("source AS", "set_tag=1 src_as=65001", "routed"),
    ("an AS of 32 bits", "set_tag=1 src_as=4200000001", "six_routed"),
    ("destination AS", "set_tag=1 dst_as=65002", "routed"),
    ("neighbouring ASes", "set_tag=1 peer_src_as=65010 peer_dst_as=65011",
     "routed six_routed", "key"),
    ("a virtual circuit", "set_tag=1 mpls_pw_id=9", "circuit"),
    # What rules set; the rest is as with NetFlow.
    ("label and second tag", "set_tag2=5 in=3 jeq=x\nset_label=red out=2\n"
     "set_label=blue in=3 label=x",
     {**tagged("tcp six_routed e6six", 0, 5, "blue"),
      **tagged(but(S_ALL, "tcp six six_routed e6six e3 probe old"), 0, 0, "red"),
      "probe": (100, 200, "red"), "old": (300, 400, "red")}),
    ("in place of the probe's tag", "set_tag=1 src_net=192.0.2.12", "probe"),
    ("in place of an older probe's", "set_tag2=1 src_net=192.0.2.13", {"old": (300, 1, "")}),
]

PACKET_CASES = [
    ("all", "set_tag=1", " ".join(PACKETS)),
    ("a filter", "set_tag=1 filter='tcp'", "tcp six"),
    ("a filter of two words", "set_tag=7 filter='dst port 80'", tagged("tcp", 7, 0, "")),
    ("a filter of VLANs", "set_tag=1 filter='vlan'", "vlan"),
    ("a filter of MAC addresses", f"set_tag=1 filter='ether src {MAC3}'", "gre"),
    ("octets of Ethernet", "set_tag=1 filter='ether[12:2] = 0x8100'", "vlan"),
    ("octets of IP", "set_tag=1 filter='ip[9] = 47'", "gre"),
    ("a network", "set_tag=1 filter='net 203.0.113.0/24'", "far"),
    ("the first that fits", "set_tag=1 filter='tcp'\nset_tag=2 filter='ip or ip6'",
     {**tagged("tcp six", 1, 0, ""), **tagged("udp gre far", 2, 0, "")}),
    ("from one side to the other", "set_tag=1 filter='src net 192.0.2.0/24' jeq=to\n"
     "set_tag=2 filter='udp'\nset_tag2=1 filter='dst net 198.51.100.2' label=to",
     {"udp": (1, 0, ""), "tcp": (1, 1, ""), "gre": (1, 0, ""), "far": (2, 0, "")}),
    ("a label", "set_label=voice filter='udp'", tagged("udp far", 0, 0, "voice")),
    ("labels one behind the other", "set_label=a filter='ip' jeq=next\nset_label=b filter='udp'",
     {**tagged("udp far", 0, 0, "a,b"), **tagged("tcp gre", 0, 0, "a")}),
    ("sums", "set_tag=1 filter='ip' jeq=next\nset_tag=2 filter='udp' stack=sum",
     {**tagged("udp far", 3, 0, ""), **tagged("tcp gre", 1, 0, "")}),
    ("one more each time", "set_tag=10++ filter='tcp'",
     {"tcp": (10, 0, ""), "six": (11, 0, "")}),
]
