/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/rd.h"

#include <string.h>

#include "lib/ip.h"

/* The decimal number up to `end`, at most `max`; false when it is none. */
static bool
number_parse(const char *text, const char *end, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (text == end || end - text > 10)
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (uint64_t)(*text - '0');
	}
	*out = v;
	return v <= max;
}

/* The address in dotted form up to `end`, as a number. */
static bool
quad_parse(const char *text, const char *end, uint64_t *out)
{
	char quad[16];
	ip16_t a;

	if ((size_t)(end - text) >= sizeof(quad))
		return false;
	memcpy(quad, text, (size_t)(end - text));
	quad[end - text] = '\0';
	if (ip_parse(quad, &a) != 0 || !ip_is_v4(&a))
		return false;
	*out = (uint64_t)a.b[12] << 24 | (uint64_t)a.b[13] << 16 |
	       (uint64_t)a.b[14] << 8 | a.b[15];
	return true;
}

/* The three types of RFC 4364 s4.2: how large administrator and number are. */
int
rd_read(const struct mapfile_key *k, const char *text, void *at, struct err *why)
{
	const char *one = strchr(text, ':'),
		   *two = one != NULL ? strchr(one + 1, ':') : NULL;
	uint64_t type = 0, administrator = 0, number = 0, rd;
	bool fine = two != NULL && number_parse(text, one, 2, &type);

	(void)k;
	if (fine && type == 1)
		fine = quad_parse(one + 1, two, &administrator);
	else if (fine)
		fine = number_parse(
		    one + 1, two, type == 0 ? UINT16_MAX : UINT32_MAX, &administrator);
	if (!fine || !number_parse(two + 1, two + strlen(two),
			 type == 0 ? UINT32_MAX : UINT16_MAX, &number))
		return err_set(why, WEIR_EINVAL,
		    "'%s' is no route distinguisher; write 0:AS:NUMBER, "
		    "1:ADDRESS:NUMBER "
		    "or 2:AS:NUMBER",
		    text);
	rd = type << 48 | administrator << (type == 0 ? 32 : 16) | number;
	memcpy(at, &rd, sizeof(rd));
	return 0;
}
