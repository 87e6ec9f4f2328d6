/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/progress.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "lib/clock.h"

#define EVERY_NS (CLOCK_S / 4)
#define FIRST_NS CLOCK_S /* what is done by then shows nothing */
#define WIDTH 80 /* of a terminal that does not tell its own */
#define WIDTH_MAX 200
#define WIPE "\r\033[K" /* to the first column; erase the line (ECMA-48 CHA, EL) */

static _Atomic int shown_on = -1; /* the descriptor on which a line stands */

void
progress_begin(
    struct progress *p, int fd, const char *what, const char *unit, uint64_t total)
{
	memset(p, 0, sizeof(*p));
	p->fd = isatty(fd) ? fd : -1;
	p->what = what;
	p->unit = unit;
	p->total = total;
	p->start = clock_mono();
	p->next = p->start + FIRST_NS;
}

bool
progress_due(const struct progress *p)
{
	return p->fd != -1 && clock_mono() >= p->next;
}

/* `n` in three digits: "12.3 M". Returns what snprintf does. */
static int
number_format(char *to, size_t room, uint64_t n)
{
	static const char letters[] = " kMGTPE";
	double v = (double)n;
	unsigned i = 0;

	for (; v >= 999.5 && i + 2 < sizeof(letters); i++)
		v /= 1000;
	if (i == 0)
		return snprintf(to, room, "%" PRIu64, n);
	return snprintf(to, room, "%.*f %c", (v < 9.995) + (v < 99.95), v, letters[i]);
}

static int
time_format(char *to, size_t room, double seconds)
{
	unsigned s = seconds < 359999 ? (unsigned)(seconds + 0.5) : 359999;

	if (s < 3600)
		return snprintf(to, room, "%u:%02u", s / 60, s % 60);
	return snprintf(to, room, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
}

static void
line_format(
    char *to, size_t room, const struct progress *p, uint64_t done, uint64_t count)
{
	double elapsed = (double)(clock_mono() - p->start) / (double)CLOCK_S;
	char n[16], rate[16], left[16], percent[16] = "";
	bool known = p->total != 0 && done != 0;

	if (done > p->total) /* a file may grow */
		done = p->total;
	(void)number_format(n, sizeof(n), count);
	(void)number_format(
	    rate, sizeof(rate), elapsed > 0 ? (uint64_t)((double)count / elapsed) : 0);
	if (known)
		snprintf(percent, sizeof(percent), "%u %%, ",
		    (unsigned)(100.0 * (double)done / (double)p->total));
	(void)time_format(left, sizeof(left),
	    known ? elapsed * (double)(p->total - done) / (double)done : 0);
	snprintf(to, room, "%s: %s%s %s, %s/s%s%s%s", p->what, percent, n, p->unit,
	    rate, known ? ", " : "", known ? left : "", known ? " left" : "");
}

/* Columns that a line may have without going on in the next one. */
static size_t
line_width(int fd)
{
	struct winsize w;
	size_t columns = WIDTH;

	if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 1)
		columns = w.ws_col;
	return (columns < WIDTH_MAX ? columns : WIDTH_MAX) - 1;
}

void
progress_draw(struct progress *p, uint64_t done, uint64_t count)
{
	char line[sizeof(WIPE) + WIDTH_MAX] = WIPE;
	size_t at = sizeof(WIPE) - 1;

	if (p->fd == -1)
		return;
	p->next = clock_mono() + EVERY_NS;
	line_format(line + at, line_width(p->fd) + 1, p, done, count);
	for (char *c = line + at; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f) /* in the name of a file */
			*c = '?';
	atomic_store(&shown_on, p->fd);
	(void)!write(p->fd, line, strlen(line));
}

void
progress_end(struct progress *p)
{
	if (p->fd != -1)
		progress_wipe();
	p->fd = -1;
}

void
progress_wipe(void)
{
	int fd = atomic_load_explicit(&shown_on, memory_order_relaxed);

	if (fd == -1 || (fd = atomic_exchange(&shown_on, -1)) == -1)
		return;
	(void)!write(fd, WIPE, sizeof(WIPE) - 1);
}
