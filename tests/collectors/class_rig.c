/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "tests/collectors/class_rig.h"

#define MEDIA_PORT 5004 /* of streams */

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
	else if (octet == 'I')
		*id = class_id("SIP");
	return octet == 'w' || octet == 'm' || octet == 'I' ? CLASS_FINAL : CLASS_MORE;
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

/*
 * A UDP datagram between `port` of 10.x.x.x, of which x are `no`, and 192.0.0.0, port 53, there or
 * back, with `len` octets of payload.
 */
static void
datagram_send(struct pipeline *p, struct classes *cs, const struct packet_wants *wants,
    uint64_t time, uint32_t no, uint16_t port, bool back, const char *payload, size_t len)
{
	uint8_t bytes[256] = { [12] = 8, [14] = 0x45, [17] = (uint8_t)(28 + len), [22] = 64,
		[23] = 17, [39] = (uint8_t)(8 + len) };
	const struct packet_link *link = packet_link(1);
	const struct frame frame = { .octets = bytes, .caplen = (uint32_t)(42 + len),
		.wirelen = (uint32_t)(42 + len), .time = time, .linktype = 1 };
	struct packet_fragment fragment;
	struct flow *f = pipeline_slot(p);

	assert_true(len <= sizeof(bytes) - 42);
	memcpy(bytes + 42, payload, len);
	bytes[back ? 30 : 26] = 10;
	for (unsigned i = 0; i < 3; i++)
		bytes[(back ? 31 : 27) + i] = (uint8_t)(no >> (16 - 8 * i));
	bytes[back ? 26 : 30] = 192;
	bytes[back ? 36 : 34] = (uint8_t)(port >> 8);
	bytes[back ? 37 : 35] = (uint8_t)port;
	bytes[back ? 35 : 37] = 53;
	assert_int_equal(packet_dissect_more(link, bytes, frame.caplen, frame.wirelen, wants, f,
			     &fragment),
	    PACKET_OK);
	f->stamp = time;
	classes_take(cs, link, &frame, f);
	pipeline_commit(p);
}

void
class_send(struct pipeline *p, struct classes *cs, const struct packet_wants *wants,
    uint64_t time, uint32_t no, bool back, char octet)
{
	datagram_send(p, cs, wants, time, no, MEDIA_PORT, back, &octet, 1);
}

void
class_announce(struct pipeline *p, struct classes *cs, const struct packet_wants *wants,
    uint64_t time, uint32_t no, bool media)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "INVITE\r\n\r\nc=IN IP4 10.%u.%u.%u\r\n"
	    "m=audio %u RTP/AVP 0\r\n", no >> 16, no >> 8 & 0xff, no & 0xff,
	    media ? MEDIA_PORT : 0);

	datagram_send(p, cs, wants, time, no, 5060, false, text, (size_t)len);
}

uint32_t
class_draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

