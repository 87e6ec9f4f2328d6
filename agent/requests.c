/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include "agent/requests.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/boot.h"
#include "agent/control.h"
#include "agent/registration.h"
#include "agent/tables.h"
#include "agent/wire.h"
#include "core/stats.h"
#include "lib/clock.h"
#include "lib/log.h"

#define BOOT_JUMP (2 * CLOCK_S) /* what is less is the grain of sysUpTime, not a restart */

/* PDUs of RFC 2741 s6.1, which the library has in pdu->command before it translates them. */
enum { AGENTX_TESTSET = 8, AGENTX_UNDOSET = 10,
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

/* Requests, where they arrive */

/* Count an answer that took `ns`. */
static void
answer_count(struct stats *s, uint64_t ns)
{
	static const struct { uint64_t ns; enum stat_no stat; } slower[] = {
		{ 100 * CLOCK_US, STAT_SNMP_OVER_100US }, { CLOCK_MS, STAT_SNMP_OVER_1MS },
		{ 10 * CLOCK_MS, STAT_SNMP_OVER_10MS },
		{ 100 * CLOCK_MS, STAT_SNMP_OVER_100MS },
	};

	stat_add(s, STAT_SNMP_ANSWERED, 1);
	for (size_t i = 0; i < sizeof(slower) / sizeof(slower[0]) && ns > slower[i].ns; i++)
		stat_add(s, slower[i].stat, 1);
}

/* Answer the PDU at `pdu`; false: the library has to. */
static bool
request_answer(struct requests *q, const uint8_t *pdu, size_t len)
{
	size_t n;

	requests_moment(q);
	n = wire_answer(q->roots, q->n_roots, &q->now, &q->last, pdu, len, q->out,
	    sizeof(q->out));
	if (n == 0)
		return false;
	(void)link_send(&q->link, q->out, n);
	/* The library keeps its alarm of pings here: a master that asks is there. */
	if (q->one->securityModel != SNMP_DEFAULT_SECMODEL)
		snmp_alarm_reset((unsigned)q->one->securityModel);
	answer_count(q->stats, clock_mono() - q->now.mono);
	return true;
}

/*
 * Whether requests must go the library's way now. A SET ends there, and takes longer than a
 * request that comes behind it: who has set something shall find it, so until it has ended
 * all go that way.
 */
static bool
is_changing(struct requests *q)
{
	if (q->changing != 0 && clock_mono() >= q->changing)
		q->changing = 0;
	return q->changing != 0;
}

/*
 * Answer what can be answered of the `n` octets that have come, from the first; the others
 * are moved to the front, for the library. Returns how many they are; -1 when the connection
 * cannot be one with a master.
 */
static ssize_t
requests_read(struct requests *q, uint8_t *p, size_t n)
{
	struct link *l = &q->link;
	size_t at = 0;

	while (link_is_between(l) && n - at >= WIRE_HEADER && wire_asks(p + at) &&
	       !is_changing(q)) {
		uint64_t len = wire_length(p + at);

		if (len > n - at || !request_answer(q, p + at, (size_t)len))
			break;
		at += (size_t)len;
	}
	memmove(p, p + at, n - at);
	return link_follow(l, p, n - at) ? (ssize_t)(n - at) : -1;
}

/*
 * The connection went while the library opens its session. It registers from within a list of
 * callbacks, would take some out of it when told, go on through what it has freed, and mark as
 * registered what is not, for all masters to come. So what it waits for is answered first,
 * in the master's stead: that it failed. It sends nothing more then, and is told when the
 * session is served. Returns the octets of that answer to `buf`; 0 when there is none to give.
 */
static size_t
requests_give_up(struct requests *q, uint8_t *buf, size_t room)
{
	enum { GEN_ERR = 5, LENGTH = 8 };
	bool network = (q->sent[2] & AGENTX_NETWORK_ORDER) != 0;

	if (!q->opening || q->sent[0] == 0 || !link_is_between(&q->link) ||
	    room < WIRE_HEADER + LENGTH)
		return 0;
	(void)shutdown(q->link.fd, SHUT_RDWR);
	memset(buf, 0, WIRE_HEADER + LENGTH);
	memcpy(buf, q->sent, WIRE_HEADER - 4);
	buf[1] = AGENTX_RESPONSE;
	buf[2] &= AGENTX_NETWORK_ORDER;
	buf[WIRE_HEADER - (network ? 1 : 4)] = LENGTH;
	buf[WIRE_HEADER + (network ? 5 : 4)] = GEN_ERR;
	q->sent[0] = 0;
	return WIRE_HEADER + LENGTH;
}

/* What the library reads the master's connection with. */
static int
requests_receive(netsnmp_transport *t, void *buf, int size, void **opaque, int *olength)
{
	struct requests *q = serving;
	ssize_t n = link_receive(&q->link, buf, (size_t)size);
	bool gone = n == 0 || (n == -1 && errno != EAGAIN);

	*opaque = NULL;
	*olength = 0;
	if (n > 0) {
		n = requests_read(q, buf, (size_t)n);
		gone = n == -1; /* with whoever talks like that there is no going on */
	} else if (!gone) {
		n = 0;
	}
	if (gone) {
		size_t answer = requests_give_up(q, buf, (size_t)size);

		return answer > 0 ? (int)answer : (int)n; /* or it has closed */
	}
	if (n == 0)
		t->flags |= NETSNMP_TRANSPORT_FLAG_EMPTY_PKT; /* nothing for the library: go on */
	return (int)n;
}

/* And what it writes to it with: it would wait for as long as it takes. */
static int
requests_send(netsnmp_transport *t, const void *buf, int size, void **opaque, int *olength)
{
	struct requests *q = serving;
	/* What is answered meanwhile is not what the library waits for. */
	bool asks = (size_t)size >= WIRE_HEADER && ((const uint8_t *)buf)[1] != AGENTX_RESPONSE;

	(void)t, (void)opaque, (void)olength;
	if (asks)
		memcpy(q->sent, buf, WIRE_HEADER);
	if (link_send(&q->link, buf, (size_t)size))
		return size;
	if (asks)
		q->sent[0] = 0;
	return -1;
}

/* What goes the library's way */

/* The first variable of `pdu` has this error. */
static void
pdu_refuse(netsnmp_session *one, const netsnmp_pdu *pdu, enum set_error error)
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
	answer->errindex = 1;
	if (snmp_send(one, answer) == 0)
		snmp_free_pdu(answer);
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
	*now = (struct set_request){ .open = true, .transaction = pdu->transid,
		.packet = pdu->reqid };
	return false;
}

/* What the library calls with each PDU of the master, and with all else that happens. */
static int
requests_take(int operation, netsnmp_session *one, int id, netsnmp_pdu *pdu, void *magic)
{
	struct requests *q = serving;

	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu != NULL) {
		if (is_another_part(q, pdu)) {
			pdu_refuse(one, pdu, SET_RESOURCE_UNAVAILABLE);
			return 1;
		}
		/* It may never end: nothing was to be set. */
		if (pdu->command == AGENTX_CLEANUPSET || pdu->command == AGENTX_UNDOSET)
			q->changing = clock_mono() + CLOCK_S;
		if (pdu->command == AGENTX_CLEANUPSET && q->set.open && q->set.agreed &&
		    q->set.transaction == pdu->transid)
			q->set.decided = true;
	}
	return q->library(operation, one, id, pdu, magic);
}

static void
set_end(struct requests *q)
{
	q->set.open = false;
	q->changing = 0;
}

/* The SET that was under way will not end: nothing is kept ready for it. */
static void
set_abandon(struct requests *q)
{
	if (q->control != NULL)
		control_begin(q->control);
	set_end(q);
}

/* It is done, whatever comes of the session. */
static void
set_commit(struct requests *q)
{
	control_commit(q->control);
	control_update(q->control, q->tree);
	set_end(q);
}

void
requests_attach(struct requests *q, netsnmp_session *one)
{
	netsnmp_transport *t;

	if (one->callback == NULL || one->callback == requests_take)
		return;
	q->library = one->callback;
	registration_begin(q);
	set_abandon(q); /* another master has begun none */
	q->opening = true;
	q->sent[0] = 0;
	serving = q;
	one->callback = requests_take;
	q->one = one;
	q->link.n_head = q->link.owed = q->link.n_held = 0;
	q->link.begins = registration_answered;
	q->link.arg = q;
	t = snmp_sess_transport(snmp_sess_pointer(one));
	if (t != NULL) {
		q->link.fd = t->sock;
		t->f_recv = requests_receive;
		t->f_send = requests_send;
	}
}

void
requests_detach(struct requests *q)
{
	q->link.n_held = 0;
	/*
	 * The library has queued the last step of a SET for its session with itself, and tells
	 * of the end of the master's first. What the master has told a manager is done must be.
	 * That step comes still, and finds no SET that is under way (root_set).
	 */
	if (q->set.open && q->set.decided)
		set_commit(q);
	else
		set_abandon(q);
}

int
requests_waiting(const struct requests *q)
{
	return q->link.n_held > 0 ? q->link.fd : -1;
}

/* Setting */

/* What a manager wants an object to be; false: of a type that none here has. */
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
	enum value_type type = VALUE_INTEGER;
	struct value v;
	bool known = varbind_read(vb, &type, &v);

	if (vb->name_length < n)
		return SET_NOT_WRITABLE;
	return control_ask(root->requests->control, vb->name + n, vb->name_length - n, type,
	    known ? &v : NULL);
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

/*
 * One of the steps of a SET. TestSet is RESERVE1 and RESERVE2 of the library's, CommitSet
 * ACTION, CleanupSet COMMIT, or FREE where nothing was committed. RFC 2741 s7.2.4.2 has a
 * subagent perform a SET at CommitSet and take it back at UndoSet, when somebody else could
 * not (s7.2.4.3). But a threshold that was replaced has begun to count anew, its alarms were
 * cleared and managers told: none of that can be taken back. So ACTION answers that all is
 * well, which RESERVE2 has seen to, and what was made ready is put in its place at CleanupSet:
 * when nothing can be undone any more, and before whoever has set it can ask for it, as the
 * master sends CleanupSet before it hands on another request of his.
 */
static void
root_set(const struct root *root, netsnmp_agent_request_info *info,
    netsnmp_request_info *requests)
{
	struct requests *q = root->requests;

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
	case MODE_SET_ACTION:
		q->set.agreed = true;
		break;
	case MODE_SET_COMMIT:
		set_commit(q);
		break;
	case MODE_SET_FREE:
	case MODE_SET_UNDO:
		set_abandon(q);
		break;
	default:
		break;
	}
}

/* Getting, the library's way */

static void
request_get(const struct root *root, netsnmp_agent_request_info *info,
    netsnmp_request_info *request)
{
	netsnmp_variable_list *vb = request->requestvb;
	struct requests *q = root->requests;
	struct cell c = { 0 };
	enum tree_found found = root_get(root, q->tree, vb->name, vb->name_length, &c);

	if (found == TREE_FOUND)
		cell_fill(q, &c, vb);
	else
		netsnmp_set_request_error(info, request, found == TREE_NO_OBJECT ?
		    SNMP_NOSUCHOBJECT : SNMP_NOSUCHINSTANCE);
}

/* What is left untouched has no successor here: the library then says so. */
static void
request_getnext(const struct root *root, netsnmp_request_info *request)
{
	netsnmp_variable_list *vb = request->requestvb;
	struct requests *q = root->requests;
	oid name[OID_MAX];
	struct cell c = { 0 };

	if (!root_next(root, q->tree, vb->name, vb->name_length, request->inclusive != 0, &c))
		return;
	snmp_set_var_objid(vb, name, root_name(root, q->tree, &c, name));
	cell_fill(q, &c, vb);
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
