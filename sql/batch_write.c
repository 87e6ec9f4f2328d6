/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"
#include "sql/batch.h"
#include "sql/batch_block.h"

#define BLOCK_FLUSH (256U << 10) /* a block goes out when it is so long */
#define VARINT_MAX 10U
#define ROW_MAX (SCHEMA_COLUMNS * (TEXT_MAX + VARINT_MAX) + SCHEMA_COLUMNS / 8 + 1)

_Static_assert(BLOCK_FLUSH + ROW_MAX <= BLOCK_MAX, "a row more fits into a block");

/* What is bound: the writer seen as a statement. */
struct sql_stmt {
	unsigned n;
	struct batch_value values[SCHEMA_COLUMNS];
	uint8_t changed[(SCHEMA_COLUMNS + 7) / 8];
};

struct batch_writer {
	struct sql_stmt stmt;
	int fd;
	int fault; /* errno of the first; ENOBUFS: `max` is reached */
	char path[PATH_MAX]; /* where it shall be, and */
	char fresh[PATH_MAX]; /* where it is until it has ended */
	uint64_t octets, max;
	uint32_t number; /* of the block that is being filled */
	uint32_t row_blocks, rows_here;
	uint64_t rows;
	uint64_t start; /* of the bin */
	char table[TABLENAME_MAX + 1];
	size_t len; /* of the block so far, its head included */
	uint8_t block[BLOCK_HEAD + BLOCK_MAX];
};

static void
octets_write(struct batch_writer *w, const uint8_t *p, size_t len)
{
	if (w->fault == 0 && len > w->max - w->octets)
		w->fault = ENOBUFS;
	while (w->fault == 0 && len > 0) {
		ssize_t n = write(w->fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			w->fault = n == 0 ? ENOSPC : errno;
			return;
		}
		p += n;
		len -= (size_t)n;
		w->octets += (uint64_t)n;
	}
}

/* Put the head before the body that ends at w->len, and write both. */
static void
block_flush(struct batch_writer *w, enum block_kind kind)
{
	struct wbuf h = wbuf_of(w->block, BLOCK_HEAD);

	wbuf_put(&h, BLOCK_MAGIC, BLOCK_MAGIC_LEN);
	wbuf_u32(&h, (uint32_t)kind << 24);
	wbuf_u32(&h, w->number++);
	wbuf_u32(&h, (uint32_t)(w->len - BLOCK_HEAD));
	wbuf_u32(&h, w->rows_here);
	wbuf_u64(&h, 0);
	h = wbuf_of(w->block + BLOCK_SUM_AT, 8);
	wbuf_u64(&h, hash_frozen(w->block, w->len));
	octets_write(w, w->block, w->len);
	w->len = BLOCK_HEAD;
	w->rows_here = 0;
}

static void
put_text(struct wbuf *b, const char *s)
{
	size_t len = s != NULL ? strlen(s) : 0;

	assert(len <= UINT16_MAX);
	wbuf_u16(b, (uint16_t)len);
	wbuf_put(b, s != NULL ? s : "", len);
}

static void
put_column(struct wbuf *b, const struct sql_column *c)
{
	unsigned flags =
	    (c->number ? COLUMN_NUMBER : 0) | (c->written ? COLUMN_WRITTEN : 0) |
	    (c->made ? COLUMN_MADE : 0) | (c->filler != NULL ? COLUMN_FILLER : 0);

	put_text(b, c->name);
	wbuf_u8(b, (uint8_t)c->role);
	wbuf_u8(b, (uint8_t)c->type);
	wbuf_u8(b, (uint8_t)flags);
	put_text(b, c->filler);
}

static void
head_write(struct batch_writer *w, const struct batch_head *head)
{
	struct wbuf b = wbuf_of(w->block + BLOCK_HEAD, BLOCK_MAX);

	wbuf_u16(&b, BATCH_VERSION);
	put_text(&b, head->collector);
	wbuf_u64(&b, (uint64_t)head->boot);
	wbuf_u64(&b, head->seq);
	wbuf_u64(&b, head->cut);
	put_text(&b, head->engine);
	put_text(&b, head->db);
	put_text(&b, head->plugin);
	wbuf_u8(&b, (uint8_t)((head->only_insert ? HEAD_ONLY_INSERT : 0) |
			      (head->utc ? HEAD_UTC : 0)));
	wbuf_u16(&b, (uint16_t)head->schema.n);
	for (unsigned i = 0; i < head->schema.n; i++)
		put_column(&b, &head->schema.columns[i]);
	assert(wbuf_ok(&b));
	w->len = BLOCK_HEAD + wbuf_len(&b);
	block_flush(w, BLOCK_TOP);
}

struct batch_writer *
batch_create(
    const char *path, const struct batch_head *head, uint64_t max, struct err *e)
{
	struct batch_writer *w = malloc(sizeof(*w));

	if (w == NULL) {
		err_set(e, WEIR_ENOMEM, "%s: no memory", path);
		return NULL;
	}
	memset(w, 0, offsetof(struct batch_writer, block));
	w->max = max;
	w->len = BLOCK_HEAD;
	w->stmt.n = head->schema.n;
	snprintf(w->path, sizeof(w->path), "%s", path);
	if ((size_t)snprintf(w->fresh, sizeof(w->fresh), "%s" BATCH_WRITING, path) >=
	    sizeof(w->fresh)) {
		err_set(e, WEIR_EIO, "%s: too long a name", path);
		free(w);
		return NULL;
	}
	/* There may be one of a try that failed and could not be removed. */
	w->fd = open(
	    w->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (w->fd == -1) {
		err_set(e, WEIR_EIO, "%s: %s", w->fresh, strerror(errno));
		free(w);
		return NULL;
	}
	head_write(w, head);
	return w;
}

static void
batch_bind_int(struct sql_stmt *st, unsigned i, int64_t v)
{
	assert(i >= 1 && i <= st->n && v >= 0);
	st->values[i - 1] = (struct batch_value){ .number = v };
	st->changed[(i - 1) / 8] |= (uint8_t)(1U << (i - 1) % 8);
}

static void
batch_bind_text(struct sql_stmt *st, unsigned i, const char *text, size_t len)
{
	assert(i >= 1 && i <= st->n && text != NULL && len < TEXT_MAX);
	st->values[i - 1] = (struct batch_value){ .text = text, .len = (uint32_t)len };
	st->changed[(i - 1) / 8] |= (uint8_t)(1U << (i - 1) % 8);
}

/* Only what a struct row calls. */
const struct sql_driver batch_driver = {
	.name = "batch",
	.bind_int = batch_bind_int,
	.bind_text = batch_bind_text,
};

struct sql_stmt *
batch_stmt(struct batch_writer *w)
{
	return &w->stmt;
}

static void
rows_flush(struct batch_writer *w)
{
	if (w->rows_here == 0)
		return;
	w->row_blocks++;
	block_flush(w, BLOCK_ROWS);
}

void
batch_bin(struct batch_writer *w, uint64_t start, const char *table)
{
	rows_flush(w);
	w->start = start;
	snprintf(w->table, sizeof(w->table), "%s", table);
}

/* What stands before the rows of a block; its first row is told whole. */
static void
rows_begin(struct batch_writer *w)
{
	struct wbuf b = wbuf_of(w->block + BLOCK_HEAD, BLOCK_MAX);

	wbuf_u64(&b, w->start);
	put_text(&b, w->table);
	w->len = BLOCK_HEAD + wbuf_len(&b);
	for (unsigned i = 0; i < w->stmt.n; i++)
		w->stmt.changed[i / 8] |= (uint8_t)(1U << i % 8);
}

static uint8_t *
put_varint(uint8_t *p, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

void
batch_row(struct batch_writer *w)
{
	struct sql_stmt *st = &w->stmt;
	size_t map = (st->n + 7) / 8;
	uint8_t *p;

	if (w->rows_here == 0)
		rows_begin(w);
	p = w->block + w->len;
	memcpy(p, st->changed, map);
	p += map;
	for (unsigned i = 0; i < st->n; i++) {
		const struct batch_value *v = &st->values[i];

		if ((st->changed[i / 8] >> i % 8 & 1) == 0)
			continue;
		if (v->text == NULL) {
			p = put_varint(p, (uint64_t)v->number << 1);
			continue;
		}
		p = put_varint(p, (uint64_t)v->len << 1 | 1);
		memcpy(p, v->text, v->len);
		p += v->len;
	}
	memset(st->changed, 0, map);
	w->len = (size_t)(p - w->block);
	w->rows_here++;
	w->rows++;
	if (w->len > BLOCK_FLUSH)
		rows_flush(w);
}

static void
end_write(struct batch_writer *w)
{
	struct wbuf b = wbuf_of(w->block + BLOCK_HEAD, BLOCK_MAX);

	rows_flush(w);
	wbuf_u64(&b, w->rows);
	wbuf_u32(&b, w->row_blocks);
	w->len = BLOCK_HEAD + wbuf_len(&b);
	block_flush(w, BLOCK_END);
}

int
batch_commit(struct batch_writer *w, uint64_t *octets, struct err *e)
{
	int fault, rc = 0;

	end_write(w);
	if (w->fault == 0 && fsync(w->fd) != 0)
		w->fault = errno;
	if (close(w->fd) != 0 && w->fault == 0)
		w->fault = errno;
	if (w->fault == 0 && rename(w->fresh, w->path) != 0)
		w->fault = errno;
	else if (w->fault == 0 && (w->fault = folder_sync(w->path)) != 0)
		(void)unlink(w->path);
	fault = w->fault;
	*octets = w->octets;
	if (fault == ENOBUFS)
		rc = err_set(e, WEIR_EFULL, "%s: longer than it may be", w->path);
	else if (fault != 0)
		rc = err_set(e, WEIR_EIO, "%s: %s", w->path, strerror(fault));
	if (fault != 0)
		(void)unlink(w->fresh);
	free(w);
	return rc;
}

void
batch_drop(struct batch_writer *w)
{
	(void)close(w->fd);
	(void)unlink(w->fresh);
	free(w);
}
