/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/spoof.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/wbuf.h"

#define BATCH       64U
#define TTL         64U
#define UDP_OCTETS  8U
#define IP4_OCTETS  20U
#define IP6_OCTETS  40U
#define HEADERS_MAX (IP6_OCTETS + UDP_OCTETS)

struct spoof {
	int fd4, fd6;
	uint8_t tos;
	uint8_t headers[BATCH][HEADERS_MAX];
	struct iovec vectors[BATCH][2];
	struct mmsghdr messages[BATCH];
};

static int
raw_socket(int family)
{
	int on = 1;
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	int rc;

	if (fd == -1)
		return -1;
	rc = family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on))
	                       : setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on));
	if (rc != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct spoof *
spoof_open(uint8_t ip_precedence, struct err *e)
{
	struct spoof *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, WEIR_ENOMEM, "tee_transparent: no memory");
		return NULL;
	}
	s->tos = (uint8_t)(ip_precedence << 5);
	s->fd4 = raw_socket(AF_INET);
	s->fd6 = raw_socket(AF_INET6);
	/* A host may have no IPv6 at all. */
	if (s->fd4 == -1) {
		err_set(e, WEIR_EIO, "tee_transparent: no raw socket: %s; run weir as root, or "
		    "give it CAP_NET_RAW", strerror(errno));
		spoof_close(s);
		return NULL;
	}
	return s;
}

void
spoof_close(struct spoof *s)
{
	if (s == NULL)
		return;
	if (s->fd4 != -1)
		close(s->fd4);
	if (s->fd6 != -1)
		close(s->fd6);
	free(s);
}

/* The sum of RFC 1071 s1, not yet folded: octets in pairs, the last one alone with a zero. */
static uint64_t
sum_octets(const uint8_t *p, size_t n, uint64_t sum)
{
	for (; n > 1; n -= 2, p += 2)
		sum += (uint64_t)p[0] << 8 | p[1];
	return n == 1 ? sum + ((uint64_t)p[0] << 8) : sum;
}

static uint16_t
sum_fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* RFC 768: over addresses, protocol, length, header and data; none is written as all ones. */
static uint16_t
udp_checksum(const uint8_t *addresses, size_t octets, const uint8_t *udp,
    const struct datagram *d)
{
	uint64_t sum = IPPROTO_UDP + UDP_OCTETS + d->len;
	uint16_t c;

	sum = sum_octets(addresses, octets, sum);
	sum = sum_octets(udp, UDP_OCTETS, sum);
	c = sum_fold(sum_octets(d->data, d->len, sum));
	return c != 0 ? c : 0xffff;
}

static void
udp_header(struct wbuf *w, const struct target_address *t, const struct datagram *d)
{
	wbuf_u16(w, d->from_port);
	wbuf_u16(w, target_port(&t->addr));
	wbuf_u16(w, (uint16_t)(UDP_OCTETS + d->len));
	wbuf_u16(w, 0);
}

/* The kernel fills the length of the whole, the identification and the header's checksum. */
static size_t
header4(const struct spoof *s, uint8_t *h, const struct target_address *t,
    const struct datagram *d)
{
	const struct sockaddr_in *to = (const void *)&t->addr;
	struct wbuf w = wbuf_of(h, HEADERS_MAX);
	uint16_t c;

	wbuf_u8(&w, 0x45);
	wbuf_u8(&w, s->tos);
	wbuf_u16(&w, (uint16_t)(IP4_OCTETS + UDP_OCTETS + d->len));
	wbuf_u32(&w, 0);
	wbuf_u8(&w, TTL);
	wbuf_u8(&w, IPPROTO_UDP);
	wbuf_u16(&w, 0);
	wbuf_put(&w, d->from.b + 12, 4);
	wbuf_put(&w, &to->sin_addr, 4);
	udp_header(&w, t, d);
	c = udp_checksum(h + 12, 8, h + IP4_OCTETS, d);
	h[IP4_OCTETS + 6] = (uint8_t)(c >> 8);
	h[IP4_OCTETS + 7] = (uint8_t)c;
	return IP4_OCTETS + UDP_OCTETS;
}

static size_t
header6(const struct spoof *s, uint8_t *h, const struct target_address *t,
    const struct datagram *d)
{
	const struct sockaddr_in6 *to = (const void *)&t->addr;
	struct wbuf w = wbuf_of(h, HEADERS_MAX);
	uint16_t c;

	wbuf_u32(&w, UINT32_C(6) << 28 | (uint32_t)s->tos << 20);
	wbuf_u16(&w, (uint16_t)(UDP_OCTETS + d->len));
	wbuf_u8(&w, IPPROTO_UDP);
	wbuf_u8(&w, TTL);
	wbuf_put(&w, d->from.b, 16);
	wbuf_put(&w, &to->sin6_addr, 16);
	udp_header(&w, t, d);
	c = udp_checksum(h + 8, 32, h + IP6_OCTETS, d);
	h[IP6_OCTETS + 6] = (uint8_t)(c >> 8);
	h[IP6_OCTETS + 7] = (uint8_t)c;
	return IP6_OCTETS + UDP_OCTETS;
}

/* Make message number `i` of `d`. */
static void
message_make(struct spoof *s, unsigned i, const struct target_address *t,
    const struct datagram *d, struct sockaddr_storage *to)
{
	uint8_t *h = s->headers[i];
	size_t len = t->addr.ss_family == AF_INET ? header4(s, h, t, d) : header6(s, h, t, d);

	s->vectors[i][0] = (struct iovec){ h, len };
	s->vectors[i][1] = (struct iovec){ (void *)(uintptr_t)d->data, d->len };
	s->messages[i].msg_hdr = (struct msghdr){ .msg_name = to, .msg_namelen = t->len,
		.msg_iov = s->vectors[i], .msg_iovlen = 2 };
}

void
spoof_send(struct spoof *s, struct target *t, const struct datagram *const *d, unsigned n,
    struct target_tally *tally)
{
	const struct target_address *there;
	struct sockaddr_storage to;
	unsigned k = 0, others = 0;
	bool v4;

	if (atomic_load_explicit(&t->fd, memory_order_acquire) == -1) {
		target_miss(t, TARGET_UNRESOLVED, n, tally);
		return;
	}
	there = target_address(t);
	v4 = there->addr.ss_family == AF_INET;
	to = there->addr;
	target_port_set(&to, 0); /* for a raw socket it would be a protocol: raw(7) */
	for (unsigned i = 0; i < n; i++) {
		if (ip_is_v4(&d[i]->from) != v4)
			others++;
		else if (d[i]->len <= UINT16_MAX - HEADERS_MAX)
			message_make(s, k++, there, d[i], &to);
	}
	if (others > 0)
		target_miss(t, TARGET_WRONG_FAMILY, others, tally);
	if (k + others < n)
		target_miss(t, TARGET_TOO_LONG, n - k - others, tally);
	target_send_by(t, v4 ? s->fd4 : s->fd6, s->messages, k, tally);
}
