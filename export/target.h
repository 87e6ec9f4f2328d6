/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target: a place that we send datagrams to, another collector. It is written as host:port
 * and has a connected UDP socket of its own, so that the kernel tells when nobody listens
 * there. Sending never blocks: what the socket does not take at once is counted by reason
 * and gone.
 *
 * A target is made by the main thread; any number of threads may send to it. One whose
 * host is a name, or an address that no way leads to, has no socket until target_resolve got
 * one; where a name has another address later, that socket becomes one to that address.
 */
#ifndef WEIR_EXPORT_TARGET_H
#define WEIR_EXPORT_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/err.h"
#include "lib/ip.h"

/* Why a datagram was not sent. */
#define TARGET_REASONS(X) \
	X(UNRESOLVED, unresolved)   /* no address is known for the name */ \
	X(REFUSED, refused)         /* nobody listens there: ICMP said so, twice at once */ \
	X(NO_ROOM, no_room)         /* the socket's buffer is full */ \
	X(TOO_LONG, too_long)       /* for the way there, or for UDP */ \
	X(UNCONNECTED, unconnected) /* by TCP: there is no connection */ \
	X(WRONG_FAMILY, wrong_family) /* tee_transparent: its sender is of IPv4, or IPv6, alone */ \
	X(UNREACHABLE, unreachable) /* no route, no neighbour, or all else */
enum target_reason {
#define X(NAME, name) TARGET_##NAME,
	TARGET_REASONS(X)
#undef X
	TARGET_N_REASONS
};

/* How the sockets of targets are made. */
struct target_options {
	ip16_t source;        /* to send from; none: the kernel chooses */
	uint16_t source_port; /* 0: the kernel chooses */
	uint32_t send_buffer; /* octets; 0: the system's default */
	/* Whether an address is not to be sent to, as that would be a loop; NULL: none is. */
	bool (*refuse)(const void *arg, const struct sockaddr_storage *a, socklen_t len);
	const void *arg;
	uint8_t ip_precedence; /* 0-7: the upper three bits of TOS, or of the traffic class */
	uint8_t hop_limit;     /* of unicast and multicast; 0: the system's default */
};

/* Who looks at it is done in a second, when it may be no target's any more. */
struct target_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

struct target {
	char name[256];               /* "192.0.2.1:2100", as the operator wrote it */
	char host[254], port[6];
	_Atomic unsigned refs;        /* receivers (receivers.h) that have it, where some do */
	bool named;                   /* its host is a name */
	_Atomic int fd;               /* -1: not resolved */
	struct target_address addresses[2]; /* what `fd` is connected to: number `moves`, modulo 2 */
	_Atomic unsigned moves;       /* other addresses that the name had since */
	/* Whoever has set `looking` from false to true looks for its address, and has these. */
	_Atomic bool looking;
	bool said;                    /* that it cannot be resolved */
	uint64_t looked;              /* when it did so last, mono ns */
	uint64_t trouble;             /* target_trouble then */
	uint64_t moved;               /* when it moved last, mono ns; 0: never */
	_Atomic bool stale;           /* somebody wants that to be done again */
	_Atomic uint32_t one_by_one;  /* so many datagrams are not coupled (train.h) */
	_Atomic uint64_t sent, octets;
	_Atomic uint64_t refusals;    /* times that ICMP, or the way, refused datagrams */
	_Atomic uint64_t unsent[TARGET_N_REASONS];
	_Atomic int error;            /* errno of the last that was not sent, of the kernel's */
	char fault[256];              /* why it has no address, or no connection; target_failed */
	struct {
		uint64_t sent, unsent[TARGET_N_REASONS];
	} seen;                       /* of them when they were looked at last (delivery.h) */
};

/* Where `t`, which has a socket, sends to. Any thread. */
static inline const struct target_address *
target_address(const struct target *t)
{
	return &t->addresses[atomic_load_explicit(&t->moves, memory_order_acquire) % 2];
}

/* What became of datagrams. */
struct target_tally {
	uint64_t sent, unsent;
};

/*
 * Read "host:port", "[IPv6 address]:port" or "host" alone, which gets `port`. Opens the
 * socket where the host is an address to which a way leads. Returns 0, or -WEIR_EINVAL with `e`
 * saying what to write, -WEIR_EIO when the socket cannot be had. target_close may be called in
 * any case.
 */
int target_open(struct target *t, const char *text, uint16_t port,
    const struct target_options *o, struct err *e);
void target_close(struct target *t);

/* The address that `t` is sent to from. Returns false when it is not known yet. */
bool target_own(const struct target *t, ip16_t *own);

/*
 * A socket of `type` (SOCK_DGRAM, SOCK_STREAM), not yet connected, for the address that `t` has.
 * Returns -1 with errno set.
 */
int target_socket(const struct target *t, int type, const struct target_options *o);

/* Octets that fit into a datagram on the way to `t`, as far as is known; 0: it is not. */
uint32_t target_mtu(const struct target *t);

/*
 * Look up the name of a target, and open its socket, or have it lead to another address where
 * the name has not the one that it had. May block for seconds. One thread at a time, which
 * must not move it twice in a second. Returns whether all went well, or `e` says why not; with
 * a socket, it has the one before, too.
 */
bool target_resolve(struct target *t, const struct target_options *o, struct err *e);

/*
 * Send `n` datagrams, whose names (msg_name) are not set, of a part or two, and count what
 * became of them, in `t` and into `tally`. msg_len becomes the octets of each that went, and
 * is left alone where one did not. Those of one size go together (train.h) where the kernel
 * can cut them apart; what becomes of each is counted all the same. Any thread.
 */
void target_send(struct target *t, struct mmsghdr *m, unsigned n, struct target_tally *tally);

/* Count a refusal that has come since something was sent, without sending more. */
void target_listen(struct target *t);

/* The same as target_send through socket `fd`, for datagrams that have names. */
void target_send_by(struct target *t, int fd, struct mmsghdr *m, unsigned n,
    struct target_tally *tally);

/* How often something was wrong with the way there, or with who should listen there. */
uint64_t target_trouble(const struct target *t);

/* Note why it has no address, or no connection. Any thread. */
void target_failed(struct target *t, const char *text);

/* Why datagrams to `t` were not sent, whose reason was `why`, for people. Any thread. */
void target_fault(const struct target *t, enum target_reason why, struct err *e);

#define TARGET_REASONS_TEXT (TARGET_N_REASONS * 34) /* octets of target_reasons, at most */

/* "no_room 3, too_long 1": why datagrams were not sent, into TARGET_REASONS_TEXT octets. */
void target_reasons(const struct target *t, char *text);

/* The port of an IPv4 or IPv6 address, host order. */
uint16_t target_port(const struct sockaddr_storage *a);
void target_port_set(struct sockaddr_storage *a, uint16_t port);

/* Count `n` datagrams as not sent, into `tally` too. Any thread. */
void target_miss(struct target *t, enum target_reason why, unsigned n,
    struct target_tally *tally);

#endif
