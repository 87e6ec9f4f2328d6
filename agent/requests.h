/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * requests: what is asked of the agent, and the answers to it, from a tree. libnetsnmp
 * makes lists of a request and hands it on to handlers through a session with itself, over
 * a pipe: that is many times the work of answering. So Get and GetNext (RFC 2741 s7.2.1,
 * s7.2.2) are answered as the library reads the connection, which it then finds empty
 * (agent/wire.h); SETs, and whatever is not usual, go the library's way. The agent's thread;
 * there is one in a process, as the library keeps its state in globals.
 */
#ifndef WEIR_AGENT_REQUESTS_H
#define WEIR_AGENT_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/link.h"
#include "agent/root.h"
#include "agent/session.h"
#include "agent/tree.h"

struct requests;
struct stats;
struct snmp_session;
struct snmp_pdu;
struct variable_list;

/* The SET that is under way: it is one from its TestSet to what ends it. */
struct set_request {
	bool open;
	bool agreed;                  /* weir has said to its CommitSet that all is well */
	bool decided;                 /* and its CleanupSet has come */
	long transaction, packet;     /* of its TestSet */
};

struct requests {
	struct mib_tree *tree;        /* answers come from it; NULL before the first */
	struct root roots[2];         /* in the order of their names */
	unsigned n_roots;
	struct root *asking;          /* that the library registers now, or did last */
	struct control *control;      /* SETs; NULL: nothing may be set */
	struct set_request set;
	struct stats *stats;
	struct link link;             /* with the master */
	struct snmp_session *one;     /* with the master */
	bool opening;                 /* that, from requests_attach until it is served */
	uint8_t sent[WIRE_HEADER];    /* of the library's last PDU; version 0: of none */
	const char *boot_file;
	struct moment now;            /* of the requests being answered */
	struct cell last;             /* that was found */
	uint64_t boot_mono;           /* now.boot by the monotonic clock */
	uint64_t changing;            /* by the monotonic clock: until then a SET is on its way */
	/* Takes the PDUs that are not taken here. */
	int (*library)(int op, struct snmp_session *session, int reqid, struct snmp_pdu *pdu,
	    void *magic);
	uint8_t out[1 << 18];         /* an answer; those that are longer are the library's */
};

/* Register what is to be served, with the library; false when it refuses. `q` is all zero. */
bool requests_register(struct requests *q, const struct session_config *c);

/* A session with a master was opened: take its requests. */
void requests_attach(struct requests *q, struct snmp_session *one);

/*
 * That session is no more, or no longer served. A SET of its master's whose CleanupSet has come
 * is carried out; one that had not come to that is undone.
 */
void requests_detach(struct requests *q);

/*
 * The descriptor of a session of which something is read already, so that nobody would say
 * that there is something to read; -1: there is none.
 */
int requests_waiting(const struct requests *q);

/* Put `v` of type `type` into `vb`. */
void varbind_fill(struct variable_list *vb, enum value_type type, const struct value *v);

#endif
