/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * class_list: the engines at work in all workers, for people who ask. What they hold is
 * written by their worker, and read by any thread.
 */
#ifndef WEIR_COLLECTORS_CLASS_LIST_H
#define WEIR_COLLECTORS_CLASS_LIST_H

#include <stdatomic.h>
#include <stdint.h>

#include "collectors/class_config.h"

/* One instance of struct classes, as told by its worker. */
struct class_member {
	struct class_member *next; /* the list's */
	unsigned worker, n;
	char text[CLASS_ENGINES][256];
	uint32_t streams_max, open_max;
	_Atomic uint32_t streams, open, late;
};

struct class_list *class_list_new(void);
void class_list_free(struct class_list *l);

/* `m` (borrowed until it leaves) has its text and bounds. */
void class_list_join(struct class_list *l, struct class_member *m);
void class_list_leave(struct class_list *l, struct class_member *m);

void class_list_each(struct class_list *l, classifier_fn *each, void *arg);

#endif
