/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/networks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

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

/* Parse one line, without blanks or comment, into `w` and its prefix. */
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
	w->bits16 = p->len;
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

/* Cut `line` at its comment and newline and take its blanks out. */
static void
line_clean(char *line)
{
	char *to = line;

	for (const char *c = line; *c != '\0' && *c != '!' && *c != '#'; c++)
		if (strchr(" \t\r\n", *c) == NULL)
			*to++ = *c;
	*to = '\0';
}

static int
networks_read(struct networks *n, FILE *in, const char *path, struct problems *ps,
    struct err *e)
{
	char *line = NULL, shown[64];
	size_t room = 0;
	struct config_line at = { .file = path, .line = 0 };
	int rc = 0;

	while (rc == 0 && getline(&line, &room, in) >= 0) {
		struct network w;
		struct prefix p;

		at.line++;
		line_clean(line);
		if (line[0] == '\0')
			continue;
		snprintf(shown, sizeof(shown), "%.60s", line);
		if (!network_parse(line, &w, &p))
			problem_add(ps, PROBLEM_WARNING, &at,
			    "'%s' left out: write [[nexthop,]AS,]network/length", shown);
		else if (network_add(n, &w, &p) != 0)
			rc = err_set(e, WEIR_ENOMEM, "networks_file %s: no memory", path);
	}
	if (rc == 0 && !feof(in))
		rc = err_set(e, WEIR_EIO, "networks_file %s: %s", path, strerror(errno));
	free(line);
	return rc;
}

struct networks *
networks_load(const char *path, struct problems *ps, struct err *e)
{
	struct networks *n;
	FILE *in = fopen(path, "re");
	int rc;

	if (in == NULL) {
		err_set(e, WEIR_EIO, "networks_file %s: %s", path, strerror(errno));
		return NULL;
	}
	n = calloc(1, sizeof(*n));
	if (n == NULL || (n->lpm = lpm_new()) == NULL)
		rc = err_set(e, WEIR_ENOMEM, "networks_file %s: no memory", path);
	else
		rc = networks_read(n, in, path, ps, e);
	fclose(in);
	if (rc != 0) {
		networks_free(n);
		return NULL;
	}
	return n;
}

const struct network *
networks_find(const struct networks *n, const ip16_t *a)
{
	int64_t i = lpm_find(n->lpm, a);

	return i >= 0 ? &n->list[i] : NULL;
}
