/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tally: the counters as lines of the log (SIGUSR1): what each input took and the kernel
 * dropped, what became of it, and what each view and output has. Any thread.
 */
#ifndef WEIR_DAEMON_TALLY_H
#define WEIR_DAEMON_TALLY_H

struct engine;

/* Log them: inputs as of now, the rest as of the last cut (at most some seconds ago). */
void tally_log(const struct engine *en);

#endif
