/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/collectors/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "collectors/sflow_sources.h"
#include "lib/log.h"
#include "tests/proto/hex.h"

static char folder[64], path[96];
static const _Atomic uint64_t no_reloads;

void
rig_init(struct rig *r, const struct collector_ops *ops, const void *config)
{
	static void (*const state_free[EXPORTER_KINDS])(void *) = {
		[EXPORTER_SFLOW] = sflow_exporter_state_free,
	};
	static const struct log_config quiet = { .file = "/dev/null" };
	struct err e = ERR_INIT;

	assert_int_equal(log_open(&quiet, &e), 0);
	memset(r, 0, sizeof(*r));
	r->pipeline.flows = calloc(FLOW_BATCH * 2, sizeof(struct flow));
	r->exporters = exporters_new(1, 64, state_free);
	assert_non_null(r->pipeline.flows);
	assert_non_null(r->exporters);
	assert_int_equal(exporter_cache_init(&r->cache, r->exporters, &e), 0);
	for (int i = 0; i < FIELD_COUNT; i++)
		field_set_add(&r->pipeline.needs, (enum field_no)i);
	pipeline_prepare(&r->pipeline);
	r->pipeline.reloads = &no_reloads;
	r->collector.ops = ops;
	r->collector.config = config;
	r->collector.fd = -1;
	r->collector.pipeline = &r->pipeline;
	r->collector.exporters = &r->cache;
}

void
rig_fini(struct rig *r)
{
	if (r->collector.priv != NULL)
		r->collector.ops->close(&r->collector);
	exporter_cache_fini(&r->cache);
	exporters_free(r->exporters);
	free(r->pipeline.flows);
}

void
rig_open(struct rig *r)
{
	struct err e = ERR_INIT;

	if (r->collector.ops->open(&r->collector, &e) != 0)
		fail_msg("%s", e.text);
}

bool
rig_read(struct rig *r)
{
	enum collector_state state;

	do
		state = r->collector.ops->read(&r->collector);
	while (state == COLLECTOR_BUSY);
	return state == COLLECTOR_DONE;
}

uint64_t
rig_stat(const struct rig *r, enum stat_no i)
{
	return stat_get(&r->pipeline.stats, i);
}

/* The identities that core/books.c shows; each side ends with STAT_COUNT. */
static const enum stat_no identities[][9] = {
	{ STAT_FRAMES, STAT_FRAMES_FED, STAT_FRAMES_NOT_IP, STAT_FRAMES_MALFORMED,
	    STAT_FRAMES_NO_DATAGRAM, STAT_FRAMES_DATAGRAM, STAT_COUNT },
	{ STAT_DATAGRAMS, STAT_DATAGRAMS_DECODED, STAT_DATAGRAMS_REFUSED, STAT_BAD_SHORT,
	    STAT_BAD_VERSION, STAT_BAD_LENGTH, STAT_BAD_TEMPLATE, STAT_BAD_EXPORTER,
	    STAT_COUNT },
	{ STAT_SETS_EARLY, STAT_SETS_RESOLVED, STAT_SETS_GIVEN_UP, STAT_SETS_WAITING,
	    STAT_COUNT },
	{ STAT_COUNTERS, STAT_COUNTERS_LOGGED, STAT_COUNTERS_LOST, STAT_COUNTERS_UNLOGGED,
	    STAT_COUNT },
	{ STAT_RECORDS, STAT_RECORDS_FED, STAT_RECORDS_NO_TEMPLATE, STAT_RECORDS_NOT_FLOW,
	    STAT_RECORDS_MALFORMED, STAT_RECORDS_FILTERED, STAT_RECORDS_SAMPLED_OUT,
	    STAT_COUNT },
};

void
rig_books(struct rig *r, const char *says)
{
	pipeline_flush(&r->pipeline);
	for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
		uint64_t sum = 0;

		for (size_t k = 1; identities[i][k] != STAT_COUNT; k++)
			sum += rig_stat(r, identities[i][k]);
		if (rig_stat(r, identities[i][0]) != sum)
			fail_msg("%s: %llu %s, but %llu accounted for", says,
			    (unsigned long long)rig_stat(r, identities[i][0]),
			    stat_rows[identities[i][0]].name, (unsigned long long)sum);
	}
}

const char *
rig_file(const void *octets, size_t len)
{
	FILE *f;

	rig_file_remove();
	snprintf(folder, sizeof(folder), "/tmp/weir-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

void
rig_file_remove(void)
{
	if (folder[0] == '\0')
		return;
	(void)unlink(path);
	(void)rmdir(folder);
	folder[0] = '\0';
}

static void
pcap_put(struct rig_pcap *p, const void *octets, size_t len)
{
	assert_true(p->len + len <= sizeof(p->octets));
	memcpy(p->octets + p->len, octets, len);
	p->len += len;
}

void
rig_pcap_init(struct rig_pcap *p)
{
	/* magic, version 2.4, no zone, snap length, LINKTYPE_ETHERNET; this host's order */
	const uint32_t head[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1 };

	p->len = 0;
	pcap_put(p, head, sizeof(head));
}

void
rig_pcap_frame(struct rig_pcap *p, uint32_t seconds, uint32_t micros,
    const uint8_t *frame, size_t len, size_t wire)
{
	const uint32_t head[] = { seconds, micros, (uint32_t)len, (uint32_t)wire };

	pcap_put(p, head, sizeof(head));
	pcap_put(p, frame, len);
}

void
rig_pcap_hex(struct rig_pcap *p, uint32_t seconds, const char *hex)
{
	uint8_t octets[2048];
	size_t n = hex_octets(hex, octets, sizeof(octets));

	rig_pcap_frame(p, seconds, 0, octets, n, n);
}
