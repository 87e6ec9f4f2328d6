/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/playback.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

static bool
is_last(const struct playback *p)
{
	return p->config->savefile_replay != 0 && p->play >= p->config->savefile_replay;
}

/* Once the file is open, play it after the delay. */
static void
play_next(struct playback *p)
{
	p->play++;
	p->begun = false;
	p->begin_at = clock_mono() + p->config->savefile_delay * CLOCK_S;
}

int
playback_open(struct playback *p, const struct pcap_config *c, struct err *e)
{
	int rc;

	memset(p, 0, sizeof(*p));
	p->config = c;
	rc = capture_open_file(&p->capture, c, e);
	if (rc != 0)
		return rc;
	if (c->savefile_replay != 1 && savefile_size(p->capture.file) == 0) {
		capture_close(&p->capture);
		return err_set(e, WEIR_EINVAL,
		    "pcap_savefile %s: a pipe cannot be read again; "
		    "leave out pcap_savefile_replay",
		    c->savefile);
	}
	play_next(p);
	return 0;
}

void
playback_close(struct playback *p)
{
	progress_end(&p->progress);
	capture_close(&p->capture);
}

static void
play_begin(struct playback *p, const struct collector *c)
{
	const char *path = p->config->savefile, *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	if (strcmp(path, "-") == 0)
		name = "standard input";
	if (p->config->savefile_replay == 1)
		snprintf(p->label, sizeof(p->label), "%.60s", name);
	else
		snprintf(p->label, sizeof(p->label), "%.60s (%u)", name, p->play);
	p->begun = true;
	p->capture.crowded = &c->pipeline->crowded;
	p->units = atomic_load(&c->units);
	progress_begin(&p->progress, STDERR_FILENO, p->label,
	    c->ops->kind == COLLECTOR_PCAP ? "packets" : "datagrams",
	    savefile_size(p->capture.file));
}

bool
playback_waits(struct playback *p, const struct collector *c)
{
	if (p->ended)
		return true;
	if (p->begun)
		return false;
	if (clock_mono() < p->begin_at)
		return true;
	play_begin(p, c);
	return false;
}

bool
playback_tells_time(const struct playback *p)
{
	return p->config->savefile_replay == 0 || is_last(p);
}

/* Returns whether there is a next play. */
static bool
play_again(struct playback *p)
{
	struct err e = ERR_INIT;

	if (is_last(p))
		return false;
	if (capture_rewind(&p->capture, &e) != 0) {
		log_err("%s: it is not played again", e.text);
		return false;
	}
	play_next(p);
	return true;
}

static enum collector_state
playback_end(struct playback *p, struct collector *c)
{
	if (!p->config->savefile_wait)
		return COLLECTOR_DONE;
	p->ended = true;
	/* Nothing more will come, so nobody need wait for it. */
	atomic_store(&c->horizon, UINT64_MAX);
	log_info(
	    "pcap_savefile %s: is read; staying, as pcap_savefile_wait says", c->where);
	return COLLECTOR_IDLE;
}

enum collector_state
playback_state(struct playback *p, struct collector *c, enum capture_result result)
{
	if (result == CAPTURE_SOME) {
		if (progress_due(&p->progress))
			progress_draw(&p->progress, savefile_place(p->capture.file),
			    atomic_load(&c->units) - p->units);
		return COLLECTOR_BUSY;
	}
	progress_end(&p->progress);
	if (result == CAPTURE_DAMAGED)
		counter_add(&c->errors, 1);
	return play_again(p) ? COLLECTOR_BUSY : playback_end(p, c);
}
