/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of what looks into packets: the frames of one stream, each behind an octet (its
 * link layer, and whether some of it was not captured) and two of length, go to all engines, as
 * far as they have content and are of one protocol, as those of a stream are. What is not
 * weir's own in there (nDPI, PCRE2) must bear whatever a packet is that weir has dissected.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collectors/channels.h"
#include "collectors/class_engine.h"
#include "collectors/patterns.h"
#include "flow/frame.h"
#include "lib/rbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NO_PROTO 256U
#define TIME     UINT64_C(1700000000000000000) /* of the first frame, ns since 1970 */

static struct class_config config = { .tentatives = 8, .guess = true };
static void *engines[CLASS_ENGINES];
static struct packet_wants wants;
static struct channels *channels;

#ifdef WITH_PCRE2
/* Some as L7-filter has them, and one that takes too many steps. */
static void
patterns_open(void)
{
	static const char text[] = "http\n(get|post) [\\x09-\\x0d -~]* http/[01]\\.[019]\n";
	static const char slow[] = "slow\n^(a|a?)+(b|b?)+$\n";
	static const char *const files[] = { text, slow };
	char folder[] = "/tmp/weir-fuzz-XXXXXX", path[64];
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	if (mkdtemp(folder) == NULL)
		abort();
	for (size_t i = 0; i < 2; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%zu.pat", folder, i);
		if ((f = fopen(path, "we")) == NULL || fputs(files[i], f) < 0 || fclose(f) != 0)
			abort();
	}
	config.patterns = patterns_read(folder, &ps, &e);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%zu.pat", folder, i);
		(void)unlink(path);
	}
	(void)rmdir(folder);
	if (config.patterns == NULL || patterns_count(config.patterns) != 2)
		abort();
	config.ops[config.n++] = &class_patterns;
}
#endif

static void
engines_open(void)
{
	static const struct field_set none;
	struct err e = ERR_INIT;

#ifdef WITH_PCRE2
	patterns_open();
#endif
#ifdef WITH_NDPI
	config.ops[config.n++] = &class_ndpi;
#endif
	for (unsigned i = 0; i < config.n; i++)
		if ((engines[i] = config.ops[i]->open(&config, &e)) == NULL)
			abort();
	if ((channels = channels_new()) == NULL)
		abort();
	packet_wants_init(&wants, &none);
	if (packet_layers_parse("gtp;vxlan", &wants, &e) != 0)
		abort();
}

/* On a copy, so that a sanitizer sees every octet read beyond it. */
static void
frame_look(void *const *streams, unsigned *proto, unsigned choice, struct rbuf octets,
    uint64_t time)
{
	static const int links[] = { 1, 101, 113, 0 };
	size_t len = rbuf_left(&octets);
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct frame frame = { .octets = copy, .caplen = (uint32_t)len, .time = time,
		.wirelen = (uint32_t)(len + (choice & 0x80)) };
	struct packet_content c;

	if (copy == NULL)
		abort();
	memcpy(copy, octets.p, len);
	if (packet_content(packet_link(links[choice % 4]), &frame, &wants, &c)) {
		if (c.ip < copy || c.ip + c.ip_octets > copy + len || c.payload.p < c.ip ||
		    c.payload.end > c.ip + c.ip_octets || c.payload.p > c.payload.end)
			abort();
		if (*proto == NO_PROTO)
			*proto = c.proto;
		channels_look(channels, channels->ftp, &c, time);
		channels_look(channels, channels->rtsp, &c, time);
		for (unsigned i = 0; c.proto == *proto && i < config.n; i++) {
			uint32_t class_id = 0;

			(void)config.ops[i]->look(engines[i], streams[i], &c, time, &class_id);
		}
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rbuf in = rbuf_of(data, size);
	void *streams[CLASS_ENGINES] = { NULL };
	unsigned proto = NO_PROTO;
	uint64_t time = TIME;

	if (channels == NULL)
		engines_open();
	for (unsigned i = 0; i < config.n; i++)
		if ((streams[i] = config.ops[i]->stream_new(engines[i])) == NULL)
			abort();
	while (rbuf_left(&in) > 3) {
		unsigned choice = rbuf_u8(&in);
		size_t len = rbuf_u16(&in);

		len = len < rbuf_left(&in) ? len : rbuf_left(&in);
		frame_look(streams, &proto, choice, rbuf_take(&in, len), time++);
	}
	for (unsigned i = 0; i < config.n; i++) {
		if (config.ops[i]->give_up != NULL)
			(void)config.ops[i]->give_up(engines[i], streams[i]);
		config.ops[i]->stream_free(engines[i], streams[i]);
	}
	return 0;
}
