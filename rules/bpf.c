/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/bpf.h"

#include <pcap.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 262144 /* what a program returns that passes a frame whole */
#define IPV4_MAX 60U /* the longest header */

/* Link layers that have another number in files than libpcap has for the same. */
static const struct {
	uint32_t linktype;
	int dlt;
} links[] = {
	{ 14, DLT_RAW }, /* OpenBSD's */
	{ 100, DLT_ATM_RFC1483 },
	{ 101, DLT_RAW },
};

struct bpf {
	struct bpf_program program;
	uint32_t reach;
};

/* What stands in a load's or store's mode and size; A and X alike where it can be. */
static struct bpf_op
op_load(const struct bpf_insn *in, bool to_x)
{
	struct bpf_op op = { .kind = OP_OTHER, .k = in->k };

	switch (BPF_SIZE(in->code)) {
	case BPF_W:
		op.octets = 4;
		break;
	case BPF_H:
		op.octets = 2;
		break;
	case BPF_B:
		op.octets = 1;
		break;
	}
	switch (BPF_MODE(in->code)) {
	case BPF_IMM:
		op.kind = to_x ? OP_X_CONST : OP_A_CONST;
		break;
	case BPF_LEN:
		op.kind = to_x ? OP_X_LEN : OP_A_LEN;
		break;
	case BPF_MEM:
		op.kind = to_x ? OP_X_WORD : OP_A_WORD;
		break;
	case BPF_ABS:
		op.kind = to_x ? OP_OTHER : OP_A_FRAME;
		break;
	case BPF_IND:
		op.kind = to_x ? OP_OTHER : OP_A_FRAME_X;
		break;
	case BPF_MSH:
		op.kind = to_x ? OP_X_HEADER : OP_OTHER;
		break;
	}
	return op;
}

static struct bpf_op
op_arithmetic(const struct bpf_insn *in)
{
	static const uint8_t kinds[16] = {
		[BPF_ADD >> 4] = OP_ADD,
		[BPF_SUB >> 4] = OP_SUBTRACT,
		[BPF_MUL >> 4] = OP_MULTIPLY,
		[BPF_AND >> 4] = OP_AND_BITS,
		[BPF_OR >> 4] = OP_OR_BITS,
		[BPF_XOR >> 4] = OP_XOR_BITS,
		[BPF_LSH >> 4] = OP_LEFT,
		[BPF_RSH >> 4] = OP_RIGHT,
	};

	return (struct bpf_op){ .kind = kinds[BPF_OP(in->code) >> 4],
		.with_x = BPF_SRC(in->code) == BPF_X,
		.k = in->k };
}

static struct bpf_op
op_jump(const struct bpf_insn *in)
{
	static const uint8_t kinds[16] = {
		[BPF_JA >> 4] = OP_GO,
		[BPF_JEQ >> 4] = OP_IF_EQUAL,
		[BPF_JGT >> 4] = OP_IF_GREATER,
		[BPF_JGE >> 4] = OP_IF_NOT_LESS,
		[BPF_JSET >> 4] = OP_IF_BITS,
	};

	return (struct bpf_op){ .kind = kinds[BPF_OP(in->code) >> 4],
		.with_x = BPF_SRC(in->code) == BPF_X,
		.yes = in->jt,
		.no = in->jf,
		.k = in->k };
}

static struct bpf_op
op_plain(uint8_t kind, uint32_t k)
{
	return (struct bpf_op){ .kind = kind, .k = k };
}

struct bpf_op
bpf_op(const struct bpf *b, unsigned i)
{
	const struct bpf_insn *in = &b->program.bf_insns[i];

	switch (BPF_CLASS(in->code)) {
	case BPF_LD:
		return op_load(in, false);
	case BPF_LDX:
		return op_load(in, true);
	case BPF_ST:
		return op_plain(OP_WORD_A, in->k);
	case BPF_STX:
		return op_plain(OP_WORD_X, in->k);
	case BPF_ALU:
		return op_arithmetic(in);
	case BPF_JMP:
		return op_jump(in);
	case BPF_RET:
		return op_plain(BPF_RVAL(in->code) == BPF_A ? OP_END_A : OP_END, in->k);
	case BPF_MISC:
		return op_plain(BPF_MISCOP(in->code) == BPF_TAX ? OP_X_A : OP_A_X, 0);
	}
	return op_plain(OP_OTHER, 0);
}

unsigned
bpf_ops_count(const struct bpf *b)
{
	return b->program.bf_len;
}

/*
 * Where X is only ever the length of an IPv4 header, what it is added to bounds what is
 * looked at.
 */
static uint32_t
reach_find(const struct bpf *b)
{
	uint64_t reach = 0, end;
	bool bounded = true, with_x = false;

	for (unsigned i = 0; i < b->program.bf_len; i++) {
		struct bpf_op op = bpf_op(b, i);

		switch (op.kind) {
		case OP_A_FRAME:
		case OP_X_HEADER:
			end = (uint64_t)op.k + (op.kind == OP_A_FRAME ? op.octets : 1);
			break;
		case OP_A_FRAME_X:
			end = (uint64_t)op.k + IPV4_MAX + op.octets;
			with_x = true;
			break;
		case OP_X_CONST:
		case OP_X_LEN:
		case OP_X_WORD:
		case OP_X_A:
			bounded = false;
			continue;
		default:
			continue;
		}
		reach = end > reach ? end : reach;
	}
	return (with_x && !bounded) || reach > UINT32_MAX ? UINT32_MAX
							  : (uint32_t)reach;
}

static int
link_dlt(uint32_t linktype)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (links[i].linktype == linktype)
			return links[i].dlt;
	return (int)linktype;
}

static int
program_compile(struct bpf *b, const char *text, uint32_t linktype, struct err *e)
{
	pcap_t *handle = pcap_open_dead(link_dlt(linktype), FRAME_MAX);
	int rc = 0;

	if (handle == NULL)
		return err_set(e, WEIR_ENOMEM, "no memory");
	if (pcap_compile(handle, &b->program, text, 1, PCAP_NETMASK_UNKNOWN) != 0)
		rc = err_set(e, WEIR_EINVAL, "%s", pcap_geterr(handle));
	pcap_close(handle);
	return rc;
}

struct bpf *
bpf_new(const char *text, uint32_t linktype, struct err *e)
{
	struct bpf *b;

	if (strlen(text) > BPF_TEXT_MAX) {
		err_set(e, WEIR_EINVAL, "longer than %u octets", BPF_TEXT_MAX);
		return NULL;
	}
	b = calloc(1, sizeof(*b));
	if (b == NULL) {
		err_set(e, WEIR_ENOMEM, "no memory");
		return NULL;
	}
	if (program_compile(b, text, linktype, e) != 0) {
		free(b);
		return NULL;
	}
	b->reach = reach_find(b);
	return b;
}

void
bpf_free(struct bpf *b)
{
	if (b == NULL)
		return;
	pcap_freecode(&b->program);
	free(b);
}

bool
bpf_run(const struct bpf *b, const struct frame *f)
{
	const struct pcap_pkthdr h = { .caplen = f->caplen, .len = f->wirelen };

	return pcap_offline_filter(&b->program, &h, f->octets) != 0;
}

uint32_t
bpf_reach(const struct bpf *b)
{
	return b->reach;
}
