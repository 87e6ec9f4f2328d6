/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/networks.h"

#include <stdlib.h>
#include <string.h>

#include "lib/listfile.h"
#include "lib/lpm.h"

struct networks {
	struct lpm *lpm;          /* value: place in `list` */
	struct network *list;
	uint32_t n, room;
};

void
networks_free(struct networks *n)
{
	if (n == NULL)
		return;
	lpm_free(n->lpm);
	free(n->list);
	free(n);
}

/* Parse an AS number that ends at `end`. */
static bool
as_parse(const char *text, const char *end, uint32_t *as)
{
	char *stop;
	unsigned long v = strtoul(text, &stop, 10);

	*as = (uint32_t)v;
	return stop == end && stop != text && *text != '-' && v <= UINT32_MAX;
}

/* Parse "AS" or "peerAS_AS". */
static bool
as_pair_parse(const char *text, struct network *w)
{
	const char *end = text + strlen(text), *under = strchr(text, '_');

	if (under == NULL)
		return as_parse(text, end, &w->as);
	return as_parse(text, under, &w->peer_as) && as_parse(under + 1, end, &w->as);
}

/* Parse one line into `w` and its prefix. */
static bool
network_parse(char *line, struct network *w, struct prefix *p)
{
	char *part[3];
	int n = 0;

	memset(w, 0, sizeof(*w));
	for (char *save = NULL, *t = strtok_r(line, ",", &save); t != NULL;
	     t = strtok_r(NULL, ",", &save)) {
		if (n == 3)
			return false;
		part[n++] = t;
	}
	if (n == 0 || prefix_parse(part[n - 1], p, NULL) != 0)
		return false;
	if (n >= 2 && !as_pair_parse(part[n - 2], w))
		return false;
	if (n == 3 && ip_parse(part[0], &w->nexthop) != 0)
		return false;
	w->bits = p->len >= 96 && ip_is_v4(&p->addr) ? (uint8_t)(p->len - 96) : p->len;
	return true;
}

static int
network_add(struct networks *n, const struct network *w, const struct prefix *p)
{
	if (n->n == n->room) {
		uint32_t room = n->room != 0 ? n->room * 2 : 256;
		struct network *list = realloc(n->list, room * sizeof(*list));

		if (list == NULL)
			return -WEIR_ENOMEM;
		n->list = list;
		n->room = room;
	}
	n->list[n->n] = *w;
	return lpm_add(n->lpm, p, n->n++);
}

static int
line_take(void *arg, char *line, struct err *why)
{
	struct networks *n = arg;
	struct network w;
	struct prefix p;

	if (!network_parse(line, &w, &p))
		return err_set(why, WEIR_EINVAL, "write [[nexthop,]AS,]network/length");
	if (n->n == LPM_MAX_VALUE || network_add(n, &w, &p) != 0)
		return err_set(why, WEIR_ENOMEM, "no memory");
	return 0;
}

/* Give back what the list has beyond its networks. */
static void
list_trim(struct networks *n)
{
	struct network *list = n->n > 0 ? realloc(n->list, n->n * sizeof(*list)) : NULL;

	if (list == NULL)
		return;
	n->list = list;
	n->room = n->n;
}

struct networks *
networks_load(const char *path, struct problems *ps, struct err *e)
{
	static const struct listfile list = { "networks_file", line_take };
	struct networks *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL || (n->lpm = lpm_new()) == NULL)
		rc = err_set(e, WEIR_ENOMEM, "networks_file %s: no memory", path);
	else
		rc = listfile_read(&list, path, n, ps, e);
	if (rc == 0 && lpm_build(n->lpm) != 0)
		rc = err_set(e, WEIR_ENOMEM, "networks_file %s: no memory", path);
	if (rc != 0) {
		networks_free(n);
		return NULL;
	}
	list_trim(n);
	return n;
}

const struct network *
networks_find(const struct networks *n, const ip16_t *a)
{
	int64_t i = lpm_find(n->lpm, a);

	return i >= 0 ? &n->list[i] : NULL;
}

void
networks_find_many(const struct networks *n, const ip16_t *const *a, unsigned count,
    const struct network **found)
{
	int64_t places[LPM_BATCH];

	lpm_find_many(n->lpm, a, count, places);
	for (unsigned i = 0; i < count; i++) {
		found[i] = places[i] >= 0 ? &n->list[places[i]] : NULL;
		__builtin_prefetch(found[i]);
	}
}
