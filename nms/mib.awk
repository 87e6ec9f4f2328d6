# SPDX-License-Identifier: GPL-2.0-or-later
# What nms/*.awk share: they are run as
#   awk -f nms/mib.awk -f nms/X.awk WEIR-MIB.txt figures.def
# Of the MIB there are then oid[NAME] and syntax[NAME]; of figures.def, which says what is
# what, table[] and the like, which number from 1. END blocks make something of them.

function die(text) {
	print FILENAME ":" FNR ": " text >"/dev/stderr"
	failed = 1
	exit 1
}

function trim(s) {
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

function xml(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	return s
}

# 32 hexadecimal digits that stay the same as long as `text` does: four polynomials modulo
# 2^32, whose products an awk can still count exactly.
function id(text,    part, h, i, made) {
	made = ""
	for (part = 1; part <= 4; part++) {
		h = part * 40503
		for (i = 1; i <= length(text); i++)
			h = (h * (65599 + 2 * part) + index(characters, substr(text, i, 1))) % 4294967296
		made = made sprintf("%04x%04x", int(h / 65536), h % 65536)
	}
	if (made in id_text && id_text[made] != text)
		die("'" text "' and '" id_text[made] "' have the same id")
	id_text[made] = text
	return made
}

function known(name) {
	if (!(name in oid))
		die("WEIR-MIB has no " name)
	return name
}

function counts(name) {
	return syntax[name] ~ /^Counter(32|64)$/
}

BEGIN {
	characters = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
	oid["enterprises"] = "1.3.6.1.4.1"
	files = t = 0
}

FNR == 1 { files++ }

# The MIB: a name, its syntax, where it lies.
files == 1 && $2 ~ /^(OBJECT-TYPE|MODULE-IDENTITY)$/ { name = $1 }
files == 1 && $2 == "OBJECT" && $3 == "IDENTIFIER" { oid[$1] = oid[$6] "." $7 }
files == 1 && name != "" && $1 == "SYNTAX" && !(name in syntax) { syntax[name] = $2 }
files == 1 && name != "" && $1 ~ /^[a-z]+\([0-9]+\),?$/ {
	split($1, part, /[(),]+/)
	enums[name] = enums[name] part[2] "=" part[1] " "
}
files == 1 && name != "" && $1 == "::=" {
	oid[name] = oid[$3]
	for (i = 4; $i != "}"; i++)
		oid[name] = oid[name] "." $i
	name = ""
}

# figures.def: see there.
files == 2 && !/^[ \t]*(#|$)/ {
	n = split($0, f, "|")
	for (i = 1; i <= n; i++)
		f[i] = trim(f[i])
	if (f[1] == "table") {
		t = ++tables
		table[t] = f[2]; table_oid[t] = oid[known(f[3])] ".1"
		name_of[t] = known(f[4]); title[t] = f[5]; about[t] = f[6]; users[t] = f[7]
	} else if (f[1] == "show") {
		k = ++shows[t]
		show[t, k] = known(f[2]); show_title[t, k] = f[3]
	} else if (f[1] == "graph") {
		g = ++graphs[t]
		graph[t, g] = f[2]; graph_title[t, g] = f[3]; unit[t, g] = f[4]
	} else if (f[1] == "figure") {
		k = ++figures[t, g]
		figure[t, g, k] = known(f[2]); ds[t, g, k] = f[3]; label[t, g, k] = f[4]
		if (length(f[3]) > 19)
			die("'" f[3] "' is longer than a data source of RRD may be")
	} else if (f[1] == "alarm") {
		k = ++alarms[t]
		alarm[t, k] = f[2]; severity[t, k] = f[3]; alarm_title[t, k] = f[4]
	} else if (f[1] == "scalar") {
		k = ++scalars
		scalar[k] = known(f[2]); scalar_unit[k] = f[3]; scalar_title[k] = f[4]
	} else if (f[1] == "macro") {
		k = ++macros
		macro[k] = f[2]; macro_value[k] = f[3]; macro_about[k] = f[4]
	} else
		die("'" f[1] "' is no row of figures.def")
}
