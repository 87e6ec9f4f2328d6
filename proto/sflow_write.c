/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/sflow_write.h"

#include <string.h>

#include "lib/intern.h"
#include "lib/rbuf.h"

#define SAMPLE_HEAD    8U  /* format and length */
#define UTF8           106U /* IANA's number of the character set */
#define AS_SEQUENCE    2U
#define ETYPE_IPV4     0x0800U
#define ETYPE_IPV6     0x86ddU
#define ICMP           1U
#define ICMP6          58U

static void
words(struct wbuf *w, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		wbuf_u32(w, list[i]);
}
#define WORDS(w, ...) \
	words(w, (const uint32_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* Set the word at `p`, which lies in what was written. */
static void
word_set(uint8_t *p, uint32_t v)
{
	struct wbuf w = wbuf_of(p, 4);

	wbuf_u32(&w, v);
}

/* Opaque data of a length that is known, or is written before it: padded to words. */
static void
opaque(struct wbuf *w, const void *p, size_t len)
{
	static const uint8_t zeros[4];

	wbuf_put(w, p, len);
	wbuf_put(w, zeros, -len & 3U);
}

static void
address(struct wbuf *w, const ip16_t *a)
{
	if (ip_is_none(a)) {
		wbuf_u32(w, SFLOW_ADDRESS_UNKNOWN);
	} else if (ip_is_v4(a)) {
		wbuf_u32(w, SFLOW_ADDRESS_IPV4);
		wbuf_put(w, a->b + 12, 4);
	} else {
		wbuf_u32(w, SFLOW_ADDRESS_IPV6);
		wbuf_put(w, a->b, 16);
	}
}

size_t
sflow_head_write(const struct sflow_head *h, uint8_t *p)
{
	struct wbuf w = wbuf_of(p, SFLOW_DATAGRAM_HEADER);

	wbuf_u32(&w, SFLOW_V5);
	address(&w, &h->agent);
	WORDS(&w, h->sub_agent, h->sequence, h->uptime_ms, h->samples);
	return wbuf_len(&w);
}

/* An interface as a word of the compact form; of the others, it is a number. */
static bool
interface_fits(const struct sflow_sample *s, uint32_t v)
{
	return s->coded || v <= SFLOW_INTERFACE_MAX;
}

/* What the expanded form says of an interface: what it is, and its value. */
static void
interface_expanded(struct wbuf *w, const struct sflow_sample *s, uint32_t v)
{
	bool coded = s->coded && v >> SFLOW_INTERFACE_BITS != SFLOW_INTERFACE_INDEX;

	WORDS(w, coded ? v >> SFLOW_INTERFACE_BITS : SFLOW_INTERFACE_INDEX,
	    coded ? v & SFLOW_INTERFACE_MAX : v);
}

struct sflow_open
sflow_sample_begin(struct wbuf *w, const struct sflow_sample *s)
{
	struct sflow_open o = { .start = w->p };

	if (s->source <= SFLOW_SOURCE_COMPACT && interface_fits(s, s->in) &&
	    interface_fits(s, s->out)) {
		WORDS(w, SFLOW_SAMPLE_FLOW, 0, 0, s->source, s->rate, s->pool, s->drops, s->in,
		    s->out);
	} else {
		WORDS(w, SFLOW_SAMPLE_FLOW_EXPANDED, 0, 0, 0, s->source, s->rate, s->pool, s->drops);
		interface_expanded(w, s, s->in);
		interface_expanded(w, s, s->out);
	}
	o.count = wbuf_get(w, 4);
	return o;
}

struct sflow_open
sflow_counters_begin(struct wbuf *w, uint32_t source)
{
	struct sflow_open o = { .start = w->p };

	if (source <= SFLOW_SOURCE_COMPACT)
		WORDS(w, SFLOW_SAMPLE_COUNTERS, 0, 0, source);
	else
		WORDS(w, SFLOW_SAMPLE_COUNTERS_EXPANDED, 0, 0, 0, source);
	o.count = wbuf_get(w, 4);
	return o;
}

bool
sflow_sample_end(struct wbuf *w, const struct sflow_open *o)
{
	if (!wbuf_ok(w)) {
		w->p = o->start;
		w->bad = false;
		return false;
	}
	word_set(o->count, o->records);
	word_set(o->start + 4, (uint32_t)((size_t)(w->p - o->start) - SAMPLE_HEAD));
	return true;
}

/* Begin a record. Returns where its length belongs; NULL when there is no room. */
static uint8_t *
record_begin(struct wbuf *w, struct sflow_open *o, uint32_t format)
{
	wbuf_u32(w, format);
	o->records++;
	return wbuf_get(w, 4);
}

static void
record_end(struct wbuf *w, uint8_t *length)
{
	if (wbuf_ok(w))
		word_set(length, (uint32_t)(w->p - length) - 4);
}

void
sflow_write_header(struct wbuf *w, struct sflow_open *o, uint32_t protocol,
    uint32_t octets, uint32_t stripped, const uint8_t *p, uint32_t len)
{
	uint8_t *length = record_begin(w, o, SFLOW_RECORD_HEADER);

	WORDS(w, protocol, octets, stripped, len);
	opaque(w, p, len);
	record_end(w, length);
}

static bool
mac_is_none(const mac_t *m)
{
	static const mac_t none;

	return memcmp(m, &none, sizeof(none)) == 0;
}

static void
write_ethernet_header(struct wbuf *w, struct sflow_open *o, const struct flow *f,
    uint32_t octets, uint16_t etype)
{
	uint8_t *length = record_begin(w, o, SFLOW_RECORD_ETHERNET);

	wbuf_u32(w, octets);
	opaque(w, f->src_mac.b, sizeof(f->src_mac.b));
	opaque(w, f->dst_mac.b, sizeof(f->dst_mac.b));
	wbuf_u32(w, etype);
	record_end(w, length);
}

static void
write_ip(struct wbuf *w, struct sflow_open *o, const struct flow *f, uint32_t octets, bool v6)
{
	uint8_t *length = record_begin(w, o, v6 ? SFLOW_RECORD_IPV6 : SFLOW_RECORD_IPV4);
	bool icmp = f->proto == ICMP || f->proto == ICMP6;

	WORDS(w, octets, f->proto);
	wbuf_put(w, f->src_host.b + (v6 ? 0 : 12), v6 ? 16 : 4);
	wbuf_put(w, f->dst_host.b + (v6 ? 0 : 12), v6 ? 16 : 4);
	/* "or equivalent": of ICMP its type and code. */
	WORDS(w, icmp ? f->icmp_type : f->src_port, icmp ? f->icmp_code : f->dst_port,
	    f->tcp_flags & 0xffU, f->tos);
	record_end(w, length);
}

void
sflow_write_packet(struct wbuf *w, struct sflow_open *o, const struct flow *f, uint32_t octets)
{
	const ip16_t *known = ip_is_none(&f->src_host) ? &f->dst_host : &f->src_host;
	bool addressed = !ip_is_none(known);
	bool v6 = addressed ? !ip_is_v4(known) : f->etype == ETYPE_IPV6;
	bool ip = addressed || f->etype == ETYPE_IPV4 || f->etype == ETYPE_IPV6 || f->etype == 0;

	if (!mac_is_none(&f->src_mac) || !mac_is_none(&f->dst_mac) || !ip)
		write_ethernet_header(w, o, f, octets,
		    f->etype != 0 ? f->etype : v6 ? ETYPE_IPV6 : ETYPE_IPV4);
	if (ip)
		write_ip(w, o, f, octets, v6);
}

void
sflow_write_switch(struct wbuf *w, struct sflow_open *o, const struct flow *f)
{
	uint16_t in = f->in_vlan != 0 ? f->in_vlan : f->vlan;
	uint8_t *length;

	if (in == 0 && f->out_vlan == 0)
		return;
	length = record_begin(w, o, SFLOW_RECORD_SWITCH);
	/* What the priority is on the way out is not known. */
	WORDS(w, in, f->cos, f->out_vlan, 0);
	record_end(w, length);
}

void
sflow_write_router(struct wbuf *w, struct sflow_open *o, const struct flow *f)
{
	uint8_t *length;

	if (ip_is_none(&f->nexthop) && f->src_mask == 0 && f->dst_mask == 0)
		return;
	length = record_begin(w, o, SFLOW_RECORD_ROUTER);
	address(w, &f->nexthop);
	WORDS(w, f->src_mask, f->dst_mask);
	record_end(w, length);
}

void
sflow_write_gateway(struct wbuf *w, struct sflow_open *o, const struct flow *f)
{
	/* From the neighbour to the destination; what lies between is not known. */
	uint32_t path[2];
	uint32_t n = 0;
	uint8_t *length;

	if (f->src_as == 0 && f->dst_as == 0 && f->peer_src_as == 0 && f->peer_dst_as == 0 &&
	    ip_is_none(&f->peer_dst_ip))
		return;
	if (f->peer_dst_as != 0 && f->peer_dst_as != f->dst_as)
		path[n++] = f->peer_dst_as;
	if (f->dst_as != 0)
		path[n++] = f->dst_as;
	length = record_begin(w, o, SFLOW_RECORD_GATEWAY);
	address(w, &f->peer_dst_ip);
	WORDS(w, 0, f->src_as, f->peer_src_as, n > 0); /* our own AS is not known */
	if (n > 0) {
		WORDS(w, AS_SEQUENCE, n);
		words(w, path, n);
	}
	WORDS(w, 0, 0); /* no communities; local preference */
	record_end(w, length);
}

void
sflow_write_user(struct wbuf *w, struct sflow_open *o, const struct flow *f)
{
	const char *name = intern_text(f->user_name);
	size_t len = strlen(name);
	uint8_t *length;

	if (len == 0)
		return;
	length = record_begin(w, o, SFLOW_RECORD_USER);
	WORDS(w, UTF8, (uint32_t)len);
	opaque(w, name, len);
	WORDS(w, UTF8, 0); /* the destination's */
	record_end(w, length);
}

void
sflow_write_nat(struct wbuf *w, struct sflow_open *o, const struct flow *f)
{
	uint8_t *length;

	if (!ip_is_none(&f->post_nat_src_host) || !ip_is_none(&f->post_nat_dst_host)) {
		length = record_begin(w, o, SFLOW_RECORD_NAT);
		address(w, &f->post_nat_src_host);
		address(w, &f->post_nat_dst_host);
		record_end(w, length);
	}
	if (f->post_nat_src_port != 0 || f->post_nat_dst_port != 0) {
		length = record_begin(w, o, SFLOW_RECORD_NAT_PORT);
		WORDS(w, f->post_nat_src_port, f->post_nat_dst_port);
		record_end(w, length);
	}
}

void
sflow_write_tags(struct wbuf *w, struct sflow_open *o, const struct flow *f)
{
	uint8_t *length;

	if (f->tag == 0 && f->tag2 == 0)
		return;
	length = record_begin(w, o, SFLOW_FORMAT(SFLOW_ENTERPRISE_PMACCT, SFLOW_PMACCT_TAG));
	wbuf_u64(w, f->tag);
	wbuf_u64(w, f->tag2);
	record_end(w, length);
}

void
sflow_write_class(struct wbuf *w, struct sflow_open *o, const struct flow *f)
{
	const char *name = intern_text(f->class_id);
	char octets[SFLOW_CLASS_OCTETS] = { 0 };
	uint8_t *length;

	if (*name == '\0')
		return;
	/* Cut, so that pmacct finds its end. */
	for (size_t i = 0; i < sizeof(octets) - 1 && name[i] != '\0'; i++)
		octets[i] = name[i];
	length = record_begin(w, o, SFLOW_FORMAT(SFLOW_ENTERPRISE_PMACCT, SFLOW_PMACCT_CLASS));
	wbuf_put(w, octets, sizeof(octets));
	record_end(w, length);
}

void
sflow_write_interface(struct wbuf *w, struct sflow_open *o, const struct sflow_interface *c)
{
	uint8_t *length = record_begin(w, o, SFLOW_COUNTER_GENERIC);

	WORDS(w, c->index, c->type);
	wbuf_u64(w, c->speed);
	WORDS(w, c->direction, c->status);
	wbuf_u64(w, c->in_octets);
	WORDS(w, c->in_unicast, c->in_multicast, c->in_broadcast, c->in_discards, c->in_errors,
	    c->in_unknown);
	wbuf_u64(w, c->out_octets);
	WORDS(w, c->out_unicast, c->out_multicast, c->out_broadcast, c->out_discards,
	    c->out_errors, c->promiscuous);
	record_end(w, length);
}

void
sflow_write_ethernet(struct wbuf *w, struct sflow_open *o, const struct sflow_ethernet *c)
{
	uint8_t *length = record_begin(w, o, SFLOW_COUNTER_ETHERNET);

	WORDS(w, c->alignment, c->fcs, c->single_collision, c->multiple_collision, c->sqe_test,
	    c->deferred, c->late, c->excessive, c->internal_tx, c->carrier, c->too_long,
	    c->internal_rx, c->symbol);
	record_end(w, length);
}

_Static_assert(SFLOW_NUMBERED == 1024, "as many as ten bits tell apart");

/* The numbers of data source `source`; those of the last slot looked at when all are taken. */
static struct sflow_numbers *
numbers_of(struct sflow_numbering *g, uint32_t source)
{
	uint32_t at = source * UINT32_C(0x9e3779b1) >> 22; /* ten bits */
	struct sflow_numbers *s = NULL;

	for (uint32_t i = 0; i < SFLOW_NUMBERED; i++) {
		s = &g->sources[(at + i) % SFLOW_NUMBERED];
		if (!s->used) {
			s->used = true;
			s->source = source;
		}
		if (s->source == source)
			break;
	}
	return s;
}

/* Number the sample whose body, behind format and length, is `p`. */
static void
sample_number(struct sflow_numbering *g, uint32_t format, uint8_t *p)
{
	bool expanded =
	    format == SFLOW_SAMPLE_FLOW_EXPANDED || format == SFLOW_SAMPLE_COUNTERS_EXPANDED;
	struct sflow_numbers *s = numbers_of(g, sflow_word(p, expanded ? 2 : 1));
	uint8_t *more = p + (expanded ? 16 : 12); /* behind source and rate */

	if (format == SFLOW_SAMPLE_COUNTERS || format == SFLOW_SAMPLE_COUNTERS_EXPANDED) {
		word_set(p, ++s->counters);
		return;
	}
	s->pool += sflow_word(more, 0);
	s->drops += sflow_word(more, 1);
	word_set(p, ++s->flows);
	word_set(more, s->pool);
	word_set(more + 4, s->drops);
}

void
sflow_samples_number(struct sflow_numbering *g, uint8_t *p, size_t octets, unsigned n)
{
	size_t at = 0;

	for (; n > 0 && octets - at >= SAMPLE_HEAD; n--) {
		sample_number(g, sflow_word(p + at, 0), p + at + SAMPLE_HEAD);
		at += SAMPLE_HEAD + sflow_word(p + at, 1);
	}
}
