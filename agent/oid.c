/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/oid.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/tables.h"
#include "flow/selector.h"
#include "lib/hash.h"

/* The configuration of an SNMP plugin: that called `name`, or the first; NULL: none. */
static const struct output *
plugin_find(const struct engine *en, const char *name)
{
	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->ops == &snmp_output &&
		    (name == NULL || strcmp(en->outputs[i]->name, name) == 0))
			return en->outputs[i];
	return NULL;
}

/* All columns of `t`, for the row with this index. */
static void
columns_print(const struct output *o, const struct mib_table *t, const uint64_t *index,
    size_t n, FILE *to)
{
	const struct snmp_config *c = o->config;
	const char *base = c->oid_base[0] == '.' ? c->oid_base + 1 : c->oid_base;

	for (uint16_t i = 0; i < t->n_columns; i++) {
		fprintf(to, "%-28s .%s", t->columns[i].name, base);
		for (uint8_t k = 0; k < t->n_prefix; k++)
			fprintf(to, ".%u", t->prefix[k]);
		fprintf(to, ".%u", t->columns[i].number);
		for (size_t k = 0; k < n; k++)
			fprintf(to, ".%llu", (unsigned long long)index[k]);
		fputc('\n', to);
	}
}

int
oid_print(const struct engine *en, const char *view, const char *key, FILE *to,
    struct err *e)
{
	const struct output *o = plugin_find(en, view);
	const struct snmp_config *c;
	uint64_t row[(ROWSPEC_MAX_KEY + 8 * FIELD_COUNT) / 8 + 8] = { 0 }, index[3], id;
	struct selector s;
	int rc;

	if (o == NULL)
		return err_set(e, WEIR_EINVAL, "there is no plugin snmp[%s]", view);
	c = o->config;
	index[0] = c->index != 0 ? c->index : hash_index(o->name);
	if (key == NULL) {
		columns_print(o, &view_table, index, 1, to);
		return 0;
	}
	if ((rc = selector_parse(&s, key, e)) != 0 ||
	    (rc = selector_check(&s, &o->view->rs, e)) != 0 ||
	    (rc = selector_row(&s, &o->view->rs, (uint8_t *)row, e)) != 0)
		return rc;
	id = rowspec_identity(&o->view->rs, (uint8_t *)row) >> 2;
	index[1] = id >> 31;
	index[2] = id & 0x7fffffff;
	columns_print(o, &entry_table, index, 3, to);
	return 0;
}

int
oid_print_watch(const struct engine *en, const char *name, FILE *to, struct err *e)
{
	const struct output *o = plugin_find(en, NULL);
	uint32_t n;
	struct watch *list = watches_copy(en->watches, &n);
	int rc = err_set(e, WEIR_EINVAL, "watch_map has no '%s'", name);

	if (o == NULL)
		rc = err_set(e, WEIR_EINVAL, "there is no plugin of type snmp");
	for (uint32_t i = 0; o != NULL && i < n; i++) {
		const uint64_t index = list[i].index;

		if (strcmp(list[i].name, name) != 0)
			continue;
		columns_print(o, &watch_table, &index, 1, to);
		rc = 0;
	}
	free(list);
	return rc;
}
