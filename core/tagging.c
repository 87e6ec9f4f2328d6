/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/tagging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/rcu.h"

int
tagging_load(struct tagging *t, unsigned workers, struct problems *ps, struct err *e)
{
	struct tagmap *m = tagmap_load(t->path, workers, ps, e);

	if (m == NULL)
		return -WEIR_EIO;
	atomic_init(&t->map, m);
	return 0;
}

void
tagging_free(struct tagging *t)
{
	tagmap_free(atomic_load(&t->map));
	atomic_store(&t->map, NULL);
}

void
tagging_reads(const struct tagging *t, struct field_set *reads)
{
	/* Behind those that it sets: most rules that will be added compare these. */
	static const enum field_no always[] = { F_TAG, F_TAG2, F_LABEL, F_TOS, F_EXPORTER_IP,
		F_IN_IFACE, F_OUT_IFACE };

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		field_set_add(reads, always[i]);
	tagmap_reads(tagging_map(t), reads);
}

/* The names of the fields of `reads` that are not in `filled`, as a list; "" for none. */
static const char *
missing_list(const struct field_set *reads, const struct field_set *filled, char *text,
    size_t room)
{
	size_t len = 0;

	text[0] = '\0';
	for (int i = 0; i < FIELD_COUNT; i++)
		if (field_set_has(reads, (enum field_no)i) &&
		    !field_set_has(filled, (enum field_no)i) && len < room)
			len += (size_t)snprintf(text + len, room - len, "%s%s",
			    len > 0 ? ", " : "", fields[i].config);
	return text;
}

/* A rule of `m` that compares what no header of a datagram tells is a fault. */
static void
bare_check(const struct tagging *t, const struct tagmap *m, struct problems *ps)
{
	static const enum field_no known[] = { F_EXPORTER_IP, F_ENGINE_TYPE, F_ENGINE_ID,
		F_EXPORT_PROTO_SYSID };
	struct field_set reads = { 0 }, told = { 0 };
	char missing[256];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		field_set_add(&told, known[i]);
	tagmap_reads(m, &reads);
	if (tagmap_reach(m) > 0 ||
	    *missing_list(&reads, &told, missing, sizeof(missing)) != '\0')
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "pre_tag_map %s: compares %s, which is not known of a datagram that "
		    "tee hands on undecoded; compare ip, engine_type, engine_id and "
		    "agent_id alone, or give tee a map of its own: pre_tag_map[NAME]", t->path,
		    tagmap_reach(m) > 0 ? "packets (filter)" : missing);
}

void
tagging_bare(struct tagging *t, struct problems *ps)
{
	size_t errors = ps->n_errors;

	bare_check(t, tagging_map(t), ps);
	t->bare |= ps->n_errors == errors;
}

static void
map_free(void *m)
{
	tagmap_free(m);
}

void
tagging_reload(struct tagging *t, unsigned workers, const struct field_set *filled,
    struct problems *ps)
{
	size_t errors = ps->n_errors;
	struct field_set reads = { 0 };
	struct err e = ERR_INIT;
	struct tagmap *fresh = tagmap_load(t->path, workers, ps, &e);
	char missing[256];

	if (fresh == NULL) {
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
		return;
	}
	tagmap_reads(fresh, &reads);
	if (*missing_list(&reads, filled, missing, sizeof(missing)) != '\0')
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "pre_tag_map %s: compares what no rule did when weir started (%s): restart "
		    "weir to take it up", t->path, missing);
	if (t->bare)
		bare_check(t, fresh, ps);
	if (ps->n_errors != errors) {
		tagmap_free(fresh);
		return;
	}
	log_info("pre_tag_map %s: read anew, %u rules", t->path, tagmap_rules(fresh));
	rcu_enter();
	rcu_defer(map_free, atomic_exchange(&t->map, fresh));
	rcu_leave();
}

/* All lines of `m`, and behind them their texts. */
static struct tagmap_line *
lines_copy(const struct tagging *t, const struct tagmap *m, uint32_t n)
{
	size_t octets = n * sizeof(struct tagmap_line) + 1;
	struct tagmap_line *lines;
	char *text;

	for (uint32_t i = 0; i < n; i++)
		octets += strlen(tagmap_line(m, i).text) + 1;
	lines = malloc(octets);
	if (lines == NULL)
		return NULL;
	text = (char *)(lines + n);
	for (uint32_t i = 0; i < n; i++) {
		size_t len;

		lines[i] = tagmap_line(m, i);
		len = strlen(lines[i].text) + 1;
		memcpy(text, lines[i].text, len);
		lines[i].file = t->path;
		lines[i].text = text;
		text += len;
	}
	return lines;
}

struct tagmap_line *
tagging_lines(const struct tagging *t, uint32_t *n)
{
	const struct tagmap *m;
	struct tagmap_line *lines;

	rcu_enter();
	m = tagging_map(t);
	*n = tagmap_rules(m);
	lines = lines_copy(t, m, *n);
	rcu_leave();
	if (lines == NULL)
		*n = 0;
	return lines;
}
