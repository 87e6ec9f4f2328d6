/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf: a tcpdump expression as libpcap compiles it for one link layer, pcap-filter(7). It
 * can be run on a frame, and its instructions can be read (plan.c does). This is the only
 * door to libpcap in this folder. Constant once it is made: any thread.
 */
#ifndef WEIR_RULES_BPF_H
#define WEIR_RULES_BPF_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/frame.h"
#include "lib/err.h"

#define BPF_TEXT_MAX (64U << 10) /* octets of an expression */
#define BPF_WORDS 16U /* scratch memory of a program */

/* What an instruction does; `A` is the accumulator, `X` the index register. */
enum bpf_kind {
	OP_OTHER, /* none of these */
	OP_A_FRAME, /* A = `octets` of the frame from k on */
	OP_A_FRAME_X, /* the same from X + k on */
	OP_A_LEN, /* A = length of the frame on the wire */
	OP_A_CONST, /* A = k */
	OP_A_WORD, /* A = word k of the scratch memory */
	OP_X_CONST,
	OP_X_LEN,
	OP_X_WORD,
	OP_X_HEADER, /* X = 4 * (octet k of the frame & 0xf): the length of an IPv4 header */
	OP_WORD_A,
	OP_WORD_X, /* word k = A, X */
	OP_X_A,
	OP_A_X, /* X = A, A = X */
	OP_ADD,
	OP_SUBTRACT,
	OP_MULTIPLY,
	OP_AND_BITS,
	OP_OR_BITS,
	OP_XOR_BITS,
	OP_LEFT,
	OP_RIGHT, /* A = A op k, or A op X */
	OP_GO, /* k instructions on */
	OP_IF_EQUAL,
	OP_IF_GREATER,
	OP_IF_NOT_LESS,
	OP_IF_BITS, /* A with k or X */
	OP_END, /* passes unless k is 0 */
	OP_END_A, /* passes unless A is 0 */
};

struct bpf_op {
	uint8_t kind; /* enum bpf_kind */
	uint8_t octets; /* 1, 2 or 4 */
	bool with_x; /* X stands in for k */
	uint8_t yes, no; /* of OP_IF_...: instructions to leave out */
	uint32_t k;
};

struct bpf;

/*
 * Compile `text` for frames of link layer `linktype`; the empty text passes everything.
 * Names of hosts and networks are looked up now. Returns NULL with `e` filled: libpcap's
 * words.
 */
struct bpf *bpf_new(const char *text, uint32_t linktype, struct err *e);
void bpf_free(struct bpf *b);

/* Whether the frame passes. */
bool bpf_run(const struct bpf *b, const struct frame *f);

unsigned bpf_ops_count(const struct bpf *b);

/* Instruction `i` of them. */
struct bpf_op bpf_op(const struct bpf *b, unsigned i);

/*
 * How many octets of a frame the program may look at: with fewer it may say something
 * else, with more it does not. UINT32_MAX where that is not to be told.
 */
uint32_t bpf_reach(const struct bpf *b);

#endif
