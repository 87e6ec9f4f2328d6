/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/doors.h"

/* What a short option means, by family (pmacctd, nfacctd, sfacctd): key, and value if fixed. */
static const struct option_row {
	char letter;
	bool takes_value;
	const char *key[DOOR_IN_COUNT];
	const char *value;
	const char *doc;
} rows[] = {
	{ 'c', true, { "aggregate", "aggregate", "aggregate" }, NULL, "primitives" },
	{ 'P', true, { "plugins", "plugins", "plugins" }, NULL, "outputs: type[name],..." },
	{ 'i', true, { "pcap_interface", NULL, NULL }, NULL, "capture interface" },
	{ 'I', true, { "pcap_savefile", "pcap_savefile", "pcap_savefile" }, NULL, "capture file" },
	{ 'W', false, { "pcap_savefile_wait", "pcap_savefile_wait", "pcap_savefile_wait" }, "true",
	    "go on after the end of the file" },
	{ 'Y', true, { "pcap_savefile_replay", "pcap_savefile_replay", "pcap_savefile_replay" },
	    NULL, "times to read the file" },
	{ 'Z', true, { "pcap_savefile_delay", "pcap_savefile_delay", "pcap_savefile_delay" }, NULL,
	    "seconds before reading the file" },
	{ 'l', true, { NULL, "nfacctd_port", "sfacctd_port" }, NULL, "UDP port" },
	{ 'L', true, { "snaplen", "nfacctd_ip", "sfacctd_ip" }, NULL,
	    "octets to capture (pmacctd), or address to listen on" },
	{ 'N', false, { "promisc", NULL, NULL }, "false", "not promiscuous" },
	{ 'w', false, { "pcap_interface_wait", NULL, NULL }, "true", "wait for the interface" },
	{ 'R', false, { NULL, "nfacctd_renormalize", "sfacctd_renormalize" }, "true",
	    "multiply counters by the sampling rate" },
	{ 'n', true, { "networks_file", "networks_file", "networks_file" }, NULL, "networks" },
	{ 'D', false, { "daemonize", "daemonize", "daemonize" }, "true", "go to the background" },
	{ 'd', false, { "debug", "debug", "debug" }, "true", "debug lines" },
	{ 'S', true, { "syslog", "syslog", "syslog" }, NULL, "syslog facility" },
	{ 'F', true, { "pidfile", "pidfile", "pidfile" }, NULL, "pid file" },
	{ 'p', true, { "imt_path", "imt_path", "imt_path" }, NULL, "socket of the memory table" },
	{ 'r', true, { "sql_refresh_time", "sql_refresh_time", "sql_refresh_time" }, NULL,
	    "seconds between writes" },
	{ 'O', true, { "print_output", "print_output", "print_output" }, NULL, "print format" },
	{ 'o', true, { "print_output_file", "print_output_file", "print_output_file" }, NULL,
	    "print file" },
	{ 'M', false, { "print_markers", "print_markers", "print_markers" }, "true", "markers" },
	{ 'A', false, { "print_output_file_append", "print_output_file_append",
	    "print_output_file_append" }, "true", "append to the print file" },
	{ 'E', true, { "print_output_separator", "print_output_separator",
	    "print_output_separator" }, NULL, "CSV separator" },
	{ 'u', false, { "sql_num_protos", "sql_num_protos", "sql_num_protos" }, "true",
	    "protocols as numbers" },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

enum { OPT_AS = 256, OPT_LENIENT, OPT_SET, OPT_PRINT };
static const struct option longs[] = {
	{ "as", required_argument, NULL, OPT_AS },
	{ "file", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "lenient", no_argument, NULL, OPT_LENIENT },
	{ "set", required_argument, NULL, OPT_SET },
	{ "print", no_argument, NULL, OPT_PRINT },
	{ NULL, 0, NULL, 0 },
};

static void
usage(const char *command)
{
	printf("usage: weir %s [-f FILE] [--as pmacctd|nfacctd|sfacctd] [OPTIONS] "
	       "[PCAP FILTER]\n\n"
	       "  -f FILE            configuration (pmacct's language; see weir.conf(5))\n"
	       "  --as DAEMON        take the defaults and options of that daemon of pmacct's\n"
	       "  --set 'KEY: VALUE' one more line of configuration; KEY may have a [plugin]\n"
	       "  --lenient          warn of unknown directives instead of refusing them\n"
	       "  --print            (check) show the effective configuration\n",
	    command);
	for (size_t i = 0; i < N_ROWS; i++)
		printf("  -%c %-16s %s\n", rows[i].letter, rows[i].takes_value ? "VALUE" : "",
		    rows[i].doc);
}

static int
as_parse(const char *name)
{
	for (int i = 0; i < DOOR_IN_COUNT; i++)
		if (strcmp(name, doors_in[i].as) == 0)
			return i;
	return -1;
}

/* --set 'key[plugin]: value', by way of the parser of files. */
static int
set_line(struct options *o, const char *text)
{
	const char *colon = strchr(text, ':'), *open = strchr(text, '[');
	char key[128], plugin[64] = "";

	if (colon == NULL) {
		fprintf(stderr, "weir: --set '%s': write 'key: value'\n", text);
		return -1;
	}
	if (open != NULL && open < colon) {
		snprintf(key, sizeof(key), "%.*s", (int)(open - text), text);
		snprintf(plugin, sizeof(plugin), "%.*s", (int)strcspn(open + 1, "]:"), open + 1);
	} else {
		snprintf(key, sizeof(key), "%.*s", (int)(colon - text), text);
	}
	config_add(&o->extra, "--set", key, plugin[0] != '\0' ? plugin : NULL,
	    colon + 1 + strspn(colon + 1, " \t"));
	return 0;
}

static int
short_option(struct options *o, int letter, const char *value)
{
	int family = o->as >= 0 ? o->as : DOOR_PCAP;
	char source[] = { '-', (char)letter, '\0' };

	for (size_t i = 0; i < N_ROWS; i++) {
		const char *key = rows[i].key[family];

		if (rows[i].letter != letter)
			continue;
		if (key == NULL) {
			fprintf(stderr, "weir: %s has no -%c\n", doors_in[family].as, letter);
			return -1;
		}
		config_add(&o->extra, source, key, NULL,
		    rows[i].takes_value ? value : rows[i].value);
		return 0;
	}
	return -1;
}

/* What follows the options is a libpcap expression, in as many words as it likes. */
static void
filter_join(struct options *o, int argc, char **argv)
{
	size_t len = 1;
	char *text;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	text = calloc(1, len);
	if (argc == 0 || text == NULL) {
		free(text);
		return;
	}
	for (int i = 0; i < argc; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, argv[i]);
	}
	config_add(&o->extra, "filter expression", "pcap_filter", NULL, text);
	free(text);
}

/* --as decides what the other options mean, wherever it stands. */
static int
as_find(struct options *o, int argc, char **argv)
{
	o->as = -1;
	for (int i = 1; i < argc; i++) {
		const char *name = NULL;

		if (strncmp(argv[i], "--as=", 5) == 0)
			name = argv[i] + 5;
		else if (strcmp(argv[i], "--as") == 0 && i + 1 < argc)
			name = argv[i + 1];
		if (name == NULL)
			continue;
		if ((o->as = as_parse(name)) < 0) {
			fprintf(stderr, "weir: --as %s: write pmacctd, nfacctd or sfacctd\n", name);
			return -1;
		}
	}
	return 0;
}

int
options_read(struct options *o, int argc, char **argv)
{
	char letters[2 * N_ROWS + 8] = "+f:h";
	int c;

	memset(o, 0, sizeof(*o));
	for (size_t i = 0, n = strlen(letters); i < N_ROWS; i++) {
		letters[n++] = rows[i].letter;
		if (rows[i].takes_value)
			letters[n++] = ':';
	}
	if (as_find(o, argc, argv) != 0)
		return -1;
	optind = 1;
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		switch (c) {
		case OPT_AS:
			break;
		case OPT_LENIENT:
			o->lenient = true;
			break;
		case OPT_PRINT:
			o->print_config = true;
			break;
		case OPT_SET:
			if (set_line(o, optarg) != 0)
				return -1;
			break;
		case 'f':
			o->file = optarg;
			break;
		case 'h':
			usage(argv[0]);
			return 1;
		case '?':
			fprintf(stderr, "weir: see weir %s --help\n", argv[0]);
			return -1;
		default:
			if (short_option(o, c, optarg) != 0)
				return -1;
		}
	}
	filter_join(o, argc - optind, argv + optind);
	return 0;
}

void
options_free(struct options *o)
{
	config_free(&o->extra);
}
