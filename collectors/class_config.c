/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "collectors/class_config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/channels.h"
#include "collectors/class_engine.h"
#include "collectors/class_list.h"
#include "collectors/patterns.h"

/* clang-format off */
#define AT(member) .offset = offsetof(struct class_config, member)
static const struct directive rows[] = {
	{ .name = "classifiers", .type = DIRECTIVE_STRING, AT(engines),
	  .doc = "What finds the class of captured packets and sampled headers: `ndpi` "
	         "(nDPI, the default where weir is built with it), a folder of .pat files "
	         "(patterns as L7-filter has them), both with a comma between, or `none`. "
	         "The first answer counts; where two come at once, that of the one named "
	         "first." },
	{ .name = "classifier_tentatives", .type = DIRECTIVE_U32, AT(tentatives), .min = 1,
	  .max = 1000, .def = "5", .unit = "packets",
	  .doc = "Packets with payload of each stream that patterns look at." },
	{ .name = "classifier_max_flows", .type = DIRECTIVE_U32, AT(max_flows), .min = 1,
	  .max = 200000000, .def = "1000000", .unit = "streams",
	  .doc = "Streams that each worker remembers, some 100 octets each, taken as they "
	         "come. Packets of others are of unknown class (class_refused)." },
	{ .name = "classifier_giveup_proto_tcp", .type = DIRECTIVE_U32, AT(giveup_tcp),
	  .min = 1, .max = 1000, .def = "80", .unit = "packets",
	  .doc = "Packets of a TCP stream that are looked at." },
	{ .name = "classifier_giveup_proto_udp", .type = DIRECTIVE_U32, AT(giveup_udp),
	  .min = 1,
	  .max = 1000, .def = "24", .unit = "packets", .doc = "The same of UDP." },
	{ .name = "classifier_giveup_proto_other", .type = DIRECTIVE_U32, AT(giveup_other),
	  .min = 1, .max = 1000, .def = "8", .unit = "packets",
	  .doc = "The same of other protocols." },
	{ .name = "classifier_proto_guess", .type = DIRECTIVE_BOOL, AT(guess), .def = "true",
	  .doc = "Let nDPI guess by ports and addresses where a stream's packets tell "
	         "nothing." },
	{ .name = "classifier_idle_max_time", .type = DIRECTIVE_U32, AT(idle_ms), .min = 1000,
	  .max = 86400000, .def = "600000", .unit = "ms",
	  .doc = "A stream that was silent for longer is forgotten; after a minute at most "
	         "it is judged by what was seen of it." },
	{ .name = "classifier_idle_scan_budget", .type = DIRECTIVE_U32, AT(idle_budget),
	  .min = 1, .max = 1000000, .def = "1024", .unit = "streams",
	  .doc = "Silent streams that are judged at once." },
	{ .name = "classifier_idle_scan_period", .type = DIRECTIVE_NOTICE,
	  .doc = "weir judges silent streams as time passes." },
	{ .name = "classifier_num_roots", .type = DIRECTIVE_NOTICE,
	  .doc = "weir's tables grow by themselves." },
	{ .name = "classifier_table_num", .type = DIRECTIVE_NOTICE,
	  .doc = "There may be as many classes as there are." },
	{ .name = "flow_handling_threads", .type = DIRECTIVE_NOTICE,
	  .doc = "Each worker classifies its own streams: see workers." },
	{ .name = NULL },
};
#undef AT
/* clang-format on */

const struct directive_set class_directives = { "classes", rows,
	sizeof(struct class_config) };

#ifdef WITH_NDPI
static const struct class_engine_ops *const ndpi = &class_ndpi;
#else
static const struct class_engine_ops *const ndpi; /* not built in */
#endif

static void
engine_add(struct class_config *c, const struct class_engine_ops *ops)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->ops[i] == ops)
			return;
	c->ops[c->n++] = ops;
}

static void
engine_ndpi(struct class_config *c, const struct config_line *at, struct problems *ps)
{
	unsigned before = c->n;

	if (ndpi != NULL) {
		engine_add(c, ndpi);
		if (c->n == before)
			problem_add(ps, PROBLEM_WARNING, at,
			    "classifiers: ndpi is written twice: once is enough");
	} else {
		problem_add(ps, PROBLEM_ERROR, at,
		    "classifiers: this weir is built without nDPI: write a folder of patterns, "
		    "or build it with libndpi-dev");
	}
}

static void
engine_patterns(struct class_config *c, const char *path, const struct config_line *at,
    struct problems *ps)
{
#ifdef WITH_PCRE2
	struct err e = ERR_INIT;

	if (c->patterns != NULL) {
		problem_add(ps, PROBLEM_ERROR, at,
		    "classifiers: two folders, %s and %s: write one", c->directory, path);
		return;
	}
	if ((c->patterns = patterns_read(path, ps, &e)) == NULL) {
		problem_add(ps, PROBLEM_ERROR, at, "classifiers: %s", e.text);
		return;
	}
	if (patterns_count(c->patterns) == 0)
		problem_add(ps, PROBLEM_WARNING, at,
		    "classifiers: %s has no patterns (files whose names end in .pat): it finds "
		    "no class", path);
	engine_add(c, &class_patterns);
#else
	(void)c;
	problem_add(ps, PROBLEM_ERROR, at,
	    "classifiers: %s: this weir is built without PCRE2, and knows no patterns", path);
#endif
}

/* Where `key` was written. */
static const struct config_line *
line_of(const struct config *lines, const char *key)
{
	const struct config_line *found = NULL;

	for (size_t i = 0; i < lines->n; i++)
		if (strcmp(lines->lines[i].key, key) == 0)
			found = &lines->lines[i];
	return found;
}

void
class_config_load(struct class_config *c, const struct config *lines, struct problems *ps)
{
	const struct config_line *at = line_of(lines, "classifiers");
	char *word, *save = NULL;
	bool none = false;
	unsigned n = 0;

	if (c->list == NULL && (c->list = class_list_new()) == NULL)
		abort();
	if (c->channels == NULL && (c->channels = channels_new()) == NULL)
		abort();
	if (c->engines == NULL) {
		if (ndpi != NULL)
			engine_add(c, ndpi);
		return;
	}
	c->words = strdup(c->engines);
	if (c->words == NULL)
		abort();
	for (word = strtok_r(c->words, ", \t", &save); word != NULL;
	     word = strtok_r(NULL, ", \t", &save), n++) {
		if (strcmp(word, "ndpi") == 0) {
			engine_ndpi(c, at, ps);
		} else if (strcmp(word, "none") == 0) {
			none = true;
		} else {
			c->directory = c->directory != NULL ? c->directory : word;
			engine_patterns(c, word, at, ps);
		}
	}
	if (none && n > 1)
		problem_add(ps, PROBLEM_WARNING, at,
		    "classifiers: none means nothing beside others: write it alone, or leave it "
		    "out");
}

void
class_config_fini(struct class_config *c)
{
#ifdef WITH_PCRE2
	patterns_free(c->patterns);
#endif
	class_list_free(c->list);
	channels_free(c->channels);
	free(c->words);
	c->list = NULL;
	c->channels = NULL;
	c->patterns = NULL;
	c->words = NULL;
}

void
class_config_each(void *class_config, classifier_fn *each, void *arg)
{
	const struct class_config *c = class_config;

	if (c->list != NULL)
		class_list_each(c->list, each, arg);
}
