/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ie.h"

/* What values each conversion can give: bits of enum field_value. */
#define GIVES(value) (1U << FIELD_##value)
static const unsigned gives[IE_CONVERTS] = {
	[IE_UINT] = GIVES(UINT) | GIVES(HEX) | GIVES(PROTO) | GIVES(STATUS),
	[IE_LOW8] = GIVES(FLAGS) | GIVES(UINT),
	[IE_IP4] = GIVES(IP),
	[IE_IP6] = GIVES(IP),
	[IE_MAC] = GIVES(MAC),
	[IE_UPTIME] = GIVES(TIME),
	[IE_S] = GIVES(TIME),
	[IE_MS] = GIVES(TIME),
	[IE_NTP] = GIVES(TIME),
	[IE_DELTA_US] = GIVES(TIME),
	[IE_HIGH8] = GIVES(UINT),
	[IE_DSCP] = GIVES(UINT),
	[IE_DIRECTION] = GIVES(DIRECTION),
	[IE_STR] = GIVES(STR),
	[IE_RD] = GIVES(RD),
	[IE_LABEL] = GIVES(UINT),
	[IE_BOTTOM] = GIVES(UINT),
	[IE_PUSH] = GIVES(LABELS),
	[IE_VXLAN] = GIVES(UINT),
	[IE_NVGRE] = GIVES(UINT),
	[IE_SEGMENTS] = GIVES(LIST),
	[IE_IP6_LIST] = GIVES(LIST),
};

/* These store four octets, whatever the member has. */
static bool
stores_four(enum ie_convert convert)
{
	return convert == IE_LABEL || convert == IE_BOTTOM || convert == IE_VXLAN ||
	       convert == IE_NVGRE;
}

static void
test_rows_fit_their_primitives(void **state)
{
	(void)state;
	for (size_t i = 0; i < IE_ROWS; i++)
		if ((gives[ies[i].convert] & 1U << fields[ies[i].field].value) == 0 ||
		    (stores_four(ies[i].convert) && fields[ies[i].field].octets != 4))
			fail_msg("%s cannot become %s", ies[i].name,
			    fields[ies[i].field].config);
}

static void
test_rows_do_not_repeat(void **state)
{
	(void)state;
	for (size_t i = 0; i < IE_ROWS; i++)
		for (size_t k = 0; k < i; k++)
			if (ies[i].enterprise == ies[k].enterprise &&
			    ies[i].id == ies[k].id &&
			    (ies[i].field == ies[k].field ||
				strcmp(ies[i].name, ies[k].name) != 0))
				fail_msg("%s stands twice", ies[i].name);
}

/* Ranks of one primitive go 0, 1, 2 in the order of rows. */
static void
test_ranks_have_no_gaps(void **state)
{
	int last[FIELD_COUNT];

	(void)state;
	memset(last, -1, sizeof(last));
	for (size_t i = 0; i < IE_ROWS; i++) {
		int *at = &last[ies[i].field];

		if (ies[i].rank != *at && ies[i].rank != *at + 1)
			fail_msg(
			    "%s has rank %u after %d", ies[i].name, ies[i].rank, *at);
		*at = ies[i].rank;
	}
}

/*
 * What no element tells: our own words, who and when it came from, and names that the
 * options of exporters give to numbers.
 */
static bool
is_ours(enum field_no f)
{
	static const enum field_no ours[] = { F_TIMESTAMP_ARRIVAL,
		F_TIMESTAMP_EXPORT, F_OUT_IFACE_NAME,
		F_INGRESS_VRF_NAME, F_EGRESS_VRF_NAME, F_EXPORT_PROTO_SEQNO,
		F_EXPORT_PROTO_VERSION, F_EXPORT_PROTO_SYSID, F_TIMESTAMP_MIN,
		F_TIMESTAMP_MAX, F_TIMESTAMP_SECOND, F_EXPORTER_IP,
		F_ENGINE_TYPE, F_ENGINE_ID, F_FLOWSET_ID, F_SAMPLE_TYPE, F_IS_BI_FLOW,
		F_IS_NEL, F_IS_NSEL, F_SRC_COUNTRY, F_DST_COUNTRY, F_SRC_POCODE,
		F_DST_POCODE, F_SRC_LAT, F_DST_LAT, F_SRC_LON, F_DST_LON, F_SRC_AS_NAME,
		F_DST_AS_NAME };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (ours[i] == f)
			return true;
	return fields[f].value == FIELD_CUSTOM; /* aggregate_primitives tells */
}

static void
test_every_primitive_has_an_element(void **state)
{
	bool seen[FIELD_COUNT] = { false }, exported[FIELD_COUNT] = { false };

	(void)state;
	for (size_t i = 0; i < IE_ROWS; i++) {
		seen[ies[i].field] = true;
		exported[ies[i].field] |=
		    ies[i].enterprise == 0 && ies[i].id == fields[ies[i].field].ie;
	}
	for (size_t f = 0; f < FIELD_COUNT; f++) {
		if (seen[f] == is_ours((enum field_no)f))
			fail_msg("%s: %s", fields[f].config,
			    seen[f] ? "is ours" : "no element");
		if (seen[f] && fields[f].ie != 0 && !exported[f])
			fail_msg("%s: its element for export, %u, is not read back",
			    fields[f].config, fields[f].ie);
	}
}

static const struct {
	const char *says;
	enum ie_convert convert;
	unsigned octets;
	bool fits;
} fits[] = {
	{ "a number of no octets is none", IE_UINT, 0, false },
	{ "a number of one octet", IE_UINT, 1, true },
	{ "a number of three octets", IE_UINT, 3, true },
	{ "a number longer than any of ours", IE_UINT, 16, true },
	{ "flags of two octets", IE_LOW8, 2, true },
	{ "flags of none", IE_LOW8, 0, false },
	{ "an IPv4 address", IE_IP4, 4, true },
	{ "an IPv4 address of three octets is none", IE_IP4, 3, false },
	{ "an IPv4 address of sixteen is none", IE_IP4, 16, false },
	{ "an IPv6 address", IE_IP6, 16, true },
	{ "an IPv6 address cut to its prefix is none", IE_IP6, 8, false },
	{ "a MAC address", IE_MAC, 6, true },
	{ "a MAC address of eight is none", IE_MAC, 8, false },
	{ "seconds of four octets", IE_S, 4, true },
	{ "seconds of nine octets are none", IE_S, 9, false },
	{ "type and code of ICMP", IE_HIGH8, 2, true },
	{ "a code without its type", IE_HIGH8, 1, false },
	{ "a text of one octet", IE_STR, 1, true },
	{ "an empty text is none", IE_STR, 0, false },
	{ "a route distinguisher", IE_RD, 8, true },
	{ "half a route distinguisher", IE_RD, 4, false },
	{ "a label", IE_LABEL, 3, true },
	{ "a label of four octets is none", IE_LABEL, 4, false },
	{ "a segment of an overlay", IE_VXLAN, 8, true },
	{ "a segment without its kind", IE_VXLAN, 4, false },
	{ "half an IPv6 segment", IE_SEGMENTS, 8, false },
	{ "a list of one address", IE_IP6_LIST, 21, true },
	{ "a list of nothing", IE_IP6_LIST, 5, false },
	{ "NTP time", IE_NTP, 8, true },
	{ "NTP time without its fraction is none", IE_NTP, 4, false },
};

static void
test_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++)
		if (ie_fits(fits[i].convert, fits[i].octets) != fits[i].fits)
			fail_msg("%s", fits[i].says);
}

static void
test_find(void **state)
{
	(void)state;
	assert_string_equal(ie_find(0, 1)->name, "octetDeltaCount");
	assert_string_equal(ie_find(43874, 1)->name, "tag");
	assert_null(ie_find(0, 32767));
	assert_null(ie_find(1, 1));
}

/* What is known beside the rows, and what is not. */
static void
test_is_known(void **state)
{
	static const struct {
		uint32_t enterprise;
		uint16_t id;
		bool known;
	} cases[] = {
		{ 0, 1, true },      /* a row */
		{ 29305, 1, true },  /* its reverse */
		{ 0, 61, true },     /* says how others are read */
		{ 0, 210, true },    /* padding */
		{ 0, 315, true },    /* a packet's start */
		{ 9, 315, false },   /* of another enterprise */
		{ 0, 57590, false },
		{ 29305, 57590, false },
		{ 35632, 110, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (ie_is_known(cases[i].enterprise, cases[i].id) != cases[i].known)
			fail_msg("%u:%u", cases[i].enterprise, cases[i].id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_fit_their_primitives),
		cmocka_unit_test(test_rows_do_not_repeat),
		cmocka_unit_test(test_ranks_have_no_gaps),
		cmocka_unit_test(test_every_primitive_has_an_element),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
