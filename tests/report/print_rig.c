/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/report/print_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/engine.h"
#include "lib/clock.h"

static const struct packet {
	const char *src, *dst;
	uint16_t sport, dport, flags;
	uint8_t proto, tos;
	uint64_t octets, after_s;
} packets[] = {
	{ "192.0.2.1", "198.51.100.7", 40000, 443, 0x02, 6, 0, 40, 0 },
	{ "192.0.2.1", "198.51.100.7", 40000, 443, 0x18, 6, 0, 140, 37 },
	{ "192.0.2.2", "198.51.100.8", 5000, 53, 0, 17, 0xb8, 58, 74 },
	{ "2001:db8::1", "2001:db8:0:1::2", 1234, 80, 0x02, 6, 0x20, 60, 111 },
	{ "2001:db8:1:2:3:4:5:6", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 0, 0, 0, 58,
	    0, 48, 148 },
	{ "10.0.0.1", "10.0.0.2", 0, 0, 0, 253, 0, 40, 296 },
};
_Static_assert(sizeof(packets) / sizeof(packets[0]) == N_PACKETS, "as the header says");

const char *exporter_of;

void
packet_flow(struct flow *f, size_t i)
{
	const struct packet *p = &packets[i];

	flow_clear(f);
	assert_int_equal(ip_parse(p->src, &f->src_host), 0);
	assert_int_equal(ip_parse(p->dst, &f->dst_host), 0);
	f->src_port = p->sport;
	f->dst_port = p->dport;
	f->proto = p->proto;
	f->tos = p->tos;
	f->tcp_flags = p->flags;
	f->etype = strchr(p->src, ':') != NULL ? 0x86dd : 0x800;
	memcpy(f->src_mac.b, "\x02\0\0\0\0\xaa", 6);
	f->vlan = p->proto == 253 ? 100 : 0;
	f->cos = p->proto == 253 ? 5 : 0;
	f->packets = 1;
	f->bytes = p->octets;
	f->flows = p->after_s == 37 ? 0 : 1;
	f->stamp = T0 + p->after_s * CLOCK_S + 7 * CLOCK_US;
	f->timestamp_arrival = f->stamp;
	if (exporter_of != NULL) {
		assert_int_equal(ip_parse(exporter_of, &f->peer_src_ip), 0);
		f->tag = f->proto == 17 ? 2 : 1;
	}
}

int
setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	setenv("TZ", "UTC", 1);
	strcpy(x->dir, "/tmp/weir-print-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	snprintf(x->file, sizeof(x->file), "%s/out", x->dir);
	x->config.file = x->file;
	x->config.separator = ",";
	x->config.trigger_limit = 60;
	x->o.common.aggregate = SIX;
	x->o.common.refresh = 60;
	strcpy(x->o.name, "a");
	*state = x;
	return 0;
}

int
teardown(void **state)
{
	struct fixture *x = *state;
	char command[128];

	if (x->o.priv != NULL)
		print_output.close(&x->o);
	view_free(x->v);
	snprintf(command, sizeof(command), "rm -rf %s", x->dir);
	assert_int_equal(system(command), 0);
	free(x);
	return 0;
}

void
start(struct fixture *x, uint32_t max_rows)
{
	struct err e = ERR_INIT;
	struct view_config vc;

	x->o.ops = &print_output;
	x->o.config = &x->config;
	assert_int_equal(output_plan(&x->o, &vc, &e), 0);
	bins_start(&vc.bins, T0);
	x->v = view_new("a", &vc, max_rows, 1, &e);
	assert_non_null(x->v);
	x->o.view = x->v;
	assert_int_equal(print_output.open(&x->o, &e), 0);
}

struct snapshot *
counted(struct fixture *x, size_t from, size_t to)
{
	struct err e = ERR_INIT;
	struct snapshot *s;
	struct shard sh;

	assert_int_equal(shard_init(&sh, x->v, &e), 0);
	for (size_t i = from; i < to; i++) {
		struct flow f;

		packet_flow(&f, i);
		shard_feed(&sh, &f, 1);
	}
	s = snapshot_new(x->v, sh.active, true);
	assert_non_null(s);
	sh.active = NULL;
	s->cut = CUT;
	shard_fini(&sh);
	return s;
}

/* Write packets `from` to `to`; all of their rows must be written. */
void
write_packets(struct fixture *x, size_t from, size_t to)
{
	struct snapshot *s = counted(x, from, to);
	struct output_result r = { 0 };
	struct err e = ERR_INIT;

	assert_int_equal(print_output.write(&x->o, s, &r, &e), 0);
	assert_int_equal(r.rows, r.written);
	assert_int_equal(r.refused, 0);
	snapshot_unref(s);
}

void
assert_file(const struct fixture *x, const char *name, const char *want)
{
	char path[512], text[8192];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", x->dir, name);
	f = fopen(path, "r");
	if (want == NULL) {
		assert_null(f);
		return;
	}
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_string_equal(text, want);
}
