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
#include "agent/registration.h"
#include "agent/requests.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/thread.h"

#define NAME "weir"
#define POLL_FDS 32            /* the library has two or three */
#define MASTER_WAIT_US 1000000 /* how long a call may wait for the master to answer */
#define NOTIFY_BURST 32        /* notifications sent before acknowledgements are read */

struct session {
	struct session_config config;
	pthread_t thread;
	int wake_fd;                  /* eventfd */
	_Atomic bool stop;
	_Atomic(struct mib_tree *) newest; /* given, and not taken up yet */
	_Atomic(struct mib_tree *) read;   /* list of those that it is done with */

	/* the thread's */
	struct requests requests;     /* and the tree that they are answered from */
	bool connected;
	uint64_t register_at;         /* by the monotonic clock: when to register what is not */
	struct log_limit limit;
	int sealed[POLL_FDS];         /* descriptors that are known to close on exec */
	unsigned n_sealed;

	/* What is told of it */
	pthread_mutex_t lock;
	enum session_state state;     /* SESSION_REFUSED until somebody has been told */
	struct err refusal;
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
	session_put_back(s, s->requests.tree);
	s->requests.tree = t;
	if (s->config.control != NULL)
		control_update(s->config.control, t);
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
	/* Of that weir itself says what it means: agent/registration.h. */
	bool known = strstr(line->msg, "egistering pdu failed") != NULL;

	(void)major, (void)minor;
	if (s->connected && !known && line->priority <= LOG_WARNING)
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

const char *
session_socket_path(const char *socket)
{
	const char *s = socket != NULL ? socket : NETSNMP_AGENTX_SOCKET;

	if (strncmp(s, "unix:", 5) == 0)
		s += 5;
	return s[0] == '/' ? s : NULL;
}

/* There was no connecting; the library does not say why. */
static void
session_log_unreachable(const struct session *s)
{
	const char *path = session_socket_path(s->config.socket);

	if (path != NULL && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0 &&
	    errno == EACCES)
		log_warn("snmp: weir's user may not use the AgentX socket %s; trying again "
		         "every %u s (write agentXPerms into snmpd.conf; weir doctor snmp, as "
		         "that user, says how)", path, s->config.reconnect);
	else
		log_warn("snmp: no AgentX master at %s; trying again every %u s "
		         "(does snmpd.conf say 'master agentx'?)",
		    session_socket(), s->config.reconnect);
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
		requests_attach(&s->requests, one);
	}
	s->n_sealed = 0;
	s->connected = true;
	s->register_at = 0;
	log_info("snmp: connected to the AgentX master at %s", session_socket());
	return 0;
}

static void
session_tell(struct session *s, enum session_state state, const struct err *e)
{
	pthread_mutex_lock(&s->lock);
	s->state = state;
	if (e != NULL)
		s->refusal = *e;
	pthread_mutex_unlock(&s->lock);
}

enum session_state
session_state(struct session *s, struct err *e)
{
	enum session_state state;

	pthread_mutex_lock(&s->lock);
	state = s->state;
	if (state == SESSION_REFUSED) {
		*e = s->refusal;
		s->state = SESSION_SILENT;
	}
	pthread_mutex_unlock(&s->lock);
	return state;
}

static int
session_lost(int major, int minor, void *server, void *client)
{
	struct session *s = client;

	(void)major, (void)minor, (void)server;
	s->n_sealed = 0;
	requests_detach(&s->requests);
	if (s->connected)
		log_limited(&s->limit, "snmp: lost the AgentX master at %s; trying again every "
		                       "%u s", session_socket(), s->config.reconnect);
	s->connected = false;
	session_tell(s, SESSION_SILENT, NULL);
	return 0;
}

/* The library registers something. */
static int
session_registers(int major, int minor, void *server, void *client)
{
	const struct register_parameters *p = server;
	struct session *s = client;

	(void)major, (void)minor;
	registration_asks(&s->requests, p->name, p->namelen);
	return 0;
}

/*
 * See whether the master has taken what is to be served; if not, ask it every now and then,
 * as who has it may go. The first time is the library's, when it opens the session.
 */
static void
session_register(struct session *s)
{
	uint64_t now = clock_mono();
	struct err e = ERR_INIT;

	if (!s->connected)
		return;
	if (registration_check(&s->requests, &e) == 0) {
		session_tell(s, SESSION_SERVES, NULL);
		return;
	}
	if (now < s->register_at)
		return;
	if (s->register_at != 0)
		registration_again(&s->requests);
	if (registration_check(&s->requests, &e) != 0)
		session_tell(s, SESSION_REFUSED, &e);
	s->register_at = now + s->config.reconnect * CLOCK_S;
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

/* ms until the master is asked again; -1: it need not be. */
static int
session_register_in(const struct session *s)
{
	uint64_t now = clock_mono();
	struct err e = ERR_INIT;

	if (!s->connected || registration_check(&s->requests, &e) == 0)
		return -1;
	return now < s->register_at ? (int)((s->register_at - now) / CLOCK_MS) + 1 : 0;
}

/* Wait for the library's descriptors, its timers, or the order to stop. */
static nfds_t
session_wait(struct session *s, netsnmp_large_fd_set *set, struct pollfd *fds)
{
	struct timeval tv = { 0, 0 };
	int n = 0, block = 1, ms = -1, waiting = requests_waiting(&s->requests);
	int again = session_register_in(s);
	nfds_t n_fds = 0;

	fds[n_fds++] = (struct pollfd){ .fd = s->wake_fd, .events = POLLIN };
	NETSNMP_LARGE_FD_ZERO(set);
	(void)snmp_select_info2(&n, set, &tv, &block);
	for (int fd = 0; fd < n && n_fds < POLL_FDS; fd++)
		if (NETSNMP_LARGE_FD_ISSET(fd, set)) {
			session_seal(s, fd);
			fds[n_fds++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		}
	if (waiting != -1 && NETSNMP_LARGE_FD_ISSET(waiting, set))
		ms = 0;
	else if (!block)
		ms = (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
	if (again != -1 && (ms == -1 || again < ms))
		ms = again;
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
	int n = 0, block = 1, waiting = requests_waiting(&s->requests);

	NETSNMP_LARGE_FD_ZERO(set);
	if (waiting != -1) {
		NETSNMP_LARGE_FD_SET(waiting, set);
		snmp_read2(set);
		return;
	}
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
	const struct mib_tree *t = s->requests.tree;
	struct notification n;

	for (unsigned i = 1; s->connected && notify_next(s->config.notify, t, &n); i++) {
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

		s->requests.opening = false;
		if (fds[0].revents != 0)
			(void)!read(s->wake_fd, &woken, sizeof(woken));
		for (nfds_t i = 1; i < n; i++)
			if (fds[i].revents != 0 ||
			    fds[i].fd == requests_waiting(&s->requests))
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
		session_register(s);
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
	/* Before the library's own. */
	netsnmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_REGISTER_OID,
	    session_registers, s, NETSNMP_CALLBACK_HIGHEST_PRIORITY);
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
	snmp_unregister_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_REGISTER_OID,
	    session_registers, s, 1);
	snmp_unregister_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_SESSION_INIT,
	    session_init, s, 1);
	snmp_unregister_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, session_log,
	    s, 1);
}

static void *
session_main(void *arg)
{
	struct session *s = arg;

	thread_interruptible();
	session_configure(s);
	if (init_agent(NAME) != 0 || !requests_register(&s->requests, &s->config))
		log_err("snmp: libnetsnmp cannot be started: nothing will be served");
	/* Only now: init_agent sets it to 15 s. */
	netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL,
	    (int)s->config.reconnect);
	init_snmp(NAME);
	if (!s->connected)
		session_log_unreachable(s);
	session_run(s);
	requests_detach(&s->requests);
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
	s->requests.link.over = &s->stop;
	s->limit = (struct log_limit)LOG_LIMIT_INIT;
	pthread_mutex_init(&s->lock, NULL);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* Signals are blocked there, SIGPIPE too: writing to a master that has gone is no
	 * reason to die. */
	rc = s->wake_fd != -1 ? thread_start(&s->thread, "weir-agentx", session_main, s, e)
	                      : err_set(e, WEIR_EIO, "snmp: eventfd: %s", strerror(errno));
	if (rc != 0) {
		if (s->wake_fd != -1)
			close(s->wake_fd);
		pthread_mutex_destroy(&s->lock);
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
	/* It may be in connect, which waits for a master that accepts nobody. */
	thread_interrupt(s->thread);
	close(s->wake_fd);
	session_collect(s);
	tree_free(atomic_load(&s->newest));
	tree_free(s->requests.tree);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
