/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include "agent/requests.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/control.h"
#include "agent/tables.h"
#include "core/stats.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rbuf.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"

#define BOOT_NAME "boot"
#define BOOT_JUMP (2 * CLOCK_S) /* what is less is the grain of sysUpTime, not a restart */

/* PDUs of RFC 2741 s6.1, which the library has in pdu->command before it translates them. */
enum { AGENTX_GET = 5, AGENTX_GETNEXT = 6, AGENTX_TESTSET = 8, AGENTX_UNDOSET = 10,
	AGENTX_CLEANUPSET = 11, AGENTX_RESPONSE = 18 };
#define AGENTX_NETWORK_ORDER 0x10

_Static_assert(_Generic((oid)0, subid_t : 1, default : 0), "oid and subid_t are one type");

/*
 * Whose PDUs are taken: they come without a hint of ours. NULL: nobody's.
 */
static struct requests *serving;

/* The moment of a request */

static uint64_t
apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The boot time that a run before this one found, in ns since 1970; 0: none. */
static uint64_t
boot_read(const char *path)
{
	uint8_t *body = NULL;
	struct rbuf r;
	size_t len;
	uint64_t ns;

	if (path == NULL || statefile_read(path, BOOT_NAME, 1, 8, &body, &len, NULL) != 0)
		return 0;
	r = rbuf_of(body, len);
	ns = rbuf_u64(&r);
	free(body);
	return ns;
}

static void
boot_write(const char *path, uint64_t ns)
{
	uint8_t body[8];
	struct wbuf w = wbuf_of(body, sizeof(body));
	struct err e = ERR_INIT;

	wbuf_u64(&w, ns);
	if (path != NULL && statefile_write(path, BOOT_NAME, 1, body, sizeof(body), &e) != 0)
		log_debug(LOG_SNMP, "snmp: %s", e.text);
}

/*
 * Note the moment, and when sysUpTime was 0. It is the library's, which follows the
 * master's. A boot time that was found is kept until sysUpTime has clearly begun anew,
 * over restarts of weir, too: so that one event has one TimeStamp for as long as possible,
 * even when the wall clock is set, and managers see no discontinuity where there is none.
 */
static void
requests_moment(struct requests *q)
{
	uint64_t up = (uint64_t)netsnmp_get_agent_uptime() * (10 * CLOCK_MS);
	uint64_t boot, before = 0;

	q->now.tree = q->tree;
	q->now.mono = clock_mono();
	boot = q->now.mono - up;
	if (q->now.boot != 0 && apart(boot, q->boot_mono) < BOOT_JUMP)
		return;
	if (q->now.boot == 0)
		before = boot_read(q->boot_file);
	q->boot_mono = boot;
	q->now.boot = clock_real() - up;
	if (apart(before, q->now.boot) < BOOT_JUMP)
		q->now.boot = before;
	else
		boot_write(q->boot_file, q->now.boot);
}

/* Values */

static void
varbind_number(netsnmp_variable_list *vb, u_char type, uint64_t n)
{
	/* The library keeps 32-bit types in a long. */
	long l = type == ASN_INTEGER ? (long)(int32_t)(uint32_t)n : (long)(uint32_t)n;

	snmp_set_var_typed_value(vb, type, &l, sizeof(l));
}

void
varbind_fill(netsnmp_variable_list *vb, enum value_type type, const struct value *v)
{
	struct counter64 c;

	switch (type) {
	case VALUE_INTEGER:
		varbind_number(vb, ASN_INTEGER, v->n);
		break;
	case VALUE_UNSIGNED:
		varbind_number(vb, ASN_GAUGE, v->n > UINT32_MAX ? UINT32_MAX : v->n);
		break;
	case VALUE_COUNTER32:
		varbind_number(vb, ASN_COUNTER, v->n);
		break;
	case VALUE_TIMETICKS:
		varbind_number(vb, ASN_TIMETICKS, v->n);
		break;
	case VALUE_COUNTER64:
		c.high = (u_long)(v->n >> 32);
		c.low = (u_long)(v->n & UINT32_MAX);
		snmp_set_var_typed_value(vb, ASN_COUNTER64, &c, sizeof(c));
		break;
	case VALUE_OCTETS:
		snmp_set_var_typed_value(vb, ASN_OCTET_STR, v->octets, v->len);
		break;
	}
}

/* Reading */

static void
cell_fill(const struct requests *q, const struct cell *c, netsnmp_variable_list *vb)
{
	struct value v;

	cell_value(&q->now, c, &v);
	varbind_fill(vb, c->column->type, &v);
}

/* The object called as `vb`, which is filled when there is one. */
static enum tree_found
root_get(const struct root *root, netsnmp_variable_list *vb)
{
	const struct requests *q = root->requests;
	size_t n = root->n_base;
	enum tree_found found = TREE_NO_OBJECT;
	struct cell c;

	if (q->tree != NULL && vb->name_length >= n)
		found = tree_get(root->mib, q->tree, vb->name + n, vb->name_length - n, &c);
	if (found == TREE_FOUND)
		cell_fill(q, &c, vb);
	return found;
}

/* The first object of `root` after `vb`, or that of its name if `inclusive`. */
static bool
root_next(const struct root *root, const netsnmp_variable_list *vb, bool inclusive,
    struct cell *c)
{
	const struct requests *q = root->requests;
	size_t n = root->n_base, len = 0;

	if (q->tree == NULL)
		return false;
	if (vb->name_length >= n && memcmp(vb->name, root->base, n * sizeof(oid)) == 0)
		len = vb->name_length - n;
	else if (snmp_oid_compare(vb->name, vb->name_length, root->base, n) > 0)
		return false;
	return tree_next(root->mib, q->tree, vb->name + (vb->name_length - len), len, inclusive,
	    c);
}

/* The name of `c`, to `name`; returns its length. */
static size_t
root_name(const struct root *root, const struct cell *c, oid *name)
{
	memcpy(name, root->base, root->n_base * sizeof(oid));
	return root->n_base + cell_name(root->requests->tree, c, name + root->n_base);
}

/* Taking requests where they arrive */

static void
varbind_except(netsnmp_variable_list *vb, u_char exception)
{
	snmp_set_var_typed_value(vb, exception, NULL, 0);
}

static void
varbind_get(const struct requests *q, netsnmp_variable_list *vb)
{
	enum tree_found found = TREE_NO_OBJECT;

	for (unsigned i = 0; i < q->n_roots && found == TREE_NO_OBJECT; i++) {
		const struct root *root = &q->roots[i];

		if (vb->name_length >= root->n_base &&
		    memcmp(vb->name, root->base, root->n_base * sizeof(oid)) == 0)
			found = root_get(root, vb);
	}
	if (found != TREE_FOUND)
		varbind_except(vb, found == TREE_NO_OBJECT ? SNMP_NOSUCHOBJECT
		                                           : SNMP_NOSUCHINSTANCE);
}

/*
 * Whether `name` lies beyond what the master asks for, which is in the value of `vb`; the
 * null identifier, which the library has as 0.0, is no bound (RFC 2741 s5.2).
 */
static bool
name_is_beyond(const netsnmp_variable_list *vb, const oid *name, size_t len)
{
	static const oid none[] = { 0, 0 };
	const oid *end = vb->val.objid;
	size_t n = vb->val_len / sizeof(oid);

	return n > 0 && snmp_oid_compare(end, n, none, 2) != 0 &&
	       snmp_oid_compare(name, len, end, n) >= 0;
}

static void
varbind_next(const struct requests *q, netsnmp_variable_list *vb)
{
	bool inclusive = vb->type == ASN_PRIV_INCL_RANGE;

	for (unsigned i = 0; i < q->n_roots; i++) {
		oid name[OID_BASE_MAX + NAME_MAX_LEN];
		struct cell c;
		size_t len;

		if (!root_next(&q->roots[i], vb, inclusive, &c))
			continue;
		len = root_name(&q->roots[i], &c, name);
		if (name_is_beyond(vb, name, len))
			break;
		snmp_set_var_objid(vb, name, len);
		cell_fill(q, &c, vb);
		return;
	}
	varbind_except(vb, SNMP_ENDOFMIBVIEW);
}

/* Answer `pdu`: its variables are the answer, or the first of them has this error. */
static void
pdu_answer(netsnmp_session *one, netsnmp_pdu *pdu, enum set_error error)
{
	netsnmp_pdu *answer = snmp_pdu_create(AGENTX_RESPONSE);

	if (answer == NULL)
		return; /* the master asks again */
	answer->version = one->version;
	answer->flags = pdu->flags & AGENTX_NETWORK_ORDER;
	answer->sessid = pdu->sessid;
	answer->transid = pdu->transid;
	answer->reqid = pdu->reqid;
	answer->errstat = (long)error;
	answer->errindex = error != SET_OK ? 1 : 0;
	if (error == SET_OK) {
		answer->variables = pdu->variables;
		pdu->variables = NULL;
	}
	if (snmp_send(one, answer) == 0)
		snmp_free_pdu(answer);
}

/* Count an answer that took `ns`. */
static void
answer_count(struct stats *s, uint64_t ns)
{
	static const struct { uint64_t ns; enum stat_no stat; } slower[] = {
		{ 100 * CLOCK_US, STAT_SNMP_OVER_100US }, { CLOCK_MS, STAT_SNMP_OVER_1MS },
		{ 10 * CLOCK_MS, STAT_SNMP_OVER_10MS }, { 100 * CLOCK_MS, STAT_SNMP_OVER_100MS },
	};

	stat_add(s, STAT_SNMP_ANSWERED, 1);
	for (size_t i = 0; i < sizeof(slower) / sizeof(slower[0]) && ns > slower[i].ns; i++)
		stat_add(s, slower[i].stat, 1);
}

static void
requests_answer(struct requests *q, netsnmp_session *one, netsnmp_pdu *pdu)
{
	requests_moment(q);
	for (netsnmp_variable_list *vb = pdu->variables; vb != NULL; vb = vb->next_variable)
		if (pdu->command == AGENTX_GET)
			varbind_get(q, vb);
		else
			varbind_next(q, vb);
	pdu_answer(one, pdu, SET_OK);
	answer_count(q->stats, clock_mono() - q->now.mono);
}

/*
 * Whether `pdu` brings more variables of a SET that is being looked at. A master sends them
 * in parts when somebody has registered something below our root, and wants each judged
 * before all are there, as rows cannot be: they are refused. The same part once more is
 * the master's, who has not waited for the answer.
 */
static bool
is_another_part(struct requests *q, const netsnmp_pdu *pdu)
{
	struct set_request *now = &q->set;

	if (pdu->command != AGENTX_TESTSET || q->control == NULL)
		return false;
	if (now->open && now->transaction == pdu->transid && now->packet != pdu->reqid)
		return true;
	*now = (struct set_request){ true, pdu->transid, pdu->reqid };
	return false;
}

/*
 * Whether `pdu` must go the library's way. A SET ends there, and takes longer than a request
 * that comes behind it: who has set something shall find it, so until it has ended all go
 * that way. Contexts (which come in `community`) are the library's: there are none.
 */
static bool
goes_by_library(struct requests *q, const netsnmp_pdu *pdu)
{
	if (pdu->command == AGENTX_CLEANUPSET || pdu->command == AGENTX_UNDOSET)
		q->changing = clock_mono() + CLOCK_S; /* if it never ends: nothing was to be set */
	if (pdu->command != AGENTX_GET && pdu->command != AGENTX_GETNEXT)
		return true;
	if (q->changing != 0 && clock_mono() >= q->changing)
		q->changing = 0;
	return q->changing != 0 || pdu->community_len != 0;
}

/* What the library calls with each PDU of the master, and with all else that happens. */
static int
requests_take(int operation, netsnmp_session *one, int id, netsnmp_pdu *pdu, void *magic)
{
	struct requests *q = serving;

	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || pdu == NULL)
		return q->library(operation, one, id, pdu, magic);
	if (is_another_part(q, pdu)) {
		pdu_answer(one, pdu, SET_RESOURCE_UNAVAILABLE);
		return 1;
	}
	if (goes_by_library(q, pdu))
		return q->library(operation, one, id, pdu, magic);
	/* The library keeps its alarm of pings here: a master that asks is there. */
	if (one->securityModel != SNMP_DEFAULT_SECMODEL)
		snmp_alarm_reset((unsigned)one->securityModel);
	requests_answer(q, one, pdu);
	return 1;
}

void
requests_attach(struct requests *q, netsnmp_session *one)
{
	if (one->callback == NULL || one->callback == requests_take)
		return;
	q->library = one->callback;
	q->set.open = false; /* another master has begun none */
	serving = q;
	one->callback = requests_take;
}

/* Setting */

/* What a manager wants an object to be, in our terms; false for types that none has. */
static bool
varbind_read(const netsnmp_variable_list *vb, enum value_type *type, struct value *v)
{
	v->n = 0;
	v->len = 0;
	switch (vb->type) {
	case ASN_INTEGER:
		*type = VALUE_INTEGER;
		v->n = (uint64_t)*vb->val.integer;
		return true;
	case ASN_GAUGE: /* Unsigned32 is the same */
		*type = VALUE_UNSIGNED;
		v->n = (uint32_t)*vb->val.integer;
		return true;
	case ASN_OCTET_STR:
		*type = VALUE_OCTETS;
		if (vb->val_len > sizeof(v->octets)) {
			v->len = sizeof(v->octets) + 1; /* longer than anything may be */
			return true;
		}
		memcpy(v->octets, vb->val.string, vb->val_len);
		v->len = vb->val_len;
		return true;
	default:
		return false;
	}
}

static enum set_error
request_ask(const struct root *root, const netsnmp_variable_list *vb)
{
	size_t n = root->n_base;
	enum value_type type;
	struct value v;

	if (vb->name_length < n || !varbind_read(vb, &type, &v))
		return SET_WRONG_TYPE;
	return control_ask(root->requests->control, vb->name + n, vb->name_length - n, type, &v);
}

/* A variable of a SET was found wrong, or its row; false when it was not. */
static bool
request_fails(netsnmp_agent_request_info *info, netsnmp_request_info *r, enum set_error rc)
{
	if (rc != SET_OK)
		netsnmp_set_request_error(info, r, (int)rc);
	return rc != SET_OK;
}

/* Each variable by itself, in their order, which later steps keep to. */
static void
set_ask(const struct root *root, netsnmp_agent_request_info *info, netsnmp_request_info *r)
{
	control_begin(root->requests->control);
	for (; r != NULL; r = r->next)
		if (!r->processed && request_fails(info, r, request_ask(root, r->requestvb)))
			return;
}

/* The rows that they make, and whether there is room for them. */
static void
set_prepare(struct requests *q, netsnmp_agent_request_info *info,
    netsnmp_request_info *requests)
{
	struct control *c = q->control;
	enum set_error rc;
	unsigned n = 0, blame;

	for (netsnmp_request_info *r = requests; r != NULL; r = r->next)
		if (!r->processed && request_fails(info, r, control_verdict(c, n++)))
			return;
	rc = control_prepare(c, &blame);
	for (netsnmp_request_info *r = requests; rc != SET_OK && r != NULL; r = r->next)
		if (!r->processed && blame-- == 0) {
			(void)request_fails(info, r, rc);
			return;
		}
}

/* Another SET has come in the place of this one: this one must not seem done. */
static void
set_lost(netsnmp_agent_request_info *info, netsnmp_request_info *r)
{
	if (info->mode == MODE_SET_RESERVE1 || info->mode == MODE_SET_RESERVE2)
		netsnmp_set_request_error(info, r, SNMP_ERR_RESOURCEUNAVAILABLE);
	else if (info->mode == MODE_SET_ACTION)
		netsnmp_set_request_error(info, r, SNMP_ERR_COMMITFAILED);
}

static void
set_end(struct requests *q)
{
	q->set.open = false;
	q->changing = 0;
}

/*
 * One of the steps of a SET. That in which the library lets a handler say that it cannot
 * (ACTION) has nothing to do: RESERVE2 has seen to it that it can.
 */
static void
root_set(const struct root *root, netsnmp_agent_request_info *info,
    netsnmp_request_info *requests)
{
	struct requests *q = root->requests;
	struct control *c = q->control;

	if (!q->set.open || q->set.transaction != info->asp->pdu->transid) {
		set_lost(info, requests);
		return;
	}
	switch (info->mode) {
	case MODE_SET_RESERVE1:
		set_ask(root, info, requests);
		break;
	case MODE_SET_RESERVE2:
		set_prepare(q, info, requests);
		break;
	case MODE_SET_COMMIT:
		control_commit(c);
		control_update(c, q->tree);
		set_end(q);
		break;
	case MODE_SET_FREE:
	case MODE_SET_UNDO:
		control_begin(c);
		set_end(q);
		break;
	default:
		break;
	}
}

/* The library's way, for what was not taken */

static void
request_get(const struct root *root, netsnmp_agent_request_info *info,
    netsnmp_request_info *request)
{
	enum tree_found found = root_get(root, request->requestvb);

	if (found != TREE_FOUND)
		netsnmp_set_request_error(info, request, found == TREE_NO_OBJECT ?
		    SNMP_NOSUCHOBJECT : SNMP_NOSUCHINSTANCE);
}

/* What is left untouched has no successor here: the library then says so. */
static void
request_getnext(const struct root *root, netsnmp_request_info *request)
{
	netsnmp_variable_list *vb = request->requestvb;
	oid name[OID_BASE_MAX + NAME_MAX_LEN];
	struct cell c;

	if (!root_next(root, vb, request->inclusive != 0, &c))
		return;
	snmp_set_var_objid(vb, name, root_name(root, &c, name));
	cell_fill(root->requests, &c, vb);
}

static int
root_handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg,
    netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	const struct root *root = handler->myvoid;

	(void)reg;
	requests_moment(root->requests);
	if (info->mode != MODE_GET && info->mode != MODE_GETNEXT) {
		if (root->writes)
			root_set(root, info, requests);
		return SNMP_ERR_NOERROR;
	}
	for (netsnmp_request_info *r = requests; r != NULL; r = r->next) {
		if (r->processed)
			continue;
		if (info->mode == MODE_GET)
			request_get(root, info, r);
		else if (info->mode == MODE_GETNEXT)
			request_getnext(root, r);
	}
	return SNMP_ERR_NOERROR;
}

/*
 * A whole subtree is registered at once: each registration costs the master a round trip.
 */
static bool
root_register(struct root *root, const char *name)
{
	netsnmp_handler_registration *reg = netsnmp_create_handler_registration(name,
	    root_handle, root->base, root->n_base,
	    root->writes ? HANDLER_CAN_RWRITE : HANDLER_CAN_RONLY);

	if (reg == NULL)
		return false;
	reg->handler->myvoid = root;
	return netsnmp_register_handler(reg) == MIB_REGISTERED_OK;
}

/* Add a root to those of `q`, in its place. */
static void
root_add(struct requests *q, const struct mib *mib, const oid *base, size_t n, bool writes)
{
	struct root *r = &q->roots[q->n_roots++];

	if (r > q->roots && snmp_oid_compare(base, n, r[-1].base, r[-1].n_base) < 0) {
		*r = r[-1];
		r--;
	}
	*r = (struct root){ .requests = q, .mib = mib, .n_base = n, .writes = writes };
	memcpy(r->base, base, n * sizeof(oid));
}

bool
requests_register(struct requests *q, const struct session_config *c)
{
	static const oid ipfix[] = { 1, 3, 6, 1, 2, 1, 193 }; /* RFC 6615 */
	bool registered = true;

	q->control = c->control;
	q->boot_file = c->boot_file;
	q->stats = c->stats;
	root_add(q, &weir_mib, c->base, c->n_base, c->control != NULL);
	if (c->ipfix)
		root_add(q, &ipfix_mib, ipfix, sizeof(ipfix) / sizeof(oid), false);
	for (unsigned i = 0; i < q->n_roots; i++)
		registered = root_register(&q->roots[i],
		    q->roots[i].mib == &weir_mib ? "weir" : "weir-ipfix") && registered;
	return registered;
}
