/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/settings.h"

#include <ctype.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collectors/datagram_config.h"
#include "collectors/interfaces.h"
#include "collectors/netflow.h"
#include "collectors/sflow_sources.h"
#include "collectors/pcap.h"
#include "daemon/checks.h"
#include "daemon/directives.h"
#include "daemon/idle.h"
#include "daemon/places.h"
#include "flow/custom.h"
#include "lib/log.h"
#include "report/memory.h"
#include "report/print_check.h"

#define MAX_PLUGINS 32U
#define MAX_WORKERS 256U
#define MAX_SETS    32U

const struct directive_set *const *
settings_sets(void)
{
	static const struct directive_set *sets[MAX_SETS];
	size_t n = 0;

	sets[n++] = &weir_directives;
	sets[n++] = &output_directives;
	sets[n++] = &rules_directives;
	sets[n++] = &sampling_directives;
	sets[n++] = &class_directives;
	sets[n++] = &watch_directives;
	sets[n++] = &alarm_directives;
	for (int i = 0; i < DOOR_IN_COUNT; i++)
		sets[n++] = doors_in[i].directives;
	for (size_t i = 0; door_directives[i] != NULL; i++)
		sets[n++] = door_directives[i];
	sets[n++] = &pmacct_directives;
	sets[n] = NULL;
	return sets;
}

/* The plugins line that counts: an option's, else the first of the file, as in pmacct. */
static const struct config_line *
plugins_line(struct settings *s)
{
	const struct config_line *found = NULL;

	for (size_t i = 0; i < s->config.n; i++) {
		struct config_line *l = &s->config.lines[i];

		if (strcmp(l->key, "plugins") != 0)
			continue;
		l->used = true;
		if (found == NULL || l->line == 0)
			found = l;
	}
	return found;
}

static bool
plugin_named(const struct settings *s, const char *name)
{
	for (unsigned i = 0; i < s->n_plugins; i++)
		if (strcmp(s->plugins[i].name, name) == 0)
			return true;
	return false;
}

/* Take one "type" or "type[name]" of the plugins line. */
static void
plugin_add(struct settings *s, const struct config_line *at, char *token)
{
	struct plugin *p = &s->plugins[s->n_plugins];
	char *open = strchr(token, '['), *close = open != NULL ? strchr(open, ']') : NULL;

	for (char *c = token; *c != '\0' && c != open; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strpbrk(token, "#!") != NULL) {
		problem_add(&s->problems, PROBLEM_ERROR, at,
		    "plugins: '%s': a comment has a line of its own, which begins with ! or #", token);
		return;
	}
	if (open != NULL && (close == NULL || close == open + 1 || close[1] != '\0')) {
		problem_add(&s->problems, PROBLEM_ERROR, at,
		    "plugins: '%s' is not of the form type or type[name]", token);
		return;
	}
	if (open != NULL)
		*open = *close = '\0';
	if (s->n_plugins == MAX_PLUGINS) {
		problem_add(&s->problems, PROBLEM_ERROR, at, "more than %u plugins",
		    MAX_PLUGINS);
		return;
	}
	p->ops = door_output(token);
	if (p->ops == NULL) {
		problem_add(&s->problems, PROBLEM_ERROR, at, "plugins: %s: %s", token,
		    door_output_missing(token));
		return;
	}
	if (open != NULL)
		snprintf(p->name, sizeof(p->name), "%s", open + 1);
	else
		snprintf(p->name, sizeof(p->name), "default_%s", token);
	if (plugin_named(s, p->name)) {
		problem_add(&s->problems, PROBLEM_WARNING, at,
		    "plugins: two are called '%s': the first stays", p->name);
		return;
	}
	s->n_plugins++;
}

static void
plugins_read(struct settings *s, const char *fallback)
{
	const struct config_line *at = plugins_line(s);
	char *list = strdup(at != NULL ? at->value : fallback);
	char *to = list;

	s->plugins = calloc(MAX_PLUGINS, sizeof(*s->plugins));
	if (list == NULL || s->plugins == NULL)
		abort();
	for (const char *c = list; *c != '\0'; c++)
		if (!isspace((unsigned char)*c))
			*to++ = *c;
	*to = '\0';
	for (char *save = NULL, *t = strtok_r(list, ",", &save); t != NULL;
	     t = strtok_r(NULL, ",", &save))
		plugin_add(s, at, t);
	free(list);
}

static void *
set_apply(struct settings *s, const struct directive_set *set, const char *plugin)
{
	void *config = calloc(1, set->config_octets != 0 ? set->config_octets : 1);

	if (config == NULL)
		abort();
	directive_apply(set, &s->config, plugin, config, &s->problems);
	return config;
}

static void
workers_read(struct settings *s)
{
	const char *text = s->weir.workers;
	char *end;
	unsigned long n;

	if (strcmp(text, "auto") == 0) {
		long cores = sysconf(_SC_NPROCESSORS_ONLN);

		s->workers = cores > 0 ? (unsigned)cores : 1;
		return;
	}
	n = strtoul(text, &end, 10);
	if (*end != '\0' || end == text || n == 0 || n > MAX_WORKERS) {
		problem_add(&s->problems, PROBLEM_ERROR, NULL,
		    "workers: '%s': write auto, or a number from 1 to %u", text, MAX_WORKERS);
		n = 1;
	}
	s->workers = (unsigned)n;
}

/* Before the first `aggregate` is looked at, which may name what is defined here. */
static void
customs_read(struct settings *s)
{
	const char *path = s->weir.aggregate_primitives;
	struct err e = ERR_INIT;

	custom_clear();
	if (path != NULL && custom_load(path, &s->problems, &e) != 0)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s", e.text);
}

/* Defaults that depend on which of pmacct's daemons weir stands in for. */
static void
defaults_add(struct settings *s, const struct options *o)
{
	bool file = config_get(&s->config, "pcap_savefile") != NULL;

	s->reads_file = file;
	if (!file && o->as == DOOR_NETFLOW && config_get(&s->config, "nfacctd_port") == NULL)
		config_add(&s->config, "--as nfacctd", "nfacctd_port", NULL, "2100");
	if (!file && o->as == DOOR_SFLOW && config_get(&s->config, "sfacctd_port") == NULL)
		config_add(&s->config, "--as sfacctd", "sfacctd_port", NULL, "6343");
}

/* What the engine would refuse later is said here, of all directives at once. */
static bool
plugin_check(struct settings *s, const struct plugin *p)
{
	const struct output_config *c = &p->common;
	struct field_set set;
	struct bins bins = { 0 };
	struct err e[3] = { ERR_INIT, ERR_INIT, ERR_INIT };
	static const char *const keys[] = { "aggregate", "sql_history", "sql_history_roundoff" };
	const char *list;
	bool fine = true;

	if (c->aggregate != NULL)
		(void)field_set_parse(c->aggregate, &set, &e[0]);
	if (c->history != NULL)
		(void)bins_parse_history(c->history, &bins, &e[1]);
	if (c->history_roundoff != NULL)
		(void)bins_parse_roundoff(c->history_roundoff, &bins, &e[2]);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (e[i].code == 0)
			continue;
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s[%s]: %s", keys[i], p->name,
		    e[i].text);
		fine = false;
	}
	if (s->weir.daemonize && p->ops == &print_output && print_is_stdout(p->config)) {
		problem_add(&s->problems, PROBLEM_ERROR, NULL,
		    "print[%s]: daemonize: in the background there is no standard output to print "
		    "to: give print_output_file",
		    p->name);
		fine = false;
	}
	list = rules_lists_check(&p->rules, &e[0]);
	if (list != NULL)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s[%s]: %s", list, p->name,
		    e[0].text);
	return fine && list == NULL;
}

/* Each socket is one plugin's, or the daemon's. */
static void
sockets_check(struct settings *s)
{
	const char *paths[MAX_PLUGINS + 1] = { s->weir.control_socket };
	const char *owners[MAX_PLUGINS + 1] = { "control_socket" };
	size_t n = 1;

	if (s->weir.control_group != NULL && getgrnam(s->weir.control_group) == NULL)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "control_group %s: no such group",
		    s->weir.control_group);
	for (unsigned i = 0; i < s->n_plugins; i++) {
		const struct plugin *p = &s->plugins[i];
		const struct memory_config *c = p->config;

		if (p->ops != &memory_output || c->path == NULL)
			continue;
		for (size_t k = 0; k < n; k++)
			if (paths[k] != NULL && strcmp(paths[k], c->path) == 0)
				problem_add(&s->problems, PROBLEM_ERROR, NULL,
				    "imt_path[%s]: %s is that of %s: write another, as %s.%s", p->name,
				    c->path, owners[k], c->path, p->name);
		paths[n] = c->path;
		owners[n++] = p->name;
	}
}

static void
plugins_apply(struct settings *s, bool lenient)
{
	const char *names[MAX_PLUGINS];
	const struct directive_set *const *sets = settings_sets();
	size_t n_sets = 0;

	for (unsigned i = 0; i < s->n_plugins; i++) {
		struct plugin *p = &s->plugins[i];

		names[i] = p->name;
		directive_apply(&output_directives, &s->config, p->name, &p->common,
		    &s->problems);
		directive_apply(&rules_directives, &s->config, p->name, &p->rules,
		    &s->problems);
		if (p->ops->directives != NULL) {
			p->config = set_apply(s, p->ops->directives, p->name);
			door_output_defaults(p->ops, p->config, s->weir.state_dir);
		}
	}
	/* Directives of outputs that no plugin uses are known all the same: say nothing. */
	while (sets[n_sets] != NULL)
		free(set_apply(s, sets[n_sets++], NULL));
	directive_check_unknown(&s->config, sets, n_sets, names, s->n_plugins,
	    lenient, &s->problems);
	directive_check_repeated(&s->config, sets, n_sets, "plugins", &s->problems);
}

int
settings_load(struct settings *s, const struct options *o, struct err *e)
{
	const char *fallback = o->file == NULL && o->as < 0 ? "snmp[snmp], memory[memory]"
	                                                    : "memory";
	int rc = 0;

	memset(s, 0, sizeof(*s));
	if (o->file == NULL && o->as < 0)
		config_add(&s->config, "default", "aggregate", NULL, "src_host, dst_host");
	if (o->file != NULL && (rc = config_read(&s->config, o->file, &s->problems, e)) != 0)
		return rc;
	for (size_t i = 0; i < o->extra.n; i++)
		config_add(&s->config, o->extra.lines[i].file, o->extra.lines[i].key,
		    o->extra.lines[i].plugin, o->extra.lines[i].value);
	defaults_add(s, o);
	directive_apply(&weir_directives, &s->config, NULL, &s->weir, &s->problems);
	directive_apply(&sampling_directives, &s->config, NULL, &s->sampling, &s->problems);
	directive_apply(&class_directives, &s->config, NULL, &s->classes, &s->problems);
	class_config_load(&s->classes, &s->config, &s->problems);
	directive_apply(&watch_directives, &s->config, NULL, &s->watch, &s->problems);
	directive_apply(&alarm_directives, &s->config, NULL, &s->alarm, &s->problems);
	customs_read(s);
	workers_read(s);
	plugins_read(s, fallback);
	for (int i = 0; i < DOOR_IN_COUNT; i++)
		s->in[i] = set_apply(s, doors_in[i].directives, NULL);
	interfaces_load(s->in[DOOR_PCAP], &s->config, &s->problems);
	for (int i = DOOR_NETFLOW; i < DOOR_IN_COUNT; i++)
		datagram_config_load(s->in[i], doors_in[i].as, &s->config, &s->problems);
	plugins_apply(s, o->lenient);
	idle_note(s);
	sockets_check(s);
	checks_inputs(s);
	return 0;
}

const char *
settings_templates_file(const struct settings *s)
{
	return ((const struct datagram_config *)s->in[DOOR_NETFLOW])->templates_file;
}

void
settings_free(struct settings *s)
{
	for (unsigned i = 0; i < s->n_plugins; i++)
		free(s->plugins[i].config);
	if (s->in[DOOR_PCAP] != NULL)
		interfaces_free(s->in[DOOR_PCAP]);
	for (int i = DOOR_NETFLOW; i < DOOR_IN_COUNT; i++)
		if (s->in[i] != NULL)
			datagram_config_fini(s->in[i]);
	for (int i = 0; i < DOOR_IN_COUNT; i++)
		free(s->in[i]);
	class_config_fini(&s->classes);
	free(s->plugins);
	problems_free(&s->problems);
	config_free(&s->config);
}

/* Read the map of interfaces anew, and open what is new in it. */
static void
settings_interfaces(struct settings *s, struct engine *en, struct problems *ps)
{
	struct pcap_config *pcap = s->in[DOOR_PCAP];
	unsigned n = pcap->interfaces != NULL ? pcap->interfaces->n : 0;
	struct err e = ERR_INIT;

	interfaces_reload(pcap, ps);
	for (; pcap->interfaces != NULL && n < pcap->interfaces->n; n++)
		if (engine_collector(en, doors_in[DOOR_PCAP].live, pcap->interfaces->list[n], 0,
		        &e) != 0)
			problem_add(ps, PROBLEM_ERROR, NULL, "pcap_interfaces_map: %s: %s",
			    pcap->interfaces->list[n]->name, e.text);
}

void
settings_reload(struct settings *s, struct engine *en, struct problems *ps)
{
	engine_reload(en, ps);
	settings_interfaces(s, en, ps);
	for (int i = DOOR_NETFLOW; i < DOOR_IN_COUNT; i++)
		datagram_config_reload(s->in[i], ps);
	places_tell(&s->config, ps);
	for (size_t i = 0; i < ps->n; i++) {
		const struct problem *p = &ps->list[i];

		if (p->level == PROBLEM_ERROR)
			log_err("%s (nothing of this file is taken: what was read before stays)",
			    p->text);
		else
			log_warn("%s", p->text);
	}
	for (size_t i = 0; i < PROBLEM_LEVELS; i++)
		if (ps->left[i] > 0)
			log_warn("and %zu more, which are not shown", ps->left[i]);
}

void
settings_complain(const struct settings *s, FILE *to)
{
	static const char *const levels[] = { "notice", "warning", "error" };

	for (size_t i = 0; i < s->problems.n; i++)
		fprintf(to, "%s: %s\n", levels[s->problems.list[i].level],
		    s->problems.list[i].text);
	for (size_t i = 0; i < PROBLEM_LEVELS; i++)
		if (s->problems.left[i] > 0)
			fprintf(to, "%s: and %zu more, which are not shown\n", levels[i],
			    s->problems.left[i]);
}

/* A set of directives and what it was filled with. */
struct filled {
	const struct directive_set *set;
	const void *config;
	const struct plugin *plugin; /* whose it is; NULL: the whole's */
};

#define FILLED_MAX (MAX_SETS + 3 * MAX_PLUGINS)

static size_t
filled_list(const struct settings *s, struct filled list[FILLED_MAX])
{
	size_t n = 0;

	list[n++] = (struct filled){ &weir_directives, &s->weir, NULL };
	list[n++] = (struct filled){ &sampling_directives, &s->sampling, NULL };
	list[n++] = (struct filled){ &class_directives, &s->classes, NULL };
	list[n++] = (struct filled){ &watch_directives, &s->watch, NULL };
	list[n++] = (struct filled){ &alarm_directives, &s->alarm, NULL };
	for (int i = 0; i < DOOR_IN_COUNT; i++)
		list[n++] = (struct filled){ doors_in[i].directives, s->in[i], NULL };
	for (unsigned i = 0; i < s->n_plugins; i++) {
		const struct plugin *p = &s->plugins[i];

		list[n++] = (struct filled){ &output_directives, &p->common, p };
		list[n++] = (struct filled){ &rules_directives, &p->rules, p };
		if (p->ops->directives != NULL)
			list[n++] = (struct filled){ p->ops->directives, p->config, p };
	}
	return n;
}

void
settings_print(const struct settings *s, FILE *to)
{
	struct filled list[FILLED_MAX];
	size_t n = filled_list(s, list);
	const struct plugin *of = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct plugin *p = list[i].plugin;

		if (p != of)
			fprintf(to, "! %s[%s]\n", p->ops->type, p->name);
		of = p;
		directive_print(list[i].set, list[i].config, p != NULL ? p->name : NULL,
		    p != NULL ? p->ops->type : NULL, to);
	}
}

int
settings_each(void *s, void (*each)(void *arg, const struct directive_value *v), void *arg)
{
	const struct settings *st = s;
	struct filled list[FILLED_MAX];
	size_t n = filled_list(st, list);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct plugin *p = list[i].plugin;

		rc = directive_each(list[i].set, &st->config, list[i].config,
		    p != NULL ? p->name : NULL, p != NULL ? p->ops->type : NULL, each, arg);
	}
	return rc;
}

/* As many as the system lets us have: thousands of receivers have a socket each. */
static void
descriptors_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

/* Which families cannot be heard, as the addresses of doors are of the other one. */
static void
families_note(const struct settings *s, struct engine_config *to)
{
	const struct pcap_config *pcap = s->in[DOOR_PCAP];
	bool v4 = pcap->savefile != NULL, v6 = v4, some = v4; /* a file may have both */

	for (int i = DOOR_NETFLOW; i < DOOR_IN_COUNT; i++) {
		const struct datagram_config *c = s->in[i];

		if (c->port == 0 && c->tcp_port == 0)
			continue;
		some = true;
		v4 |= ip_is_v4(&c->ip) || (ip_is_none(&c->ip) && !c->ipv6_only);
		v6 |= !ip_is_v4(&c->ip);
	}
	to->no_ipv4 = some && !v4;
	to->no_ipv6 = some && !v6;
}

struct engine *
settings_engine(struct settings *s)
{
	struct engine_config c = {
		.workers = s->workers,
		.max_entries = (uint32_t)s->weir.max_entries,
		.max_exporters = s->weir.max_exporters,
		.sampling = s->sampling,
		.exporter_state_free = { [EXPORTER_NETFLOW] = netflow_exporter_state_free,
		    [EXPORTER_SFLOW] = sflow_exporter_state_free },
		.exporter_elements = netflow_exporter_elements,
	};
	struct err e = ERR_INIT;
	struct engine *en;
	size_t errors;

	families_note(s, &c);
	descriptors_raise();
	en = engine_new(&c, &e);
	for (unsigned i = 0; en != NULL && i < s->n_plugins; i++) {
		struct plugin *p = &s->plugins[i];

		if (!plugin_check(s, p))
			continue;
		if (engine_output(en, p->ops, p->name, &p->common, &p->rules, p->config, &e) != 0)
			problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s[%s]: %s", p->ops->type,
			    p->name, e.text);
	}
	errors = s->problems.n_errors;
	if (en != NULL && engine_prepare(en, &s->problems, &e) != 0 &&
	    s->problems.n_errors == errors)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s", e.text);
	errors = s->problems.n_errors;
	if (en != NULL && watches_new(en, &s->watch, &en->watches, &s->problems, &e) != 0 &&
	    s->problems.n_errors == errors)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s", e.text);
	errors = s->problems.n_errors;
	if (en != NULL && alarms_new(en, &s->alarm, &en->alarms, &s->problems, &e) != 0 &&
	    s->problems.n_errors == errors)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s", e.text);
	if (en == NULL)
		problem_add(&s->problems, PROBLEM_ERROR, NULL, "%s", e.text);
	else if (s->problems.n_errors == 0)
		engine_look(en, &s->problems);
	places_tell(&s->config, &s->problems);
	if (s->problems.n_errors > 0) {
		engine_free(en);
		return NULL;
	}
	return en;
}

bool
settings_have_input(const struct settings *s)
{
	const struct pcap_config *pcap = s->in[DOOR_PCAP];
	bool have = pcap->savefile != NULL || pcap->interfaces != NULL;

	for (int i = DOOR_NETFLOW; i < DOOR_IN_COUNT; i++) {
		const struct datagram_config *c = s->in[i];

		have |= c->port != 0 || c->tcp_port != 0;
	}
	return have;
}

int
settings_collectors(struct settings *s, const struct options *o, struct engine *en,
    struct err *e)
{
	struct datagram_config *sflow = s->in[DOOR_SFLOW];
	struct pcap_config *pcap = s->in[DOOR_PCAP];
	int rc = 0;

	if (!settings_have_input(s))
		return err_set(e, WEIR_EINVAL, SETTINGS_NO_INPUT);
	pcap->workers = s->workers;
	pcap->classes = &s->classes;
	sflow->unknown_etype = pcap->unknown_etype;
	sflow->tunnel = pcap->tunnel;
	sflow->classes = &s->classes;
	if (pcap->savefile != NULL) {
		int family = o->as >= 0 ? o->as : DOOR_PCAP;

		s->file = (struct datagram_file_config){ pcap, s->in[family] };
		rc = engine_collector(en, doors_in[family].file,
		    family != DOOR_PCAP ? (const void *)&s->file : pcap, 1, e);
	}
	for (unsigned i = 0; rc == 0 && pcap->interfaces != NULL && i < pcap->interfaces->n; i++)
		rc = engine_collector(en, doors_in[DOOR_PCAP].live, pcap->interfaces->list[i], 0, e);
	for (int i = DOOR_NETFLOW; rc == 0 && i < DOOR_IN_COUNT; i++) {
		const struct datagram_config *c = s->in[i];

		if (c->port != 0)
			rc = engine_collector(en, doors_in[i].live, c, 0, e);
		if (rc == 0 && c->tcp_port != 0)
			rc = engine_collector(en, doors_in[i].stream, c, 0, e);
	}
	return rc;
}
