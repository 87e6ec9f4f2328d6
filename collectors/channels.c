/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collectors/channels.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/hash.h"
#include "lib/intern.h"

#define TEXT_OCTETS 4096U /* of a packet that are looked at, */
#define TEXT_LINES  64U   /* in so many lines */
#define LINE_OCTETS 256U  /* of a line */
#define PORT_LEAST  1024U /* those below are of services, whoever announces them */
#define PROTO_TCP   6
#define PROTO_UDP   17

/* A packet that is looked at, line by line. */
struct look {
	struct channels *ch;
	uint64_t time;
	ip16_t from, to;
	bool reply;     /* it begins as RTSP's replies do */
	ip16_t host;    /* that the last c= named; none: there was none */
	uint16_t media; /* port of the last m=; 0: likewise */
};

static uint32_t
class_of(const char *name)
{
	return intern(name, strlen(name));
}

struct channels *
channels_new(void)
{
	struct channels *ch = calloc(1, sizeof(*ch));

	if (ch == NULL)
		return NULL;
	ch->ftp = class_of("FTP_CONTROL"); /* as nDPI spells them */
	ch->sip = class_of("SIP");
	ch->rtsp = class_of("RTSP");
	ch->mgcp = class_of("MGCP");
	ch->data = class_of("FTP_DATA");
	ch->media = class_of("RTP");
	ch->reports = class_of("RTCP");
	return ch;
}

static struct channel_end *
end_at(const struct channels *ch, const ip16_t *host, uint16_t port, uint8_t proto)
{
	uint8_t key[sizeof(*host) + 3];

	memcpy(key, host, sizeof(*host));
	key[sizeof(*host)] = (uint8_t)(port >> 8);
	key[sizeof(*host) + 1] = (uint8_t)port;
	key[sizeof(*host) + 2] = proto;
	return (struct channel_end *)&ch->ends[hash_seeded(key, sizeof(key)) % CHANNELS_ENDS];
}

static void
announce(const struct look *l, const ip16_t *host, unsigned long port, uint8_t proto,
    uint32_t class_id)
{
	if (port < PORT_LEAST || port > UINT16_MAX)
		return;
	*end_at(l->ch, host, (uint16_t)port, proto) = (struct channel_end){ *host, (uint16_t)port,
		proto, class_id, l->time + CHANNELS_LIFE };
	l->ch->told += l->ch->told == UINT32_MAX ? 2 : 1;
}

uint32_t
channels_find(const struct channels *ch, const ip16_t *host, uint16_t port, uint8_t proto,
    uint64_t time)
{
	const struct channel_end *e;

	e = end_at(ch, host, port, proto);
	return e->port == port && e->proto == proto && time <= e->until &&
		       memcmp(&e->host, host, sizeof(*host)) == 0
		   ? e->class_id
		   : 0;
}

/* Media in RTP, and behind it RTCP (RFC 3550 s11). */
static void
announce_media(const struct look *l, const ip16_t *host, unsigned long port)
{
	if (port < PORT_LEAST) /* 0: it is turned off */
		return;
	announce(l, host, port, PROTO_UDP, l->ch->media);
	announce(l, host, port + 1, PROTO_UDP, l->ch->reports);
}

/* The port of "h1,h2,h3,h4,p1,p2" (RFC 959 s4.1.2); 0: it is none. */
static unsigned long
port_of_numbers(const char *text)
{
	unsigned long n[6];
	char *end;

	for (unsigned i = 0; i < 6; i++) {
		if (*text < '0' || *text > '9')
			return 0;
		n[i] = strtoul(text, &end, 10);
		if (n[i] > 255 || (i < 5 && *end != ','))
			return 0;
		text = end + 1;
	}
	return n[4] << 8 | n[5];
}

/* The port of "|1|132.235.1.2|6275|", or of "|||6446|" (RFC 2428 s2, s3); 0: it is none. */
static unsigned long
port_of_fields(const char *text)
{
	char mark = *text;

	if (mark == '\0')
		return 0;
	for (unsigned i = 0; i < 3; i++) {
		if ((text = strchr(text, mark)) == NULL)
			return 0;
		text++;
	}
	return strtoul(text, NULL, 10);
}

/* Whose address it is, is known: what the text names may be on the other side of a translator. */
static void
line_ftp(const struct look *l, const char *line)
{
	const char *open = strchr(line, '(');
	unsigned long port = 0;

	if (strncmp(line, "227 ", 4) == 0 && open != NULL)
		port = port_of_numbers(open + 1);
	else if (strncmp(line, "229 ", 4) == 0 && open != NULL)
		port = port_of_fields(open + 1);
	else if (strncasecmp(line, "PORT ", 5) == 0)
		port = port_of_numbers(line + 5);
	else if (strncasecmp(line, "EPRT ", 5) == 0)
		port = port_of_fields(line + 5);
	announce(l, &l->from, port, PROTO_TCP, l->ch->data);
}

/*
 * A description may name any host; whoever sends one could so give the traffic of others a class.
 * Only where it names an end of its own stream it is known whose it is. None is 0.0.0.0, which puts
 * the other end on hold (RFC 3264 s8.4).
 */
static void
announce_described(const struct look *l)
{
	if (memcmp(&l->host, &l->from, sizeof(l->host)) == 0 ||
	    memcmp(&l->host, &l->to, sizeof(l->host)) == 0)
		announce_media(l, &l->host, l->media);
}

/* "c=IN IP4 192.0.2.1", "m=audio 49170 RTP/AVP 0" (RFC 8866 s5.7, s5.14), in either order. */
static void
line_description(struct look *l, const char *line)
{
	char address[64];
	const char *port;

	if (strncmp(line, "c=IN IP", 7) == 0 && line[7] != '\0' && line[8] == ' ') {
		size_t len = strcspn(line + 9, "/ ");

		if (len >= sizeof(address))
			return;
		memcpy(address, line + 9, len);
		address[len] = '\0';
		if (ip_parse(address, &l->host) == 0)
			announce_described(l);
	} else if (strncmp(line, "m=", 2) == 0 && (port = strchr(line, ' ')) != NULL &&
		   strstr(port, " RTP/") != NULL) {
		unsigned long n = strtoul(port, NULL, 10);

		l->media = n < UINT16_MAX ? (uint16_t)n : 0;
		announce_described(l);
	}
}

/* "client_port=4588-4589" and "server_port=6256-6257" of a Transport header. */
static void
line_transport(const struct look *l, const char *line)
{
	static const char client[] = "client_port=", server[] = "server_port=";
	const char *at = strstr(line, client);

	if (strncasecmp(line, "Transport:", 10) != 0)
		return;
	if (at != NULL)
		announce_media(l, l->reply ? &l->to : &l->from,
		    strtoul(at + sizeof(client) - 1, NULL, 10));
	if ((at = strstr(line, server)) != NULL)
		announce_media(l, l->reply ? &l->from : &l->to,
		    strtoul(at + sizeof(server) - 1, NULL, 10));
}

static void
line_look(struct look *l, uint32_t class_id, const char *line)
{
	if (class_id == l->ch->ftp) {
		line_ftp(l, line);
		return;
	}
	line_description(l, line);
	if (class_id == l->ch->rtsp)
		line_transport(l, line);
}

/* Both ends, as the header says, which is whole. */
static void
ends_fill(struct look *l, const struct packet_content *c)
{
	if (c->ip[0] >> 4 == 4) {
		l->from = ip_from_v4(c->ip + 12);
		l->to = ip_from_v4(c->ip + 16);
	} else {
		l->from = ip_from_v6(c->ip + 8);
		l->to = ip_from_v6(c->ip + 24);
	}
}

void
channels_look(struct channels *ch, uint32_t class_id, const struct packet_content *c,
    uint64_t time)
{
	struct look l = { .ch = ch, .time = time };
	const uint8_t *p = c->payload.p, *end = c->payload.end;

	if ((size_t)(end - p) > TEXT_OCTETS)
		end = p + TEXT_OCTETS;
	ends_fill(&l, c);
	l.reply = end - p > 5 && memcmp(p, "RTSP/", 5) == 0;
	for (unsigned i = 0; i < TEXT_LINES && p < end; i++) {
		const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((stop != NULL ? stop : end) - p);
		char line[LINE_OCTETS]; /* what is longer says nothing of this */
		size_t kept = len < sizeof(line) - 1 ? len : sizeof(line) - 1;

		memcpy(line, p, kept);
		line[kept] = '\0';
		line[strcspn(line, "\r")] = '\0';
		line_look(&l, class_id, line);
		p = stop != NULL ? stop + 1 : end;
	}
}
