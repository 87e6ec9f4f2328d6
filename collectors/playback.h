/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * playback: the life of a capture file that is read, shared by the collectors that read
 * one: pcap_savefile_delay before each play, pcap_savefile_replay plays, and then an end,
 * or with pcap_savefile_wait a rest. A terminal is told how far it is. Opened by the main
 * thread, used by the worker; it belongs to its collector, whose `read` goes
 *
 *   if (playback_waits(p)) return COLLECTOR_IDLE;
 *   result = capture_read(&p->capture, ...); ... playback_tells_time(p) ...
 *   return playback_state(p, c, result);
 */
#ifndef WEIR_COLLECTORS_PLAYBACK_H
#define WEIR_COLLECTORS_PLAYBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/capture.h"
#include "core/collector.h"
#include "lib/progress.h"

struct playback {
	struct capture capture;
	const struct pcap_config *config;
	struct progress progress;
	char label[80]; /* of the play, for people */
	uint64_t units; /* of the collector when it began */
	uint64_t begin_at; /* clock_mono; not before that */
	uint32_t play; /* its number, from 1 */
	bool begun, ended;
};

/*
 * Open the file that `c` names. Returns 0, or -WEIR_E... with `e` filled: also where it is
 * to be played again and cannot be read twice.
 */
int playback_open(struct playback *p, const struct pcap_config *c, struct err *e);

/* Does nothing when it is not open. */
void playback_close(struct playback *p);

/* Whether there is nothing to read just now: a delay, or the rest after the end. */
bool playback_waits(struct playback *p, const struct collector *c);

/*
 * Whether the file's times say what is over. While another play is to come nothing is:
 * bins stay open until the last one, whose rows then are those of all. (Not where they go
 * on for ever.)
 */
bool playback_tells_time(const struct playback *p);

/* What `read` of `c` returns after capture_read returned `result`; begins the next play. */
enum collector_state playback_state(
    struct playback *p, struct collector *c, enum capture_result result);

#endif
