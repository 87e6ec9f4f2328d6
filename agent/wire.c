/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/wire.h"

#include <string.h>

#include "lib/rbuf.h"
#include "lib/wbuf.h"

/* RFC 2741 s6.1, s5.4. */
enum { VERSION = 1, GET = 5, GETNEXT = 6, RESPONSE = 18 };
enum { OTHER_CONTEXT = 0x08, NETWORK_ORDER = 0x10 };
enum { NO_OBJECT = 128, NO_INSTANCE = 129, END_OF_VIEW = 130 };

#define SUBIDS_MAX 128U /* of a name: RFC 2741 s5.1 */
#define IDS 12U         /* octets of session, transaction and packet in the header */

/* An exchange. The master chooses the order of octets: little is that other than ours. */
struct wire {
	struct rbuf in;
	struct wbuf out;
	bool little;
	const struct root *roots;
	unsigned n_roots;
	const struct moment *moment;
	struct cell *last;       /* what was found before */
};

struct name {
	size_t len;
	bool inclusive;
	subid_t at[SUBIDS_MAX];
};

static uint32_t
turned(uint32_t n)
{
	return n << 24 | (n & 0xff00) << 8 | (n >> 8 & 0xff00) | n >> 24;
}

static uint32_t
u32_get(struct wire *w)
{
	uint32_t n = rbuf_u32(&w->in);

	return w->little ? turned(n) : n;
}

static void
u32_put(struct wire *w, uint32_t n)
{
	wbuf_u32(&w->out, w->little ? turned(n) : n);
}

/* Two of 16 bits, in their order. */
static void
u16s_put(struct wire *w, uint16_t a, uint16_t b)
{
	u32_put(w, w->little ? (uint32_t)b << 16 | a : (uint32_t)a << 16 | b);
}

static void
u64_put(struct wire *w, uint64_t n)
{
	u32_put(w, (uint32_t)(w->little ? n : n >> 32));
	u32_put(w, (uint32_t)(w->little ? n >> 32 : n));
}

/* A name; false when there is none. The prefix stands for 1.3.6.1.PREFIX. */
static bool
name_read(struct wire *w, struct name *to)
{
	static const subid_t internet[] = { 1, 3, 6, 1 };
	size_t n = rbuf_u8(&w->in), prefix = rbuf_u8(&w->in);

	to->inclusive = rbuf_u8(&w->in) != 0;
	rbuf_skip(&w->in, 1);
	to->len = 0;
	if (prefix != 0) {
		memcpy(to->at, internet, sizeof(internet));
		to->at[4] = prefix;
		to->len = 5;
	}
	if (to->len + n > SUBIDS_MAX || rbuf_left(&w->in) < 4 * n)
		return false;
	while (n-- > 0)
		to->at[to->len++] = u32_get(w);
	return rbuf_ok(&w->in);
}

static void
name_write(struct wire *w, const subid_t *at, size_t len)
{
	bool internet = len >= 5 && at[0] == 1 && at[1] == 3 && at[2] == 6 && at[3] == 1 &&
	                at[4] > 0 && at[4] <= UINT8_MAX;
	size_t i = internet ? 5 : 0;

	wbuf_u8(&w->out, (uint8_t)(len - i));
	wbuf_u8(&w->out, internet ? (uint8_t)at[4] : 0);
	wbuf_u8(&w->out, 0);
	wbuf_u8(&w->out, 0);
	for (; i < len; i++)
		u32_put(w, (uint32_t)at[i]);
}

/* What stands before a value: its type, and the name that it is of. */
static void
varbind_head(struct wire *w, uint16_t type, const subid_t *name, size_t len)
{
	u16s_put(w, type, 0);
	name_write(w, name, len);
}

static void
octets_write(struct wire *w, const struct value *v)
{
	static const uint8_t padding[3];

	u32_put(w, (uint32_t)v->len);
	wbuf_put(&w->out, v->octets, v->len);
	wbuf_put(&w->out, padding, -v->len % 4);
}

static void
cell_write(struct wire *w, const struct cell *c, const subid_t *name, size_t len)
{
	static const uint16_t types[] = { [VALUE_INTEGER] = 2, [VALUE_UNSIGNED] = 66,
		[VALUE_COUNTER32] = 65, [VALUE_COUNTER64] = 70, [VALUE_TIMETICKS] = 67,
		[VALUE_OCTETS] = 4 };
	enum value_type type = c->column->type;
	struct value v;

	cell_value(w->moment, c, &v);
	varbind_head(w, types[type], name, len);
	if (type == VALUE_OCTETS)
		octets_write(w, &v);
	else if (type == VALUE_COUNTER64)
		u64_put(w, v.n);
	else if (type == VALUE_UNSIGNED && v.n > UINT32_MAX)
		u32_put(w, UINT32_MAX); /* a gauge stays at its largest value */
	else
		u32_put(w, (uint32_t)v.n);
}

static void
get_answer(struct wire *w, const struct name *asked)
{
	enum tree_found found = TREE_NO_OBJECT;

	for (unsigned i = 0; i < w->n_roots && found == TREE_NO_OBJECT; i++)
		found = root_get(&w->roots[i], w->moment->tree, asked->at, asked->len,
		    w->last);
	if (found == TREE_FOUND)
		cell_write(w, w->last, asked->at, asked->len);
	else
		varbind_head(w, found == TREE_NO_OBJECT ? NO_OBJECT : NO_INSTANCE, asked->at,
		    asked->len);
}

/* The null identifier is no bound: RFC 2741 s5.2. */
static void
next_answer(struct wire *w, const struct name *asked, const struct name *end)
{
	const struct mib_tree *t = w->moment->tree;

	for (unsigned i = 0; i < w->n_roots; i++) {
		const struct root *root = &w->roots[i];
		subid_t name[OID_MAX];
		size_t len;

		if (!root_next(root, t, asked->at, asked->len, asked->inclusive,
		        w->last))
			continue;
		len = root_name(root, t, w->last, name);
		if (end->len > 0 && name_compare(name, len, end->at, end->len) >= 0)
			break;
		cell_write(w, w->last, name, len);
		return;
	}
	varbind_head(w, END_OF_VIEW, asked->at, asked->len);
}

uint64_t
wire_length(const uint8_t *head)
{
	struct wire w = { .in = rbuf_of(head, WIRE_HEADER),
		.little = (head[2] & NETWORK_ORDER) == 0 };

	rbuf_skip(&w.in, 4 + IDS);
	return (uint64_t)u32_get(&w) + WIRE_HEADER;
}

/* The 32 bits of the PDU at `head` that stand `at` octets behind its begin. */
static uint32_t
u32_at(const uint8_t *head, size_t at)
{
	struct wire w = { .in = rbuf_of(head + at, 4),
		.little = (head[2] & NETWORK_ORDER) == 0 };

	return u32_get(&w);
}

bool
wire_responds(const uint8_t *head, const uint8_t *asked)
{
	return head[1] == RESPONSE && u32_at(head, IDS) == u32_at(asked, IDS);
}

uint16_t
wire_error(const uint8_t *head)
{
	uint32_t error_index = u32_at(head, WIRE_HEADER + 4); /* two of 16 bits */

	return (uint16_t)((head[2] & NETWORK_ORDER) == 0 ? error_index : error_index >> 16);
}

bool
wire_asks(const uint8_t *head)
{
	return head[0] == VERSION && (head[1] == GET || head[1] == GETNEXT) &&
	       (head[2] & OTHER_CONTEXT) == 0;
}

size_t
wire_answer(const struct root *roots, unsigned n, const struct moment *m, struct cell *last,
    const uint8_t *pdu, size_t len, uint8_t *out, size_t room)
{
	struct wire w = { .in = rbuf_of(pdu, len), .out = wbuf_of(out, room),
		.little = (pdu[2] & NETWORK_ORDER) == 0, .roots = roots, .n_roots = n,
		.moment = m, .last = last };
	struct wire head = w; /* its length is known at the end */
	size_t octets;

	rbuf_skip(&w.in, WIRE_HEADER);
	(void)wbuf_get(&w.out, WIRE_HEADER);
	u32_put(&w, 0); /* of a subagent: no sysUpTime; */
	u32_put(&w, 0); /* no error */
	while (rbuf_left(&w.in) > 0 && wbuf_ok(&w.out)) {
		struct name asked, end;

		if (!name_read(&w, &asked) || !name_read(&w, &end))
			return 0;
		if (pdu[1] == GET)
			get_answer(&w, &asked);
		else
			next_answer(&w, &asked, &end);
	}
	if (!wbuf_ok(&w.out))
		return 0;
	octets = wbuf_len(&w.out);
	wbuf_u8(&head.out, VERSION);
	wbuf_u8(&head.out, RESPONSE);
	wbuf_u8(&head.out, pdu[2] & NETWORK_ORDER);
	wbuf_u8(&head.out, 0);
	wbuf_put(&head.out, pdu + 4, IDS);
	u32_put(&head, (uint32_t)(octets - WIRE_HEADER));
	return octets;
}
