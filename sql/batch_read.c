/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/rbuf.h"
#include "sql/batch.h"
#include "sql/batch_block.h"

#define SEARCH_OCTETS (64U << 10) /* at a time, for the block after a damaged one */
#define SEARCH_TRIES 4096U /* of places that look like blocks, in one file */

struct batch_source {
	int fd;
	int fault; /* errno of the first read that failed */
	char path[PATH_MAX];
	uint64_t size, at; /* of the file; where the next block should begin, */
	uint64_t block_at; /* and where that in `block` began */
	unsigned tries; /* left */
	enum block_kind kind; /* of the block that is in `block` */
	uint32_t rows_left; /* of it, that were not read yet */
	uint32_t number; /* it should have */
	bool whole_row; /* the next row must have all columns */
	bool bin_ahead; /* the block begins a bin that nobody came to yet */
	uint32_t row_blocks; /* read */
	struct rbuf body;
	uint64_t start; /* of its bin */
	/* where the bin began that batch_next_bin came to, and what was read before */
	uint64_t bin_at, bin_rows;
	uint32_t bin_number, bin_blocks;
	char table[TABLENAME_MAX + 1]; /* of the block, */
	char bin_table[TABLENAME_MAX + 1]; /* and of the bin: who reads may write elsewhere */
	uint8_t block[BLOCK_HEAD + BLOCK_MAX];
};

static bool
octets_read(struct batch_source *s, uint64_t at, void *to, size_t len)
{
	uint8_t *p = to;

	if (s->fault != 0 || at > s->size || len > s->size - at)
		return false;
	while (len > 0) {
		ssize_t n = pread(s->fd, p, len, (off_t)at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			s->fault = errno;
		if (n <= 0)
			return false;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

/* Read the block at `at`: whether there is one and it is whole. */
static bool
block_at(struct batch_source *s, uint64_t at, uint32_t *number, uint32_t *rows)
{
	struct rbuf h = rbuf_of(s->block, BLOCK_HEAD);
	uint32_t kind, len;
	uint64_t sum;

	if (!octets_read(s, at, s->block, BLOCK_HEAD) ||
	    memcmp(rbuf_get(&h, BLOCK_MAGIC_LEN), BLOCK_MAGIC, BLOCK_MAGIC_LEN) != 0)
		return false;
	kind = rbuf_u32(&h);
	*number = rbuf_u32(&h);
	len = rbuf_u32(&h);
	*rows = rbuf_u32(&h);
	sum = rbuf_u64(&h);
	if (len > BLOCK_MAX ||
	    !octets_read(s, at + BLOCK_HEAD, s->block + BLOCK_HEAD, len))
		return false;
	memset(s->block + BLOCK_SUM_AT, 0, 8);
	if (hash_frozen(s->block, BLOCK_HEAD + len) != sum)
		return false;
	s->kind = kind >> 24;
	s->block_at = at;
	s->body = rbuf_of(s->block + BLOCK_HEAD, len);
	s->at = at + BLOCK_HEAD + len;
	return true;
}

/* The next place from `at` on that looks like a block; the end of the file: none. */
static uint64_t
block_search(struct batch_source *s, uint64_t at)
{
	/* Two windows share what a magic may lie across. */
	while (at < s->size) {
		size_t len = s->size - at < SEARCH_OCTETS ? (size_t)(s->size - at)
							  : SEARCH_OCTETS;
		const uint8_t *hit;

		if (len < BLOCK_HEAD || !octets_read(s, at, s->block, len))
			break;
		hit = memmem(s->block, len, BLOCK_MAGIC, BLOCK_MAGIC_LEN);
		if (hit != NULL)
			return at + (uint64_t)(hit - s->block);
		at += len - (BLOCK_MAGIC_LEN - 1);
	}
	return s->size;
}

/* Go on to the next block that is whole, over damaged ones. false: there is none. */
static bool
block_next(struct batch_reader *r)
{
	struct batch_source *s = r->source;
	uint64_t at = s->at;

	for (; at < s->size && s->tries > 0; s->tries--) {
		uint32_t number, rows;

		bool whole = block_at(s, at, &number, &rows);

		r->damaged |= !whole || number != s->number;
		if (whole && number >= s->number) {
			s->number = number + 1;
			s->rows_left = rows;
			return true;
		}
		/* A block for the second time has rows for the second time. */
		at = whole ? s->at : block_search(s, at + 1);
	}
	s->at = s->size;
	return false;
}

/* A text of at most `room` - 1 octets, which is less where it is cut. */
static void
get_text(struct rbuf *b, char *to, size_t room)
{
	struct rbuf t = rbuf_take(b, rbuf_u16(b));
	size_t len = rbuf_left(&t);

	if (len >= room) {
		b->bad = true;
		len = 0;
	}
	rbuf_copy(&t, to, len);
	to[len] = '\0';
	b->bad |= strlen(to) != len;
}

/* Names of columns and what stands in for values go into statements. */
static bool
is_word(const char *s, const char *more)
{
	for (; *s != '\0'; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
			(*s >= '0' && *s <= '9') || strchr(more, *s) != NULL))
			return false;
	return true;
}

static void
get_column(struct rbuf *b, struct sql_column *c, char filler[BATCH_FILLER])
{
	unsigned flags;

	memset(c, 0, sizeof(*c));
	get_text(b, c->name, sizeof(c->name));
	c->source = SQL_FROM_CALLER;
	c->role = rbuf_u8(b);
	c->type = rbuf_u8(b);
	flags = rbuf_u8(b);
	c->number = (flags & COLUMN_NUMBER) != 0;
	c->written = (flags & COLUMN_WRITTEN) != 0;
	c->made = (flags & COLUMN_MADE) != 0;
	get_text(b, filler, BATCH_FILLER);
	if ((flags & COLUMN_FILLER) != 0)
		c->filler = filler;
	if (c->name[0] == '\0' || !is_word(c->name, "_-") ||
	    !is_word(filler, "_-.: ") || c->role > SQL_REPLACE || c->type >= SQL_TYPES)
		b->bad = true;
}

/* What decides how rows are written: flags, then the columns. */
static void
get_schema(struct batch_reader *r, struct rbuf *b)
{
	struct batch_head *h = &r->head;
	const uint8_t *from = b->p;
	unsigned n, flags = rbuf_u8(b);

	h->only_insert = (flags & HEAD_ONLY_INSERT) != 0;
	h->utc = (flags & HEAD_UTC) != 0;
	n = rbuf_u16(b);
	if (n == 0 || n > SCHEMA_COLUMNS)
		b->bad = true;
	for (unsigned i = 0; i < n && rbuf_ok(b); i++)
		get_column(b, &h->schema.columns[i], h->fillers[i]);
	h->schema.n = n;
	h->schema_sum = hash_frozen(from, (size_t)(b->p - from));
}

static int
head_read(struct batch_reader *r, const char *path, struct err *e)
{
	struct batch_head *h = &r->head;
	struct rbuf *b = &r->source->body;
	uint32_t version, rows;

	if (!block_at(r->source, 0, &r->source->number, &rows) ||
	    r->source->kind != BLOCK_TOP)
		return batch_fault(r, e) != 0 ? -WEIR_EIO : err_set(e, WEIR_EMALFORMED,
		    "%s: is no batch of weir's, or its head is "
		    "damaged",
		    path);
	version = rbuf_u16(b);
	if (version > BATCH_VERSION)
		return err_set(e, WEIR_EUNSUPPORTED,
		    "%s: version %u, which a newer weir wrote", path, version);
	get_text(b, h->collector, sizeof(h->collector));
	h->boot = (int64_t)rbuf_u64(b);
	h->seq = rbuf_u64(b);
	h->cut = rbuf_u64(b);
	get_text(b, h->engine, sizeof(h->engine));
	get_text(b, h->db, sizeof(h->db));
	get_text(b, h->plugin, sizeof(h->plugin));
	get_schema(r, b);
	if (!rbuf_ok(b) || version == 0)
		return err_set(e, WEIR_EMALFORMED, "%s: the head is damaged", path);
	r->source->number++;
	return 0;
}

void
batch_head_copy(struct batch_head *to, const struct batch_head *from)
{
	*to = *from;
	for (unsigned i = 0; i < to->schema.n; i++) {
		struct sql_column *c = &to->schema.columns[i];

		if (c->filler == NULL)
			continue;
		snprintf(to->fillers[i], BATCH_FILLER, "%s", c->filler);
		c->filler = to->fillers[i];
	}
}

int
batch_fault(const struct batch_reader *r, struct err *e)
{
	const struct batch_source *s = r->source;

	return s->fault == 0
		   ? 0
		   : err_set(e, WEIR_EIO, "%s: %s", s->path, strerror(s->fault));
}

int
batch_open(struct batch_reader *r, const char *path, struct err *e)
{
	struct batch_source *s = malloc(sizeof(*s));
	struct stat st;
	int rc;

	memset(r, 0, sizeof(*r));
	if (s == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", path);
	memset(s, 0, offsetof(struct batch_source, block));
	r->source = s;
	s->tries = SEARCH_TRIES;
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (s->fd == -1 || fstat(s->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		bool gone = s->fd == -1 && errno == ENOENT;

		rc = err_set(e, gone ? WEIR_ENOENT : WEIR_EIO, "%s: %s", path,
		    s->fd == -1 ? strerror(errno) : "is no file");
		batch_close(r);
		return rc;
	}
	s->size = (uint64_t)st.st_size;
	if ((rc = head_read(r, path, e)) != 0)
		batch_close(r);
	return rc;
}

void
batch_close(struct batch_reader *r)
{
	if (r->source == NULL)
		return;
	if (r->source->fd != -1)
		(void)close(r->source->fd);
	free(r->source);
	r->source = NULL;
}

/* What is before the rows of a block. */
static bool
rows_begin(struct batch_reader *r)
{
	struct batch_source *s = r->source;

	s->start = rbuf_u64(&s->body);
	get_text(&s->body, s->table, sizeof(s->table));
	s->whole_row = true;
	s->row_blocks++;
	return rbuf_ok(&s->body) && is_word(s->table, "_-.$") && s->rows_left > 0;
}

/* The end, and whether it tells of as much as was read. */
static void
end_read(struct batch_reader *r)
{
	struct batch_source *s = r->source;
	uint64_t rows = rbuf_u64(&s->body);
	uint32_t blocks = rbuf_u32(&s->body);

	r->ended = rbuf_ok(&s->body);
	r->rows_promised = r->ended ? rows : 0;
	r->damaged |= !r->ended || blocks != s->row_blocks || s->at != s->size;
}

/* Have a block with rows. false: there are no more. */
static bool
rows_next(struct batch_reader *r)
{
	struct batch_source *s = r->source;

	while (!r->ended && block_next(r)) {
		if (s->kind == BLOCK_END)
			end_read(r);
		else if (s->kind == BLOCK_ROWS && rows_begin(r))
			return true;
		else
			r->damaged = true;
	}
	s->rows_left = 0;
	return false;
}

bool
batch_next_bin(struct batch_reader *r)
{
	struct batch_source *s = r->source;

	while (!s->bin_ahead && batch_next_row(r))
		;
	if (!s->bin_ahead && !rows_next(r))
		return false;
	s->bin_ahead = false;
	r->start = s->start;
	memcpy(r->table, s->table, sizeof(r->table));
	memcpy(s->bin_table, s->table, sizeof(s->bin_table));
	s->bin_at = s->block_at;
	s->bin_number = s->number - 1;
	s->bin_blocks = s->row_blocks - 1;
	s->bin_rows = r->rows;
	return true;
}

void
batch_again(struct batch_reader *r)
{
	struct batch_source *s = r->source;

	s->at = s->bin_at;
	s->number = s->bin_number;
	s->row_blocks = s->bin_blocks;
	s->bin_ahead = false;
	r->rows = s->bin_rows;
	r->ended = false;
	(void)rows_next(r);
}

static uint64_t
get_varint(struct rbuf *b)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t octet = rbuf_u8(b);

		v |= (uint64_t)(octet & 0x7f) << shift;
		if (octet < 0x80)
			return v;
	}
	b->bad = true;
	return 0;
}

static void
get_value(struct rbuf *b, struct batch_value *v)
{
	uint64_t n = get_varint(b);

	if ((n & 1) == 0) {
		*v = (struct batch_value){ .number = (int64_t)(n >> 1) };
		return;
	}
	n >>= 1;
	v->len = n < TEXT_MAX ? (uint32_t)n : 0;
	v->text = (const char *)rbuf_get(b, n < TEXT_MAX ? v->len : SIZE_MAX);
}

/* The next row of the block. */
static bool
row_read(struct batch_reader *r)
{
	struct batch_source *s = r->source;
	unsigned n = r->head.schema.n;

	rbuf_copy(&s->body, r->changed, (n + 7) / 8);
	for (unsigned i = 0; i < n && rbuf_ok(&s->body); i++) {
		if (batch_changed(r, i))
			get_value(&s->body, &r->values[i]);
		else if (s->whole_row)
			s->body.bad = true;
	}
	s->whole_row = false;
	s->rows_left--;
	return rbuf_ok(&s->body);
}

bool
batch_next_row(struct batch_reader *r)
{
	struct batch_source *s = r->source;

	for (;;) {
		if (s->bin_ahead)
			return false;
		if (s->rows_left > 0 && row_read(r)) {
			r->rows++;
			return true;
		}
		if (!rbuf_ok(&s->body) || rbuf_left(&s->body) > 0)
			r->damaged |= s->kind == BLOCK_ROWS;
		if (!rows_next(r))
			return false;
		s->bin_ahead = s->start != r->start || strcmp(s->table, s->bin_table) != 0;
	}
}

bool
batch_is_whole(struct batch_reader *r)
{
	while (batch_next_bin(r))
		;
	return r->source->fault == 0 && r->ended && !r->damaged && r->rows == r->rows_promised;
}
