/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * class_engine: what tells which application a stream belongs to. An engine is asked about
 * the first packets of each stream, of both directions, until it is sure or may not look at
 * more. One instance per worker; its thread, but for opening. A new engine is a row in
 * classes.c.
 */
#ifndef WEIR_COLLECTORS_CLASS_ENGINE_H
#define WEIR_COLLECTORS_CLASS_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/class_config.h"
#include "lib/err.h"
#include "proto/packet.h"

enum class_answer {
	CLASS_MORE,  /* it would look at more; what it said so far may become finer */
	CLASS_FINAL, /* it has nothing more to say */
};

struct class_engine_ops {
	const char *name; /* in `classifiers` */

	/* An engine; NULL with `e` filled. Main thread: never two at once. */
	void *(*open)(const struct class_config *c, struct err *e);
	void (*close)(void *engine);

	/* What the engine keeps of a stream; NULL when memory is short. */
	void *(*stream_new)(void *engine);
	void (*stream_free)(void *engine, void *stream);

	/*
	 * Look at packet `c` of `stream`, taken at `time` (ns since 1970). Sets `*class_id` when it
	 * can say one (lib/intern.h).
	 */
	enum class_answer (*look)(void *engine, void *stream, const struct packet_content *c,
	    uint64_t time, uint32_t *class_id);

	/* No more of `stream` comes: its class after all, 0: unknown. May be NULL. */
	uint32_t (*give_up)(void *engine, void *stream);

	/* What it is, for people: "nDPI 4.2.0", and how much it can tell apart. */
	void (*describe)(const void *engine, char *text, size_t room);
};

extern const struct class_engine_ops class_ndpi, class_patterns;

#endif
