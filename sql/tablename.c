/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/tablename.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define BATCH_TABLE "weir_batch"

/*
 * Only these: a name can then be quoted for every engine, and holds no path or schema.
 */
static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_';
}

/* The variable at `p` to `out`; returns its length in the pattern, 0: none. */
static size_t
name_variable(const char *p, const struct variables *v, char out[VARIABLE_MAX])
{
	size_t taken = variable_expand(p, v, out);

	for (char *c = out; taken > 0 && *c != '\0'; c++)
		if (!is_name_char(*c)) /* the sign of %z */
			*c = '_';
	return taken;
}

int
tablename_expand(const char *pattern, const struct variables *v,
    char buf[TABLENAME_MAX + 1], struct err *e)
{
	size_t len = 0;

	for (const char *p = pattern; *p != '\0';) {
		char text[VARIABLE_MAX] = { *p, '\0' };
		size_t step = 1, n;

		if (*p == '%' || *p == '$') {
			if ((step = name_variable(p, v, text)) == 0)
				return err_set(e, WEIR_EINVAL,
				    "sql_table '%s': '%.2s' is no variable of tables; there "
				    "are %s", pattern, p, VARIABLES_TEXT);
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

void
tablename_fold(const char *name, bool fold, char buf[TABLENAME_MAX + 1])
{
	size_t i;

	for (i = 0; name[i] != '\0' && i < TABLENAME_MAX; i++)
		buf[i] = (char)(fold ? tolower((unsigned char)name[i]) : name[i]);
	buf[i] = '\0';
}
