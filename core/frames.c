/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/frames.h"

#include <stdlib.h>

struct frames *
frames_new(struct err *e)
{
	struct frames *fs = calloc(1, sizeof(*fs));

	/* Pages that no frame reaches are never taken from the system. */
	if (fs != NULL)
		fs->octets = malloc(FLOW_BATCH * FRAMES_MAX + FRAMES_USUAL);
	if (fs != NULL && fs->octets != NULL)
		return fs;
	free(fs);
	err_set(e, WEIR_ENOMEM, "no memory for frames");
	return NULL;
}

void
frames_free(struct frames *fs)
{
	if (fs == NULL)
		return;
	free(fs->octets);
	free(fs);
}

const struct frame *
frames_list(struct frames *fs, unsigned n)
{
	if (fs->kept == 0)
		return NULL;
	if (fs->kept == UINT64_MAX >> (FLOW_BATCH - n))
		return fs->list;
	for (unsigned i = 0; i < n; i++)
		if ((fs->kept >> i & 1) == 0)
			fs->list[i].octets = NULL;
	return fs->list;
}
