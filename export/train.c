/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/train.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* since Linux 4.18 */
#endif

/*
 * The kernel takes 64, but counts the headers in with the octets before 5.17: a whole 64 are
 * too many then.
 */
#define DATAGRAMS_MAX 63U
#define OCTETS_MAX    65487U /* of all of them: less than UDP can have over IPv4 and IPv6 */

bool
train_goes(int fd)
{
	int each;
	socklen_t len = sizeof(each);

	return getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &each, &len) == 0;
}

size_t
train_octets(const struct msghdr *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++)
		n += m->msg_iov[i].iov_len;
	return n;
}

/* Append the parts of `m` to those of the train `to`, of which the last may just go on. */
static void
train_append(struct msghdr *to, const struct msghdr *m)
{
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct iovec *end = &to->msg_iov[to->msg_iovlen];
		const struct iovec *part = &m->msg_iov[i];

		if (to->msg_iovlen > 0 &&
		    (uint8_t *)end[-1].iov_base + end[-1].iov_len == part->iov_base) {
			end[-1].iov_len += part->iov_len;
			continue;
		}
		*end = *part;
		to->msg_iovlen++;
	}
}

/* Say where it is to be cut: every `each` octets. */
static void
train_cut(struct msghdr *m, uint8_t *control, size_t each)
{
	struct cmsghdr *c = (void *)control;
	uint16_t octets = (uint16_t)each;

	memset(control, 0, TRAIN_CONTROL);
	m->msg_control = control;
	m->msg_controllen = TRAIN_CONTROL;
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(octets));
	memcpy(CMSG_DATA(c), &octets, sizeof(octets));
}

/* Begin message `no` with `m`, and take as many of the `n` - 1 behind it as may go along. */
static unsigned
train_fill(struct trains *t, unsigned no, struct iovec *parts, const struct mmsghdr *m,
    unsigned n)
{
	struct msghdr *to = &t->messages[no].msg_hdr;
	size_t each = train_octets(&m[0].msg_hdr), sum = each;
	bool open = each > 0;
	unsigned k = 1;

	*to = (struct msghdr){ .msg_iov = parts };
	train_append(to, &m[0].msg_hdr);
	for (; open && k < n && k < DATAGRAMS_MAX; k++) {
		size_t octets = train_octets(&m[k].msg_hdr);

		if (octets == 0 || octets > each || sum + octets > OCTETS_MAX)
			break;
		train_append(to, &m[k].msg_hdr);
		sum += octets;
		open = octets == each; /* one that is shorter is the last */
	}
	if (k > 1)
		train_cut(to, t->control[no], each);
	return k;
}

void
trains_couple(struct trains *t, const struct mmsghdr *m, unsigned n)
{
	struct iovec *parts = t->parts;

	assert(n <= TRAIN_DATAGRAMS);
	t->n = 0;
	for (unsigned at = 0, k; at < n; at += k) {
		assert(m[at].msg_hdr.msg_iovlen <= TRAIN_PARTS);
		k = train_fill(t, t->n, parts, m + at, n - at);
		t->datagrams[t->n] = (uint8_t)k;
		parts += t->messages[t->n].msg_hdr.msg_iovlen;
		t->n++;
	}
}
