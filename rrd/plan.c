/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rrd/plan.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/engine.h"
#include "rrd/cached.h"
#include "rrd/files.h"
#include "rrd/index.h"
#include "rrd/output.h"
#include "rrd/profile.h"

#define AT(member) offsetof(struct rrd_config, member)
static const struct directive rrd_rows[] = {
	{ .name = "rrd_path", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(path),
	    .doc = "Folder of the archives: PATH/PLUGIN/HH/KEY-HASH.rrd, with an index.tsv in "
	           "PATH/PLUGIN that tells which is whose. From the first part on that holds a "
	           "primitive, as $src_host or ${src_host}, it says how the archives in PATH/PLUGIN "
	           "are called, in folders of their own (4 at most): '/var/lib/weir/rrd/"
	           "$peer_src_ip/$src_host' makes /var/lib/weir/rrd/PLUGIN/ADDRESS/HOST-HASH.rrd. "
	           "Octets other than letters, digits and . _ : - become _. Default: 'rrd' in "
	           "state_dir." },
	{ .name = "rrd_step", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(step), .min = 1, .max = 86400, .def = "300", .unit = "s",
	    .doc = "Length of the time bins, which is the step of the archives. Bins start at "
	           "multiples of it since 1970 (UTC). Archives that exist keep their step: "
	           "with another one they are refused." },
	{ .name = "rrd_heartbeat", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(heartbeat), .max = 7 * 86400, .def = "0", .unit = "s",
	    .doc = "Heartbeat of new archives, not less than rrd_step; 0 means twice rrd_step." },
	{ .name = "rrd_profile", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(profile), .words = "cacti|collectd|small|custom", .def = "cacti",
	    .doc = "What archives keep, averages and maxima. cacti: 600 bins, 700 of 6, "
	           "775 of 24, 797 of 288. collectd: an hour, day, week, month and year in "
	           "1200 rows each. small: 576 bins, 336 of 12, 400 of 288. custom: what "
	           "rrd_rra says. Archives that exist and keep something else are refused." },
	{ .name = "rrd_rra", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(rra),
	    .doc = "With rrd_profile custom: the series of an archive, a list of "
	           "FUNCTION:XFF:BINS:ROWS as rrdcreate(1) has them, 'AVERAGE:0.5:1:2016, "
	           "AVERAGE:0.5:12:8760, MAX:0.5:12:8760'. One has to be an AVERAGE of single "
	           "bins." },
	{ .name = "rrd_max_files", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(max_files), .min = 1, .max = INDEX_MAX_ENTRIES, .def = "10000",
	    .unit = "files",
	    .doc = "How many archives are made at most. Rows beyond it are added up in the "
	           "archive _other.rrd." },
	{ .name = "rrd_create", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(create), .def = "all",
	    .doc = "Which rows get archives of their own: all; 'top N': those that counted most "
	           "bytes in a bin, at each bin; watch: those that watch_map names for this "
	           "plugin. One that has an archive keeps it. The others are added up in "
	           "_other.rrd." },
	{ .name = "rrd_expire", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(expire), .max = 10 * 366 * 86400U, .def = "0", .unit = "s",
	    .doc = "Archives that got no row for so long expire; 0: never." },
	{ .name = "rrd_expired", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(expired), .words = "keep|remove", .def = "keep",
	    .doc = "What becomes of archives that expire. keep: nothing is written to them any "
	           "more, until a row comes for them. remove: their files are removed, which "
	           "makes room for others (rrd_max_files)." },
	{ .name = "rrd_daemon", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(daemon),
	    .doc = "Address of an rrdcached(1) that writes the archives: unix:/PATH, HOST or "
	           "HOST:PORT. It has to see the same files under the same names, as weir makes "
	           "new ones. While it is away bins wait in a journal beside the archives." },
	{ .name = "rrd_daemon_flush", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(daemon_flush), .min = 1, .max = 7 * 86400, .def = "3600", .unit = "s",
	    .doc = "How often rrdcached is asked to write all it has to the archives. Until it "
	           "has, the journal keeps it." },
	{ .name = "rrd_journal_max", .type = DIRECTIVE_OCTETS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(journal_max), .min = 65536, .max = UINT64_C(1) << 40, .def = "1G",
	    .doc = "Octets that the journal takes at most, 48 for each archive and bin. Beyond "
	           "it bins are added up in memory, and written as one. Some 300 for each "
	           "archive it may always take." },
	{ .name = "rrd_late", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(late), .words = "next|drop", .def = "next",
	    .doc = "What becomes of rows that come after their bin was written, as RRD takes "
	           "nothing older than the last update. next: they count in the next bin. "
	           "drop: they are refused, and the books say so." },
	{ .name = NULL },
};
#undef AT

const struct directive_set rrd_directives = {
	"rrd", rrd_rows, sizeof(struct rrd_config)
};

/* The folder that all outputs share, to `root` (PATH_MAX), and the pattern of names, or NULL. */
static const char *
path_divide(const struct rrd_config *c, char root[PATH_MAX])
{
	const char *path = c->path != NULL ? c->path : c->default_path;
	const char *dollar = strchr(path, '$'), *slash = dollar;
	size_t len;

	while (slash != NULL && slash > path && slash[-1] != '/')
		slash--;
	len = slash != NULL ? (size_t)(slash - path) : strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	snprintf(root, PATH_MAX, "%.*s", len < PATH_MAX ? (int)len : PATH_MAX - 1, path);
	if (root[0] == '\0')
		strcpy(root, ".");
	return slash;
}

int
plan_rows(const struct output *o, struct rows_config *rows, char root[PATH_MAX],
    struct err *e)
{
	const struct rrd_config *c = o->config;

	rows->pattern = path_divide(c, root);
	return rows_config_parse(c->create != NULL ? c->create : "all", rows, e);
}

/* What is said of a plan begins with the directive at fault: so the configuration's line is found. */
static int
series_plan(const struct rrd_config *c, struct err *e)
{
	struct profile_rra rras[PROFILE_RRAS];

	if (c->profile != PROFILE_CUSTOM)
		return c->rra == NULL ? 0 : err_set(e, WEIR_EINVAL,
		    "rrd_rra: it is for rrd_profile custom only: write that, or leave it out");
	if (c->rra == NULL)
		return err_set(e, WEIR_EINVAL, "rrd_profile: custom needs rrd_rra, which says what "
		    "archives keep");
	return profile_parse(c->rra, rras, e) > 0 ? 0 : -WEIR_EINVAL;
}

static int
daemon_plan(const struct rrd_config *c, struct err *e)
{
	struct err why = ERR_INIT;
	struct cached *cached = c->daemon != NULL ? cached_new(c->daemon, &why) : NULL;

	if (c->daemon != NULL && cached == NULL)
		return err_set(e, WEIR_EINVAL, "rrd_daemon: %s", why.text);
	cached_free(cached);
	return 0;
}

int
plan_make(struct output *o, struct view_config *vc, struct err *e)
{
	const struct rrd_config *c = o->config;
	struct rows_config rows = { 0 };
	char root[PATH_MAX];
	int rc;

	if (c->path == NULL && c->default_path == NULL)
		return err_set(e, WEIR_EINVAL, "rrd_path is not set: say where the archives go");
	/* An archive takes a value for unknown that is further from the last than its heartbeat. */
	if (c->heartbeat != 0 && c->heartbeat < c->step)
		return err_set(e, WEIR_EINVAL, "rrd_heartbeat: %" PRIu32 " s is less than rrd_step: "
		    "archives would have no values at all: write %" PRIu32 " or more, or 0 for twice "
		    "rrd_step", c->heartbeat, c->step);
	if ((rc = series_plan(c, e)) != 0)
		return rc;
	for (uint16_t i = 0; i < FIELD_COUNT; i++)
		if (field_set_has(&o->fields, i) && fields[i].merge == FIELD_KEY &&
		    fields[i].value == FIELD_TIME)
			return err_set(e, WEIR_EINVAL,
			    "aggregate: with %s every record would get an archive of its own: leave "
			    "it out", fields[i].config);
	if ((rc = plan_rows(o, &rows, root, e)) != 0 ||
	    (rc = rows_config_check(&rows, &o->fields, e)) != 0 || (rc = daemon_plan(c, e)) != 0)
		return rc;
	field_set_add(&o->fields, F_FLOWS);
	vc->bins = (struct bins){ .seconds = c->step, .epoch_aligned = true };
	vc->refresh_s = c->step;
	vc->hold_open = true;
	return 0;
}

void
plan_look(const struct output *o, struct problems *ps)
{
	const struct rrd_config *c = o->config;
	struct rows_config rows;

	if (c->create == NULL || rows_config_parse(c->create, &rows, NULL) != 0 ||
	    rows.create != ROWS_WATCH || rows_watched(o) > 0)
		return;
	problem_add(ps, PROBLEM_WARNING, NULL, "rrd_create[%s]: watch: %s: all rows go to "
	    FILES_OTHER ": name some there, or write all or top N", o->name,
	    o->engine->watches == NULL ? "there is no watch_map" :
	                                 "watch_map names no rows of this view");
}
