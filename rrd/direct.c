/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/telling.h"

#define BINS 64U /* handed to librrd at once */

/* The bins of one archive. */
struct direct {
	struct telling *t;
	struct known *k;
	unsigned n;
	struct archive_bin bins[BINS];
	const struct journal_entry *entries[BINS]; /* that they are of */
};

/* See that the file is there, made if it is not, with room for the first of the bins. */
static int
direct_ready(struct direct *x, struct err *e)
{
	int rc = known_check(x->t->d->ks, x->k, e);

	return rc == -WEIR_ENOENT ? telling_create(x->t, x->k, x->bins[0].end, e) : rc;
}

static void
direct_flush(struct direct *x)
{
	struct known_set *ks = x->t->d->ks;
	/* What has not been told before and is there already, somebody else has overtaken. */
	bool fresh = x->t->at >= x->t->d->maybe;
	struct err why = ERR_INIT;
	unsigned skip = 0;
	int rc = 0;

	/* The second try is for a file that was removed while we knew it, or overtaken. */
	for (unsigned tries = 0; x->n > 0 && tries < 2; tries++) {
		if ((rc = direct_ready(x, &why)) != 0)
			break;
		for (; skip < x->n && x->bins[skip].end <= x->k->stored; skip++)
			if (fresh)
				telling_late(x->t, x->k, x->entries[skip], x->k->stored);
		if (skip == x->n)
			break;
		rc = known_update(ks, x->k, x->bins + skip, x->n - skip, &why);
		if (rc == 0)
			break;
		fresh &= rc == -WEIR_EEXIST; /* else some of them may be there by now */
	}
	if (rc == -WEIR_EUNSUPPORTED) {
		telling_refuses(x->t, x->k, &why);
	} else if (rc != 0) {
		telling_spoils(x->t, x->k);
		telling_fails(x->t, rc, &why);
	}
	x->n = 0;
}

static void
direct_bin(void *arg, const struct journal_entry *entry, const struct archive_bin *b)
{
	struct direct *x = arg;

	if (x->n == BINS)
		direct_flush(x);
	/* Behind a bin that did not go, later ones would keep it out for ever. */
	if (x->k->failed)
		return;
	x->entries[x->n] = entry;
	x->bins[x->n++] = *b;
	x->t->r->bins++;
}

void
direct_round(struct telling *t, const struct journal_round *round)
{
	struct direct x = { .t = t };

	for (size_t i = 0; i < round->n; i++) {
		const struct journal_entry *entry = &round->entries[i];

		if (x.k != entry->k)
			direct_flush(&x);
		x.k = entry->k;
		if (x.k != NULL && !x.k->failed && t->at >= x.k->told)
			entry_bins(entry, t->d->ks->shape.step_s, direct_bin, &x);
	}
	direct_flush(&x);
}
