/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * geoip: what MaxMind's databases (geoipv2_file, geoip_as_file) tell of an address: country,
 * postal code, coordinates; AS and its name. Each worker remembers what it found for the
 * addresses that it met last; what a database says is interned as it is met.
 *
 * A database is copied when it is loaded: whoever writes a new one over it disturbs nobody.
 * Loaded by the main thread, looked up by workers, each by its number. The file's content
 * is read with libmaxminddb, which this file alone includes; built without it, nothing can
 * be loaded.
 */
#ifndef WEIR_RULES_GEOIP_H
#define WEIR_RULES_GEOIP_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "lib/err.h"
#include "rules/batch.h"

struct geoip;

#define GEOIP_WORKERS 256U /* as many as there can be */

/* What is known of an address; zero is not known. */
struct geoip_place {
	uint32_t country, pocode;  /* interned */
	uint32_t lat, lon;         /* millionths of a degree, int32_t */
	uint32_t as, as_name;      /* a number; interned */
};

/* Load `path`, which `directive` names. NULL with `e` filled. */
struct geoip *geoip_load(const char *directive, const char *path, struct err *e);
void geoip_free(struct geoip *g);

/* Which of the fields that a database fills are needed, by side. */
struct geoip_wants {
	bool place[2]; /* country, postal code or coordinates */
	bool as_name[2];
	bool as[2];    /* the AS, where *_as is geoip */
};

/* Fill `w` from `needed`, but for w->as. */
void geoip_wants_init(struct geoip_wants *w, const struct field_set *needed);

/* Add the hosts that are looked up for `needed`; `as`: the AS comes from here, too. */
void geoip_reads(const struct field_set *needed, bool as, struct field_set *reads);

/*
 * Fill what `w` wants into the flows of `b`: places from `places`, AS and names from
 * `systems` (either may be NULL, and what it would say is then not known).
 */
void geoip_apply(struct geoip *places, struct geoip *systems, const struct geoip_wants *w,
    struct batch *b);

/* What `g` tells of `a`, for worker `worker`. */
struct geoip_place geoip_find(struct geoip *g, unsigned worker, const ip16_t *a);

#endif
