/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DOC: what versions 2 and 4 say of a packet has no length: a function for each kind steps
 * to its end, and rows say which kind has which number.
 */
#include "proto/sflow_old.h"

#include <stddef.h>

#include "proto/sflow.h"

/* Step over one that is not known to be whole. */
typedef void step_fn(struct rbuf *r, uint32_t version);

static void
step_string(struct rbuf *r, uint32_t version)
{
	(void)version;
	(void)sflow_opaque(r, rbuf_u32(r));
}

static void
step_header(struct rbuf *r, uint32_t version)
{
	rbuf_skip(r, 8); /* protocol and length of the frame */
	step_string(r, version);
}

static void
step_ipv4(struct rbuf *r, uint32_t version)
{
	(void)version;
	rbuf_skip(r, 32);
}

static void
step_ipv6(struct rbuf *r, uint32_t version)
{
	(void)version;
	rbuf_skip(r, 56);
}

static void
step_switch(struct rbuf *r, uint32_t version)
{
	(void)version;
	rbuf_skip(r, 16);
}

static void
step_router(struct rbuf *r, uint32_t version)
{
	(void)version;
	(void)sflow_address(r);
	rbuf_skip(r, 8);
}

static void
step_gateway(struct rbuf *r, uint32_t version)
{
	uint32_t segments;

	rbuf_skip(r, 12); /* three AS */
	if (version == SFLOW_V2) {
		(void)sflow_words(r); /* the path: a single segment, without its kind */
		return;
	}
	segments = rbuf_u32(r);
	for (uint32_t i = 0; i < segments && rbuf_ok(r); i++) {
		rbuf_skip(r, 4); /* a set or a sequence */
		(void)sflow_words(r);
	}
	(void)sflow_words(r); /* communities */
	rbuf_skip(r, 4); /* local preference */
}

static void
step_user(struct rbuf *r, uint32_t version)
{
	step_string(r, version);
	step_string(r, version);
}

static void
step_url(struct rbuf *r, uint32_t version)
{
	rbuf_skip(r, 4); /* direction */
	step_string(r, version);
}

/* By the numbers that stand on the wire. */
struct old_row {
	step_fn *step;
	uint32_t format; /* of version 5 */
};
static const struct old_row packet_rows[] = {
	[SFLOW_OLD_HEADER] = { step_header, SFLOW_RECORD_HEADER },
	[SFLOW_OLD_IPV4] = { step_ipv4, SFLOW_RECORD_IPV4 },
	[SFLOW_OLD_IPV6] = { step_ipv6, SFLOW_RECORD_IPV6 },
};
static const struct old_row extended_rows[] = {
	[SFLOW_OLD_SWITCH] = { step_switch, SFLOW_RECORD_SWITCH },
	[SFLOW_OLD_ROUTER] = { step_router, SFLOW_RECORD_ROUTER },
	[SFLOW_OLD_GATEWAY] = { step_gateway, SFLOW_RECORD_GATEWAY },
	[SFLOW_OLD_USER] = { step_user, SFLOW_RECORD_USER },
	[SFLOW_OLD_URL] = { step_url, SFLOW_RECORD_URL },
};

/* One of `n` rows, by the number at the front of `r`. */
static bool
old_step(struct rbuf *r, uint32_t version, const struct old_row *rows, size_t n,
    struct sflow_old_part *part)
{
	uint32_t number = rbuf_u32(r);
	const uint8_t *start = r->p;

	if (!rbuf_ok(r) || number >= n || rows[number].step == NULL)
		return false;
	rows[number].step(r, version);
	part->format = rows[number].format;
	part->body = rbuf_of(start, (size_t)(r->p - start));
	return rbuf_ok(r);
}

bool
sflow_old_packet(struct rbuf *r, uint32_t version, struct sflow_old_part *part)
{
	return old_step(
	    r, version, packet_rows, sizeof(packet_rows) / sizeof(packet_rows[0]), part);
}

bool
sflow_old_extended(struct rbuf *r, uint32_t version, struct sflow_old_part *part)
{
	return old_step(r, version, extended_rows,
	    sizeof(extended_rows) / sizeof(extended_rows[0]), part);
}
