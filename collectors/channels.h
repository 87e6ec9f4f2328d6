/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channels: streams that another stream announces. FTP tells where data goes (RFC 959 s4.1.2,
 * RFC 2428), RTSP (RFC 2326 s12.39) and the session descriptions of SIP, MGCP and RTSP
 * (RFC 8866) where media does. Ends that were announced are kept for two minutes, a bounded number
 * of them, in sets of a few: in a full set the host that has most of it gives way, by the end that
 * is to go first. So a host that announces a lot takes no more than it has from those that do not.
 *
 * One instance for all workers, as the streams of a session may be dealt to several. To announce
 * what is new takes a lock; to ask, or to repeat, takes none, and never waits.
 */
#ifndef WEIR_COLLECTORS_CHANNELS_H
#define WEIR_COLLECTORS_CHANNELS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/ip.h"
#include "proto/packet.h"

#define CHANNELS_SETS   1024U /* a power of two */
#define CHANNELS_ENDS   8U    /* of a set */
#define CHANNELS_TAKEN  8U    /* of a packet: ports, or media with their reports */
#define CHANNELS_LIFE_S 120U  /* from the announcement to the stream */
#define CHANNELS_SAME_S 15U   /* an end that is announced again so soon stays as it is */

/*
 * An end of a stream that was announced: 94 bits of two seeded hashes of it, which stand for it
 * and are in both words, so that nobody takes halves of two ends for one.
 */
struct channel_end {
	_Atomic uint64_t key;  /* a hash */
	_Atomic uint64_t rest; /* until which second, then 30 bits of the other hash, then its kind */
};

struct channels {
	uint32_t ftp, sip, rtsp, mgcp; /* classes of streams that announce others, */
	uint32_t kinds[4];             /* and of those, by kind of end */
	_Alignas(64) _Atomic uint32_t told; /* announcements so far; wraps, but is never 0 again */
	_Alignas(64) pthread_mutex_t lock;  /* of those who announce; not beside what all others read */
	uint32_t by[CHANNELS_SETS][CHANNELS_ENDS]; /* hashes of the hosts that announced; under lock */
	_Alignas(64) struct channel_end ends[CHANNELS_SETS][CHANNELS_ENDS];
};

/* NULL when memory is short. */
struct channels *channels_new(void);
void channels_free(struct channels *ch);

/* Whether streams of class `class_id` announce others. `ch` may be NULL: none do. */
static inline bool
channels_come_of(const struct channels *ch, uint32_t class_id)
{
	return ch != NULL && class_id != 0 && (class_id == ch->ftp || class_id == ch->sip ||
	                            class_id == ch->rtsp || class_id == ch->mgcp);
}

/* How many announcements there were; whoever has asked since the last need not ask again. */
static inline uint32_t
channels_told(const struct channels *ch)
{
	return atomic_load_explicit(&ch->told, memory_order_acquire);
}

/*
 * See what packet `c` of such a stream, taken at `time`, announces: CHANNELS_TAKEN at most. Returns
 * how many ends gave way to it that were still good.
 */
unsigned channels_look(struct channels *ch, uint32_t class_id, const struct packet_content *c,
    uint64_t time);

/*
 * The class of a stream that begins at `time` (ns since 1970) with an end at `host` and `port`;
 * 0: not announced.
 */
uint32_t channels_find(const struct channels *ch, const ip16_t *host, uint16_t port,
    uint8_t proto, uint64_t time);

#endif
