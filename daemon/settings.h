/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings: the whole configuration, read, checked and given to each module's struct; and
 * the engine built from it. Problems are collected, so that `weir check` shows all at once.
 * Main thread, at load.
 */
#ifndef WEIR_DAEMON_SETTINGS_H
#define WEIR_DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "collectors/class_config.h"
#include "collectors/datagram.h"
#include "core/engine.h"
#include "daemon/doors.h"
#include "daemon/options.h"
#include "lib/directive.h"
#include "lib/err.h"

/* The daemon's own directives. */
struct weir_config {
	const char *plugins;
	const char *workers;        /* "auto" or a number */
	uint64_t max_entries;
	uint32_t max_exporters;
	const char *state_dir;
	uint32_t checkpoint_interval; /* s */
	const char *control_socket; /* NULL: the default place, if it can be had */
	const char *control_group;
	const char *aggregate_primitives; /* file; NULL: none */
	const char *logfile, *syslog, *syslog_ident, *pidfile;
	bool daemonize, debug;
	const char *debug_topics;   /* with commas between; NULL: all */
};

struct plugin {
	const struct output_ops *ops;
	char name[64];
	struct output_config common;
	struct rules_config rules;
	void *config;               /* the module's; NULL where it has none */
};

struct settings {
	struct config config;       /* all lines */
	struct problems problems;
	struct weir_config weir;
	struct sampling_config sampling;
	struct class_config classes;
	struct watch_config watch;
	struct alarm_config alarm;
	unsigned workers;
	struct plugin *plugins;
	unsigned n_plugins;
	void *in[DOOR_IN_COUNT];    /* each family's struct */
	struct datagram_file_config file; /* where a capture file carries datagrams */
	bool reads_file;            /* input comes from a capture file */
};

/*
 * Read the file and options of `o` into `s`. What is wrong goes to s->problems. Returns 0,
 * or -WEIR_EIO with `e` when the file cannot be read at all.
 */
int settings_load(struct settings *s, const struct options *o, struct err *e);

/* The file of nfacctd_templates_file, or NULL. */
const char *settings_templates_file(const struct settings *s);
void settings_free(struct settings *s);

/*
 * Read the files anew that may change while weir runs: allow lists, interfaces, and the
 * rules of `en`. Workers may use them meanwhile. A file with faults stays as it was read
 * before; the log says why.
 */
void settings_reload(struct settings *s, struct engine *en, struct problems *ps);

/* Write the problems to `to`, one a line. */
void settings_complain(const struct settings *s, FILE *to);

/* Write the effective configuration to `to`. */
void settings_print(const struct settings *s, FILE *to);

/*
 * Call `each` for each of its values; `s` is a struct settings. For engine->directives: any thread,
 * as what it reads stays as it was loaded.
 */
int settings_each(
    void *s, void (*each)(void *arg, const struct directive_value *v), void *arg);

/*
 * Build the engine: views, outputs, rules (not yet collectors). Further problems go to
 * s->problems. NULL when there are errors.
 */
struct engine *settings_engine(struct settings *s);

/* Whether there is something to collect from; without, weir cannot run. */
bool settings_have_input(const struct settings *s);

#define SETTINGS_NO_INPUT                                                                 \
	"no input: write pcap_interface, pcap_interfaces_map, pcap_savefile, nfacctd_port, "   \
	"nfacctd_tcp_port or sfacctd_port (or -i INTERFACE)"

/* Open the collectors of `en`. Returns 0, or -WEIR_E... with `e` filled. */
int settings_collectors(struct settings *s, const struct options *o, struct engine *en,
    struct err *e);

/* All directive sets, ended by NULL: for the manual. */
const struct directive_set *const *settings_sets(void);

#endif
