/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/value.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "lib/ip.h"

/* A letter after a number and what it multiplies by. */
struct scale {
	char letter;
	uint32_t factor;
};
static const struct scale no_scale[] = { { '\0', 1 } };
static const struct scale octet_scale[] = { { 'K', 1 << 10 }, { 'M', 1 << 20 },
	{ 'G', 1 << 30 }, { 'k', 1 << 10 }, { 'm', 1 << 20 }, { 'g', 1 << 30 },
	{ '\0', 1 } };
static const struct scale second_scale[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 },
	{ 'd', 86400 }, { 'w', 604800 }, { '\0', 1 } };

static const struct number {
	const struct scale *scale;
	const char *looks;  /* for complaints */
	uint64_t max;       /* that the member can hold */
	size_t octets;      /* of the member: 4 or 8 */
} numbers[] = {
	[DIRECTIVE_U32] = { no_scale, "a decimal number", UINT32_MAX, 4 },
	[DIRECTIVE_U64] = { no_scale, "a decimal number", UINT64_MAX, 8 },
	[DIRECTIVE_OCTETS] = { octet_scale,
	    "a decimal number, with K, M or G for multiples of 1024", UINT64_MAX, 8 },
	[DIRECTIVE_SECONDS] = { second_scale,
	    "a decimal number of seconds, or one with s, m, h, d or w", UINT32_MAX, 4 },
};

static uint64_t
number_get(const struct directive *d, const void *at)
{
	uint32_t v32;
	uint64_t v64;

	if (numbers[d->type].octets == sizeof(v64)) {
		memcpy(&v64, at, sizeof(v64));
		return v64;
	}
	memcpy(&v32, at, sizeof(v32));
	return v32;
}

/*
 * Read digits and a letter of `scale`. Returns -WEIR_EINVAL for anything else,
 * -WEIR_EFULL when the number does not fit.
 */
static int
number_scan(const char *text, const struct scale *scale, uint64_t *out)
{
	const char *p = text;
	bool over = false;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');

		over |= v > (UINT64_MAX - digit) / 10;
		v = v * 10 + digit;
	}
	while (scale->letter != '\0' && scale->letter != *p)
		scale++;
	if (p == text || p[scale->letter != '\0'] != '\0')
		return -WEIR_EINVAL;
	*out = v * scale->factor;
	return over || v > UINT64_MAX / scale->factor ? -WEIR_EFULL : 0;
}

static int
number_parse(const struct directive *d, const char *text, void *at, struct err *why)
{
	const struct number *num = &numbers[d->type];
	uint64_t max = d->max != 0 ? d->max : num->max, v;
	const char *unit = d->unit != NULL ? d->unit : "";
	uint32_t v32;
	int rc = number_scan(text, num->scale, &v);

	if (rc == -WEIR_EINVAL && d->max != 0)
		return err_set(why, WEIR_EINVAL, "'%s' is not %s; write %" PRIu64 " to %" PRIu64
		    "%s%s", text, num->looks, d->min, max, *unit != '\0' ? " " : "", unit);
	if (rc == -WEIR_EINVAL)
		return err_set(why, WEIR_EINVAL, "'%s' is not %s", text, num->looks);
	if (rc != 0 || v < d->min || v > max)
		return err_set(why, WEIR_EINVAL,
		    "%s is out of range; write %" PRIu64 " to %" PRIu64 "%s%s", text,
		    d->min, max, *unit != '\0' ? " " : "", unit);
	v32 = (uint32_t)v;
	memcpy(at, num->octets == sizeof(v32) ? (void *)&v32 : (void *)&v, num->octets);
	return 0;
}

static void
number_print(const struct directive *d, const void *at, FILE *to)
{
	fprintf(to, "%" PRIu64, number_get(d, at));
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Is `word` (n octets) `text`, in any letter case? */
static bool
word_is(const char *word, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (lower(word[i]) != lower(text[i]))
			return false;
	return text[n] == '\0';
}

/* The place of `text` in "a|b|c", or -1. */
static int
words_find(const char *words, const char *text)
{
	int place = 0;

	for (;; place++) {
		size_t n = strcspn(words, "|");

		if (word_is(words, n, text))
			return place;
		if (words[n] == '\0')
			return -1;
		words += n + 1;
	}
}

static int
bool_parse(const struct directive *d, const char *text, void *at, struct err *why)
{
	int place = words_find("false|true", text);
	bool v = place == 1;

	(void)d;
	if (place < 0) {
		int like_true = words_find("yes|on|1|enable|enabled", text);
		int like_false = words_find("no|off|0|disable|disabled", text);

		return err_set(why, WEIR_EINVAL,
		    "'%s' is neither true nor false; write %s", text,
		    like_true >= 0    ? "true"
		        : like_false >= 0 ? "false"
		                          : "one of them");
	}
	memcpy(at, &v, sizeof(v));
	return 0;
}

static void
bool_print(const struct directive *d, const void *at, FILE *to)
{
	(void)d;
	fputs(*(const bool *)at ? "true" : "false", to);
}

static int
string_parse(const struct directive *d, const char *text, void *at, struct err *why)
{
	(void)d;
	(void)why;
	memcpy(at, &text, sizeof(text));
	return 0;
}

static const char *
string_get(const void *at)
{
	const char *text;

	memcpy(&text, at, sizeof(text));
	return text;
}

static void
string_print(const struct directive *d, const void *at, FILE *to)
{
	(void)d;
	fputs(string_get(at), to);
}

static int
path_parse(const struct directive *d, const char *text, void *at, struct err *why)
{
	if (*text == '\0')
		return err_set(why, WEIR_EINVAL, "no path; write one after the colon");
	if (*text == '"' || *text == '\'')
		return err_set(why, WEIR_EINVAL, "%s: write the path without quotes", text);
	return string_parse(d, text, at, why);
}

static int
address_parse(const struct directive *d, const char *text, void *at, struct err *why)
{
	(void)d;
	if (ip_parse(text, at) != 0)
		return err_set(why, WEIR_EINVAL,
		    "'%s' is not an address; write one like 192.0.2.1 or 2001:db8::1",
		    text);
	return 0;
}

static void
address_print(const struct directive *d, const void *at, FILE *to)
{
	char text[IP_STRLEN];

	(void)d;
	ip_format(at, text);
	fputs(text, to);
}

static int
enum_parse(const struct directive *d, const char *text, void *at, struct err *why)
{
	int place = words_find(d->words, text);

	if (place < 0)
		return err_set(why, WEIR_EINVAL,
		    "'%s' is none of %s; write one of them", text, d->words);
	memcpy(at, &place, sizeof(place));
	return 0;
}

static void
enum_print(const struct directive *d, const void *at, FILE *to)
{
	const char *word = d->words;
	int place;

	memcpy(&place, at, sizeof(place));
	for (; place > 0; place--) {
		word = strchr(word, '|');
		assert(word != NULL);
		word++;
	}
	fprintf(to, "%.*s", (int)strcspn(word, "|"), word);
}

static const struct {
	int (*parse)(const struct directive *d, const char *text, void *at,
	    struct err *why);
	void (*print)(const struct directive *d, const void *at, FILE *to);
	const char *syntax;
} types[] = {
	[DIRECTIVE_BOOL] = { bool_parse, bool_print, "true|false" },
	[DIRECTIVE_U32] = { number_parse, number_print, "number" },
	[DIRECTIVE_U64] = { number_parse, number_print, "number" },
	[DIRECTIVE_OCTETS] = { number_parse, number_print, "octets" },
	[DIRECTIVE_SECONDS] = { number_parse, number_print, "seconds" },
	[DIRECTIVE_STRING] = { string_parse, string_print, "text" },
	[DIRECTIVE_PATH] = { path_parse, string_print, "path" },
	[DIRECTIVE_IP] = { address_parse, address_print, "address" },
	[DIRECTIVE_ENUM] = { enum_parse, enum_print, NULL },
	[DIRECTIVE_NOTICE] = { NULL, NULL, "value" },
	[DIRECTIVE_REFUSED] = { NULL, NULL, "value" },
};

int
value_parse(const struct directive *d, const char *text, void *at, struct err *why)
{
	return types[d->type].parse(d, text, at, why);
}

void
value_print(const struct directive *d, const void *at, FILE *to)
{
	types[d->type].print(d, at, to);
}

bool
value_is_set(const struct directive *d, const void *at)
{
	switch (d->type) {
	case DIRECTIVE_U32:
	case DIRECTIVE_U64:
	case DIRECTIVE_OCTETS:
	case DIRECTIVE_SECONDS:
		return d->def != NULL || number_get(d, at) >= d->min;
	case DIRECTIVE_STRING:
	case DIRECTIVE_PATH:
		return string_get(at) != NULL;
	case DIRECTIVE_IP:
		return !ip_is_none(at);
	case DIRECTIVE_NOTICE:
	case DIRECTIVE_REFUSED:
		return false;
	case DIRECTIVE_BOOL:
	case DIRECTIVE_ENUM:
		break;
	}
	return true;
}

const char *
value_syntax(const struct directive *d)
{
	return d->type == DIRECTIVE_ENUM ? d->words : types[d->type].syntax;
}
