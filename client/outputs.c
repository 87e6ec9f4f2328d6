/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/client.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "client/link.h"

int
client_failing(const char *socket, const char *type, char *name, size_t room, struct err *e)
{
	struct link *l = link_open(socket, e);
	json_t *row;
	int rc, n = 0;

	if (l == NULL)
		return -e->code;
	rc = link_ask(l, json_pack("{s:s}", "cmd", "outputs"), e) != NULL ? 1 : -e->code;
	while (rc == 1 && (rc = link_row(l, &row, e)) == 1) {
		const char *its = json_string_value(json_object_get(row, "type"));
		const char *state = json_string_value(json_object_get(row, "state"));
		const char *output = json_string_value(json_object_get(row, "output"));

		if (its == NULL || state == NULL || output == NULL || strcmp(its, type) != 0 ||
		    strcmp(state, "failing") != 0)
			continue;
		if (n++ == 0)
			snprintf(name, room, "%s", output);
	}
	link_close(l);
	return rc < 0 ? rc : n;
}
