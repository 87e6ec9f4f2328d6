/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/intern.h"
#include "rules/geoip.h"
#include "tests/lib/scratch.h"
#include "tests/rules/mmdb.h"

#ifdef WITH_GEOIP
static void
city_put(struct mmdb_record *r, const char *country, const char *pocode, double lat,
    double lon)
{
	r->len = 0;
	mmdb_map(r, 3);
	mmdb_text(r, "country");
	mmdb_map(r, 1);
	mmdb_text(r, "iso_code");
	mmdb_text(r, country);
	mmdb_text(r, "postal");
	mmdb_map(r, 1);
	mmdb_text(r, "code");
	mmdb_text(r, pocode);
	mmdb_text(r, "location");
	mmdb_map(r, 2);
	mmdb_text(r, "latitude");
	mmdb_double(r, lat);
	mmdb_text(r, "longitude");
	mmdb_double(r, lon);
}

static void
as_put(struct mmdb_record *r, uint32_t as, const char *name, bool traits)
{
	r->len = 0;
	if (traits) {
		mmdb_map(r, 1);
		mmdb_text(r, "traits");
	}
	mmdb_map(r, 2);
	mmdb_text(r, "autonomous_system_number");
	mmdb_number(r, 6, 4, as);
	mmdb_text(r, "autonomous_system_organization");
	mmdb_text(r, name);
}

static struct geoip *
load(void)
{
	struct err e = ERR_INIT;
	struct geoip *g = geoip_load("geoipv2_file", scratch_path, &e);

	if (g == NULL)
		fail_msg("%s", e.text);
	return g;
}

static ip16_t
address(const char *text)
{
	ip16_t a;

	assert_int_equal(ip_parse(text, &a), 0);
	return a;
}

/* A database with cities, AS, and records that are not what they should be. */
static void
sample_write(void)
{
	static struct mmdb_record de, fr, odd, as, traits, text;
	const struct mmdb_network networks[] = {
		{ "192.0.2.0/24", de.octets, 0 }, { "192.0.2.128/25", fr.octets, 0 },
		{ "198.51.100.0/24", odd.octets, 0 }, { "203.0.113.0/24", as.octets, 0 },
		{ "2001:db8::/32", traits.octets, 0 }, { "2001:db8:1::/48", text.octets, 0 },
	};
	struct mmdb_record *records[] = { &de, &fr, &odd, &as, &traits, &text };
	struct mmdb_network sized[6];

	city_put(&de, "DE", "10115", 52.5142, 13.4);
	city_put(&fr, "FR", "", -48.1234567, -0.0000005);
	city_put(&odd, "a country that is longer than two letters", "1\n2", 181.0, 0.0 / 0.0);
	as_put(&as, 4200000000, "Net", false);
	as_put(&traits, 64500, "Six", true);
	text.len = 0;
	mmdb_text(&text, "no map at all");
	for (size_t i = 0; i < 6; i++) {
		sized[i] = networks[i];
		sized[i].len = records[i]->len;
	}
	mmdb_write(scratch_path, sized, 6);
}

static const struct {
	const char *says, *addr, *country, *pocode;
	int32_t lat, lon;
	uint32_t as;
	const char *as_name;
} finds[] = {
	{ "a city", "192.0.2.1", "DE", "10115", 52514200, 13400000, 0, "" },
	{ "one nested in it", "192.0.2.200", "FR", "", -48123457, -1, 0, "" },
	{ "what is no coordinate is not known; text is taken clean", "198.51.100.1",
	    "a country that is longer than two letters", "1?2", 0, 0, 0, "" },
	{ "an AS of 32 bits", "203.0.113.9", "", "", 0, 0, 4200000000, "Net" },
	{ "an AS among traits", "2001:db8::1", "", "", 0, 0, 64500, "Six" },
	{ "a record that is no map", "2001:db8:1::1", "", "", 0, 0, 0, "" },
	{ "an address that nothing holds", "10.0.0.1", "", "", 0, 0, 0, "" },
	{ "no address", "::", "", "", 0, 0, 0, "" },
};

static void
test_find(void **state)
{
	struct geoip *g;

	(void)state;
	sample_write();
	g = load();
	/* From the database, from memory, and by another worker. */
	for (unsigned turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
			ip16_t a = address(finds[i].addr);
			struct geoip_place p = geoip_find(g, turn == 2 ? 255 : 0, &a);

			if (strcmp(intern_text(p.country), finds[i].country) != 0 ||
			    strcmp(intern_text(p.pocode), finds[i].pocode) != 0 ||
			    (int32_t)p.lat != finds[i].lat || (int32_t)p.lon != finds[i].lon ||
			    p.as != finds[i].as ||
			    strcmp(intern_text(p.as_name), finds[i].as_name) != 0)
				fail_msg("%s: %s, %s, %d, %d, AS %u %s, turn %u", finds[i].says,
				    intern_text(p.country), intern_text(p.pocode),
				    (int32_t)p.lat, (int32_t)p.lon, p.as, intern_text(p.as_name),
				    turn);
		}
	geoip_free(g);
}

/* More addresses than are remembered: each is found right, again and again. */
static void
test_many_addresses(void **state)
{
	struct geoip *g;
	uint32_t de = intern("DE", 2), fr = intern("FR", 2);

	(void)state;
	sample_write();
	g = load();
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < 65536; i++) {
			ip16_t a = address(i % 2 == 0 ? "192.0.2.0" : "192.0.3.0"), v6 = a;

			a.b[15] = (uint8_t)(i / 2);
			v6.b[2] = (uint8_t)(i >> 8);
			v6.b[3] = (uint8_t)i;
			v6.b[10] = 0;
			assert_int_equal(geoip_find(g, 1, &a).country,
			    i % 2 != 0 ? 0 : a.b[15] < 128 ? de : fr);
			assert_int_equal(geoip_find(g, 1, &v6).country, 0);
		}
	geoip_free(g);
}

/* The database is a copy: what becomes of the file does not matter. */
static void
test_file_overwritten(void **state)
{
	ip16_t a = address("192.0.2.1");
	struct geoip *g;

	(void)state;
	sample_write();
	g = load();
	assert_int_equal(truncate(scratch_path, 0), 0);
	assert_string_equal(intern_text(geoip_find(g, 0, &a).country), "DE");
	geoip_free(g);
}

static void
test_bad_files(void **state)
{
	struct err e = ERR_INIT;
	FILE *f;
	long size;

	(void)state;
	assert_null(geoip_load("geoipv2_file", "/nonexistent/x.mmdb", &e));
	assert_int_equal(e.code, WEIR_EIO);
	assert_null(geoip_load("geoipv2_file", "/tmp", &e));
	assert_non_null(strstr(e.text, "geoipv2_file /tmp"));
	/* Cut short everywhere: refused, or read without harm. */
	sample_write();
	assert_non_null(f = fopen(scratch_path, "r"));
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	fclose(f);
	for (long len = size - 1; len >= 0; len -= 37) {
		struct geoip *g;

		assert_int_equal(truncate(scratch_path, len), 0);
		g = geoip_load("geoipv2_file", scratch_path, &e);
		for (size_t i = 0; g != NULL && i < sizeof(finds) / sizeof(finds[0]); i++) {
			ip16_t a = address(finds[i].addr);

			(void)geoip_find(g, 0, &a);
		}
		if (g == NULL && strstr(e.text, ".mmdb") == NULL)
			fail_msg("%s", e.text);
		geoip_free(g);
	}
}

static void
test_apply(void **state)
{
	struct geoip_wants w = { .place = { true, false }, .as_name = { false, true },
		.as = { false, true } };
	struct flow f = { .dst_as = 7, .src_as = 8 };
	struct batch b = { .flows = &f, .n = 1, .worker = 3 };
	struct geoip *g;

	(void)state;
	sample_write();
	g = load();
	f.src_host = f.dst_host = address("203.0.113.9");
	f.dst_country = 9;
	geoip_apply(g, g, &w, &b);
	assert_int_equal(f.dst_as, 4200000000);
	assert_int_equal(f.src_as, 8); /* not asked for, like the next */
	assert_int_equal(f.dst_country, 9);
	assert_string_equal(intern_text(f.dst_as_name), "Net");
	f.src_host = address("192.0.2.1");
	geoip_apply(g, NULL, &w, &b);
	assert_string_equal(intern_text(f.src_country), "DE");
	assert_int_equal(f.src_lat, 52514200);
	assert_int_equal(f.dst_as, 0); /* nobody tells */
	geoip_free(g);
}
#else
static void
test_without_library(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_null(geoip_load("geoipv2_file", scratch_path, &e));
	assert_int_equal(e.code, WEIR_EUNSUPPORTED);
	assert_non_null(strstr(e.text, "without libmaxminddb"));
}
#endif

static void
test_wants(void **state)
{
	static const struct {
		const char *needed, *reads;
		bool as, place[2], name[2];
	} sets[] = {
		{ "src_host,dst_as", NULL, false, { false, false }, { false, false } },
		{ "dst_as", "dst_host", true, { false, false }, { false, false } },
		{ "src_host_country", "src_host", false, { true, false }, { false, false } },
		{ "dst_host_pocode", "dst_host", false, { false, true }, { false, false } },
		{ "src_host_coords", "src_host", false, { true, false }, { false, false } },
		{ "src_as_name,dst_as_name", "src_host,dst_host", false, { false, false },
		    { true, true } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct field_set needed, want = { { 0 } }, got = { { 0 } };
		struct geoip_wants w;

		assert_int_equal(field_set_parse(sets[i].needed, &needed, NULL), 0);
		if (sets[i].reads != NULL)
			assert_int_equal(field_set_parse(sets[i].reads, &want, NULL), 0);
		geoip_wants_init(&w, &needed);
		geoip_reads(&needed, sets[i].as, &got);
		if (memcmp(&got, &want, sizeof(got)) != 0 ||
		    memcmp(w.place, sets[i].place, sizeof(w.place)) != 0 ||
		    memcmp(w.as_name, sets[i].name, sizeof(w.as_name)) != 0)
			fail_msg("%s", sets[i].needed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef WITH_GEOIP
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_many_addresses),
		cmocka_unit_test(test_file_overwritten),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_apply),
#else
		cmocka_unit_test(test_without_library),
#endif
		cmocka_unit_test(test_wants),
	};

	return cmocka_run_group_tests_name("geoip", tests, scratch_make, scratch_remove);
}
