/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state: what weir knows of exporters and keeps over a restart: templates, in
 * `state_dir`/templates where datagrams come from the network, and in the file of
 * nfacctd_templates_file, in pmacct's format, wherever they come from. Main thread.
 */
#ifndef WEIR_DAEMON_STATE_H
#define WEIR_DAEMON_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"

#define STATE_PERIOD_S 60 /* between two looks whether there is something to write */

struct state {
	struct engine *engine;
	char path[PATH_MAX];      /* "": none */
	const char *pmacct_path;  /* NULL: none */
	uint64_t changes;         /* those that are written */
	bool complained;          /* that it cannot be written */
	int lock_fd;              /* -1: none; see state_claim */
};

/*
 * Whether this weir may keep anything in `state_dir`: not where another one does, which is
 * said. It is this one's until state_release, or until the process ends. True, too, where
 * the folder cannot be written to: who has something to write says so.
 */
bool state_claim(struct state *s, const char *state_dir);

void state_release(struct state *s);

/*
 * Read what is there; what is wrong with it is logged. After the collectors are open and
 * before the engine starts. `pmacct_path` is kept, and may be NULL.
 */
void state_load(struct state *s, struct engine *en, const char *state_dir, bool live,
    const char *pmacct_path);

/* Write what has changed since. Nothing when state_load was not called. */
void state_save(struct state *s);

#endif
