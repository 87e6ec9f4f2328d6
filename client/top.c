/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client/top.h"

#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curses.h>

#include "client/rates.h"
#include "lib/clock.h"

#define REFRESH     CLOCK_S
#define KEY_WAIT_MS 100
#define ESC_WAIT_MS 50
#define LINE_MAX_   4096
#define KEY_ESC     27 /* curses has no names for these */
#define KEY_DEL     127
#define FILTER_MAX  64
#define SIDESTEP    8 /* characters that an arrow scrolls sideways */

/*
 * Lines of the screen that are not rows: header, history, a blank line, titles; the keys
 * below.
 */
#define HISTORY   SAMPLE_LINES
#define FIRST_ROW (SAMPLE_LINES + 3)
#define BARS      24 /* seconds that the bars show */
#define NOT_ROWS  (FIRST_ROW + 1)

static const char *const sorts[] = { "bytes", "packets", "flows" };
#define N_SORTS (sizeof(sorts) / sizeof(sorts[0]))

struct screen {
	const struct top *top;
	struct sampler sampler;
	struct sample sample;
	char view[SAMPLE_NAME_MAX];
	size_t sort;
	bool exporters, paused, quit;
	bool typing;                /* the filter */
	bool utf8;
	char filter[FILTER_MAX];
	size_t down, right;         /* scrolled by: rows, characters */
	uint64_t next;              /* when to sample again, monotonic ns */
	char trouble[512];          /* why there are no news; "" while there are */
};

static void
view_set(struct screen *s, const char *name)
{
	size_t len = strnlen(name, sizeof(s->view) - 1);

	memcpy(s->view, name, len);
	s->view[len] = '\0';
}

/* Go to the view after the present one, or to the first. */
static int
view_next(struct screen *s, struct err *e)
{
	char names[SAMPLE_VIEWS][SAMPLE_NAME_MAX];
	int n = sampler_views(s->sampler.link, names, e), next = 0;

	if (n < 0)
		return n;
	if (n == 0)
		return err_set(e, WEIR_ENOENT,
		    "no view keeps running totals: add a plugin of type memory");
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], s->view) == 0)
			next = (i + 1) % n;
	view_set(s, names[next]);
	return 0;
}

static int
screen_connect(struct screen *s, struct err *e)
{
	if (s->sampler.link != NULL)
		return 0;
	s->sampler.link = link_open(s->top->path, e);
	if (s->sampler.link == NULL)
		return -WEIR_EIO;
	s->sampler.begun = false;
	return s->view[0] == '\0' ? view_next(s, e) : 0;
}

/* Forget a connection that broke, and say why; the next sample tries a new one. */
static void
screen_trouble(struct screen *s, const struct err *e)
{
	snprintf(s->trouble, sizeof(s->trouble), "%s", e->text);
	link_close(s->sampler.link);
	s->sampler.link = NULL;
}

/* Returns 1 with a new sample, 0 when there was none to have yet, or < 0. */
static int
screen_try(struct screen *s)
{
	struct sample_request q = { .view = s->view, .sort = sorts[s->sort],
		.rows = s->top->rows, .exporters = s->exporters, .filter = s->filter };
	struct err e = ERR_INIT;
	int rc = screen_connect(s, &e);

	if (rc == 0)
		rc = sampler_take(&s->sampler, &q, &s->sample, &e);
	if (rc < 0)
		screen_trouble(s, &e);
	else
		s->trouble[0] = '\0';
	return rc;
}

static void
screen_sample(struct screen *s)
{
	bool was_connected = s->sampler.link != NULL;
	int rc = screen_try(s);

	if (rc < 0 && was_connected) /* weir hangs up on who is quiet: we were paused */
		rc = screen_try(s);
	s->next = clock_mono() + (rc == 0 ? REFRESH / 5 : REFRESH);
}

/* Write line `y`: `text` from character `skip` on, as far as the screen goes. */
static void
line_draw(int y, const char *text, size_t skip, int attributes)
{
	int width = 0;
	const char *end;

	for (; *text != '\0' && skip > 0; skip--)
		for (text++; ((unsigned char)*text & 0xc0) == 0x80; text++)
			;
	for (end = text;
	     *end != '\0' && (((unsigned char)*end & 0xc0) == 0x80 || width < COLS);
	     end++)
		width += ((unsigned char)*end & 0xc0) != 0x80;
	move(y, 0);
	clrtoeol();
	if (attributes != 0)
		attron(attributes);
	addnstr(text, (int)(end - text));
	if (attributes != 0)
		attroff(attributes);
}

static size_t
rows_fit(void)
{
	return LINES > NOT_ROWS ? (size_t)(LINES - NOT_ROWS) : 0;
}

static void
rows_draw(struct screen *s)
{
	const struct grid *g = &s->sample.grid;
	size_t rows = grid_rows(g), fit = rows_fit();
	char line[LINE_MAX_];

	if (s->down + fit > rows)
		s->down = rows > fit ? rows - fit : 0;
	if (g->n_columns > 0 && LINES > FIRST_ROW) {
		grid_line(g, 0, line, sizeof(line));
		line_draw(FIRST_ROW - 1, line, s->right, A_BOLD);
	}
	for (size_t i = 0; i < fit; i++) {
		line[0] = '\0';
		if (s->down + i < rows)
			grid_line(g, s->down + i + 1, line, sizeof(line));
		line_draw(FIRST_ROW + (int)i, line, s->right, 0);
	}
}

/* How the view did in the last minutes, and its last seconds as bars. */
static void
history_draw(const struct screen *s)
{
	static const unsigned minutes[] = { 1, 5, 15 };
	char line[256], text[3][RATE_STRLEN], bars[3 * BARS + 1];

	if (LINES <= HISTORY || s->sampler.history.n == 0)
		return;
	for (size_t i = 0; i < 3; i++)
		rate_text(history_mean(&s->sampler.history, minutes[i] * 60), text[i]);
	history_bars(&s->sampler.history, BARS, s->utf8, bars, sizeof(bars));
	snprintf(line, sizeof(line), "%s %s %s bit/s in 1, 5, 15 min  %s", text[0],
	    text[1], text[2], bars);
	line_draw(HISTORY, line, 0, 0);
}

static void
keys_draw(const struct screen *s)
{
	char line[512];

	if (s->typing) {
		snprintf(line, sizeof(line), "show only lines with: %s_", s->filter);
		line_draw(LINES - 1, line, 0, A_REVERSE);
		return;
	}
	snprintf(line, sizeof(line),
	    "q quit  s sort (%s)  / filter  p pause  v view  e %s  arrows scroll",
	    sorts[s->sort], s->exporters ? "rows" : "exporters");
	if (s->filter[0] != '\0')
		snprintf(line, sizeof(line),
		    "only lines with '%s': %zu of %zu  (/ changes, Esc ends that)",
		    s->filter, grid_rows(&s->sample.grid),
		    grid_rows(&s->sample.grid) + s->sample.hidden);
	line_draw(LINES - 1, line, 0, A_REVERSE);
}

static void
screen_draw(struct screen *s)
{
	char line[1024];

	erase();
	for (unsigned i = 0; i < SAMPLE_LINES && (int)i < LINES; i++) {
		sample_line(&s->sample, i, line, sizeof(line));
		if (i == 0 && s->sample.view[0] == '\0')
			snprintf(line, sizeof(line), "weir top");
		if (i == 0 && s->paused)
			strncat(line, " - PAUSED", sizeof(line) - strlen(line) - 1);
		line_draw((int)i, line, 0, i == 0 ? A_BOLD : 0);
	}
	history_draw(s);
	if (s->trouble[0] != '\0' && LINES > HISTORY + 1) {
		snprintf(line, sizeof(line), "no news, trying again: %s", s->trouble);
		line_draw(HISTORY + 1, line, 0, A_REVERSE);
	}
	rows_draw(s);
	keys_draw(s);
	refresh();
}

/* Something else is to be seen: look at once. */
static void
screen_restart(struct screen *s)
{
	s->down = s->right = 0;
	s->next = 0;
}

static void
key_view(struct screen *s)
{
	struct err e = ERR_INIT;

	if (s->sampler.link == NULL)
		return;
	if (view_next(s, &e) != 0)
		screen_trouble(s, &e);
	screen_restart(s);
}

static void
key_scroll(struct screen *s, int key)
{
	size_t page = rows_fit();

	switch (key) {
	case KEY_DOWN:
		s->down++;
		break;
	case KEY_UP:
		s->down -= s->down > 0;
		break;
	case KEY_NPAGE:
		s->down += page;
		break;
	case KEY_PPAGE:
		s->down -= s->down < page ? s->down : page;
		break;
	case KEY_HOME:
		s->down = s->right = 0;
		break;
	case KEY_RIGHT:
		s->right += SIDESTEP;
		break;
	case KEY_LEFT:
		s->right -= s->right < SIDESTEP ? s->right : SIDESTEP;
		break;
	default:
		break;
	}
}

static void
filter_clear(struct screen *s)
{
	s->filter[0] = '\0';
	s->typing = false;
	screen_restart(s);
}

/* A key while the filter is typed: the rows follow at once. */
static void
key_type(struct screen *s, int key)
{
	size_t len = strlen(s->filter);

	if (key == KEY_ESC) {
		filter_clear(s);
	} else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		s->typing = false;
	} else if ((key == KEY_BACKSPACE || key == '\b' || key == KEY_DEL) && len > 0) {
		s->filter[len - 1] = '\0';
		screen_restart(s);
	} else if (key >= ' ' && key < KEY_DEL && len + 1 < sizeof(s->filter)) {
		s->filter[len] = (char)key;
		s->filter[len + 1] = '\0';
		screen_restart(s);
	}
}

static void
key_press(struct screen *s, int key)
{
	if (s->typing && key != KEY_RESIZE) {
		key_type(s, key);
		return;
	}
	switch (key) {
	case '/':
		s->typing = true;
		break;
	case KEY_ESC:
		filter_clear(s);
		break;
	case 'q':
		s->quit = true;
		break;
	case 's':
		s->sort = (s->sort + 1) % N_SORTS;
		screen_restart(s);
		break;
	case 'p':
		s->paused = !s->paused;
		break;
	case 'v':
		key_view(s);
		break;
	case 'e':
		s->exporters = !s->exporters;
		screen_restart(s);
		break;
	default:
		key_scroll(s, key);
		break;
	}
}

static void
screen_run(struct screen *s)
{
	bool changed = true;

	while (!s->quit) {
		int key;

		if (!s->paused && clock_mono() >= s->next) {
			screen_sample(s);
			changed = true;
		}
		if (changed)
			screen_draw(s);
		key = getch();
		changed = key != ERR; /* KEY_RESIZE too */
		if (changed)
			key_press(s, key);
	}
}

static size_t
sort_find(const char *name)
{
	size_t i = 0;

	while (i < N_SORTS && strcmp(sorts[i], name) != 0)
		i++;
	return i;
}

int
top_screen(const struct top *t, struct err *e)
{
	struct screen s = { .top = t, .sort = sort_find(t->sort) };
	SCREEN *terminal;
	int rc;

	if (s.sort == N_SORTS)
		return err_set(e, WEIR_EINVAL,
		    "--sort %s: write bytes, packets or flows", t->sort);
	if (!isatty(STDOUT_FILENO))
		return err_set(
		    e, WEIR_EINVAL, "standard output is no terminal: use --once");
	if (t->view != NULL)
		view_set(&s, t->view);
	if (t->filter != NULL)
		snprintf(s.filter, sizeof(s.filter), "%s", t->filter);
	/*
	 * What is wrong from the start is said and left; what breaks later is waited
	 * for.
	 */
	if ((rc = screen_connect(&s, e)) != 0) {
		link_close(s.sampler.link);
		return rc;
	}
	setlocale(LC_ALL, "");
	s.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	terminal = newterm(NULL, stdout, stdin);
	if (terminal == NULL) {
		link_close(s.sampler.link);
		return err_set(e, WEIR_EIO,
		    "TERM=%s: a terminal that curses does not know: use --once",
		    getenv("TERM") != NULL ? getenv("TERM") : "");
	}
	if (tigetstr("cup") == NULL) {
		endwin();
		delscreen(terminal);
		link_close(s.sampler.link);
		return err_set(e, WEIR_EINVAL,
		    "TERM=%s: a terminal without a cursor: use --once",
		    getenv("TERM") != NULL ? getenv("TERM") : "");
	}
	set_escdelay(ESC_WAIT_MS);
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	timeout(KEY_WAIT_MS);
	screen_run(&s);
	move(LINES - 1, 0); /* where the shell goes on, if what was there is not put back */
	clrtoeol();
	refresh();
	endwin();
	delscreen(terminal);
	sample_fini(&s.sample);
	link_close(s.sampler.link);
	sampler_fini(&s.sampler);
	return 0;
}
