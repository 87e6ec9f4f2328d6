/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/tables.h"
#include "flow/field.h"
#include "flow/text.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "lib/wbuf.h"

#define HASH_TAIL 17U /* octets of '~' and 16 digits */

size_t
entry_key(const struct rowspec *rs, const uint8_t *row, uint64_t hash, char *buf,
    size_t room)
{
	/* Times as numbers: texts must not depend on a time zone. */
	static const struct text_opts opts = { .since_epoch = true };
	char text[VALUE_OCTETS_MAX + 2]; /* one more than fits, to see that it does not */
	size_t len = text_key(rs, row, &opts, text, sizeof(text));
	char tail[HASH_TAIL + 1];

	utf8_mend(text);
	if (len <= room) {
		memcpy(buf, text, len);
		return len;
	}
	len = utf8_cut(text, len, room - HASH_TAIL);
	memcpy(buf, text, len);
	snprintf(tail, sizeof(tail), "~%016" PRIx64, hash);
	memcpy(buf + len, tail, HASH_TAIL);
	return len + HASH_TAIL;
}

static const uint8_t *
entry_row(const struct entry *e)
{
	return rows_get(e->view->rows, e->i);
}

/* Where field `no` lies in the row; NULL when the view does not have it. */
static const void *
entry_field(const struct entry *e, size_t no)
{
	const struct rowspec *rs = e->view->rows->rs;

	if (!field_set_has(&rs->set, (enum field_no)no))
		return NULL;
	return rowspec_value(rs, entry_row(e), &fields[no]);
}

static uint64_t
entry_uint(const struct entry *e, size_t no)
{
	const void *p = entry_field(e, no);

	return p != NULL ? field_uint(p, fields[no].octets) : 0;
}

static void
get_key(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct entry *e = row;
	const struct rows *r = e->view->rows;

	(void)m, (void)arg;
	v->len = entry_key(r->rs, entry_row(e), r->hashes[e->i], (char *)v->octets,
	    sizeof(v->octets));
}

static void
get_summary(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct entry *e = row;
	const struct rows *r = e->view->rows;
	const struct sums *s = rowspec_sums_get(r->rs, entry_row(e));
	char *text = (char *)v->octets;

	(void)m, (void)arg;
	/* Five numbers of at most twenty digits: far from the end. */
	v->len = (size_t)snprintf(text, sizeof(v->octets), "bytes=%" PRIu64 " packets=%" PRIu64
	    " flows=%" PRIu64 " tag=%" PRIu64 " last=%" PRIu64 " key=", s->bytes, s->packets,
	    s->flows, entry_uint(e, F_TAG), rows_seen(r, e->i)->last / CLOCK_S);
	v->len += entry_key(r->rs, entry_row(e), r->hashes[e->i], text + v->len,
	    sizeof(v->octets) - v->len);
}

/* `arg`: offset in struct sums. */
static void
get_sum(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct entry *e = row;
	const struct sums *s = rowspec_sums_get(e->view->rows->rs, entry_row(e));

	(void)m;
	v->n = *(const uint64_t *)(const void *)((const char *)s + arg);
}

/* `arg`: offset in struct ledger_seen. */
static void
get_seen(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct entry *e = row;
	const struct ledger_seen *seen = rows_seen(e->view->rows, e->i);

	(void)m;
	value_date(v, *(const uint64_t *)(const void *)((const char *)seen + arg));
}

static void
get_since(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	const struct entry *e = row;

	(void)arg;
	v->n = moment_timestamp(m, e->view->rows->since[e->i]);
}

/* Getters of primitives: `arg` is the field's number. */
static void
get_uint(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m;
	v->n = entry_uint(row, arg);
}

static ip16_t
entry_address(const struct entry *e, size_t no)
{
	const void *p = entry_field(e, no);
	ip16_t a = { { 0 } };

	if (p != NULL)
		memcpy(&a, p, sizeof(a));
	return a;
}

static void
get_address_type(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	ip16_t a = entry_address(row, arg);

	(void)m;
	v->n = value_inet_type(&a);
}

static void
get_address(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	ip16_t a = entry_address(row, arg);

	(void)m;
	value_inet(v, &a, value_inet_type(&a));
}

static void
get_mac(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	static const mac_t none;
	const void *p = entry_field(row, arg);

	(void)m;
	value_octets(v, p != NULL ? p : &none, sizeof(none));
}

/* Integers as octets in network order, as wide as the field is. */
static void
get_bits(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	struct wbuf w = wbuf_of(v->octets, sizeof(v->octets));

	(void)m;
	wbuf_uint(&w, entry_uint(row, arg), fields[arg].octets);
	v->len = wbuf_len(&w);
}

static void
get_string(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	(void)m;
	value_text(v, intern_text((uint32_t)entry_uint(row, arg)));
}

static void
get_class(const struct moment *m, const void *row, size_t arg, struct value *v)
{
	get_string(m, row, arg, v);
	if (v->len == 0 && entry_field(row, arg) != NULL)
		value_text(v, "unknown");
}

#define N "weirEntry"
#define SUM(no, name, at) { no, VALUE_COUNTER64, N name, get_sum, offsetof(struct sums, at) }
#define SEEN(no, name, at) \
	{ no, VALUE_OCTETS, N name, get_seen, offsetof(struct ledger_seen, at) }
#define ADDRESS(no, type, name, f) \
	{ no, VALUE_INTEGER, N type, get_address_type, F_##f }, \
	{ (no) + 1, VALUE_OCTETS, N name, get_address, F_##f }
#define UINT(no, name, f) { no, VALUE_UNSIGNED, N name, get_uint, F_##f }
#define UINT64(no, name, f) { no, VALUE_COUNTER64, N name, get_uint, F_##f }
#define OCTETS(no, name, get, f) { no, VALUE_OCTETS, N name, get, F_##f }

static const struct column entry_columns[] = {
	{ 4, VALUE_OCTETS, N "Key", get_key, 0 },
	{ 5, VALUE_OCTETS, N "Summary", get_summary, 0 },
	SUM(6, "Bytes", bytes),
	SUM(7, "Packets", packets),
	SUM(8, "Flows", flows),
	SEEN(9, "FirstSeen", first),
	SEEN(10, "LastSeen", last),
	{ 11, VALUE_TIMETICKS, N "DiscontinuityTime", get_since, 0 },
	ADDRESS(21, "SrcAddressType", "SrcAddress", SRC_HOST),
	ADDRESS(23, "DstAddressType", "DstAddress", DST_HOST),
	ADDRESS(25, "SrcNetType", "SrcNet", SRC_NET),
	UINT(27, "SrcPrefixLength", SRC_MASK),
	ADDRESS(28, "DstNetType", "DstNet", DST_NET),
	UINT(30, "DstPrefixLength", DST_MASK),
	UINT(31, "SrcPort", SRC_PORT),
	UINT(32, "DstPort", DST_PORT),
	UINT(33, "Protocol", PROTO),
	UINT(34, "Tos", TOS),
	OCTETS(35, "TcpFlags", get_bits, TCPFLAGS),
	UINT(36, "SrcAs", SRC_AS),
	UINT(37, "DstAs", DST_AS),
	ADDRESS(38, "ExporterAddressType", "ExporterAddress", PEER_SRC_IP),
	ADDRESS(40, "PeerDstAddressType", "PeerDstAddress", PEER_DST_IP),
	ADDRESS(42, "NextHopType", "NextHop", NEXTHOP),
	UINT(44, "InIface", IN_IFACE),
	UINT(45, "OutIface", OUT_IFACE),
	OCTETS(46, "SrcMac", get_mac, SRC_MAC),
	OCTETS(47, "DstMac", get_mac, DST_MAC),
	UINT(48, "Vlan", VLAN),
	UINT(49, "Cos", COS),
	UINT(50, "Etype", ETYPE),
	UINT64(51, "Tag", TAG),
	UINT64(52, "TagTwo", TAG2),
	OCTETS(53, "Label", get_string, LABEL),
	OCTETS(54, "Class", get_class, CLASS),
	UINT(55, "SamplingRate", SAMPLING_RATE),
};

static uint32_t
entry_count(const struct mib_tree *t)
{
	return t->n_entries;
}

/* The view that the entry at `pos` belongs to: the last that begins at it or before. */
static const struct view_row *
entry_view(const struct mib_tree *t, uint32_t pos)
{
	uint32_t low = 0, high = t->n_views;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (t->views[mid].first <= pos)
			low = mid;
		else
			high = mid;
	}
	return &t->views[low];
}

static size_t
entry_index(const struct mib_tree *t, uint32_t pos, subid_t *out)
{
	const struct view_row *v = entry_view(t, pos);
	uint64_t index = rows_index(v->rows, pos - v->first);

	out[0] = v->index;
	out[1] = index >> 31;
	out[2] = index & 0x7fffffff;
	return 3;
}

static const void *
entry_at(const struct mib_tree *t, uint32_t pos, struct entry *scratch)
{
	scratch->view = entry_view(t, pos);
	scratch->i = pos - scratch->view->first;
	return scratch;
}

const struct mib_table entry_table = {
	"weirEntryTable", 3, { 1, 5, 1 }, sizeof(entry_columns) / sizeof(entry_columns[0]),
	entry_columns, entry_count, entry_index, entry_at
};
