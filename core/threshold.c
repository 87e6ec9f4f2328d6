/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/threshold.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/collector.h"
#include "core/engine.h"
#include "core/watch.h"
#include "flow/selector.h"
#include "lib/ip.h"
#include "lib/mapfile.h"
#include "lib/spawn.h"

static const char *const scope_words[] = {
#define X(n, NAME, word) [n] = word,
	THRESHOLD_SCOPES(X)
#undef X
};
static const char *const metric_words[] = {
#define X(n, NAME, word, unit) [n] = word,
	THRESHOLD_METRICS(X)
#undef X
};
static const char *const metric_units[] = {
#define X(n, NAME, word, unit) [n] = unit,
	THRESHOLD_METRICS(X)
#undef X
};
static const char *const direction_words[] = { [DIRECTION_ABOVE] = "above",
	[DIRECTION_BELOW] = "below" };
static const char *const startup_words[] = { [STARTUP_RISING] = "rising",
	[STARTUP_FALLING] = "falling", [STARTUP_EITHER] = "either" };

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define B(METRIC) (1U << METRIC_##METRIC)
#define TRAFFIC   (B(BYTES) | B(PACKETS) | B(FLOWS))

/* Which figures each scope has. */
static const unsigned scope_metrics[N(scope_words)] = {
	[SCOPE_VIEW] = TRAFFIC | B(ROWS),
	[SCOPE_ENTRY] = TRAFFIC,
	[SCOPE_TOP] = TRAFFIC,
	[SCOPE_WATCH] = TRAFFIC | B(SECONDS),
	[SCOPE_EXPORTER] = TRAFFIC | B(SECONDS) | B(LOST),
	[SCOPE_OUTPUT] = B(SECONDS) | B(LOST),
	[SCOPE_COLLECTOR] = B(BYTES) | B(PACKETS) | B(SECONDS) | B(LOST),
};

const char *
threshold_unit(uint32_t m)
{
	return m < N(metric_units) && metric_units[m] != NULL ? metric_units[m] : "";
}

const char *
threshold_scope_word(uint32_t s)
{
	return s < N(scope_words) && scope_words[s] != NULL ? scope_words[s] : "";
}

void
threshold_defaults(struct threshold_config *c)
{
	memset(c, 0, sizeof(*c)); /* padding, too: they are compared */
	c->direction = DIRECTION_ABOVE;
	c->window = 60;
	c->startup = STARTUP_RISING;
	c->notify = true;
	c->storage = STORAGE_NONVOLATILE;
	c->status = STATUS_ACTIVE;
}

uint64_t
threshold_limit(const struct threshold_config *c, uint32_t mantissa)
{
	uint64_t limit = mantissa;

	/* 2^32 times 10^12 is more than 64 bits hold: such a limit is never crossed. */
	for (uint32_t i = 0; i < c->scale; i++)
		limit = limit > UINT64_MAX / 10 ? UINT64_MAX : limit * 10;
	return limit;
}

static bool
word_is_one(uint32_t value, const char *const *words, size_t n)
{
	return value < n && words[value] != NULL;
}

/* The figures of `scope` as words: "bytes, packets". */
static void
metrics_list(uint32_t scope, char *buf, size_t room)
{
	size_t len = 0;

	buf[0] = '\0';
	for (uint32_t m = 1; m < N(metric_words) && len < room; m++)
		if (scope_metrics[scope] >> m & 1)
			len += (size_t)snprintf(buf + len, room - len, "%s%s",
			    len > 0 ? ", " : "", metric_words[m]);
}

static int
figure_check(const struct threshold_config *c, struct err *e)
{
	char list[96];

	if (!word_is_one(c->scope, scope_words, N(scope_words)))
		return err_set(e, WEIR_EINVAL,
		    "no scope: of what the figure is; write scope=view, entry, top, watch, "
		    "exporter, output or collector");
	if (word_is_one(c->metric, metric_words, N(metric_words)) &&
	    scope_metrics[c->scope] >> c->metric & 1)
		return 0;
	metrics_list(c->scope, list, sizeof(list));
	return err_set(e, WEIR_EINVAL, "metric: %s has %s", scope_words[c->scope], list);
}

static int
limits_check(const struct threshold_config *c, struct err *e)
{
	if (c->falling > c->rising)
		return err_set(e, WEIR_EINVAL, "falling is above rising");
	if (c->rising == 0)
		return err_set(e, WEIR_EINVAL, "no limit; write rising=N");
	if (c->scale > THRESHOLD_SCALE)
		return err_set(e, WEIR_EINVAL, "scale is above %u", THRESHOLD_SCALE);
	if (c->window == 0 || c->window > THRESHOLD_WINDOW || c->hold > THRESHOLD_WINDOW)
		return err_set(e, WEIR_EINVAL, "window is 1 to %u s, hold 0 to as much",
		    THRESHOLD_WINDOW);
	if (!word_is_one(c->direction, direction_words, N(direction_words)) ||
	    !word_is_one(c->startup, startup_words, N(startup_words)))
		return err_set(e, WEIR_EINVAL, "no such direction or startup");
	if (c->scope == SCOPE_ENTRY && c->direction == DIRECTION_BELOW)
		return err_set(e, WEIR_EINVAL,
		    "entries that are idle are below any limit: use a watch for those that "
		    "must not be");
	return 0;
}

static int
rows_check(const struct threshold_config *c, const struct engine *en, struct err *e)
{
	const struct view *v = engine_view(en, c->subject);
	struct selector s;
	int rc;

	if (v == NULL)
		return err_set(e, WEIR_EINVAL, "subject: there is no view '%s'", c->subject);
	if (v->ledger == NULL)
		return err_set(e, WEIR_EINVAL,
		    "subject: view '%s' keeps no running totals; those that threshold_map "
		    "names when weir starts do", c->subject);
	if (c->scope == SCOPE_VIEW && c->selector[0] != '\0')
		return err_set(e, WEIR_EINVAL,
		    "conditions are for entries: the total of a part is a watch's");
	rc = selector_parse(&s, c->selector, e);
	if (rc == 0)
		rc = selector_check(&s, &v->rs, e);
	return rc != 0 ? -WEIR_EINVAL : 0;
}

static int
subject_check(const struct threshold_config *c, const struct engine *en, struct err *e)
{
	ip16_t ip;

	if (c->scope == SCOPE_VIEW || c->scope == SCOPE_ENTRY || c->scope == SCOPE_TOP)
		return rows_check(c, en, e);
	if (c->selector[0] != '\0')
		return err_set(e, WEIR_EINVAL, "conditions are for entries of a view");
	if (c->scope == SCOPE_EXPORTER && c->subject[0] != '\0' &&
	    ip_parse(c->subject, &ip) != 0)
		return err_set(e, WEIR_EINVAL, "subject: '%s' is no address", c->subject);
	if (c->scope == SCOPE_OUTPUT && c->subject[0] != '\0' &&
	    engine_output_get(en, c->subject) == NULL)
		return err_set(e, WEIR_EINVAL, "subject: there is no plugin '%s'", c->subject);
	/* Watches and collectors may come later: threshold_missing. */
	return 0;
}

static bool
collector_is_there(const struct engine *en, const char *name)
{
	for (unsigned w = 0; w < en->n_workers; w++)
		for (unsigned i = 0; i < en->workers[w].n_collectors; i++) {
			const struct collector *c = en->workers[w].collectors[i];
			size_t len = strlen(c->ops->name);

			if (strncmp(name, c->ops->name, len) == 0 && name[len] == ' ' &&
			    strcmp(name + len + 1, c->where) == 0)
				return true;
		}
	return false;
}

const char *
threshold_missing(const struct threshold_config *c, const struct engine *en)
{
	if (c->scope == SCOPE_WATCH && c->subject[0] == '\0')
		return en->watches == NULL ? "no watches" : NULL;
	if (c->scope == SCOPE_WATCH && !watches_have(en->watches, c->subject))
		return "no such watch";
	if (c->scope == SCOPE_COLLECTOR && c->subject[0] != '\0' &&
	    !collector_is_there(en, c->subject))
		return "no such collector";
	return NULL;
}

int
threshold_check(const struct threshold_config *c, const struct engine *en, struct err *e)
{
	int rc;

	if (c->name[0] == '\0')
		return err_set(e, WEIR_EINVAL, "no name; write name=NAME");
	if ((rc = figure_check(c, e)) != 0 || (rc = limits_check(c, e)) != 0)
		return rc;
	return subject_check(c, en, e);
}

/* The map. Numbers are written out there, with k, M, G, T for thousands. */

struct rule {
	struct threshold_config config;
	uint64_t rising, falling;
};

static int
name_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	size_t max = (size_t)k->max;

	if (strlen(text) > max)
		return err_set(why, WEIR_EINVAL, "more than %zu octets", max);
	strcpy(at, text);
	return 0;
}

/* A word of a list to its number. */
static int
word_parse(const char *text, const char *const *words, size_t n, void *at, struct err *why)
{
	char list[128] = "";
	size_t len = 0;

	for (uint32_t i = 1; i < n; i++) {
		if (words[i] == NULL)
			continue;
		if (strcmp(text, words[i]) == 0) {
			*(uint32_t *)at = i;
			return 0;
		}
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
		    len > 0 ? ", " : "", words[i]);
	}
	return err_set(why, WEIR_EINVAL, "'%.32s' is none of %s", text, list);
}

#define WORD_PARSE(name) \
	static int name##_parse(const struct mapfile_key *k, const char *text, void *at, \
	    struct err *why) \
	{ \
		(void)k; \
		return word_parse(text, name##_words, N(name##_words), at, why); \
	}
WORD_PARSE(scope)
WORD_PARSE(metric)
WORD_PARSE(direction)
WORD_PARSE(startup)

static int
limit_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	static const char units[] = "kMGT";
	const char *unit;
	uint64_t n, times = 1;
	char *end;

	(void)k;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end != '\0' && (unit = strchr(units, *end)) != NULL && end[1] == '\0') {
		for (const char *u = units; u <= unit; u++)
			times *= 1000;
		end++;
	}
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 ||
	    n > UINT64_MAX / times)
		return err_set(why, WEIR_EINVAL,
		    "'%.32s' is no number; write one like 1500, 20k, 950M or 10G", text);
	*(uint64_t *)at = n * times;
	return 0;
}

static int
seconds_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	static const struct { char unit; uint32_t s; } units[] = { { 's', 1 }, { 'm', 60 },
		{ 'h', 3600 }, { 'd', 86400 } };
	uint64_t n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	for (size_t i = 0; *end != '\0' && i < N(units); i++)
		if (*end == units[i].unit && end[1] == '\0' && n <= k->max) {
			n *= units[i].s;
			end++;
		}
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || n < k->min ||
	    n > k->max)
		return err_set(why, WEIR_EINVAL, "'%.32s' is not %llu to %llu seconds", text,
		    (unsigned long long)k->min, (unsigned long long)k->max);
	*(uint32_t *)at = (uint32_t)n;
	return 0;
}

static int
bool_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	(void)k;
	*(bool *)at = strcmp(text, "true") == 0;
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return 0;
	return err_set(why, WEIR_EINVAL, "'%.32s' is neither true nor false", text);
}

/* A condition on entries; kept as text, since that is what SNMP shows. */
static int
condition_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	const char *equals = strchr(text, '=');
	size_t len = strlen(at), name = equals != NULL ? (size_t)(equals - text) : 0;
	char word[64];
	struct selector s = { .n = 0 };
	int rc;

	(void)k;
	if (equals == NULL || name >= sizeof(word))
		return -WEIR_ENOENT;
	memcpy(word, text, name);
	word[name] = '\0';
	if ((rc = selector_add(&s, word, equals + 1, why)) != 0)
		return rc;
	if (len > 0 && len + 1 < THRESHOLD_SELECTOR)
		((char *)at)[len++] = ' ';
	len += selector_text(&s, (char *)at + len, THRESHOLD_SELECTOR - len);
	if (len + 1 >= THRESHOLD_SELECTOR)
		return err_set(why, WEIR_EINVAL, "conditions of more than %u octets",
		    THRESHOLD_SELECTOR - 1);
	return 0;
}

enum { ROW_NAME, ROW_SCOPE, ROW_SUBJECT, ROW_METRIC, ROW_RISING, ROW_FALLING, ROW_DIRECTION,
	ROW_WINDOW, ROW_HOLD, ROW_STARTUP, ROW_NOTIFY, ROW_EXEC, ROW_SERVICE, ROW_OTHERS };

#define AT(member) .offset = offsetof(struct rule, member)
static const struct mapfile_key rule_keys[] = {
	[ROW_NAME] = { "name", name_parse, AT(config.name), .max = THRESHOLD_NAME,
	    .doc = "What it is called." },
	[ROW_SCOPE] = { "scope", scope_parse, AT(config.scope),
	    .doc = "Of what the figure is." },
	[ROW_SUBJECT] = { "subject", name_parse, AT(config.subject),
	    .max = THRESHOLD_SUBJECT - 1, .doc = "Of which one." },
	[ROW_METRIC] = { "metric", metric_parse, AT(config.metric), .doc = "Which figure." },
	[ROW_RISING] = { "rising", limit_parse, AT(rising), .doc = "The upper limit." },
	[ROW_FALLING] = { "falling", limit_parse, AT(falling),
	    .doc = "The lower limit; as the upper one where it is not said." },
	[ROW_DIRECTION] = { "alarm", direction_parse, AT(config.direction),
	    .doc = "The side of the limits that is an alarm." },
	[ROW_WINDOW] = { "window", seconds_parse, AT(config.window), .min = 1,
	    .max = THRESHOLD_WINDOW, .doc = "Over which rates are taken." },
	[ROW_HOLD] = { "hold", seconds_parse, AT(config.hold), .max = THRESHOLD_WINDOW,
	    .doc = "How long the figure must be beyond its limit." },
	[ROW_STARTUP] = { "startup", startup_parse, AT(config.startup),
	    .doc = "What the first look may say." },
	[ROW_NOTIFY] = { "notify", bool_parse, AT(config.notify),
	    .doc = "Whether notifications are sent." },
	[ROW_EXEC] = { "exec", name_parse, AT(config.exec), .max = THRESHOLD_PATH - 1,
	    .doc = "Program to start." },
	[ROW_SERVICE] = { "service", name_parse, AT(config.service), .max = THRESHOLD_PATH - 1,
	    .doc = "HOST;SERVICE of Nagios that gets the result." },
	[ROW_OTHERS] = { MAPFILE_OTHERS, condition_parse, AT(config.selector),
	    .doc = "A primitive of entries, and the value that it must have." },
	{ .name = NULL },
};
#undef AT

struct reading {
	struct engine *engine;
	bool ledgers;
	int (*take)(void *arg, const struct threshold_config *c, struct err *e);
	void *arg;
};

/* Find mantissas and a scale for the limits of `r`. */
static int
limits_scale(struct rule *r, struct err *why)
{
	uint64_t rising = r->rising, falling = r->falling;

	for (r->config.scale = 0; rising > UINT32_MAX; r->config.scale++) {
		if (rising % 10 != 0 || falling % 10 != 0 || r->config.scale == THRESHOLD_SCALE)
			return err_set(why, WEIR_EINVAL,
			    "a limit has too many digits: nine that are not 0, at most");
		rising /= 10;
		falling /= 10;
	}
	r->config.rising = (uint32_t)rising;
	r->config.falling = (uint32_t)falling;
	return 0;
}

static int
service_check(const struct threshold_config *c, struct err *why)
{
	const char *semicolon = strchr(c->service, ';');

	if (c->exec[0] != '\0' && c->exec[0] != '/')
		return err_set(why, WEIR_EINVAL, "exec: write the whole path, from '/' on");
	if (c->service[0] != '\0' &&
	    (semicolon == NULL || semicolon == c->service || semicolon[1] == '\0' ||
	        strchr(semicolon + 1, ';') != NULL))
		return err_set(why, WEIR_EINVAL, "service: write HOST;SERVICE");
	return 0;
}

/* Put in what the rule does not say, and see whether it can be meant. */
static int
rule_finish(const struct reading *rd, const struct mapfile_rule *at, struct rule *r,
    struct err *why)
{
	struct threshold_config *c = &r->config, d;
	struct view *v;
	int rc;

	threshold_defaults(&d);
	d.storage = STORAGE_READONLY;
	c->storage = d.storage;
	c->status = d.status;
	c->direction = mapfile_has(at, ROW_DIRECTION) ? c->direction : d.direction;
	c->window = mapfile_has(at, ROW_WINDOW) ? c->window : d.window;
	c->startup = mapfile_has(at, ROW_STARTUP) ? c->startup : d.startup;
	c->notify = mapfile_has(at, ROW_NOTIFY) ? c->notify : d.notify;
	if (!mapfile_has(at, ROW_FALLING))
		r->falling = r->rising;
	v = engine_view(rd->engine, c->subject);
	if (rd->ledgers && v != NULL && c->scope <= SCOPE_TOP &&
	    (rc = view_ledger_want(v, why)) != 0)
		return rc;
	if ((rc = limits_scale(r, why)) != 0 || (rc = service_check(c, why)) != 0)
		return rc;
	return threshold_check(c, rd->engine, why);
}

/*
 * Warn of what may be a mistake: it may come while weir runs. Of collectors, which the start
 * opens later, only weir show thresholds tells.
 */
static void
rule_warn(const struct engine *en, const struct mapfile_rule *at,
    const struct threshold_config *c, struct problems *ps)
{
	const char *missing = c->scope == SCOPE_WATCH ? threshold_missing(c, en) : NULL;
	struct err e = ERR_INIT;

	if (missing != NULL)
		problem_add(ps, PROBLEM_WARNING, &at->at,
		    "threshold_map: subject: %s%s%s: write a name that watch_map has", missing,
		    c->subject[0] != '\0' ? ": " : "", c->subject);
	if (c->exec[0] != '\0' && spawn_check(c->exec, &e) != 0)
		problem_add(ps, PROBLEM_WARNING, &at->at,
		    "threshold_map: exec: %s: no alarm can start it", e.text);
}

static int
rule_take(void *arg, const struct mapfile_rule *at, const void *values,
    struct problems *ps, struct err *e)
{
	struct reading *rd = arg;
	struct rule r = *(const struct rule *)values;
	struct err why = ERR_INIT;
	int rc = rule_finish(rd, at, &r, &why);

	if (rc == 0)
		rc = rd->take(rd->arg, &r.config, &why);
	if (rc == 0) {
		rule_warn(rd->engine, at, &r.config, ps);
		return 0;
	}
	problem_add(ps, PROBLEM_ERROR, &at->at, "threshold_map: %s", why.text);
	return rc == -WEIR_ENOMEM ? err_set(e, WEIR_ENOMEM, "threshold_map: %s", why.text) : 0;
}

static const struct mapfile threshold_map = { "threshold_map", rule_keys,
	sizeof(struct rule), rule_take };

int
threshold_map_read(const char *path, struct engine *en, bool ledgers,
    int (*take)(void *arg, const struct threshold_config *c, struct err *e), void *arg,
    struct problems *ps, struct err *e)
{
	struct reading rd = { en, ledgers, take, arg };

	return mapfile_read(&threshold_map, path, &rd, ps, e);
}
