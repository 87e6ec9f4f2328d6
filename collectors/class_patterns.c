/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/class_engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "collectors/patterns.h"

#define TEXT_OCTETS 2048U /* of a stream that patterns look at */

struct engine {
	const struct class_config *config;
	struct patterns_scratch *scratch;
	uint64_t given_up; /* matches that took too many steps */
};

struct stream {
	uint32_t tries;
	uint32_t octets;
	uint8_t text[TEXT_OCTETS];
};

static void *
engine_open(const struct class_config *c, struct err *e)
{
	struct engine *g = calloc(1, sizeof(*g));

	if (g == NULL || (g->scratch = patterns_scratch_new(c->patterns)) == NULL) {
		free(g);
		err_set(e, WEIR_ENOMEM, "no memory for patterns");
		return NULL;
	}
	g->config = c;
	return g;
}

static void
engine_close(void *engine)
{
	struct engine *g = engine;

	patterns_scratch_free(g->scratch);
	free(g);
}

static void *
stream_new(void *engine)
{
	struct stream *s = malloc(sizeof(*s));

	(void)engine;
	if (s != NULL)
		s->tries = s->octets = 0;
	return s;
}

static void
stream_free(void *engine, void *stream)
{
	(void)engine;
	free(stream);
}

static enum class_answer
stream_look(void *engine, void *stream, const struct packet_content *c, uint64_t time,
    uint32_t *class_id)
{
	struct engine *g = engine;
	struct stream *s = stream;

	(void)time;
	if (rbuf_left(&c->payload) == 0)
		return CLASS_MORE;
	for (const uint8_t *p = c->payload.p; p < c->payload.end && s->octets < TEXT_OCTETS;
	    p++)
		if (*p != 0)
			s->text[s->octets++] = *p;
	*class_id = patterns_match(
	    g->config->patterns, g->scratch, s->text, s->octets, &g->given_up);
	return *class_id != 0 || ++s->tries >= g->config->tentatives ||
		       s->octets == TEXT_OCTETS
		   ? CLASS_FINAL
		   : CLASS_MORE;
}

static void
describe(const void *engine, char *text, size_t room)
{
	const struct engine *g = engine;

	snprintf(text, room, "%s, %" PRIu32 " patterns", g->config->directory,
	    patterns_count(g->config->patterns));
}

const struct class_engine_ops class_patterns = {
	.name = "patterns",
	.open = engine_open,
	.close = engine_close,
	.stream_new = stream_new,
	.stream_free = stream_free,
	.look = stream_look,
	.describe = describe,
};
