/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * places: where in the configuration a problem lies. Modules that refuse what a directive
 * says begin with its name ("print_preprocess: there is no 'minz'", "pre_tag_map /x: No such
 * file"), or with the plugin ("print[a]: ..."); here the line is found that said it, by
 * whatever name of the directive's it did. Main thread.
 */
#ifndef WEIR_DAEMON_PLACES_H
#define WEIR_DAEMON_PLACES_H

#include <stddef.h>

#include "lib/directive.h"

/*
 * Write `text`, which begins as above, to `buf`, with "file:line: " before it, and the name
 * that stands there, where the line is found.
 */
void place_text(const struct config *c, const char *text, char *buf, size_t room);

/* Do so with all problems that have no place yet. */
void places_tell(const struct config *c, struct problems *ps);

#endif
