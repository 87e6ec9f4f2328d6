/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An exporter's stream, cut into pieces as the first octets say, to a decoder that only
 * looks at what it is given. However it is cut, the same messages come out, each as long
 * as its header says; and every octet is accounted for.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/stream.h"
#include "lib/log.h"
#include "lib/rbuf.h"

#define PIECES 8U /* lengths of pieces that the input gives, used in turn */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out of a stream. */
struct heard {
	uint64_t messages, octets, hash;
};

static void
decode(void *decoder, const struct datagram *d)
{
	struct heard *h = decoder;
	struct rbuf r = rbuf_of(d->data, d->len);
	uint16_t version = rbuf_u16(&r), len = rbuf_u16(&r);

	if (version != 10 || len != d->len || len < 16)
		abort();
	h->messages++;
	h->octets += len;
	for (size_t i = 0; i < d->len; i++)
		h->hash = (h->hash ^ d->data[i]) * UINT64_C(1099511628211);
	h->hash ^= len;
}

static const struct datagram_decoder listener = { .name = "listener",
	.decode = decode };
static const struct collector_ops ops = { .name = "ipfix" };

/* Feed `data` in pieces of `pieces` (0: all that there is room for); returns what was heard. */
static struct heard
stream_run(const uint8_t *data, size_t size, const uint8_t pieces[PIECES])
{
	static struct stream s;
	struct pipeline p = { 0 };
	struct collector c = { .ops = &ops, .pipeline = &p };
	struct heard h = { 0 };
	struct intake in = { .collector = &c,
		.decoder = &listener,
		.decoding = &h,
		.limit = LOG_LIMIT_INIT };
	enum stream_state state = STREAM_WAITS;
	uint64_t booked;
	size_t at = 0;

	s.used = 0;
	for (unsigned i = 0; at < size && state != STREAM_ENDS; i++) {
		size_t room, n = pieces[i % PIECES];
		uint8_t *to = stream_room(&s, &room);

		if (room == 0)
			abort();
		n = n == 0 || n > room ? room : n;
		n = n > size - at ? size - at : n;
		memcpy(to, data + at, n);
		at += n;
		state = stream_take(&s, &in, n);
	}
	stream_end(&s, &in);
	/* What is no message is booked by us, the others by the decoder, that is not at all. */
	booked = stat_get(&p.stats, STAT_DATAGRAM_OCTETS);
	if (h.octets + booked != at || stat_get(&p.stats, STAT_DATAGRAMS) > 1 ||
	    stat_get(&p.stats, STAT_DATAGRAMS) !=
		stat_get(&p.stats, STAT_BAD_SHORT) +
		    stat_get(&p.stats, STAT_BAD_VERSION) +
		    stat_get(&p.stats, STAT_BAD_LENGTH))
		abort();
	return h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t whole[PIECES] = { 0 };
	static const struct log_config quiet = { .file = "/dev/null" };
	static bool is_quiet;
	struct heard one, other;

	if (!is_quiet)
		is_quiet = log_open(&quiet, NULL) == 0;
	if (size < PIECES)
		return 0;
	one = stream_run(data + PIECES, size - PIECES, whole);
	other = stream_run(data + PIECES, size - PIECES, data);
	if (memcmp(&one, &other, sizeof(one)) != 0)
		abort();
	return 0;
}
