/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directives of the classification of streams, and what is made of their values.
 * Main thread.
 */
#ifndef WEIR_COLLECTORS_CLASS_CONFIG_H
#define WEIR_COLLECTORS_CLASS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/classifier.h"
#include "lib/directive.h"

#define CLASS_ENGINES 4U

struct class_config {
	const char *engines;      /* list as written; NULL: what is built in */
	uint32_t tentatives;      /* packets with payload that patterns look at */
	uint32_t max_flows;       /* streams that each worker remembers */
	uint32_t idle_ms;         /* a longer pause ends a stream */
	uint32_t idle_budget;     /* streams that are ended at once */
	uint32_t giveup_tcp, giveup_udp, giveup_other; /* packets of a stream that are looked at */
	bool guess;               /* by port and address, where nothing else tells */
	/* No directives: */
	char *words;              /* `engines` taken apart; owned */
	unsigned n;               /* engines in the order of asking, */
	const struct class_engine_ops *ops[CLASS_ENGINES];
	const char *directory;    /* and where patterns are; NULL: nowhere */
	struct patterns *patterns; /* read from there; owned */
	struct channels *channels; /* of all workers; owned; NULL: streams announce no others */
	struct class_list *list;  /* instances at work; owned; NULL: nobody looks at them */
};

extern const struct directive_set class_directives;

/*
 * Find the engines of `c` and read their files. Faults go to `ps`, those of the list with
 * their place among `lines`.
 */
void class_config_load(struct class_config *c, const struct config *lines,
    struct problems *ps);
void class_config_fini(struct class_config *c);

/* Call `each` for every engine at work. Any thread. `class_config` is a struct class_config. */
void class_config_each(void *class_config, classifier_fn *each, void *arg);

#endif
