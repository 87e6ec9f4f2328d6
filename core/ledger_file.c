/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flow/custom.h"
#include "flow/field.h"
#include "lib/intern.h"
#include "lib/rbuf.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"

#define NAME     "ledger"
#define VERSION  1U
#define ROW_ROOM (ROWSPEC_MAX_KEY + FIELD_COUNT * (INTERN_MAX_LEN + 2U) + 64U)
#define HEAD_ROOM (FIELD_COUNT * 80U + 512U)

/* Sums and times of a row, and the fewest octets of its fields. */
#define ROW_MIN 40U

/* Whether values of `f` are ids that mean something in this process only. */
static bool
field_is_text(const struct field *f)
{
	const struct custom *c = custom_of(field_no(f));

	if (f->value != FIELD_CUSTOM)
		return field_is_interned(f);
	return c != NULL && (c->semantics == CUSTOM_HEX || c->semantics == CUSTOM_STR ||
	                        c->semantics == CUSTOM_RAW);
}

/* Whether the octets of a value lie as the wire has them. */
static bool
field_is_octets(const struct field *f)
{
	return f->value == FIELD_IP || f->value == FIELD_MAC || f->value == FIELD_CUSTOM;
}

static void
text_put(struct wbuf *w, const char *s)
{
	size_t len = strlen(s);

	wbuf_u16(w, (uint16_t)len);
	wbuf_put(w, s, len);
}

static void
sums_put(struct wbuf *w, const struct sums *s)
{
	wbuf_u64(w, s->packets);
	wbuf_u64(w, s->bytes);
	wbuf_u64(w, s->flows);
}

static struct sums
sums_take(struct rbuf *r)
{
	struct sums s;

	s.packets = rbuf_u64(r);
	s.bytes = rbuf_u64(r);
	s.flows = rbuf_u64(r);
	return s;
}

/* What rows of `rs` are made of. */
static void
shape_put(struct wbuf *w, const struct rowspec *rs, const char *view)
{
	text_put(w, view);
	wbuf_u16(w, rs->n_shown);
	for (uint16_t i = 0; i < rs->n_shown; i++) {
		const struct field *f = &fields[rs->shown[i]];

		wbuf_u16(w, f->id);
		wbuf_u8(w, f->octets);
		wbuf_u8(w, field_is_text(f));
		text_put(w, f->config);
	}
}

static void
row_put(struct wbuf *w, const struct ledger *l, const uint8_t *row)
{
	const struct rowspec *rs = l->rs;
	const struct ledger_seen *seen = ledger_seen(l, row);

	for (uint16_t i = 0; i < rs->n_shown; i++) {
		const struct field *f = &fields[rs->shown[i]];
		const void *value = rowspec_value(rs, row, f);

		if (f->merge == FIELD_SUM)
			continue;
		if (field_is_text(f))
			text_put(w, intern_text((uint32_t)field_uint(value, 4)));
		else if (field_is_octets(f))
			wbuf_put(w, value, f->octets);
		else
			wbuf_uint(w, field_uint(value, f->octets), f->octets);
	}
	sums_put(w, rowspec_sums_get(rs, row));
	wbuf_u64(w, seen->first);
	wbuf_u64(w, seen->last);
}

/* A ledger's figures as they stood at one moment; `rows` is a copy. */
struct still {
	struct sums total, other;
	uint64_t cleared, resumed, evictions;
	uint32_t n;
	uint8_t *rows;
};

static int
still_take(struct still *s, struct ledger *l)
{
	size_t octets;

	ledger_lock(l);
	octets = (size_t)l->table.n * l->table.row_octets;
	s->rows = malloc(octets + 1);
	if (s->rows != NULL) {
		memcpy(s->rows, l->table.rows, octets);
		s->n = l->table.n;
		s->total = l->total;
		s->other = l->other;
		s->cleared = l->cleared;
		s->resumed = l->resumed;
		s->evictions = l->evictions;
	}
	ledger_unlock(l);
	return s->rows != NULL ? 0 : -WEIR_ENOMEM;
}

/* Octets that begin with room for a head, and grow. */
struct body {
	uint8_t *octets;
	size_t len, room;
};

/* Make room for another row. */
static bool
body_grow(struct body *b)
{
	size_t room = b->room * 2;
	uint8_t *grown;

	if (b->room - b->len >= ROW_ROOM)
		return true;
	grown = realloc(b->octets, room);
	if (grown == NULL)
		return false;
	b->octets = grown;
	b->room = room;
	return true;
}

static int
body_write(struct body *b, const struct ledger *l, const struct still *s, const char *view)
{
	struct wbuf w;

	b->room = HEAD_ROOM + 2 * ROW_ROOM;
	b->octets = malloc(b->room);
	if (b->octets == NULL)
		return -WEIR_ENOMEM;
	w = wbuf_of(b->octets, b->room);
	shape_put(&w, l->rs, view);
	wbuf_u64(&w, s->cleared);
	wbuf_u64(&w, s->resumed);
	wbuf_u64(&w, s->evictions);
	sums_put(&w, &s->total);
	sums_put(&w, &s->other);
	wbuf_u32(&w, s->n);
	b->len = wbuf_len(&w);
	for (uint32_t i = 0; i < s->n; i++) {
		if (!body_grow(b))
			return -WEIR_ENOMEM;
		w = wbuf_of(b->octets + b->len, b->room - b->len);
		row_put(&w, l, s->rows + (size_t)i * l->table.row_octets);
		b->len += wbuf_len(&w);
	}
	return 0;
}

int
ledger_save(struct ledger *l, const char *path, const char *view, struct err *e)
{
	struct still s = { .rows = NULL };
	struct body b = { .octets = NULL };
	int rc = still_take(&s, l);

	if (rc == 0)
		rc = body_write(&b, l, &s, view);
	rc = rc == 0 ? statefile_write(path, NAME, VERSION, b.octets, b.len, e)
	             : err_set(e, WEIR_ENOMEM, "%s: no memory for %u rows", path, s.n);
	free(b.octets);
	free(s.rows);
	return rc;
}

/* Compare the head with what shape_put would write. */
static bool
shape_fits(struct rbuf *r, const struct rowspec *rs, const char *view)
{
	uint8_t ours[HEAD_ROOM];
	struct wbuf w = wbuf_of(ours, sizeof(ours));
	const uint8_t *theirs;

	shape_put(&w, rs, view);
	theirs = rbuf_get(r, wbuf_len(&w));
	return theirs != NULL && memcmp(theirs, ours, wbuf_len(&w)) == 0;
}

static uint32_t
text_take(struct rbuf *r)
{
	size_t len = rbuf_u16(r);
	const uint8_t *p = rbuf_get(r, len);

	return p != NULL ? intern((const char *)p, len) : 0;
}

/* Read one row to `row`, which is zero, laid out as those of the ledger. */
static void
row_take(struct rbuf *r, const struct ledger *l, uint8_t *row)
{
	const struct rowspec *rs = l->rs;
	struct ledger_seen *seen = (struct ledger_seen *)(void *)(row + l->seen_offset);

	for (uint16_t i = 0; i < rs->n_shown; i++) {
		const struct field *f = &fields[rs->shown[i]];
		uint8_t *value = row + rs->offset[rs->shown[i]];

		if (f->merge == FIELD_SUM)
			continue;
		if (field_is_text(f))
			field_uint_set(value, 4, text_take(r));
		else if (field_is_octets(f))
			rbuf_copy(r, value, f->octets);
		else
			field_uint_set(value, f->octets, rbuf_uint(r, f->octets));
	}
	*rowspec_sums(rs, row) = sums_take(r);
	seen->first = rbuf_u64(r);
	seen->last = rbuf_u64(r);
}

static int
rows_take(struct rbuf *r, struct ledger *l)
{
	uint64_t buf[(ROWSPEC_MAX_KEY + sizeof(struct sums) + 8 * FIELD_COUNT +
	                 sizeof(struct ledger_seen)) / 8];
	uint32_t n = rbuf_u32(r);

	if (!rbuf_ok(r) || n > rbuf_left(r) / ROW_MIN)
		return -WEIR_EMALFORMED;
	for (; n > 0; n--) {
		uint8_t *row = (uint8_t *)buf, *at;

		memset(buf, 0, l->table.row_octets);
		row_take(r, l, row);
		if (!rbuf_ok(r))
			return -WEIR_EMALFORMED;
		if (table_upsert(&l->table, row, 1, &at) != 0)
			sums_add(&l->other, rowspec_sums_get(l->rs, row));
		else if (ledger_seen(l, at)->first == 0)
			memcpy(at, row, l->table.row_octets);
		else /* texts that there was no room to tell apart */
			rowspec_merge(l->rs, at, row);
	}
	return rbuf_left(r) == 0 ? 0 : -WEIR_EMALFORMED;
}

static int
body_take(struct rbuf *r, struct ledger *l, const char *path, const char *view,
    struct err *e)
{
	if (!shape_fits(r, l->rs, view))
		return err_set(e, WEIR_EINVAL, "%s: of a view that was something else", path);
	l->cleared = rbuf_u64(r);
	l->resumed = rbuf_u64(r);
	l->evictions = rbuf_u64(r);
	l->total = sums_take(r);
	l->other = sums_take(r);
	l->restored = l->total;
	if (rows_take(r, l) == 0)
		return 0;
	table_clear(&l->table);
	l->total = l->other = l->restored = (struct sums){ 0 };
	l->cleared = l->resumed = l->evictions = 0;
	return err_set(e, WEIR_EMALFORMED, "%s: damaged", path);
}

/* What a row takes in the file at most. */
static size_t
row_most(const struct ledger *l)
{
	size_t texts = 0;

	for (uint16_t i = 0; i < l->rs->n_shown; i++)
		texts += field_is_text(&fields[l->rs->shown[i]]);
	return l->table.row_octets + texts * (INTERN_MAX_LEN + 2);
}

int
ledger_load(struct ledger *l, const char *path, const char *view, struct err *e)
{
	size_t max = HEAD_ROOM + l->table.max * row_most(l), len;
	uint8_t *body;
	struct rbuf r;
	int rc = statefile_read(path, NAME, VERSION, max, &body, &len, e);

	if (rc != 0)
		return rc;
	r = rbuf_of(body, len);
	rc = body_take(&r, l, path, view, e);
	free(body);
	return rc;
}
