/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench/limits/aggcsv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	AGGCSV_BUFFER_OCTETS = 128 << 10,
	AGGCSV_ROW_MAX = 160,  /* two IPv6 addresses, five numbers, separators */
};

static const char aggcsv_title[] =
    "SRC_IP,DST_IP,SRC_PORT,DST_PORT,PROTOCOL,PACKETS,BYTES\n";

static char *
put_number(char *p, uint64_t v, char after)
{
	char digits[20];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	memcpy(p, digits + n, sizeof(digits) - n);
	p += sizeof(digits) - n;
	*p = after;
	return p + 1;
}

static char *
put_hex(char *p, unsigned v)
{
	int shift = v > 0xfff ? 12 : v > 0xff ? 8 : v > 0xf ? 4 : 0;

	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	return p;
}

/* RFC 5952: the longest run of two zero groups or more, the first of such, is "::". */
static char *
put_ipv6(char *p, const uint64_t address[2])
{
	unsigned group[8], best = 8, best_n = 1;

	for (unsigned i = 0; i < 8; i++)
		group[i] = (unsigned)(address[i / 4] >> (48 - i % 4 * 16)) & 0xffff;
	for (unsigned i = 0, n = 0; i < 8; i++) {
		n = group[i] == 0 ? n + 1 : 0;
		if (n > best_n) {
			best_n = n;
			best = i + 1 - n;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			*p++ = ':';
			*p++ = ':';
			i += best_n - 1;
			continue;
		}
		if (i != 0 && p[-1] != ':')
			*p++ = ':';
		p = put_hex(p, group[i]);
	}
	*p = ',';
	return p + 1;
}

static char *
put_address(char *p, const uint64_t address[2])
{
	if (address[0] != 0 || address[1] >> 32 != 0xffff)
		return put_ipv6(p, address);
	p = put_number(p, address[1] >> 24 & 0xff, '.');
	p = put_number(p, address[1] >> 16 & 0xff, '.');
	p = put_number(p, address[1] >> 8 & 0xff, '.');
	return put_number(p, address[1] & 0xff, ',');
}

static char *
put_row(char *p, const struct aggrow *r)
{
	p = put_address(p, r->key.src);
	p = put_address(p, r->key.dst);
	p = put_number(p, r->key.rest >> 24, ',');
	p = put_number(p, r->key.rest >> 8 & 0xffff, ',');
	p = put_number(p, r->key.rest & 0xff, ',');
	p = put_number(p, r->packets, ',');
	return put_number(p, r->bytes, '\n');
}

static _Noreturn void
aggcsv_die(const char *path)
{
	fprintf(stderr, "pcapagg: %s: %s\n", path, strerror(errno));
	exit(1);
}

static char *
aggcsv_flush(int fd, const char *path, char *buffer, const char *end)
{
	for (const char *p = buffer; p < end;) {
		ssize_t n = write(fd, p, (size_t)(end - p));

		if (n < 0)
			aggcsv_die(path);
		p += n;
	}
	return buffer;
}

void
aggcsv_write(const struct aggtable *t, const char *path)
{
	static char buffer[AGGCSV_BUFFER_OCTETS + AGGCSV_ROW_MAX];
	char *p = buffer;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		aggcsv_die(path);
	memcpy(p, aggcsv_title, sizeof(aggcsv_title) - 1);
	p += sizeof(aggcsv_title) - 1;
	for (size_t i = 0; i < t->n; i++) {
		p = put_row(p, &t->rows[i]);
		if (p - buffer >= AGGCSV_BUFFER_OCTETS)
			p = aggcsv_flush(fd, path, buffer, p);
	}
	aggcsv_flush(fd, path, buffer, p);
	close(fd);
}
