/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/library/large_fd_set.h>

#include "agent/session.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/control.h"
#include "agent/notify.h"
#include "agent/tables.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rbuf.h"
#include "lib/statefile.h"
#include "lib/thread.h"
#include "lib/wbuf.h"

#define NAME "weir"
#define POLL_FDS 32            /* the library has two or three */
#define MASTER_WAIT_US 1000000 /* how long a call may wait for the master to answer */
#define NOTIFY_BURST 32        /* notifications that are sent before acknowledgements are read */
#define BOOT_NAME "boot"
#define BOOT_JUMP (2 * CLOCK_S) /* what is less is the grain of sysUpTime, not a restart */

_Static_assert(_Generic((oid)0, subid_t : 1, default : 0), "oid and subid_t are one type");

/* A module that is served, and where. */
struct root {
	struct session *session;
	const struct mib *mib;
	size_t n_base;
	oid base[OID_BASE_MAX];
	bool writes;                  /* SETs are handed on */
};

struct session {
	struct session_config config;
	struct root roots[2];
	pthread_t thread;
	int wake_fd;                  /* eventfd */
	_Atomic bool stop;
	_Atomic(struct mib_tree *) newest; /* given, and not taken up yet */
	_Atomic(struct mib_tree *) read;   /* list of those that it is done with */

	/* the thread's */
	struct mib_tree *tree;        /* the one that it answers from; NULL before the first */
	struct moment now;            /* of the requests being answered */
	uint64_t boot_mono;           /* now.boot by the monotonic clock */
	bool connected;
	struct log_limit limit;
	int sealed[POLL_FDS];         /* descriptors that are known to close on exec */
	unsigned n_sealed;
};

void
session_prepare(void)
{
	setenv("MIBS", "", 1);
}

void
session_collect(struct session *s)
{
	struct mib_tree *t = atomic_exchange_explicit(&s->read, NULL, memory_order_acquire);

	while (t != NULL) {
		struct mib_tree *next = t->next;

		tree_free(t);
		t = next;
	}
}

void
session_publish(struct session *s, struct mib_tree *t)
{
	session_collect(s);
	tree_free(atomic_exchange_explicit(&s->newest, t, memory_order_acq_rel));
}

void
session_wake(struct session *s)
{
	uint64_t one = 1;

	(void)!write(s->wake_fd, &one, sizeof(one));
}

/* Have the publisher free `t`: a million rows are some thousands of pages to give back. */
static void
session_put_back(struct session *s, struct mib_tree *t)
{
	if (t == NULL)
		return;
	t->next = atomic_load_explicit(&s->read, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&s->read, &t->next, t,
	    memory_order_release, memory_order_relaxed))
		;
}

/* Take up a newer tree if there is one. */
static void
session_refresh(struct session *s)
{
	struct mib_tree *t = atomic_exchange_explicit(&s->newest, NULL, memory_order_acq_rel);

	if (t == NULL)
		return;
	session_put_back(s, s->tree);
	s->tree = t;
	if (s->config.control != NULL)
		control_update(s->config.control, t);
}

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
session_moment(struct session *s)
{
	uint64_t up = (uint64_t)netsnmp_get_agent_uptime() * (10 * CLOCK_MS);
	uint64_t boot, before = 0;

	s->now.tree = s->tree;
	s->now.mono = clock_mono();
	boot = s->now.mono - up;
	if (s->now.boot != 0 && apart(boot, s->boot_mono) < BOOT_JUMP)
		return;
	if (s->now.boot == 0)
		before = boot_read(s->config.boot_file);
	s->boot_mono = boot;
	s->now.boot = clock_real() - up;
	if (apart(before, s->now.boot) < BOOT_JUMP)
		s->now.boot = before;
	else
		boot_write(s->config.boot_file, s->now.boot);
}

/* Values */

static void
varbind_number(netsnmp_variable_list *vb, u_char type, uint64_t n)
{
	/* The library keeps 32-bit types in a long. */
	long l = type == ASN_INTEGER ? (long)(int32_t)(uint32_t)n : (long)(uint32_t)n;

	snmp_set_var_typed_value(vb, type, &l, sizeof(l));
}

static void
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

static void
request_fill(const struct session *s, const struct cell *c, netsnmp_variable_list *vb)
{
	struct value v;

	cell_value(&s->now, c, &v);
	varbind_fill(vb, c->column->type, &v);
}

/* Requests */

static void
request_get(const struct root *root, netsnmp_agent_request_info *info,
    netsnmp_request_info *request)
{
	const struct session *s = root->session;
	netsnmp_variable_list *vb = request->requestvb;
	size_t n = root->n_base;
	enum tree_found found = TREE_NO_OBJECT;
	struct cell c;

	if (s->tree != NULL && vb->name_length >= n)
		found = tree_get(root->mib, s->tree, vb->name + n, vb->name_length - n, &c);
	if (found == TREE_FOUND)
		request_fill(s, &c, vb);
	else
		netsnmp_set_request_error(info, request, found == TREE_NO_OBJECT ?
		    SNMP_NOSUCHOBJECT : SNMP_NOSUCHINSTANCE);
}

/* What is left untouched has no successor here: the library then says so. */
static void
request_getnext(const struct root *root, netsnmp_request_info *request)
{
	const struct session *s = root->session;
	netsnmp_variable_list *vb = request->requestvb;
	oid name[OID_BASE_MAX + NAME_MAX_LEN];
	size_t n = root->n_base, len = 0;
	struct cell c;

	if (s->tree == NULL)
		return;
	if (vb->name_length >= n &&
	    memcmp(vb->name, root->base, n * sizeof(oid)) == 0)
		len = vb->name_length - n;
	else if (snmp_oid_compare(vb->name, vb->name_length, root->base, n) > 0)
		return;
	if (!tree_next(root->mib, s->tree, vb->name + (vb->name_length - len), len,
	        request->inclusive != 0, &c))
		return;
	memcpy(name, root->base, n * sizeof(oid));
	len = n + cell_name(s->tree, &c, name + n);
	snmp_set_var_objid(vb, name, len);
	request_fill(s, &c, vb);
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
request_ask(const struct session *s, const netsnmp_variable_list *vb)
{
	size_t n = s->config.n_base;
	enum value_type type;
	struct value v;

	if (vb->name_length < n || !varbind_read(vb, &type, &v))
		return SET_WRONG_TYPE;
	return control_ask(s->config.control, vb->name + n, vb->name_length - n, type, &v);
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
set_ask(struct session *s, netsnmp_agent_request_info *info, netsnmp_request_info *r)
{
	control_begin(s->config.control);
	for (; r != NULL; r = r->next)
		if (!r->processed && request_fails(info, r, request_ask(s, r->requestvb)))
			return;
}

/* The rows that they make, and whether there is room for them. */
static void
set_prepare(struct session *s, netsnmp_agent_request_info *info,
    netsnmp_request_info *requests)
{
	struct control *c = s->config.control;
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

/*
 * One of the steps of a SET. That in which the library lets a handler say that it cannot
 * (ACTION) has nothing to do: RESERVE2 has seen to it that it can.
 */
static void
session_set(struct session *s, netsnmp_agent_request_info *info,
    netsnmp_request_info *requests)
{
	struct control *c = s->config.control;

	switch (info->mode) {
	case MODE_SET_RESERVE1:
		set_ask(s, info, requests);
		break;
	case MODE_SET_RESERVE2:
		set_prepare(s, info, requests);
		break;
	case MODE_SET_COMMIT:
		control_commit(c);
		control_update(c, s->tree);
		break;
	case MODE_SET_FREE:
	case MODE_SET_UNDO:
		control_begin(c);
		break;
	default:
		break;
	}
}

static int
session_handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg,
    netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	const struct root *root = handler->myvoid;
	struct session *s = root->session;

	(void)reg;
	session_moment(s);
	if (info->mode != MODE_GET && info->mode != MODE_GETNEXT) {
		if (root->writes)
			session_set(s, info, requests);
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

/* What the library says and does */

/*
 * A line of the library's. While there is no master it repeats itself at each attempt;
 * weir has said so once and that is enough.
 */
static int
session_log(int major, int minor, void *server, void *client)
{
	const struct snmp_log_message *line = server;
	struct session *s = client;
	int len = (int)strcspn(line->msg, "\n");

	(void)major, (void)minor;
	if (s->connected && line->priority <= LOG_WARNING)
		log_limited(&s->limit, "snmp: %.*s", len, line->msg);
	else
		log_debug(LOG_SNMP, "snmp: %.*s", len, line->msg);
	return 0;
}

static const char *
session_socket(void)
{
	const char *name = netsnmp_ds_get_string(NETSNMP_DS_APPLICATION_ID,
	    NETSNMP_DS_AGENT_X_SOCKET);

	return name != NULL ? name : NETSNMP_AGENTX_SOCKET;
}

/* A session is about to be opened: do not wait long for its master, do not ask twice. */
static int
session_init(int major, int minor, void *server, void *client)
{
	netsnmp_session *one = server;

	(void)major, (void)minor, (void)client;
	one->timeout = MASTER_WAIT_US;
	one->retries = 0;
	return 0;
}

static int
session_connected(int major, int minor, void *server, void *client)
{
	struct session *s = client;
	netsnmp_session *one = server;

	(void)major, (void)minor;
	if (one != NULL) {
		one->timeout = MASTER_WAIT_US;
		one->retries = 0;
	}
	s->n_sealed = 0;
	s->connected = true;
	log_info("snmp: connected to the AgentX master at %s", session_socket());
	return 0;
}

static int
session_lost(int major, int minor, void *server, void *client)
{
	struct session *s = client;

	(void)major, (void)minor, (void)server;
	s->n_sealed = 0;
	if (s->connected)
		log_limited(&s->limit, "snmp: lost the AgentX master at %s; trying again every %u s",
		    session_socket(), s->config.reconnect);
	s->connected = false;
	return 0;
}

/* Waiting */

/*
 * Programs that weir starts must not inherit the library's descriptors, which it opens
 * without FD_CLOEXEC. `sealed` saves the system call for those that were seen before.
 */
static void
session_seal(struct session *s, int fd)
{
	for (unsigned i = 0; i < s->n_sealed; i++)
		if (s->sealed[i] == fd)
			return;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (s->n_sealed < POLL_FDS)
		s->sealed[s->n_sealed++] = fd;
}

/* Wait for the library's descriptors, its timers, or the order to stop. */
static nfds_t
session_wait(struct session *s, netsnmp_large_fd_set *set, struct pollfd *fds)
{
	struct timeval tv = { 0, 0 };
	int n = 0, block = 1, ms = -1;
	nfds_t n_fds = 0;

	fds[n_fds++] = (struct pollfd){ .fd = s->wake_fd, .events = POLLIN };
	NETSNMP_LARGE_FD_ZERO(set);
	(void)snmp_select_info2(&n, set, &tv, &block);
	for (int fd = 0; fd < n && n_fds < POLL_FDS; fd++)
		if (NETSNMP_LARGE_FD_ISSET(fd, set)) {
			session_seal(s, fd);
			fds[n_fds++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		}
	if (!block)
		ms = (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
	if (poll(fds, n_fds, ms) == -1 && errno != EINTR)
		log_limited(&s->limit, "snmp: poll: %s", strerror(errno));
	return n_fds;
}

/* Notifying */

static void
notification_send(const struct session *s, const struct notification *n)
{
	static const oid trap_oid[] = { 1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0 }; /* RFC 3418 */
	oid name[OID_BASE_MAX + NAME_MAX_LEN];
	size_t base = s->config.n_base;
	netsnmp_variable_list *list = NULL;

	memcpy(name, s->config.base, base * sizeof(oid));
	name[base] = 0; /* weirNotifications */
	name[base + 1] = n->number;
	snmp_varlist_add_variable(&list, trap_oid, sizeof(trap_oid) / sizeof(oid),
	    ASN_OBJECT_ID, name, (base + 2) * sizeof(oid));
	for (unsigned i = 0; i < n->n; i++) {
		netsnmp_variable_list *vb;

		memcpy(name + base, n->objects[i].name, n->objects[i].len * sizeof(oid));
		vb = snmp_varlist_add_variable(&list, name, base + n->objects[i].len, ASN_NULL,
		    NULL, 0);
		if (vb != NULL)
			varbind_fill(vb, n->objects[i].type, &n->objects[i].value);
	}
	send_v2trap(list);
	snmp_free_varbind(list);
}

/* Read what there is, and do not wait for more. */
static void
session_drain(struct session *s, netsnmp_large_fd_set *set)
{
	struct timeval tv = { 0, 0 };
	int n = 0, block = 1;

	(void)s;
	NETSNMP_LARGE_FD_ZERO(set);
	(void)snmp_select_info2(&n, set, &tv, &block);
	tv = (struct timeval){ 0, 0 };
	if (n > 0 && netsnmp_large_fd_set_select(n, set, NULL, NULL, &tv) > 0)
		snmp_read2(set);
}

/*
 * Send what is due. The master acknowledges each, and while nobody reads that, it will
 * in the end neither take notifications nor answer anybody: so never many in a row
 * without reading.
 */
static void
session_notify(struct session *s, netsnmp_large_fd_set *set)
{
	struct notification n;

	for (unsigned i = 1; s->connected && notify_next(s->config.notify, s->tree, &n); i++) {
		notification_send(s, &n);
		if (i % NOTIFY_BURST == 0)
			session_drain(s, set);
	}
}

/* Serve until told to stop. */
static void
session_run(struct session *s)
{
	netsnmp_large_fd_set set;
	struct pollfd fds[POLL_FDS] = { { .fd = -1 } };

	netsnmp_large_fd_set_init(&set, FD_SETSIZE);
	while (!atomic_load(&s->stop)) {
		nfds_t n = session_wait(s, &set, fds);
		bool ready = false;
		uint64_t woken;

		if (fds[0].revents != 0)
			(void)!read(s->wake_fd, &woken, sizeof(woken));
		for (nfds_t i = 1; i < n; i++)
			if (fds[i].revents != 0)
				ready = true;
			else
				NETSNMP_LARGE_FD_CLR(fds[i].fd, &set);
		session_refresh(s);
		if (ready)
			snmp_read2(&set);
		else
			snmp_timeout();
		run_alarms();
		netsnmp_check_outstanding_agent_requests();
		if (s->config.notify != NULL)
			session_notify(s, &set);
	}
	netsnmp_large_fd_set_cleanup(&set);
}

/* The thread */

static void
session_configure(struct session *s)
{
	static const int library[] = { NETSNMP_DS_LIB_DONT_READ_CONFIGS,
		NETSNMP_DS_LIB_DONT_PERSIST_STATE, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD,
		NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, NETSNMP_DS_LIB_ALARM_DONT_USE_SIG };

	for (size_t i = 0; i < sizeof(library) / sizeof(library[0]); i++)
		netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, library[i], 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_ROLE, 1);
	if (s->config.socket != NULL)
		netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET,
		    s->config.socket);
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, session_log, s);
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_SESSION_INIT,
	    session_init, s);
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START,
	    session_connected, s);
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP,
	    session_lost, s);
	snmp_enable_calllog();
}

/*
 * Take the callbacks back, before snmp_shutdown: for those that it finds it would free
 * the argument, which is the session.
 */
static void
session_unconfigure(struct session *s)
{
	snmp_unregister_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START,
	    session_connected, s, 1);
	snmp_unregister_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP,
	    session_lost, s, 1);
	snmp_unregister_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_SESSION_INIT,
	    session_init, s, 1);
	snmp_unregister_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, session_log,
	    s, 1);
}

/*
 * A whole subtree is registered at once: each registration costs the master a round trip.
 */
static bool
root_register(struct root *root, const char *name)
{
	netsnmp_handler_registration *reg = netsnmp_create_handler_registration(name,
	    session_handle, root->base, root->n_base,
	    root->writes ? HANDLER_CAN_RWRITE : HANDLER_CAN_RONLY);

	if (reg == NULL)
		return false;
	reg->handler->myvoid = root;
	return netsnmp_register_handler(reg) == MIB_REGISTERED_OK;
}

static bool
session_register(struct session *s)
{
	static const oid ipfix[] = { 1, 3, 6, 1, 2, 1, 193 }; /* RFC 6615 */
	struct root *weir = &s->roots[0], *other = &s->roots[1];

	*weir = (struct root){ .session = s, .mib = &weir_mib, .n_base = s->config.n_base,
		.writes = s->config.control != NULL };
	memcpy(weir->base, s->config.base, s->config.n_base * sizeof(oid));
	*other = (struct root){ .session = s, .mib = &ipfix_mib,
		.n_base = sizeof(ipfix) / sizeof(oid) };
	memcpy(other->base, ipfix, sizeof(ipfix));
	return root_register(weir, NAME) &&
	       (!s->config.ipfix || root_register(other, NAME "-ipfix"));
}

static void *
session_main(void *arg)
{
	struct session *s = arg;

	session_configure(s);
	if (init_agent(NAME) != 0 || !session_register(s))
		log_err("snmp: libnetsnmp cannot be started: nothing will be served");
	/* Only now: init_agent sets it to 15 s. */
	netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL,
	    (int)s->config.reconnect);
	init_snmp(NAME);
	if (!s->connected)
		log_warn("snmp: no AgentX master at %s; trying again every %u s "
		         "(does snmpd.conf say 'master agentx'?)",
		    session_socket(), s->config.reconnect);
	session_run(s);
	session_unconfigure(s);
	snmp_shutdown(NAME);
	shutdown_agent();
	return NULL;
}

struct session *
session_start(const struct session_config *c, struct err *e)
{
	struct session *s = calloc(1, sizeof(*s));
	int rc;

	assert(c->n_base > 0 && c->n_base <= OID_BASE_MAX);
	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory for the SNMP session");
		return NULL;
	}
	s->config = *c;
	s->limit = (struct log_limit)LOG_LIMIT_INIT;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Signals are blocked there, SIGPIPE too: writing to a master that has gone is no
	 * reason to die. */
	rc = s->wake_fd != -1 ? thread_start(&s->thread, "weir-agentx", session_main, s, e)
	                      : err_set(e, WEIR_EIO, "snmp: eventfd: %s", strerror(errno));
	if (rc != 0) {
		if (s->wake_fd != -1)
			close(s->wake_fd);
		free(s);
		return NULL;
	}
	return s;
}

void
session_stop(struct session *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->stop, true);
	session_wake(s);
	pthread_join(s->thread, NULL);
	close(s->wake_fd);
	session_collect(s);
	tree_free(atomic_load(&s->newest));
	tree_free(s->tree);
	free(s);
}
