/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/ip.h"
#include "lib/mapfile.h"
#include "tests/lib/scratch.h"

/* A map with a key of each kind. */
struct sample {
	uint32_t id, in;
	uint64_t tag;
	struct prefix from;
	ip16_t nexthop;
	const char *filter;
	uint16_t port;
	uint8_t ttl, local;
	mac_t mac;
};

enum { ROW_ID, ROW_IN, ROW_TAG, ROW_FROM, ROW_NEXTHOP, ROW_FILTER, ROW_PORT, ROW_TTL,
	ROW_LOCAL, ROW_MAC };

#define AT(member) .offset = offsetof(struct sample, member)
static const struct mapfile_key keys[] = {
	[ROW_ID] = { "id", mapfile_u32, AT(id), .min = 1, .max = 1000 },
	[ROW_IN] = { "in", mapfile_u32, AT(in), .negates = true },
	[ROW_TAG] = { "set_tag", mapfile_u64, AT(tag) },
	[ROW_FROM] = { "from", mapfile_prefix, AT(from) },
	[ROW_NEXTHOP] = { "nexthop", mapfile_ip, AT(nexthop) },
	[ROW_FILTER] = { "filter", mapfile_text, AT(filter) },
	[ROW_PORT] = { "port", mapfile_uint, AT(port), .octets = 2 },
	[ROW_TTL] = { "ttl", mapfile_uint, AT(ttl), .octets = 1, .max = 64 },
	[ROW_LOCAL] = { "local", mapfile_bool, AT(local) },
	[ROW_MAC] = { "mac", mapfile_mac, AT(mac) },
	{ "expression", .alias_of = "filter" },
	{ .name = NULL },
};

/* What a file became: each rule as a line of text. */
struct taken {
	char text[4096];
	char last[128]; /* as it was written */
	size_t n;
	int fail_at; /* give up at this rule, 0: never */
};

static int
rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	struct taken *t = arg;
	const struct sample *s = values;
	char from[IP_STRLEN], nexthop[IP_STRLEN];

	ip_format(&s->from.addr, from);
	ip_format(&s->nexthop, nexthop);
	if (s->id == 666)
		problem_add(ps, PROBLEM_ERROR, &r->at, "666 cannot be meant");
	t->n +=
	    (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "%u:", r->at.line);
	if (mapfile_has(r, ROW_ID))
		t->n += (size_t)snprintf(
		    t->text + t->n, sizeof(t->text) - t->n, " id %u", s->id);
	if (mapfile_has(r, ROW_IN))
		t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n,
		    " in %s%u", r->negated >> ROW_IN & 1 ? "not " : "", s->in);
	if (mapfile_has(r, ROW_TAG))
		t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n,
		    " tag %llu", (unsigned long long)s->tag);
	if (mapfile_has(r, ROW_FROM))
		t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n,
		    " from %s+%u", from, s->from.len);
	if (mapfile_has(r, ROW_NEXTHOP))
		t->n += (size_t)snprintf(
		    t->text + t->n, sizeof(t->text) - t->n, " nexthop %s", nexthop);
	if (mapfile_has(r, ROW_FILTER))
		t->n += (size_t)snprintf(
		    t->text + t->n, sizeof(t->text) - t->n, " filter <%s>", s->filter);
	if (mapfile_has(r, ROW_PORT))
		t->n += (size_t)snprintf(
		    t->text + t->n, sizeof(t->text) - t->n, " port %u", s->port);
	if (mapfile_has(r, ROW_TTL))
		t->n += (size_t)snprintf(
		    t->text + t->n, sizeof(t->text) - t->n, " ttl %u", s->ttl);
	if (mapfile_has(r, ROW_LOCAL))
		t->n += (size_t)snprintf(
		    t->text + t->n, sizeof(t->text) - t->n, " local %u", s->local);
	if (mapfile_has(r, ROW_MAC))
		t->n += (size_t)snprintf(
		    t->text + t->n, sizeof(t->text) - t->n, " mac ..%02x", s->mac.b[5]);
	snprintf(t->last, sizeof(t->last), "%s", r->text);
	t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "\n");
	if (t->fail_at != 0 && --t->fail_at == 0)
		return err_set(e, WEIR_ENOMEM, "enough");
	return 0;
}

static const struct mapfile map = { "sample_map", keys, sizeof(struct sample),
	rule_take };

static int
map_read(
    const void *octets, size_t len, struct taken *t, struct problems *ps, struct err *e)
{
	scratch_put(octets, len);
	return mapfile_read(&map, scratch_path, t, ps, e);
}

static const struct {
	const char *says, *file, *rules;
	const char *problem; /* part of the only one; NULL: none */
} cases[] = {
	{ "an empty file has no rules", "", "", NULL },
	{ "comments and empty lines", "! id=1\n\n  # id=2\n\t\n", "", NULL },
	{ "a rule", "id=1000\n", "1: id 1000\n", NULL },
	{ "the last line needs no newline", "id=7", "1: id 7\n", NULL },
	{ "lines end in CR LF", "id=7\r\nid=8\r\n", "1: id 7\n2: id 8\n", NULL },
	{ "keys in any order, blanks between", "  in=3\t from=10.0.0.0/8   id=5 \n",
	    "1: id 5 in 3 from 10.0.0.0+104\n", NULL },
	{ "a rule knows its line", "!\n\nid=5\n", "3: id 5\n", NULL },
	{ "an absent key is not a zero", "in=0\n", "1: in 0\n", NULL },
	{ "negation", "in=-3\n", "1: in not 3\n", NULL },
	{ "an IPv6 prefix and address", "from=2001:db8::/32 nexthop=2001:db8::1\n",
	    "1: from 2001:db8::+32 nexthop 2001:db8::1\n", NULL },
	{ "a host", "from=192.0.2.1\n", "1: from 192.0.2.1+128\n", NULL },
	{ "64 bits", "set_tag=18446744073709551615\n", "1: tag 18446744073709551615\n",
	    NULL },
	{ "quotes hold blanks together", "filter='ip and tcp' id=1\n",
	    "1: id 1 filter <ip and tcp>\n", NULL },
	{ "quotes may stand around the whole word", "'filter=vlan 3' id=1\n",
	    "1: id 1 filter <vlan 3>\n", NULL },
	{ "only the first '=' divides", "filter='ip[6] = 3'\n",
	    "1: filter <ip[6] = 3>\n", NULL },
	{ "16 bits", "port=65535\n", "1: port 65535\n", NULL },
	{ "8 bits and a bound", "ttl=64\n", "1: ttl 64\n", NULL },
	{ "true", "local=true\n", "1: local 1\n", NULL },
	{ "false", "local=False\n", "1: local 0\n", NULL },
	{ "a MAC address", "mac=00:01:02:03:04:05\n", "1: mac ..05\n", NULL },
	{ "text in UTF-8", "filter=Zürich\n", "1: filter <Zürich>\n", NULL },
	{ "comments may be anything", "! Z\xfcrich\nid=7\n", "2: id 7\n", NULL },
	{ "an old name", "expression=ip\n", "1: filter <ip>\n", NULL },
	{ "a '!' later in the line is no comment", "filter=a!b\n", "1: filter <a!b>\n",
	    NULL },

	{ "an unknown key, and what is near", "id=1\nnxthop=10.0.0.1\nid=3\n",
	    "1: id 1\n3: id 3\n",
	    ":2: sample_map: unknown key 'nxthop'; did you mean 'nexthop'?" },
	{ "an unknown key with nothing near", "bgp=1\n", "",
	    ":1: sample_map: unknown key 'bgp'" },
	{ "no '='", "id\n", "", "'id' is no rule's word; write key=value" },
	{ "blanks around '='", "id = 5\n", "", "'id' is no rule's word" },
	{ "no value", "in=3 id=\n", "", "'id=' is no rule's word" },
	{ "empty quotes are no value", "filter=''\n", "",
	    "'filter=' is no rule's word" },
	{ "no key", "=5\n", "", "'=5' is no rule's word" },
	{ "a key twice", "id=5 id=6\n", "", "'id' stands twice" },
	{ "a key and its old name", "filter=a expression=b\n", "",
	    "'filter' stands twice" },
	{ "a number out of its range", "id=1001\n", "", "id: 1001 is out of range" },
	{ "zero below the least", "id=0\n", "", "id: 0 is out of range" },
	{ "33 bits in 32", "in=4294967296\n", "", "in: 4294967296 is out of range" },
	{ "a word for a number", "in=eth0\n", "",
	    "in: 'eth0' is not a decimal number" },
	{ "a key that is not negated", "id=-5\n", "", "id: '-5' is not a decimal" },
	{ "no prefix", "from=10.0.0.0/33\n", "", "from: '10.0.0.0/33' is neither" },
	{ "no address", "nexthop=10.0.0.0/8\n", "", "nexthop: '10.0.0.0/8' is not" },
	{ "an open quote", "id=1 filter='ip and tcp\nid=2\n", "2: id 2\n",
	    ":1: sample_map: a quote is not closed" },
	{ "17 bits in 16", "port=65536\n", "", "port: 65536 is out of range" },
	{ "beyond the bound", "ttl=65\n", "", "ttl: 65 is out of range" },
	{ "neither true nor false", "local=1\n", "", "local: " },
	{ "no MAC address", "mac=00:01:02:03:04\n", "", "mac: '00:01:02:03:04' is not" },
	{ "text that is no UTF-8", "id=1\nfilter=Z\xfcrich\nid=3\n", "1: id 1\n3: id 3\n",
	    ":2: sample_map: octets that are no UTF-8" },
	{ "what the map itself refuses", "id=666\n", "1: id 666\n", ":1: 666 cannot" },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct taken t = { .n = 0 };
		struct problems ps = { 0 };
		struct err e = ERR_INIT;
		size_t want = cases[i].problem != NULL;

		assert_int_equal(
		    map_read(cases[i].file, strlen(cases[i].file), &t, &ps, &e), 0);
		if (strcmp(t.text, cases[i].rules) != 0)
			fail_msg("%s: got\n%s", cases[i].says, t.text);
		if (ps.n != want || ps.n_errors != want)
			fail_msg("%s: %zu problems: %s", cases[i].says, ps.n,
			    ps.n > 0 ? ps.list[0].text : "");
		if (want && (strncmp(ps.list[0].text, scratch_path, strlen(scratch_path)) != 0 ||
				strstr(ps.list[0].text, cases[i].problem) == NULL))
			fail_msg("%s: %s", cases[i].says, ps.list[0].text);
		problems_free(&ps);
	}
}

/* A line as long as may be is a rule, one octet more is not, and the next is read. */
static void
test_long_lines(void **state)
{
	(void)state;
	for (size_t len = MAPFILE_LINE_MAX - 2; len <= MAPFILE_LINE_MAX; len++) {
		bool fits = len < MAPFILE_LINE_MAX;
		struct taken t = { .n = 0 };
		struct problems ps = { 0 };
		struct err e = ERR_INIT;
		char file[MAPFILE_LINE_MAX + 8];

		memset(file, ' ', len);
		memcpy(file, "id=4", 4);
		memcpy(file + len - 4, "in=5", 4);
		memcpy(file + len, "\nid=6\n", 6);
		assert_int_equal(map_read(file, len + 6, &t, &ps, &e), 0);
		assert_string_equal(
		    t.text, fits ? "1: id 4 in 5\n2: id 6\n" : "2: id 6\n");
		assert_int_equal(ps.n, fits ? 0 : 1);
		if (!fits)
			assert_non_null(strstr(
			    ps.list[0].text, ":1: sample_map: more than 16383 octets"));
		problems_free(&ps);
	}
}

static void
test_nul(void **state)
{
	static const char file[] = "id=1\0id=2\nid=3\nid=4\0";
	struct taken t = { .n = 0 };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(map_read(file, sizeof(file), &t, &ps, &e), 0);
	assert_string_equal(t.text, "2: id 3\n");
	assert_int_equal(ps.n_errors, 2);
	assert_non_null(strstr(ps.list[0].text, ":1: sample_map: a NUL octet"));
	assert_non_null(strstr(ps.list[1].text, ":3: sample_map: a NUL octet"));
	problems_free(&ps);
}

/* Whoever names the wrong file does not get a complaint for each of its lines. */
static void
test_many_faults(void **state)
{
	struct taken t = { .n = 0 };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;
	char file[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(file); i++)
		file[i] = i % 2 == 0 ? 'x' : '\n';
	assert_int_equal(map_read(file, sizeof(file), &t, &ps, &e), 0);
	assert_int_equal(ps.n_errors, MAPFILE_FAULTS + 1);
	assert_non_null(strstr(ps.list[MAPFILE_FAULTS].text, "is not looked at"));
	problems_free(&ps);
}

/* A rule knows how it was written, quotes and all. */
static void
test_as_written(void **state)
{
	static const char file[] = " \tid=7  filter='ip  and tcp' \r\n";
	struct taken t = { .n = 0 };
	struct problems ps = { 0 };

	(void)state;
	assert_int_equal(map_read(file, strlen(file), &t, &ps, NULL), 0);
	assert_string_equal(t.last, "id=7  filter='ip  and tcp'");
}

static void
test_giving_up(void **state)
{
	struct taken t = { .fail_at = 2 };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(map_read("id=1\nid=2\nid=3\n", 15, &t, &ps, &e), -WEIR_ENOMEM);
	assert_string_equal(t.text, "1: id 1\n2: id 2\n");
	assert_string_equal(e.text, "enough");
	assert_int_equal(
	    mapfile_read(&map, "/nonexistent/map", &t, &ps, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "sample_map /nonexistent/map"));
	assert_int_equal(mapfile_read(&map, "/", &t, &ps, &e), -WEIR_EIO);
	assert_int_equal(ps.n, 0);
}

/* A map that knows keys by what they begin with. */
static int
other_parse(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	size_t len = strlen(at);

	(void)k;
	if (strncmp(text, "x-", 2) != 0)
		return -WEIR_ENOENT;
	if (strchr(text, '?') != NULL)
		return err_set(why, WEIR_EINVAL, "%s: a question", text);
	snprintf((char *)at + len, 64 - len, "<%s>", text);
	return 0;
}

static int
other_rule_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	(void)r, (void)ps, (void)e;
	strcpy(arg, values);
	return 0;
}

static const struct mapfile_key other_keys[] = {
	{ MAPFILE_OTHERS, other_parse, .doc = "Whatever begins with x-." },
	{ .name = NULL },
};

static const struct mapfile other_map = { "other_map", other_keys, 64, other_rule_take };

static const struct {
	const char *says, *file, *rule, *problem;
} others[] = {
	{ "several keys of no row", "x-a=1 x-b='2 3'\n", "<x-a=1><x-b=2 3>", NULL },
	{ "one that is not known", "x-a=1 y=2\n", "", "other_map: unknown key 'y'" },
	{ "the row's own name is none", "*=1\n", "", "other_map: unknown key '*'" },
	{ "a value that cannot be", "x-a=?\n", "", "other_map: x-a=?: a question" },
};

static void
test_keys_of_no_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct problems ps = { 0 };
		struct err e = ERR_INIT;
		char rule[64] = "";

		scratch_write(others[i].file);
		assert_int_equal(mapfile_read(&other_map, scratch_path, rule, &ps, &e), 0);
		assert_string_equal(rule, others[i].rule);
		assert_int_equal(ps.n, others[i].problem != NULL);
		if (ps.n > 0 && strstr(ps.list[0].text, others[i].problem) == NULL)
			fail_msg("%s: %s", others[i].says, ps.list[0].text);
		problems_free(&ps);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_many_faults),
		cmocka_unit_test(test_as_written),
		cmocka_unit_test(test_giving_up),
		cmocka_unit_test(test_keys_of_no_row),
	};

	return cmocka_run_group_tests_name("mapfile", tests, scratch_make, scratch_remove);
}
