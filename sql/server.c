/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/infile.h"

#define FILE_MAX (1U << 20) /* octets of a file with a password in its first line */

/* Cut, it would be a wrong one, and nobody would know why. */
static int
passwd_too_long(const char *where, struct err *e)
{
	return err_set(e, WEIR_EIO, "%s: the password has more than %u octets", where,
	    SERVER_PASSWD_MAX - 1);
}

static int
passwd_read(FILE *f, const struct stat *st, const char *path, char buf[SERVER_PASSWD_MAX],
    struct err *e)
{
	if ((st->st_mode & S_IRWXO) != 0)
		return err_set(e, WEIR_EIO, "sql_passwd_file: %s is open to others: "
		    "chmod o= it", path);
	if (fgets(buf, (int)SERVER_PASSWD_MAX, f) == NULL)
		buf[0] = '\0';
	if (ferror(f))
		return err_set(e, WEIR_EIO, "sql_passwd_file: %s: %s", path,
		    infile_error(errno));
	if (strcspn(buf, "\r\n") == SERVER_PASSWD_MAX - 1 && strchr("\r\n", getc(f)) == NULL &&
	    !feof(f))
		return passwd_too_long(path, e);
	buf[strcspn(buf, "\r\n")] = '\0';
	if (buf[0] == '\0')
		return err_set(e, WEIR_EIO, "sql_passwd_file: %s: its first line is empty",
		    path);
	return 0;
}

int
server_passwd(const struct sql_config *c, char buf[SERVER_PASSWD_MAX], struct err *e)
{
	const char *passwd = c->passwd;
	struct stat st;
	FILE *f;
	int rc;

	if (c->passwd_file == NULL) {
		if (passwd == NULL)
			passwd = getenv(SERVER_PASSWD_ENV);
		if (passwd == NULL)
			passwd = SERVER_PASSWD;
		if (strlen(passwd) >= SERVER_PASSWD_MAX)
			return passwd_too_long(c->passwd != NULL ? "sql_passwd" :
				SERVER_PASSWD_ENV, e);
		memcpy(buf, passwd, strlen(passwd) + 1);
		return 0;
	}
	if ((f = infile_open(c->passwd_file, FILE_MAX, &st)) == NULL)
		return err_set(e, WEIR_EIO, "sql_passwd_file: %s: %s", c->passwd_file,
		    infile_error(errno));
	rc = passwd_read(f, &st, c->passwd_file, buf, e);
	fclose(f);
	return rc;
}

const char *
server_unix_path(const char *host)
{
	static const char prefix[] = "unix:";

	if (host == NULL || strncmp(host, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	return host + sizeof(prefix) - 1;
}

void
server_zone(bool utc, char buf[SERVER_ZONE_MAX])
{
	time_t now = (time_t)(clock_real() / CLOCK_S);
	long minutes = 0;
	struct tm tm;

	if (!utc && localtime_r(&now, &tm) != NULL)
		minutes = tm.tm_gmtoff / 60;
	snprintf(buf, SERVER_ZONE_MAX, "%c%02u:%02u", minutes < 0 ? '-' : '+',
	    (unsigned)labs(minutes) / 60 % 24, (unsigned)labs(minutes) % 60);
}

/*
 * Where nothing is under way probes tell, and where something is (RFC 5482) that it is not
 * taken: which a peer that is gone and one that has no time have in common.
 */
static const struct {
	int level, name, value;
} watches[] = {
	{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 30 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 10 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 1000 * SERVER_SILENCE_S },
};

int
server_socket_watch(int fd)
{
	/* Sockets in the file system have no such options, and no need of them. */
	for (size_t i = 0; i < sizeof(watches) / sizeof(watches[0]); i++)
		(void)setsockopt(fd, watches[i].level, watches[i].name, &watches[i].value,
		    sizeof(watches[i].value));
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void
server_socket_loads(int own, bool loads)
{
	const int ms = loads ? 0 : 1000 * SERVER_SILENCE_S;

	(void)setsockopt(own, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

void
server_socket_cut(int own)
{
	(void)shutdown(own, SHUT_RDWR);
}

void
server_socket_close(int own)
{
	if (own != -1)
		(void)close(own);
}
