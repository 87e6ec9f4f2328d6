#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lint.sh [BUILDDIR | MIBFILE]: is WEIR-MIB well-formed, and does it keep the rules that
# the tools do not know? Speaks TAP; exits 1 if anything fails. BUILDDIR (default: .)
# is where configure left mibs/WEIR-MIB.txt. Only the stubs beside this script are in
# the search path, so the answer does not depend on what the host has installed.

stubs=$(cd "$(dirname "$0")" && pwd) || exit 1
mib=${1:-.}
[ -d "$mib" ] && mib=$mib/mibs/WEIR-MIB.txt

for tool in smilint smidump snmptranslate; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP no $tool"; exit 0; }
done
[ -r "$mib" ] || { echo "Bail out! cannot read $mib"; exit 1; }

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$tmp/mib" "$tmp/empty/cert_indexes"
cp "$mib" "$tmp/mib/WEIR-MIB.txt" || exit 1
cd "$tmp/mib" || exit 1

# Nothing of the host's or the user's configuration.
SMIPATH=$stubs MIBS='' SNMPCONFPATH=$tmp/empty SNMP_PERSISTENT_DIR=$tmp/empty LC_ALL=C
export SMIPATH MIBS SNMPCONFPATH SNMP_PERSISTENT_DIR LC_ALL

n=0 failed=0

# verdict SENTENCE: ok if $complaint is empty, else not ok with the complaint below.
verdict()
{
	n=$((n + 1))
	if [ -z "$complaint" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$complaint" | sed 's/^/# /'
		failed=1
	fi
}

# The root that this module states, in dots: "{ enterprises 1 2 }" is .1.3.6.1.4.1.1.2
root=.1.3.6.1.4.1.$(sed -n 's/^ *::= { enterprises \([0-9 ]*[0-9]\) *}$/\1/p' WEIR-MIB.txt |
    tr ' ' '.')

# snmptranslate finds NAME at the root plus SUFFIX; complains otherwise.
translate()
{
	got=$(snmptranslate -M "$stubs:$tmp/mib" -m WEIR-MIB -On "WEIR-MIB::$1" 2>&1)
	[ "$got" = "$root.$2" ] || echo "$1 should be $root.$2, got: $got"
}

echo 1..7

# smilint always exits 0: what it prints is the verdict. Level 3 is where errors end; the
# warnings beyond are worth heeding too (an object in no group, a name too long), all but
# the one about the numbers of the root, which have no names that could be imported.
complaint=$(smilint -c /dev/null -l 6 -i node-implicit -s ./WEIR-MIB.txt 2>&1)
verdict "smilint has nothing to say"

complaint=$(
	translate weirSnapshotSerial 1.1.4
	translate weirExporterSamplingInterval 1.3.1.6
	translate weirViewName 1.4.1.2
	translate weirEntryKey 1.5.1.4
	translate weirEntryBytes 1.5.1.6
	translate weirEntrySrcAddress 1.5.1.22
)
verdict "snmptranslate finds objects where the agent serves them"

xml=$tmp/weir.xml
complaint=$(smidump -c /dev/null -f xml ./WEIR-MIB.txt 2>&1 >"$xml" ||
    echo "smidump exits with an error")
grep -q '<column name="weirEntryBytes"' "$xml" ||
    complaint="$complaint no column weirEntryBytes in its output"
verdict "smidump -f xml knows the module"

# facts: what the rules below look at, one fact on a line, from smidump's XML, which has
# one element on a line:
#     object NAME ACCESS TYPE
#     label LABEL OF
#     carries NOTIFICATION OBJECT
# TYPE is the name of the syntax, or the base type where smidump tells it: then a
# convention of our own around a 64-bit type is seen through.
facts=$(awk '
function attr(key,   s) {
	s = $0
	if (!sub(".* " key "=\"", "", s))
		return ""
	sub("\".*", "", s)
	return s
}
/<refinement /               { skip = 1 }  # of conventions that others wrote
/<\/refinement>/             { skip = 0 }
skip                         { next }
/<typedef name=/             { owner = attr("name"); base[owner] = attr("basetype") }
/<(scalar|column) /          { owner = attr("name"); objects[++count] = owner }
/<typedef basetype=/         { type[owner] = attr("basetype") }
/<type /                     { type[owner] = attr("name") }
/<access>/                   { gsub(/<[^>]*>|[ \t]/, ""); access[owner] = $0 }
/<namednumber /              { print "label", attr("name"), owner }
/<notification /             { notification = attr("name") }
/<\/notification>/           { notification = "" }
/<object / && notification   { print "carries", notification, attr("name") }
END {
	for (i = 1; i <= count; i++) {
		o = objects[i]
		t = type[o]
		print "object", o, access[o], (t in base) ? base[t] : t
	}
}' "$xml")

is64='^(Counter64|CounterBasedGauge64|ZeroBasedCounter64|Unsigned64|Integer64)$'

complaint=$(printf '%s\n' "$facts" | awk -v is64="$is64" '
$1 == "object" { seen++ }
$1 == "object" && $3 != "readonly" && $3 != "noaccess" && $4 ~ is64 {
	print $2 " is " $3 " and has the 64-bit type " $4
}
END { if (!seen) print "found no object to look at" }')
verdict "nothing writable is 64 bits wide: SMIv2 has no such type"

complaint=$(printf '%s\n' "$facts" | awk -v is64="$is64" '
$1 == "object" { type[$2] = $4 }
$1 == "carries" { carried[++count] = $2 " " $3 }
END {
	for (i = 1; i <= count; i++) {
		split(carried[i], c, " ")
		if (type[c[2]] ~ is64)
			print c[1] " carries " c[2] " of type " type[c[2]]
	}
}')
verdict "no notification carries a 64-bit object: SNMPv1 traps cannot"

complaint=$(printf '%s\n' "$facts" | awk '
$1 == "label" { seen++ }
$1 == "label" && $2 ~ /[0-9]/ { print "label " $2 " of " $3 " has a digit" }
END { if (!seen) print "found no label to look at" }')
verdict "labels of enumerations have no digits: check_snmp would take them for the value"

# "@NAME@" left over would mean that configure did not fill in the template.
complaint=$(grep -n '@[A-Z_]*@' WEIR-MIB.txt)
verdict "configure has filled in everything"

exit $failed
