/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/netflow_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collectors/netflow_state.h"
#include "lib/infile.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"
#include "proto/netflow.h"

/* How pmacct keeps elements: in a table of these many, others in lists by remainder. */
#define LEGACY_MAX 384U
#define LISTS 8U

/* Octets of a template record, at most. */
#define RECORD_MAX (4U + 8U * TEMPLATE_FIELDS_MAX)

static uint16_t
swapped(uint32_t id)
{
	return (uint16_t)(id << 8 | (id >> 8 & 0xff));
}

/* A number of an object, 0 to `max`; -1 when it has none. */
static int64_t
number_get(const json_t *object, const char *name, int64_t max)
{
	const json_t *value = json_object_get(object, name);
	json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;

	return n >= 0 && n <= max ? n : -1;
}

/* The field specifier of an element of "list"; false when it is none. */
static bool
element_write(struct wbuf *w, const json_t *element, enum template_kind kind)
{
	const json_t *legacy = json_object_get(element, "otpl");
	const json_t *other = json_object_get(element, "utpl");
	const json_t *field = legacy != NULL ? legacy : other;
	int64_t len = number_get(field, "tpl_len", UINT16_MAX), pen = 0, id;

	id = number_get(field, legacy != NULL ? "tpl_index" : "type", UINT16_MAX);
	if (legacy == NULL)
		pen = number_get(field, "pen", UINT32_MAX);
	if (len < 0 || id < 0 || pen < 0)
		return false;
	if (kind == TEMPLATE_V9 && (pen != 0 || len == FIELD_VARIABLE))
		return false;
	if (kind == TEMPLATE_IPFIX && (id & FIELD_ENTERPRISE) != 0)
		return false;
	wbuf_u16(w, (uint16_t)(id | (pen != 0 ? FIELD_ENTERPRISE : 0)));
	wbuf_u16(w, (uint16_t)len);
	if (pen != 0)
		wbuf_u32(w, (uint32_t)pen);
	return true;
}

/* Keep the template of a line as one of `kind`; false when it cannot be. */
static bool
line_keep(const json_t *line, enum template_kind kind, struct exporter_cache *c,
    const struct field_set *needed)
{
	const json_t *list = json_object_get(line, "list");
	const char *agent = json_string_value(json_object_get(line, "agent"));
	int64_t domain = number_get(line, "source_id", UINT32_MAX);
	int64_t id = number_get(line, "template_id", UINT16_MAX);
	size_t n = json_array_size(list);
	static uint8_t record[RECORD_MAX]; /* main thread */
	struct wbuf w = wbuf_of(record, sizeof(record));
	struct template_def d;
	struct rbuf r;
	ip16_t addr;

	if (agent == NULL || ip_parse(agent, &addr) != 0 || domain < 0 || id < 0 ||
	    n == 0 || n > TEMPLATE_FIELDS_MAX)
		return false;
	wbuf_u16(&w, swapped((uint32_t)id));
	wbuf_u16(&w, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		if (!element_write(&w, json_array_get(list, i), kind))
			return false;
	r = rbuf_of(record, wbuf_len(&w));
	return wbuf_ok(&w) && template_next(&r, kind, &d) == 0 &&
	       netflow_state_keep(c, needed, &addr, (uint32_t)domain, &d);
}

/* The templates of one line: one, or one of either version where it does not say. */
static unsigned
line_read(const char *text, struct exporter_cache *c, const struct field_set *needed)
{
	json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	int64_t version = number_get(line, "version", 10);
	unsigned kept = 0;

	if (line != NULL && number_get(line, "template_type", 0) == 0) {
		if (version != 10)
			kept += line_keep(line, TEMPLATE_V9, c, needed);
		if (version != 9)
			kept += line_keep(line, TEMPLATE_IPFIX, c, needed);
	}
	json_decref(line);
	return kept;
}

int
netflow_json_load(struct exporter_cache *c, const struct field_set *needed,
    const char *path, struct err *e)
{
	struct stat st;
	FILE *f = infile_open(path, NETFLOW_STATE_MAX, &st);
	char *text = NULL;
	size_t room = 0;
	unsigned kept = 0;
	int rc = 0;

	if (f == NULL)
		return errno == ENOENT
			   ? -WEIR_ENOENT
			   : err_set(e, WEIR_EIO, "%s: %s", path, infile_error(errno));
	if (!S_ISREG(st.st_mode))
		rc = err_set(e, WEIR_EIO, "%s: is no file", path);
	while (rc == 0 && getline(&text, &room, f) != -1)
		kept += line_read(text, c, needed);
	free(text);
	(void)fclose(f);
	return rc != 0 ? rc : (int)kept;
}

/* A file in the making. */
struct text {
	FILE *to; /* memory */
	char *p;
	size_t len;
};

/* What pmacct tells of an element: its place while all before it have a fixed length. */
static void
element_print(FILE *to, const struct template_spec *spec, uint32_t off, unsigned place)
{
	unsigned len = spec->variable ? 0 : spec->octets;

	if (spec->enterprise == 0 && spec->id < LEGACY_MAX)
		fprintf(to,
		    "{\"type\": 0, \"otpl\": {\"off\": %u, \"len\": %u, "
		    "\"tpl_len\": %u, \"tpl_index\": %u}}",
		    off, len, spec->octets, spec->id);
	else
		fprintf(to,
		    "{\"type\": 1, \"utpl\": {\"pen\": %u, \"type\": %u, "
		    "\"off\": %u, \"len\": %u, \"tpl_len\": %u, \"repeat_id\": 0, "
		    "\"ie_idx\": %u}}",
		    spec->enterprise, spec->id, off, len, spec->octets, place);
}

static void
template_print(const struct exporter *x, const struct template *t, void *arg)
{
	FILE *to = ((struct text *)arg)->to;
	struct rbuf r = rbuf_of(t->fields, t->fields_octets);
	unsigned places[LISTS] = { 0 }; /* of the next element in pmacct's lists */
	char agent[IP_STRLEN];
	uint32_t off = 0;
	bool variable = false;

	if (t->options)
		return;
	ip_format(&x->addr, agent);
	fprintf(to,
	    "{\"agent\": \"%s\", \"source_id\": %u, \"template_id\": %u, "
	    "\"template_type\": 0, \"num\": %u, \"len\": %u, \"vlen\": %d, "
	    "\"version\": %d, \"list\": [",
	    agent, x->domain, swapped(t->id), t->n_fields,
	    t->variable ? 0 : t->min_octets, t->variable,
	    t->kind == TEMPLATE_IPFIX ? 10 : 9);
	for (unsigned i = 0; i < t->n_fields; i++) {
		struct template_spec spec =
		    template_spec_read(&r, (enum template_kind)t->kind);
		bool listed = spec.enterprise != 0 || spec.id >= LEGACY_MAX;

		fprintf(to, "%s", i > 0 ? ", " : "");
		element_print(to, &spec, variable ? 0 : off, places[spec.id % LISTS]);
		places[spec.id % LISTS] += listed;
		variable |= spec.variable;
		off += spec.octets;
	}
	fprintf(to, "]}\n");
}

int
netflow_json_save(struct exporters *x, const char *path, struct err *e)
{
	struct text text = { 0 };
	struct statefile_part part;
	bool all;
	int rc;

	text.to = open_memstream(&text.p, &text.len);
	if (text.to == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory for %s", path);
	all = netflow_state_each(x, template_print, &text);
	if (fclose(text.to) != 0 || !all) {
		free(text.p);
		return err_set(e, WEIR_ENOMEM, "no memory for %s", path);
	}
	part = (struct statefile_part){ text.p, text.len };
	rc = statefile_replace(path, &part, 1, e);
	free(text.p);
	return rc;
}
