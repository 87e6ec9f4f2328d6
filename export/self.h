/* SPDX-License-Identifier: GPL-2.0-or-later */
/* self: whether a receiver is this weir itself: what is sent there would come back for ever. */
#ifndef WEIR_EXPORT_SELF_H
#define WEIR_EXPORT_SELF_H

#include <stdbool.h>
#include <sys/socket.h>

#include "export/receivers.h"
#include "export/target.h"

struct engine;

/* Whether engine `engine` listens at `a`: target_options.refuse. Any thread. */
bool self_listens(const void *engine, const struct sockaddr_storage *a, socklen_t len);

/* A receiver that is this weir, or NULL. */
const struct target *self_find(const struct engine *en, const struct receivers *r);

#endif
