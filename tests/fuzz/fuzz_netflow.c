/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fuzz/datagrams.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_datagrams(&netflow_decoder, data, size);
	return 0;
}
