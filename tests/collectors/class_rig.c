/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "tests/collectors/class_rig.h"

unsigned class_rig_streams;

static void *
class_open(const struct class_config *c, struct err *e)
{
	(void)c, (void)e;
	return &class_rig_streams;
}

static void
class_close(void *engine)
{
	assert_ptr_equal(engine, &class_rig_streams);
}

static void *
stream_new(void *engine)
{
	++*(unsigned *)engine;
	return calloc(1, 1);
}

static void
stream_free(void *engine, void *stream)
{
	--*(unsigned *)engine;
	free(stream);
}

static uint32_t
class_id(const char *name)
{
	return intern(name, strlen(name));
}

static enum class_answer
class_look(void *engine, void *stream, const struct packet_content *c, uint64_t time,
    uint32_t *id)
{
	uint8_t octet = rbuf_left(&c->payload) > 0 ? *c->payload.p : 0;

	(void)engine, (void)time;
	if (octet == 'g')
		*(uint8_t *)stream = octet;
	if (octet == 'w' || octet == 'p')
		*id = class_id("web");
	else if (octet == 'm' || octet == 'q')
		*id = class_id("mail");
	return octet == 'w' || octet == 'm' ? CLASS_FINAL : CLASS_MORE;
}

static uint32_t
class_give_up(void *engine, void *stream)
{
	(void)engine;
	return *(uint8_t *)stream == 'g' ? class_id("guess") : 0;
}

static const struct class_engine_ops fake_class = {
	.name = "fake",
	.open = class_open,
	.close = class_close,
	.stream_new = stream_new,
	.stream_free = stream_free,
	.look = class_look,
	.give_up = class_give_up,
};

struct class_config
class_rig_config(uint32_t max_flows)
{
	return (struct class_config){ .max_flows = max_flows, .idle_ms = 600000,
		.idle_budget = 1024, .giveup_tcp = CLASS_RIG_LOOKS, .giveup_udp = CLASS_RIG_LOOKS,
		.giveup_other = CLASS_RIG_LOOKS, .n = 1, .ops = { &fake_class } };
}

void
class_send(struct pipeline *p, struct classes *cs, const struct packet_wants *wants,
    uint64_t time, uint32_t no, bool back, char octet)
{
	uint8_t bytes[43] = { [12] = 8, [14] = 0x45, [17] = 29, [22] = 64, [23] = 17,
		[39] = 9, [42] = (uint8_t)octet };
	const struct packet_link *link = packet_link(1);
	const struct frame frame = { .octets = bytes, .caplen = sizeof(bytes),
		.wirelen = sizeof(bytes), .time = time, .linktype = 1 };
	struct packet_fragment fragment;
	struct flow *f = pipeline_slot(p);

	bytes[back ? 30 : 26] = 10;
	for (unsigned i = 0; i < 3; i++)
		bytes[(back ? 31 : 27) + i] = (uint8_t)(no >> (16 - 8 * i));
	bytes[back ? 26 : 30] = 192;
	bytes[back ? 37 : 35] = 99; /* ports: 99 of the first, 53 of the other */
	bytes[back ? 35 : 37] = 53;
	assert_int_equal(packet_dissect_more(link, bytes, sizeof(bytes), sizeof(bytes), wants, f,
			     &fragment),
	    PACKET_OK);
	f->stamp = time;
	classes_take(cs, link, &frame, f);
	pipeline_commit(p);
}

uint32_t
class_draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

