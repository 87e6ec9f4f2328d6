/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/agent/agent_callbacks.h>

#include "agent/registration.h"

#include <stdio.h>
#include <string.h>

#include "agent/requests.h"
#include "agent/tables.h"

enum { REGISTER = 3 }; /* RFC 2741 s6.1 */
enum { DUPLICATE_REGISTRATION = 263, REQUEST_DENIED = 267 }; /* s6.2.16 */

void
registration_begin(struct requests *q)
{
	q->asking = NULL;
	for (unsigned i = 0; i < q->n_roots; i++) {
		q->roots[i].registered = false;
		q->roots[i].refusal = 0;
	}
}

void
registration_asks(struct requests *q, const subid_t *name, size_t len)
{
	q->asking = NULL;
	for (unsigned i = 0; i < q->n_roots; i++)
		if (snmp_oid_compare(name, len, q->roots[i].base, q->roots[i].n_base) == 0)
			q->asking = &q->roots[i];
}

void
registration_answered(void *requests, const uint8_t *head)
{
	struct requests *q = requests;

	if (q->asking == NULL || q->sent[0] == 0 || q->sent[1] != REGISTER ||
	    !wire_responds(head, q->sent))
		return;
	q->asking->refusal = wire_error(head);
	q->asking->registered = q->asking->refusal == 0;
}

/* Have the library tell the master of `r`, as it does when it registers by itself. */
static void
root_tell(struct root *r, int what)
{
	struct register_parameters p = { .name = r->base, .namelen = r->n_base,
		.priority = DEFAULT_MIB_PRIORITY, .contextName = "" };

	snmp_call_callbacks(SNMP_CALLBACK_APPLICATION, what, &p);
}

void
registration_again(struct requests *q)
{
	q->opening = true; /* a master that goes meanwhile is told of afterwards */
	for (unsigned i = 0; i < q->n_roots; i++) {
		struct root *r = &q->roots[i];

		if (r->registered)
			continue;
		/* It may have taken it, too late for its answer: it would be there already. */
		if (r->refusal == 0)
			root_tell(r, SNMPD_CALLBACK_UNREGISTER_OID);
		r->refusal = 0;
		root_tell(r, SNMPD_CALLBACK_REGISTER_OID);
	}
}

/* The OID of `r` in dotted decimal. */
static const char *
root_text(const struct root *r, char *buf, size_t room)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < r->n_base && len < room; i++)
		len += (size_t)snprintf(buf + len, room - len, "%s%lu", i > 0 ? "." : "",
		    r->base[i]);
	return buf;
}

int
registration_check(const struct requests *q, struct err *e)
{
	const struct root *r = NULL;
	char oid_text[OID_BASE_MAX * 11 + 1];

	for (unsigned i = 0; i < q->n_roots && r == NULL; i++)
		if (!q->roots[i].registered)
			r = &q->roots[i];
	if (r == NULL)
		return 0;
	root_text(r, oid_text, sizeof(oid_text));
	if (r->refusal == DUPLICATE_REGISTRATION)
		return err_set(e, WEIR_EEXIST, "another subagent has OID %s: end it, or %s", oid_text,
		    r->mib == &weir_mib ? "set snmp_oid_base" : "leave snmp_ipfix_mib out");
	if (r->refusal == 0)
		return err_set(e, WEIR_EIO, "the AgentX master does not answer who registers OID %s",
		    oid_text);
	return err_set(e, WEIR_EIO, "the AgentX master refuses OID %s: %s (error %u of RFC 2741)",
	    oid_text, r->refusal == REQUEST_DENIED ? "it allows no subagent to have it"
	                                           : "look into snmpd's log", r->refusal);
}
