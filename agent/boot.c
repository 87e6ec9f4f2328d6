/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/boot.h"

#include <stdlib.h>

#include "lib/err.h"
#include "lib/log.h"
#include "lib/rbuf.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"

#define BOOT_NAME "boot"

uint64_t
boot_read(const char *path)
{
	uint8_t *body = NULL;
	struct rbuf r;
	size_t len;
	uint64_t ns;

	if (path == NULL || statefile_read(path, BOOT_NAME, 1, 8, &body, &len, NULL) != 0)
		return 0;
	r = rbuf_of(body, len);
	ns = rbuf_u64(&r);
	free(body);
	return ns;
}

void
boot_write(const char *path, uint64_t ns)
{
	uint8_t body[8];
	struct wbuf w = wbuf_of(body, sizeof(body));
	struct err e = ERR_INIT;

	wbuf_u64(&w, ns);
	if (path != NULL && statefile_write(path, BOOT_NAME, 1, body, sizeof(body), &e) != 0)
		log_debug(LOG_SNMP, "snmp: %s", e.text);
}
