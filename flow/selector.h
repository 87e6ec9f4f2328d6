/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selector: which rows of a view are meant: conditions on fields of their keys, all of
 * which must hold, as `src_host=192.0.2.0/24 dst_port=443`. Names are those of
 * `aggregate`, values as rows show them (text_key); addresses may have a length. What
 * text_key writes selects its row (texts with blanks want quotes around them). Plain memory of the caller's; constant once made.
 */
#ifndef WEIR_FLOW_SELECTOR_H
#define WEIR_FLOW_SELECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/rowspec.h"
#include "flow/text.h"
#include "lib/err.h"

#define SELECTOR_TERMS 24U

enum selector_kind {
	SELECTOR_PREFIX, /* an address within a network, or the address */
	SELECTOR_NUMBER, /* equal integers, also protocols and the ids of texts */
	SELECTOR_TEXT,   /* equal text forms, of whatever else there is: `number` is interned */
};

struct selector_term {
	uint16_t field;      /* enum field_no */
	uint8_t kind;
	struct prefix prefix;
	uint64_t number;
};

struct selector {
	unsigned n;          /* 0: every row */
	struct selector_term terms[SELECTOR_TERMS];
};

/*
 * Add the condition that field `name` is `value`. Returns 0; -WEIR_ENOENT when there is no
 * field of this name; -WEIR_EINVAL or -WEIR_EFULL; with `e` filled.
 */
int selector_add(struct selector *s, const char *name, const char *value, struct err *e);

/*
 * Make `s` of `text`: conditions with blanks between them, quotes (') around values with
 * blanks in them; "total" and nothing are every row. Returns as selector_add.
 */
int selector_parse(struct selector *s, const char *text, struct err *e);

/* Write `s` as selector_parse reads it to `buf`, cut at `room`. Returns the length. */
size_t selector_text(const struct selector *s, char *buf, size_t room);

/*
 * Put the key that `s` (which fits `rs`) is into `row`, zero otherwise, of rs->row_octets.
 * Returns 0, or -WEIR_EINVAL with `e` where it is more than one key.
 */
int selector_row(const struct selector *s, const struct rowspec *rs, uint8_t *row,
    struct err *e);

/*
 * Whether rows of `rs` have in their keys what `s` asks for. Returns 0, or -WEIR_EINVAL
 * with `e` saying what they have.
 */
int selector_check(const struct selector *s, const struct rowspec *rs, struct err *e);

/* Whether `s` (which fits `rs`) means `row`. */
bool selector_matches(const struct selector *s, const struct rowspec *rs,
    const uint8_t *row);

#endif
