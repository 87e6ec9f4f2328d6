# AX_WEIR_DOOR(name, NAME, help, check): one optional door out, on when its library is found.
# --with-NAME makes a missing library an error, --without-NAME leaves the door out.
AC_DEFUN([AX_WEIR_DOOR], [
	AC_ARG_WITH([$1], [AS_HELP_STRING([--without-$1], [leave out $3])], [], [with_$1=auto])
	AS_IF([test "x$with_$1" != xno], [
		$4
		AS_CASE([$weir_found-$with_$1],
			[no-yes], [AC_MSG_ERROR([--with-$1: library not found, needed for $3])],
			[no-*],   [with_$1=no],
			[with_$1=yes])
	])
	AM_CONDITIONAL([WITH_$2], [test "x$with_$1" = xyes])
	AS_IF([test "x$with_$1" = xyes],
		[AC_DEFINE([WITH_$2], [1], [Build $3])])
])

AC_DEFUN([AX_WEIR_LIBS], [
	AC_SEARCH_LIBS([pthread_create], [pthread])
	PKG_CHECK_MODULES([XXHASH], [libxxhash >= 0.8.0])
	PKG_CHECK_MODULES([URCU], [liburcu-qsbr >= 0.12])
	PKG_CHECK_MODULES([PCAP], [libpcap >= 1.9.0])
	PKG_CHECK_MODULES([ZLIB], [zlib >= 1.2.11])
	PKG_CHECK_MODULES([EVENT], [libevent_core >= 2.1])
	PKG_CHECK_MODULES([JANSSON], [jansson >= 2.10])
	PKG_CHECK_MODULES([CMOCKA], [cmocka >= 1.1.5], [with_cmocka=yes], [with_cmocka=no])
	AM_CONDITIONAL([WITH_CMOCKA], [test "x$with_cmocka" = xyes])

	AX_WEIR_DOOR([snmp], [SNMP], [the AgentX subagent], [
		PKG_CHECK_MODULES([SNMP], [netsnmp-agent >= 5.9], [weir_found=yes], [weir_found=no])
	])
	AX_WEIR_DOOR([rrd], [RRD], [RRD archives and graphs], [
		PKG_CHECK_MODULES([RRD], [librrd >= 1.7], [weir_found=yes], [weir_found=no])
	])
	AX_WEIR_DOOR([sqlite], [SQLITE], [SQLite histories], [
		PKG_CHECK_MODULES([SQLITE], [sqlite3 >= 3.24], [weir_found=yes], [weir_found=no])
	])
	AX_WEIR_DOOR([pgsql], [PGSQL], [PostgreSQL histories], [
		PKG_CHECK_MODULES([PGSQL], [libpq >= 12], [weir_found=yes], [weir_found=no])
	])
	AX_WEIR_DOOR([mysql], [MYSQL], [MariaDB and MySQL histories], [
		PKG_CHECK_MODULES([MYSQL], [libmariadb >= 3.1], [weir_found=yes], [weir_found=no])
	])
	AM_CONDITIONAL([WITH_SQL],
		[test "x$with_sqlite" = xyes || test "x$with_pgsql" = xyes || test "x$with_mysql" = xyes])
	AX_WEIR_DOOR([geoip], [GEOIP], [countries and AS by address (MaxMind)], [
		PKG_CHECK_MODULES([MAXMINDDB], [libmaxminddb >= 1.4], [weir_found=yes],
			[weir_found=no])
	])
	AX_WEIR_DOOR([ndpi], [NDPI], [classes of streams by nDPI], [
		dnl Its interface changes with each release: collectors/class_ndpi.c is for this one.
		PKG_CHECK_MODULES([NDPI], [libndpi >= 4.2 libndpi < 4.4], [weir_found=yes],
			[weir_found=no])
	])
	AX_WEIR_DOOR([pcre2], [PCRE2], [classes of streams by patterns], [
		PKG_CHECK_MODULES([PCRE2], [libpcre2-8 >= 10.30], [weir_found=yes],
			[weir_found=no])
	])
	AX_WEIR_DOOR([ncurses], [NCURSES], [weir top], [
		PKG_CHECK_MODULES([NCURSES], [ncursesw], [weir_found=yes], [weir_found=no])
	])
])
