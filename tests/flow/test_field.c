/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/field.h"
#include "flow/flow.h"
#include "lib/err.h"

#include "tests/flow/customs.h"

/* What each kind of value may be stored in. */
static const struct {
	enum field_value value;
	uint8_t octets[4];
} widths[] = {
	{ FIELD_IP, { sizeof(ip16_t) } },
	{ FIELD_MAC, { sizeof(mac_t) } },
	{ FIELD_UINT, { 1, 2, 4, 8 } },
	{ FIELD_HEX, { 1, 2, 4, 8 } },
	{ FIELD_FLAGS, { 2 } },
	{ FIELD_PROTO, { 1 } },
	{ FIELD_STR, { 4 } },
	{ FIELD_TIME, { 8 } },
	{ FIELD_LIST, { 4 } },
	{ FIELD_LABELS, { 4 } },
	{ FIELD_RD, { 8 } },
	{ FIELD_DIRECTION, { 1 } },
	{ FIELD_STATUS, { 1 } },
	{ FIELD_DEGREES, { 4 } },
	{ FIELD_SAMPLE, { 4 } },
	{ FIELD_CUSTOM, { sizeof(custom_t) } },
};

/* How each member is aligned, in the order of the rows. */
static const size_t alignments[FIELD_COUNT] = {
#define FIELD(id, NAME, member, ctype, ...) _Alignof(ctype),
#include "flow/fields.def"
#undef FIELD
};

static bool
words_are_clean(const char *s, const char *more)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr(more, *s) == NULL)
			return false;
	return true;
}

static void
test_rows_are_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *f = &fields[i];
		size_t doc = strlen(f->doc);
		bool width = false;

		if (!words_are_clean(f->member, "_") ||
		    !words_are_clean(f->config, "_") ||
		    !words_are_clean(f->json, "_") || !words_are_clean(f->title, "_") ||
		    !words_are_clean(f->sql, "_") ||
		    !words_are_clean(f->sql_type, "(),"))
			fail_msg("%s: a name is missing or odd", f->member);
		if (*f->mib != '\0' &&
		    (!words_are_clean(f->mib, "") || !isupper(*f->mib)))
			fail_msg("%s: '%s' cannot end the name of a column", f->member,
			    f->mib);
		for (const char *c = f->config; *c != '\0'; c++)
			if (isupper((unsigned char)*c))
				fail_msg("%s: a letter is not lower case", f->config);
		if (doc < 5 || f->doc[doc - 1] != '.' ||
		    islower((unsigned char)*f->doc))
			fail_msg("%s: '%s' is no sentence", f->member, f->doc);
		for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++)
			for (size_t k = 0; k < 4 && widths[w].value == f->value; k++)
				width |= widths[w].octets[k] == f->octets;
		if (!width)
			fail_msg("%s: %u octets are no width of its kind", f->member,
			    f->octets);
		if (f->merge != FIELD_KEY && f->value != FIELD_UINT &&
		    f->value != FIELD_FLAGS && f->value != FIELD_TIME)
			fail_msg("%s: only numbers can be merged", f->member);
	}
}

static void
test_names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		for (size_t j = 0; j < i; j++) {
			const struct field *f = &fields[i], *g = &fields[j];

			if (f->id == g->id)
				fail_msg("%s and %s have one id", f->member, g->member);
			if (strcmp(f->config, g->config) == 0 ||
			    strcmp(f->json, g->json) == 0 ||
			    strcmp(f->title, g->title) == 0 ||
			    strcmp(f->sql, g->sql) == 0 ||
			    (*f->mib != '\0' && strcmp(f->mib, g->mib) == 0))
				fail_msg(
				    "%s and %s share a name", f->member, g->member);
			if (f->ie != 0 && f->ie == g->ie)
				fail_msg("%s and %s are exported as one element",
				    f->member, g->member);
		}
}

/* Ids go into hashes that outlive the program: these may never change. */
static void
test_ids_are_frozen(void **state)
{
	static const struct {
		enum field_no no;
		uint16_t id;
	} frozen[] = { { F_TAG, 10 }, { F_LABEL, 30 }, { F_SRC_MAC, 50 },
		{ F_VLAN, 70 }, { F_SRC_AS, 120 }, { F_IN_IFACE, 180 },
		{ F_SRC_HOST, 240 }, { F_DST_HOST, 250 }, { F_SRC_PORT, 300 },
		{ F_DST_PORT, 310 }, { F_TCPFLAGS, 360 }, { F_PROTO, 370 },
		{ F_TIMESTAMP_START, 600 }, { F_TIMESTAMP_SECOND, 638 },
		{ F_FLOWS, 920 }, { F_PACKETS, 930 }, { F_BYTES, 940 },
		{ F_IN_VLAN, 72 }, { F_PEER_SRC_AS, 140 }, { F_IN_IFACE_NAME, 200 },
		{ F_MPLS_VPN_RD, 212 }, { F_VRF_NAME, 216 }, { F_ICMP_TYPE, 314 },
		{ F_TTL, 385 }, { F_FLOW_LABEL, 390 }, { F_SAMPLING_DIRECTION, 410 },
		{ F_POST_NAT_SRC_HOST, 420 }, { F_FWD_STATUS, 480 },
		{ F_MPLS_LABEL_STACK, 510 }, { F_TUNNEL_SRC_HOST, 536 },
		{ F_VXLAN, 560 }, { F_EXPORT_PROTO_SEQNO, 640 },
		{ F_PATH_DELAY_AVG_USEC, 670 }, { F_CUSTOM_1, 701 },
		{ F_EXPORTER_IP, 162 }, { F_ENGINE_TYPE, 661 }, { F_ENGINE_ID, 662 },
		{ F_FLOWSET_ID, 663 }, { F_SAMPLE_TYPE, 664 }, { F_IS_BI_FLOW, 665 },
		{ F_IS_NEL, 666 }, { F_IS_NSEL, 667 },
		{ F_CUSTOM_16, 716 } };

	(void)state;
	for (size_t i = 0; i < sizeof(frozen) / sizeof(frozen[0]); i++)
		if (fields[frozen[i].no].id != frozen[i].id)
			fail_msg("%s has another id", fields[frozen[i].no].member);
}

/* The rows' order is the members': then a key made of neighbours is one copy. */
static void
test_members_have_no_holes(void **state)
{
	size_t end = sizeof(uint64_t); /* the stamp */

	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		size_t want = (end + alignments[i] - 1) & ~(alignments[i] - 1);

		if (fields[i].offset != want)
			fail_msg("%s lies at %u, not %zu", fields[i].member,
			    fields[i].offset, want);
		end = want + fields[i].octets;
	}
	assert_int_equal(offsetof(struct flow, stamp), 0);
	assert_true(offsetof(struct flow, spill) == ((end + 7) & ~(size_t)7));
	/* The 5-tuple is copied in one run. */
	assert_int_equal(fields[F_PROTO].offset, fields[F_SRC_HOST].offset + 36);
	/* It and what every record has lie in two cache lines at most. */
	assert_true(FLOW_ALWAYS_OCTETS <= 128);
}

static void
test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *f = &fields[i];
		size_t len = strlen(f->config);
		char upper[64], longer[64];

		assert_ptr_equal(field_find(f->config, len), f);
		assert_int_equal(field_no(f), i);
		for (size_t k = 0; k <= len; k++)
			upper[k] = (char)toupper((unsigned char)f->config[k]);
		assert_ptr_equal(field_find(upper, len), f);
		memcpy(longer, f->config, len);
		longer[len] = 'x';
		assert_ptr_equal(field_find(longer, len), f);
		assert_null(field_find(longer, len + 1));
		assert_true(field_find(f->config, len - 1) != f);
	}
	assert_null(field_find("", 0));
}

static const struct {
	const char *says, *list;
	int want;
	enum field_no fields[4]; /* ended by FIELD_COUNT */
	const char *error; /* part of it */
} lists[] = {
	{ "one name", "src_host", 0, { F_SRC_HOST, FIELD_COUNT }, NULL },
	{ "several names", "src_host,dst_port,proto", 0,
	    { F_SRC_HOST, F_DST_PORT, F_PROTO, FIELD_COUNT }, NULL },
	{ "blanks do not count", " src_host ,\tdst _port ", 0,
	    { F_SRC_HOST, F_DST_PORT, FIELD_COUNT }, NULL },
	{ "neither does the case of letters", "SRC_Host", 0,
	    { F_SRC_HOST, FIELD_COUNT }, NULL },
	{ "counters may be named", "flows,packets,bytes", 0,
	    { F_FLOWS, F_PACKETS, F_BYTES, FIELD_COUNT }, NULL },
	{ "none is the grand total", "none", 0, { FIELD_COUNT }, NULL },
	{ "None, too", " None ", 0, { FIELD_COUNT }, NULL },
	{ "none stands alone", "none,src_host", -WEIR_EINVAL, { FIELD_COUNT },
	    "'none'" },
	{ "none stands alone, also after others", "src_host,none", -WEIR_EINVAL,
	    { FIELD_COUNT }, "'none'" },
	{ "none stands once", "none,none", -WEIR_EINVAL, { FIELD_COUNT }, "'none'" },
	{ "a name stands once", "src_host,dst_host,src_host", -WEIR_EINVAL,
	    { FIELD_COUNT }, "'src_host' stands twice" },
	{ "an unknown name, and what is near", "src_hots", -WEIR_EINVAL,
	    { FIELD_COUNT }, "did you mean 'src_host'" },
	{ "an unknown name that nothing is near", "wxyz", -WEIR_EINVAL, { FIELD_COUNT },
	    "unknown primitive 'wxyz'" },
	{ "no name at all", "", -WEIR_EINVAL, { FIELD_COUNT }, "empty name" },
	{ "nothing but blanks", " ", -WEIR_EINVAL, { FIELD_COUNT }, "empty name" },
	{ "a comma at the end", "src_host,", -WEIR_EINVAL, { FIELD_COUNT },
	    "empty name" },
	{ "two commas", "src_host,,proto", -WEIR_EINVAL, { FIELD_COUNT },
	    "empty name" },
	{ "an endless name",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaa",
	    -WEIR_EINVAL, { FIELD_COUNT }, "that long" },
};

static void
test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct field_set got, want = { { 0 } };
		struct err e = ERR_INIT;
		int rc = field_set_parse(lists[i].list, &got, &e);

		if (rc != lists[i].want)
			fail_msg("%s: %d %s", lists[i].says, rc, e.text);
		if (lists[i].error != NULL && strstr(e.text, lists[i].error) == NULL)
			fail_msg("%s: the error is '%s'", lists[i].says, e.text);
		for (size_t k = 0; lists[i].fields[k] != FIELD_COUNT; k++)
			field_set_add(&want, lists[i].fields[k]);
		if (rc == 0 && memcmp(&got, &want, sizeof(got)) != 0)
			fail_msg("%s: another set", lists[i].says);
	}
}

/* All names at once parse, and each is then in the set. */
static void
test_all_names(void **state)
{
	char list[FIELD_COUNT * 64] = "";
	struct field_set set, other = { { 0 } };
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (i > 0)
			strcat(list, ",");
		strcat(list, fields[i].config);
	}
	assert_int_equal(field_set_parse(list, &set, &e), 0);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		assert_true(field_set_has(&set, (enum field_no)i));
		assert_false(field_set_has(&other, (enum field_no)i));
	}
	field_set_join(&other, &set);
	assert_memory_equal(&other, &set, sizeof(set));
}

static void
test_numbers(void **state)
{
	static const unsigned octets[] = { 1, 2, 4, 8 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		uint64_t all =
		    octets[i] == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * octets[i]) - 1;
		uint8_t room[17]; /* and at an odd address */

		memset(room, 0xa5, sizeof(room));
		field_uint_set(room + 1, octets[i], UINT64_C(0x1122334455667788));
		assert_true(field_uint(room + 1, octets[i]) ==
			    (UINT64_C(0x1122334455667788) & all));
		assert_int_equal(room[0], 0xa5);
		assert_int_equal(room[1 + octets[i]], 0xa5);
	}
}

/* A slot of custom primitives that nobody defined has no name. */
static void
test_undefined(void **state)
{
	struct field_set set;
	struct err e = ERR_INIT;

	(void)state;
	custom_clear();
	assert_null(field_find("custom_1", 8));
	assert_int_equal(field_set_parse("custom_1", &set, &e), -WEIR_EINVAL);
	assert_null(strstr(e.text, "did you mean"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_complete),
		cmocka_unit_test(test_names_are_unique),
		cmocka_unit_test(test_ids_are_frozen),
		cmocka_unit_test(test_members_have_no_holes),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_all_names),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_undefined),
	};

	customs_define_all();
	return cmocka_run_group_tests_name("field", tests, NULL, NULL);
}
