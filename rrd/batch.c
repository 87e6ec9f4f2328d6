/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/telling.h"

#include <stdlib.h>
#include <string.h>

#include "rrd/files.h"

/*
 * Each is a wait for the disk, unlike a bin, and the answer to all of them has to come before
 * the connection's limit.
 */
#define FLUSHES 256U
/* No other writer is that far before us: a bin that is refused so is kept, not carried. */
#define LATER_MAX_S (7 * 86400)

#define REFUSED "illegal attempt to update using time "

/* The time that rrdcached has of the archive, as it says in refusing `it`; -1: it makes no sense. */
static int64_t
refused_for(const struct cached_item *it, const char *text)
{
	static const char last_is[] = "when last update time is ";
	const char *last = strstr(text, last_is);
	int64_t using = strtoll(text + sizeof(REFUSED) - 1, NULL, 10);
	int64_t time = last != NULL ? strtoll(last + sizeof(last_is) - 1, NULL, 10) : 0;

	return using == it->end && time >= using && time <= using + LATER_MAX_S ? time : -1;
}

/*
 * rrdcached had a later time of the archive. Nobody but another writer can have told it that:
 * the bin can go there no more. Returns whether that can be believed.
 */
static bool
bin_refused(struct telling *t, const struct cached_item *it, const char *text)
{
	int64_t time;

	if (strncmp(text, REFUSED, sizeof(REFUSED) - 1) != 0)
		return false;
	if (t->at < t->d->maybe)
		return true; /* as it was there already */
	time = refused_for(it, text);
	if (time < 0)
		return false;
	telling_late(t, it->k, it->entry, time);
	return true;
}

/* The file of `it` is gone: make it anew, with room for this bin. */
static void
file_missing(struct telling *t, const struct cached_item *it)
{
	struct err why = ERR_INIT;
	int rc;

	if (it->k->failed)
		return;
	telling_spoils(t, it->k); /* its other bins say no more */
	it->k->ready = false;
	rc = known_check(t->d->ks, it->k, &why);
	if (rc == -WEIR_ENOENT)
		rc = telling_create(t, it->k, it->end, &why);
	t->again |= rc == 0;
	if (rc == -WEIR_EUNSUPPORTED)
		telling_refuses(t, it->k, &why);
	else if (rc != 0)
		telling_fails(t, rc, &why);
}

/* A command that rrdcached did not take. */
static void
command_failed(void *arg, size_t no, const char *text)
{
	struct telling *t = arg;
	const struct cached_item *it = &t->d->items[no];
	struct err why = ERR_INIT;

	if (it->entry == NULL) {
		/* Mostly it does not know the file. What a FLUSH has left is looked at. */
		if (!t->must_forget || strncmp(text, "No such file", 12) == 0)
			return;
		err_set(&why, WEIR_EIO, "rrdcached does not FORGET (its -P must allow FORGET, FLUSH, "
		    "BATCH and UPDATE): %s", text);
		telling_fails(t, -WEIR_EIO, &why);
		return;
	}
	if (bin_refused(t, it, text))
		return;
	if (strncmp(text, "No such file", 12) == 0) {
		file_missing(t, it);
	} else {
		err_set(&why, WEIR_EIO, "rrdcached: %s/%s: %s", t->d->ks->folder, it->k->file, text);
		telling_fails(t, -WEIR_EIO, &why);
		telling_spoils(t, it->k);
	}
}

int
batch_end(struct telling *t)
{
	int rc = 0;

	if (t->n > 0)
		rc = cached_end(t->d->cached, command_failed, t, t->e);
	t->n = 0;
	return rc;
}

/* Room for one more command. Returns 0, or -WEIR_EIO: the connection broke. */
static int
batch_room(struct telling *t)
{
	int rc = 0;

	if (t->n == t->most)
		rc = batch_end(t);
	if (rc == 0 && t->n == 0)
		rc = cached_begin(t->d->cached, t->e);
	return rc;
}

/* A command about the file of `k`. As batch_room. */
static int
batch_command(struct telling *t, struct known *k, const char *verb)
{
	char path[PATH_MAX];
	int rc = batch_room(t);

	if (rc != 0)
		return rc;
	t->d->items[t->n++] = (struct cached_item){ k, NULL, 0 };
	cached_command(t->d->cached, verb, known_path(t->d->ks, k, path), "");
	return 0;
}

struct batch_bins {
	struct telling *t;
	struct known *k;
	int rc;
	size_t head_len;
	char head[2 * PATH_MAX + 8]; /* "UPDATE FOLDER/", as rrdcached reads it */
};

_Static_assert(sizeof(((struct batch_bins *)0)->head) + FILES_NAME_MAX + ARCHIVE_BIN_TEXT + 2 <=
    CACHED_LINE, "a bin's line");

/* A line for each bin: rrdcached leaves the rest of a line when one was refused. */
static void
batch_bin(void *arg, const struct journal_entry *entry, const struct archive_bin *b)
{
	struct batch_bins *x = arg;
	char *p;

	/* Behind a bin that did not go, later ones would keep it out for ever. */
	if (x->rc != 0 || x->k->failed)
		return;
	x->rc = batch_room(x->t);
	if (x->rc != 0 || x->k->failed)
		return;
	x->t->d->items[x->t->n++] = (struct cached_item){ x->k, entry, b->end };
	p = cached_line(x->t->d->cached);
	memcpy(p, x->head, x->head_len);
	p += x->head_len;
	memcpy(p, x->k->file, x->k->file_len);
	p += x->k->file_len;
	*p++ = ' ';
	p = archive_bin_format(b, p);
	*p++ = '\n';
	cached_line_put(x->t->d->cached, p);
	x->t->r->bins++;
}

int
batch_round(struct telling *t, const struct journal_round *round)
{
	struct batch_bins x = { .t = t };

	t->most = BATCH_COMMANDS;
	memcpy(x.head, "UPDATE ", 7);
	x.head_len = 7 + cached_escape(t->d->ks->folder, x.head + 7);
	x.head[x.head_len++] = '/'; /* what follows are safe octets only (files.h) */
	for (size_t i = 0; i < round->n && x.rc == 0; i++) {
		if (i + 2 * KNOWN_AHEAD < round->n && round->entries[i + 2 * KNOWN_AHEAD].k != NULL)
			known_prefetch(round->entries[i + 2 * KNOWN_AHEAD].k);
		if (i + KNOWN_AHEAD < round->n && round->entries[i + KNOWN_AHEAD].k != NULL)
			__builtin_prefetch(round->entries[i + KNOWN_AHEAD].k->file);
		x.k = round->entries[i].k;
		if (x.k != NULL && t->at >= x.k->told)
			entry_bins(&round->entries[i], t->d->ks->shape.step_s, batch_bin, &x);
	}
	return x.rc;
}

int
batch_flush(struct telling *t)
{
	struct known_set *ks = t->d->ks;
	int rc = 0;

	t->most = FLUSHES;
	for (uint32_t i = 0; i < ks->n && rc == 0; i++)
		if (telling_lacks(ks->order[i]))
			rc = batch_command(t, ks->order[i], "FLUSH");
	return rc != 0 ? rc : batch_end(t);
}

int
batch_forget(struct telling *t)
{
	struct known_set *ks = t->d->ks;
	int rc = 0;

	t->most = BATCH_COMMANDS;
	t->must_forget = true;
	for (uint32_t i = 0; i < ks->n && rc == 0; i++)
		if (ks->order[i]->suspect)
			rc = batch_command(t, ks->order[i], "FORGET");
	if (rc == 0)
		rc = batch_end(t);
	if (rc == 0 && t->rc != 0) {
		rc = t->rc;
		*t->e = t->why;
	}
	return rc;
}
