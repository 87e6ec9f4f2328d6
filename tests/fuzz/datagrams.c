/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fuzz/datagrams.h"

#include <stdlib.h>
#include <string.h>

#include "collectors/netflow.h"
#include "flow/custom.h"
#include "collectors/sflow_sources.h"
#include "lib/log.h"
#include "lib/rbuf.h"
#include "lib/rcu.h"

static struct flow flows[2 * FLOW_BATCH];

static uint64_t
sum(const struct stats *s, const enum stat_no *of, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v += stat_get(s, of[i]);
	return v;
}

static void
check_books(const struct stats *s)
{
	static const enum stat_no datagrams[] = { STAT_DATAGRAMS_DECODED,
		STAT_BAD_SHORT, STAT_BAD_VERSION, STAT_BAD_LENGTH, STAT_BAD_TEMPLATE,
		STAT_BAD_EXPORTER };
	static const enum stat_no records[] = { STAT_RECORDS_FED,
		STAT_RECORDS_NO_TEMPLATE, STAT_RECORDS_NOT_FLOW, STAT_RECORDS_MALFORMED };
	static const enum stat_no early[] = { STAT_SETS_RESOLVED, STAT_SETS_GIVEN_UP,
		STAT_SETS_WAITING };

	if (stat_get(s, STAT_DATAGRAMS) !=
		sum(s, datagrams, sizeof(datagrams) / sizeof(datagrams[0])) ||
	    stat_get(s, STAT_RECORDS) !=
		sum(s, records, sizeof(records) / sizeof(records[0])) ||
	    stat_get(s, STAT_SETS_EARLY) !=
		sum(s, early, sizeof(early) / sizeof(early[0])))
		abort();
}

/* A copy of its own size, so that a sanitizer sees every octet read beyond it. */
static void
feed(const struct datagram_decoder *on, void *decoder, const uint8_t *data, size_t len)
{
	static const uint8_t sender[4] = { 192, 0, 2, 1 };
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct datagram d = {
		.data = copy,
		.len = len,
		.from = ip_from_v4(sender),
		.arrival = UINT64_C(1700000000000000000),
	};

	if (copy == NULL)
		abort();
	memcpy(copy, data, len);
	on->decode(decoder, &d);
	free(copy);
	rcu_quiet();
}

static void
series(const struct datagram_decoder *on, struct collector *c, struct rbuf in)
{
	struct err e = ERR_INIT;
	void *decoder = on->open(c, &e);

	if (decoder == NULL)
		abort();
	while (rbuf_left(&in) > 2) {
		size_t len = rbuf_u16(&in);

		if (len > rbuf_left(&in))
			len = rbuf_left(&in);
		feed(on, decoder, rbuf_get(&in, len), len);
		check_books(&c->pipeline->stats);
	}
	pipeline_flush(c->pipeline);
	on->close(decoder);
}

/* Primitives of the operator's own, one of each kind. */
static void
customs_define(void)
{
	static const struct {
		const char *name;
		struct custom custom;
	} customs[] = {
		{ "own_number", { 0, 1, CUSTOM_UINT, 0 } },
		{ "own_hex", { 0, 95, CUSTOM_HEX, 0 } },
		{ "own_address", { 0, 8, CUSTOM_IP, 0 } },
		{ "own_mac", { 0, 56, CUSTOM_MAC, 0 } },
		{ "own_text", { 0, 82, CUSTOM_STR, 0 } },
		{ "own_octets", { 9999, 1001, CUSTOM_RAW, 0 } },
	};

	for (size_t i = 0; i < sizeof(customs) / sizeof(customs[0]); i++)
		if (custom_add(customs[i].name, &customs[i].custom, NULL) != 0)
			abort();
}

static void
once(void)
{
	static bool done;
	const struct log_config config = { .file = "/dev/null" };
	struct err e = ERR_INIT;

	if (done)
		return;
	done = true;
	(void)log_open(&config, &e);
	customs_define();
	rcu_enter();
}

void
fuzz_datagrams(const struct datagram_decoder *on, const uint8_t *data, size_t size)
{
	void (*const state_free[EXPORTER_KINDS])(void *) = {
		[EXPORTER_NETFLOW] = netflow_exporter_state_free,
		[EXPORTER_SFLOW] = sflow_exporter_state_free,
	};
	struct pipeline p = { .flows = flows };
	struct datagram_config config = { 0 };
	struct exporter_cache cache;
	struct collector c = { .config = &config, .pipeline = &p, .exporters = &cache };
	struct rbuf in = rbuf_of(data, size);
	uint8_t choice = rbuf_u8(&in);
	struct err e = ERR_INIT;

	once();
	config.time_new = choice & 1;
	config.account_options = choice >> 3 & 1;
	config.disable_opt_scope_check = choice >> 4 & 1;
	config.biflow = choice >> 5 & 1;
	config.unknown_etype = choice >> 6 & 1;
	config.ignore_exporter_address = choice >> 7 & 1;
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		if ((choice >> 1) % 4 == 0 || i % 4 == (choice >> 1) % 4)
			field_set_add(&p.needs, (enum field_no)i);
	pipeline_prepare(&p);
	cache.shared = exporters_new(1, 16, state_free);
	if (cache.shared == NULL || exporter_cache_init(&cache, cache.shared, &e) != 0)
		abort();
	series(on, &c, in);
	exporter_cache_fini(&cache);
	exporters_free(cache.shared);
}
