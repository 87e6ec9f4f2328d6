#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check_layers.sh [TOPDIR]: does every folder include only what its floor may? Speaks TAP.
# check_layers.sh --prove-it [TOPDIR]: does it see the faults that it is there to see?
# Plants one of each sort in a copy of the tree.
#
# The table of floors. A folder includes itself, "config.h", libc, and what stands here.
floors='
lib:
flow: lib
rules: lib flow
proto: lib flow
core: lib flow rules
collectors: lib flow proto core
agent: lib flow core
rrd: lib flow core
sql: lib flow core
report: lib flow core
export: lib flow rules proto core
client: lib flow
daemon: lib flow rules proto core collectors agent rrd sql report export client
bench:
docs: flow rules proto
'
# External libraries, the folders that may include them, in .c files only: HEADER: FOLDER...
# A trailing * stands for anything.
libraries='
xxhash.h: lib
urcu*: lib
pcap.h: collectors rules bench
zlib.h: collectors
pcap/*: collectors rules
ndpi*: collectors
pcre2.h: collectors
net-snmp/*: agent bench
maxminddb.h: rules
rrd.h: rrd
rrd_client.h: rrd
sqlite3.h: sql bench
libpq-fe.h: sql
mysql*: sql
errmsg.h: sql
mariadb/*: sql
jansson.h: collectors report client
event2/*: daemon
curses.h: client
ncurses*: client
'
# What may be included anywhere: libc and the kernel. A header that stands in neither list
# is a library that nobody has agreed on.
libc='arpa/* asm/* assert.h byteswap.h ctype.h dirent.h dlfcn.h elf.h endian.h errno.h
fcntl.h fenv.h float.h fnmatch.h ftw.h getopt.h glob.h grp.h iconv.h ifaddrs.h inttypes.h
langinfo.h libgen.h limits.h linux/* locale.h malloc.h math.h mntent.h net/* netdb.h
netinet/* netpacket/* nl_types.h poll.h pthread.h pwd.h regex.h sched.h search.h semaphore.h
setjmp.h signal.h spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h
stdio_ext.h stdlib.h stdnoreturn.h string.h strings.h sys/* sysexits.h syslog.h termios.h threads.h
time.h unistd.h utime.h wchar.h wctype.h wordexp.h emmintrin.h immintrin.h'

# includes DIR...: every #include below them, as "FILE:LINE <what>" or 'FILE:LINE "what"'.
includes()
{
	find "$@" \( -name '*.c' -o -name '*.h' -o -name '*.def' \) -type f | sort |
	    xargs awk '
	sub(/^[ \t]*#[ \t]*include(_next)?[ \t]*/, "") {
		sub(/[ \t]*\/[*\/].*/, "")
		sub(/[ \t]+$/, "")
		print FILENAME ":" FNR " " $0
	}' /dev/null
}

# faults: reads what `includes` writes, prints what breaks a rule.
faults()
{
	awk -v floors="$floors" -v libraries="$libraries" -v libc="$libc" \
	    -v shadows="$(ls ./*/config.h 2>/dev/null)" '
	# Is NAME what PATTERN says (equal, or begins so where it ends in "*")?
	function fits(name, pattern,   n) {
		n = length(pattern)
		if (substr(pattern, n) == "*")
			return substr(name, 1, n - 1) == substr(pattern, 1, n - 1)
		return name == pattern
	}
	function fault(text) {
		print place ": " text
	}
	function within(name,   part, other, i) {
		if (name == "config.h") {
			if (index(shadows, "./" folder "/config.h"))
				fault("\"config.h\" would be " folder "/config.h here")
			return
		}
		if (name !~ /^[a-z]+(\/[a-z]+)?\/[a-z0-9_]+\.(h|def)$/)
			return fault("\"" name "\" is not of the form \"folder/file.h\"")
		split(name, part, "/")
		other = part[1]
		if (other == folder)
			return
		if (!(other in known))
			return fault("\"" name "\" is in no folder of weir")
		if (!((folder, other) in may))
			fault(folder "/ may not include \"" name "\"")
	}
	function external(name,   i) {
		for (i = 1; i <= n_libc; i++)
			if (fits(name, free[i]))
				return
		for (i = 1; i <= n_libs; i++) {
			if (!fits(name, lib[i]))
				continue
			if (!((lib[i], folder) in opens))
				fault(folder "/ may not include <" name ">: it belongs to " owner[i] "/")
			else if (place !~ /\.c:/)
				fault("<" name "> in a header: libraries stay in .c files")
			return
		}
		fault("<" name "> is neither libc nor a library that weir uses")
	}
	BEGIN {
		n = split(floors, rows, "\n")
		for (i = 1; i <= n; i++) {
			if (split(rows[i], w, /[: ]+/) == 0 || w[1] == "")
				continue
			known[w[1]] = 1
			for (k = 2; k in w; k++)
				may[w[1], w[k]] = 1
			delete w
		}
		n = split(libraries, rows, "\n")
		for (i = 1; i <= n; i++) {
			if (rows[i] == "")
				continue
			split(rows[i], w, /: */)
			lib[++n_libs] = w[1]
			owner[n_libs] = w[2]
			m = split(w[2], f, " ")
			for (k = 1; k <= m; k++)
				opens[w[1], f[k]] = 1
		}
		n_libc = split(libc, free, /[ \n]+/)
	}
	{
		place = $1
		what = substr($0, length($1) + 2)
		folder = place
		sub(/\/.*/, "", folder)
		if (!(folder in known))
			fault("the folder " folder "/ stands on no floor")
		else if (what ~ /^".*"$/)
			within(substr(what, 2, length(what) - 2))
		else if (what ~ /^<.*>$/)
			external(substr(what, 2, length(what) - 2))
		else
			fault("#include " what " cannot be checked")
	}'
}

# folders: those of the tree that hold C and are not tests.
folders()
{
	find . -name '*.[ch]' -type f ! -path './.*' | sed -n 's|^\./\([^/]*\)/.*|\1|p' | sort -u |
	    grep -v -x -e tests -e 'build.*' -e 'weir-[0-9].*'
}

# check: TAP for the tree in the current directory, one test a folder.
check()
{
	list=$(folders) n=0 failed=0
	if [ -z "$list" ]; then
		echo "Bail out! no sources here"
		return 1
	fi
	echo "1..$(($(printf '%s\n' "$list" | wc -l) + 1))"
	# shellcheck disable=SC2086 # a list of words
	all=$(includes $list | faults)
	for folder in $list; do
		n=$((n + 1))
		complaint=$(printf '%s\n' "$all" | grep "^$folder/")
		if [ -z "$complaint" ]; then
			echo "ok $n - $folder/ includes what its floor may"
		else
			echo "not ok $n - $folder/ includes what its floor may"
			printf '%s\n' "$complaint" | sed 's/^/# /'
			failed=1
		fi
	done
	n=$((n + 1))
	# Sources beside the folders, which have no floor.
	complaint=$(find . -maxdepth 1 -name '*.[ch]' ! -name config.h)
	if [ -z "$complaint" ]; then
		echo "ok $n - every source is in a folder"
	else
		echo "not ok $n - every source is in a folder"
		printf '%s\n' "$complaint" | sed 's/^/# /'
		failed=1
	fi
	return $failed
}

# plant SENTENCE FILE INCLUDE: with the line added to FILE (made if need be), FILE is named.
plant()
{
	n=$((n + 1))
	cp -R "$tmp/clean" "$tmp/tree"
	mkdir -p "$tmp/tree/$(dirname "$2")"
	printf '%s\n' "$3" >>"$tmp/tree/$2"
	if (cd "$tmp/tree" && check) >"$tmp/out" 2>&1; then
		echo "not ok $n - $1"
		echo "# not seen: $3 in $2"
		failed=1
	elif ! grep -q "^# \(\./\)\{0,1\}$2" "$tmp/out"; then
		echo "not ok $n - $1"
		grep '^#' "$tmp/out"
		failed=1
	else
		echo "ok $n - $1"
	fi
	rm -rf "$tmp/tree"
}

# allow SENTENCE FILE INCLUDE: the same, but nothing is wrong with it.
allow()
{
	n=$((n + 1))
	cp -R "$tmp/clean" "$tmp/tree"
	printf '%s\n' "$3" >>"$tmp/tree/$2"
	if (cd "$tmp/tree" && check) >"$tmp/out" 2>&1; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		grep '^#' "$tmp/out"
		failed=1
	fi
	rm -rf "$tmp/tree"
}

prove_it()
{
	tmp=$(mktemp -d) || exit 1
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM
	n=0 failed=0
	# A tree with a file in each folder, without faults of its own.
	for folder in $(printf '%s\n' "$floors" | sed -n 's/:.*//p'); do
		mkdir -p "$tmp/clean/$folder"
		printf '#include <stdint.h>\n#include "%s/x.h"\n' "$folder" >"$tmp/clean/$folder/x.c"
		printf '#include <stdint.h>\n' >"$tmp/clean/$folder/x.h"
	done

	echo 1..38
	allow "a tree without faults passes" lib/x.c ''
	allow "config.h is everybody's" sql/x.c '#include "config.h"'
	allow "a floor below" core/x.c '#include "rules/rules.h"'
	allow "a table of rows" flow/x.c '#include "flow/fields.def"'
	allow "a folder in a folder" bench/x.c '#include "bench/limits/table.h"'
	allow "a library, behind its door" rrd/x.c '#include <rrd.h>'
	allow "a library of several folders" client/x.c '#include <jansson.h>'
	allow "the packet library for rules" rules/x.c '#include <pcap.h>'
	allow "a comment behind" lib/x.c '#include <xxhash.h> /* only here */'
	allow "the top floor sees all" daemon/x.c '#include "agent/agent.h"'
	plant "up: lib to flow" lib/x.c '#include "flow/field.h"'
	plant "up: flow to core" flow/x.h '#include "core/view.h"'
	plant "up: rules to core" rules/x.c '#include "core/view.h"'
	plant "up: proto to collectors" proto/x.c '#include "collectors/datagram.h"'
	plant "up: core to agent" core/x.c '#include "agent/agent.h"'
	plant "up: rrd to daemon" rrd/x.h '#include "daemon/settings.h"'
	plant "sideways: proto to rules" proto/x.c '#include "rules/rules.h"'
	plant "sideways: sql to report" sql/x.c '#include "report/print.h"'
	plant "sideways: agent to collectors" agent/x.c '#include "collectors/datagram.h"'
	plant "past its floor: collectors to rules" collectors/x.c '#include "rules/rules.h"'
	plant "past its floor: report to proto" report/x.c '#include "proto/ie.h"'
	plant "past its floor: client to core" client/x.c '#include "core/books.h"'
	plant "a sibling without its folder" core/x.c '#include "view.h"'
	plant "a path that climbs" core/x.c '#include "../lib/ip.h"'
	plant "a folder that there is not" core/x.c '#include "util/list.h"'
	plant "a header of weir in angles" core/x.c '#include <lib/ip.h>'
	plant "blanks in the directive" core/x.c '  #  include "agent/agent.h"'
	plant "a macro for a name" core/x.c '#include VIEW_H'
	plant "a source as a header" core/x.c '#include "core/view.c"'
	plant "a library in another folder" core/x.c '#include <xxhash.h>'
	plant "SNMP outside agent" daemon/x.c '#include <net-snmp/net-snmp-config.h>'
	plant "libevent outside daemon" collectors/x.c '#include <event2/event.h>'
	plant "a library in a header" rrd/x.h '#include <rrd.h>'
	plant "a library that nobody knows" lib/x.c '#include <glib.h>'
	plant "a folder that has no floor" util/x.c '#include <stdint.h>'
	touch "$tmp/clean/sql/config.h"
	allow "a config.h of the folder's own" sql/x.c '#include "sql/config.h"'
	plant "a config.h that another hides" sql/x.c '#include "config.h"'
	plant "a source in no folder" main.c '#include <stdint.h>'
	return $failed
}

if [ "${1:-}" = --prove-it ]; then
	prove_it
	exit
fi
cd "${1:-.}" || exit 1
check
