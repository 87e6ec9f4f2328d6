/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "collectors/channels.h"
#include "lib/clock.h"
#include "lib/intern.h"

#define NOW (1000 * CLOCK_S)
#define TCP 6
#define UDP 17

#define LINES7  "\n\n\n\n\n\n\n"
#define LINES63 LINES7 LINES7 LINES7 LINES7 LINES7 LINES7 LINES7 LINES7 LINES7

/* What a control stream says, from 192.0.2.1 to 192.0.2.2 (or 2001:db8::7 to 8), and which end of another it tells. */
static const struct {
	const char *says, *class, *text;
	const char *host; /* NULL: none */
	uint16_t port;
	uint8_t proto;
	const char *of; /* class of that */
} cases[] = {
	{ "passive", "FTP_CONTROL", "227 Entering Passive Mode (192,0,2,1,195,149).\r\n", "192.0.2.1",
	    50069, TCP, "FTP_DATA" },
	{ "whatever address it names, it is the sender's", "FTP_CONTROL",
	    "227 Entering Passive Mode (10,0,0,1,195,149)\r\n", "192.0.2.1", 50069, TCP, "FTP_DATA" },
	{ "and not the named one", "FTP_CONTROL", "227 Entering Passive Mode (10,0,0,1,195,149)\r\n",
	    "10.0.0.1", 50069, TCP, NULL },
	{ "extended passive", "FTP_CONTROL", "229 Entering Extended Passive Mode (|||6446|)\r\n",
	    "192.0.2.1", 6446, TCP, "FTP_DATA" },
	{ "active", "FTP_CONTROL", "port 192,0,2,1,4,1\r\n", "192.0.2.1", 1025, TCP, "FTP_DATA" },
	{ "extended active", "FTP_CONTROL", "EPRT |1|192.0.2.1|5282|\r\n", "192.0.2.1", 5282, TCP,
	    "FTP_DATA" },
	{ "behind another line", "FTP_CONTROL", "200 Ok\r\n229 Extended (!!!1024!)\r\n", "192.0.2.1",
	    1024, TCP, "FTP_DATA" },
	{ "as the last of 64 lines", "FTP_CONTROL", LINES63 "229 Extended (!!!1024!)\r\n", "192.0.2.1",
	    1024, TCP, "FTP_DATA" },
	{ "behind 64 lines", "FTP_CONTROL", LINES63 "\n229 Extended (!!!1024!)\r\n", "192.0.2.1",
	    1024, TCP, NULL },
	{ "a port of services", "FTP_CONTROL", "EPRT |1|192.0.2.1|1023|\r\n", "192.0.2.1", 1023, TCP,
	    NULL },
	{ "a number too few", "FTP_CONTROL", "PORT 192,0,2,1,4\r\n", "192.0.2.1", 1025, TCP, NULL },
	{ "a number too large", "FTP_CONTROL", "PORT 192,0,2,1,4,257\r\n", "192.0.2.1", 1281, TCP, NULL },
	{ "a port too large", "FTP_CONTROL", "EPRT |1|192.0.2.1|70818|\r\n", "192.0.2.1", 5282, TCP,
	    NULL },
	{ "another number of a reply", "FTP_CONTROL", "226 (192,0,2,1,4,1)\r\n", "192.0.2.1", 1025, TCP,
	    NULL },
	{ "what is not of this stream's protocol", "SIP", "PORT 192,0,2,1,4,1\r\n", "192.0.2.1", 1025,
	    TCP, NULL },
	{ "a description", "SIP", "INVITE sip:b SIP/2.0\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\n"
	    "m=audio 49170 RTP/AVP 0\r\n", "192.0.2.1", 49170, UDP, "RTP" },
	{ "the receiver's host", "SIP", "INVITE sip:b SIP/2.0\r\n\r\nv=0\r\nc=IN IP4 192.0.2.2\r\n"
	    "m=audio 49170 RTP/AVP 0\r\n", "192.0.2.2", 49170, UDP, NULL },
	{ "by a reply", "SIP", "SIP/2.0 200 OK\r\n\r\nv=0\r\nc=IN IP4 192.0.2.2\r\n"
	    "m=audio 49170 RTP/AVP 0\r\n", "192.0.2.2", 49170, UDP, NULL },
	{ "RTCP is behind it", "SIP", "c=IN IP4 192.0.2.1\nm=audio 49170 RTP/AVP 0\n",
	    "192.0.2.1", 49171, UDP, "RTCP" },
	{ "the address behind the medium", "SIP", "m=video 49172 RTP/SAVP 31\r\n"
	    "c=IN IP6 2001:db8::7\r\n", "2001:db8::7", 49172, UDP, "RTP" },
	{ "of MGCP", "MGCP", "200 1203 OK\r\nI: FDE234C8\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\n"
	    "m=audio 3456 RTP/AVP 0\r\n", "192.0.2.1", 3456, UDP, "RTP" },
	{ "a time to live, and two ports", "SIP", "c=IN IP4 192.0.2.1/127\r\nm=audio 49170/2 RTP/AVP 0\r\n",
	    "192.0.2.1", 49170, UDP, "RTP" },
	{ "a medium that is turned off", "SIP", "c=IN IP4 192.0.2.1\r\nm=audio 0 RTP/AVP 0\r\n",
	    "192.0.2.1", 1, UDP, NULL },
	{ "another transport", "SIP", "c=IN IP4 192.0.2.1\r\nm=image 49170 udptl t38\r\n",
	    "192.0.2.1", 49170, UDP, NULL },
	{ "the host of others", "SIP", "c=IN IP4 198.51.100.7\r\nm=audio 49170 RTP/AVP 0\r\n",
	    "198.51.100.7", 49170, UDP, NULL },
	{ "and a group", "SIP", "m=audio 49170 RTP/AVP 0\r\nc=IN IP4 233.252.0.1/127\r\n",
	    "233.252.0.1", 49170, UDP, NULL },
	{ "nobody's, which puts on hold", "SIP", "c=IN IP4 0.0.0.0\r\nm=audio 49170 RTP/AVP 0\r\n",
	    "192.0.2.1", 49170, UDP, NULL },
	{ "a service's port", "SIP", "c=IN IP4 192.0.2.1\r\nm=audio 53 RTP/AVP 0\r\n", "192.0.2.1", 53,
	    UDP, NULL },
	{ "whose neighbour is none", "SIP", "c=IN IP4 192.0.2.1\r\nm=audio 1023 RTP/AVP 0\r\n",
	    "192.0.2.1", 1024, UDP, NULL },
	{ "the least port", "SIP", "c=IN IP4 192.0.2.1\r\nm=audio 1024 RTP/AVP 0\r\n", "192.0.2.1",
	    1024, UDP, "RTP" },
	{ "no address", "SIP", "c=IN IP4 nobody\r\nm=audio 49170 RTP/AVP 0\r\n", "192.0.2.1", 49170, UDP,
	    NULL },
	{ "the client's ports, by itself", "RTSP", "SETUP rtsp://a RTSP/1.0\r\nCSeq: 3\r\n"
	    "Transport: RTP/AVP;unicast;client_port=4588-4589\r\n", "192.0.2.1", 4589, UDP, "RTCP" },
	{ "but not by the server", "RTSP", "RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;"
	    "client_port=4588-4589;server_port=6256-6257\r\n", "192.0.2.2", 4588, UDP, NULL },
	{ "nor the server's by a client", "RTSP", "SETUP rtsp://a RTSP/1.0\r\n"
	    "Transport: RTP/AVP;unicast;server_port=6256-6257\r\n", "192.0.2.2", 6256, UDP, NULL },
	{ "the server's", "RTSP", "RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;"
	    "client_port=4588-4589;server_port=6256-6257\r\n", "192.0.2.1", 6256, UDP, "RTP" },
	{ "nothing", "FTP_CONTROL", "", NULL, 0, 0, NULL },
};

/* As much of a packet as is looked at: addresses, and the payload, on memory of its own. */
static struct packet_content
content_of(const char *text, uint8_t *header, uint8_t **copy)
{
	size_t len = strlen(text);

	memset(header, 0, 40);
	if (strstr(text, "IP6") != NULL) {
		header[0] = 0x60;
		memcpy(header + 8, (uint8_t[]){ 0x20, 1, 0xd, 0xb8, [15] = 7 }, 16);
		memcpy(header + 24, (uint8_t[]){ 0x20, 1, 0xd, 0xb8, [15] = 8 }, 16);
	} else {
		header[0] = 0x45;
		memcpy(header + 12, (uint8_t[]){ 192, 0, 2, 1, 192, 0, 2, 2 }, 8);
	}
	*copy = malloc(len > 0 ? len : 1);
	assert_non_null(*copy);
	memcpy(*copy, text, len);
	return (struct packet_content){ .ip = header, .ip_octets = header[0] == 0x60 ? 40 : 20, .proto = TCP,
		.payload = rbuf_of(*copy, len) };
}

static uint32_t
find(const struct channels *ch, size_t i, uint64_t time)
{
	ip16_t host;

	if (cases[i].host == NULL)
		return 0;
	assert_int_equal(ip_parse(cases[i].host, &host), 0);
	return channels_find(ch, &host, cases[i].port, cases[i].proto, time);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct channels *ch = channels_new();
		uint8_t header[40], *copy;
		struct packet_content c = content_of(cases[i].text, header, &copy);
		uint32_t class = intern(cases[i].class, strlen(cases[i].class)), got;

		assert_non_null(ch);
		assert_true(channels_come_of(ch, class));
		assert_int_equal(find(ch, i, NOW), 0);
		channels_look(ch, class, &c, NOW);
		got = find(ch, i, NOW);
		if (strcmp(got != 0 ? intern_text(got) : "", cases[i].of != NULL ? cases[i].of : "") != 0)
			fail_msg("%s: %s", cases[i].says, got != 0 ? intern_text(got) : "none");
		assert_int_equal(find(ch, i, NOW + CHANNELS_LIFE_S * CLOCK_S), got);
		assert_int_equal(find(ch, i, NOW + (CHANNELS_LIFE_S + 1) * CLOCK_S), 0);
		free(copy);
		channels_free(ch);
	}
}

/* Each cut short, and with each octet another. */
static void
test_bounds(void **state)
{
	struct channels *ch = channels_new();

	(void)state;
	assert_non_null(ch);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t class = intern(cases[i].class, strlen(cases[i].class));
		char text[512];

		for (size_t k = 0; k < 2 * strlen(cases[i].text); k++) {
			uint8_t header[40], *copy;
			struct packet_content c;

			strcpy(text, cases[i].text);
			text[k / 2] = k % 2 == 0 ? '\0' : (char)(text[k / 2] ^ 0x10);
			c = content_of(text, header, &copy);
			channels_look(ch, class, &c, NOW);
			free(copy);
		}
	}
	assert_false(channels_come_of(ch, 0));
	assert_false(channels_come_of(ch, intern("HTTP", 4)));
	channels_free(ch);
}

/* Announce `port` of 192.0.2.1, as FTP or RTSP does. */
static void
announce(struct channels *ch, bool media, unsigned port, uint64_t time)
{
	uint8_t header[40], *copy;
	struct packet_content c;
	char text[64];

	snprintf(text, sizeof(text), media ? "Transport: RTP/AVP;client_port=%u\r\n" : "EPRT |1||%u|",
	    port);
	c = content_of(text, header, &copy);
	channels_look(ch, media ? ch->rtsp : ch->ftp, &c, time);
	free(copy);
}

static uint32_t
announced(const struct channels *ch, bool media, unsigned port, uint64_t time)
{
	ip16_t host = ip_from_v4((const uint8_t[]){ 192, 0, 2, 1 });

	return channels_find(ch, &host, (uint16_t)port, media ? UDP : TCP, time);
}

/* A quarter of what there is room for hardly costs anybody a place; the oldest go first. */
static void
test_room(void **state)
{
	enum { ROOM = CHANNELS_SETS * CHANNELS_ENDS };
	struct channels *ch = channels_new();
	unsigned found = 0;

	(void)state;
	assert_non_null(ch);
	for (unsigned i = 0; i < ROOM / 4; i++)
		announce(ch, false, 1024 + i, NOW);
	assert_int_equal(channels_told(ch), ROOM / 4);
	for (unsigned i = 0; i < ROOM / 4; i++)
		found += announced(ch, false, 1024 + i, NOW) != 0;
	assert_in_range(found, ROOM / 4 - 20, ROOM / 4);
	announce(ch, false, 1024, NOW); /* told again in the same second */
	assert_int_equal(channels_told(ch), ROOM / 4);
	announce(ch, false, 60000, NOW + 2 * CLOCK_S);
	for (unsigned i = 0; i < 4 * ROOM; i++)
		announce(ch, false, 1024 + i, NOW + CLOCK_S);
	assert_true(announced(ch, false, 60000, NOW + 2 * CLOCK_S) != 0);
	/* Those of a time that is far away hold no place. */
	for (unsigned i = 0; i < 4 * ROOM; i++)
		announce(ch, false, 1024 + i, NOW + 3600 * CLOCK_S);
	assert_int_equal(announced(ch, false, 60000, NOW + 2 * CLOCK_S), 0);
	for (unsigned i = 0; i < ROOM / 16; i++)
		announce(ch, false, 50000 + i, NOW);
	found = 0;
	for (unsigned i = 0; i < ROOM / 16; i++)
		found += announced(ch, false, 50000 + i, NOW) != 0;
	assert_in_range(found, ROOM / 16 - 20, ROOM / 16);
	channels_free(ch);
}

/* Let `host` announce `n` media from `port` on at even ports. Returns how many yielded. */
static unsigned
media_of(struct channels *ch, ip16_t host, unsigned port, unsigned n, uint64_t time)
{
	char text[4000], address[64];
	uint8_t header[40], *copy;
	struct packet_content c;
	unsigned yielded;
	int len;

	ip_format(&host, address);
	len = snprintf(text, sizeof(text), "c=IN IP%c %s\n", ip_is_v4(&host) ? '4' : '6', address);
	for (unsigned i = 0; i < n; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "m=a %u RTP/\n", port + 2 * i);
	c = content_of(text, header, &copy);
	memcpy(header + (ip_is_v4(&host) ? 12 : 8), host.b + (ip_is_v4(&host) ? 12 : 0),
	    ip_is_v4(&host) ? 4 : 16);
	yielded = channels_look(ch, ch->sip, &c, time);
	free(copy);
	return yielded;
}

static ip16_t
host_no(unsigned no)
{
	return ip_from_v4((const uint8_t[]){ 10, (uint8_t)(no >> 16), (uint8_t)(no >> 8), (uint8_t)no });
}

/* A packet announces eight media and no more, told by one address or by each its own. */
static void
test_packet(void **state)
{
	struct channels *ch = channels_new();
	uint8_t header[40], *copy;
	struct packet_content c;
	char text[1000] = "";
	ip16_t host = host_no(1);

	(void)state;
	assert_non_null(ch);
	assert_int_equal(media_of(ch, host, 5000, 20, NOW), 0);
	for (unsigned i = 0; i < 40; i++)
		assert_true((channels_find(ch, &host, (uint16_t)(5000 + i), UDP, NOW) != 0) ==
			    (i < 2 * CHANNELS_TAKEN));
	for (unsigned i = 0; i < 10; i++)
		sprintf(text + strlen(text), "m=a %u RTP/\nc=IN IP4 192.0.2.1\n", 5000 + 2 * i);
	c = content_of(text, header, &copy);
	channels_look(ch, ch->sip, &c, NOW);
	free(copy);
	for (unsigned i = 0; i < 20; i++)
		assert_true((announced(ch, true, 5000 + i, NOW) != 0) == (i < 2 * CHANNELS_TAKEN));
	channels_free(ch);
}

/* Hosts that announce without end, of IPv4 or of one network of IPv6, take little from others. */
static void
test_flood(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct channels *ch = channels_new();
		unsigned kept = 0, others = 0, yielded = 0;
		ip16_t host = host_no(2);

		assert_non_null(ch);
		for (unsigned i = 0; i < 500; i++)
			announce(ch, false, 2000 + i, NOW);
		for (unsigned i = 0; i < 3000; i++) {
			if (v6 == 1) {
				assert_int_equal(ip_parse("2001:db8:1:2::", &host), 0);
				host.b[14] = (uint8_t)(i >> 8);
				host.b[15] = (uint8_t)i;
			}
			yielded += media_of(ch, host, 1024 + 16 * i, 8, NOW + CLOCK_S);
			for (unsigned k = 0; i >= 2900 && k < 16; k++)
				others += channels_find(ch, &host, (uint16_t)(1024 + 16 * i + k), UDP,
				              NOW + CLOCK_S) != 0;
		}
		for (unsigned i = 0; i < 500; i++)
			kept += announced(ch, false, 2000 + i, NOW + CLOCK_S) != 0;
		assert_in_range(kept, 480, 500);
		assert_in_range(others, 1500, 1600); /* the newest of those have their places */
		assert_in_range(yielded, 3000 * 16 - CHANNELS_SETS * CHANNELS_ENDS, 3000 * 16);
		channels_free(ch);
	}
}

/* Of many hosts that announce one each, the first give way, and those alone; each is counted. */
static void
test_hosts(void **state)
{
	enum { HOSTS = 2 * CHANNELS_SETS * CHANNELS_ENDS };
	struct channels *ch = channels_new();
	unsigned found = 0, newest = 0, yielded = 0;

	(void)state;
	assert_non_null(ch);
	for (unsigned i = 0; i < HOSTS; i++)
		yielded += media_of(ch, host_no(i), 5000, 1, NOW + i / 1000 * CLOCK_S);
	for (unsigned i = 0; i < HOSTS; i++) {
		ip16_t host = host_no(i);

		for (unsigned k = 0; k < 2; k++) {
			bool is = channels_find(ch, &host, (uint16_t)(5000 + k), UDP,
			              NOW + i / 1000 * CLOCK_S) != 0;

			found += is;
			newest += is && i >= HOSTS - 1000;
		}
	}
	assert_int_equal(found + yielded, 2 * HOSTS);
	assert_in_range(newest, 1900, 2000);
	channels_free(ch);
}

/* What is there and fresh costs no lock; later it lives on from the repeated announcement. */
static void
test_again(void **state)
{
	struct channels *ch = channels_new();
	uint64_t later = NOW + (CHANNELS_SAME_S - 1) * CLOCK_S;

	(void)state;
	assert_non_null(ch);
	assert_true(offsetof(struct channels, lock) / 64 != offsetof(struct channels, told) / 64);
	announce(ch, true, 5000, NOW);
	assert_int_equal(channels_told(ch), 2);
	alarm(120); /* who waits for the lock waits forever */
	pthread_mutex_lock(&ch->lock);
	announce(ch, true, 5000, NOW);
	announce(ch, true, 5000, later);
	pthread_mutex_unlock(&ch->lock);
	alarm(0);
	assert_int_equal(channels_told(ch), 2);
	assert_int_equal(announced(ch, true, 5000, later + CHANNELS_LIFE_S * CLOCK_S), 0);
	later += CLOCK_S;
	announce(ch, true, 5000, later);
	assert_int_equal(channels_told(ch), 4);
	assert_true(announced(ch, true, 5000, later + CHANNELS_LIFE_S * CLOCK_S) != 0);
	announce(ch, true, 5001, later); /* which was of another kind */
	assert_true(announced(ch, true, 5001, later) == ch->kinds[2]);
	channels_free(ch);
}

#define ASKED 40000U

/* One of two who announce, while others ask. */
static void *
announcing(void *arg)
{
	static _Atomic bool other;
	bool media = atomic_exchange(&other, true);

	for (unsigned i = 0; i < ASKED / 2; i++)
		announce(arg, media, 1024 + i * 2 % 20000, NOW + i / 1000 * CLOCK_S);
	return NULL;
}

/* Whoever asks meanwhile finds what was announced, or nothing. */
static void
test_threads(void **state)
{
	struct channels *ch = channels_new();
	pthread_t who[2];
	unsigned found = 0;

	(void)state;
	assert_non_null(ch);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&who[i], NULL, announcing, ch), 0);
	for (unsigned i = 0; i < ASKED; i++) {
		bool media = i % 2 == 1;
		unsigned port = 1024 + i / 2 % 20000;
		uint32_t got = announced(ch, media, port, NOW);

		found += got != 0;
		if (got != 0 && got != ch->kinds[!media ? 1 : port % 2 == 0 ? 2 : 3])
			fail_msg("port %u is %s", port, intern_text(got));
		if (got != 0 && !media)
			assert_int_equal(port % 2, 0);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_join(who[i], NULL), 0);
	for (unsigned port = 1024; port < 21024; port += 2)
		found += announced(ch, false, port, NOW) != 0;
	assert_true(found > 0);
	channels_free(ch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_packet),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("collectors/channels", tests, NULL, NULL);
}
