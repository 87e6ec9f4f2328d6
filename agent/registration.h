/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registration: whether the master has taken what is to be served. The library registers all
 * of it when a session is opened, and again when it is asked to, but tells nobody what the
 * master answered: so answers are looked at as they arrive (agent/link.h). The agent's thread.
 */
#ifndef WEIR_AGENT_REGISTRATION_H
#define WEIR_AGENT_REGISTRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/tree.h"
#include "lib/err.h"

struct requests;

/* A session with a master was opened, which knows nothing of ours. */
void registration_begin(struct requests *q);

/* The library is about to register what is at `name`, which may be none of ours. */
void registration_asks(struct requests *q, const subid_t *name, size_t len);

/*
 * The master has sent a PDU that begins so (WIRE_HEADER + WIRE_RESPONSE octets); `requests`
 * are those of its session.
 */
void registration_answered(void *requests, const uint8_t *head);

/* Register once more what is not registered. Waits for the master as all calls do. */
void registration_again(struct requests *q);

/* 0, or -WEIR_EEXIST or so with `e` that says what the master has not taken, and what to do. */
int registration_check(const struct requests *q, struct err *e);

#endif
