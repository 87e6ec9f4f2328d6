/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/netflow_state.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/netflow_exporter.h"
#include "lib/clock.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"
#include "proto/netflow.h"
#include "proto/template_pool.h"

#define NAME "templates"
#define VERSION 1U
#define COUNT_OCTETS 4U
#define BODY_ROOM 4096U /* octets to begin with */
#define ENTRY_OCTETS (16 + 4 + 1 + 2) /* before the record */

uint64_t
netflow_state_changes(void)
{
	return netflow_exporter_changes();
}

bool
netflow_state_keep(struct exporter_cache *c, const struct field_set *needed,
    const ip16_t *addr, uint32_t domain, const struct template_def *d)
{
	struct exporter *x = exporter_get(c, EXPORTER_NETFLOW, addr, domain);
	struct template *t = x != NULL ? template_pool_get(d, needed) : NULL;

	if (t == NULL)
		return false;
	x->known_before = true;
	if (netflow_exporter_template(x, t, (uint32_t)(clock_real() / CLOCK_S)) >= 0)
		return true;
	template_pool_put(t);
	return false;
}

/* One entry; false when the body ends within it. */
static bool
entry_read(struct rbuf *r, struct exporter_cache *c, const struct field_set *needed,
    unsigned *kept)
{
	struct template_def d;
	struct rbuf record;
	uint32_t domain;
	ip16_t addr;
	uint8_t kind;

	rbuf_copy(r, addr.b, sizeof(addr.b));
	domain = rbuf_u32(r);
	kind = rbuf_u8(r);
	record = rbuf_take(r, rbuf_u16(r));
	if (!rbuf_ok(r))
		return false;
	if (kind < TEMPLATE_KINDS &&
	    template_next(&record, (enum template_kind)kind, &d) == 0 &&
	    d.n_fields != 0 && rbuf_left(&record) == 0)
		*kept += netflow_state_keep(c, needed, &addr, domain, &d);
	return true;
}

int
netflow_state_load(struct exporter_cache *c, const struct field_set *needed,
    const char *path, struct err *e)
{
	unsigned kept = 0;
	struct rbuf r;
	uint8_t *body;
	uint32_t n;
	size_t len;
	int rc;

	rc = statefile_read(path, NAME, VERSION, NETFLOW_STATE_MAX, &body, &len, e);
	if (rc != 0)
		return rc;
	r = rbuf_of(body, len);
	n = rbuf_u32(&r);
	while (n-- > 0 && entry_read(&r, c, needed, &kept))
		;
	free(body);
	return (int)kept;
}

/* Octets of a template record: id, one count or two, field specifiers. */
static size_t
record_octets(const struct template *t)
{
	return (t->options ? 6 : 4) + t->fields_octets;
}

/* The template record, as it would be told. */
static void
record_write(struct wbuf *w, const struct template *t)
{
	uint16_t scope = t->n_scope, options = (uint16_t)(t->n_fields - t->n_scope);

	wbuf_u16(w, t->id);
	switch ((enum template_kind)t->kind) {
	case TEMPLATE_V9_OPTIONS: /* octets of either: RFC 3954 s6.1 */
		wbuf_u16(w, (uint16_t)(scope * 4));
		wbuf_u16(w, (uint16_t)(options * 4));
		break;
	case TEMPLATE_IPFIX_OPTIONS:
		wbuf_u16(w, t->n_fields);
		wbuf_u16(w, scope);
		break;
	default:
		wbuf_u16(w, t->n_fields);
		break;
	}
	wbuf_put(w, t->fields, t->fields_octets);
}

/* A body in the making. */
struct body {
	uint8_t *octets;
	size_t len, room;
	uint32_t n;
	bool bad; /* memory is short */
};

static bool
body_room(struct body *b, size_t more)
{
	size_t room = b->room;
	uint8_t *p;

	while (b->len + more > room)
		room *= 2;
	if (room == b->room)
		return true;
	p = realloc(b->octets, room);
	if (p == NULL)
		return false;
	b->octets = p;
	b->room = room;
	return true;
}

static void
entry_write(const struct exporter *x, const struct template *t, void *arg)
{
	struct body *b = arg;
	size_t most = ENTRY_OCTETS + record_octets(t);
	struct wbuf w;

	/* What does not fit is told again some day. */
	if (b->bad || b->len + most > NETFLOW_STATE_MAX)
		return;
	if (!body_room(b, most)) {
		b->bad = true;
		return;
	}
	w = wbuf_of(b->octets + b->len, b->room - b->len);
	wbuf_put(&w, x->addr.b, sizeof(x->addr.b));
	wbuf_u32(&w, x->domain);
	wbuf_u8(&w, t->kind);
	wbuf_u16(&w, (uint16_t)record_octets(t));
	record_write(&w, t);
	b->len += wbuf_len(&w);
	b->n++;
}

/* For the callback of templates_each. */
struct each {
	const struct exporter *exporter;
	void (*fn)(const struct exporter *x, const struct template *t, void *arg);
	void *arg;
};

static void
each_template(const struct template *t, void *arg)
{
	struct each *each = arg;

	each->fn(each->exporter, t, each->arg);
}

/* Whether what `x` has told is worth remembering: it has made use of it, once. */
static bool
exporter_counts(const struct exporter *x)
{
	return x->kind == EXPORTER_NETFLOW &&
	       (x->known_before || exporter_sum(x, EXPORTER_RECORDS) != 0);
}

bool
netflow_state_each(struct exporters *x,
    void (*fn)(const struct exporter *x, const struct template *t, void *arg),
    void *arg)
{
	uint32_t n;
	struct exporter **list = exporters_take(x, &n);

	for (uint32_t i = 0; list != NULL && i < n; i++) {
		struct each each = { list[i], fn, arg };
		struct netflow_exporter *nx;

		if (!exporter_counts(list[i]))
			continue;
		pthread_mutex_lock(&list[i]->lock);
		nx = netflow_exporter_of(list[i]);
		if (nx != NULL)
			templates_each(&nx->templates, each_template, &each);
		pthread_mutex_unlock(&list[i]->lock);
	}
	exporters_give(list, n);
	return list != NULL;
}

int
netflow_state_save(struct exporters *x, const char *path, struct err *e)
{
	struct body b = {
		.octets = malloc(BODY_ROOM), .len = COUNT_OCTETS, .room = BODY_ROOM
	};
	struct wbuf count;
	int rc;

	if (b.octets == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for %s", path);
	if (!netflow_state_each(x, entry_write, &b) || b.bad) {
		free(b.octets);
		return err_set(e, WEIR_ENOMEM, "no memory for %s", path);
	}
	count = wbuf_of(b.octets, b.len);
	wbuf_u32(&count, b.n);
	rc = statefile_write(path, NAME, VERSION, b.octets, b.len, e);
	free(b.octets);
	return rc;
}
