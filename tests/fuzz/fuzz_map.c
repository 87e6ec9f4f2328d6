/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target of the readers of maps: the octets are a file of rules. Whatever is made of
 * it, flows go through. Seeds have no filters: libpcap would look their words up as hosts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rules/columns.h"
#include "rules/rdmap.h"
#include "rules/sampling.h"
#include "rules/tagmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Flows with what is in the file, and with nothing. */
static void
flows_fill(struct flow *flows, const uint8_t *data, size_t size)
{
	memset(flows, 0, FLOW_BATCH * sizeof(*flows));
	for (size_t i = 0; i < FLOW_BATCH / 2 && i < size; i++) {
		size_t len = size - i < sizeof(*flows) ? size - i : sizeof(*flows);

		memcpy(&flows[2 * i], data + i, len);
		flows[2 * i].label = 0;
	}
}

static void
tagmap_run(const char *path, struct flow *flows)
{
	struct problems ps = { 0 };
	struct tagmap *m = tagmap_load(path, 1, &ps, NULL);
	struct field_set reads = { { 0 } };

	problems_free(&ps);
	if (m == NULL)
		abort();
	tagmap_reads(m, &reads);
	for (int s = 0; s < SOURCE_COUNT; s++) {
		struct batch b = { .flows = flows,
			.n = FLOW_BATCH,
			.source = (enum flow_source)s,
			.columns = columns_new(&reads) };

		if (b.columns == NULL)
			abort();
		columns_clear(b.columns);
		tagmap_apply(m, &b);
		columns_free(b.columns);
	}
	tagmap_free(m);
}

static void
others_run(const char *path, struct flow *flows)
{
	struct sampling_config c = { .map = path };
	struct problems ps = { 0 };
	struct rdmap *rd = rdmap_load(path, &ps, NULL);
	struct sampling *s;

	if (rd == NULL || sampling_new(&c, &s, &ps, NULL) != 0)
		abort();
	problems_free(&ps);
	rdmap_apply(rd, flows, FLOW_BATCH);
	sampling_apply(s, SOURCE_NETFLOW, flows, FLOW_BATCH);
	rdmap_free(rd);
	sampling_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct flow flows[FLOW_BATCH];
	char path[64];
	int fd = memfd_create("map", MFD_CLOEXEC);

	if (fd == -1 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	flows_fill(flows, data, size);
	tagmap_run(path, flows);
	others_run(path, flows);
	close(fd);
	return 0;
}
