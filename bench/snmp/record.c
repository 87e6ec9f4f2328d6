/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/snmp/record.h"

#include <stdlib.h>
#include <string.h>

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void
put(FILE *f, const void *p, size_t n)
{
	must(fwrite(p, 1, n, f) == n, "record");
}

void
record_begin(FILE *f, const struct record *r)
{
	put(f, &r->n_base, sizeof(r->n_base));
	put(f, r->base, sizeof(r->base));
	put(f, &r->n_columns, sizeof(r->n_columns));
	put(f, r->columns, sizeof(r->columns));
	put(f, &r->n_rows, sizeof(r->n_rows));
}

void
record_row(FILE *f, const uint32_t *index)
{
	put(f, index, RECORD_INDEX * sizeof(*index));
}

void
record_cell(FILE *f, uint8_t type, const void *octets, uint8_t len)
{
	put(f, &type, 1);
	put(f, &len, 1);
	put(f, octets, len);
}

void
record_end(FILE *f, const struct record *r, uint32_t n_rows)
{
	struct record head = *r;

	head.n_rows = n_rows;
	must(fseek(f, 0, SEEK_SET) == 0, "record");
	record_begin(f, &head);
	must(fclose(f) == 0, "record");
}

/* Take `n` octets at `*at` of `len`. */
static const uint8_t *
take(const struct record *r, size_t *at, size_t len, size_t n)
{
	const uint8_t *p = r->octets + *at;

	must(n <= len - *at, "record: too short");
	*at += n;
	return p;
}

static void
record_index(struct record *r, size_t at, size_t len)
{
	r->index = calloc((size_t)r->n_rows + 1, sizeof(*r->index));
	r->at = calloc((size_t)r->n_rows * r->n_columns + 1, sizeof(*r->at));
	must(r->index != NULL && r->at != NULL, "record");
	for (uint32_t i = 0; i < r->n_rows; i++) {
		memcpy(r->index[i], take(r, &at, len, sizeof(r->index[i])), sizeof(r->index[i]));
		for (uint32_t c = 0; c < r->n_columns; c++) {
			r->at[(size_t)i * r->n_columns + c] = at;
			(void)take(r, &at, len, take(r, &at, len, 2)[1]);
		}
	}
}

void
record_load(struct record *r, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t at = 0, len;

	must(f != NULL && fseek(f, 0, SEEK_END) == 0, path);
	len = (size_t)ftell(f);
	rewind(f);
	r->octets = malloc(len + 1);
	must(r->octets != NULL && fread(r->octets, 1, len, f) == len, path);
	fclose(f);
	memcpy(&r->n_base, take(r, &at, len, sizeof(r->n_base)), sizeof(r->n_base));
	memcpy(r->base, take(r, &at, len, sizeof(r->base)), sizeof(r->base));
	memcpy(&r->n_columns, take(r, &at, len, sizeof(r->n_columns)), sizeof(r->n_columns));
	memcpy(r->columns, take(r, &at, len, sizeof(r->columns)), sizeof(r->columns));
	memcpy(&r->n_rows, take(r, &at, len, sizeof(r->n_rows)), sizeof(r->n_rows));
	must(r->n_columns <= RECORD_COLUMNS && r->n_base <= RECORD_BASE, path);
	record_index(r, at, len);
}

static int
order(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && i < n_b; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return n_a < n_b ? -1 : n_a > n_b;
}

uint32_t
record_seek(const struct record *r, const uint32_t *index, size_t n, int *exact)
{
	uint32_t low = 0, high = r->n_rows;

	*exact = 0;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int o = order(r->index[mid], RECORD_INDEX, index, n);

		if (o == 0) {
			*exact = 1;
			return mid;
		}
		if (o < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct record_cell
record_get(const struct record *r, uint32_t row, uint32_t c)
{
	const uint8_t *p = r->octets + r->at[(size_t)row * r->n_columns + c];

	return (struct record_cell){ p[0], p[1], p + 2 };
}

int
record_find(const struct record *r, const uint32_t *rest, size_t n, int exact, uint32_t *row,
    uint32_t *column)
{
	uint32_t c = 0, i = 0;
	int same = 0;

	while (n > 0 && c < r->n_columns && r->columns[c] < rest[0])
		c++;
	if (c == r->n_columns || r->n_rows == 0)
		return 0;
	if (n > 0 && r->columns[c] == rest[0])
		i = record_seek(r, rest + 1, n - 1, &same);
	if (exact && !same)
		return 0;
	if (!exact && (i += (uint32_t)same) == r->n_rows) {
		i = 0;
		c++;
	}
	*row = i;
	*column = c;
	return c < r->n_columns;
}
