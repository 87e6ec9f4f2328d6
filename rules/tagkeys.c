/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/tagkeys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flow/field.h"
#include "flow/protos.h"
#include "flow/sample_type.h"
#include "lib/intern.h"
#include "rules/rd.h"

/* N, or N++ */
static int
parse_tag(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	struct tagkeys_tag *tag = at;
	size_t len = strlen(text);
	char number[32];

	tag->counts = len > 2 && strcmp(text + len - 2, "++") == 0;
	if (tag->counts)
		len -= 2;
	if (len >= sizeof(number))
		return err_set(why, WEIR_EINVAL,
		    "'%.64s' is not a tag; write a number up to 2^64-1, or one and '++'",
		    text);
	memcpy(number, text, len);
	number[len] = '\0';
	return mapfile_u64(k, number, &tag->value, why);
}

/* Name of a rule. */
static int
parse_name(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	if (strchr(text, '|') != NULL)
		return err_set(why, WEIR_EINVAL,
		    "'%.64s' has a '|', which stands in no map", text);
	return mapfile_text(k, text, at, why);
}

/* Text that others are put behind with a comma. */
static int
parse_label(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	if (strchr(text, ',') != NULL)
		return err_set(why, WEIR_EINVAL,
		    "'%.64s' has a ','; write rules with a label each, of which the first "
		    "has jeq=next",
		    text);
	return parse_name(k, text, at, why);
}

static int
parse_stack(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	static const struct {
		const char *word;
		enum tagkeys_stack stack;
	} words[] = { { "sum", STACK_SUM }, { "+", STACK_SUM }, { "or", STACK_OR } };

	(void)k;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, text) == 0) {
			*(uint8_t *)at = (uint8_t)words[i].stack;
			return 0;
		}
	return err_set(why, WEIR_EINVAL, "'%.64s' is neither 'sum' nor 'or'", text);
}

static int
parse_sample_type(
    const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	struct tagkeys_sample *sample = at;
	unsigned bits = 32;
	int rc = sample_type_parse(text, &sample->type, &bits, why);

	(void)k;
	sample->bits = bits;
	return rc;
}

static int
parse_direction(
    const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	(void)k;
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return err_set(why, WEIR_EINVAL,
		    "'%.64s' is neither 0, on the way in, nor 1, on the way out", text);
	*(uint8_t *)at = text[0] == '0' ? DIRECTION_IN : DIRECTION_OUT;
	return 0;
}

static int
parse_proto(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	int proto = proto_number(text);

	(void)k;
	if (proto < 0 || proto > UINT8_MAX)
		return err_set(why, WEIR_EINVAL,
		    "'%.64s' is no IP protocol; write a name like tcp, or a number up to "
		    "255",
		    text);
	*(uint8_t *)at = (uint8_t)proto;
	return 0;
}

static int
parse_flags(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	char *end;
	unsigned long flags;

	(void)k;
	errno = 0;
	flags = strtoul(text, &end, 16);
	if (errno != 0 || *end != '\0' || strpbrk(text, "+- ") != NULL ||
	    flags > UINT16_MAX)
		return err_set(why, WEIR_EINVAL,
		    "'%.64s' are no TCP flags; write them in hex, like 0x12", text);
	memcpy(at, &(uint16_t){ (uint16_t)flags }, sizeof(uint16_t));
	return 0;
}

/* Name of a class, which a flow has as a number. */
static int
parse_class(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	uint32_t id = intern(text, strlen(text));

	(void)k;
	if (id == 0)
		return err_set(why, WEIR_EINVAL,
		    "'%.64s' is no class; write one as `weir show` has it, like TLS/Google, "
		    "or unknown",
		    text);
	memcpy(at, &id, sizeof(id));
	return 0;
}

/* clang-format off */
#define AT(value) .offset = offsetof(struct tagkeys, value)
#define WITH(member) \
	.at = offsetof(struct flow, member), .octets = sizeof(((struct flow *)0)->member)
#define OR(member) .also = offsetof(struct flow, member)
#define NOT .negates = true
const struct mapfile_key tagkeys_rows[] = {
	[TAGKEYS_TAG] = { "set_tag", parse_tag, AT(tag), .doc = "The number `tag`; with `++` behind it, one more at each use." },
	[TAGKEYS_TAG2] = { "set_tag2", parse_tag, AT(tag2), .doc = "The number `tag2`, likewise." },
	[TAGKEYS_SET_LABEL] = { "set_label", parse_label, AT(set_label), .doc = "The text `label`; behind one that an earlier rule set, and a comma." },
	[TAGKEYS_SET_TOS] = { "set_tos", mapfile_u32, AT(set_tos), .max = UINT8_MAX, .doc = "The number `tos`." },
	[TAGKEYS_LABEL] = { "label", parse_name, AT(label), .doc = "Gives the rule a name, for `jeq`. Several may have the same." },
	[TAGKEYS_JEQ] = { "jeq", parse_name, AT(jeq), .doc = "Goes on at the first rule of that name behind this one; `next`: at the one behind it." },
	[TAGKEYS_STACK] = { "stack", parse_stack, AT(stack), .doc = "What becomes of tags that an earlier rule set: `sum` (or `+`) adds this one, `or` ORs it." },
	[TAGKEYS_RETURN] = { "return", mapfile_bool, AT(end_here), .doc = "`true` ends here, whatever `jeq` says." },
	[TAGKEYS_FILTER] = { "filter", mapfile_text, AT(filter), .doc = "An expression as tcpdump has it, in single quotes: pcap-filter(7)." },
	[TAGKEYS_AGENT_ID] = { "agent_id", mapfile_uint, AT(agent_id), WITH(export_proto_sysid), NOT, .doc = "Sub-agent of sFlow; others have none." },
	[TAGKEYS_SAMPLE_TYPE] = { "sample_type", parse_sample_type, AT(sample_type), WITH(sample_type), NOT, .doc = "`flow`, or more closely `flow-ipv4`, `flow-ipv6`, `flow-mpls-ipv4`, `flow-mpls-ipv6`; `event`; `option`; of sFlow enterprise:format of the sample." },
	[TAGKEYS_DIRECTION] = { "direction", parse_direction, AT(direction), WITH(sampling_direction), NOT, .doc = "0 on the way in, 1 on the way out. NetFlow that does not tell is on the way in." },
	[TAGKEYS_BGP_NEXTHOP] = { "bgp_nexthop", mapfile_ip, AT(bgp_nexthop), WITH(peer_dst_ip), NOT, .doc = "BGP next hop; of NetFlow without one, as v5, the next hop." },
	[TAGKEYS_VLAN] = { "vlan", mapfile_uint, AT(vlan), WITH(vlan), NOT, .max = 4095, .doc = "VLAN: of packets that of the frame, of NetFlow that on the way in, of sFlow either side's." },
	[TAGKEYS_MORE] = { "ip", mapfile_prefix, AT(ip), WITH(exporter_ip), .prefix = true, .doc = "Sender of NetFlow and IPFIX, agent of sFlow: an address or a prefix. Packets have none." },
	{ "in", mapfile_uint, AT(in), WITH(in_iface), NOT, .doc = "Input interface." },
	{ "out", mapfile_uint, AT(out), WITH(out_iface), NOT, .doc = "Output interface." },
	{ "engine_type", mapfile_uint, AT(engine_type), WITH(engine_type), NOT, .doc = "Type of the engine: NetFlow v5, v7, v8." },
	{ "engine_id", mapfile_uint, AT(engine_id), WITH(engine_id), NOT, .doc = "Engine of NetFlow v5, v7 and v8, source id of v9, domain of IPFIX, data source of sFlow." },
	{ "flowset_id", mapfile_uint, AT(flowset_id), WITH(flowset_id), NOT, .doc = "Id of the data set: NetFlow v9, IPFIX." },
	{ "sampling_rate", mapfile_uint, AT(sampling_rate), WITH(sampling_rate), NOT, .doc = "Sampling rate, 1 in so many, once `sampling_map` is through." },
	{ "is_bi_flow", mapfile_bool, AT(is_bi_flow), WITH(is_bi_flow), NOT, .doc = "Whether the template counts both ways." },
	{ "is_nel", mapfile_bool, AT(is_nel), WITH(is_nel), NOT, .doc = "Whether the template is of NetFlow Event Logging." },
	{ "is_nsel", mapfile_bool, AT(is_nsel), WITH(is_nsel), NOT, .doc = "Whether the template is of NetFlow Secure Event Logging." },
	{ "nat_event", mapfile_uint, AT(nat_event), WITH(nat_event), NOT, .doc = "Event of address translation." },
	{ "nexthop", mapfile_ip, AT(nexthop), WITH(nexthop), NOT, .doc = "Next hop." },
	{ "src_mac", mapfile_mac, AT(src_mac), WITH(src_mac), NOT, .doc = "Source MAC address." },
	{ "dst_mac", mapfile_mac, AT(dst_mac), WITH(dst_mac), NOT, .doc = "Destination MAC address." },
	{ "cvlan", mapfile_uint, AT(cvlan), WITH(in_cvlan), OR(out_cvlan), .stands_in = true, NOT, .max = 4095, .doc = "Customer VLAN, on the way in, else on the way out." },
	{ "src_net", mapfile_prefix, AT(src_net), WITH(src_host), .prefix = true, NOT, .doc = "Source address, or a prefix of it." },
	{ "dst_net", mapfile_prefix, AT(dst_net), WITH(dst_host), .prefix = true, NOT, .doc = "Destination address, likewise." },
	{ "ip_proto", parse_proto, AT(ip_proto), WITH(proto), NOT, .doc = "IP protocol, by name or number." },
	{ "src_port", mapfile_uint, AT(src_port), WITH(src_port), NOT, .doc = "Source port." },
	{ "dst_port", mapfile_uint, AT(dst_port), WITH(dst_port), NOT, .doc = "Destination port." },
	{ "tcp_flags", parse_flags, AT(tcp_flags), WITH(tcp_flags), NOT, .doc = "TCP flags in hex: these, and no others." },
	{ "is_multicast", mapfile_bool, AT(is_multicast), .at = offsetof(struct flow, dst_mac), .octets = 1, .mask = 1, NOT, .doc = "Whether the destination MAC address is of a group." },
	{ "fwd_status", mapfile_uint, AT(fwd_status), WITH(fwd_status), NOT, .doc = "Forwarding status, all eight bits." },
	{ "mpls_vpn_id_in", mapfile_uint, AT(vpn_in), WITH(ingress_vrf_id), NOT, .doc = "VRF that the traffic came in by." },
	{ "mpls_vpn_id_out", mapfile_uint, AT(vpn_out), WITH(egress_vrf_id), NOT, .doc = "VRF that the traffic goes out by." },
	{ "mpls_vpn_rd", rd_read, AT(mpls_vpn_rd), WITH(mpls_vpn_rd), .mask = (UINT64_C(1) << RD_ORIGIN_SHIFT) - 1, NOT, .doc = "Route distinguisher that the exporter gave." },
	{ "mpls_pw_id", mapfile_uint, AT(mpls_pw_id), WITH(mpls_pw_id), NOT, .doc = "Pseudowire." },
	{ "src_as", mapfile_uint, AT(src_as), WITH(src_as), NOT, .doc = "Source AS, as the exporter tells it." },
	{ "dst_as", mapfile_uint, AT(dst_as), WITH(dst_as), NOT, .doc = "Destination AS, likewise." },
	{ "peer_src_as", mapfile_uint, AT(peer_src_as), WITH(peer_src_as), NOT, .doc = "Neighbouring AS that the traffic came from." },
	{ "peer_dst_as", mapfile_uint, AT(peer_dst_as), WITH(peer_dst_as), NOT, .doc = "Neighbouring AS that the traffic goes to." },
	{ "class", parse_class, AT(class_id), WITH(class_id), NOT, .doc = "Class, whole and as it is spelt, like `TLS/Google`; `unknown` is one. What was counted before its class was known gets the tags of its class, too." },
	{ "comms", mapfile_text, AT(elsewhere), .doc = "Communities. weir speaks no BGP: the rule fits nothing, with a warning." },
	{ "src_comms", mapfile_text, AT(elsewhere), .doc = "The same." },
	{ "local_pref", mapfile_text, AT(elsewhere), .doc = "Local preference: the same." },
	{ "src_local_pref", mapfile_text, AT(elsewhere), .doc = "The same." },
	{ "src_roa", mapfile_text, AT(elsewhere), .doc = "Route origin validation: the same." },
	{ "dst_roa", mapfile_text, AT(elsewhere), .doc = "The same." },
	{ "v8agg", mapfile_text, AT(elsewhere), .doc = "Aggregation of NetFlow v8: the same." },
	{ "id", .alias_of = "set_tag" },
	{ "id2", .alias_of = "set_tag2" },
	{ "source_id", .alias_of = "engine_id" },
	{ "fwdstatus", .alias_of = "fwd_status" },
	{ .name = NULL },
};
#define ROWS (sizeof(tagkeys_rows) / sizeof(tagkeys_rows[0]))

/*
 * What is another member for flows of one source: packets have the VLAN of their frame,
 * NetFlow tells the one on the way in, sFlow both. NetFlow that tells no direction is on the
 * way in, as for pmacct, and of v5 the next hop is BGP's as well as IP's.
 */
static const struct variant {
	enum tagkeys_row row;
	enum flow_source source;
	bool never; /* they have no such thing */
	struct mapfile_key key; /* what is compared */
} variants[] = {
	{ TAGKEYS_VLAN, SOURCE_NETFLOW, .key = { WITH(in_vlan) } },
	{ TAGKEYS_VLAN, SOURCE_SFLOW, .key = { WITH(vlan), OR(out_vlan) } },
	{ TAGKEYS_DIRECTION, SOURCE_NETFLOW, .key = { WITH(sampling_direction), .mask = DIRECTION_OUT } },
	{ TAGKEYS_BGP_NEXTHOP, SOURCE_NETFLOW, .key = { WITH(peer_dst_ip), OR(nexthop), .stands_in = true } },
	{ TAGKEYS_AGENT_ID, SOURCE_NETFLOW, .never = true },
	{ TAGKEYS_AGENT_ID, SOURCE_PACKETS, .never = true },
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))
#undef NOT
#undef OR
#undef WITH
#undef AT
/* clang-format on */

_Static_assert(ROWS - 1 <= MAPFILE_KEYS, "a bit of `given` for each key");

const char *
tagkeys_elsewhere(const struct mapfile_rule *r)
{
	for (unsigned i = 0; i < ROWS - 1; i++)
		if (tagkeys_rows[i].offset == offsetof(struct tagkeys, elsewhere) &&
		    mapfile_has(r, i))
			return tagkeys_rows[i].name;
	return NULL;
}

bool
tagkeys_differ(const struct mapfile_rule *r)
{
	for (size_t i = 0; i < VARIANTS; i++)
		if (mapfile_has(r, variants[i].row))
			return true;
	return false;
}

/* Put what `v` compares in place of what `k` does. */
static void
key_vary(struct mapfile_key *k, const struct variant *v)
{
	k->at = v->key.at;
	k->also = v->key.also;
	k->stands_in = v->key.stands_in;
	k->octets = v->key.octets;
	k->mask = v->key.mask;
}

int
tagkeys_terms(enum flow_source source, const struct mapfile_rule *r,
    const struct tagkeys *values, struct term *terms)
{
	struct mapfile_key keys[ROWS];
	struct mapfile own = { .keys = tagkeys_rows };

	if (tagkeys_differ(r) || mapfile_has(r, TAGKEYS_SAMPLE_TYPE)) {
		memcpy(keys, tagkeys_rows, sizeof(keys));
		keys[TAGKEYS_SAMPLE_TYPE].mask =
		    UINT32_MAX - (UINT32_MAX >> values->sample_type.bits % 32);
		own.keys = keys;
	}
	for (size_t i = 0; i < VARIANTS; i++) {
		const struct variant *v = &variants[i];

		if (v->source != source || !mapfile_has(r, v->row))
			continue;
		if (v->never)
			return -1;
		key_vary(&keys[v->row], v);
	}
	return (int)term_collect(&own, r, values, terms);
}
