/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * minimal: the least that is a subagent (RFC 2741): it opens a session, registers a recorded
 * table, and answers Get and GetNext, whatever else may happen. What a subagent costs that
 * has no library.
 *
 *     agentx-minimal SOCKET FILE
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/snmp/record.h"

enum { OPEN = 1, REGISTER = 3, GET = 5, GETNEXT = 6, RESPONSE = 18 };
enum { TYPE_OCTETS = 4, TYPE_COUNTER64 = 70, NO_INSTANCE = 129, END = 130 };
enum { HEADER = 20 };

static struct record table;
static uint8_t out[1 << 18];
static size_t n_out;

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* Everything goes in the host's order, which the header says. */
static void
put(const void *p, size_t n)
{
	memcpy(out + n_out, p, n);
	n_out += n;
}

static void
put_u32(uint32_t n)
{
	put(&n, sizeof(n));
}

static void
put_u16(uint16_t n)
{
	put(&n, sizeof(n));
}

static void
put_name(const uint32_t *name, uint8_t n)
{
	const uint8_t head[4] = { n, 0, 0, 0 };

	put(head, sizeof(head));
	put(name, n * sizeof(*name));
}

static void
pdu_begin(uint8_t type, uint32_t session, uint32_t transaction, uint32_t packet)
{
	const uint32_t one = 1;
	uint8_t head[4] = { 1, type, *(const uint8_t *)&one == 1 ? 0 : 0x10, 0 };

	n_out = 0;
	put(head, sizeof(head));
	put_u32(session);
	put_u32(transaction);
	put_u32(packet);
	put_u32(0);
}

static void
pdu_send(int fd)
{
	uint32_t len = (uint32_t)(n_out - HEADER);

	memcpy(out + 16, &len, sizeof(len));
	must(write(fd, out, n_out) == (ssize_t)n_out, "write");
}

static void
take(int fd, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, to, n);

		if (got <= 0)
			exit(0); /* snmpd has gone */
		to += got;
		n -= (size_t)got;
	}
}

static uint32_t
u32_at(const uint8_t *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return n;
}

/* An object identifier at `p`, to `name`; returns how many octets it has. */
static size_t
name_read(const uint8_t *p, uint32_t *name, size_t *n)
{
	static const uint32_t internet[] = { 1, 3, 6, 1 };

	*n = 0;
	if (p[1] != 0) {
		memcpy(name, internet, sizeof(internet));
		name[4] = p[1];
		*n = 5;
	}
	memcpy(name + *n, p + 4, p[0] * sizeof(*name));
	*n += p[0];
	return 4 + p[0] * sizeof(*name);
}

static void
value_put(const struct record_cell *cell)
{
	static const uint8_t zeros[4];
	uint64_t n;

	if (cell->type == TYPE_OCTETS) {
		put_u32(cell->len);
		put(cell->octets, cell->len);
		put(zeros, -(size_t)cell->len & 3);
		return;
	}
	memcpy(&n, cell->octets, sizeof(n));
	if (cell->type == TYPE_COUNTER64)
		put(&n, sizeof(n));
	else
		put_u32((uint32_t)n);
}

static void
answer(int type, const uint32_t *name, size_t n)
{
	uint32_t full[RECORD_BASE + 1 + RECORD_INDEX], row, column;
	uint32_t len = table.n_base;
	struct record_cell cell;
	int below = n >= len && memcmp(name, table.base, len * sizeof(*name)) == 0;

	if (!record_find(&table, name + len, below ? n - len : 0, type == GET, &row, &column)) {
		put_u16(type == GET ? NO_INSTANCE : END);
		put_u16(0);
		put_name(name, (uint8_t)n);
		return;
	}
	memcpy(full, table.base, len * sizeof(*full));
	full[len++] = table.columns[column];
	memcpy(full + len, table.index[row], sizeof(table.index[row]));
	cell = record_get(&table, row, column);
	put_u16(cell.type);
	put_u16(0);
	put_name(full, (uint8_t)(len + RECORD_INDEX));
	value_put(&cell);
}

static uint8_t in[1 << 18];

/* The next PDU: its header to `head`, the rest to `in`; returns how long that is. */
static uint32_t
pdu_take(int fd, uint8_t *head)
{
	uint32_t len;

	take(fd, head, HEADER);
	len = u32_at(head + 16);
	must(len <= sizeof(in), "a long PDU");
	take(fd, in, len);
	return len;
}

/* The response to what was sent; returns the number of the session. */
static uint32_t
response_take(int fd, const char *what)
{
	uint8_t head[HEADER];

	must(pdu_take(fd, head) >= 8 && head[1] == RESPONSE && in[4] == 0 && in[5] == 0, what);
	return u32_at(head + 4);
}

static void
serve(int fd)
{
	uint32_t name[256];
	size_t n;

	for (;;) {
		uint8_t head[HEADER];
		uint32_t len = pdu_take(fd, head);

		if (head[1] == RESPONSE)
			continue;
		pdu_begin(RESPONSE, u32_at(head + 4), u32_at(head + 8), u32_at(head + 12));
		put_u32(0);
		put_u32(0);
		for (size_t at = 0; (head[1] == GET || head[1] == GETNEXT) && at < len;) {
			at += name_read(in + at, name, &n);
			answer(head[1], name, n);
			at += 4 + in[at] * sizeof(uint32_t); /* where to end */
		}
		pdu_send(fd);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	static const uint8_t timeout[4] = { 5, 0, 0, 0 };
	const uint8_t priority[4] = { 0, 127, 0, 0 };
	uint32_t session;

	must(argc == 3 && strlen(argv[1]) < sizeof(to.sun_path), "agentx-minimal SOCKET FILE");
	strcpy(to.sun_path, argv[1]);
	record_load(&table, argv[2]);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, argv[1]);
	pdu_begin(OPEN, 0, 0, 1);
	put(timeout, sizeof(timeout));
	put_name(NULL, 0);
	put_u32(0);
	pdu_send(fd);
	session = response_take(fd, "open");
	pdu_begin(REGISTER, session, 0, 2);
	put(priority, sizeof(priority));
	put_name(table.base, (uint8_t)table.n_base);
	pdu_send(fd);
	(void)response_take(fd, "register");
	serve(fd);
	return 0;
}
