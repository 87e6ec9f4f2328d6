#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lint_test.sh [BUILDDIR | MIBFILE]: does lint.sh see the faults that it is there to see?
# Plants one at a time in a copy of WEIR-MIB and expects lint.sh to fail, on the right line.

lint=$(cd "$(dirname "$0")" && pwd)/lint.sh
mib=${1:-.}
[ -d "$mib" ] && mib=$mib/mibs/WEIR-MIB.txt

for tool in smilint smidump snmptranslate; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP no $tool"; exit 0; }
done
[ -r "$mib" ] || { echo "Bail out! cannot read $mib"; exit 1; }

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

n=0 failed=0

# plant TEST SENTENCE SED-SCRIPT: with the edit, test number TEST of lint.sh fails.
plant()
{
	n=$((n + 1))
	sed "$3" "$mib" >"$tmp/WEIR-MIB.txt"
	if cmp -s "$mib" "$tmp/WEIR-MIB.txt"; then
		echo "not ok $n - $2"
		echo "# the edit changed nothing"
		failed=1
		return
	fi
	"$lint" "$tmp/WEIR-MIB.txt" >"$tmp/out" 2>&1
	status=$?
	if [ $status -eq 1 ] && grep -q "^not ok $1 " "$tmp/out"; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		echo "# lint.sh exits with $status:"
		sed 's/^/# /' "$tmp/out"
		failed=1
	fi
}

# In the description of NAME's object type, up to its OID.
of() { printf '/^%s OBJECT-TYPE/,/::=/' "$1"; }

echo 1..12

n=1
if "$lint" "$mib" >"$tmp/out" 2>&1; then
	echo "ok 1 - the module as it is passes"
else
	echo "not ok 1 - the module as it is passes"
	sed 's/^/# /' "$tmp/out"
	failed=1
fi

plant 1 "a missing quotation mark" "$(of weirViewRows) s/\"\$//"
plant 1 "an object in no group" '/OBJECTS {/,/}/ { /weirViewEvictions,/d; }'
plant 1 "a convention that is not imported" 's/InetPortNumber, //'
plant 1 "a number used twice" 's/{ weirEntryEntry 33 }/{ weirEntryEntry 34 }/'
plant 2 "a column at another number" 's/{ weirEntryEntry 6 }/{ weirEntryEntry 12 }/'
plant 3 "a module that does not parse" 's/^weirVersion OBJECT-TYPE/weirVersion OBJECT TYPE/'
plant 4 "a writable Counter64" "$(of weirEntryBytes) s/read-only/read-write/"
plant 4 "a writable object with a 64-bit convention" "$(of weirEntryTag) s/read-only/read-create/"
plant 5 "a notification with a Counter64" "/^-- General/i\\
 weirPlanted NOTIFICATION-TYPE OBJECTS { weirViewBytes } STATUS current DESCRIPTION \"\" ::= { weirNotifications 999 }"
plant 6 "a label with a digit" 's/pcap(1)/pcap2(1)/'
plant 7 "a template that was not filled in" 's/^    ORGANIZATION "/&@PACKAGE@ /'

exit $failed
