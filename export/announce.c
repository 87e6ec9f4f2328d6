/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/announce.h"

#include <assert.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wbuf.h"
#include "proto/ie.h"
#include "proto/netflow.h"

#define BODY_MAX   4096U /* the longest that one template can need */
#define NAME_OCTETS 32U  /* of an interface in v9, */
#define CLASS_OCTETS 64U /* and of an application; in IPFIX, too, as pmacct wants it fixed */

/* Ids of options templates, behind those of data. */
enum { OPTIONS_EXPORTER = 512, OPTIONS_SAMPLER, OPTIONS_INTERFACE, OPTIONS_APPLICATION };

/* v9 scopes have types of their own (RFC 3954 s6.1); IPFIX has elements. */
enum { SCOPE9_SYSTEM = 1, SCOPE9_INTERFACE = 2, IE_DOMAIN = 149, IE_INGRESS = 10 };

/*
 * An options template: one scope of four octets, and the elements of the rest; in IPFIX the
 * first of these is the scope where `scope10` is 0.
 */
struct options {
	uint16_t id, scope9, scope10;
	unsigned n;
	struct {
		uint16_t id, octets, octets9; /* octets9: in v9, where it is not 0 */
	} rest[3];
};

static const struct options exporter4 = { OPTIONS_EXPORTER, SCOPE9_SYSTEM, IE_DOMAIN, 1,
	{ { 130, 4, 0 } } };
static const struct options exporter6 = { OPTIONS_EXPORTER, SCOPE9_SYSTEM, IE_DOMAIN, 1,
	{ { 131, 16, 0 } } };
static const struct options sampler = { OPTIONS_SAMPLER, SCOPE9_SYSTEM, IE_DOMAIN, 3,
	{ { 48, 1, 0 }, { 49, 1, 0 }, { 50, 4, 0 } } };
static const struct options interface = { OPTIONS_INTERFACE, SCOPE9_INTERFACE, IE_INGRESS, 1,
	{ { 82, FIELD_VARIABLE, NAME_OCTETS } } };
static const struct options application = { OPTIONS_APPLICATION, SCOPE9_SYSTEM, 0, 2,
	{ { 95, ENCODE_APPLICATION, 0 }, { 96, CLASS_OCTETS, 0 } } };

struct build {
	struct announcements *a;
	const struct announce_config *c;
	uint8_t body[BODY_MAX];
	uint16_t octets, count, records;
	bool failed;
};

/* What is gathered becomes a message. */
static void
body_end(struct build *b)
{
	struct announcement *to = &b->a->list[b->a->n];

	if (b->octets == 0)
		return;
	if (b->a->n == ANNOUNCE_MAX) { /* interfaces are the last ones */
		b->a->untold += b->records;
	} else {
		*to = (struct announcement){ b->octets, b->count, b->records,
			malloc(b->octets) };
		b->failed |= to->body == NULL;
		if (to->body != NULL) {
			memcpy(to->body, b->body, b->octets);
			b->a->n++;
		}
	}
	b->octets = b->count = b->records = 0;
}

/* Append a set of one template or record, `w`. */
static void
set_add(struct build *b, uint16_t id, const struct wbuf *w, bool record)
{
	size_t padded = (wbuf_len(w) + 3U) & ~(size_t)3U;
	struct wbuf to;

	if (b->octets + SET_HEADER + padded > b->c->body_octets)
		body_end(b);
	to = wbuf_of(b->body + b->octets, sizeof(b->body) - b->octets);
	wbuf_u16(&to, id);
	wbuf_u16(&to, (uint16_t)(SET_HEADER + padded));
	wbuf_put(&to, w->start, wbuf_len(w));
	while (wbuf_len(&to) < SET_HEADER + padded && wbuf_ok(&to))
		wbuf_u8(&to, 0);
	if (!wbuf_ok(&to))
		return;
	b->octets = (uint16_t)(b->octets + wbuf_len(&to));
	b->count++;
	b->records = (uint16_t)(b->records + record);
}

static void
options_template_add(struct build *b, const struct options *o)
{
	uint8_t octets[128];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	bool v9 = b->c->version == ENCODE_V9, scoped = v9 || o->scope10 != 0;

	wbuf_u16(&w, o->id);
	wbuf_u16(&w, v9 ? 4 : (uint16_t)(scoped + o->n)); /* v9: octets of scopes and of options */
	wbuf_u16(&w, v9 ? (uint16_t)(4 * o->n) : 1);
	if (scoped) {
		wbuf_u16(&w, v9 ? o->scope9 : o->scope10);
		wbuf_u16(&w, 4);
	}
	for (unsigned i = 0; i < o->n; i++) {
		wbuf_u16(&w, o->rest[i].id);
		wbuf_u16(&w, v9 && o->rest[i].octets9 != 0 ? o->rest[i].octets9
		                                           : o->rest[i].octets);
	}
	set_add(b, v9 ? SET_OPTIONS9 : SET_OPTIONS10, &w, false);
}

static void
address_add(struct build *b)
{
	const struct announce_config *c = b->c;
	bool v4 = ip_is_v4(&c->address);
	uint8_t octets[64];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	if (ip_is_none(&c->address))
		return;
	options_template_add(b, v4 ? &exporter4 : &exporter6);
	wbuf_u32(&w, c->domain);
	wbuf_put(&w, c->address.b + (v4 ? 12 : 0), v4 ? 4 : 16);
	set_add(b, OPTIONS_EXPORTER, &w, true);
}

static void
sampler_add(struct build *b)
{
	enum { RANDOM = 2 };
	uint8_t octets[64];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	if (b->c->sampling_rate == 0)
		return;
	options_template_add(b, &sampler);
	wbuf_u32(&w, b->c->domain);
	wbuf_u8(&w, b->c->sampler);
	wbuf_u8(&w, RANDOM);
	wbuf_u32(&w, b->c->sampling_rate);
	set_add(b, OPTIONS_SAMPLER, &w, true);
}

/* A name, cut, or filled up, to `octets`; with a zero at its end. */
static void
name_put(struct wbuf *w, const char *name, size_t octets)
{
	size_t len = strnlen(name, octets - 1);

	wbuf_put(w, name, len);
	for (; len < octets; len++)
		wbuf_u8(w, 0);
}

static void
interface_add(struct build *b, uint32_t index, const char *name)
{
	uint8_t octets[128];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	wbuf_u32(&w, index);
	if (b->c->version == ENCODE_V9) {
		name_put(&w, name, NAME_OCTETS);
	} else {
		wbuf_u8(&w, (uint8_t)strnlen(name, NAME_OCTETS));
		wbuf_put(&w, name, strnlen(name, NAME_OCTETS));
	}
	set_add(b, OPTIONS_INTERFACE, &w, true);
}

static void
interfaces_add(struct build *b)
{
	struct if_nameindex *list = b->c->interfaces ? if_nameindex() : NULL;

	if (list == NULL)
		return;
	options_template_add(b, &interface);
	for (const struct if_nameindex *i = list; i->if_index != 0; i++)
		interface_add(b, i->if_index, i->if_name);
	if_freenameindex(list);
}

int
announce_build(struct announcements *a, const struct announce_config *c, struct err *e)
{
	struct build b = { .a = a, .c = c };

	memset(a, 0, sizeof(*a));
	if (c->version == ENCODE_V5)
		return 0;
	for (unsigned t = 0; t < OUTBOX_TEMPLATES; t++) {
		uint8_t octets[BODY_MAX - 64];
		struct wbuf w = wbuf_of(octets, sizeof(octets));

		if (c->layouts[t] == NULL)
			continue;
		encode_template(c->layouts[t], outbox_template_id(t), &w);
		set_add(&b, c->version == ENCODE_V9 ? SET_TEMPLATE9 : SET_TEMPLATE10, &w,
		    false);
	}
	address_add(&b);
	sampler_add(&b);
	if (c->applications)
		options_template_add(&b, &application);
	interfaces_add(&b); /* last: there may be more than find room */
	body_end(&b);
	return b.failed ? err_set(e, WEIR_ENOMEM, "no memory for templates") : 0;
}

unsigned
announce_applications(struct announcement *to, enum encode_version version, uint32_t domain,
    const struct applications *a, unsigned from, size_t room)
{
	unsigned n = applications_count(a), i = from;
	struct wbuf w = wbuf_of(to->body,
	    room < ANNOUNCE_NAMES_MAX ? room : ANNOUNCE_NAMES_MAX);
	struct wbuf head = wbuf_of(to->body, SET_HEADER);

	assert(room >= ANNOUNCE_NAMES_MIN);
	(void)wbuf_get(&w, SET_HEADER);
	for (; i < n; i++) {
		const char *name;
		uint64_t id = applications_get(a, i, &name);
		struct wbuf before = w;

		if (version == ENCODE_V9)
			wbuf_u32(&w, domain); /* the scope */
		wbuf_u8(&w, (uint8_t)(id >> 32));
		wbuf_u32(&w, (uint32_t)id);
		name_put(&w, name, CLASS_OCTETS);
		if (!wbuf_ok(&w)) {
			w = before;
			break;
		}
	}
	while (wbuf_len(&w) % 4 != 0 && wbuf_left(&w) > 0)
		wbuf_u8(&w, 0);
	wbuf_u16(&head, OPTIONS_APPLICATION);
	wbuf_u16(&head, (uint16_t)wbuf_len(&w));
	to->octets = (uint16_t)wbuf_len(&w);
	to->count = to->records = (uint16_t)(i - from);
	return i;
}

void
announce_free(struct announcements *a)
{
	for (unsigned i = 0; i < a->n; i++)
		free(a->list[i].body);
	a->n = 0;
}
