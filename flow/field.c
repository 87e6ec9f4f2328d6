/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/field.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "flow/custom.h"
#include "flow/flow.h"
#include "lib/directive.h"

const struct field fields[FIELD_COUNT] = {
#define FIELD(id, NAME, member, ctype, value, merge, config, json, title, sql, sql_type, mib, \
    ie, doc) \
	[F_##NAME] = { id, offsetof(struct flow, member), sizeof(ctype), FIELD_##value, \
		FIELD_##merge, #member, config, json, title, sql, sql_type, mib, ie, doc },
#include "flow/fields.def"
#undef FIELD
};

static bool
field_is_defined(const struct field *f)
{
	return f->value != FIELD_CUSTOM || custom_of(field_no(f)) != NULL;
}

const struct field *
field_find(const char *name, size_t len)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (field_is_defined(&fields[i]) &&
		    strncasecmp(fields[i].config, name, len) == 0 &&
		    fields[i].config[len] == '\0')
			return &fields[i];
	return NULL;
}

/* Names for two primitives at once. */
static const struct {
	const char *name;
	enum field_no fields[2];
} pairs[] = {
	{ "src_host_coords", { F_SRC_LAT, F_SRC_LON } },
	{ "dst_host_coords", { F_DST_LAT, F_DST_LON } },
};
#define N_PAIRS (sizeof(pairs) / sizeof(pairs[0]))

/* Take `word` where it is a name of two. Returns whether it is, or -WEIR_EINVAL. */
static int
field_set_pair(const char *word, struct field_set *out, struct err *e)
{
	for (size_t i = 0; i < N_PAIRS; i++) {
		if (strcmp(word, pairs[i].name) != 0)
			continue;
		if (field_set_has(out, pairs[i].fields[0]) ||
		    field_set_has(out, pairs[i].fields[1]))
			return err_set(e, WEIR_EINVAL, "primitive '%s' stands twice", word);
		field_set_add(out, pairs[i].fields[0]);
		field_set_add(out, pairs[i].fields[1]);
		return 1;
	}
	return 0;
}

#define FROM_BGP "it comes from BGP, which weir does not speak: leave it out"

/* pmacct's that are none here. */
static const struct {
	const char *name, *why;
} foreign[] = {
	{ "as_path", FROM_BGP },
	{ "std_comm", FROM_BGP },
	{ "ext_comm", FROM_BGP },
	{ "lrg_comm", FROM_BGP },
	{ "local_pref", FROM_BGP },
	{ "med", FROM_BGP },
	{ "src_as_path", FROM_BGP },
	{ "src_std_comm", FROM_BGP },
	{ "src_ext_comm", FROM_BGP },
	{ "src_lrg_comm", FROM_BGP },
	{ "src_local_pref", FROM_BGP },
	{ "src_med", FROM_BGP },
	{ "src_roa", FROM_BGP },
	{ "dst_roa", FROM_BGP },
	{ "sum_host", "count src_host and dst_host in a plugin each" },
	{ "sum_net", "count src_net and dst_net in a plugin each" },
	{ "sum_as", "count src_as and dst_as in a plugin each" },
	{ "sum_port", "count src_port and dst_port in a plugin each" },
	{ "sum_mac", "count src_mac and dst_mac in a plugin each" },
};

/* Say of `word`, which is no primitive, what to write instead. */
static int
field_unknown(const char *word, struct err *e)
{
	const char *names[FIELD_COUNT + N_PAIRS], *near;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (strcmp(foreign[i].name, word) == 0)
			return err_set(e, WEIR_EINVAL,
			    "there is no primitive '%s' here: %s", word,
			    foreign[i].why);
	if (word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		return err_set(
		    e, WEIR_EINVAL, "unknown primitive '%s'; divide primitives by commas",
		    word);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (field_is_defined(&fields[i]))
			names[n++] = fields[i].config;
	for (size_t i = 0; i < N_PAIRS; i++)
		names[n++] = pairs[i].name;
	near = nearest_word(word, names, n);
	return err_set(e, WEIR_EINVAL, "unknown primitive '%s'%s%s%s", word,
	    near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
	    near != NULL ? "'?" : "");
}

/* Take one word of `aggregate` into `out`. */
static int
field_set_word(const char *word, struct field_set *out, struct err *e)
{
	const struct field *f = field_find(word, strlen(word));
	int pair = field_set_pair(word, out, e);

	if (pair != 0)
		return pair > 0 ? 0 : pair;
	if (f == NULL)
		return field_unknown(word, e);
	if (field_set_has(out, field_no(f)))
		return err_set(e, WEIR_EINVAL, "primitive '%s' stands twice", word);
	field_set_add(out, field_no(f));
	return 0;
}

int
field_set_parse(const char *list, struct field_set *out, struct err *e)
{
	char word[64];
	size_t len = 0;
	bool none = false;
	size_t words = 0;

	memset(out, 0, sizeof(*out));
	for (const char *p = list;; p++) {
		if (*p != ',' && *p != '\0') {
			if (isspace((unsigned char)*p))
				continue;
			if (len + 1 >= sizeof(word))
				return err_set(e, WEIR_EINVAL,
				    "no primitive has a name that long");
			word[len++] = (char)tolower((unsigned char)*p);
			continue;
		}
		word[len] = '\0';
		if (len == 0)
			return err_set(e, WEIR_EINVAL,
			    "an empty name: write a comma list of primitives, or 'none'");
		words++;
		if (strcmp(word, "none") == 0)
			none = true;
		else if (field_set_word(word, out, e) != 0)
			return -WEIR_EINVAL;
		len = 0;
		if (*p == '\0')
			break;
	}
	if (none && words > 1)
		return err_set(e, WEIR_EINVAL, "'none' stands alone or not at all");
	return 0;
}
