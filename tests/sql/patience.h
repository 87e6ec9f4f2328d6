/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a connection to a server bears that what is sent is not taken. */
#ifndef WEIR_TESTS_SQL_PATIENCE_H
#define WEIR_TESTS_SQL_PATIENCE_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

/* ms; 0: as long as the system likes. */
static inline int
patience(int fd)
{
	int ms = -1;
	socklen_t len = sizeof(ms);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &len), 0);
	return ms;
}

#endif
