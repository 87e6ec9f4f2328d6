/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

#include "tests/proto/hex.h"
#include "tests/proto/template_rig.h"

const struct template_clock rig_clock = { EXPORT_S * CLOCK_S, UPTIME_MS };

struct field_set
rig_all_fields(void)
{
	struct field_set s = { { 0 } };

	for (unsigned i = 0; i < FIELD_COUNT; i++)
		field_set_add(&s, (enum field_no)i);
	return s;
}

struct template *
rig_template(enum template_kind kind, const char *octets, const struct field_set *needed)
{
	uint8_t buf[512];
	struct rbuf r = rbuf_of(buf, hex_octets(octets, buf, sizeof(buf)));
	struct template_def d;
	struct template *t;

	assert_int_equal(template_next(&r, kind, &d), 0);
	t = template_new(&d, needed);
	assert_non_null(t);
	assert_true(template_same(t, &d));
	return t;
}

void
rig_definition(char *out, size_t room, enum template_kind kind, const char *specs)
{
	size_t n = 0;

	/*
	 * "iiiillll" is a field; with the enterprise bit eight more digits belong to
	 * it.
	 */
	for (const char *p = specs; *p != '\0'; n++) {
		p += 8 + (kind >= TEMPLATE_IPFIX && *p >= '8' ? 9 : 0);
		while (*p == ' ')
			p++;
	}
	assert_true((size_t)snprintf(out, room, "0100 %04zx %s", n, specs) < room);
}

void
rig_check_many(const char *says, enum template_kind kind, const char *definition,
    const char *record)
{
	struct field_set all = rig_all_fields();
	char text[256];
	uint8_t octets[3 * 128];
	size_t len = hex_octets(record, octets, 128), whole = 3 * len;
	struct flow once[3], many[4];
	struct template *t;
	struct rbuf r;

	rig_definition(text, sizeof(text), kind, definition);
	t = rig_template(kind, text, &all);
	memcpy(octets + len, octets, len);
	memcpy(octets + 2 * len, octets, len);
	for (size_t i = 0; i < len && !t->variable; i++)
		octets[len + i] ^= 1;
	for (size_t have = 0; have <= whole; have++) {
		unsigned n = 0, got;

		memset(once, 0, sizeof(once));
		memset(many, 0, sizeof(many));
		r = rbuf_of(octets, have);
		while (n < 3 && rbuf_left(&r) >= t->min_octets &&
		       template_decode(t, &r, &rig_clock, &once[n]) == 0)
			n++;
		r = rbuf_of(octets, have);
		got = template_decode_many(t, &r, &rig_clock, many, 4);
		if (got != n || n != have / len)
			fail_msg("%s: %u of %u records in %zu octets", says, got, n, have);
		if (rbuf_ok(&r) && rbuf_left(&r) != have % len)
			fail_msg("%s: %zu octets left", says, rbuf_left(&r));
		if (memcmp(many, once, n * sizeof(once[0])) != 0)
			fail_msg("%s: another flow", says);
	}
	r = rbuf_of(octets, whole);
	assert_int_equal(template_decode_many(t, &r, &rig_clock, many, 2), 2);
	assert_int_equal(rbuf_left(&r), len);
	template_free(t);
}
