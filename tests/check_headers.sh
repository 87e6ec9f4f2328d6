#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check_headers.sh [TOPDIR]: does every header compile alone, and twice? Speaks TAP. The
# compiler is $CC (cc); more flags in $CPPFLAGS and $CFLAGS.
# check_headers.sh --prove-it: does it see the headers that do not?

flags='-std=c17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes
-Wstrict-prototypes -Wvla -Wformat=2 -Werror -fsyntax-only'

# check: TAP for the tree in the current directory, one test a header.
check()
{
	list=$(find . -name '*.h' -type f ! -path './.*' ! -path './_*' ! -path './build*' ! -path './weir-[0-9]*' \
	    ! -name config.h | sed 's|^\./||' | sort) n=0 failed=0
	list="$list $(find . -mindepth 2 -name config.h -type f ! -path './_*' ! -path './build*' | sed 's|^\./||')"
	if [ -z "$(printf '%s' "$list" | tr -d ' \n')" ]; then
		echo "Bail out! no headers here"
		return 1
	fi
	set -- $list
	echo "1..$#"
	for header; do
		n=$((n + 1))
		complaint=$(printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
		    ${CC:-cc} $flags -I. ${CPPFLAGS:-} ${CFLAGS:-} -x c - 2>&1) || failed=1
		if [ -z "$complaint" ]; then
			echo "ok $n - $header"
		else
			echo "not ok $n - $header"
			printf '%s\n' "$complaint" | sed 's/^/# /'
			failed=1
		fi
	done
	return $failed
}

# plant SENTENCE STATUS TEXT: a tree whose second header is TEXT gives STATUS.
plant()
{
	n=$((n + 1))
	printf '%s\n' "$3" >"$tmp/lib/b.h"
	(cd "$tmp" && check) >"$tmp/out" 2>&1
	if [ $? -eq "$2" ] && { [ "$2" -eq 0 ] || grep -q '^not ok 2 - lib/b.h' "$tmp/out"; }; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$tmp/out"
		bad=1
	fi
}

prove_it()
{
	tmp=$(mktemp -d) || exit 1
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 1' HUP INT TERM
	mkdir "$tmp/lib"
	printf '#ifndef A_H\n#define A_H\ntypedef int a_t;\n#endif\n' >"$tmp/lib/a.h"
	n=0 bad=0
	echo 1..6
	plant "a header that includes what it needs" 0 '#include "lib/a.h"
a_t b(void);'
	plant "a header that counts on others" 1 'a_t b(void);'
	plant "a type of libc without its header" 1 'uint32_t b(void);'
	plant "no guard around a definition" 1 'struct b { int c; };'
	plant "a prototype that is none" 1 'int b();'
	plant "a warning in an inline function" 1 '#ifndef B_H
#define B_H
static inline char b(int i) { return i; }
#endif'
	return $bad
}

if [ "${1:-}" = --prove-it ]; then
	prove_it
	exit
fi
cd "${1:-.}" || exit 1
check
