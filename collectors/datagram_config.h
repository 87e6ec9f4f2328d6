/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directives of the two families of export protocols, which fill a struct
 * datagram_config each, and what is made of their values: loaded once all lines are
 * read, loaded anew on reload. Main thread.
 */
#ifndef WEIR_COLLECTORS_DATAGRAM_CONFIG_H
#define WEIR_COLLECTORS_DATAGRAM_CONFIG_H

#include "collectors/datagram.h"
#include "lib/directive.h"

extern const struct directive_set netflow_directives; /* nfacctd_* */
extern const struct directive_set sflow_directives;   /* sfacctd_* */

/*
 * Load the files that `c` names and check what one directive alone cannot tell. Faults go
 * to `ps`, by the names that directives of `family` ("nfacctd") have, and with their
 * place among `lines`.
 */
void datagram_config_load(struct datagram_config *c, const char *family,
    const struct config *lines, struct problems *ps);

/* Load those files anew; with faults in one, which go to `ps`, its old contents stay. */
void datagram_config_reload(struct datagram_config *c, struct problems *ps);

/* Release what datagram_config_load made, when no collector uses it any more. */
void datagram_config_fini(struct datagram_config *c);

#endif
