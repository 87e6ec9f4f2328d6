/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors of the world (disk, database, bind, configuration): a code and one line of
 * text, filled where the detail is known and handed up by the caller, who decides.
 * What a peer does wrong is counted, not reported here; what we do wrong is an assert.
 * Any thread; a struct err belongs to its caller.
 */
#ifndef WEIR_LIB_ERR_H
#define WEIR_LIB_ERR_H

enum weir_errno {
	WEIR_EINVAL = 1,  /* a value that cannot be meant */
	WEIR_EIO,         /* disk, socket, database */
	WEIR_EMALFORMED,  /* bytes from outside that break their format */
	WEIR_ENOMEM,
	WEIR_EFULL,       /* a bound was reached */
	WEIR_ENOENT,
	WEIR_EEXIST,
	WEIR_EUNSUPPORTED,
	WEIR_EAGAIN,      /* the same may succeed when it is tried again */
};

struct err {
	int code;        /* enum weir_errno, 0 while nothing is wrong */
	char text[512];  /* one line, subject first, no newline */
};

#define ERR_INIT { 0, "" }

/*
 * Fill `e` (which may be NULL) with `code` and a printf-style line. Newlines and other
 * control characters that came in with arguments become '?'.
 *
 * Returns -code, so that `return err_set(e, WEIR_EIO, ...)` reads well.
 */
int err_set(struct err *e, enum weir_errno code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
