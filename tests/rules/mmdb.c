/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/ip.h"
#include "tests/rules/mmdb.h"

#define NODES 2000U
#define SEPARATOR 16U /* octets between tree and data */

enum { TEXT = 2, DOUBLE = 3, UINT16 = 5, UINT32 = 6, MAP = 7, UINT64 = 9, ARRAY = 11 };

static void
put(struct mmdb_record *r, const void *octets, size_t len)
{
	assert_true(r->len + len <= sizeof(r->octets));
	memcpy(r->octets + r->len, octets, len);
	r->len += len;
}

/* The control octets of a field: its type, and its size to 284. */
static void
put_control(struct mmdb_record *r, unsigned type, unsigned size)
{
	uint8_t low = (uint8_t)(size < 29 ? size : 29);
	uint8_t octets[3] = { (uint8_t)(type > 7 ? low : type << 5 | low) };
	size_t n = 1;

	assert_true(size < 29 + 256);
	if (type > 7)
		octets[n++] = (uint8_t)(type - 7);
	if (size >= 29)
		octets[n++] = (uint8_t)(size - 29);
	put(r, octets, n);
}

static void
put_big_endian(struct mmdb_record *r, unsigned octets, uint64_t v)
{
	for (unsigned i = octets; i-- > 0;)
		put(r, &(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}

void
mmdb_map(struct mmdb_record *r, unsigned pairs)
{
	put_control(r, MAP, pairs);
}

void
mmdb_text(struct mmdb_record *r, const char *text)
{
	put_control(r, TEXT, (unsigned)strlen(text));
	put(r, text, strlen(text));
}

void
mmdb_number(struct mmdb_record *r, unsigned type, unsigned octets, uint64_t v)
{
	put_control(r, type, octets);
	put_big_endian(r, octets, v);
}

void
mmdb_double(struct mmdb_record *r, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_control(r, DOUBLE, 8);
	put_big_endian(r, 8, bits);
}

/* Of each side of a node: another node's number, NODES and the place in the data, or none. */
static uint32_t tree[NODES][2];
static uint32_t n_nodes;
#define NONE UINT32_MAX

static uint32_t
node_new(uint32_t both)
{
	assert_true(n_nodes < NODES);
	tree[n_nodes][0] = tree[n_nodes][1] = both;
	return n_nodes++;
}

static void
network_add(const char *text, uint32_t place)
{
	struct prefix p;
	uint32_t node = 0;
	ip16_t a;

	assert_int_equal(prefix_parse(text, &p, NULL), 0);
	a = p.addr;
	if (ip_is_v4(&a)) /* in the tree it stands behind 96 zeros */
		memset(a.b, 0, 12);
	for (unsigned bit = 0; bit < p.len; bit++) {
		uint32_t *side = &tree[node][a.b[bit / 8] >> (7 - bit % 8) & 1];

		if (bit + 1 == p.len)
			*side = NODES + place;
		else if (*side >= NODES)
			*side = node_new(*side);
		node = *side;
	}
}

static void
meta_put(struct mmdb_record *r)
{
	put(r, "\xab\xcd\xefMaxMind.com", 14);
	mmdb_map(r, 9);
	mmdb_text(r, "node_count");
	mmdb_number(r, UINT32, 4, n_nodes);
	mmdb_text(r, "record_size");
	mmdb_number(r, UINT16, 2, 32);
	mmdb_text(r, "ip_version");
	mmdb_number(r, UINT16, 2, 6);
	mmdb_text(r, "database_type");
	mmdb_text(r, "Test");
	mmdb_text(r, "binary_format_major_version");
	mmdb_number(r, UINT16, 2, 2);
	mmdb_text(r, "binary_format_minor_version");
	mmdb_number(r, UINT16, 2, 0);
	mmdb_text(r, "build_epoch");
	mmdb_number(r, UINT64, 8, 1700000000);
	mmdb_text(r, "languages");
	put_control(r, ARRAY, 0);
	mmdb_text(r, "description");
	mmdb_map(r, 0);
}

/* A side of a node as the file has it. */
static uint32_t
side_value(uint32_t side)
{
	if (side == NONE)
		return n_nodes;
	return side < NODES ? side : n_nodes + SEPARATOR + (side - NODES);
}

void
mmdb_write(const char *path, const struct mmdb_network *networks, size_t n)
{
	static const uint8_t separator[SEPARATOR];
	struct mmdb_record nodes = { .len = 0 }, meta = { .len = 0 };
	uint32_t place = 0;
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	n_nodes = 0;
	(void)node_new(NONE);
	for (size_t i = 0; i < n; i++) {
		network_add(networks[i].prefix, place);
		place += (uint32_t)networks[i].len;
	}
	for (uint32_t i = 0; i < n_nodes; i++) {
		nodes.len = 0;
		put_big_endian(&nodes, 4, side_value(tree[i][0]));
		put_big_endian(&nodes, 4, side_value(tree[i][1]));
		assert_int_equal(fwrite(nodes.octets, 1, 8, f), 8);
	}
	assert_int_equal(fwrite(separator, 1, SEPARATOR, f), SEPARATOR);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    fwrite(networks[i].record, 1, networks[i].len, f), networks[i].len);
	meta_put(&meta);
	assert_int_equal(fwrite(meta.octets, 1, meta.len, f), meta.len);
	assert_int_equal(fclose(f), 0);
}
