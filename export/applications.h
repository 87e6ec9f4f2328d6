/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * applications: the numbers by which records tell classes (RFC 6759: applicationId), which
 * options data names. A number is the engine "USER-Defined" in the high octet, and four octets
 * that are made of the name: the same after a restart, and on other hosts, but for two names
 * that would have the same one. Any thread; a class that is known takes no lock.
 */
#ifndef WEIR_EXPORT_APPLICATIONS_H
#define WEIR_EXPORT_APPLICATIONS_H

#include <stdint.h>

#include "lib/err.h"

#define APPLICATIONS_MAX    4096U /* classes; more have no number */
#define APPLICATIONS_ENGINE 6U    /* IANA's "Classification Engine IDs": USER-Defined */

struct applications;

/* NULL with `e` filled. */
struct applications *applications_new(struct err *e);
void applications_free(struct applications *a);

/* The number of class `class_id` (an interned name); 0: it has none, or there are too many. */
uint64_t applications_id(struct applications *a, uint32_t class_id);

/* How many classes have one: numbered from 0 in the order in which they were met. */
unsigned applications_count(const struct applications *a);

/* The number and the name of class `i` of these. */
uint64_t applications_get(const struct applications *a, unsigned i, const char **name);

#endif
