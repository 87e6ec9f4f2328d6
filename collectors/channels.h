/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channels: streams that another stream announces. FTP tells where data goes (RFC 959 s4.1.2,
 * RFC 2428), RTSP (RFC 2326 s12.39) and the session descriptions of SIP, MGCP and RTSP
 * (RFC 8866) where media does. Ends that were announced are kept for a while, a bounded number of
 * them: a newer one may take the place of an older one.
 *
 * One instance per struct classes; its thread.
 */
#ifndef WEIR_COLLECTORS_CHANNELS_H
#define WEIR_COLLECTORS_CHANNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ip.h"
#include "proto/packet.h"

#define CHANNELS_ENDS 4096U
#define CHANNELS_LIFE (UINT64_C(120) * 1000000000) /* ns from the announcement to the stream */

/* An end of a stream that was announced. */
struct channel_end {
	ip16_t host;
	uint16_t port;
	uint8_t proto;
	uint32_t class_id; /* of the stream; 0: none is here */
	uint64_t until;    /* ns since 1970 */
};

struct channels {
	uint32_t ftp, sip, rtsp, mgcp; /* classes of streams that announce others, */
	uint32_t data, media, reports; /* and of those */
	uint32_t told;           /* announcements so far; wraps, but is never 0 again */
	struct channel_end ends[CHANNELS_ENDS]; /* by a hash */
};

/* NULL when memory is short; free() ends it. */
struct channels *channels_new(void);

/* Whether streams of class `class_id` announce others. */
static inline bool
channels_come_of(const struct channels *ch, uint32_t class_id)
{
	return class_id != 0 && (class_id == ch->ftp || class_id == ch->sip ||
	                            class_id == ch->rtsp || class_id == ch->mgcp);
}

/* See what packet `c` of such a stream, taken at `time`, announces. */
void channels_look(struct channels *ch, uint32_t class_id, const struct packet_content *c,
    uint64_t time);

/* The class of a stream that begins at `time` with an end at `host` and `port`; 0: not announced. */
uint32_t channels_find(const struct channels *ch, const ip16_t *host, uint16_t port,
    uint8_t proto, uint64_t time);

#endif
