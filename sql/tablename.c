/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/tablename.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lib/clock.h"

#define TIME_VARIABLES "dHmMsSwWYz"
#define VARIABLES_TEXT "%%Y %%m %%d %%H %%M %%S %%s %%w %%W %%z $ref $hst"
#define BATCH_TABLE    "weir_batch"

bool
tablename_is_timed(const char *pattern)
{
	return strchr(pattern, '%') != NULL;
}

/*
 * Only these: a name can then be quoted for every engine, and holds no path or schema.
 */
static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

/*
 * The value of the variable at `p` to `out`; returns its length in the pattern, 0:
 * none.
 */
static size_t
variable_expand(const char *p, const struct tablename_vars *v, char *out, size_t room)
{
	time_t t = (time_t)(v->bin_start / CLOCK_S);
	const char format[3] = { '%', p[1], '\0' };
	struct tm tm;

	if (strncmp(p, "$ref", 4) == 0 || strncmp(p, "$hst", 4) == 0) {
		snprintf(out, room, "%" PRIu32,
		    p[1] == 'r' ? v->refresh_s : v->history_s);
		return 4;
	}
	if (p[0] != '%' || p[1] == '\0' || strchr(TIME_VARIABLES, p[1]) == NULL)
		return 0;
	if (p[1] == 's') { /* strftime would take the time for local, whatever it is */
		snprintf(out, room, "%" PRIu64, v->bin_start / CLOCK_S);
		return 2;
	}
	if (v->utc)
		gmtime_r(&t, &tm);
	else
		localtime_r(&t, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (strftime(out, room, format, &tm) == 0)
		out[0] = '\0';
#pragma GCC diagnostic pop
	for (char *c = out; *c != '\0'; c++)
		if (!is_name_char(*c)) /* the sign of %z */
			*c = '_';
	return 2;
}

int
tablename_expand(const char *pattern, const struct tablename_vars *v,
    char buf[TABLENAME_MAX + 1], struct err *e)
{
	size_t len = 0;

	for (const char *p = pattern; *p != '\0';) {
		char text[32] = { *p, '\0' };
		size_t step = 1, n;

		if (*p == '%' || *p == '$') {
			if ((step = variable_expand(p, v, text, sizeof(text))) == 0)
				return err_set(e, WEIR_EINVAL,
				    "sql_table '%s': '%.2s' is no variable of tables: "
				    "write one of " VARIABLES_TEXT, pattern, p);
		} else if (!is_name_char(*p)) {
			return err_set(e, WEIR_EINVAL,
			    "sql_table '%s': '%c' cannot be in the name of a table: "
			    "write letters, digits and _", pattern, *p);
		}
		n = strlen(text);
		if (len + n > TABLENAME_MAX)
			return err_set(e, WEIR_EINVAL,
			    "sql_table '%s': longer than %u characters", pattern,
			    TABLENAME_MAX);
		memcpy(buf + len, text, n);
		len += n;
		p += step;
	}
	buf[len] = '\0';
	if (len == 0)
		return err_set(e, WEIR_EINVAL, "sql_table: the name is empty");
	if (strcasecmp(buf, BATCH_TABLE) == 0)
		return err_set(e, WEIR_EINVAL,
		    "sql_table: " BATCH_TABLE " is weir's own table");
	return 0;
}
