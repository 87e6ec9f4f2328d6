/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * custom: primitives of the operator's own (aggregate_primitives): elements of NetFlow v9
 * and IPFIX that weir has no primitive for. fields.def has a row for each of CUSTOM_MAX
 * slots; a definition gives one its name and says how its value reads. Slots are given
 * out in the order of the file, so what outlives weir by a row's identity (names of
 * archives, SNMP indexes) wants new definitions at the end.
 *
 * Defined at load, by the main thread, before anybody looks; constant from then on.
 */
#ifndef WEIR_FLOW_CUSTOM_H
#define WEIR_FLOW_CUSTOM_H

#include <stddef.h>
#include <stdint.h>

#include "flow/field.h"
#include "lib/directive.h"
#include "lib/err.h"

enum custom_semantics {
	CUSTOM_UINT, /* decimal; the low 8 octets of a longer one */
	CUSTOM_HEX,  /* hexadecimal without leading zeroes */
	CUSTOM_IP,   /* 4 octets or 16 */
	CUSTOM_MAC,
	CUSTOM_STR,
	CUSTOM_RAW,  /* octets in upper-case hexadecimal, dashes between them */
};

struct custom {
	uint32_t enterprise;
	uint16_t element;
	enum custom_semantics semantics;
	uint32_t len; /* octets that are expected, for the width of a column; 0: any */
};

/* The definition of primitive `no`; NULL when it is no custom one, or nobody's. */
const struct custom *custom_of(enum field_no no);

/*
 * Define a primitive `name` (letters, digits, '_'; any case). Returns 0, or -WEIR_EINVAL
 * or -WEIR_EFULL with `e` filled.
 */
int custom_add(const char *name, const struct custom *c, struct err *e);

/*
 * Define what the file at `path` says, as aggregate_primitives: a line
 * `name=NAME field_type=[PEN:]ELEMENT len=N|vlen semantics=KIND` each. Values are as long as
 * the exporter's template says, whatever `len` is. Faults go to `ps`, with file:line. Returns 0,
 * or -WEIR_E... with `e` filled when the file cannot be read.
 */
int custom_load(const char *path, struct problems *ps, struct err *e);

/* Forget all definitions. */
void custom_clear(void);

/* Write the value of custom primitive `f` as text to `buf` (TEXT_MAX). Returns its length. */
size_t custom_text(const struct field *f, const void *value, char *buf);

/* Octets of pmacct's column for values of custom primitive `f`; 0: it has none such. */
size_t custom_width(const struct field *f);

#endif
