/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/filters.h"

#include <stdlib.h>
#include <string.h>

#include "rules/filter.h"

#define BLANKS " \t\r\n\v\f"

struct filters {
	uint32_t reach; /* the most of all */
	unsigned n;
	struct filter *list[];
};

/* One expression, `text` of `len` octets. */
static int
filters_add(struct filters *fs, const char *text, size_t len, struct err *e)
{
	char *copy;

	len -= strspn(text, BLANKS) < len ? strspn(text, BLANKS) : len;
	text += strspn(text, BLANKS);
	while (len > 0 && strchr(BLANKS, text[len - 1]) != NULL)
		len--;
	if (len == 0)
		return err_set(e, WEIR_EINVAL,
		    "expression %u is empty; write one between the "
		    "commas, or leave the comma out",
		    fs->n + 1);
	if ((copy = strndup(text, len)) == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for a filter");
	fs->list[fs->n] = filter_new(copy, e);
	free(copy);
	if (fs->list[fs->n] == NULL)
		return -WEIR_EINVAL;
	if (filter_reach(fs->list[fs->n]) > fs->reach)
		fs->reach = filter_reach(fs->list[fs->n]);
	fs->n++;
	return 0;
}

struct filters *
filters_new(const char *list, struct err *e)
{
	unsigned n = 1;
	struct filters *fs;

	for (const char *p = list; *p != '\0'; p++)
		n += *p == ',';
	fs = calloc(1, sizeof(*fs) + n * sizeof(fs->list[0]));
	if (fs == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for %u filters", n);
		return NULL;
	}
	while (n-- > 0) {
		size_t len = strcspn(list, ",");

		if (filters_add(fs, list, len, e) != 0) {
			filters_free(fs);
			return NULL;
		}
		list += len + (n > 0);
	}
	return fs;
}

void
filters_free(struct filters *fs)
{
	for (unsigned i = 0; fs != NULL && i < fs->n; i++)
		filter_free(fs->list[i]);
	free(fs);
}

void
filters_reads(const struct filters *fs, struct field_set *reads)
{
	for (unsigned i = 0; i < fs->n; i++)
		filter_reads(fs->list[i], reads);
}

uint32_t
filters_reach(const struct filters *fs)
{
	return fs->reach;
}

void
filters_link(const struct filters *fs, uint32_t linktype)
{
	for (unsigned i = 0; i < fs->n; i++)
		filter_link(fs->list[i], linktype);
}

uint64_t
filters_run(const struct filters *fs, const struct batch *b, uint64_t mask)
{
	uint64_t left = mask;

	for (unsigned i = 0; i < fs->n && left != 0; i++)
		left &= ~filter_run(fs->list[i], b, left);
	return mask & ~left;
}
