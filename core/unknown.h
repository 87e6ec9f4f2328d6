/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unknown: information elements that an exporter's templates have and that mean nothing to
 * us. Their values are stepped over; who wonders what a device tells beyond what is shown
 * finds them here. A bounded list, made when there is something to put into it; each user
 * says which lock guards it.
 */
#ifndef WEIR_CORE_UNKNOWN_H
#define WEIR_CORE_UNKNOWN_H

#include <stddef.h>
#include <stdint.h>

#define UNKNOWN_MAX  32U /* elements in a list; of more only that there are more is told */
#define UNKNOWN_TEXT (UNKNOWN_MAX * sizeof("4294967295:65535 ") + sizeof("..."))

struct unknown;

/* Add element (enterprise, id) to the list, once. Where memory is short nothing is done. */
void unknown_add(struct unknown **list, uint32_t enterprise, uint16_t id);

void unknown_free(struct unknown *list);

/*
 * Write the list to `buf` in the order of coming: "57590 35632:110", with "..." at the end
 * where there were more. NULL is the empty list. Returns the length without the NUL.
 */
size_t unknown_text(const struct unknown *list, char buf[UNKNOWN_TEXT]);

#endif
