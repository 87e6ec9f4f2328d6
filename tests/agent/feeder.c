/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feeder: a weir with nothing but the agent, for test_snmpd.sh. Flows come from
 * standard input, one command on a line; each publisher's round is told on standard
 * output, with the octets that the first view has counted so far. Ends at the end of
 * its input.
 *
 *     feeder [KEY=VALUE ...] VIEW:AGGREGATE ...
 *
 * KEY=VALUE is a directive; KEY[VIEW]=VALUE one for that view. Commands:
 *
 *     flow SRC DST SPORT DPORT PROTO PACKETS OCTETS TAG
 *     many N OCTETS           N sources, 10.0.0.0 and up, the first with most
 *     label TEXT OCTETS
 *     exporter ADDRESS DOMAIN VERSION DATAGRAMS
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "core/engine.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "lib/log.h"

#define VIEWS_MAX 8

/* The collector: reads standard input as if it were a NetFlow port. */
struct input {
	char text[65536];
	size_t len;
};

static struct input input;

static void
must(int rc, const struct err *e)
{
	if (rc == 0)
		return;
	fprintf(stderr, "feeder: %s\n", e->text);
	exit(1);
}

static void
flow_put(struct pipeline *p, const char *src, const char *dst, uint64_t packets,
    uint64_t octets, const struct flow *more)
{
	struct flow *f = pipeline_slot(p);

	*f = *more;
	if (ip_parse(src, &f->src_host) != 0 || ip_parse(dst, &f->dst_host) != 0)
		fprintf(stderr, "feeder: no address: %s %s\n", src, dst);
	f->packets = packets;
	f->bytes = octets;
	f->flows = 1;
	f->stamp = clock_real();
	pipeline_commit(p);
}

static void
many_put(struct pipeline *p, unsigned n, uint64_t octets)
{
	struct flow none = { .proto = 17 };
	char src[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(src, sizeof(src), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
		flow_put(p, src, "192.0.2.1", 1, octets + (n - i), &none);
	}
}

static void
exporter_put(struct collector *c, const char *address, uint32_t domain, uint32_t version,
    uint64_t datagrams)
{
	struct exporter *x;
	ip16_t a;

	if (ip_parse(address, &a) != 0 ||
	    (x = exporter_get(c->exporters, EXPORTER_NETFLOW, &a, domain)) == NULL)
		return;
	atomic_store(&x->version, version);
	atomic_store(&x->parts[0].last_seen, clock_real());
	exporter_add(x, 0, EXPORTER_DATAGRAMS, datagrams);
	exporter_add(x, 0, EXPORTER_TEMPLATES, 2);
}

static void
input_line(struct collector *c, const char *line)
{
	struct pipeline *p = c->pipeline;
	char a[300], b[300];
	unsigned s, d, proto, n;
	uint64_t packets, octets, tag;

	counter_add(&c->units, 1);
	if (sscanf(line, "flow %63s %63s %u %u %u %" SCNu64 " %" SCNu64 " %" SCNu64, a, b, &s,
	        &d, &proto, &packets, &octets, &tag) == 8) {
		struct flow more = { .src_port = (uint16_t)s, .dst_port = (uint16_t)d,
			.proto = (uint8_t)proto, .tag = tag, .tcp_flags = 0x12 };

		flow_put(p, a, b, packets, octets, &more);
	} else if (sscanf(line, "many %u %" SCNu64, &n, &octets) == 2) {
		many_put(p, n, octets);
	} else if (sscanf(line, "label %299s %" SCNu64, a, &octets) == 2) {
		struct flow more = { .label = intern(a, strlen(a)) };

		flow_put(p, "192.0.2.7", "192.0.2.8", 1, octets, &more);
	} else if (sscanf(line, "exporter %63s %u %u %" SCNu64, a, &s, &d, &packets) == 4) {
		exporter_put(c, a, s, d, packets);
	} else {
		fprintf(stderr, "feeder: what is '%s'?\n", line);
	}
}

static int
input_open(struct collector *c, struct err *e)
{
	(void)e;
	snprintf(c->where, sizeof(c->where), "127.0.0.1:2055");
	(void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	c->fd = STDIN_FILENO;
	c->priv = &input;
	return 0;
}

static enum collector_state
input_read(struct collector *c)
{
	struct input *in = c->priv;
	ssize_t got = read(c->fd, in->text + in->len, sizeof(in->text) - 1 - in->len);
	char *line = in->text, *end;

	if (got == 0)
		return COLLECTOR_DONE;
	if (got < 0)
		return COLLECTOR_IDLE;
	in->len += (size_t)got;
	in->text[in->len] = '\0';
	atomic_store(&c->last_seen, clock_real());
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		input_line(c, line);
		line = end + 1;
	}
	in->len -= (size_t)(line - in->text);
	memmove(in->text, line, in->len);
	pipeline_flush(c->pipeline);
	return COLLECTOR_IDLE;
}

static void
input_close(struct collector *c)
{
	(void)c;
}

static const struct collector_ops input_collector = { .name = "netflow",
	.kind = COLLECTOR_NETFLOW,
	.open = input_open,
	.read = input_read,
	.close = input_close };

/* Make a plugin of "name:aggregate". */
static void
plugin_add(struct engine *en, struct config *cfg, const char *arg)
{
	static struct output_config common[VIEWS_MAX];
	static struct rules_config no_rules;
	static void *configs[VIEWS_MAX];
	static unsigned n;
	const char *colon = strchr(arg, ':');
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)(colon - arg), arg);
	configs[n] = calloc(1, snmp_directives.config_octets);
	directive_apply(&output_directives, cfg, name, &common[n], &ps);
	directive_apply(&snmp_directives, cfg, name, configs[n], &ps);
	common[n].aggregate = colon + 1;
	for (size_t i = 0; i < ps.n; i++)
		fprintf(stderr, "feeder: %s\n", ps.list[i].text);
	must(engine_output(en, &snmp_output, name, &common[n], &no_rules, configs[n], &e), &e);
	n++;
}

/* "key=value" or "key[plugin]=value". */
static void
directive_add(struct config *cfg, char *arg)
{
	char *value = strchr(arg, '='), *plugin = strchr(arg, '[');

	*value++ = '\0';
	if (plugin != NULL) {
		*plugin++ = '\0';
		plugin[strcspn(plugin, "]")] = '\0';
	}
	config_add(cfg, "argument", arg, plugin, value);
}

/* Tell of each round until the input has ended. */
static void
rounds_tell(const struct engine *en)
{
	uint64_t told = 0;

	while (!engine_finished(en)) {
		struct timespec pause = { 0, 20 * 1000 * 1000 };
		uint64_t rounds = publisher_rounds(en->publisher);

		if (rounds != told) {
			struct ledger *l = en->views[0]->ledger;

			ledger_lock(l);
			printf("round %" PRIu64 " octets %" PRIu64 "\n", rounds, l->total.bytes);
			ledger_unlock(l);
			fflush(stdout);
			told = rounds;
		}
		nanosleep(&pause, NULL);
	}
}

int
main(int argc, char **argv)
{
	struct engine_config ec = { .workers = 2, .max_entries = 100000, .max_exporters = 100 };
	struct config cfg = { 0 };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	struct engine *en;

	signal(SIGPIPE, SIG_DFL); /* the agent must not depend on others to ignore it */
	en = engine_new(&ec, &e);
	must(en == NULL, &e);
	for (int i = 1; i < argc; i++)
		if (strchr(argv[i], '=') != NULL)
			directive_add(&cfg, argv[i]);
	for (int i = 1; i < argc; i++)
		if (strchr(argv[i], ':') != NULL && strchr(argv[i], '=') == NULL)
			plugin_add(en, &cfg, argv[i]);
	must(engine_prepare(en, &ps, &e), &e);
	must(engine_collector(en, &input_collector, NULL, 1, &e), &e);
	must(engine_start(en, &e), &e);
	rounds_tell(en);
	engine_stop(en);
	engine_free(en);
	config_free(&cfg);
	return 0;
}
