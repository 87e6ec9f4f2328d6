/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes docs/primitives.md, docs/elements.md and docs/tag_keys.md from the tables that the
 * program itself uses: `tables primitives`, `tables elements`, `tables tag_keys`. After a
 * new row: `make docs-tables`.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/field.h"
#include "proto/ie.h"
#include "rules/tagkeys.h"

#define MADE \
	"<!-- Made from %s by docs/tables.c: change that, then `make docs-tables`. -->\n\n"

static const char *const kinds[] = {
	[FIELD_IP] = "address",
	[FIELD_MAC] = "MAC address",
	[FIELD_UINT] = "number",
	[FIELD_HEX] = "hexadecimal",
	[FIELD_FLAGS] = "TCP flags",
	[FIELD_PROTO] = "protocol's name",
	[FIELD_STR] = "text",
	[FIELD_TIME] = "time",
	[FIELD_LIST] = "list",
	[FIELD_LABELS] = "list of labels",
	[FIELD_RD] = "route distinguisher",
	[FIELD_DIRECTION] = "i, e or u",
	[FIELD_STATUS] = "number or words",
	[FIELD_DEGREES] = "degrees",
	[FIELD_SAMPLE] = "name, or enterprise:format",
	[FIELD_CUSTOM] = "as defined",
};

static const char *const merges[] = {
	[FIELD_KEY] = "key",
	[FIELD_SUM] = "added up",
	[FIELD_ADD] = "added up",
	[FIELD_OR] = "OR-ed",
	[FIELD_MIN] = "least",
	[FIELD_MAX] = "greatest",
};

static const char *const reads[IE_CONVERTS] = {
	[IE_UINT] = "number; of a longer one the low octets",
	[IE_LOW8] = "the last octet",
	[IE_IP4] = "IPv4 address",
	[IE_IP6] = "IPv6 address",
	[IE_MAC] = "MAC address",
	[IE_UPTIME] = "ms of uptime",
	[IE_S] = "s since 1970",
	[IE_MS] = "ms since 1970",
	[IE_NTP] = "NTP time",
	[IE_DELTA_US] = "microseconds before the export",
	[IE_HIGH8] = "the last octet but one",
	[IE_DSCP] = "DSCP, shifted by two bits",
	[IE_DIRECTION] = "0 in, 1 out",
	[IE_STR] = "text",
	[IE_RD] = "8 octets",
	[IE_LABEL] = "label in 20 of 24 bits",
	[IE_BOTTOM] = "the label whose S bit is set",
	[IE_PUSH] = "label, one of a list",
	[IE_VXLAN] = "segment of type 1",
	[IE_NVGRE] = "segment of type 2",
	[IE_SEGMENTS] = "IPv6 addresses",
	[IE_IP6_LIST] = "basicList of IPv6 addresses",
	[IE_HEX] = "hexadecimal",
	[IE_RAW] = "octets",
};

static int
field_by_id(const void *a, const void *b)
{
	const struct field *const *x = a, *const *y = b;

	return (int)(*x)->id - (int)(*y)->id;
}

static int
ie_by_number(const void *a, const void *b)
{
	const struct ie *x = *(const struct ie *const *)a,
			*y = *(const struct ie *const *)b;

	if (x->enterprise != y->enterprise)
		return x->enterprise < y->enterprise ? -1 : 1;
	if (x->id != y->id)
		return (int)x->id - (int)y->id;
	return x < y ? -1 : 1;
}

/* Numbers of the elements that fill `no`, those of enterprises with theirs before. */
static void
elements_of(enum field_no no)
{
	const char *between = "";

	for (size_t i = 0; i < IE_ROWS; i++) {
		if (ies[i].field != no)
			continue;
		if (ies[i].enterprise != 0)
			printf("%s%u:%u", between, ies[i].enterprise, ies[i].id);
		else
			printf("%s%u", between, ies[i].id);
		between = ", ";
	}
}

static void
primitives(void)
{
	const struct field *order[FIELD_COUNT];

	for (size_t i = 0; i < FIELD_COUNT; i++)
		order[i] = &fields[i];
	qsort(order, FIELD_COUNT, sizeof(order[0]), field_by_id);
	printf(MADE, "flow/fields.def");
	printf("# Primitives\n\n"
	       "What `aggregate` can name, in the order of output. Most belong to a row's key;\n"
	       "others are added up or merged. \"Elements\" are those of NetFlow v9 and IPFIX that\n"
	       "fill the primitive ([elements.md](elements.md)), the ones that count first in\n"
	       "front; packets, NetFlow of fixed layout and sFlow fill what they have. Besides,\n"
	       "there are up to %u of your own: `aggregate_primitives` in weir.conf(5).\n\n",
	    CUSTOM_MAX);
	printf("| primitive | JSON | SQL column | in rows | value | elements | |\n"
	       "|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *f = order[i];

		if (f->value == FIELD_CUSTOM)
			continue;
		printf("| `%s` | `%s` | `%s` %s | %s | %s | ", f->config, f->json, f->sql,
		    f->sql_type, merges[f->merge], kinds[f->value]);
		elements_of(field_no(f));
		printf(" | %s |\n", f->doc);
	}
}

static const char *
note_of(const struct ie *row)
{
	return row->out       ? "preferred on the way out"
	       : row->tunnel  ? "the first of several"
	       : row->reverse ? "of the way back"
	       : row->probe   ? "NetFlow v9; where there are labels of MPLS, if longer than 4 octets"
			      : "";
}

static void
elements(void)
{
	const struct ie *order[IE_ROWS];

	for (size_t i = 0; i < IE_ROWS; i++)
		order[i] = &ies[i];
	qsort(order, IE_ROWS, sizeof(order[0]), ie_by_number);
	printf(MADE, "proto/ie.def");
	printf("# Information elements\n\n"
	       "Which elements of NetFlow v9 and IPFIX weir understands, and which primitive each\n"
	       "fills. Where a template has several for one primitive, those of the lowest rank\n"
	       "count, and among them the first whose value is not zero. Elements of the reverse\n"
	       "direction (enterprise %u, RFC 5103) are those of enterprise 0 over again, and count\n"
	       "with `nfacctd_biflow`. All others are stepped over, at any length.\n\n"
	       "Beside these: flowDirection (%u) chooses between the sides of a box,\n"
	       "systemInitTimeMilliseconds (%u) is what uptimes in IPFIX count from, and\n"
	       "layer2PacketSectionData (104), ipHeaderPacketSection (313) and\n"
	       "dataLinkFrameSection (315, its length in %u) are dissected like captured packets.\n\n",
	    IE_REVERSE_PEN, IE_FLOW_DIRECTION, IE_SYSTEM_INIT_MS, IE_FRAME_SIZE);
	printf("| element | name | primitive | rank | reads as | |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < IE_ROWS; i++) {
		const struct ie *row = order[i];

		printf("| ");
		if (row->enterprise != 0)
			printf("%u:", row->enterprise);
		printf("%u | %s | `%s` | %u | %s | %s |\n", row->id, row->name,
		    fields[row->field].config, row->rank, reads[row->convert],
		    note_of(row));
	}
}

/* The primitive that begins at octet `at` of a flow; "" when there is none. */
static const char *
primitive_at(size_t at)
{
	for (size_t i = 0; at != 0 && i < FIELD_COUNT; i++)
		if (fields[i].offset == at)
			return fields[i].config;
	return "";
}

/* Rows that set something, or those that ask for something. */
static void
tag_keys_of(bool sets)
{
	for (const struct mapfile_key *k = tagkeys_rows; k->name != NULL; k++) {
		if (k->alias_of != NULL || (k - tagkeys_rows < TAGKEYS_FILTER) != sets)
			continue;
		printf("| `%s`", k->name);
		for (const struct mapfile_key *a = tagkeys_rows; a->name != NULL; a++)
			if (a->alias_of != NULL && strcmp(a->alias_of, k->name) == 0)
				printf(", `%s`", a->name);
		if (!sets) {
			const char *with = k->octets != 0 ? primitive_at(k->at) : "";

			printf(" | %s | %s%s%s", k->negates ? "yes" : "",
			    with[0] != '\0' ? "`" : "", with, with[0] != '\0' ? "`" : "");
		}
		printf(" | %s |\n", k->doc);
	}
}

static void
tag_keys(void)
{
	printf(MADE, "rules/tagkeys.c");
	printf("# Keys of pre_tag_map\n\n"
	       "What the words of a rule mean; [tags.md](tags.md) shows how rules work.\n\n"
	       "## What a rule sets, and where it goes on\n\n| key | |\n|---|---|\n");
	tag_keys_of(true);
	printf("\n## What a rule asks for\n\n"
	       "All must fit. `-` before a value means any other, where the key allows it. Keys\n"
	       "are compared with the primitive, as the exporter or the packet tells it; what\n"
	       "nobody tells is 0, or no address.\n\n"
	       "| key | `-` | primitive | |\n|---|---|---|---|\n");
	tag_keys_of(false);
}

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < IE_CONVERTS; i++)
		assert(reads[i] != NULL);
	if (argc == 2 && strcmp(argv[1], "primitives") == 0) {
		primitives();
	} else if (argc == 2 && strcmp(argv[1], "elements") == 0) {
		elements();
	} else if (argc == 2 && strcmp(argv[1], "tag_keys") == 0) {
		tag_keys();
	} else {
		fprintf(stderr, "usage: tables primitives|elements|tag_keys\n");
		return 2;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
