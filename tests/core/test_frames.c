/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/frames.h"

static struct frames *
frames_get(uint32_t reach)
{
	struct err e = ERR_INIT;
	struct frames *fs = frames_new(&e);

	assert_non_null(fs);
	fs->reach = reach;
	return fs;
}

/* A frame in memory of its own size, so that a sanitizer sees what is read beyond it. */
static struct frame
frame_of(uint32_t caplen, uint32_t linktype, uint8_t fill)
{
	uint8_t *octets = malloc(caplen > 0 ? caplen : 1);

	assert_non_null(octets);
	memset(octets, fill, caplen);
	return (struct frame){ .octets = octets, .caplen = caplen, .wirelen = caplen + 7,
		.linktype = linktype };
}

static const struct {
	const char *says;
	uint32_t reach, caplen, linktype, kept;
} cases[] = {
	{ "no more is kept than rules look at", 100, 1500, FRAME_ETHERNET, 100 },
	{ "nor than there is", 100, 60, FRAME_ETHERNET, 60 },
	{ "just what is copied quickly", FRAMES_USUAL, FRAMES_USUAL, FRAME_ETHERNET,
	    FRAMES_USUAL },
	{ "an octet less", FRAMES_USUAL, FRAMES_USUAL - 1, FRAME_ETHERNET, FRAMES_USUAL - 1 },
	{ "less than is copied quickly", 20, 1500, FRAME_ETHERNET, 20 },
	{ "an empty frame", 100, 0, FRAME_ETHERNET, 0 },
	{ "of another link layer all is kept", 100, 1500, 101, 1500 },
	{ "up to a bound", 100, FRAMES_MAX + 1, 101, FRAMES_MAX },
	{ "of Ethernet, too", UINT32_MAX, FRAMES_MAX + 1, FRAME_ETHERNET, FRAMES_MAX },
};

/* A batch full of each; the frames do not share octets. */
static void
test_kept(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		struct frames *fs = frames_get(cases[k].reach);
		const struct frame *list;

		for (unsigned i = 0; i < FLOW_BATCH; i++) {
			struct frame f =
			    frame_of(cases[k].caplen, cases[k].linktype, (uint8_t)i);

			frames_keep(fs, i, &f);
			free((void *)(uintptr_t)f.octets);
		}
		list = frames_list(fs, FLOW_BATCH);
		assert_non_null(list);
		for (unsigned i = 0; i < FLOW_BATCH; i++) {
			if (list[i].caplen != cases[k].kept ||
			    list[i].wirelen != cases[k].caplen + 7)
				fail_msg("%s: %u octets", cases[k].says, list[i].caplen);
			for (unsigned o = 0; o < list[i].caplen; o++)
				if (list[i].octets[o] != i)
					fail_msg("%s: octet %u", cases[k].says, o);
		}
		frames_free(fs);
	}
}

static void
test_slots(void **state)
{
	struct frames *fs = frames_get(100);
	struct frame f = frame_of(64, FRAME_ETHERNET, 1);
	const struct frame *list;

	(void)state;
	assert_null(frames_list(fs, FLOW_BATCH)); /* no flow has one */
	frames_keep(fs, 2, &f);
	list = frames_list(fs, 4);
	assert_non_null(list);
	assert_null(list[1].octets);
	assert_non_null(list[2].octets);
	assert_null(list[3].octets);
	frames_clear(fs);
	assert_null(frames_list(fs, 4));
	fs->reach = 0; /* nobody looks any more */
	frames_keep(fs, 0, &f);
	assert_null(frames_list(fs, 4));
	free((void *)(uintptr_t)f.octets);
	frames_free(fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
