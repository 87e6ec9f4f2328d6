/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "rules/columns.h"
#include "rules/tagmap.h"
#include "tests/lib/scratch.h"
#include "tests/rules/flow_of.h"

/* The map that `text` is, which has no fault. */
static struct tagmap *
map_of(const char *text, unsigned workers)
{
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	struct tagmap *m;

	scratch_write(text);
	m = tagmap_load(scratch_path, workers, &ps, &e);
	if (m == NULL || ps.n_errors > 0)
		fail_msg("%s: %s", text, m == NULL ? e.text : ps.list[0].text);
	problems_free(&ps);
	return m;
}

/* Where filters fetch from; all fields are there. */
static struct columns *columns;

static void
map_apply(struct tagmap *m, enum flow_source source, struct flow *flows, unsigned n)
{
	struct batch b = { .flows = flows, .n = n, .source = source, .columns = columns };

	columns_clear(columns);
	tagmap_apply(m, &b);
}

#define N SOURCE_NETFLOW
#define S SOURCE_SFLOW
#define P SOURCE_PACKETS

/* A flow, and its tag, tag2, label and tos once it went through the map. */
static const struct {
	const char *says;
	const char *map; /* NULL: the one of the row before */
	enum flow_source source;
	const char *flow, *want;
} cases[] = {
	/* setting */
	{ "set_tag", "set_tag=7\n", N, "", "tag=7" },
	{ "the largest tag", "set_tag=18446744073709551615\n", N, "",
	    "tag=18446744073709551615" },
	{ "zero can be set, in place of the protocol's", "set_tag=0\n", N, "tag=5", "" },
	{ "id is an old name", "id=7\n", N, "", "tag=7" },
	{ "set_tag2", "set_tag2=8\n", N, "", "tag2=8" },
	{ "id2 is an old name", "id2=8\n", N, "", "tag2=8" },
	{ "set_label", "set_label=edge\n", N, "", "label=edge" },
	{ "quotes hold a label together", "set_label='the edge'\n", N, "",
	    "label=the edge" },
	{ "set_tos", "set_tos=255\n", N, "tos=4", "tos=255" },
	{ "all of them", "set_tag=1 set_tag2=2 set_label=c set_tos=4\n", N, "",
	    "tag=1 tag2=2 label=c tos=4" },
	{ "what is not set is the protocol's", "set_tag=1\n", N, "tag=9 tag2=9 tos=9",
	    "tag=1 tag2=9 tos=9" },
	{ "no rule, no change", "! nothing\n", N, "tag=9 tag2=9 tos=9",
	    "tag=9 tag2=9 tos=9" },
	{ "a rule that sets nothing ends the search", "in=1\nset_tag=2\n", N, "in_iface=1",
	    "" },
	{ "for those that it fits", NULL, N, "in_iface=2", "tag=2" },

	/* the first that fits */
	{ "the first of two", "set_tag=1 in=5\nset_tag=2 in=5\n", N, "in_iface=5", "tag=1" },
	{ "the general one first hides the special one",
	    "set_tag=1 ip=192.0.2.0/24\nset_tag=2 ip=192.0.2.1\n", N,
	    "exporter_ip=192.0.2.1", "tag=1" },
	{ "the special one first", "set_tag=1 ip=192.0.2.1\nset_tag=2 ip=192.0.2.0/24\n", N,
	    "exporter_ip=192.0.2.1", "tag=1" },
	{ "the general one for others", NULL, N, "exporter_ip=192.0.2.2", "tag=2" },
	{ "and none beyond", NULL, N, "exporter_ip=192.0.3.2", "" },
	{ "all keys of a rule must fit", "set_tag=1 in=1 out=2\nset_tag=2 in=1\n", N,
	    "in_iface=1 out_iface=3", "tag=2" },
	{ "and do", NULL, N, "in_iface=1 out_iface=2", "tag=1" },
	{ "the order of keys is none", "out=2 set_tag=1 in=1\n", N, "in_iface=1 out_iface=2",
	    "tag=1" },

	/* ip, and the families */
	{ "an exporter", "set_tag=1 ip=192.0.2.1\n", N, "exporter_ip=192.0.2.1", "tag=1" },
	{ "another", NULL, N, "exporter_ip=192.0.2.2", "" },
	{ "an agent of sFlow", NULL, S, "exporter_ip=192.0.2.1", "tag=1" },
	{ "packets have none", NULL, P, "", "" },
	{ "any exporter of IPv4", "set_tag=1 ip=0.0.0.0/0\n", N, "exporter_ip=192.0.2.1",
	    "tag=1" },
	{ "is none of IPv6", NULL, N, "exporter_ip=2001:db8::1", "" },
	{ "nor packets", NULL, P, "", "" },
	{ "any exporter of IPv6", "set_tag=1 ip=::/0\n", N, "exporter_ip=2001:db8::1",
	    "tag=1" },
	{ "is none of IPv4", NULL, N, "exporter_ip=192.0.2.1", "" },
	{ "nor packets", NULL, P, "", "" },
	{ "a prefix of IPv6", "set_tag=1 ip=2001:db8::/32\n", N, "exporter_ip=2001:db8:7::1",
	    "tag=1" },
	{ "beyond it", NULL, N, "exporter_ip=2001:db9::1", "" },
	{ "a rule without ip is for IPv4", "set_tag=1 ip=192.0.2.9\nset_tag=2\n", N,
	    "exporter_ip=192.0.2.1", "tag=2" },
	{ "for IPv6", NULL, N, "exporter_ip=2001:db8::1", "tag=2" },
	{ "and for packets", NULL, P, "", "tag=2" },

	/* numbers */
	{ "in", "set_tag=1 in=4294967295\n", N, "in_iface=4294967295", "tag=1" },
	{ "in is another", NULL, N, "in_iface=1", "" },
	{ "in zero, which is none", "set_tag=1 in=0\n", N, "out_iface=4", "tag=1" },
	{ "out", "set_tag=1 out=7\n", S, "out_iface=7", "tag=1" },
	{ "out is not in", NULL, S, "in_iface=7", "" },
	{ "in of packets", "set_tag=1 in=7\n", P, "in_iface=7", "tag=1" },
	{ "not in", "set_tag=1 in=-7\n", N, "in_iface=8", "tag=1" },
	{ "not in, where it is", NULL, N, "in_iface=7", "" },
	{ "not in, where there is none", NULL, N, "", "tag=1" },
	{ "not out", "set_tag=1 out=-7 in=3\n", N, "in_iface=3 out_iface=8", "tag=1" },
	{ "not out, and it is", NULL, N, "in_iface=3 out_iface=7", "" },
	{ "not out, but in is wrong", NULL, N, "in_iface=4 out_iface=8", "" },
	{ "two negations", "set_tag=1 in=-3 out=-4\n", N, "in_iface=1 out_iface=2",
	    "tag=1" },
	{ "two negations, one fails", NULL, N, "in_iface=1 out_iface=4", "" },
	{ "engine_type", "set_tag=1 engine_type=3\n", N, "engine_type=3", "tag=1" },
	{ "engine_type is another", NULL, N, "engine_type=4", "" },
	{ "engine_id", "set_tag=1 engine_id=9\n", N, "engine_id=9", "tag=1" },
	{ "source_id is the same, of 32 bits", "set_tag=1 source_id=4000000000\n", N,
	    "engine_id=4000000000", "tag=1" },
	{ "not engine_id", "set_tag=1 engine_id=-9\n", N, "engine_id=9", "" },
	{ "flowset_id", "set_tag=1 flowset_id=256\n", N, "flowset_id=256", "tag=1" },
	{ "flowset_id is another", NULL, N, "flowset_id=257", "" },
	{ "agent_id of sFlow", "set_tag=1 agent_id=5\n", S, "export_proto_sysid=5",
	    "tag=1" },
	{ "agent_id is another", NULL, S, "export_proto_sysid=6", "" },
	{ "NetFlow has no agent_id, but a source id", NULL, N, "export_proto_sysid=5", "" },
	{ "packets have none", NULL, P, "export_proto_sysid=5", "" },
	{ "not even negated", "set_tag=1 agent_id=-5\n", N, "export_proto_sysid=6", "" },
	{ "agent_id 0 is of sFlow, too", "set_tag=1 agent_id=0\n", S, "", "tag=1" },
	{ "sampling_rate", "set_tag=1 sampling_rate=512\n", S, "sampling_rate=512", "tag=1" },
	{ "sampling_rate is another", NULL, S, "sampling_rate=513", "" },
	{ "nat_event", "set_tag=1 nat_event=2\n", N, "nat_event=2", "tag=1" },
	{ "fwd_status", "set_tag=1 fwd_status=66\n", N, "fwd_status=66", "tag=1" },
	{ "fwd_status has its reason", NULL, N, "fwd_status=64", "" },
	{ "fwdstatus is the same", "set_tag=1 fwdstatus=66\n", N, "fwd_status=66", "tag=1" },
	{ "mpls_vpn_id_in", "set_tag=1 mpls_vpn_id_in=7\n", N, "ingress_vrf_id=7", "tag=1" },
	{ "is not the way out", NULL, N, "egress_vrf_id=7", "" },
	{ "mpls_vpn_id_out", "set_tag=1 mpls_vpn_id_out=7\n", N, "egress_vrf_id=7", "tag=1" },
	{ "mpls_pw_id", "set_tag=1 mpls_pw_id=70000\n", S, "mpls_pw_id=70000", "tag=1" },
	{ "src_as", "set_tag=1 src_as=4200000000\n", N, "src_as=4200000000", "tag=1" },
	{ "dst_as", "set_tag=1 dst_as=64512\n", N, "dst_as=64512 src_as=1", "tag=1" },
	{ "not dst_as", "set_tag=1 dst_as=-64512\n", N, "dst_as=64513", "tag=1" },
	{ "peer_src_as", "set_tag=1 peer_src_as=64512\n", N, "peer_src_as=64512", "tag=1" },
	{ "peer_dst_as", "set_tag=1 peer_dst_as=64512\n", N, "peer_dst_as=64512", "tag=1" },
	{ "peer_dst_as is not peer_src_as", NULL, N, "peer_src_as=64512", "" },

	/* ports and protocols */
	{ "src_port", "set_tag=1 src_port=443\n", N, "src_port=443 proto=6", "tag=1" },
	{ "src_port of packets", NULL, P, "src_port=443 proto=6", "tag=1" },
	{ "src_port is not dst_port", NULL, N, "dst_port=443 proto=6", "" },
	{ "dst_port", "set_tag=1 dst_port=53\n", N, "dst_port=53", "tag=1" },
	{ "dst_port, not src_port", "set_tag=1 dst_port=53 src_port=-53\n", N,
	    "dst_port=53 src_port=53", "" },
	{ "dst_port, and src_port is another", NULL, N, "dst_port=53 src_port=54", "tag=1" },
	{ "ip_proto by number", "set_tag=1 ip_proto=17\n", N, "proto=17", "tag=1" },
	{ "ip_proto by name", "set_tag=1 ip_proto=udp\n", N, "proto=17", "tag=1" },
	{ "ip_proto is another", NULL, N, "proto=6", "" },
	{ "not ip_proto", "set_tag=1 ip_proto=-tcp\n", N, "proto=6", "" },
	{ "neighbours in the flow do not count", "set_tag=1 src_port=1 ip_proto=6\n", N,
	    "src_port=1 dst_port=65535 proto=6 tos=255 tcpflags=18", "tag=1 tos=255" },
	{ "tcp_flags, these alone", "set_tag=1 tcp_flags=0x12\n", N, "tcpflags=18",
	    "tag=1" },
	{ "tcp_flags, one more", NULL, N, "tcpflags=19", "" },
	{ "tcp_flags are hex, whatever", "set_tag=1 tcp_flags=12\n", N, "tcpflags=18",
	    "tag=1" },
	{ "no tcp_flags", "set_tag=1 tcp_flags=0\n", N, "", "tag=1" },
	{ "not these tcp_flags", "set_tag=1 tcp_flags=-2\n", N, "tcpflags=2", "" },

	/* addresses */
	{ "src_net, a host", "set_tag=1 src_net=198.51.100.7\n", N,
	    "src_host=198.51.100.7", "tag=1" },
	{ "src_net, another", NULL, N, "src_host=198.51.100.8", "" },
	{ "src_net is not the destination", NULL, N, "dst_host=198.51.100.7", "" },
	{ "src_net, a prefix", "set_tag=1 src_net=198.51.100.0/25\n", N,
	    "src_host=198.51.100.127", "tag=1" },
	{ "behind the prefix", NULL, N, "src_host=198.51.100.128", "" },
	{ "not src_net", "set_tag=1 src_net=-198.51.100.0/24\n", N, "src_host=198.51.101.1",
	    "tag=1" },
	{ "not src_net, and it is", NULL, N, "src_host=198.51.100.1", "" },
	{ "not src_net, of the other family", NULL, N, "src_host=2001:db8::1", "tag=1" },
	{ "dst_net of IPv6", "set_tag=1 dst_net=2001:db8::/48\n", N,
	    "dst_host=2001:db8:0:7::1", "tag=1" },
	{ "dst_net of IPv6, another", NULL, N, "dst_host=2001:db8:1:7::1", "" },
	{ "both nets", "set_tag=1 src_net=10.0.0.0/8 dst_net=10.0.0.0/8\n", P,
	    "src_host=10.1.2.3 dst_host=10.3.2.1", "tag=1" },
	{ "both nets, one is not", NULL, P, "src_host=10.1.2.3 dst_host=11.3.2.1", "" },
	{ "lengths apart",
	    "set_tag=1 src_net=10.1.0.0/16\nset_tag=2 src_net=10.0.0.0/8\n"
	    "set_tag=3 src_net=0.0.0.0/0\n",
	    N, "src_host=10.1.9.9", "tag=1" },
	{ "the shorter", NULL, N, "src_host=10.2.9.9", "tag=2" },
	{ "the shortest", NULL, N, "src_host=11.2.9.9", "tag=3" },
	{ "and none", NULL, N, "src_host=2001:db8::1", "" },
	{ "nexthop", "set_tag=1 nexthop=10.0.0.1\n", N, "nexthop=10.0.0.1", "tag=1" },
	{ "nexthop is no BGP next hop", NULL, N, "peer_dst_ip=10.0.0.1", "" },
	{ "not nexthop", "set_tag=1 nexthop=-10.0.0.1\n", N, "nexthop=10.0.0.2", "tag=1" },
	{ "bgp_nexthop", "set_tag=1 bgp_nexthop=10.0.0.1\n", N,
	    "peer_dst_ip=10.0.0.1 nexthop=10.0.0.9", "tag=1" },
	{ "bgp_nexthop is another", NULL, N, "peer_dst_ip=10.0.0.2 nexthop=10.0.0.1", "" },
	{ "where NetFlow gives none, as v5, it is nexthop", NULL, N, "nexthop=10.0.0.1",
	    "tag=1" },
	{ "sFlow knows the two apart", NULL, S, "nexthop=10.0.0.1", "" },
	{ "sFlow's", NULL, S, "peer_dst_ip=10.0.0.1", "tag=1" },
	{ "bgp_nexthop of IPv6", "set_tag=1 bgp_nexthop=2001:db8::1\n", S,
	    "peer_dst_ip=2001:db8::1", "tag=1" },
	{ "src_mac", "set_tag=1 src_mac=00:01:02:03:04:05\n", N,
	    "src_mac=00:01:02:03:04:05", "tag=1" },
	{ "src_mac, another", NULL, N, "src_mac=00:01:02:03:04:06", "" },
	{ "dst_mac", "set_tag=1 dst_mac=00:01:02:03:04:05\n", S,
	    "dst_mac=00:01:02:03:04:05 src_mac=06:00:00:00:00:00", "tag=1" },
	{ "not dst_mac", "set_tag=1 dst_mac=-00:01:02:03:04:05\n", P,
	    "dst_mac=00:01:02:03:04:05", "" },
	{ "is_multicast", "set_tag=1 is_multicast=true\nset_tag=2 is_multicast=false\n", N,
	    "dst_mac=01:00:5e:00:00:01", "tag=1" },
	{ "all stations are a group", NULL, N, "dst_mac=ff:ff:ff:ff:ff:ff", "tag=1" },
	{ "one station is none", NULL, N, "dst_mac=02:00:5e:00:00:01", "tag=2" },

	/* VLANs */
	{ "vlan of packets", "set_tag=1 vlan=100\n", P, "vlan=100", "tag=1" },
	{ "vlan of NetFlow is that on the way in", NULL, N, "vlan=7 in_vlan=100", "tag=1" },
	{ "not that on the way out", NULL, N, "in_vlan=7 out_vlan=100", "" },
	{ "vlan of sFlow is either: in", NULL, S, "vlan=100 out_vlan=7", "tag=1" },
	{ "out", NULL, S, "vlan=7 out_vlan=100", "tag=1" },
	{ "neither", NULL, S, "vlan=7 out_vlan=8", "" },
	{ "not vlan", "set_tag=1 vlan=-100\n", S, "vlan=7 out_vlan=100", "" },
	{ "not vlan, and neither is", NULL, S, "vlan=7 out_vlan=8", "tag=1" },
	{ "not vlan, untagged", NULL, P, "", "tag=1" },
	{ "no vlan", "set_tag=1 vlan=0\n", P, "", "tag=1" },
	{ "cvlan", "set_tag=1 cvlan=5\n", N, "in_cvlan=5 out_cvlan=6", "tag=1" },
	{ "cvlan, not that of the way out", NULL, N, "in_cvlan=6 out_cvlan=5", "" },
	{ "unless it is alone", NULL, N, "out_cvlan=5", "tag=1" },

	/* what a record is */
	{ "sample_type flow is any traffic", "set_tag=1 sample_type=flow\n", N,
	    "sample_type=4294963217", "tag=1" },
	{ "flow-ipv6 is, too", NULL, N, "sample_type=4294963218", "tag=1" },
	{ "an event is none", NULL, N, "sample_type=4294963232", "" },
	{ "sFlow is another matter", NULL, S, "sample_type=1", "" },
	{ "flow-ipv4", "set_tag=1 sample_type=flow-ipv4\n", N, "sample_type=4294963217",
	    "tag=1" },
	{ "flow-ipv4 is not flow-ipv6", NULL, N, "sample_type=4294963218", "" },
	{ "flow-mpls-ipv4", "set_tag=1 sample_type=flow-mpls-ipv4\n", N,
	    "sample_type=4294963221", "tag=1" },
	{ "event", "set_tag=1 sample_type=event\n", N, "sample_type=4294963232", "tag=1" },
	{ "not event", "set_tag=1 sample_type=-event\n", N, "sample_type=4294963232", "" },
	{ "option", "set_tag=1 sample_type=option\n", N, "sample_type=4294963264", "tag=1" },
	{ "enterprise and format", "set_tag=1 sample_type=0:3\n", S, "sample_type=3",
	    "tag=1" },
	{ "another format", NULL, S, "sample_type=1", "" },
	{ "is_bi_flow", "set_tag=1 is_bi_flow=true\n", N, "is_bi_flow=1", "tag=1" },
	{ "is no bi_flow", NULL, N, "", "" },
	{ "is_nel", "set_tag=1 is_nel=false\n", N, "is_nel=0", "tag=1" },
	{ "is_nel, but should not", NULL, N, "is_nel=1", "" },
	{ "is_nsel", "set_tag=1 is_nsel=true\n", N, "is_nsel=1 is_nel=1", "tag=1" },
	{ "direction in", "set_tag=1 direction=0\nset_tag=2 direction=1\n", N,
	    "sampling_direction=1", "tag=1" },
	{ "direction out", NULL, N, "sampling_direction=2", "tag=2" },
	{ "NetFlow without a direction is in", NULL, N, "", "tag=1" },
	{ "sFlow without one is neither", NULL, S, "", "" },
	{ "packets without one, either", NULL, P, "", "" },
	{ "packets in", NULL, P, "sampling_direction=1", "tag=1" },
	{ "packets out", NULL, P, "sampling_direction=2", "tag=2" },
	{ "not in", "set_tag=1 direction=-0\n", N, "sampling_direction=2", "tag=1" },
	{ "not in, but it is", NULL, N, "", "" },
	{ "mpls_vpn_rd", "set_tag=1 mpls_vpn_rd=0:65000:100\n", N,
	    "mpls_vpn_rd=279172874240100", "tag=1" },
	{ "whoever says so", NULL, N, "mpls_vpn_rd=4611965191301628004", "tag=1" },
	{ "another", NULL, N, "mpls_vpn_rd=279172874240101", "" },

	/* filters */
	{ "a filter", "set_tag=1 filter='tcp dst port 80'\n", N,
	    "src_host=10.0.0.1 dst_host=10.0.0.2 proto=6 dst_port=80 etype=2048", "tag=1" },
	{ "does not pass", NULL, N,
	    "src_host=10.0.0.1 dst_host=10.0.0.2 proto=17 dst_port=80 etype=2048", "" },
	{ "a filter, and keys", "set_tag=1 in=3 filter='src net 10.0.0.0/24'\nset_tag=2\n",
	    S, "in_iface=3 src_host=10.0.0.9 dst_host=1.1.1.1 proto=6 etype=2048",
	    "tag=1" },
	{ "it passes, but another key does not", NULL, S,
	    "in_iface=4 src_host=10.0.0.9 dst_host=1.1.1.1 proto=6 etype=2048", "tag=2" },
	{ "keys fit, it does not pass", NULL, S,
	    "in_iface=3 src_host=10.0.1.9 dst_host=1.1.1.1 proto=6 etype=2048", "tag=2" },
	{ "filters one behind the other",
	    "set_tag=1 filter='tcp' jeq=next\nset_tag2=1 filter='udp'\n"
	    "set_tag2=2 filter='src host 10.0.0.9'\nset_tag2=3\n",
	    P, "src_host=10.0.0.9 dst_host=1.1.1.1 proto=6 etype=2048", "tag=1 tag2=2" },
	{ "none of the first passes", NULL, P,
	    "src_host=10.0.0.9 dst_host=1.1.1.1 proto=1 etype=2048", "tag2=2" },
	{ "the second does", NULL, P,
	    "src_host=10.0.0.9 dst_host=1.1.1.1 proto=17 etype=2048", "tag2=1" },
	{ "none does", NULL, P, "src_host=10.0.0.8 dst_host=1.1.1.1 proto=1 etype=2048",
	    "tag2=3" },

	/* jumps */
	{ "in, then out",
	    "set_tag=1 in=1 jeq=out\nset_tag=2 in=2 jeq=out\n"
	    "set_tag2=1 out=1 label=out\nset_tag2=2 out=2\n",
	    N, "in_iface=2 out_iface=2", "tag=2 tag2=2" },
	{ "in alone", NULL, N, "in_iface=1 out_iface=9", "tag=1" },
	{ "out alone", NULL, N, "in_iface=9 out_iface=1", "tag2=1" },
	{ "a jump leaves out what is between",
	    "set_tag=1 in=1 jeq=end\nset_tag2=9\nset_label=z label=end\n", N, "in_iface=1",
	    "tag=1 label=z" },
	{ "others come by there", NULL, N, "in_iface=2", "tag2=9" },
	{ "jeq=next", "set_tag=1 jeq=next\nset_tag2=2\nset_tag2=3\n", N, "",
	    "tag=1 tag2=2" },
	{ "jeq=next of the last rule", "set_tag=1 jeq=next\n", N, "", "tag=1" },
	{ "a jump goes on at that rule, which need not fit",
	    "set_tag=1 jeq=there\nset_tag2=2 in=7 label=there\nset_tag2=3\n", N, "",
	    "tag=1 tag2=3" },
	{ "of two with the name, the next",
	    "set_tag=1 jeq=x\nset_tag2=1 in=1 label=x jeq=x\nset_tag2=2 in=1 label=x\n", N,
	    "in_iface=1", "tag=1 tag2=2" },
	{ "a name that stands before the jump, too",
	    "in=2 label=x\nset_tag=1 jeq=x\nset_tag2=5\nset_label=y label=x\n", N,
	    "in_iface=1", "tag=1 label=y" },
	{ "a later rule sets the tag anew", "set_tag=1 jeq=next\nset_tag=2\n", N, "",
	    "tag=2" },
	{ "a jump to nowhere is none", "set_tag=1 jeq=x\nset_tag2=2\n", N, "", "tag=1" },
	{ "nor is one backwards",
	    "set_tag=1 label=x jeq=next\nset_tag2=2 jeq=x\nset_tag2=3\n", N, "",
	    "tag=1 tag2=2" },
	{ "return=false is nothing", "set_tag=1 jeq=next return=false\nset_tag2=2\n", N, "",
	    "tag=1 tag2=2" },
	{ "return=true ends there", "set_tag=1 jeq=next return=true\nset_tag2=2\n", N, "",
	    "tag=1" },

	/* stacks */
	{ "stack=sum", "set_tag=11000 in=1 jeq=out\nset_tag=100 out=1 label=out stack=sum\n",
	    N, "in_iface=1 out_iface=1", "tag=11100" },
	{ "nothing is there to add to", NULL, N, "in_iface=2 out_iface=1", "tag=100" },
	{ "not what the protocol says", NULL, N, "out_iface=1 tag=7", "tag=100" },
	{ "stack=+", "set_tag2=3 jeq=next\nset_tag2=5 stack=+\n", N, "", "tag2=8" },
	{ "stack=or", "set_tag=3 jeq=next\nset_tag=6 stack=or\n", N, "", "tag=7" },
	{ "the sum of 64 bits wraps",
	    "set_tag=18446744073709551615 jeq=next\nset_tag=2 stack=sum\n", N, "", "tag=1" },
	{ "three of them",
	    "set_tag=1 jeq=next\nset_tag=2 stack=sum jeq=next\nset_tag=4 stack=sum\n", N,
	    "", "tag=7" },
	{ "the other tag has its own", "set_tag=1 jeq=next\nset_tag2=2 stack=sum\n", N,
	    "tag2=5", "tag=1 tag2=2" },
	{ "labels are put behind each other",
	    "set_label=a jeq=next\nset_label=b jeq=next\nset_label=c\n", N, "",
	    "label=a,b,c" },
	{ "but not behind the protocol's", NULL, N, "label=z", "label=a,b,c" },

	/* what there is nothing to compare with */
	{ "communities", "set_tag=1 comms=65000:1\nset_tag=2\n", N, "", "tag=2" },
	{ "v8agg", "set_tag=1 v8agg=3\nset_tag=2\n", N, "", "tag=2" },
};

static void
flow_show(const struct flow *f, char *to, size_t room)
{
	size_t n = 0;

	to[0] = '\0';
	if (f->tag != 0)
		n += (size_t)snprintf(
		    to + n, room - n, " tag=%llu", (unsigned long long)f->tag);
	if (f->tag2 != 0)
		n += (size_t)snprintf(
		    to + n, room - n, " tag2=%llu", (unsigned long long)f->tag2);
	if (f->label != 0)
		n += (size_t)snprintf(
		    to + n, room - n, " label=%s", intern_text(f->label));
	if (f->tos != 0)
		n += (size_t)snprintf(to + n, room - n, " tos=%u", f->tos);
	if (n > 0)
		memmove(to, to + 1, n);
}

/* Each alone, and among others of its map. */
static void
test_cases(void **state)
{
	struct tagmap *m = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow flows[FLOW_BATCH];
		char got[256];

		if (cases[i].map != NULL) {
			tagmap_free(m);
			m = map_of(cases[i].map, 1);
		}
		for (unsigned k = 0; k < FLOW_BATCH; k++)
			flow_of(k % 3 == 0 ? cases[i].flow : "in_iface=77 proto=99",
			    &flows[k]);
		map_apply(m, cases[i].source, flows, FLOW_BATCH);
		for (unsigned k = 0; k < FLOW_BATCH; k += 3) {
			flow_show(&flows[k], got, sizeof(got));
			if (strcmp(got, cases[i].want) != 0)
				fail_msg("%s: want '%s', got '%s'", cases[i].says,
				    cases[i].want, got);
		}
	}
	tagmap_free(m);
}

static const struct {
	const char *says, *map;
	unsigned errors, warnings;
	const char *first; /* in the first complaint */
} faults[] = {
	{ "an unknown key", "set_tag=1\nset_tag=1 prot=6\n", 1, 0,
	    ":2: pre_tag_map: unknown key 'prot'" },
	{ "a negative tag", "set_tag=-1\n", 1, 0, ":1: pre_tag_map: set_tag: '-1' is not" },
	{ "a tag of 65 bits", "set_tag=18446744073709551616\n", 1, 0, "out of range" },
	{ "a tag that is none", "set_tag=x++\n", 1, 0, "set_tag: 'x' is not a decimal" },
	{ "++ alone", "set_tag=++\n", 1, 0, "set_tag: '++' is not" },
	{ "a long tag",
	    "set_tag=00000000000000000000000000000000000000000000000001\n", 1, 0,
	    "is not a tag" },
	{ "a comma in a label", "set_label=a,b\n", 1, 0, "has a ','; write rules with" },
	{ "a bar in a label", "set_label='a|b'\n", 1, 0, "has a '|'" },
	{ "a bar in a name", "set_tag=1 jeq='a|b'\n", 1, 0, "jeq: 'a|b' has a '|'" },
	{ "a TOS of nine bits", "set_tos=256\n", 1, 0, "set_tos: 256 is out of range" },
	{ "stack", "set_tag=1 stack=max\n", 1, 0, "stack: 'max' is neither 'sum' nor 'or'" },
	{ "return", "set_tag=1 return=maybe\n", 1, 0, "return: " },
	{ "jeq to nowhere", "set_tag=1\nset_tag=1 jeq=nowhere\n", 0, 1,
	    ":2: pre_tag_map: the rule ends the search, as jumps go forward only and none "
	    "behind it has label=nowhere" },
	{ "jeq backwards", "set_tag=1 label=x\nset_tag=2 jeq=x\n", 0, 1,
	    ":2: pre_tag_map: the rule ends the search" },
	{ "jeq in a circle", "set_tag=1 label=x jeq=y\nset_tag=2 label=y jeq=x\n", 0, 1,
	    ":2: pre_tag_map: the rule ends the search" },
	{ "jeq to itself", "set_tag=1 label=x jeq=x\n", 0, 1, "has label=x" },
	{ "a rule called next", "set_tag=1 label=next\n", 1, 0, "label=next: 'next' is" },
	{ "the rule that is meant is left out", "set_tag=1 jeq=x\nset_tag=z label=x\n", 1, 1,
	    ":2: pre_tag_map: set_tag" },
	{ "ip is not negated", "set_tag=1 ip=-192.0.2.1\n", 1, 0, "ip: '-192.0.2.1' is" },
	{ "an interface of 33 bits", "set_tag=1 in=4294967296\n", 1, 0, "in: 4294967296" },
	{ "an engine of nine bits", "set_tag=1 engine_type=256\n", 1, 0, "engine_type: 256" },
	{ "a VLAN of 13 bits", "set_tag=1 vlan=4096\n", 1, 0, "vlan: 4096 is out of range" },
	{ "a port of 17 bits", "set_tag=1 src_port=65536\n", 1, 0, "src_port: 65536" },
	{ "direction", "set_tag=1 direction=2\n", 1, 0, "direction: '2' is neither 0" },
	{ "ip_proto", "set_tag=1 ip_proto=tpc\n", 1, 0, "ip_proto: 'tpc' is no IP protocol" },
	{ "ip_proto of nine bits", "set_tag=1 ip_proto=256\n", 1, 0, "ip_proto: '256'" },
	{ "tcp_flags", "set_tag=1 tcp_flags=SYN\n", 1, 0, "tcp_flags: 'SYN' are no TCP" },
	{ "tcp_flags of 17 bits", "set_tag=1 tcp_flags=10000\n", 1, 0, "tcp_flags: '10000'" },
	{ "tcp_flags with two signs", "set_tag=1 tcp_flags=--2\n", 1, 0, "tcp_flags: '-2'" },
	{ "sample_type", "set_tag=1 sample_type=flows\n", 1, 0, "sample_type: " },
	{ "is_nel", "set_tag=1 is_nel=1\n", 1, 0, "is_nel: " },
	{ "src_net", "set_tag=1 src_net=10.0.0.0/33\n", 1, 0, "src_net: '10.0.0.0/33'" },
	{ "src_mac", "set_tag=1 src_mac=00:01\n", 1, 0, "src_mac: '00:01' is not a MAC" },
	{ "mpls_vpn_rd", "set_tag=1 mpls_vpn_rd=65000:1\n", 1, 0, "no route distinguisher" },
	{ "a filter", "set_tag=1\nset_tag=1 filter='tcp porrt 80'\n", 1, 0,
	    ":2: pre_tag_map: " },
	{ "no value", "set_tag= ip=0.0.0.0/0\n", 1, 0, "'set_tag=' is no rule's word" },
	{ "communities", "set_tag=1 comms=65000:1\n", 0, 1,
	    ":1: pre_tag_map: the rule fits nothing, as weir has nothing to compare with "
	    "comms" },
	{ "return=true and a jump", "set_tag=1 jeq=next return=true\n", 0, 1,
	    "return=true ends the search, as a flow is counted once" },
	{ "return=true alone", "set_tag=1 return=true\n", 0, 0, NULL },
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct problems ps = { 0 };
		struct err e = ERR_INIT;
		struct tagmap *m;

		scratch_write(faults[i].map);
		m = tagmap_load(scratch_path, 1, &ps, &e);
		assert_non_null(m);
		if (ps.n_errors != faults[i].errors ||
		    ps.n != faults[i].errors + faults[i].warnings)
			fail_msg("%s: %zu errors of %zu problems: %s", faults[i].says,
			    ps.n_errors, ps.n, ps.n > 0 ? ps.list[0].text : "");
		if (ps.n > 0 && strstr(ps.list[0].text, faults[i].first) == NULL)
			fail_msg("%s: %s", faults[i].says, ps.list[0].text);
		problems_free(&ps);
		tagmap_free(m);
	}
}

/* What nobody writes, but may be there. */
static void
test_hostile(void **state)
{
	static const char piece[] = "set_tag=1 comms=65000:1\n";
	static const size_t lengths[] = { 10U << 20, 16383, 16384 };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	char *file = malloc((10U << 20) + 32);
	struct tagmap *m;

	(void)state;
	assert_non_null(file);
	/* One line, of ten megabytes. */
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(file, 'x', lengths[i]);
		memcpy(file, "set_label=", 10);
		memcpy(file + lengths[i], "\nset_tag=2\n", 11);
		scratch_put(file, lengths[i] + 11);
		m = tagmap_load(scratch_path, 1, &ps, &e);
		assert_int_equal(tagmap_rules(m), lengths[i] == 16383 ? 2 : 1);
		assert_int_equal(ps.n_errors, lengths[i] != 16383);
		tagmap_free(m);
		problems_free(&ps);
		memset(&ps, 0, sizeof(ps));
	}
	/* Many complaints are not more than a few. */
	for (size_t i = 0; i < 20000; i++)
		memcpy(file + i * (sizeof(piece) - 1), piece, sizeof(piece) - 1);
	scratch_put(file, 20000 * (sizeof(piece) - 1));
	m = tagmap_load(scratch_path, 1, &ps, &e);
	assert_int_equal(tagmap_rules(m), 20000);
	assert_int_equal(ps.n, 20);
	assert_non_null(strstr(ps.list[19].text, "is not told"));
	tagmap_free(m);
	problems_free(&ps);
	memset(&ps, 0, sizeof(ps));
	/* NULs, and no text at all. */
	for (size_t i = 0; i < 4096; i++)
		file[i] = (char)(i * 7 + i / 256);
	scratch_put(file, 4096);
	m = tagmap_load(scratch_path, 1, &ps, &e);
	assert_int_equal(tagmap_rules(m), 0);
	assert_true(ps.n_errors > 0);
	tagmap_free(m);
	problems_free(&ps);
	free(file);
	assert_null(tagmap_load("/nonexistent/pretag.map", 1, &ps, &e));
	assert_non_null(strstr(e.text, "pre_tag_map /nonexistent/pretag.map: "));
}

/* A series goes on over batches and workers; so do counts of matches. */
static void
test_workers(void **state)
{
	struct tagmap *m =
	    map_of("! first\n\nset_tag=5++ in=1\nset_tag=7\tset_tag2=100++\n", 2);
	struct batch b = { .source = N, .columns = columns };

	(void)state;
	for (unsigned k = 0; k < 6; k++) {
		struct flow flows[3];

		for (unsigned i = 0; i < 3; i++)
			flow_of(i == 1 ? "in_iface=2" : "in_iface=1", &flows[i]);
		b.flows = flows;
		b.n = 3;
		b.worker = k % 2;
		tagmap_apply(m, &b);
		assert_int_equal(flows[0].tag, 5 + 2 * k);
		assert_int_equal(flows[2].tag, 6 + 2 * k);
		assert_int_equal(flows[1].tag, 7);
		assert_int_equal(flows[1].tag2, 100 + k);
	}
	assert_int_equal(tagmap_rules(m), 2);
	assert_string_equal(tagmap_line(m, 0).file, scratch_path);
	assert_int_equal(tagmap_line(m, 0).line, 3);
	assert_string_equal(tagmap_line(m, 0).text, "set_tag=5++ in=1");
	assert_int_equal(tagmap_line(m, 0).matches, 12);
	assert_int_equal(tagmap_line(m, 1).line, 4);
	assert_int_equal(tagmap_line(m, 1).matches, 6);
	tagmap_free(m);
}

/* What becomes of a flow does not depend on those beside it in the batch. */
static void
test_neighbours(void **state)
{
	static const struct {
		const char *says, *map, *flow[2];
		uint64_t tag[2];
	} pairs[] = {
		{ "each has a filter of its own, and all of the first pass",
		    "set_tag=1 in=1 filter='tcp'\nset_tag=2 in=2 filter='udp'\n",
		    { "in_iface=1 proto=6 etype=2048", "in_iface=2 proto=17 etype=2048" },
		    { 1, 2 } },
		{ "a filter sees the tos that was set before it",
		    "set_tos=184 in=1 jeq=next\nset_tag=9 filter='ip[1]=184'\n",
		    { "in_iface=1 proto=6 etype=2048", "in_iface=2 proto=6 etype=2048" },
		    { 9, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct tagmap *m = map_of(pairs[i].map, 1);

		/* Alone, and beside the other. */
		for (unsigned n = 1; n <= 2; n++) {
			struct flow flows[2];

			for (unsigned k = 0; k < 2; k++)
				flow_of(pairs[i].flow[k], &flows[k]);
			map_apply(m, N, flows, n);
			for (unsigned k = 0; k < n; k++)
				if (flows[k].tag != pairs[i].tag[k])
					fail_msg("%s: of %u, flow %u has tag %llu", pairs[i].says, n, k,
					    (unsigned long long)flows[k].tag);
		}
		tagmap_free(m);
	}
}

/* More labels together than a worker keeps at hand, and such as are too long. */
static void
test_joined_labels(void **state)
{
	char map[100 * 64] = "", word[512];
	struct tagmap *m;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		n += (size_t)snprintf(map + n, sizeof(map) - n,
		    "set_label=in%u in=%u jeq=out\n", i, i);
	n += (size_t)snprintf(map + n, sizeof(map) - n, "in=99 label=out\n");
	for (unsigned i = 0; i < 32; i++)
		n += (size_t)snprintf(
		    map + n, sizeof(map) - n, "set_label=out%u out=%u\n", i, i);
	m = map_of(map, 1);
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < 32 * 32; i++) {
			struct flow f = { .in_iface = i % 32, .out_iface = i / 32 };

			map_apply(m, N, &f, 1);
			snprintf(word, sizeof(word), "in%u,out%u", i % 32, i / 32);
			assert_string_equal(intern_text(f.label), word);
		}
	tagmap_free(m);

	memset(word, 'a', 200);
	snprintf(map, sizeof(map), "set_label=%.200s jeq=next\nset_label=b%.199s\n", word,
	    word);
	m = map_of(map, 1);
	for (unsigned turn = 0; turn < 2; turn++) {
		struct flow f = { .in_iface = 1 };

		map_apply(m, N, &f, 1);
		assert_int_equal(strlen(intern_text(f.label)), INTERN_MAX_LEN);
		assert_memory_equal(intern_text(f.label) + 200, ",baaa", 5);
	}
	tagmap_free(m);
}

/* The members that its rules compare, no others. */
static void
test_reads(void **state)
{
	static const struct {
		const char *map, *reads;
	} rows[] = {
		{ "set_tag=1\n", "none" },
		{ "set_tag=1 in=1\n", "in_iface" },
		{ "set_tag=1 ip=10.0.0.1 src_net=10.0.0.0/8\nset_tag=1 out=-3\n",
		    "exporter_ip,src_host,out_iface" },
		{ "set_tag=1 vlan=3\n", "vlan,in_vlan,out_vlan" },
		{ "set_tag=1 bgp_nexthop=10.0.0.1\n", "peer_dst_ip,nexthop" },
		{ "set_tag=1 agent_id=3\n", "export_proto_sysid" },
		{ "set_tag=1 is_multicast=true\n", "dst_mac" },
		{ "set_tag=1 comms=1:1 in=1\n", "none" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tagmap *m = map_of(rows[i].map, 1);
		struct field_set reads = { { 0 } }, want;

		assert_int_equal(field_set_parse(rows[i].reads, &want, NULL), 0);
		tagmap_reads(m, &reads);
		if (memcmp(&reads, &want, sizeof(want)) != 0)
			fail_msg("%s", rows[i].map);
		assert_int_equal(tagmap_reach(m), 0);
		tagmap_free(m);
	}
	{
		struct tagmap *m = map_of("set_tag=1 filter='src port 5'\n", 1);
		struct field_set reads = { { 0 } };

		tagmap_reads(m, &reads);
		assert_true(field_set_has(&reads, F_SRC_PORT));
		assert_true(tagmap_reach(m) > 14);
		tagmap_link(m, 1);
		tagmap_free(m);
	}
}

static int
enter(void **state)
{
	struct field_set all;

	memset(&all, 0xff, sizeof(all));
	columns = columns_new(&all);
	return columns != NULL ? scratch_make(state) : -1;
}

static int
leave(void **state)
{
	columns_free(columns);
	return scratch_remove(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_joined_labels),
		cmocka_unit_test(test_reads),
	};

	return cmocka_run_group_tests_name("tagmap", tests, enter, leave);
}
