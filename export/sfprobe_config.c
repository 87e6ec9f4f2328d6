/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/sfprobe_config.h"

#include "export/dress.h"
#include "export/message.h"
#include "export/sfprobe.h"

#define AT(member) offsetof(struct sfprobe_config, member)
static const struct directive sfprobe_rows[] = {
	{ .name = "sfprobe_receiver", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.receiver), .def = "127.0.0.1:6343",
	    .doc = "Where samples are sent, ADDRESS:PORT or NAME:PORT." },
	{ .name = "sfprobe_receivers", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.receivers), .reload = DIRECTIVE_RELOAD,
	    .doc = "File of pools of receivers, in place of sfprobe_receiver. A line is "
	           "id=NUMBER ip=ADDRESS:PORT[,ADDRESS:PORT] and, as it may be, "
	           "balance-alg=failover (to the first that is there; without it: to all), "
	           "src_port=PORT (to send from)." },
	{ .name = "sfprobe_agentip", .type = DIRECTIVE_IP, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(agent),
	    .doc = "Address by which the agent calls itself, IPv4 or IPv6. None: "
	           "sfprobe_source_ip, else the one that this host sends from." },
	{ .name = "sfprobe_agentsubid", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(sub_agent), .def = "1402", .doc = "Number of the sub-agent." },
	{ .name = "sfprobe_source_ip", .type = DIRECTIVE_IP, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.source), .doc = "Address to send from." },
	{ .name = "sfprobe_direction", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(direction), .words = DRESS_DIRECTIONS, .def = "none",
	    .doc = "Direction in which packets are said to be sampled, if not as they tell "
	           "themselves; by tag or tag2: 1 is in, 2 is out. The interface of that "
	           "side is the data source." },
	{ .name = "sfprobe_ifindex", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(ifindex),
	    .doc = "Number of the interface of packets that have none: a number, 'tag' or "
	           "'tag2'. It is that of the way in, or of the way out where that is the "
	           "direction." },
	{ .name = "sfprobe_ifindex_override", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(ifindex_override), .def = "false",
	    .doc = "sfprobe_ifindex counts also for packets that have one." },
	{ .name = "sfprobe_ifspeed", .type = DIRECTIVE_U64, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(ifspeed), .unit = "bit/s",
	    .doc = "Speed of interfaces in counter samples. 0: as the system knows it, else "
	           "100000000." },
	{ .name = "sfprobe_hoplimit", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.hop_limit), .max = 255,
	    .doc = "TTL or hop limit of what is sent, 1 to 255; 0: the system's." },
	{ .name = "sfprobe_ipprec", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.ip_precedence), .max = 7,
	    .doc = "IP precedence of what is sent, 0 to 7." },
	{ .name = "sfprobe_peer_as", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(peer_as), .def = "false",
	    .doc = "Tell neighbouring AS in place of those where packets come from and go "
	           "to." },
	{ .name = "sfprobe_counter_interval", .type = DIRECTIVE_SECONDS,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(counter_interval), .max = 86400,
	    .def = "20",
	    .unit = "s",
	    .doc = "How often counters of the interfaces that packets are captured from "
	           "are sent; 0: never." },
	{ .name = "sfprobe_header_octets", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(header_octets), .min = 32, .max = 1024, .def = "128", .unit = "octets",
	    .doc = "How much of each frame is sent." },
	{ .name = "sfprobe_mtu", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(mtu), .min = MESSAGE_MTU_MIN, .max = MESSAGE_MTU_MAX, .def = "1448",
	    .unit = "octets",
	    .doc = "The longest IP packet that is sent; shorter where the way to a "
	           "receiver is." },
	{ .name = "sfprobe_pipe_size", .type = DIRECTIVE_OCTETS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(to.pipe_size), .max = 1U << 30, .unit = "octets",
	    .doc = "Send buffer of the socket of each receiver." },
	{ .name = NULL },
};
#undef AT

const struct directive_set sfprobe_directives = { "sfprobe", sfprobe_rows,
	sizeof(struct sfprobe_config) };
