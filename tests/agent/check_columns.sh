#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check_columns.sh [BUILDDIR]: does the agent serve exactly the objects that WEIR-MIB has,
# by the same names and numbers and in the same types? Speaks TAP. BUILDDIR (default: .) is
# where configure left mibs/WEIR-MIB.txt and make tests/agent/columns.

stubs=$(cd "$(dirname "$0")/../mibs" && pwd) || exit 1
build=${1:-.}
mib=$build/mibs/WEIR-MIB.txt

command -v smidump >/dev/null || { echo "1..0 # SKIP no smidump"; exit 0; }
[ -r "$mib" ] || { echo "Bail out! cannot read $mib"; exit 1; }
[ -x "$build/tests/agent/columns" ] || { echo "Bail out! no tests/agent/columns"; exit 1; }

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
SMIPATH=$stubs LC_ALL=C
export SMIPATH LC_ALL

root=1.3.6.1.4.1.$(sed -n 's/^ *::= { enterprises \([0-9 ]*[0-9]\) *}$/\1/p' "$mib" |
    tr ' ' '.')

# "NAME OID TYPE" of each object that can be read, and "written" behind it; TYPE is what the syntax is on the wire.
smidump -c /dev/null -f xml "$mib" 2>/dev/null | awk -v root="$root." '
function attr(key,   s) {
	s = $0
	if (!sub(".* " key "=\"", "", s))
		return ""
	sub("\".*", "", s)
	return s
}
BEGIN {
	split("Integer32 InetAddressType Enumeration RowStatus StorageType TruthValue", list, " ")
	for (i in list) wire[list[i]] = "integer"
	split("Unsigned32 Gauge32 InetPortNumber InetAutonomousSystemNumber " \
	    "InetAddressPrefixLength WeirKeyHash", list, " ")
	for (i in list) wire[list[i]] = "unsigned"
	split("SnmpAdminString DateAndTime InetAddress MacAddress OctetString", list, " ")
	for (i in list) wire[list[i]] = "octets"
	split("Counter64 CounterBasedGauge64", list, " ")
	for (i in list) wire[list[i]] = "counter64"
	wire["Counter32"] = "counter32"
	wire["TimeStamp"] = "timeticks"
}
/<(scalar|column) /      { name = attr("name"); oid = attr("oid"); type = "" }
/<typedef basetype=/     { type = attr("basetype") }
/<type / && name         { type = attr("name") }
/<\/?refinement/         { name = "" }
/<access>read/ && name {
	sub("^" root, "", oid)
	print name, oid, ((type in wire) ? wire[type] : type) \
	    (/readonly/ ? "" : " written")
	name = ""
}' | sort >"$tmp/mib"
"$build/tests/agent/columns" | sort >"$tmp/agent"

echo 1..2
failed=0
if [ "$(wc -l <"$tmp/mib")" -gt 90 ]; then
	echo "ok 1 - the MIB could be read"
else
	echo "not ok 1 - the MIB could be read"
	failed=1
fi
if diff -u "$tmp/mib" "$tmp/agent" >"$tmp/diff"; then
	echo "ok 2 - the agent serves what the MIB says"
else
	echo "not ok 2 - the agent serves what the MIB says"
	sed 's/^/# /' "$tmp/diff"
	failed=1
fi
exit $failed
