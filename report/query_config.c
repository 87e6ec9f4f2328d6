/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/query_config.h"

#include <stdio.h>

#define FROM_MAX 4200U /* octets of a file's name and a line's number */

struct config_reply {
	struct reply *r;
	bool all;
};

static const struct reply_column columns[] = {
	REPLY_COLUMN("directive", "DIRECTIVE", "str"),
	REPLY_COLUMN("plugin", "PLUGIN", "str"),
	REPLY_COLUMN("value", "VALUE", "str"),
	REPLY_COLUMN("from", "FROM", "str"),
};

/* "weir.conf:12", "-i" of an option, "default". */
static const char *
from_text(const struct config_line *l, char buf[FROM_MAX])
{
	if (l == NULL)
		return "default";
	if (l->line == 0)
		return l->file;
	snprintf(buf, FROM_MAX, "%s:%u", l->file, l->line);
	return buf;
}

static void
value_row(void *arg, const struct directive_value *v)
{
	const struct config_reply *c = arg;
	char from[FROM_MAX];

	if (v->from == NULL && !c->all)
		return;
	reply_row_start(c->r);
	reply_text(c->r, "directive", v->name);
	reply_text(c->r, "plugin", v->plugin != NULL ? v->plugin : "");
	if (v->text != NULL)
		reply_text(c->r, "value", v->text);
	else
		reply_null(c->r, "value");
	reply_text(c->r, "from", from_text(v->from, from));
	reply_row_end(c->r);
}

void
query_config(const struct engine *en, bool all, struct reply *r)
{
	struct config_reply c = { r, all };

	if (en->directives == NULL) {
		reply_error(r, "the configuration cannot be shown here");
		return;
	}
	reply_start(r, "config");
	reply_columns(r, columns, sizeof(columns) / sizeof(columns[0]));
	if (en->directives(en->directives_arg, value_row, &c) != 0)
		r->broken = true; /* half an answer is none */
	reply_end(r);
}
