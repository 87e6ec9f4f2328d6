/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/nfrecord.h"

#include <string.h>

#include "core/stats.h"
#include "lib/hash.h"
#include "proto/biflow.h"

#define V5_PARTS 16U /* records of v5 that one with large counters becomes */

static bool
kind_is_both(enum nfrecord_kind kind)
{
	return kind == NFRECORD_BOTH || kind == NFRECORD_BOTH_TURNED;
}

static void
env_classify(const struct nfrecords *n, struct encode_env *env, uint32_t class_id)
{
	env->class_id = class_id;
	if (n->applications != NULL)
		env->application = applications_id(n->applications, class_id);
}

/* The number of the template of records of `kind`. */
static unsigned
template_of(enum nfrecord_kind kind, unsigned family)
{
	return family + (kind_is_both(kind) ? ENCODE_FAMILIES : 0);
}

/* ---------------------------------------------------------------- layouts */

/* Whether rows of `set` are streams, of one class each. */
static bool
are_streams(const struct field_set *set)
{
	static const enum field_no tuple[] = { F_SRC_HOST, F_DST_HOST, F_SRC_PORT, F_DST_PORT,
		F_PROTO };

	for (size_t i = 0; i < sizeof(tuple) / sizeof(tuple[0]); i++)
		if (!field_set_has(set, tuple[i]))
			return false;
	return true;
}

/* Rows of the cache: what records tell, but for what the cache itself knows better. */
static void
rows_lay_out(struct nfrecords *n, bool biflow)
{
	struct field_set set = n->told;

	/* A row that is told the other way round needs what no record tells of itself, too. */
	for (int i = 0; biflow && i < FIELD_COUNT; i++)
		if (field_set_has(&n->told, (enum field_no)i))
			field_set_add(&set, biflow_mirror((enum field_no)i));
	field_set_remove(&set, F_FLOW_END_REASON);
	for (int i = 0; i < FIELD_COUNT; i++)
		if (fields[i].value == FIELD_TIME)
			field_set_remove(&set, (enum field_no)i);
	if (n->lanes > 1 && n->by_agent) {
		field_set_add(&set, F_EXPORTER_IP);
	} else if (n->lanes > 1) {
		field_set_add(&set, F_SRC_HOST);
		field_set_add(&set, F_DST_HOST);
	}
	n->classes_beside = field_set_has(&set, F_CLASS) && are_streams(&set);
	if (n->classes_beside)
		field_set_remove(&set, F_CLASS);
	rowspec_compile(&n->rs, &set);
}

void
nfrecords_compile(struct nfrecords *n, const struct encode_options *o, bool biflow)
{
	rows_lay_out(n, biflow);
	encode_addresses_find(&n->in_flow, &n->told, NULL);
	encode_addresses_find(&n->in_row, &n->told, n->rs.offset);
	for (int k = 0; k < NFRECORD_KINDS; k++)
		for (unsigned family = 0; family < ENCODE_FAMILIES; family++) {
			struct encode_options one = *o;

			one.mirror = k == NFRECORD_TURNED || k == NFRECORD_BOTH_TURNED;
			one.reverse = kind_is_both((enum nfrecord_kind)k);
			one.end_reason = k != NFRECORD_FLOW;
			one.class_given = true;
			one.application = n->applications != NULL;
			one.family = family;
			one.offsets = k == NFRECORD_FLOW ? NULL : n->rs.offset;
			encode_compile(&n->layouts[k][family], &n->told, &one);
		}
}

const struct encode *
nfrecords_template(const struct nfrecords *n, unsigned tmpl, bool biflow)
{
	unsigned family = tmpl % ENCODE_FAMILIES;

	if (((family & ENCODE_IPV6_OTHER) != 0 && n->in_flow.n_other == 0) ||
	    ((family & ENCODE_IPV6_FLOW) != 0 && n->in_flow.n_flow == 0))
		return NULL;
	if (tmpl < ENCODE_FAMILIES)
		return &n->layouts[NFRECORD_FLOW][family];
	return biflow && tmpl < 2 * ENCODE_FAMILIES ? &n->layouts[NFRECORD_BOTH][family] : NULL;
}

bool
nfrecords_divide(const struct nfrecords *n, bool by_agent)
{
	const struct field_set *set = &n->rs.set;

	return by_agent ? field_set_has(set, F_EXPORTER_IP)
	                : field_set_has(set, F_SRC_HOST) && field_set_has(set, F_DST_HOST);
}

/* ---------------------------------------------------------------- records */

static unsigned
record_put(const struct nfrecords *n, struct outbox *b, enum nfrecord_kind kind,
    unsigned family, unsigned lane, const uint8_t *from, const struct encode_env *env)
{
	outbox_wait(b);
	return !outbox_put(b, lane, template_of(kind, family), &n->layouts[kind][family], from,
	    env);
}

static uint64_t
parts_of(uint64_t n)
{
	return n / UINT32_MAX + (n % UINT32_MAX != 0);
}

/* v5 has 32 bits for each counter: what is more goes into several records. */
static unsigned
record_put_v5(const struct nfrecords *n, struct outbox *b, enum nfrecord_kind kind,
    unsigned family, unsigned lane, const uint8_t *from, struct encode_env *env)
{
	uint64_t packets = env->packets, octets = env->octets;
	uint64_t parts = parts_of(octets);
	unsigned refused = 0;

	if ((family & ENCODE_IPV6_FLOW) != 0) {
		stat_add(b->stats, STAT_EXPORT_FAMILY, 1);
		b->strangers++;
		return 1;
	}
	if (parts < parts_of(packets))
		parts = parts_of(packets);
	if (parts > V5_PARTS) {
		stat_add(b->stats, STAT_EXPORT_TOO_LARGE, 1);
		return 1;
	}
	for (uint64_t left = parts > 0 ? parts : 1; left > 0; left--) {
		env->packets = packets / left;
		env->octets = octets / left;
		packets -= env->packets;
		octets -= env->octets;
		refused += record_put(n, b, kind, 0, lane, from, env);
	}
	return refused;
}

static unsigned
record_send(const struct nfrecords *n, struct outbox *b, enum nfrecord_kind kind,
    unsigned family, unsigned lane, const uint8_t *from, struct encode_env *env)
{
	if (n->version == ENCODE_V5)
		return record_put_v5(n, b, kind, family, lane, from, env);
	return record_put(n, b, kind, family, lane, from, env);
}

/*
 * The lane of the record whose addresses these are: by its exporter, or by its two hosts,
 * whichever sends. The same after a restart, and on another host.
 */
static unsigned
lane_of(const struct nfrecords *n, const struct outbox *b, const void *exporter,
    const void *src, const void *dst)
{
	unsigned lanes = b->config.lanes;
	uint64_t h;

	if (lanes == 1)
		return 0;
	if (atomic_load_explicit(&n->by_agent, memory_order_relaxed))
		return (unsigned)(hash_frozen(exporter, sizeof(ip16_t)) % lanes);
	h = hash_frozen(src, sizeof(ip16_t)) + hash_frozen(dst, sizeof(ip16_t));
	return (unsigned)((h ^ h >> 32) % lanes);
}

unsigned
nfrecord_flow(const struct nfrecords *n, struct outbox *b, const struct flow *f)
{
	struct encode_env env = { .packets = f->packets,
		.octets = f->bytes,
		.boot = n->boot,
		.end_reason = f->flow_end_reason,
		.sampler = NFRECORD_SAMPLER };
	unsigned lane = lane_of(n, b, &f->exporter_ip, &f->src_host, &f->dst_host);

	if (field_set_has(&n->told, F_CLASS))
		env_classify(n, &env, f->class_id);
	env.start = f->timestamp_start != 0 ? f->timestamp_start : f->stamp;
	env.end = f->timestamp_end != 0 ? f->timestamp_end : env.start;
	return record_send(n, b, NFRECORD_FLOW, encode_family(&n->in_flow, (const uint8_t *)f),
	    lane, (const uint8_t *)f, &env);
}

unsigned
nfrecord_row(const struct nfrecords *n, struct outbox *b, const struct flowcache_flow *f)
{
	const struct sums *s = rowspec_sums_get(&n->rs, f->row);
	const uint16_t *at = n->rs.offset;
	bool both = f->back_packets > 0;
	enum nfrecord_kind kind = f->mirrored ? (both ? NFRECORD_BOTH_TURNED : NFRECORD_TURNED)
	                                      : (both ? NFRECORD_BOTH : NFRECORD_ROW);
	struct encode_env env = { .start = f->first,
		.end = f->last,
		.packets = s->packets,
		.octets = s->bytes,
		.reverse_start = f->back_first,
		.reverse_end = f->back_last,
		.reverse_packets = f->back_packets,
		.reverse_octets = f->back_octets,
		.reverse_flags = f->back_flags,
		.boot = n->boot,
		.end_reason = (uint8_t)f->reason,
		.sampler = NFRECORD_SAMPLER };
	uint32_t class_id = f->class_id;
	unsigned lane = lane_of(n, b, f->row + at[F_EXPORTER_IP], f->row + at[F_SRC_HOST],
	    f->row + at[F_DST_HOST]);

	if (!n->classes_beside && field_set_has(&n->rs.set, F_CLASS))
		memcpy(&class_id, f->row + at[F_CLASS], sizeof(class_id));
	if (field_set_has(&n->told, F_CLASS))
		env_classify(n, &env, class_id);
	return record_send(n, b, kind, encode_family(&n->in_row, f->row), lane, f->row, &env);
}
