/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rd: route distinguishers as operators write them in maps. Main thread.
 */
#ifndef WEIR_RULES_RD_H
#define WEIR_RULES_RD_H

#include "lib/mapfile.h"

/*
 * A value of a map's key, TYPE:ADMINISTRATOR:NUMBER, to a uint64_t: the three types of
 * RFC 4364 s4.2.
 */
int rd_read(const struct mapfile_key *k, const char *text, void *at, struct err *why);

#endif
