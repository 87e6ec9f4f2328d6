/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/unknown.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct unknown {
	uint16_t n;
	bool more; /* than there is room for */
	struct {
		uint32_t enterprise;
		uint16_t id;
	} at[UNKNOWN_MAX];
};

void
unknown_add(struct unknown **list, uint32_t enterprise, uint16_t id)
{
	struct unknown *u = *list;

	if (u == NULL && (u = *list = calloc(1, sizeof(*u))) == NULL)
		return;
	for (uint16_t i = 0; i < u->n; i++)
		if (u->at[i].id == id && u->at[i].enterprise == enterprise)
			return;
	if (u->n == UNKNOWN_MAX) {
		u->more = true;
		return;
	}
	u->at[u->n].enterprise = enterprise;
	u->at[u->n++].id = id;
}

void
unknown_free(struct unknown *list)
{
	free(list);
}

size_t
unknown_text(const struct unknown *list, char buf[UNKNOWN_TEXT])
{
	size_t len = 0;

	buf[0] = '\0';
	for (uint16_t i = 0; list != NULL && i < list->n; i++) {
		const char *blank = i > 0 ? " " : "";
		int n;

		if (list->at[i].enterprise == 0)
			n = snprintf(buf + len, UNKNOWN_TEXT - len, "%s%u", blank,
			    (unsigned)list->at[i].id);
		else
			n = snprintf(buf + len, UNKNOWN_TEXT - len, "%s%" PRIu32 ":%u",
			    blank, list->at[i].enterprise, (unsigned)list->at[i].id);
		len += (size_t)n;
	}
	if (list != NULL && list->more)
		len += (size_t)snprintf(buf + len, UNKNOWN_TEXT - len, " ...");
	return len;
}
