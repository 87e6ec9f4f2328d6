/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules/synth.h"

#include <stdlib.h>
#include <string.h>

#include "lib/intern.h"
#include "lib/wbuf.h"
#include "rules/bpf.h"
#include "rules/shape.h"

enum { TYPE_MPLS = 0x8847, LABEL_TTL = 64 };

static void
put_layer(struct wbuf *w, const struct flow *f, enum layer layer)
{
	for (unsigned i = 0; i < SPOTS; i++) {
		const struct spot_row *row = &spot_rows[i];
		uint32_t value;

		if (row->layer != layer)
			continue;
		row->fill(f, 1, &value);
		value |= row->known[SHAPE_MADE] & row->value;
		if (row->octets == 1)
			wbuf_u8(w, (uint8_t)value);
		else if (row->octets == 2)
			wbuf_u16(w, (uint16_t)value);
		else
			wbuf_u32(w, value);
	}
}

/* The labels that are known, outermost first. Returns how many. */
static unsigned
labels_list(const struct flow *f, uint32_t labels[SYNTH_LABELS])
{
	const char *text = intern_text(f->mpls_label_stack);
	unsigned n = 0;

	if (f->mpls_label_top == 0)
		return 0;
	while (n < SYNTH_LABELS && *text != '\0') {
		char *end;

		labels[n++] = (uint32_t)strtoul(text, &end, 10);
		text = *end != '\0' ? end + 1 : end;
	}
	if (n > 0)
		return n;
	labels[n++] = f->mpls_label_top;
	if (f->mpls_label_bottom != 0 && f->mpls_label_bottom != f->mpls_label_top)
		labels[n++] = f->mpls_label_bottom;
	return n;
}

/* RFC 3032 s2.1. Returns how many octets that were. */
static unsigned
put_labels(struct wbuf *w, const struct flow *f)
{
	uint32_t labels[SYNTH_LABELS];
	unsigned n = labels_list(f, labels);

	if (n > 0)
		wbuf_u16(w, TYPE_MPLS);
	for (unsigned i = 0; i < n; i++)
		wbuf_u32(w, (labels[i] & 0xfffff) << 12 | (i + 1 == n ? 1U << 8 : 0) |
				LABEL_TTL);
	return 4 * n;
}

void
synth_reads(struct field_set *reads)
{
	shape_reads(reads);
	for (unsigned i = 0; i < SPOTS; i++)
		spot_reads((enum spot)i, reads);
	field_set_add(reads, F_MPLS_LABEL_BOTTOM);
	field_set_add(reads, F_MPLS_LABEL_STACK);
}

void
synth_frame(const struct flow *f, uint8_t *to, struct frame *frame)
{
	struct wbuf w = wbuf_of(to, SYNTH_MAX);
	bool ipv6 = shape_made_ipv6(f);
	unsigned labels;
	uint32_t length;

	put_layer(&w, f, LAYER_ETHER);
	if (f->vlan != 0)
		put_layer(&w, f, LAYER_TAG);
	labels = put_labels(&w, f);
	if (shape_made_not_ip(f)) {
		if (labels == 0)
			wbuf_u16(&w, f->etype);
	} else {
		if (labels == 0)
			put_layer(&w, f, ipv6 ? LAYER_TYPE_IPV6 : LAYER_TYPE_IPV4);
		put_layer(&w, f, ipv6 ? LAYER_IPV6 : LAYER_IPV4);
		put_layer(&w, f, LAYER_TRANSPORT);
	}
	spot_rows[SPOT_LENGTH].fill(f, 1, &length);
	*frame = (struct frame){ .octets = to,
		.caplen = (uint32_t)wbuf_len(&w),
		.wirelen = length < UINT32_MAX - labels ? length + labels : length,
		.linktype = FRAME_ETHERNET,
		.time = f->stamp };
}
