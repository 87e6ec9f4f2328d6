/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay PORT TO: what comes to 127.0.0.1:PORT goes on to port TO there, 64 datagrams at a
 * time, with nothing in between: no relay on one thread does with less. Ends by a signal.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH  64U
#define OCTETS 2048U

static uint8_t octets[BATCH][OCTETS];

static struct sockaddr_in
loopback(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

int
main(int argc, char **argv)
{
	int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0);
	int size = argc > 3 ? atoi(argv[3]) : 1 << 24;
	struct sockaddr_in from = loopback(argc > 1 ? argv[1] : "0");
	struct sockaddr_in to = loopback(argc > 2 ? argv[2] : "0");
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };

	if (argc < 3 || in == -1 || out == -1 ||
	    (setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 &&
	        setsockopt(in, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) != 0) ||
	    bind(in, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    connect(out, (struct sockaddr *)&to, sizeof(to)) != 0) {
		fprintf(stderr, "usage: relay PORT TO [OCTETS OF SOCKET]\n");
		return 1;
	}
	for (;;) {
		int n;

		for (unsigned i = 0; i < BATCH; i++) {
			vectors[i] = (struct iovec){ octets[i], OCTETS };
			messages[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i],
				.msg_iovlen = 1 };
		}
		n = recvmmsg(in, messages, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++)
			vectors[i].iov_len = messages[i].msg_len;
		for (int at = 0; at < n;) {
			int k = sendmmsg(out, messages + at, (unsigned)(n - at), 0);

			at += k > 0 ? k : 1;
		}
	}
}
