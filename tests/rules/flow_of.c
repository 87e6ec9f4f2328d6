/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/rules/flow_of.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/field.h"
#include "lib/intern.h"

static void
value_set(struct flow *f, const struct field *field, const char *text)
{
	char *at = (char *)f + field->offset, *end;
	ip16_t ip;
	mac_t mac;

	switch (field->value) {
	case FIELD_IP:
		assert_int_equal(ip_parse(text, &ip), 0);
		memcpy(at, &ip, sizeof(ip));
		break;
	case FIELD_MAC:
		assert_int_equal(mac_parse(text, &mac), 0);
		memcpy(at, &mac, sizeof(mac));
		break;
	case FIELD_STR:
		field_uint_set(at, field->octets, intern(text, strlen(text)));
		break;
	default:
		field_uint_set(at, field->octets, strtoull(text, &end, 10));
		assert_true(*end == '\0');
		break;
	}
}

void
flow_of(const char *text, struct flow *f)
{
	char copy[512], *word, *rest = copy;

	memset(f, 0, sizeof(*f));
	assert_true(strlen(text) < sizeof(copy));
	strcpy(copy, text);
	while ((word = strsep(&rest, " ")) != NULL) {
		char *value = strchr(word, '=');
		const struct field *field;

		if (*word == '\0')
			continue;
		assert_non_null(value);
		*value++ = '\0';
		field = field_find(word, strlen(word));
		if (field == NULL)
			fail_msg("%s: no such field", word);
		else
			value_set(f, field, value);
	}
}
