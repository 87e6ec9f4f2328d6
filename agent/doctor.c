/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include "agent/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/doctor.h"
#include "lib/rbuf.h"
#include "lib/wbuf.h"

#define WAIT_MS 2000

/* What one step found. */
static int
fine(FILE *to, const char *what)
{
	fprintf(to, "ok    %s\n", what);
	return 0;
}

static int
fault(FILE *to, const char *what, const char *advice)
{
	fprintf(to, "FAULT %s\n      %s\n", what, advice);
	return 1;
}

/* Connect; -1 with errno. */
static int
socket_connect(const char *path)
{
	static const struct timeval patience = { .tv_sec = WAIT_MS / 1000 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path) >=
	    sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	/* Of who hangs the first calls may wait, too: unix(7), EAGAIN. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Whether the folder of `path` may be entered. */
static bool
folder_opens(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path + 1), path);
	return faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) == 0;
}

static const char *
connect_advice(int why, const char *path)
{
	switch (why) {
	case ENOENT:
		return "snmpd does not run, or its snmpd.conf lacks the lines\n"
		       "          master agentx\n"
		       "          agentXSocket unix:PATH     (the same as snmp_agentx_socket)";
	case ECONNREFUSED:
		return "snmpd does not run (any more): start it";
	case EACCES:
	case EPERM:
		if (!folder_opens(path))
			return "you may not enter its folder; weir's user must. Write into "
			       "snmpd.conf\n"
			       "          agentXPerms 0660 0755 root weir\n"
			       "      with weir's group, do what snmpd does for new "
			       "folders only\n"
			       "          chmod 755 FOLDER\n"
			       "      and start snmpd anew";
		return "you may not use it; weir's user must. Write into snmpd.conf\n"
		       "          agentXPerms 0660 0755 root weir\n"
		       "      with weir's group, and start snmpd anew";
	case EAGAIN:
		return "snmpd hangs: too many wait for it already";
	case ENAMETOOLONG:
		return "a path may have 107 octets: put the socket elsewhere, in "
		       "snmpd.conf, too";
	default:
		return "look into snmpd's log";
	}
}

/* Open an AgentX session (RFC 2741 s6.2.1) and see what the master says. */
static bool
session_opens(int fd)
{
	enum { OPEN = 1, RESPONSE = 18, NETWORK_ORDER = 0x10, HEADER = 20 };
	uint8_t out[64], in[HEADER + 8];
	struct wbuf w = wbuf_of(out, sizeof(out));
	struct rbuf r;

	wbuf_u8(&w, 1); /* version, type, flags, reserved */
	wbuf_u8(&w, OPEN);
	wbuf_u8(&w, NETWORK_ORDER);
	wbuf_u8(&w, 0);
	wbuf_put(&w, "\0\0\0\0\0\0\0\0\0\0\0\1", 12); /* session, transaction, packet */
	wbuf_u32(&w, 20);                               /* octets that follow: */
	wbuf_u32(&w, 0x05000000);                       /* timeout */
	wbuf_u32(&w, 0);                                /* no identifier */
	wbuf_u32(&w, 11);                               /* description */
	wbuf_put(&w, "weir doctor\0", 12);
	out[19] = (uint8_t)(wbuf_len(&w) - HEADER);
	if (send(fd, out, wbuf_len(&w), MSG_NOSIGNAL) != (ssize_t)wbuf_len(&w) ||
	    recv(fd, in, sizeof(in), MSG_WAITALL) != (ssize_t)sizeof(in))
		return false;
	r = rbuf_of(in, sizeof(in));
	rbuf_skip(&r, 1);
	if (rbuf_u8(&r) != RESPONSE)
		return false;
	rbuf_skip(&r, HEADER - 2 + 4); /* and the master's uptime */
	return rbuf_u16(&r) == 0;
}

static int
master_look(const struct doctor_config *c, FILE *to)
{
	const char *path = session_socket_path(c->socket);
	char what[256];
	int fd, rc;

	if (path == NULL) {
		fprintf(to, "      snmp_agentx_socket is no UNIX socket: not looked at\n");
		return 0;
	}
	fd = socket_connect(path);
	if (fd == -1) {
		snprintf(what, sizeof(what), "AgentX socket %s: %s", path, strerror(errno));
		return fault(to, what, connect_advice(errno, path));
	}
	snprintf(what, sizeof(what), "AgentX socket %s", path);
	rc = session_opens(fd) ? fine(to, what)
	                       : fault(to, what,
	                       "who listens there is no AgentX master, or hangs");
	close(fd);
	return rc;
}

/* Ask snmpd for weirVersion.0. Returns the answer, or NULL: none came. */
static netsnmp_pdu *
version_ask(const struct doctor_config *c, netsnmp_session **open)
{
	netsnmp_session s;
	netsnmp_pdu *pdu, *answer = NULL;
	oid name[OID_BASE_MAX + 4];
	size_t n = OID_BASE_MAX;

	snmp_sess_init(&s);
	s.peername = (char *)(uintptr_t)c->address;
	s.version = SNMP_VERSION_2c;
	s.community = (u_char *)(uintptr_t)c->community;
	s.community_len = strlen(c->community);
	s.timeout = WAIT_MS * 500L;
	s.retries = 1;
	*open = snmp_open(&s);
	if (*open == NULL || !read_objid(c->oid_base, name, &n))
		return NULL;
	name[n] = name[n + 1] = name[n + 2] = 1;
	name[n + 3] = 0;
	pdu = snmp_pdu_create(SNMP_MSG_GET);
	snmp_add_null_var(pdu, name, n + 4);
	if (snmp_synch_response(*open, pdu, &answer) != STAT_SUCCESS)
		return NULL;
	return answer;
}

static int
manager_look(const struct doctor_config *c, FILE *to)
{
	netsnmp_session *open = NULL;
	netsnmp_pdu *answer = version_ask(c, &open);
	const netsnmp_variable_list *vb = answer != NULL ? answer->variables : NULL;
	const char *oid = c->oid_base + (c->oid_base[0] == '.');
	char what[256], advice[1024];
	int rc;

	snprintf(what, sizeof(what), "a manager at %s, community %s", c->address, c->community);
	if (vb != NULL && vb->type == ASN_OCTET_STR) {
		snprintf(advice, sizeof(advice), "%s: sees %.*s", what, (int)vb->val_len,
		    vb->val.string);
		rc = fine(to, advice);
	} else if (vb == NULL) {
		snprintf(advice, sizeof(advice),
		    "no answer: snmpd listens elsewhere (agentAddress), or does not know the "
		    "community. Write into snmpd.conf\n"
		    "          view weir included .%s\n"
		    "          rocommunity %s 127.0.0.1 -V weir", oid, c->community);
		rc = fault(to, what, advice);
	} else {
		snprintf(advice, sizeof(advice),
		    "snmpd answers, but shows nothing of weir's. Does weir run, with a "
		    "plugin of type snmp? Else snmpd.conf\n"
		    "      hides it: the first line that has this community names a view "
		    "(-V), systemonly as Debian has it.\n      Write there, with that view\n"
		    "          view systemonly included .%s", oid);
		rc = fault(to, what, advice);
	}
	if (answer != NULL)
		snmp_free_pdu(answer);
	if (open != NULL)
		snmp_close(open);
	return rc;
}

int
doctor_snmp(const struct doctor_config *c, FILE *to)
{
	int faults;

	session_prepare();
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	snmp_disable_log();
	init_snmp("weir-doctor");
	faults = master_look(c, to);
	if (faults == 0)
		faults += manager_look(c, to);
	snmp_shutdown("weir-doctor");
	return faults;
}
