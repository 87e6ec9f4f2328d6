/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * requests: what is asked of the agent, and the answers to it, from a tree. libnetsnmp
 * hands a request on to handlers through a session with itself, over a pipe: that is twice
 * the work of answering. So Get and GetNext (RFC 2741 s7.2.1, s7.2.2) are taken where they
 * arrive and answered at once; SETs, and whatever is not usual, go the library's way. The
 * agent's thread; there is one in a process, as the library keeps its state in globals.
 */
#ifndef WEIR_AGENT_REQUESTS_H
#define WEIR_AGENT_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/session.h"
#include "agent/tree.h"

struct requests;
struct stats;
struct snmp_session;
struct snmp_pdu;
struct variable_list;

/* A module that is served, and where. */
struct root {
	struct requests *requests;
	const struct mib *mib;
	size_t n_base;
	unsigned long base[OID_BASE_MAX]; /* net-snmp's oid */
	bool writes;                  /* SETs are handed on */
};

/* The SET that is under way: it is one from its TestSet to what ends it. */
struct set_request {
	bool open;
	long transaction, packet;     /* of its TestSet */
};

struct requests {
	struct mib_tree *tree;        /* answers come from it; NULL before the first */
	struct root roots[2];         /* in the order of their names */
	unsigned n_roots;
	struct control *control;      /* SETs; NULL: nothing may be set */
	struct set_request set;
	struct stats *stats;
	const char *boot_file;
	struct moment now;            /* of the requests being answered */
	uint64_t boot_mono;           /* now.boot by the monotonic clock */
	uint64_t changing;            /* by the monotonic clock: until then a SET is on its way */
	/* Takes the PDUs that are not taken here. */
	int (*library)(int op, struct snmp_session *session, int reqid, struct snmp_pdu *pdu,
	    void *magic);
};

/* Register what is to be served, with the library; false when it refuses. `q` is all zero. */
bool requests_register(struct requests *q, const struct session_config *c);

/* A session with a master was opened: take its requests. */
void requests_attach(struct requests *q, struct snmp_session *one);

/* Put `v` of type `type` into `vb`. */
void varbind_fill(struct variable_list *vb, enum value_type type, const struct value *v);

#endif
