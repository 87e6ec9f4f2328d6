/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * weir run: the daemon. Read and check the configuration, build the engine, open the
 * doors, and wait for signals and clients; the work is done by other threads.
 */
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/books.h"
#include "core/engine.h"
#include "core/keeper.h"
#include "daemon/background.h"
#include "daemon/checks.h"
#include "daemon/control.h"
#include "daemon/doors.h"
#include "daemon/main.h"
#include "daemon/options.h"
#include "daemon/pidfile.h"
#include "daemon/places.h"
#include "daemon/reload.h"
#include "daemon/settings.h"
#include "daemon/state.h"
#include "daemon/tally.h"
#include "lib/log.h"
#include "report/memory.h"

#define RUN_DIR        "/run/weir"
#define DEFAULT_SOCKET RUN_DIR "/weir.sock"

struct run {
	struct options options;
	struct settings settings;
	struct engine *engine;
	struct event_base *base;
	struct event *events[8];
	unsigned n_events;
	struct control *control;
	struct reload *reload;
	struct control *tables[ENGINE_OUTPUTS]; /* sockets of memory tables */
	unsigned n_tables;
	struct state state;
	struct keeper *keeper;       /* NULL: nothing outlives this run */
	bool started;                /* the engine was */
	struct pidfile pidfile;
	int background;              /* background_started's, or -1 */
};

static void
on_stop(int sig, short what, void *arg)
{
	struct run *r = arg;

	(void)what;
	log_info("weir: signal %d: ending", sig);
	(void)event_base_loopbreak(r->base);
}

/* SIGHUP is for log files and maps, SIGUSR2, as in pmacct, for maps alone. */
static void
on_reload(int sig, short what, void *arg)
{
	struct run *r = arg;
	struct problems ps = { 0 };

	(void)what;
	if (sig == SIGHUP) {
		log_reopen();
		log_info("weir: log opened anew");
	}
	settings_reload(&r->settings, r->engine, &ps);
	problems_free(&ps);
}

static void
on_tally(int sig, short what, void *arg)
{
	const struct run *r = arg;

	(void)sig, (void)what;
	tally_log(r->engine);
}

/* All input has come to its end: files. */
static void
on_finished(int fd, short what, void *arg)
{
	struct run *r = arg;
	uint64_t n;

	(void)what;
	(void)!read(fd, &n, sizeof(n));
	if (engine_finished(r->engine)) {
		log_info("weir: all input is read");
		(void)event_base_loopbreak(r->base);
	}
}

/* Time to look what must outlive us. */
static void
on_state(int fd, short what, void *arg)
{
	struct run *r = arg;

	(void)fd, (void)what;
	state_save(&r->state);
}

static int
event_want(struct run *r, struct event *ev, const struct timeval *every, struct err *e)
{
	if (ev == NULL || event_add(ev, every) != 0)
		return err_set(e, WEIR_ENOMEM, "no memory for events");
	r->events[r->n_events++] = ev;
	return 0;
}

static int
events_set(struct run *r, struct err *e)
{
	static const struct {
		int sig;
		void (*handler)(int, short, void *);
	} signals[] = { { SIGINT, on_stop }, { SIGTERM, on_stop }, { SIGHUP, on_reload },
		{ SIGUSR2, on_reload }, { SIGUSR1, on_tally } };
	static const struct timeval period = { .tv_sec = STATE_PERIOD_S };
	int rc = 0;

	r->base = event_base_new();
	if (r->base == NULL)
		return err_set(e, WEIR_ENOMEM, "no event loop");
	for (size_t i = 0; rc == 0 && i < sizeof(signals) / sizeof(signals[0]); i++)
		rc = event_want(r, evsignal_new(r->base, signals[i].sig, signals[i].handler, r), NULL,
		    e);
	if (rc == 0)
		rc = event_want(r, event_new(r->base, r->engine->finished_fd,
		    EV_READ | EV_PERSIST, on_finished, r), NULL, e);
	if (rc == 0)
		rc = event_want(r, event_new(r->base, -1, EV_PERSIST, on_state, r), &period, e);
	return rc;
}

static int
logs_open(const struct weir_config *c, struct err *e)
{
	struct log_config lc = { c->logfile, c->syslog, c->syslog_ident, c->debug,
		c->debug_topics };

	return log_open(&lc, e);
}

/* The default socket is a courtesy: where it cannot be had, weir runs without. */
static int
control_start(struct run *r, struct err *e)
{
	const struct weir_config *c = &r->settings.weir;
	const char *path = c->control_socket;

	if (path == NULL && r->settings.reads_file)
		return 0;
	if (path == NULL) {
		(void)mkdir(RUN_DIR, 0755);
		path = DEFAULT_SOCKET;
	}
	r->control = control_open(r->base, r->engine, path, c->control_group, NULL, e);
	if (r->control != NULL)
		return 0;
	if (c->control_socket != NULL)
		return -WEIR_EIO;
	log_warn("%s: weir show and weir top will not work; set control_socket", e->text);
	return 0;
}

/* The sockets of memory tables of their own. */
static int
tables_start(struct run *r, struct err *e)
{
	for (unsigned i = 0; i < r->engine->n_outputs; i++) {
		const struct output *o = r->engine->outputs[i];
		const struct memory_config *c = o->config;
		struct control *t;

		if (o->ops != &memory_output || c == NULL || c->path == NULL)
			continue;
		t = control_open(r->base, r->engine, c->path, r->settings.weir.control_group,
		    o->name, e);
		if (t == NULL)
			return -WEIR_EIO;
		r->tables[r->n_tables++] = t;
	}
	return 0;
}

/* Load and check, with `host` what the start would meet here, too; says what is wrong. */
static struct engine *
engine_load(struct run *r, int argc, char **argv, bool host, int *status)
{
	struct err e = ERR_INIT;
	struct engine *en = NULL;
	int rc = options_read(&r->options, argc, argv);

	*status = rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (rc != 0)
		return NULL;
	if (settings_load(&r->settings, &r->options, &e) != 0) {
		problem_add(&r->settings.problems, PROBLEM_ERROR, NULL, "%s", e.text);
	} else {
		if (host)
			checks_host(&r->settings);
		en = settings_engine(&r->settings);
	}
	*status = r->settings.problems.n_errors > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	return en;
}

static int
run_start(struct run *r, struct err *e)
{
	const struct weir_config *c = &r->settings.weir;
	bool keeps = !r->settings.reads_file;
	int rc;

	if ((rc = logs_open(c, e)) != 0 ||
	    (c->pidfile != NULL && (rc = pidfile_take(&r->pidfile, c->pidfile, e)) != 0))
		return rc;
	(void)mkdir(c->state_dir, 0750); /* who needs it says so when it is missing */
	keeps = keeps && state_claim(&r->state, c->state_dir);
	r->engine->keeps_nothing = !keeps;
	if ((rc = settings_collectors(&r->settings, &r->options, r->engine, e)) != 0)
		return rc;
	if ((rc = events_set(r, e)) != 0)
		return rc;
	if ((r->reload = reload_new(r->base, &r->settings, r->engine, e)) == NULL)
		return -e->code;
	r->engine->directives = settings_each;
	r->engine->directives_arg = &r->settings;
	r->engine->classifiers = class_config_each;
	r->engine->classifiers_arg = &r->settings.classes;
	if ((rc = control_start(r, e)) != 0 ||
	    (rc = tables_start(r, e)) != 0)
		return rc;
	state_load(&r->state, r->engine, c->state_dir, keeps,
	    settings_templates_file(&r->settings));
	log_info("weir " PACKAGE_VERSION ": %u workers, %u views, %u outputs; tables take at "
	         "most %llu MiB", r->engine->n_workers, r->engine->n_views,
	    r->engine->n_outputs,
	    (unsigned long long)(engine_max_octets(r->engine) >> 20));
	door_outputs_check(r->engine, c->state_dir);
	if (keeps &&
	    (r->keeper = keeper_new(r->engine, c->state_dir, c->checkpoint_interval, e)) == NULL)
		return -e->code;
	rc = alarms_start(r->engine->alarms, keeps ? c->state_dir : NULL, e);
	if (rc != 0 || (rc = engine_start(r->engine, e)) != 0)
		return rc;
	r->started = true;
	return r->keeper != NULL ? keeper_start(r->keeper, e) : 0;
}

/*
 * The status of a run over files: whether outputs have all that was read. Of a daemon, which
 * may have run for a year, it does not tell.
 */
static int
run_status(const struct run *r)
{
	uint64_t stats[STAT_COUNT], lost;

	if (!r->settings.reads_file)
		return EXIT_SUCCESS;
	engine_stats(r->engine, stats);
	lost = stats[STAT_RRD_NOT_OURS] + stats[STAT_RRD_UNKEPT];
	for (unsigned i = 0; i < r->engine->n_outputs; i++)
		lost += atomic_load(&r->engine->outputs[i]->lost);
	if (lost == 0)
		return EXIT_SUCCESS;
	log_err("weir: %" PRIu64 " rows were not written, as outputs failed: exit status 1",
	    lost);
	return EXIT_FAILURE;
}

/* Returns the status of what ran. */
static int
run_end(struct run *r)
{
	int status;

	reload_stop(r->reload);
	/* Clients first: they look at what outputs keep. */
	control_close(r->control);
	for (unsigned i = 0; i < r->n_tables; i++)
		control_close(r->tables[i]);
	engine_stop(r->engine);
	status = r->started ? run_status(r) : EXIT_SUCCESS;
	alarms_stop(r->engine->alarms);
	keeper_end(r->keeper, r->started);
	state_save(&r->state);
	state_release(&r->state);
	if (!books_balance(r->engine))
		log_err("weir: the books do not balance: please report this as a bug");
	reload_free(r->reload);
	for (unsigned i = 0; i < r->n_events; i++)
		event_free(r->events[i]);
	if (r->base != NULL)
		event_base_free(r->base);
	pidfile_release(&r->pidfile);
	engine_free(r->engine);
	return status;
}

static void
run_free(struct run *r)
{
	settings_free(&r->settings);
	options_free(&r->options);
	libevent_global_shutdown();
}

/* Say why in the log, and to the operator who looks on. */
static void
start_failed(const struct run *r, const struct err *e)
{
	char text[sizeof(e->text) + 256];

	place_text(&r->settings.config, e->text, text, sizeof(text));
	log_err("%s", text);
	if (!log_is_stderr())
		fprintf(stderr, "error: %s\n", text);
}

/*
 * What must not end weir, ever or while it starts. SIGALRM: scripts may send it, as
 * pmacct's daemons bear it. SIGXFSZ: a limit on files is a fault of the disk, said as such.
 */
static void
signals_ignore(void)
{
	static const int signals[] = { SIGPIPE, SIGALRM, SIGXFSZ, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)signal(signals[i], SIG_IGN);
}

int
cmd_run(int argc, char **argv)
{
	struct run r = { .state.lock_fd = -1, .background = -1 };
	struct err e = ERR_INIT;
	int status;

	signals_ignore();
	r.engine = engine_load(&r, argc, argv, false, &status);
	settings_complain(&r.settings, stderr);
	if (r.engine == NULL) {
		run_free(&r);
		return status;
	}
	if (r.settings.weir.daemonize && (r.background = background_enter(&e)) < 0) {
		fprintf(stderr, "weir: %s\n", e.text);
		engine_free(r.engine);
		run_free(&r);
		return EXIT_FAILURE;
	}
	if (run_start(&r, &e) != 0) {
		start_failed(&r, &e);
		status = EXIT_FAILURE;
	} else {
		if (r.background >= 0)
			background_started(r.background);
		(void)event_base_dispatch(r.base);
	}
	if (run_end(&r) != EXIT_SUCCESS)
		status = EXIT_FAILURE;
	log_info("weir: ended");
	log_close();
	run_free(&r);
	return status;
}

int
cmd_check(int argc, char **argv)
{
	struct run r = { 0 };
	int status;

	r.engine = engine_load(&r, argc, argv, true, &status);
	if (r.engine != NULL && !settings_have_input(&r.settings)) {
		problem_add(&r.settings.problems, PROBLEM_ERROR, NULL, SETTINGS_NO_INPUT);
		status = EXIT_FAILURE;
	}
	settings_complain(&r.settings, stdout);
	if (r.engine != NULL && r.options.print_config)
		settings_print(&r.settings, stdout);
	else if (status == EXIT_SUCCESS && r.engine != NULL)
		printf("%s: fine: %u views, tables take at most %llu MiB\n",
		    r.options.file != NULL ? r.options.file : "configuration",
		    r.engine->n_views,
		    (unsigned long long)(engine_max_octets(r.engine) >> 20));
	engine_free(r.engine);
	run_free(&r);
	return status;
}

int
cmd_sql(int argc, char **argv)
{
	struct run r = { 0 };
	struct err e = ERR_INIT;
	int status;

	if (argc < 2 || strcmp(argv[1], "schema") != 0) {
		fputs("usage: weir sql schema -f FILE\n", stderr);
		return argc == 2 && strcmp(argv[1], "--help") == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	r.engine = engine_load(&r, argc - 1, argv + 1, false, &status);
	settings_complain(&r.settings, stderr);
	for (unsigned i = 0; r.engine != NULL && i < r.engine->n_outputs; i++)
		if (door_schema_print(r.engine->outputs[i], stdout, &e) != 0) {
			fprintf(stderr, "error: %s\n", e.text);
			status = EXIT_FAILURE;
		}
	engine_free(r.engine);
	run_free(&r);
	return status;
}
