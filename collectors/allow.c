/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/allow.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "lib/infile.h"
#include "lib/log.h"
#include "lib/lpm.h"
#include "lib/rcu.h"

#define FILE_MAX (64U << 20) /* octets */

struct allow {
	char key[32]; /* the directive that names it */
	const char *path;
	struct lpm *_Atomic list; /* immutable; its values mean nothing */
};

static void
list_free(void *list)
{
	lpm_free(list);
}

/* The line without comment and the blanks around it. */
static char *
line_clean(char *line)
{
	char *end;

	line[strcspn(line, "!#\r\n")] = '\0';
	line += strspn(line, " \t");
	end = line + strlen(line);
	while (end > line && strchr(" \t", end[-1]) != NULL)
		*--end = '\0';
	return line;
}

/* Read all lines of `in` into `list`; faults go to `ps`. Returns how many were taken. */
static unsigned
list_read(struct lpm *list, FILE *in, const struct allow *a, struct problems *ps)
{
	struct config_line at = { .file = a->path };
	char *line = NULL;
	size_t room = 0;
	unsigned n = 0;

	while (getline(&line, &room, in) >= 0) {
		const char *text = line_clean(line);
		bool host_bits = false;
		struct prefix p;

		at.line++;
		if (*text == '\0')
			continue;
		if (prefix_parse(text, &p, &host_bits) != 0)
			problem_add(ps, PROBLEM_ERROR, &at,
			    "'%.60s': write an address, or a network as address/length",
			    text);
		else if (lpm_add(list, &p, 0) != 0)
			problem_add(ps, PROBLEM_ERROR, &at, "%s: no memory", a->key);
		else
			n++;
		if (host_bits)
			problem_add(ps, PROBLEM_WARNING, &at,
			    "'%.60s': taken as the whole network, its other bits are "
			    "not looked at",
			    text);
	}
	if (!feof(in))
		problem_add(ps, PROBLEM_ERROR, NULL, "%s %s: %s", a->key, a->path,
		    infile_error(errno));
	free(line);
	return n;
}

/* The list that stands in the file; NULL, with errors in `ps`, when there are faults. */
static struct lpm *
list_load(const struct allow *a, struct problems *ps)
{
	size_t before = ps->n_errors;
	struct lpm *list;
	FILE *in = infile_open(a->path, FILE_MAX, NULL);
	unsigned n;

	if (in == NULL) {
		problem_add(ps, PROBLEM_ERROR, NULL, "%s %s: %s", a->key, a->path,
		    infile_error(errno));
		return NULL;
	}
	list = lpm_new();
	if (list == NULL) {
		problem_add(ps, PROBLEM_ERROR, NULL, "%s: no memory", a->key);
		fclose(in);
		return NULL;
	}
	n = list_read(list, in, a, ps);
	fclose(in);
	if (lpm_build(list) != 0)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s: no memory", a->key);
	if (ps->n_errors != before) {
		lpm_free(list);
		return NULL;
	}
	if (n == 0)
		problem_add(ps, PROBLEM_WARNING, NULL, "%s %s: empty: nobody may send",
		    a->key, a->path);
	return list;
}

struct allow *
allow_open(const char *key, const char *path, struct problems *ps)
{
	struct allow *a = calloc(1, sizeof(*a));
	struct lpm *list;

	if (a == NULL) {
		problem_add(ps, PROBLEM_ERROR, NULL, "%s: no memory", key);
		return NULL;
	}
	snprintf(a->key, sizeof(a->key), "%s", key);
	a->path = path;
	list = list_load(a, ps);
	if (list == NULL) {
		free(a);
		return NULL;
	}
	atomic_init(&a->list, list);
	return a;
}

void
allow_reload(struct allow *a, struct problems *ps)
{
	struct lpm *list = list_load(a, ps);

	if (list == NULL)
		return;
	list = atomic_exchange_explicit(&a->list, list, memory_order_acq_rel);
	rcu_enter();
	rcu_defer(list_free, list);
	rcu_leave();
	log_info("%s %s: read anew", a->key, a->path);
}

void
allow_close(struct allow *a)
{
	if (a == NULL)
		return;
	lpm_free(atomic_load(&a->list));
	free(a);
}

bool
allow_holds(const struct allow *a, const ip16_t *who)
{
	return lpm_find(atomic_load_explicit(&a->list, memory_order_acquire), who) >= 0;
}
