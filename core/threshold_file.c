/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/threshold_file.h"

#include <stdlib.h>
#include <string.h>

#include "lib/rbuf.h"
#include "lib/statefile.h"
#include "lib/wbuf.h"

#define NAME    "thresholds"
#define VERSION 1U

/* The members that are written, numbers and texts, in this order. */
#define NUMBERS(X) \
	X(scope) X(metric) X(direction) X(rising) X(falling) X(scale) X(window) X(hold) \
	X(startup) X(status)
#define TEXTS(X) X(name) X(subject) X(selector)

#define OCTETS_MAX (sizeof(struct threshold_config) + 16)

static void
text_put(struct wbuf *w, const char *s)
{
	size_t len = strlen(s);

	wbuf_u16(w, (uint16_t)len);
	wbuf_put(w, s, len);
}

/* A text that ends in a NUL and has none within. */
static void
text_take(struct rbuf *r, char *to, size_t room)
{
	size_t len = rbuf_u16(r);
	const uint8_t *p = rbuf_get(r, len);

	if (p == NULL || len >= room || memchr(p, '\0', len) != NULL) {
		r->bad = true;
		return;
	}
	memcpy(to, p, len);
	to[len] = '\0';
}

int
threshold_file_write(const char *path, const struct threshold_config *list, uint32_t n,
    struct err *e)
{
	size_t room = n * OCTETS_MAX + 4;
	uint8_t *body = malloc(room);
	struct wbuf w = wbuf_of(body, room);
	int rc;

	if (body == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", path);
	wbuf_u32(&w, n);
	for (uint32_t i = 0; i < n; i++) {
#define X(member) wbuf_u32(&w, list[i].member);
		NUMBERS(X)
#undef X
#define X(member) text_put(&w, list[i].member);
		TEXTS(X)
#undef X
		wbuf_u8(&w, list[i].notify);
	}
	rc = statefile_write(path, NAME, VERSION, body, wbuf_len(&w), e);
	free(body);
	return rc;
}

static void
config_take(struct rbuf *r, struct threshold_config *c)
{
	threshold_defaults(c);
#define X(member) c->member = rbuf_u32(r);
	NUMBERS(X)
#undef X
#define X(member) text_take(r, c->member, sizeof(c->member));
	TEXTS(X)
#undef X
	c->notify = rbuf_u8(r) != 0;
	if (c->status < STATUS_ACTIVE || c->status > STATUS_NOT_READY || c->name[0] == '\0')
		r->bad = true;
}

int
threshold_file_read(const char *path, struct threshold_config **list, uint32_t *n,
    struct err *e)
{
	uint8_t *body;
	struct rbuf r;
	size_t len;
	int rc = statefile_read(path, NAME, VERSION, THRESHOLDS_MAX * OCTETS_MAX + 4, &body,
	    &len, e);

	*list = NULL;
	*n = 0;
	if (rc != 0)
		return rc;
	r = rbuf_of(body, len);
	*n = rbuf_u32(&r);
	if (*n <= THRESHOLDS_MAX)
		*list = calloc(*n + 1, sizeof(**list));
	for (uint32_t i = 0; *list != NULL && rbuf_ok(&r) && i < *n; i++)
		config_take(&r, &(*list)[i]);
	free(body);
	if (*list != NULL && rbuf_ok(&r) && rbuf_left(&r) == 0)
		return 0;
	free(*list);
	*list = NULL;
	*n = 0;
	return err_set(e, WEIR_EMALFORMED, "%s: damaged", path);
}
