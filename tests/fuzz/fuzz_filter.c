/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of filters: the text up to the first NUL is an expression, what follows a
 * frame and the members of a flow. What the filter says is held against libpcap's own
 * interpreter, on the frame and on the one that is made of the flow.
 */
#include <netdb.h>
#include <pcap.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rbuf.h"
#include "rules/columns.h"
#include "rules/filter.h"
#include "rules/synth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_OCTETS 512U

/* Nothing is asked of the network: libpcap finds this one instead of libc's. */
int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **out)
{
	(void)name;
	(void)service;
	(void)hints;
	(void)out;
	return EAI_NONAME;
}

static int
reference(const struct bpf_program *program, const struct frame *f)
{
	const struct pcap_pkthdr h = { .caplen = f->caplen, .len = f->wirelen };

	return pcap_offline_filter(program, &h, f->octets) != 0;
}

static void
flow_take(struct rbuf *r, struct flow *f)
{
	flow_clear(f);
	f->src_host = rbuf_u8(r) & 1 ? ip_from_v4("\300\0\2\1") : ip_from_v6("0123456789abcdef");
	f->dst_host = rbuf_u8(r) & 1 ? ip_from_v4("\300\0\2\2") : ip_from_v6("0123456789abcdeg");
	f->proto = rbuf_u8(r);
	f->src_port = rbuf_u16(r), f->dst_port = rbuf_u16(r);
	f->tcp_flags = rbuf_u8(r), f->tos = rbuf_u8(r);
	f->vlan = rbuf_u16(r), f->mpls_label_top = rbuf_u8(r);
	f->packets = 1, f->bytes = rbuf_u16(r);
}

static void
compare(const char *text, const struct bpf_program *program, struct rbuf in)
{
	static struct columns *columns;
	struct filter *filter = filter_new(text, NULL);
	struct frame seen = { .caplen = (uint32_t)rbuf_left(&in), .octets = in.p,
		.wirelen = (uint32_t)rbuf_left(&in) + 100, .linktype = FRAME_ETHERNET }, made;
	struct batch b = { .n = 1, .frames = &seen };
	struct field_set all;
	uint8_t octets[SYNTH_MAX];
	struct flow f;

	memset(&all, 0xff, sizeof(all));
	if (columns == NULL)
		columns = columns_new(&all);
	if (columns == NULL || filter == NULL)
		abort();
	flow_take(&in, &f);
	synth_frame(&f, octets, &made);
	b.flows = &f;
	b.columns = columns;
	columns_clear(columns);
	if ((filter_run(filter, &b, 1) != 0) != reference(program, &seen))
		abort();
	b.frames = NULL;
	columns_clear(columns);
	if ((filter_run(filter, &b, 1) != 0) != reference(program, &made))
		abort();
	filter_free(filter);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rbuf in = rbuf_of(data, size);
	const uint8_t *end = memchr(data, '\0', size);
	size_t len = end != NULL ? (size_t)(end - data) : size;
	struct bpf_program program;
	char text[TEXT_OCTETS];
	pcap_t *dead;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	rbuf_skip(&in, len + (end != NULL));
	dead = pcap_open_dead(DLT_EN10MB, 262144);
	if (dead == NULL)
		abort();
	if (pcap_compile(dead, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0) {
		if (rbuf_left(&in) > 0)
			compare(text, &program, in);
		pcap_freecode(&program);
	}
	pcap_close(dead);
	return 0;
}
