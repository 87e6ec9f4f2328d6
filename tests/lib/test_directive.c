/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
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

#include "lib/directive.h"
#include "lib/ip.h"

static char path[] = "/tmp/weir-test-directive-XXXXXX";

struct sample {
	bool daemonize;
	uint32_t rate;
	uint64_t mark;
	uint64_t cache;
	uint32_t refresh;
	uint32_t tick;
	const char *table;
	const char *logfile;
	ip16_t ip;
	int overflow;
	const char *only_named;
	uint32_t port;
	const char *passwd;
};

#define AT(member) .offset = offsetof(struct sample, member)

static const struct directive rows[] = {
	{ .name = "daemonize", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_GLOBAL,
	    AT(daemonize), .doc = "Go to the background." },
	{ .name = "sampling_rate", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    AT(rate), .min = 1, .max = 1000, .unit = "packets",
	    .reload = DIRECTIVE_RELOAD, .doc = "One packet in so many." },
	{ .name = "mark", .type = DIRECTIVE_U64, .scope = DIRECTIVE_PLUGIN, AT(mark) },
	{ .name = "cache_size", .type = DIRECTIVE_OCTETS, .scope = DIRECTIVE_PLUGIN,
	    AT(cache), .def = "4M" },
	{ .name = "refresh_time", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_PLUGIN,
	    AT(refresh), .def = "1m", .max = 604800, .unit = "s" },
	{ .name = "sql_refresh_time", .alias_of = "refresh_time" },
	{ .name = "print_refresh_time", .alias_of = "refresh_time" },
	{ .name = "tick", .type = DIRECTIVE_SECONDS, .scope = DIRECTIVE_GLOBAL,
	    AT(tick) },
	{ .name = "sql_table", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    AT(table), .def = "acct" },
	{ .name = "logfile", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_GLOBAL,
	    AT(logfile) },
	{ .name = "bind_ip", .type = DIRECTIVE_IP, .scope = DIRECTIVE_PLUGIN, AT(ip) },
	{ .name = "overflow", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    AT(overflow), .words = "row|spool|none", .def = "spool" },
	{ .name = "receiver", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_NAMED,
	    AT(only_named) },
	{ .name = "passwd", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    AT(passwd), .secret = true },
	{ .name = "nfacctd_port", .type = DIRECTIVE_U32, .scope = DIRECTIVE_GLOBAL,
	    AT(port), .max = 65535, .def = "2100" },
	{ .name = "plugin_pipe_size", .type = DIRECTIVE_NOTICE,
	    .scope = DIRECTIVE_PLUGIN,
	    .doc = "There are no pipes." },
	{ .name = "bgp_daemon", .type = DIRECTIVE_REFUSED, .scope = DIRECTIVE_GLOBAL,
	    .doc = "Take AS numbers from networks_file." },
	{ .name = "kafka_*", .type = DIRECTIVE_REFUSED, .doc = "Use print." },
	{ .name = NULL },
};
static const struct directive_set set = { "sample", rows, sizeof(struct sample) };

/* A configuration read from text, and what was found wrong with it. */
struct fixture {
	struct config c;
	struct problems ps;
	struct sample got;
};

static void
fixture_read_octets(struct fixture *f, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);

	*f = (struct fixture){ 0 };
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	assert_int_equal(config_read(&f->c, path, &f->ps, NULL), 0);
}

static void
fixture_read(struct fixture *f, const char *text)
{
	fixture_read_octets(f, text, strlen(text));
}

static void
fixture_free(struct fixture *f)
{
	config_free(&f->c);
	problems_free(&f->ps);
}

/* All problems, one a line: "E 12: text", without the name of the file. */
static const char *
fixture_problems(const struct fixture *f)
{
	static char text[8192];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < f->ps.n; i++) {
		const char *p = f->ps.list[i].text;

		if (strncmp(p, path, strlen(path)) == 0)
			p += strlen(path) + 1;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%c %s\n",
		    "NWE"[f->ps.list[i].level], p);
		assert_true(n < sizeof(text));
	}
	return text;
}

/* Does `got` read like `want`, where a '*' stands for the rest of a line? */
static bool
reads_like(const char *got, const char *want)
{
	while (*want != '\0') {
		if (*want == '*') {
			got += strcspn(got, "\n");
			want++;
		} else if (*got++ != *want++) {
			return false;
		}
	}
	return *got == '\0';
}

static const struct {
	const char *says, *text;
	const char *want;      /* lines as "key|plugin|value|line;" */
	const char *problems;
} syntax[] = {
	{ "nothing is a configuration", "", "", "" },
	{ "a key and a value", "daemonize: true\n", "daemonize|-|true|1;", "" },
	{ "the last line may lack its end", "a: 1\nb: 2", "a|-|1|1;b|-|2|2;", "" },
	{ "lines may end as on Windows", "a: 1\r\nb: 2\r\n", "a|-|1|1;b|-|2|2;", "" },
	{ "a byte order mark is no part of the key", "\xef\xbb\xbf" "a: 1\n",
	    "a|-|1|1;", "" },
	{ "the key is lowered and loses its blanks, the value keeps both",
	    "  Sql _Table\t:  Two Words \t\n", "sql_table|-|Two Words|1;", "" },
	{ "a bracketed name keeps its case", "Sql_Table[ MyDB ]: x\n",
	    "sql_table|MyDB|x|1;", "" },
	{ "the first colon splits", "print_output_file: /a:b:c\n",
	    "print_output_file|-|/a:b:c|1;", "" },
	{ "brackets in a value are its own", "tee: [::1]:2100\n", "tee|-|[::1]:2100|1;",
	    "" },
	{ "a value may be empty", "sql_passwd:\n", "sql_passwd|-||1;", "" },
	{ "two signs of comment, and lines of blanks",
	    "! one\n# two\n\n  \t\n  ! three: x\n\t# four\na: 1\n", "a|-|1|7;", "" },
	{ "a comment does not follow a value", "a: 1 ! x # y\n", "a|-|1 ! x # y|1;",
	    "" },
	{ "a line without a colon", "a: 1\ndaemonize true\nb: 2\n",
	    "a|-|1|1;b|-|2|3;",
	    "E 2: no colon in 'daemonize true'; write 'daemonize: true', *\n" },
	{ "an equals sign is no colon", "daemonize = true\n", "",
	    "E 1: no colon in 'daemonize = true'; write 'daemonize: true', *\n" },
	{ "a word alone", "daemonize\n", "",
	    "E 1: no colon in 'daemonize'; write 'daemonize: value', *\n" },
	{ "no key", ": true\n", "", "E 1: no name before the colon; *\n" },
	{ "no key but a plugin", "[x]: true\n", "",
	    "E 1: no name before the colon; *\n" },
	{ "a bracket that does not close", "a[x: 1\n", "",
	    "E 1: brackets that do not match; write 'key: value' "
	    "or 'key[plugin]: value'\n" },
	{ "a bracket that does not open", "a]: 1\n", "",
	    "E 1: brackets that do not match; *\n" },
	{ "brackets the wrong way round", "a]x[: 1\n", "", "E 1: brackets that *\n" },
	{ "nested brackets", "a[x[y]]: 1\n", "", "E 1: brackets that *\n" },
	{ "two pairs of brackets", "a[x][y]: 1\n", "", "E 1: brackets that *\n" },
	{ "brackets around nothing", "a[ ]: 1\n", "", "E 1: no plugin name *\n" },
	{ "text after the bracket", "a[x]b: 1\n", "", "E 1: text between *\n" },
	{ "a colon within brackets splits all the same", "a[x:y]: 1\n", "",
	    "E 1: brackets that *\n" },
};

static void
test_syntax(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(syntax) / sizeof(syntax[0]); i++) {
		struct fixture f;
		char got[512] = "";
		size_t n = 0;

		fixture_read(&f, syntax[i].text);
		for (size_t l = 0; l < f.c.n; l++)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%s|%s|%s|%u;",
			    f.c.lines[l].key,
			    f.c.lines[l].plugin != NULL ? f.c.lines[l].plugin : "-",
			    f.c.lines[l].value, f.c.lines[l].line);
		if (strcmp(got, syntax[i].want) != 0)
			fail_msg("%s: read '%s'", syntax[i].says, got);
		if (!reads_like(fixture_problems(&f), syntax[i].problems))
			fail_msg("%s: said '%s'", syntax[i].says, fixture_problems(&f));
		fixture_free(&f);
	}
}

static void
test_nul_octet(void **state)
{
	struct fixture f;

	(void)state;
	fixture_read_octets(&f, "a: 1\nb\0: 2\nc: 3\n", 16);
	assert_int_equal(f.c.n, 2);
	assert_true(reads_like(fixture_problems(&f), "E 2: a NUL octet*\n"));
	fixture_free(&f);
}

static void
test_long_line(void **state)
{
	char *text = malloc(100001);
	struct fixture f;

	(void)state;
	memset(text, 'x', 100000);
	memcpy(text, "a: ", 3);
	text[100000] = '\0';
	fixture_read(&f, text);
	assert_int_equal(f.c.n, 1);
	assert_int_equal(strlen(f.c.lines[0].value), 100000 - 3);
	free(text);
	fixture_free(&f);
}

static void
test_file_that_is_not(void **state)
{
	struct config c = { 0 };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(config_read(&c, "/nonexistent/weir.conf", &ps, &e), -WEIR_EIO);
	assert_string_equal(e.text,
	    "/nonexistent/weir.conf: No such file or directory");
	assert_int_equal(config_read(&c, "/", &ps, &e), -WEIR_EIO);
	assert_string_equal(e.text, "/: Is a directory");
	assert_int_equal(c.n, 0);
	config_free(&c);
	problems_free(&ps);
}

static void
test_options_stand_after_the_file(void **state)
{
	struct fixture f;

	(void)state;
	fixture_read(&f, "nfacctd_port: 9995\nplugins: a\nplugins[x]: b\nplugins: c\n");
	config_add(&f.c, "-l", "NFacctd_Port", NULL, " 2055 ");
	config_add(&f.c, "-r", "refresh_time", "x", "soon");
	assert_string_equal(config_get(&f.c, "nfacctd_port"), "2055");
	assert_string_equal(config_get(&f.c, "plugins"), "c");
	assert_null(config_get(&f.c, "logfile"));
	assert_true(f.c.lines[1].used);
	assert_false(f.c.lines[2].used);
	assert_true(f.c.lines[3].used);
	directive_apply(&set, &f.c, "x", &f.got, &f.ps);
	assert_int_equal(f.got.port, 2055);
	assert_true(reads_like(fixture_problems(&f),
	    "E -r: refresh_time: 'soon' is not *\n"));
	fixture_free(&f);
}

static void
test_defaults(void **state)
{
	struct fixture f;

	(void)state;
	fixture_read(&f, "");
	memset(&f.got, 0xee, sizeof(f.got));
	directive_apply(&set, &f.c, NULL, &f.got, &f.ps);
	assert_false(f.got.daemonize);
	assert_int_equal(f.got.rate, 0);
	assert_true(f.got.cache == 4 << 20);
	assert_int_equal(f.got.refresh, 60);
	assert_string_equal(f.got.table, "acct");
	assert_null(f.got.logfile);
	assert_true(ip_is_none(&f.got.ip));
	assert_int_equal(f.got.overflow, 1);
	assert_int_equal(f.got.port, 2100);
	assert_int_equal(f.ps.n, 0);
	fixture_free(&f);
}

/*
 * A value, and what it is after directive_print: that covers the way back as well. The
 * plugin is "x"; `want` NULL: refused with `problem`.
 */
static const struct {
	const char *says, *line, *want, *problem;
} values[] = {
	{ "true", "daemonize: true", "daemonize: true", "" },
	{ "false", "daemonize: false", "daemonize: false", "" },
	{ "true in any letter case", "daemonize: TrUe", "daemonize: true", "" },
	{ "false in any letter case", "daemonize: FALSE", "daemonize: false", "" },
	{ "yes is no boolean, but meant well", "daemonize: yes", NULL,
	    "E 1: daemonize: 'yes' is neither true nor false; write true\n" },
	{ "neither is 0", "daemonize: 0", NULL,
	    "E 1: daemonize: '0' is neither true nor false; write false\n" },
	{ "nor a beginning", "daemonize: tru", NULL,
	    "E 1: daemonize: 'tru' is neither true nor false; write one of them\n" },
	{ "nor nothing", "daemonize:", NULL, "E 1: daemonize: '' is neither *\n" },
	{ "a number", "sampling_rate: 10", "sampling_rate[x]: 10", "" },
	{ "the least", "sampling_rate: 1", "sampling_rate[x]: 1", "" },
	{ "the most", "sampling_rate: 1000", "sampling_rate[x]: 1000", "" },
	{ "below the least", "sampling_rate: 0", NULL,
	    "E 1: sampling_rate: 0 is out of range; write 1 to 1000 packets\n" },
	{ "above the most", "sampling_rate: 1001", NULL,
	    "E 1: sampling_rate: 1001 is out of range; *\n" },
	{ "far above the most", "sampling_rate: 99999999999999999999999", NULL,
	    "E 1: sampling_rate: 99999999999999999999999 is out of range; *\n" },
	{ "leading zeroes are decimal", "sampling_rate: 010", "sampling_rate[x]: 10",
	    "" },
	{ "hex is not decimal", "sampling_rate: 0x10", NULL,
	    "E 1: sampling_rate: '0x10' is not a decimal number; write 1 to 1000 packets\n" },
	{ "no sign", "sampling_rate: -1", NULL, "E 1: sampling_rate: '-1' is not *\n" },
	{ "no number", "sampling_rate:", NULL, "E 1: sampling_rate: '' is not *\n" },
	{ "no trailing text", "sampling_rate: 10 ! often", NULL,
	    "E 1: sampling_rate: '10 ! often' is not a decimal number; write 1 to 1000 "
	    "packets; a comment has a line of its own\n" },
	{ "64 bits", "mark: 18446744073709551615", "mark[x]: 18446744073709551615",
	    "" },
	{ "one more than 64 bits", "mark: 18446744073709551616", NULL,
	    "E 1: mark: 18446744073709551616 is out of range; *\n" },
	{ "octets", "cache_size: 65536", "cache_size[x]: 65536", "" },
	{ "K", "cache_size: 3K", "cache_size[x]: 3072", "" },
	{ "m", "cache_size: 2m", "cache_size[x]: 2097152", "" },
	{ "G", "cache_size: 5G", "cache_size[x]: 5368709120", "" },
	{ "no other letter", "cache_size: 5T", NULL,
	    "E 1: cache_size: '5T' is not *\n" },
	{ "no letters after the letter", "cache_size: 5KB", NULL,
	    "E 1: cache_size: '5KB' is not *\n" },
	{ "a letter without number", "cache_size: K", NULL,
	    "E 1: cache_size: 'K' is not *\n" },
	{ "octets that overflow", "cache_size: 17179869184G", NULL,
	    "E 1: cache_size: 17179869184G is out of range; *\n" },
	{ "plain seconds", "refresh_time: 90", "refresh_time[x]: 90", "" },
	{ "seconds", "refresh_time: 90s", "refresh_time[x]: 90", "" },
	{ "minutes", "refresh_time: 5m", "refresh_time[x]: 300", "" },
	{ "hours", "refresh_time: 2h", "refresh_time[x]: 7200", "" },
	{ "days", "refresh_time: 3d", "refresh_time[x]: 259200", "" },
	{ "weeks", "refresh_time: 1w", "refresh_time[x]: 604800", "" },
	{ "a unit counts for the range", "refresh_time: 2w", NULL,
	    "E 1: refresh_time: 2w is out of range; write 0 to 604800 s\n" },
	{ "months are not seconds", "refresh_time: 1M", NULL,
	    "E 1: refresh_time: '1M' is not *\n" },
	{ "seconds without range end where 32 bits do", "tick: 4294967295",
	    "tick: 4294967295", "" },
	{ "and not later", "tick: 8000w", NULL,
	    "E 1: tick: 8000w is out of range; *\n" },
	{ "a string as written", "sql_table: a [b]: c ! d",
	    "sql_table[x]: a [b]: c ! d", "" },
	{ "a string may be empty", "sql_table:", "sql_table[x]: ", "" },
	{ "a path", "logfile: /var/log/weir.log", "logfile: /var/log/weir.log", "" },
	{ "a path has no quotes", "logfile: \"/var/log/weir.log\"", NULL,
	    "E 1: logfile: \"/var/log/weir.log\": write the path without quotes\n" },
	{ "a path may not be empty", "logfile:", NULL, "E 1: logfile: no path; *\n" },
	{ "an address", "bind_ip: 192.0.2.1", "bind_ip[x]: 192.0.2.1", "" },
	{ "an IPv6 address", "bind_ip: 2001:DB8::1", "bind_ip[x]: 2001:db8::1", "" },
	{ "no name for an address", "bind_ip: localhost", NULL,
	    "E 1: bind_ip: 'localhost' is not an address; *\n" },
	{ "the first word", "overflow: row", "overflow[x]: row", "" },
	{ "the last word, in capitals", "overflow: NONE", "overflow[x]: none", "" },
	{ "no other word", "overflow: rows", NULL,
	    "E 1: overflow: 'rows' is none of row|spool|none; write one of them\n" },
	{ "no two words", "overflow: row|spool", NULL,
	    "E 1: overflow: 'row|spool' *\n" },
	{ "no empty word", "overflow:", NULL, "E 1: overflow: '' *\n" },
	{ "what does nothing is told", "plugin_pipe_size: 1024", NULL,
	    "N 1: 'plugin_pipe_size' does nothing here: There are no pipes.\n" },
	{ "what does nothing may name any plugin", "plugin_pipe_size[zz]: 1024", NULL,
	    "N 1: 'plugin_pipe_size' does nothing here: There are no pipes.\n" },
	{ "what is out of scope is refused", "bgp_daemon: true", NULL,
	    "E 1: 'bgp_daemon' is not supported: "
	    "Take AS numbers from networks_file.\n" },
	{ "unless it is off", "bgp_daemon: False", NULL, "" },
	{ "of a family all are", "kafka_partition[x]: 3", NULL,
	    "E 1: 'kafka_partition' is not supported: Use print.\n" },
	{ "also its shortest", "kafka_: 3", NULL,
	    "E 1: 'kafka_' is not supported: Use print.\n" },
};

/* What directive_print writes for a whole and for plugin "x". */
static char *
printed(const struct sample *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	directive_print(&set, s, NULL, NULL, f);
	directive_print(&set, s, "x", "sfprobe", f);
	fclose(f);
	return text;
}

/* Does `text` hold `line` as a whole line? */
static bool
has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (; *text != '\0'; text += strcspn(text, "\n") + 1)
		if (strcspn(text, "\n") == n && strncmp(text, line, n) == 0)
			return true;
	return false;
}

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct fixture f, back;
		char *text, *again;

		fixture_read(&f, values[i].line);
		directive_apply(&set, &f.c, "x", &f.got, &f.ps);
		if (!reads_like(fixture_problems(&f), values[i].problem))
			fail_msg("%s: said '%s'", values[i].says, fixture_problems(&f));
		text = printed(&f.got);
		if (values[i].want != NULL && !has_line(text, values[i].want))
			fail_msg("%s: printed '%s'", values[i].says, text);
		assert_true(f.c.lines[0].used);

		/* What was printed reads back as the same. */
		fixture_read(&back, text);
		directive_apply(&set, &back.c, "x", &back.got, &back.ps);
		if (back.ps.n != 0)
			fail_msg("%s: on the way back '%s'", values[i].says,
			    fixture_problems(&back));
		again = printed(&back.got);
		assert_string_equal(again, text);
		free(text);
		free(again);
		fixture_free(&f);
		fixture_free(&back);
	}
}

/* Which of several lines wins: `want` is sql_table for plugin "x". */
static const struct {
	const char *says, *text, *want;
} scopes[] = {
	{ "without a line the default", "", "acct" },
	{ "a line for all", "sql_table: all", "all" },
	{ "a line for this plugin", "sql_table[x]: mine", "mine" },
	{ "a line for another plugin", "sql_table[y]: other", "acct" },
	{ "names differ in letter case", "sql_table[X]: other", "acct" },
	{ "the last of equals wins", "sql_table: one\nsql_table: two", "two" },
	{ "the last of named equals wins", "sql_table[x]: one\nsql_table[x]: two",
	    "two" },
	{ "a named line wins over one before", "sql_table: all\nsql_table[x]: mine",
	    "mine" },
	{ "a named line wins over one after", "sql_table[x]: mine\nsql_table: all",
	    "mine" },
};

static void
test_scopes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		struct fixture f;

		fixture_read(&f, scopes[i].text);
		directive_apply(&set, &f.c, "x", &f.got, &f.ps);
		if (strcmp(f.got.table, scopes[i].want) != 0)
			fail_msg("%s: %s", scopes[i].says, f.got.table);
		assert_int_equal(f.ps.n, 0);
		fixture_free(&f);
	}
}

static void
test_bad_value_keeps_the_one_before(void **state)
{
	struct fixture f;

	(void)state;
	fixture_read(&f, "sampling_rate: 5\nsampling_rate: many\noverflow: wrong\n");
	directive_apply(&set, &f.c, NULL, &f.got, &f.ps);
	assert_int_equal(f.got.rate, 5);
	assert_int_equal(f.got.overflow, 1);
	assert_int_equal(f.ps.n_errors, 2);
	fixture_free(&f);
}

static void
test_global_drops_the_suffix(void **state)
{
	const char *plugins[] = { NULL, "x", "y" };
	struct fixture f;

	(void)state;
	fixture_read(&f, "nfacctd_port: 1\nnfacctd_port[x]: 2\nnfacctd_port: 3\n"
	                 "daemonize[y]: true\n");
	for (size_t i = 0; i < 3; i++) {
		directive_apply(&set, &f.c, plugins[i], &f.got, &f.ps);
		/* A dropped suffix does not make a line stronger. */
		assert_int_equal(f.got.port, 3);
		assert_true(f.got.daemonize);
	}
	/* Applied three times, told once. */
	assert_string_equal(fixture_problems(&f),
	    "N 2: 'nfacctd_port' is for the whole daemon; '[x]' is dropped\n"
	    "N 4: 'daemonize' is for the whole daemon; '[y]' is dropped\n");
	assert_int_equal(f.ps.n_errors, 0);
	fixture_free(&f);
}

static void
test_named_needs_the_suffix(void **state)
{
	struct fixture f;

	(void)state;
	fixture_read(&f, "receiver[x]: 192.0.2.1:2100\nreceiver: 192.0.2.2\n");
	directive_apply(&set, &f.c, NULL, &f.got, &f.ps);
	assert_null(f.got.only_named);
	directive_apply(&set, &f.c, "x", &f.got, &f.ps);
	assert_string_equal(f.got.only_named, "192.0.2.1:2100");
	directive_apply(&set, &f.c, "y", &f.got, &f.ps);
	assert_null(f.got.only_named);
	assert_string_equal(fixture_problems(&f),
	    "E 2: 'receiver' is for one plugin; write 'receiver[plugin]: 192.0.2.2'\n");
	fixture_free(&f);
}

static void
test_aliases(void **state)
{
	struct fixture f;

	(void)state;
	fixture_read(&f, "sql_refresh_time: 10\nprint_refresh_time[x]: 20\n"
	                 "refresh_time: 30\nsql_refresh_time[y]: 1x\n");
	directive_apply(&set, &f.c, "x", &f.got, &f.ps);
	assert_int_equal(f.got.refresh, 20);
	assert_int_equal(f.ps.n, 0);
	directive_apply(&set, &f.c, "y", &f.got, &f.ps);
	assert_int_equal(f.got.refresh, 30);
	/* The operator's own word is in the complaint. */
	assert_true(reads_like(fixture_problems(&f),
	    "E 4: sql_refresh_time: '1x' *\n"));
	fixture_free(&f);
}

static const struct directive other_rows[] = {
	{ .name = "aggregate", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN },
	{ .name = NULL },
};
static const struct directive_set other_set = { "other", other_rows,
	sizeof(const char *) };

static const struct {
	const char *says, *text, *problems;  /* with '?' for the level */
} unknowns[] = {
	{ "a letter left out", "agregate: src_host",
	    "? 1: unknown directive 'agregate'; did you mean 'aggregate'?\n" },
	{ "letters swapped, in the other set", "deamonize: true",
	    "? 1: unknown directive 'deamonize'; did you mean 'daemonize'?\n" },
	{ "an old name may be the nearest", "sql_refresh_tim: 1",
	    "? 1: unknown directive 'sql_refresh_tim'; "
	    "did you mean 'sql_refresh_time'?\n" },
	{ "too far from all", "xyzzy: 1", "? 1: unknown directive 'xyzzy'\n" },
	{ "unknown for a plugin", "agregate[x]: src_host",
	    "? 1: unknown directive 'agregate'; did you mean 'aggregate'?\n" },
	{ "known though nobody took it", "aggregate: src_host", "" },
	{ "known, for a known plugin", "aggregate[inbound]: src_host", "" },
	{ "known, for an unknown plugin", "aggregate[inbond]: src_host",
	    "? 1: no plugin is named 'inbond'; did you mean 'inbound'?\n" },
	{ "for a plugin unlike any other", "aggregate[zz]: src_host",
	    "? 1: no plugin is named 'zz'\n" },
	{ "for all the daemon the suffix does not matter", "daemonize[zz]: true", "" },
	{ "an old name is known", "print_refresh_time: 5", "" },
	{ "an old name for an unknown plugin", "print_refresh_time[zz]: 5",
	    "? 1: no plugin is named 'zz'\n" },
	{ "each bad line is told", "foo: 1\nbar[x]: 2\n",
	    "? 1: unknown directive 'foo'\n? 2: unknown directive 'bar'\n" },
};

static void
test_unknown(void **state)
{
	const struct directive_set *const sets[] = { &set, &other_set };
	const char *const plugins[] = { "x", "inbound" };

	(void)state;
	for (size_t i = 0; i < sizeof(unknowns) / sizeof(unknowns[0]); i++)
		for (int lenient = 0; lenient <= 1; lenient++) {
			char want[512];
			struct fixture f;

			snprintf(want, sizeof(want), "%s", unknowns[i].problems);
			for (char *p = want; *p != '\0'; p = strchr(p, '\n') + 1)
				*p = lenient ? 'W' : 'E';
			fixture_read(&f, unknowns[i].text);
			directive_check_unknown(
			    &f.c, sets, 2, plugins, 2, lenient, &f.ps);
			if (strcmp(fixture_problems(&f), want) != 0)
				fail_msg("%s: said '%s'", unknowns[i].says,
				    fixture_problems(&f));
			assert_int_equal(f.ps.n_errors, lenient ? 0 : f.ps.n);
			fixture_free(&f);
		}
}

static void
test_used_lines_are_known(void **state)
{
	const struct directive_set *const sets[] = { &set };
	struct fixture f;

	(void)state;
	fixture_read(&f, "plugins: memory[x]\nplugins: print\n");
	assert_non_null(config_get(&f.c, "plugins"));
	directive_check_unknown(&f.c, sets, 1, NULL, 0, false, &f.ps);
	assert_int_equal(f.ps.n, 0);
	fixture_free(&f);
}

static void
test_nearest_word(void **state)
{
	static const struct {
		const char *says, *typo, *want;
	} cases[] = {
		{ "the word itself", "filter", "filter" },
		{ "a letter mistaken", "filtar", "filter" },
		{ "a letter put in", "fillter", "filter" },
		{ "a letter left out", "fiter", "filter" },
		{ "two neighbours swapped are one fault", "otu", "out" },
		{ "a third of six is two", "fitlre", "filter" },
		{ "three of six are too many", "fxlxxr", NULL },
		{ "the nearest of several", "innn", "inn" },
		{ "the first of equally near", "ouu", "out" },
		{ "two letters are near to nothing else", "ou", NULL },
		{ "nothing is near to nothing", "", NULL },
		{ "endless words are near to nothing",
		    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		    NULL },
	};
	static const char *const words[] = { "filter", "out", "our", "in", "inn",
		"a word so long that it must not be compared with any other word" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = nearest_word(cases[i].typo, words, 6);

		if ((got == NULL) != (cases[i].want == NULL) ||
		    (got != NULL && strcmp(got, cases[i].want) != 0))
			fail_msg("%s: %s", cases[i].says, got != NULL ? got : "none");
	}
	assert_null(nearest_word("filter", NULL, 0));
}

static void
test_problems(void **state)
{
	struct config_line at = { .file = "weir.conf", .line = 12 };
	struct problems ps = { 0 };
	char big[1000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	problem_add(&ps, PROBLEM_ERROR, &at, "a\nb\x1b");
	problem_add(&ps, PROBLEM_WARNING, NULL, "no place");
	problem_add(&ps, PROBLEM_NOTICE, &at, "%s", big);
	problem_add(&ps, PROBLEM_ERROR, &at, "%s", "a?b?");
	at.line = 13;
	problem_add(&ps, PROBLEM_ERROR, &at, "%s", "a?b?");
	assert_int_equal(ps.n, 4);
	assert_int_equal(ps.n_errors, 2);
	assert_string_equal(ps.list[0].text, "weir.conf:12: a?b?");
	assert_string_equal(ps.list[1].text, "no place");
	assert_int_equal(strlen(ps.list[2].text), sizeof(ps.list[2].text) - 1);
	assert_string_equal(ps.list[3].text, "weir.conf:13: a?b?");
	problems_free(&ps);
	assert_int_equal(ps.n, 0);
}

/* A file may be wrong in each of a million lines; what else is wrong is shown all the same. */
static void
test_many_problems(void **state)
{
	struct config_line at = { .file = "networks", .line = 0 };
	struct problems ps = { 0 };

	(void)state;
	while (at.line++ < PROBLEMS_MAX + 500)
		problem_add(&ps, PROBLEM_WARNING, &at, "no network");
	problem_add(&ps, PROBLEM_ERROR, NULL, "no input");
	assert_int_equal(ps.n, PROBLEMS_MAX + 1);
	assert_int_equal(ps.left[PROBLEM_WARNING], 500);
	assert_int_equal(ps.n_errors, 1);
	assert_string_equal(ps.list[PROBLEMS_MAX].text, "no input");
	problems_free(&ps);
}

/* Every row has its paragraph in the manual; old names stand with their row. */
static void
test_man(void **state)
{
	char *text = NULL, head[64];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	directive_man(&set, f);
	fclose(f);
	for (const struct directive *d = rows; d->name != NULL; d++) {
		snprintf(head, sizeof(head), ".TP\n\\fB%s\\fR", d->name);
		if ((strstr(text, head) != NULL) != (d->alias_of == NULL))
			fail_msg("%s: %s", d->name, text);
	}
	assert_non_null(strstr(text,
	    "\\fBsampling_rate\\fR[[\\fIplugin\\fR]]: \\fInumber\\fR\n"
	    "One packet in so many.\nFrom 1 to 1000 packets.\nTaken up on reload.\n"));
	assert_non_null(strstr(text, "Default: 1m.\nAlso written "
	    "\\fBsql_refresh_time\\fR, \\fBprint_refresh_time\\fR.\n"));
	assert_non_null(strstr(text, "Not supported.\nTake AS numbers"));
	free(text);
}

static void
value_note(void *arg, const struct directive_value *v)
{
	char *text = arg;
	size_t n = strlen(text);

	snprintf(text + n, 2048 - n, "%s[%s]=%s from %u\n", v->name,
	    v->plugin != NULL ? v->plugin : "", v->text != NULL ? v->text : "secret",
	    v->from != NULL ? v->from->line : 0);
}

/* The line that decides is named: a suffix wins, then the last; old names, too. */
static void
test_each_says_where_from(void **state)
{
	char text[2048] = "";
	struct fixture f;

	(void)state;
	fixture_read(&f,
	    "sampling_rate[x]: 7\nsampling_rate: 9\nsampling_rate[y]: 8\n"
	    "sql_refresh_time: 10\nprint_refresh_time: 20\npasswd: geheim\n"
	    "daemonize: true\n");
	directive_apply(&set, &f.c, "x", &f.got, &f.ps);
	assert_int_equal(directive_each(&set, &f.c, &f.got, "x", "print", value_note, text), 0);
	assert_string_equal(text,
	    "sampling_rate[x]=7 from 1\nmark[x]=0 from 0\ncache_size[x]=4194304 from 0\n"
	    "print_refresh_time[x]=20 from 5\nsql_table[x]=acct from 0\n"
	    "overflow[x]=spool from 0\npasswd[x]=secret from 6\n");
	text[0] = '\0';
	assert_int_equal(directive_each(&set, &f.c, &f.got, NULL, NULL, value_note, text), 0);
	assert_true(has_line(text, "daemonize[]=true from 7"));
	assert_true(has_line(text, "nfacctd_port[]=2100 from 0"));
	assert_null(strstr(text, "geheim"));
	fixture_free(&f);
}

/* What nobody wrote has the name that is of the plugin's type. */
static void
test_each_names_what_is_default(void **state)
{
	static const struct { const char *type, *want; } cases[] = {
		{ "print", "print_refresh_time[x]=60 from 0" },
		{ "sql", "sql_refresh_time[x]=60 from 0" },
		{ "prin", "refresh_time[x]=60 from 0" },
		{ "memory", "refresh_time[x]=60 from 0" },
		{ NULL, "refresh_time[x]=60 from 0" },
	};
	struct fixture f;

	(void)state;
	fixture_read(&f, "");
	directive_apply(&set, &f.c, "x", &f.got, &f.ps);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048] = "", *out;
		size_t len;
		FILE *to = open_memstream(&out, &len);

		assert_int_equal(directive_each(&set, &f.c, &f.got, "x", cases[i].type,
		    value_note, text), 0);
		assert_true(has_line(text, cases[i].want));
		directive_print(&set, &f.got, "x", cases[i].type, to);
		assert_int_equal(fclose(to), 0);
		snprintf(text, sizeof(text), "%.*s: 60", (int)strcspn(cases[i].want, "="),
		    cases[i].want);
		assert_true(has_line(out, text));
		free(out);
	}
	fixture_free(&f);
}

static int
setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_nul_octet),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_file_that_is_not),
		cmocka_unit_test(test_options_stand_after_the_file),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_bad_value_keeps_the_one_before),
		cmocka_unit_test(test_global_drops_the_suffix),
		cmocka_unit_test(test_named_needs_the_suffix),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_used_lines_are_known),
		cmocka_unit_test(test_nearest_word),
		cmocka_unit_test(test_each_says_where_from),
		cmocka_unit_test(test_each_names_what_is_default),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_many_problems),
		cmocka_unit_test(test_man),
	};

	return cmocka_run_group_tests_name("directive", tests, setup, teardown);
}
