/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/custom.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/intern.h"
#include "lib/ip.h"
#include "lib/mapfile.h"

#define DEFAULT(n) "custom_" #n

/* fields[] points here. */
char custom_names[CUSTOM_MAX][CUSTOM_NAME] = { DEFAULT(1), DEFAULT(2), DEFAULT(3),
	DEFAULT(4), DEFAULT(5), DEFAULT(6), DEFAULT(7), DEFAULT(8), DEFAULT(9),
	DEFAULT(10), DEFAULT(11), DEFAULT(12), DEFAULT(13), DEFAULT(14), DEFAULT(15),
	DEFAULT(16) };

static struct custom customs[CUSTOM_MAX];
static unsigned n_customs;

const struct custom *
custom_of(enum field_no no)
{
	unsigned slot = (unsigned)no - F_CUSTOM_1;

	return no >= F_CUSTOM_1 && slot < n_customs ? &customs[slot] : NULL;
}

void
custom_clear(void)
{
	for (unsigned i = 0; i < CUSTOM_MAX; i++)
		snprintf(custom_names[i], CUSTOM_NAME, "custom_%u", i + 1);
	n_customs = 0;
}

int
custom_add(const char *name, const struct custom *c, struct err *e)
{
	size_t len = strlen(name);

	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return err_set(e, WEIR_EINVAL,
			    "'%s': write letters, digits and '_'", name);
	if (len == 0 || len >= CUSTOM_NAME)
		return err_set(
		    e, WEIR_EINVAL, "a name has 1 to %u characters", CUSTOM_NAME - 1);
	if (field_find(name, len) != NULL)
		return err_set(
		    e, WEIR_EINVAL, "there is a primitive '%s' already", name);
	if (n_customs == CUSTOM_MAX)
		return err_set(e, WEIR_EFULL, "'%s': no more than %u can be defined",
		    name, CUSTOM_MAX);
	for (size_t i = 0; i <= len; i++)
		custom_names[n_customs][i] = (char)tolower((unsigned char)name[i]);
	customs[n_customs++] = *c;
	return 0;
}

/* A line of the file, as it is read. */
struct definition {
	const char *name, *packet;
	struct custom custom;
};

/* "[PEN:]ELEMENT"; in NetFlow v9 an element's number has sixteen bits, in IPFIX fifteen. */
static int
parse_field_type(
    const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	struct custom *c = at;
	unsigned long long pen = 0, element;
	const char *colon = strchr(text, ':'), *id = colon != NULL ? colon + 1 : text;
	char *end;

	(void)k;
	if (colon != NULL && isdigit((unsigned char)*text)) {
		pen = strtoull(text, &end, 10);
		if (end != colon)
			id = "";
	} else if (colon != NULL) {
		id = "";
	}
	element = strtoull(id, &end, 10);
	if (!isdigit((unsigned char)*id) || *end != '\0' || pen > UINT32_MAX ||
	    element > UINT16_MAX || (pen != 0 && element > INT16_MAX))
		return err_set(why, WEIR_EINVAL,
		    "write the number of an element, or ENTERPRISE:ELEMENT");
	c->enterprise = (uint32_t)pen;
	c->element = (uint16_t)element;
	return 0;
}

static int
parse_len(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	if (strcmp(text, "vlen") == 0)
		return 0;
	return mapfile_u32(k, text, at, why);
}

static int
parse_semantics(
    const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	static const char *const names[] = { [CUSTOM_UINT] = "u_int",
		[CUSTOM_HEX] = "hex",
		[CUSTOM_IP] = "ip",
		[CUSTOM_MAC] = "mac",
		[CUSTOM_STR] = "str",
		[CUSTOM_RAW] = "raw" };
	struct custom *c = at;

	(void)k;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			c->semantics = (enum custom_semantics)i;
			return 0;
		}
	return err_set(why, WEIR_EINVAL, "write u_int, hex, ip, mac, str or raw");
}

enum { KEY_NAME, KEY_FIELD_TYPE, KEY_LEN, KEY_SEMANTICS, KEY_PACKET };

#define AT(member) .offset = offsetof(struct definition, member)
static const struct mapfile_key keys[] = {
	[KEY_NAME] = { "name", mapfile_text, AT(name), .doc = "What to call it." },
	[KEY_FIELD_TYPE] = { "field_type", parse_field_type, AT(custom),
	    .doc = "The element, [ENTERPRISE:]NUMBER." },
	[KEY_LEN] = { "len", parse_len, AT(custom.len), .min = 1, .max = UINT16_MAX,
	    .doc = "Its octets, or vlen: how wide its column is. Values are as long as the "
		   "template says." },
	[KEY_SEMANTICS] = { "semantics", parse_semantics, AT(custom),
	    .doc = "How it reads: u_int, hex, ip, mac, str or raw." },
	[KEY_PACKET] = { "packet_ptr", mapfile_text, AT(packet),
	    .doc = "Where it stands in a packet; not read yet." },
	{ .name = NULL },
};
#undef AT

static bool
is_built_in(const char *name)
{
	const struct field *f = field_find(name, strlen(name));

	return f != NULL && f->value != FIELD_CUSTOM;
}

static int
definition_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	const struct definition *d = values;
	struct err why = ERR_INIT;

	(void)arg;
	(void)e;
	if (!mapfile_has(r, KEY_NAME) || !mapfile_has(r, KEY_SEMANTICS))
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "aggregate_primitives: name and semantics must be there");
	else if (!mapfile_has(r, KEY_FIELD_TYPE))
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "aggregate_primitives: '%s' has no field_type%s", d->name,
		    mapfile_has(r, KEY_PACKET) ? ", and packets are not looked into yet"
					       : "");
	else if (is_built_in(
		     d->name)) /* pmacct's users have defined what it lacked then */
		problem_add(ps, PROBLEM_WARNING, &r->at,
		    "aggregate_primitives: there is a primitive '%s' already: it stays",
		    d->name);
	else if (custom_add(d->name, &d->custom, &why) != 0)
		problem_add(
		    ps, PROBLEM_ERROR, &r->at, "aggregate_primitives: %s", why.text);
	return 0;
}

int
custom_load(const char *path, struct problems *ps, struct err *e)
{
	static const struct mapfile map = { "aggregate_primitives", keys,
		sizeof(struct definition), definition_take };

	return mapfile_read(&map, path, NULL, ps, e);
}

size_t
custom_text(const struct field *f, const void *value, char *buf)
{
	const struct custom *c = custom_of(field_no(f));
	ip16_t ip;
	mac_t mac;
	const char *s;

	switch (c != NULL ? c->semantics : CUSTOM_UINT) {
	case CUSTOM_UINT:
		return (size_t)sprintf(buf, "%" PRIu64, field_uint(value, 8));
	case CUSTOM_IP:
		memcpy(&ip, value, sizeof(ip));
		return ip_format(&ip, buf);
	case CUSTOM_MAC:
		memcpy(&mac, value, sizeof(mac));
		return mac_format(&mac, buf);
	case CUSTOM_HEX:
	case CUSTOM_STR:
	case CUSTOM_RAW:
		s = intern_text((uint32_t)field_uint(value, 4));
		if (s[0] == '\0' && c->semantics == CUSTOM_HEX)
			s = "0"; /* the record had it not: a number all the same */
		memcpy(buf, s, strlen(s) + 1);
		return strlen(s);
	}
	assert(false && "semantics of no kind");
	return 0;
}

size_t
custom_width(const struct field *f)
{
	static const uint8_t numbers[9] = { [1] = 3, [2] = 5, [4] = 10, [8] = 20 };
	const struct custom *c = custom_of(field_no(f));

	if (c == NULL)
		return 0;
	switch (c->semantics) {
	case CUSTOM_UINT:
	case CUSTOM_HEX:
		return c->len < sizeof(numbers) ? numbers[c->len] : 0;
	case CUSTOM_IP:
		return 46;
	case CUSTOM_MAC:
		return 18;
	case CUSTOM_STR:
		return c->len;
	case CUSTOM_RAW: /* pmacct's title is narrower, and its rows are as wide as this */
		return c->len > 0 ? (size_t)c->len * 3 - 1 : 0;
	}
	assert(false && "semantics of no kind");
	return 0;
}
