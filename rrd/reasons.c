/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/reasons.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What names of files consist of: rrd/files.c. */
#define NAME_OCTETS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-/"

/* `text` in two: what stands before the folder, of `*before` octets, and what behind the file. */
static const char *
text_divide(const char *text, const char *folder, size_t *before)
{
	const char *at = strstr(text, folder);

	*before = at != NULL ? (size_t)(at - text) : 0;
	return at != NULL ? at + strlen(folder) + strspn(at + strlen(folder), NAME_OCTETS) : text;
}

static bool
texts_alike(const char *a, const char *b, const char *folder)
{
	size_t a_before, b_before;
	const char *a_behind = text_divide(a, folder, &a_before);
	const char *b_behind = text_divide(b, folder, &b_before);

	return a_before == b_before && memcmp(a, b, a_before) == 0 &&
	    strcmp(a_behind, b_behind) == 0;
}

void
reasons_add(struct reasons *rs, const char *folder, const struct err *why)
{
	unsigned i = 0;

	while (i < rs->n_kinds && (rs->kinds[i].first.code != why->code ||
	           !texts_alike(rs->kinds[i].first.text, why->text, folder)))
		i++;
	if (i == REASONS_KINDS) {
		rs->others++;
		return;
	}
	if (i == rs->n_kinds) {
		rs->kinds[i].first = *why;
		rs->kinds[i].n = 0;
		rs->n_kinds++;
	}
	rs->kinds[i].n++;
}

/* Append one of `n` kinds to `buf`, which has `len` octets. Returns how many it has then. */
static size_t
kind_put(const struct reason *kind, unsigned n, const char *folder, char buf[512], size_t len)
{
	const char *text = kind->first.text, *at = len > 0 ? strstr(text, folder) : NULL;
	int before = at != NULL ? (int)(at - text) : 0;
	int room = (int)(512 / n) - 32; /* for the number, and what divides them */

	/* The folder is the same: once is enough. */
	if (at != NULL)
		text = at + strlen(folder) + (at[strlen(folder)] == '/');
	len += (size_t)snprintf(buf + len, 512 - len, "%s%.*s%.*s", len > 0 ? "; " : "", before,
	    kind->first.text, room > before ? room - before : 0, text);
	if (len < 512 && (n > 1 || kind->n > 1))
		len += (size_t)snprintf(buf + len, 512 - len, " (%" PRIu64 " archive%s)", kind->n,
		    kind->n > 1 ? "s" : "");
	return len < 512 ? len : 511;
}

int
reasons_tell(const struct reasons *rs, const char *folder, struct err *e)
{
	unsigned n = rs->n_kinds + (rs->others > 0);
	char buf[512] = "";
	size_t len = 0;

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < rs->n_kinds; i++)
		len = kind_put(&rs->kinds[i], n, folder, buf, len);
	if (rs->others > 0)
		snprintf(buf + len, sizeof(buf) - len, "; other reasons (%" PRIu64 " archives)",
		    rs->others);
	return err_set(e, (enum weir_errno)rs->kinds[0].first.code, "%s", buf);
}

int
reasons_join(int rc, struct err *e, int failure, const struct err *why)
{
	size_t len = strlen(e->text);

	if (failure == 0)
		return rc;
	if (rc == 0) {
		*e = *why;
		return failure;
	}
	/* A folder that is full may be so for both. */
	if (strstr(e->text, why->text) == NULL && len + 2 < sizeof(e->text))
		snprintf(e->text + len, sizeof(e->text) - len, "; %.*s",
		    (int)(sizeof(e->text) - len - 3), why->text);
	return rc;
}
