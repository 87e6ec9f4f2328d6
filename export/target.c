/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/target.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/train.h"

#define TRAIN_REST  65536U     /* datagrams that go one by one, before it is tried again */
#define TRAIN_NEVER UINT32_MAX /* it is not */

static const char *const reason_names[TARGET_N_REASONS] = {
#define X(NAME, name) [TARGET_##NAME] = #name,
	TARGET_REASONS(X)
#undef X
};

uint16_t
target_port(const struct sockaddr_storage *a)
{
	return ntohs(a->ss_family == AF_INET ? ((const struct sockaddr_in *)a)->sin_port
	                                     : ((const struct sockaddr_in6 *)a)->sin6_port);
}

void
target_port_set(struct sockaddr_storage *a, uint16_t port)
{
	if (a->ss_family == AF_INET)
		((struct sockaddr_in *)a)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)a)->sin6_port = htons(port);
}

void
target_reasons(const struct target *t, char *text)
{
	size_t len = 0;

	text[0] = '\0';
	for (int i = 0; i < TARGET_N_REASONS; i++) {
		uint64_t n = atomic_load_explicit(&t->unsent[i], memory_order_relaxed);

		if (n > 0)
			len += (size_t)snprintf(text + len, TARGET_REASONS_TEXT - len,
			    "%s%s %" PRIu64, len > 0 ? ", " : "", reason_names[i], n);
	}
}

static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER; /* of target.fault; rarely taken */

void
target_failed(struct target *t, const char *text)
{
	pthread_mutex_lock(&fault_lock);
	snprintf(t->fault, sizeof(t->fault), "%s", text);
	pthread_mutex_unlock(&fault_lock);
}

void
target_fault(const struct target *t, enum target_reason why, struct err *e)
{
	int error = atomic_load_explicit(&t->error, memory_order_relaxed);

	switch (why) {
	case TARGET_UNRESOLVED:
	case TARGET_UNCONNECTED:
		pthread_mutex_lock(&fault_lock);
		if (t->fault[0] != '\0')
			err_set(e, WEIR_EIO, "%s", t->fault);
		else
			err_set(e, WEIR_EIO, "%s: %s", t->name,
			    why == TARGET_UNRESOLVED ? "no address is known yet"
			                             : "no connection yet");
		pthread_mutex_unlock(&fault_lock);
		return;
	case TARGET_WRONG_FAMILY:
		err_set(e, WEIR_EIO, "%s: tee_transparent keeps the address of senders, which are of "
		    "the other family, IPv4 or IPv6", t->name);
		return;
	case TARGET_REFUSED:
	case TARGET_NO_ROOM:
	case TARGET_TOO_LONG:
	case TARGET_UNREACHABLE:
	case TARGET_N_REASONS:
		break;
	}
	err_set(e, WEIR_EIO, "%s: nothing can be sent there: %s", t->name,
	    error != 0 ? strerror(error) : reason_names[why]);
}

/* Divide "host:port" in two. Returns 0 or -WEIR_EINVAL. */
static int
target_split(struct target *t, const char *text, uint16_t port, struct err *e)
{
	const char *host = text, *end, *colon;
	size_t len;

	if (*text == '[') {
		host = text + 1;
		end = strchr(host, ']');
		colon = end != NULL && end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strrchr(text, ':');
		end = colon != NULL ? colon : text + strlen(text);
	}
	len = end != NULL ? (size_t)(end - host) : 0;
	if (len == 0 || len >= sizeof(t->host) || strlen(text) >= sizeof(t->name) ||
	    (*text == '[' && colon == NULL && end[1] != '\0') ||
	    (*text != '[' && memchr(host, ':', len) != NULL))
		return err_set(e, WEIR_EINVAL,
		    "'%.64s' is no receiver; write ADDRESS:PORT, NAME:PORT or [IPv6 "
		    "ADDRESS]:PORT", text);
	memcpy(t->host, host, len);
	t->host[len] = '\0';
	if (colon != NULL) {
		char *rest;
		unsigned long n = strtoul(colon + 1, &rest, 10);

		if (*rest != '\0' || colon[1] < '0' || colon[1] > '9' || n == 0 ||
		    n > UINT16_MAX)
			return err_set(e, WEIR_EINVAL,
			    "'%.64s': '%.16s' is no port; write 1 to %u",
			    text, colon + 1, UINT16_MAX);
		port = (uint16_t)n;
	}
	snprintf(t->port, sizeof(t->port), "%u", port);
	snprintf(t->name, sizeof(t->name), "%s", text);
	return 0;
}

/* The source that a socket of `family` is bound to: an address of its own family, or any. */
static int
target_bind(int fd, int family, const struct target_options *o)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} from = { .any = { .sa_family = (sa_family_t)family } };
	socklen_t len = family == AF_INET ? sizeof(from.in) : sizeof(from.in6);
	int on = 1;

	if (family == AF_INET) {
		from.in.sin_port = htons(o->source_port);
		memcpy(&from.in.sin_addr, o->source.b + 12, 4);
	} else {
		from.in6.sin6_port = htons(o->source_port);
		memcpy(&from.in6.sin6_addr, o->source.b, 16);
	}
	/* Many targets may have one source port. */
	if (o->source_port != 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return -1;
	return bind(fd, &from.any, len);
}

static int
target_hops(int fd, int family, int hops)
{
	if (family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) |
		    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	return setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops)) |
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof(hops));
}

static int
target_tune(int fd, int family, const struct target_options *o)
{
	int size = (int)o->send_buffer, tos = o->ip_precedence << 5;

	if (size > 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) != 0)
		return -1;
	if (o->hop_limit != 0 && target_hops(fd, family, o->hop_limit) != 0)
		return -1;
	if (tos == 0)
		return 0;
	return family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos))
	                         : setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

static int
socket_of(int family, int type, const struct target_options *o)
{
	bool bound = !ip_is_none(&o->source) || o->source_port != 0;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd == -1)
		return -1;
	if (target_tune(fd, family, o) == 0 && (!bound || target_bind(fd, family, o) == 0))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
target_socket(const struct target *t, int type, const struct target_options *o)
{
	return socket_of(target_address(t)->addr.ss_family, type, o);
}

uint32_t
target_mtu(const struct target *t)
{
	int fd = atomic_load_explicit(&t->fd, memory_order_acquire), mtu = 0;
	bool v4 = fd != -1 && target_address(t)->addr.ss_family == AF_INET;
	socklen_t len = sizeof(mtu);

	if (fd == -1 || getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU,
	                    &mtu, &len) != 0)
		return 0;
	return mtu > 0 ? (uint32_t)mtu : 0;
}

bool
target_own(const struct target *t, ip16_t *own)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a;
	socklen_t len = sizeof(a);
	int fd = atomic_load(&t->fd);

	if (fd == -1 || getsockname(fd, &a.any, &len) != 0)
		return false;
	*own = a.any.sa_family == AF_INET ? ip_from_v4((const uint8_t *)&a.in.sin_addr)
	                                  : ip_from_v6(a.in6.sin6_addr.s6_addr);
	return true;
}

/* `fd`, connected to `a`, is its socket from now on. Returns 0, or -1 with errno and `fd` open. */
static int
target_have(struct target *t, int fd, const struct target_address *a)
{
	bool first = atomic_load(&t->fd) == -1;
	unsigned no = atomic_load(&t->moves) + !first;

	t->addresses[no % 2] = *a;
	/* Whoever sends has the number of the socket, which leads elsewhere from one moment on. */
	if (!first && dup3(fd, atomic_load(&t->fd), O_CLOEXEC) == -1)
		return -1;
	atomic_store(&t->one_by_one, train_goes(fd) ? 0 : TRAIN_NEVER);
	if (first) {
		atomic_store_explicit(&t->fd, fd, memory_order_release);
		return 0;
	}
	close(fd);
	atomic_store_explicit(&t->moves, no, memory_order_release);
	return 0;
}

/* Whether connect() says that no way leads there by now. */
static bool
has_no_route(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN;
}

/* A socket to `a`. Returns 0, or -WEIR_EIO with `e`; -WEIR_EAGAIN: no way leads there by now. */
static int
target_connect(struct target *t, const struct addrinfo *a, const struct target_options *o,
    struct err *e)
{
	bool sourced = !ip_is_none(&o->source);
	struct target_address to = { .len = a->ai_addrlen };
	int fd;

	memcpy(&to.addr, a->ai_addr, a->ai_addrlen);
	if (o->refuse != NULL && o->refuse(o->arg, &to.addr, to.len))
		return err_set(e, WEIR_EINVAL, "%s is this weir itself: name another receiver",
		    t->name);

	if (sourced && ip_is_v4(&o->source) != (a->ai_family == AF_INET))
		return err_set(e, WEIR_EINVAL,
		    "%s: the source address is of the other family, IPv4 or IPv6", t->name);
	fd = socket_of(a->ai_family, SOCK_DGRAM, o);
	if (fd == -1 || connect(fd, a->ai_addr, a->ai_addrlen) != 0 ||
	    target_have(t, fd, &to) != 0) {
		bool later = fd != -1 && has_no_route(errno);

		err_set(e, later ? WEIR_EAGAIN : WEIR_EIO, "%s: %s", t->name, strerror(errno));
		if (fd != -1)
			close(fd);
		return later ? -WEIR_EAGAIN : -WEIR_EIO;
	}
	return 0;
}

/* Whether its socket leads to one of `list`. */
static bool
target_is_among(const struct target *t, const struct addrinfo *list)
{
	const struct target_address *now = target_address(t);

	for (; list != NULL; list = list->ai_next)
		if (now->len == list->ai_addrlen &&
		    memcmp(&now->addr, list->ai_addr, now->len) == 0)
			return true;
	return false;
}

/* Look the host up with `flags` of getaddrinfo, and connect. `*known`: it has an address. */
static int
target_look_up(struct target *t, int flags, const struct target_options *o, bool *known,
    struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICSERV | flags }, *list = NULL;
	int rc;

	if (!ip_is_none(&o->source))
		hints.ai_family = ip_is_v4(&o->source) ? AF_INET : AF_INET6;
	rc = getaddrinfo(t->host, t->port, &hints, &list);
	*known = rc == 0;
	if (rc != 0)
		return err_set(e, WEIR_EIO, "%s: %s", t->name, gai_strerror(rc));
	rc = atomic_load(&t->fd) != -1 && target_is_among(t, list) ? 0 : -WEIR_EIO;
	for (const struct addrinfo *a = list; rc != 0 && a != NULL; a = a->ai_next)
		rc = target_connect(t, a, o, e);
	freeaddrinfo(list);
	return rc;
}

/* 0.0.0.0 or ::, which Linux would take for this host. */
static bool
is_any(const ip16_t *a)
{
	static const uint8_t zeros[4];

	return ip_is_none(a) || (ip_is_v4(a) && memcmp(a->b + 12, zeros, 4) == 0);
}

int
target_open(struct target *t, const char *text, uint16_t port, const struct target_options *o,
    struct err *e)
{
	bool known;
	ip16_t a;
	int rc;

	memset(t, 0, sizeof(*t));
	atomic_init(&t->fd, -1);
	rc = target_split(t, text, port, e);
	if (rc != 0)
		return rc;
	if (ip_parse(t->host, &a) == 0 && is_any(&a))
		return err_set(e, WEIR_EINVAL, "'%.64s' is no receiver: %s stands for any address; "
		    "write the receiver's own, or 127.0.0.1 for this host", text, t->host);
	if (ip_parse(t->host, &a) == 0 && !ip_is_none(&o->source) &&
	    ip_is_v4(&a) != ip_is_v4(&o->source))
		return err_set(e, WEIR_EINVAL,
		    "%s: the source address is of the other family, IPv4 or IPv6", t->name);
	rc = target_look_up(t, AI_NUMERICHOST, o, &known, e);
	t->named = !known;
	return known && rc != -WEIR_EAGAIN ? rc : 0;
}

void
target_close(struct target *t)
{
	int fd = atomic_load(&t->fd);

	if (fd != -1)
		close(fd);
	atomic_store(&t->fd, -1);
}

bool
target_resolve(struct target *t, const struct target_options *o, struct err *e)
{
	bool known;

	return target_look_up(t, 0, o, &known, e) == 0;
}

/* The reason that stands for an errno of sending. */
static enum target_reason
reason_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return TARGET_REFUSED;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return TARGET_NO_ROOM;
	case EMSGSIZE:
		return TARGET_TOO_LONG;
	default:
		return TARGET_UNREACHABLE;
	}
}

uint64_t
target_trouble(const struct target *t)
{
	return atomic_load(&t->refusals) + atomic_load(&t->unsent[TARGET_UNCONNECTED]) +
	    atomic_load(&t->unsent[TARGET_UNREACHABLE]);
}

static void
count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

/* One datagram was not sent, as errno says. */
static void
target_miss_errno(struct target *t, struct target_tally *tally)
{
	atomic_store_explicit(&t->error, errno, memory_order_relaxed);
	target_miss(t, reason_of(errno), 1, tally);
}

void
target_miss(struct target *t, enum target_reason why, unsigned n, struct target_tally *tally)
{
	count(&t->unsent[why], n);
	tally->unsent += n;
}

/* Whether the kernel says that it cannot cut, be it on the way to this target or at all. */
static bool
cannot_cut(int error)
{
	switch (error) {
	case EINVAL:      /* before 4.18; or longer than the MTU, before 6.14 */
	case EMSGSIZE:    /* longer than the MTU: whole, it goes in fragments */
	case EIO:         /* the device leaves checksums to others, or there is IPsec */
	case ENOPROTOOPT:
	case EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

/* Whether sending `m` failed as the way, or who should listen there, is not there. */
static bool
is_refusal(const struct mmsghdr *m, int error)
{
	enum target_reason why = reason_of(error);
	bool train = m->msg_hdr.msg_controllen > 0;

	return (why == TARGET_REFUSED || why == TARGET_UNREACHABLE) &&
	    !(train && cannot_cut(error));
}

/* Returns how many messages went; 0 with errno: the first did not. */
static unsigned
messages_send(struct target *t, int fd, struct mmsghdr *m, unsigned n)
{
	int k = sendmmsg(fd, m, n, 0);

	/*
	 * An ICMP error, that nobody listens, that no way leads there or that it is narrow, is
	 * about an earlier datagram: this one has not been tried.
	 */
	for (int tries = 1; k < 0 && (is_refusal(m, errno) || errno == EMSGSIZE); tries++) {
		count(&t->refusals, errno != EMSGSIZE);
		if (tries == 2)
			break;
		k = sendmmsg(fd, m, n, 0);
	}
	return k > 0 ? (unsigned)k : 0;
}

void
target_listen(struct target *t)
{
	int fd = atomic_load_explicit(&t->fd, memory_order_acquire), error = 0;
	socklen_t len = sizeof(error);

	if (fd != -1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0)
		count(&t->refusals, error != EMSGSIZE);
}

/* `n` datagrams went. */
static void
sent_count(struct target *t, uint64_t n, uint64_t octets, struct target_tally *tally)
{
	count(&t->sent, n);
	count(&t->octets, octets);
	tally->sent += n;
}

void
target_send_by(struct target *t, int fd, struct mmsghdr *m, unsigned n,
    struct target_tally *tally)
{
	uint64_t sent = 0, octets = 0;

	for (unsigned i = 0; i < n;) {
		unsigned k = messages_send(t, fd, m + i, n - i);

		if (k == 0) {
			target_miss_errno(t, tally);
			i++;
			continue;
		}
		for (sent += k; k > 0; k--)
			octets += m[i++].msg_len;
	}
	sent_count(t, sent, octets, tally);
}

/* One train's `n` datagrams could not go together, errno says why: what becomes of each? */
static void
train_divide(struct target *t, int fd, struct mmsghdr *m, unsigned n,
    struct target_tally *tally)
{
	if (n == 1) {
		target_miss_errno(t, tally);
		return;
	}
	if (cannot_cut(errno))
		atomic_store_explicit(&t->one_by_one, TRAIN_REST, memory_order_relaxed);
	target_send_by(t, fd, m, n, tally);
}

/* As target_send_by, to TRAIN_DATAGRAMS at once. */
static void
trains_send(struct target *t, int fd, struct mmsghdr *m, unsigned n,
    struct target_tally *tally)
{
	uint64_t sent = 0, octets = 0;
	struct trains trains;

	trains_couple(&trains, m, n);
	for (unsigned i = 0; i < trains.n;) {
		unsigned k = messages_send(t, fd, trains.messages + i, trains.n - i);

		if (k == 0) {
			train_divide(t, fd, m, trains.datagrams[i], tally);
			m += trains.datagrams[i++];
			continue;
		}
		for (; k > 0; k--, i++) {
			octets += trains.messages[i].msg_len;
			sent += trains.datagrams[i];
			for (unsigned left = trains.datagrams[i]; left > 0; left--, m++)
				m->msg_len = (unsigned)train_octets(&m->msg_hdr);
		}
	}
	sent_count(t, sent, octets, tally);
}

/* Whether `n` datagrams may go together; not for a while after the kernel said no. */
static bool
target_couples(struct target *t, unsigned n)
{
	uint32_t rest = atomic_load_explicit(&t->one_by_one, memory_order_relaxed);

	if (rest == 0)
		return n > 1;
	if (rest == TRAIN_NEVER)
		return false;
	atomic_store_explicit(&t->one_by_one, rest > n ? rest - n : 0, memory_order_relaxed);
	return false;
}

void
target_send(struct target *t, struct mmsghdr *m, unsigned n, struct target_tally *tally)
{
	int fd = atomic_load_explicit(&t->fd, memory_order_acquire);

	if (fd == -1) {
		target_miss(t, TARGET_UNRESOLVED, n, tally);
		return;
	}
	if (!target_couples(t, n)) {
		target_send_by(t, fd, m, n, tally);
		return;
	}
	for (unsigned at = 0; at < n; at += TRAIN_DATAGRAMS)
		trains_send(t, fd, m + at, n - at < TRAIN_DATAGRAMS ? n - at : TRAIN_DATAGRAMS,
		    tally);
}
