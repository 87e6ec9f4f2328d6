/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/announce.h"
#include "lib/intern.h"
#include "lib/rbuf.h"
#include "proto/netflow.h"
#include "proto/template.h"

#define ROOM 496U /* of a body in the narrowest packet */

/* A host that has as many interfaces as it is asked to; 0: those that there are. */
static unsigned interfaces;

struct if_nameindex *
if_nameindex(void)
{
	struct if_nameindex *(*real)(void), *list;

	*(void **)&real = dlsym(RTLD_NEXT, "if_nameindex");
	if (interfaces == 0)
		return real();
	list = calloc(interfaces + 1, sizeof(*list));
	assert_non_null(list);
	for (unsigned i = 0; i < interfaces; i++) {
		static char name[] = "tap";

		list[i] = (struct if_nameindex){ i + 1, name };
	}
	return list;
}

void
if_freenameindex(struct if_nameindex *list)
{
	void (*real)(struct if_nameindex *);

	*(void **)&real = dlsym(RTLD_NEXT, "if_freenameindex");
	if (interfaces == 0)
		real(list);
	else
		free(list);
}

/* What others make of bodies: templates by their ids, and how many records of each. */
struct reader {
	enum encode_version version;
	struct template_def defs[1024]; /* by id; n_fields 0: none */
	unsigned records[1024];
	unsigned templates;
	char names[8192];               /* of applications, "NUMBER NAME\n" */
};

static void
templates_read(struct reader *r, enum template_kind kind, struct rbuf *set, unsigned *n)
{
	struct template_def d;

	while (template_next(set, kind, &d) == 0) {
		assert_in_range(d.id, 256, 1023);
		r->defs[d.id] = d;
		r->templates++;
		(*n)++;
	}
	assert_true(rbuf_ok(set));
}

/* A record as long as its template says; an applicationId and a name are kept. */
static void
record_read(struct reader *r, const struct template_def *d, struct rbuf *set)
{
	struct rbuf specs = rbuf_of(d->fields, d->fields_octets);
	char line[300] = "";

	for (unsigned i = 0; i < d->n_fields; i++) {
		struct template_spec s = template_spec_read(&specs, d->kind);
		size_t octets = s.variable ? rbuf_u8(set) : s.octets;
		struct rbuf value = rbuf_take(set, octets);

		/* In v9 the first is the scope: System, whatever its number. */
		if (s.id == 95)
			snprintf(line, sizeof(line), "%llx ", (unsigned long long)rbuf_uint(&value, 5));
		else if (s.id == 96)
			snprintf(line + strlen(line), sizeof(line) - strlen(line), "%.*s\n",
			    (int)octets, (const char *)value.p);
	}
	assert_true(rbuf_ok(set));
	assert_true(strlen(r->names) + strlen(line) < sizeof(r->names));
	strcat(r->names, line);
	r->records[d->id]++;
}

static void
body_read(struct reader *r, const struct announcement *a)
{
	bool v9 = r->version == ENCODE_V9;
	struct rbuf body = rbuf_of(a->body, a->octets);
	unsigned templates = 0, records = 0;

	assert_true(a->octets <= ROOM);
	while (rbuf_left(&body) > 0) {
		uint16_t id = rbuf_u16(&body), octets = rbuf_u16(&body);
		struct rbuf set = rbuf_take(&body, octets - (size_t)SET_HEADER);

		assert_true(rbuf_ok(&body) && octets % 4 == 0);
		if (id == (v9 ? SET_TEMPLATE9 : SET_TEMPLATE10)) {
			templates_read(r, v9 ? TEMPLATE_V9 : TEMPLATE_IPFIX, &set, &templates);
		} else if (id == (v9 ? SET_OPTIONS9 : SET_OPTIONS10)) {
			templates_read(r, v9 ? TEMPLATE_V9_OPTIONS : TEMPLATE_IPFIX_OPTIONS, &set,
			    &templates);
		} else {
			assert_true(id >= 256 && id < 1024 && r->defs[id].n_fields > 0);
			for (; rbuf_left(&set) >= r->defs[id].min_octets; records++)
				record_read(r, &r->defs[id], &set);
			assert_true(rbuf_left(&set) < 4);
		}
	}
	assert_int_equal(a->count, templates + records);
	assert_int_equal(a->records, records);
}

static void
test_all_is_told(void **state)
{
	static struct reader r;
	static const enum encode_version versions[] = { ENCODE_V9, ENCODE_IPFIX };

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		const struct encode_options o = { .version = versions[k / 2],
			.times = ENCODE_UPTIME };
		struct announce_config c = { .version = versions[k / 2], .body_octets = ROOM,
			.domain = 7, .sampling_rate = 100, .sampler = 1, .interfaces = true,
			.applications = true };
		struct announcements a;
		struct encode layout;
		struct field_set set;

		assert_int_equal(field_set_parse("src_host,dst_host,src_port", &set, NULL), 0);
		encode_compile(&layout, &set, &o);
		for (unsigned t = 0; t < 4; t++)
			c.layouts[t] = &layout;
		ip_parse(k % 2 == 0 ? "192.0.2.1" : "2001:db8::1", &c.address);
		assert_int_equal(announce_build(&a, &c, NULL), 0);
		memset(&r, 0, sizeof(r));
		r.version = c.version;
		for (unsigned i = 0; i < a.n; i++)
			body_read(&r, &a.list[i]);
		assert_int_equal(r.templates, 4 + 4);
		assert_int_equal(r.records[512], 1); /* the address, */
		assert_int_equal(r.records[513], 1); /* the sampler, */
		assert_true(r.records[514] >= 1);    /* interfaces: lo at least */
		announce_free(&a);
	}
}

/* Interfaces that find no room are counted, and nothing else is kept out by them. */
static void
test_many_interfaces(void **state)
{
	static struct reader r;
	static const enum encode_version versions[] = { ENCODE_V9, ENCODE_IPFIX };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		const struct announce_config c = { .version = versions[k], .body_octets = ROOM,
			.interfaces = true, .applications = true };
		struct announcements a;

		interfaces = 5000;
		assert_int_equal(announce_build(&a, &c, NULL), 0);
		interfaces = 0;
		assert_int_equal(a.n, ANNOUNCE_MAX);
		memset(&r, 0, sizeof(r));
		r.version = c.version;
		for (unsigned i = 0; i < a.n; i++)
			body_read(&r, &a.list[i]);
		assert_int_equal(r.templates, 2);
		assert_int_not_equal(r.defs[515].n_fields, 0); /* of applications */
		assert_true(r.records[514] > 500);
		assert_int_equal(a.untold, 5000 - r.records[514]);
		announce_free(&a);
	}
}

static void
test_v5_tells_nothing(void **state)
{
	const struct announce_config c = { .version = ENCODE_V5, .body_octets = ROOM,
		.sampling_rate = 100, .interfaces = true };
	struct announcements a;

	(void)state;
	assert_int_equal(announce_build(&a, &c, NULL), 0);
	assert_int_equal(a.n, 0);
	announce_free(&a);
}

/* Names, as many as fit into each message, all of them once, cut where there is no room. */
static void
test_names(void **state)
{
	static struct reader r;
	static const enum encode_version versions[] = { ENCODE_V9, ENCODE_IPFIX };
	static const char longest[] =
	    "ninety-nine-and-a-name-that-goes-on-and-on-for-longer-than-there-is-room-for";

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct announce_config c = { .version = versions[k], .body_octets = ROOM,
			.applications = true };
		struct applications *a = applications_new(NULL);
		struct announcements told;
		uint8_t body[ANNOUNCE_NAMES_MAX];
		struct announcement names = { .body = body };
		unsigned next = 0, n = 0, messages = 0;
		char text[32];
		const char *line;

		memset(&r, 0, sizeof(r));
		r.version = versions[k];
		assert_int_equal(announce_build(&told, &c, NULL), 0);
		assert_int_equal(told.n, 1);
		body_read(&r, &told.list[0]);
		for (unsigned i = 0; i < 99; i++) {
			snprintf(text, sizeof(text), "class/%u", i);
			assert_true(applications_id(a, intern(text, strlen(text))) != 0);
		}
		assert_true(applications_id(a, intern(longest, strlen(longest))) != 0);
		for (; next < applications_count(a); messages++) {
			unsigned from = next;

			next = announce_applications(&names, c.version, 7, a, next, ROOM);
			assert_true(next > from);
			body_read(&r, &names);
		}
		assert_int_equal(r.records[515], 100);
		assert_int_equal(messages, versions[k] == ENCODE_V9 ? 17 : 15);
		line = r.names;
		for (; n < 99; n++) {
			const char *name;
			uint64_t id = applications_get(a, n, &name);
			char want[64];

			snprintf(want, sizeof(want), "%llx class/%u\n", (unsigned long long)id, n);
			assert_memory_equal(line, want, strlen(want));
			line += strlen(want);
		}
		line = strchr(line, ' ') + 1;
		assert_memory_equal(line, longest, 63);
		assert_int_equal(line[63], '\n');
		announce_free(&told);
		applications_free(a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_is_told),
		cmocka_unit_test(test_many_interfaces),
		cmocka_unit_test(test_v5_tells_nothing),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("announce", tests, NULL, NULL);
}
