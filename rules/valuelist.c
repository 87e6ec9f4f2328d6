/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/valuelist.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "flow/protos.h"
#include "lib/listfile.h"

struct valuelist {
	enum valuelist_kind kind;
	uint64_t listed[65536 / 64]; /* a bit for each value */
};

static int
decimal_parse(const char *text)
{
	unsigned v = 0;

	if (*text == '\0' || strlen(text) > 5)
		return -1;
	for (; isdigit((unsigned char)*text); text++)
		v = v * 10 + (unsigned)(*text - '0');
	return *text == '\0' ? (int)v : -1;
}

static int
tos_parse(const char *text)
{
	char *end;
	long v;

	if (text[0] != '0' || tolower((unsigned char)text[1]) != 'x' ||
	    !isxdigit((unsigned char)text[2]))
		return decimal_parse(text);
	v = strtol(text + 2, &end, 16);
	return *end == '\0' && v <= 255 ? (int)v : -1;
}

static const struct kind {
	const char *directive;
	int max;
	int (*parse)(const char *text); /* -1: it is none */
	const char *write;              /* what instead */
	enum field_no fields[2];
} kinds[VALUELIST_KINDS] = {
	[VALUELIST_PORTS] = { "ports_file", 65535, decimal_parse,
	    "write a port from 0 to 65535, or a range like 6000-6063", { F_SRC_PORT, F_DST_PORT } },
	[VALUELIST_PROTOS] = { "protos_file", 255, proto_number,
	    "write a protocol from 0 to 255 or its name, like tcp", { F_PROTO, F_PROTO } },
	[VALUELIST_TOS] = { "tos_file", 255, tos_parse,
	    "write a type of service from 0 to 255, or 0x00 to 0xff", { F_TOS, F_TOS } },
};

static inline bool
value_listed(const struct valuelist *l, unsigned v)
{
	return l->listed[v / 64] >> v % 64 & 1;
}

/* Take "value" or "from-to"; names of protocols may have a dash, too. */
static int
line_take(void *arg, char *text, struct err *why)
{
	struct valuelist *l = arg;
	const struct kind *k = &kinds[l->kind];
	int lo = k->parse(text), hi = lo;
	char *dash = strchr(text, '-');

	if (lo < 0 && dash != NULL) {
		*dash = '\0';
		lo = k->parse(text);
		hi = k->parse(dash + 1);
	}
	if (lo < 0 || hi < lo || hi > k->max)
		return err_set(why, WEIR_EINVAL, "%s", k->write);
	for (unsigned v = (unsigned)lo; v <= (unsigned)hi; v++)
		l->listed[v / 64] |= UINT64_C(1) << v % 64;
	return 0;
}

struct valuelist *
valuelist_load(enum valuelist_kind kind, const char *path, struct problems *ps, struct err *e)
{
	const struct listfile list = { kinds[kind].directive, line_take };
	struct valuelist *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		err_set(e, WEIR_ENOMEM, "%s %s: no memory", kinds[kind].directive, path);
		return NULL;
	}
	l->kind = kind;
	if (listfile_read(&list, path, l, ps, e) != 0) {
		valuelist_free(l);
		return NULL;
	}
	return l;
}

void
valuelist_free(struct valuelist *l)
{
	free(l);
}

bool
valuelist_changes(enum valuelist_kind kind, const struct field_set *needed)
{
	return field_set_has(needed, kinds[kind].fields[0]) ||
	    field_set_has(needed, kinds[kind].fields[1]);
}

const char *
valuelist_directive(enum valuelist_kind kind)
{
	return kinds[kind].directive;
}

static void
ports_apply(const struct valuelist *l, struct flow *flows, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct flow *f = &flows[i];

		f->src_port = value_listed(l, f->src_port) ? f->src_port : 0;
		f->dst_port = value_listed(l, f->dst_port) ? f->dst_port : 0;
	}
}

void
valuelist_apply(const struct valuelist *l, struct flow *flows, unsigned n)
{
	switch (l->kind) {
	case VALUELIST_PORTS:
		ports_apply(l, flows, n);
		break;
	case VALUELIST_PROTOS:
		for (unsigned i = 0; i < n; i++)
			flows[i].proto = value_listed(l, flows[i].proto) ? flows[i].proto : 255;
		break;
	case VALUELIST_TOS:
		for (unsigned i = 0; i < n; i++)
			flows[i].tos = value_listed(l, flows[i].tos) ? flows[i].tos : 255;
		break;
	case VALUELIST_KINDS:
		break;
	}
}
