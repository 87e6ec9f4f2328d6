/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * class_sink: an output for tests that adds up what is written of a view, by time bin and
 * class. Its configuration is a struct class_sink, which the test fills and reads.
 */
#ifndef WEIR_TESTS_CORE_CLASS_SINK_H
#define WEIR_TESTS_CORE_CLASS_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "core/view.h"

#define CLASS_SINK_BINS    16U
#define CLASS_SINK_CLASSES 8U

struct class_sink {
	const char *const *classes; /* names; NULL: the view has none, and all is of the first */
	unsigned n_classes;
	uint64_t start;             /* of bin 0, ns since 1970; bins are of a minute */
	unsigned n_bins;
	bool hold_open, adds_up;    /* what the view is asked for */
	enum view_unknown unknown;
	unsigned writes;
	uint64_t packets[CLASS_SINK_BINS][CLASS_SINK_CLASSES];
};

/* Fails the test that is written a row of no packets, of another bin or of another class. */
extern const struct output_ops class_sink_output;

/* The place of class `id` among `classes` (n); fails the test where it has none. */
unsigned class_sink_no(const char *const *classes, unsigned n, uint32_t id);

#endif
