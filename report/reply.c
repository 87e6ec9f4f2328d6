/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report/reply.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/clock.h"

#define FLUSH_AT (64U << 10) /* octets */

void
reply_init(struct reply *r, int fd)
{
	memset(r, 0, sizeof(*r));
	r->fd = fd;
}

void
reply_fini(struct reply *r)
{
	text_line_free(&r->line);
}

static void
reply_flush(struct reply *r)
{
	size_t done = 0;

	while (!r->broken && done < r->line.len) {
		ssize_t n =
		    send(r->fd, r->line.p + done, r->line.len - done, MSG_NOSIGNAL);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r->broken = true;
	}
	r->line.len = 0;
}

static void
put(struct reply *r, const char *s)
{
	text_line_put(&r->line, s, strlen(s));
}

static void
name_put(struct reply *r, const char *name)
{
	if (r->comma)
		put(r, ", ");
	text_line_json(&r->line, name);
	put(r, ": ");
	r->comma = true;
}

void
reply_taken(struct reply *r)
{
	put(r, " "); /* JSON may begin with it */
	reply_flush(r);
}

bool
reply_is_abandoned(struct reply *r)
{
	struct pollfd p = { .fd = r->fd };

	/* Not one that only has no more requests: its side alone is shut. */
	if (!r->broken && poll(&p, 1, 0) == 1)
		r->broken = (p.revents & (POLLHUP | POLLERR)) != 0;
	return r->broken;
}

void
reply_error(struct reply *r, const char *text)
{
	put(r, "{");
	r->comma = false;
	reply_bool(r, "ok", false);
	reply_text(r, "error", text);
	put(r, "}\n");
	reply_flush(r);
}

void
reply_start(struct reply *r, const char *cmd)
{
	put(r, "{");
	r->comma = false;
	r->rows = 0;
	reply_bool(r, "ok", true);
	reply_text(r, "cmd", cmd);
	reply_stamp(r, "time", clock_real());
}

void
reply_columns(struct reply *r, const struct reply_column *columns, size_t n)
{
	name_put(r, "columns");
	put(r, "[");
	for (size_t i = 0; i < n; i++) {
		put(r, i > 0 ? ", {" : "{");
		r->comma = false;
		reply_text(r, "name", columns[i].name);
		reply_text(r, "json", columns[i].json);
		reply_text(r, "title", columns[i].title);
		reply_text(r, "kind", columns[i].kind);
		put(r, "}");
	}
	put(r, "]}\n");
}

void
reply_row_start(struct reply *r)
{
	put(r, "{");
	r->comma = false;
}

static void
row_count(struct reply *r)
{
	r->rows++;
	if (r->line.len >= FLUSH_AT)
		reply_flush(r);
}

void
reply_row_end(struct reply *r)
{
	put(r, "}\n");
	row_count(r);
}

void
reply_line(struct reply *r, const char *text)
{
	text_line_json(&r->line, text);
	put(r, "\n");
	row_count(r);
}

void
reply_row_open(struct reply *r, struct print_format *pf, const uint8_t *row)
{
	char *to = text_line_room(&r->line, pf->row_max);

	r->line.len += print_format_row(pf, row, to) - strlen("}\n");
	r->comma = true;
}

void
reply_end(struct reply *r)
{
	uint64_t rows = r->rows;

	put(r, "{");
	r->comma = false;
	reply_bool(r, "end", true);
	reply_uint(r, "rows", rows);
	put(r, "}\n");
	reply_flush(r);
}

void
reply_uint(struct reply *r, const char *name, uint64_t v)
{
	name_put(r, name);
	r->line.len += text_uint(v, text_line_room(&r->line, 24));
}

void
reply_bool(struct reply *r, const char *name, bool v)
{
	name_put(r, name);
	put(r, v ? "true" : "false");
}

void
reply_null(struct reply *r, const char *name)
{
	name_put(r, name);
	put(r, "null");
}

void
reply_text(struct reply *r, const char *name, const char *v)
{
	name_put(r, name);
	text_line_json(&r->line, v);
}

void
reply_stamp(struct reply *r, const char *name, uint64_t ns)
{
	time_t t = (time_t)(ns / CLOCK_S);
	char text[48] = "";
	struct tm tm;

	if (ns != 0 && gmtime_r(&t, &tm) != NULL) {
		size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);

		snprintf(text + len, sizeof(text) - len, ".%03uZ",
		    (unsigned)(ns % CLOCK_S / CLOCK_MS));
	}
	reply_text(r, name, text);
}

void
reply_object_start(struct reply *r, const char *name)
{
	name_put(r, name);
	put(r, "{");
	r->comma = false;
}

void
reply_object_end(struct reply *r)
{
	put(r, "}");
	r->comma = true;
}

void
reply_sums(struct reply *r, const char *name, const struct sums *s)
{
	if (name != NULL)
		reply_object_start(r, name);
	reply_uint(r, "packets", s->packets);
	reply_uint(r, "bytes", s->bytes);
	reply_uint(r, "flows", s->flows);
	if (name != NULL)
		reply_object_end(r);
}
