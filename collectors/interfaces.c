/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/interfaces.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collectors/pcap.h"
#include "lib/log.h"
#include "lib/mapfile.h"

/* ---- the map */

struct map_rule {
	const char *name;
	uint32_t ifindex;
	enum field_direction direction;
};

static const char *const direction_words[] = {
	[DIRECTION_UNKNOWN] = "both",
	[DIRECTION_IN] = "in",
	[DIRECTION_OUT] = "out",
};

static int
parse_direction(
    const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	enum field_direction d;

	(void)k;
	for (d = DIRECTION_IN; d <= DIRECTION_OUT; d++)
		if (strcmp(text, direction_words[d]) == 0) {
			memcpy(at, &d, sizeof(d));
			return 0;
		}
	return err_set(why, WEIR_EINVAL, "'%.20s': write in or out", text);
}

static int
parse_name(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	if (strlen(text) >= IF_NAMESIZE)
		return err_set(why, WEIR_EINVAL,
		    "'%.60s' is longer than an interface's name can be", text);
	return mapfile_text(k, text, at, why);
}

enum { ROW_NAME, ROW_IFINDEX, ROW_DIRECTION };

#define AT(member) .offset = offsetof(struct map_rule, member)
static const struct mapfile_key map_keys[] = {
	[ROW_NAME] = { "ifname", parse_name, AT(name), .doc = "The interface." },
	[ROW_IFINDEX] = { "ifindex", mapfile_u32, AT(ifindex), .min = 1,
	    .doc = "Its number, for pcap_ifindex: map." },
	[ROW_DIRECTION] = { "direction", parse_direction, AT(direction),
	    .doc =
		"Packets of this direction alone; which of in_iface and out_iface has "
		"the number." },
	{ .name = NULL },
};
#undef AT

/* The interface of that name and direction, or NULL. */
static struct capture_interface *
list_find(const struct interfaces *l, const char *name, enum field_direction direction)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->list[i]->name, name) == 0 &&
		    l->list[i]->direction == direction)
			return l->list[i];
	return NULL;
}

/* One whose packets `name` in `direction` would count twice. */
static const struct capture_interface *
list_overlaps(
    const struct interfaces *l, const char *name, enum field_direction direction)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->list[i]->name, name) == 0 &&
		    (l->list[i]->direction == direction ||
			direction == DIRECTION_UNKNOWN ||
			l->list[i]->direction == DIRECTION_UNKNOWN))
			return l->list[i];
	return NULL;
}

static void
interface_free(struct capture_interface *i)
{
	fanout_free(i->fanout);
	free(i->name);
	free(i);
}

static struct capture_interface *
interface_new(const struct pcap_config *c, const struct map_rule *rule)
{
	struct capture_interface *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return NULL;
	i->config = c;
	i->name = strdup(rule->name);
	i->direction = rule->direction;
	atomic_init(&i->map_ifindex, rule->ifindex);
	i->fanout = fanout_new();
	if (i->name != NULL && i->fanout != NULL)
		return i;
	interface_free(i);
	return NULL;
}

static void
list_free(struct interfaces *l)
{
	for (unsigned i = 0; i < l->n; i++)
		interface_free(l->list[i]);
	free(l->list);
	free(l);
}

static int
list_add(struct interfaces *l, const struct pcap_config *c, const struct map_rule *rule,
    struct err *e)
{
	void *list = realloc(l->list, (l->n + 1) * sizeof(l->list[0]));

	if (list != NULL) {
		l->list = list;
		l->list[l->n] = interface_new(c, rule);
	}
	if (list == NULL || l->list[l->n] == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for interfaces");
	l->n++;
	return 0;
}

/* A reading of the map. */
struct map_reader {
	const struct pcap_config *config;
	struct interfaces *list;
};

static int
map_take(void *arg, const struct mapfile_rule *r, const void *values,
    struct problems *ps, struct err *e)
{
	struct map_reader *reader = arg;
	struct map_rule rule = *(const struct map_rule *)values;
	const struct capture_interface *other;

	if (!mapfile_has(r, ROW_NAME)) {
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "pcap_interfaces_map: a rule without an interface; write "
		    "ifname=NAME");
		return 0;
	}
	if (!mapfile_has(r, ROW_DIRECTION))
		rule.direction = (enum field_direction)reader->config->direction;
	other = list_overlaps(reader->list, rule.name, rule.direction);
	if (other != NULL) {
		problem_add(ps, PROBLEM_ERROR, &r->at,
		    "pcap_interfaces_map: %s stands here for direction %s already: its "
		    "packets would count twice; give one rule direction=in, the other "
		    "direction=out",
		    rule.name, direction_words[other->direction]);
		return 0;
	}
	if (reader->config->ifindex == IFINDEX_MAP && rule.ifindex == 0)
		problem_add(ps, PROBLEM_WARNING, &r->at,
		    "pcap_interfaces_map: %s has no ifindex, which pcap_ifindex: map "
		    "asks for",
		    rule.name);
	return list_add(reader->list, reader->config, &rule, e);
}

static const struct mapfile map = { "pcap_interfaces_map", map_keys,
	sizeof(struct map_rule), map_take };

/* The interfaces of the map; NULL with errors in `ps`. */
static struct interfaces *
map_load(const struct pcap_config *c, struct problems *ps)
{
	size_t before = ps->n_errors;
	struct map_reader reader = { c, calloc(1, sizeof(*reader.list)) };
	struct err e = ERR_INIT;

	if (reader.list == NULL)
		problem_add(ps, PROBLEM_ERROR, NULL, "pcap_interfaces_map: no memory");
	else if (mapfile_read(&map, c->interfaces_map, &reader, ps, &e) != 0)
		problem_add(ps, PROBLEM_ERROR, NULL, "%s", e.text);
	else if (reader.list->n == 0 && ps->n_errors == before)
		problem_add(ps, PROBLEM_ERROR, NULL,
		    "pcap_interfaces_map %s: empty: there is nothing to capture from",
		    c->interfaces_map);
	if (ps->n_errors == before)
		return reader.list;
	if (reader.list != NULL)
		list_free(reader.list);
	return NULL;
}

bool
interface_is_any(const struct capture_interface *i)
{
	return i->config->ifindex == IFINDEX_SYS && strcmp(i->name, "any") == 0;
}

void
interface_where(const struct capture_interface *i, char *to, size_t room)
{
	bool both = i->direction == DIRECTION_UNKNOWN;

	snprintf(to, room, "%s%s%s", i->name, both ? "" : " ",
	    both ? "" : direction_words[i->direction]);
}

/* ---- the directives */

/* The line that decides directive `key`, or NULL. */
static const struct config_line *
line_of(const struct config *lines, const char *key)
{
	const struct config_line *found = NULL;

	for (size_t i = 0; i < lines->n; i++)
		if (strcmp(lines->lines[i].key, key) == 0)
			found = &lines->lines[i];
	return found;
}

static void
protocol_load(struct pcap_config *c, const struct config *lines, struct problems *ps)
{
	const char *text = c->protocol_text;
	unsigned long n;
	char *end;

	if (text == NULL)
		return;
	n = strtoul(text, &end, 0);
	if (*end != '\0' || end == text || *text == '-' || n == 0 || n > 0xffff)
		problem_add(ps, PROBLEM_ERROR, line_of(lines, "pcap_protocol"),
		    "pcap_protocol: '%.20s': write an EtherType, such as 0x0800 (IPv4) "
		    "or 0x86dd (IPv6)",
		    text);
	else
		c->protocol = (uint16_t)n;
}

/* What no directive tells alone. Returns whether there are interfaces to capture from. */
static bool
config_check(
    const struct pcap_config *c, const struct config *lines, struct problems *ps)
{
	int n = (c->interface != NULL) + (c->interfaces_map != NULL) +
		(c->savefile != NULL);

	if (n > 1) {
		problem_add(ps, PROBLEM_ERROR,
		    line_of(lines,
			c->savefile != NULL ? "pcap_savefile" : "pcap_interfaces_map"),
		    "write one of pcap_interface, pcap_interfaces_map and "
		    "pcap_savefile");
		return false;
	}
	if (c->ifindex == IFINDEX_MAP && c->interfaces_map == NULL)
		problem_add(ps, PROBLEM_ERROR, line_of(lines, "pcap_ifindex"),
		    "pcap_ifindex: map, but there is no pcap_interfaces_map");
	return c->interface != NULL || c->interfaces_map != NULL;
}

void
interfaces_load(struct pcap_config *c, const struct config *lines, struct problems *ps)
{
	const struct map_rule one = { c->interface, 0,
		(enum field_direction)c->direction };
	struct err e = ERR_INIT;

	c->interfaces = NULL;
	protocol_load(c, lines, ps);
	if (!config_check(c, lines, ps))
		return;
	if (c->interfaces_map != NULL) {
		c->interfaces = map_load(c, ps);
	} else {
		c->interfaces = calloc(1, sizeof(*c->interfaces));
		if (c->interfaces == NULL || list_add(c->interfaces, c, &one, &e) != 0)
			abort(); /* a hundred octets at start */
	}
	for (unsigned i = 0; c->interfaces != NULL && c->ifindex != IFINDEX_NONE &&
			     i < c->interfaces->n;
	     i++)
		if (c->interfaces->list[i]->direction == DIRECTION_UNKNOWN &&
		    !interface_is_any(c->interfaces->list[i]))
			problem_add(ps, PROBLEM_WARNING, line_of(lines, "pcap_ifindex"),
			    "pcap_ifindex: %s is captured in both directions: without "
			    "one, "
			    "in_iface and out_iface stay 0",
			    c->interfaces->list[i]->name);
}

static void
interface_tell(const struct capture_interface *i, const char *what)
{
	char where[IF_NAMESIZE + 8];

	interface_where(i, where, sizeof(where));
	log_info("pcap_interfaces_map: %s %s", where, what);
}

/* Bring those of `old` up to what stands in `fresh`. */
static void
list_update(const struct interfaces *old, const struct interfaces *fresh)
{
	for (unsigned i = 0; i < old->n; i++) {
		struct capture_interface *it = old->list[i];
		const struct capture_interface *now =
		    list_find(fresh, it->name, it->direction);
		bool was_retired = atomic_load(&it->retired);

		if (now != NULL)
			atomic_store(&it->map_ifindex, atomic_load(&now->map_ifindex));
		if ((now == NULL) == was_retired)
			continue;
		atomic_store(&it->retired, now == NULL);
		interface_tell(it, now == NULL ? "is gone" : "is back");
	}
}

/* Move those of `fresh` that `old` does not have over to it. */
static void
list_append(struct interfaces *old, struct interfaces *fresh)
{
	struct capture_interface **list =
	    realloc(old->list, (old->n + fresh->n) * sizeof(old->list[0]));
	unsigned kept = 0;

	if (list == NULL) {
		log_err("pcap_interfaces_map: no memory for new interfaces");
		return;
	}
	old->list = list;
	for (unsigned i = 0; i < fresh->n; i++) {
		struct capture_interface *it = fresh->list[i];

		if (list_find(old, it->name, it->direction) != NULL) {
			fresh->list[kept++] = it;
			continue;
		}
		it->added = true;
		interface_tell(it, "is new");
		old->list[old->n++] = it;
	}
	fresh->n = kept;
}

void
interfaces_reload(struct pcap_config *c, struct problems *ps)
{
	struct interfaces *fresh;

	if (c->interfaces_map == NULL || (fresh = map_load(c, ps)) == NULL)
		return;
	list_update(c->interfaces, fresh);
	list_append(c->interfaces, fresh);
	list_free(fresh);
	log_info("pcap_interfaces_map %s: read anew", c->interfaces_map);
}

void
interfaces_free(struct pcap_config *c)
{
	if (c->interfaces != NULL)
		list_free(c->interfaces);
	c->interfaces = NULL;
}

/* ---- pmacct's hash */

static void
jenkins_mix(uint32_t v[3])
{
	static const uint8_t shifts[] = { 13, 8, 13, 12, 16, 5, 3, 10, 15 };

	for (unsigned i = 0; i < sizeof(shifts); i++) {
		uint32_t *a = &v[i % 3], b = v[(i + 1) % 3], c = v[(i + 2) % 3];

		*a -= b;
		*a -= c;
		*a ^= i % 3 == 1 ? c << shifts[i] : c >> shifts[i];
	}
}

uint32_t
interface_hash(const char *name)
{
	uint32_t v[3] = { 0x9e3779b9, 0x9e3779b9, 0 };
	uint32_t len = (uint32_t)strlen(name), at = 0;

	for (uint32_t i = 0; i < len; i++) {
		/* The last octet of the third word is the length's, once the end is near. */
		unsigned shift =
		    at >= 8 && len - i + at < 12 ? 8 * (at - 7) : 8 * (at % 4);

		v[at / 4] += (uint32_t)(uint8_t)name[i] << shift;
		if (++at == 12) {
			jenkins_mix(v);
			at = 0;
		}
	}
	v[2] += len;
	jenkins_mix(v);
	return v[2];
}
