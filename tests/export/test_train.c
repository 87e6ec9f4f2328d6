/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which datagrams go together; that they arrive as they were is test_target's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/train.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static const struct {
	const char *says;
	struct {
		unsigned n;
		size_t octets;
	} datagrams[5];
	unsigned want[8]; /* datagrams of each message */
} cases[] = {
	{ "none", { { 0, 0 } }, { 0 } },
	{ "one", { { 1, 100 } }, { 1 } },
	{ "of one size", { { 5, 100 } }, { 5 } },
	{ "a shorter one is the last", { { 5, 100 }, { 1, 99 }, { 2, 99 } }, { 6, 2 } },
	{ "a longer one is the first", { { 2, 100 }, { 2, 101 } }, { 2, 2 } },
	{ "shorter and shorter", { { 1, 5 }, { 1, 4 }, { 1, 3 }, { 1, 2 } }, { 2, 2 } },
	{ "longer and longer", { { 1, 2 }, { 1, 3 }, { 1, 4 } }, { 1, 1, 1 } },
	{ "an octet each", { { 64, 1 } }, { 63, 1 } },
	{ "empty ones go alone", { { 2, 10 }, { 2, 0 }, { 2, 10 } }, { 2, 1, 1, 2 } },
	{ "of an Ethernet frame", { { 64, 1464 } }, { 44, 20 } },
	{ "large ones", { { 16, 9000 } }, { 7, 7, 2 } },
	{ "as large as can be", { { 2, 65507 }, { 1, 1 } }, { 1, 1, 1 } },
	{ "half of it", { { 3, 32743 } }, { 2, 1 } },
	{ "more than half", { { 2, 32744 } }, { 1, 1 } },
};

static uint8_t octets[TRAIN_DATAGRAMS * 65536];

/* Where the kernel is to cut `m`; 0: nowhere. */
static unsigned
cut_of(const struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	uint16_t each;

	if (c == NULL)
		return 0;
	assert_int_equal(c->cmsg_level, IPPROTO_UDP);
	assert_int_equal(c->cmsg_type, UDP_SEGMENT);
	assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(each)));
	memcpy(&each, CMSG_DATA(c), sizeof(each));
	return each;
}

/* Each message of `t` holds the octets of its datagrams of `m`, in their order, none else. */
static void
check_octets(const struct trains *t, const struct mmsghdr *m)
{
	static uint8_t want[65536], got[65536];

	for (unsigned i = 0; i < t->n; i++) {
		const struct msghdr *h = &t->messages[i].msg_hdr;
		size_t n_want = 0, n_got = 0;

		assert_int_equal(cut_of(h), t->datagrams[i] > 1 ? train_octets(&m->msg_hdr) : 0);
		for (size_t k = 0; k < h->msg_iovlen; k++) {
			memcpy(got + n_got, h->msg_iov[k].iov_base, h->msg_iov[k].iov_len);
			n_got += h->msg_iov[k].iov_len;
		}
		for (unsigned left = t->datagrams[i]; left > 0; left--, m++)
			for (size_t k = 0; k < m->msg_hdr.msg_iovlen; k++) {
				memcpy(want + n_want, m->msg_hdr.msg_iov[k].iov_base,
				    m->msg_hdr.msg_iov[k].iov_len);
				n_want += m->msg_hdr.msg_iov[k].iov_len;
			}
		assert_int_equal(n_got, n_want);
		assert_int_equal(train_octets(h), n_want);
		assert_memory_equal(got, want, n_want);
	}
}

/* In one part each; in two; and one behind the other in memory. */
static void
test_couple(void **state)
{
	enum { WHOLE, DIVIDED, ADJACENT, WAYS };

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 2654435761U >> 13);
	for (size_t i = 0; i < WAYS * sizeof(cases) / sizeof(cases[0]); i++) {
		static struct trains t;
		struct mmsghdr m[TRAIN_DATAGRAMS] = { 0 };
		struct iovec v[TRAIN_DATAGRAMS][2];
		unsigned n = 0, way = (unsigned)(i % WAYS);
		uint8_t *at = octets;

		for (size_t k = 0; k < 5; k++)
			for (unsigned left = cases[i / WAYS].datagrams[k].n; left > 0; left--, n++) {
				size_t len = cases[i / WAYS].datagrams[k].octets;
				size_t head = way == DIVIDED ? len / 3 : len;

				if (way != ADJACENT)
					at = octets + n * (size_t)65536;
				v[n][0] = (struct iovec){ at, head };
				v[n][1] = (struct iovec){ at + 65530 - len, len - head };
				m[n].msg_hdr.msg_iov = v[n];
				m[n].msg_hdr.msg_iovlen = way == DIVIDED ? 2 : 1;
				at += len;
			}
		trains_couple(&t, m, n);
		for (unsigned k = 0; k < t.n || cases[i / WAYS].want[k] != 0; k++)
			if (k >= t.n || t.datagrams[k] != cases[i / WAYS].want[k])
				fail_msg("%s: message %u of %u", cases[i / WAYS].says, k, t.n);
		check_octets(&t, m);
		if (way == ADJACENT && t.n == 1)
			assert_int_equal(t.messages[0].msg_hdr.msg_iovlen, 1);
	}
}

/* Sockets of UDP take them, others do not. */
static void
test_goes(void **state)
{
	int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_true(train_goes(udp));
	assert_false(train_goes(tcp));
	close(udp);
	close(tcp);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_couple),
		cmocka_unit_test(test_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
