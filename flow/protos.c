/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/protos.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define D10(t) #t "0", #t "1", #t "2", #t "3", #t "4", #t "5", #t "6", #t "7", #t "8", #t "9"
static const char *const numbers[] = {
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
	D10(1), D10(2), D10(3), D10(4), D10(5), D10(6), D10(7), D10(8), D10(9),
	D10(10), D10(11), D10(12), D10(13), D10(14), D10(15), D10(16), D10(17), D10(18),
	D10(19), D10(20), D10(21), D10(22), D10(23), D10(24),
	"250", "251", "252", "253", "254", "255",
};
#undef D10
_Static_assert(sizeof(numbers) / sizeof(numbers[0]) == 256, "one for each octet");

static const char *const names[256] = {
#define PROTO(number, name) [number] = name,
#include "flow/protos.def"
#undef PROTO
};

const char *
proto_name(uint8_t n)
{
	return names[n] != NULL ? names[n] : numbers[n];
}

int
proto_number(const char *name)
{
	for (int i = 0; i < 256; i++)
		if (strcmp(name, numbers[i]) == 0 ||
		    (names[i] != NULL && strcasecmp(name, names[i]) == 0))
			return i;
	return -1;
}
