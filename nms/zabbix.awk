# SPDX-License-Identifier: GPL-2.0-or-later
# The template for Zabbix 6.0 in the form of its YAML export: what is in each table of WEIR-MIB
# is found by discovery; counters become values per second; alarms become triggers.

BEGIN { template = "weir by SNMP" }

# Zabbix wants ids that look like random UUIDs (RFC 4122 s4.4).
function uuid(what,    made) {
	made = id("zabbix " what)
	return substr(made, 1, 12) "4" substr(made, 14, 3) "a" substr(made, 18)
}

function quoted(s) {
	gsub(/'/, "''", s)
	return "'" s "'"
}

function put(depth, key, value) { printf "%*s%s: %s\n", depth, "", key, quoted(value) }
function list(depth, key) { printf "%*s%s:\n", depth, "", key }
function item(depth, what) { printf "%*s-\n%*suuid: %s\n", depth, "", depth + 2, "", uuid(what) }

# Octets of the MIB are bits for people.
function value_unit(u) {
	return u == "bits/s" ? "bps" : u == "seconds" || u == "s" ? "s" : ""
}

function preprocessing(depth, type, parameter) {
	printf "%*s-\n", depth, ""
	printf "%*stype: %s\n", depth + 2, "", type
	list(depth + 2, "parameters")
	printf "%*s- %s\n", depth + 4, "", quoted(parameter)
}

# What an item or item prototype has behind its uuid; `index_` is "" or "[{#SNMPINDEX}]".
function figure_put(depth, name, title_, u, index_,    what) {
	what = syntax[name]
	put(depth, "name", title_)
	printf "%*stype: SNMP_AGENT\n", depth, ""
	put(depth, "snmp_oid", oid[name] "." (index_ == "" ? "0" : "{#SNMPINDEX}"))
	put(depth, "key", name index_)
	if (what == "SnmpAdminString") {
		printf "%*svalue_type: CHAR\n%*strends: '0'\n", depth, "", depth, ""
	} else if (counts(name))
		printf "%*svalue_type: FLOAT\n", depth, ""
	if (value_unit(u) != "")
		put(depth, "units", value_unit(u))
	if (name in enums) {
		list(depth, "valuemap")
		put(depth + 2, "name", name)
		mapped[name] = 1
	}
	if (counts(name)) {
		list(depth, "preprocessing")
		preprocessing(depth + 2, "CHANGE_PER_SECOND", "")
		if (u == "bits/s")
			preprocessing(depth + 2, "MULTIPLIER", "8")
	}
}

# Names of WEIR-MIB in an expression become the items that are named like them.
function expression(s, index_,    out, name) {
	out = ""
	while (match(s, /weir[A-Z][A-Za-z]*/)) {
		name = known(substr(s, RSTART, RLENGTH))
		out = out substr(s, 1, RSTART - 1) "/" template "/" name index_
		s = substr(s, RSTART + RLENGTH)
	}
	return out s
}

# The alarms whose first object is `name`, as triggers of its item.
function alarms_put(depth, t, name, index_, key,    k, first) {
	first = 1
	for (k = 1; k <= alarms[t]; k++) {
		match(alarm[t, k], /weir[A-Z][A-Za-z]*/)
		if (substr(alarm[t, k], RSTART, RLENGTH) != name)
			continue
		if (first)
			list(depth, key)
		first = 0
		item(depth + 2, "alarm " table[t] " " alarm_title[t, k])
		put(depth + 4, "expression", expression(alarm[t, k], index_))
		put(depth + 4, "name", alarm_title[t, k])
		printf "%*spriority: %s\n", depth + 4, "", severity[t, k]
		placed++
	}
}

function graph_put(t, g,    k) {
	item(12, "graph " table[t] " " graph[t, g])
	put(14, "name", title[t] " {#NAME}: " graph_title[t, g])
	list(14, "graph_items")
	for (k = 1; k <= figures[t, g]; k++) {
		printf "%*s-\n", 16, ""
		put(18, "sortorder", k - 1)
		put(18, "color", colour[k])
		list(18, "item")
		put(20, "host", template)
		put(20, "key", figure[t, g, k] "[{#SNMPINDEX}]")
	}
}

function discovery_put(t,    g, k, label_) {
	item(8, "discovery " table[t])
	put(10, "name", title[t] ": " about[t])
	print "          type: SNMP_AGENT"
	put(10, "snmp_oid", "discovery[{#NAME}," oid[name_of[t]] "]")
	put(10, "key", "weir." table[t] ".discovery")
	print "          delay: 15m"
	list(10, "item_prototypes")
	for (g = 1; g <= graphs[t]; g++)
		for (k = 1; k <= figures[t, g]; k++) {
			item(12, "item " table[t] " " ds[t, g, k])
			label_ = graph_title[t, g]
			if (label[t, g, k] != label_)
				label_ = label_ ": " label[t, g, k]
			figure_put(14, figure[t, g, k], title[t] " {#NAME}: " label_, unit[t, g], \
			    "[{#SNMPINDEX}]")
			alarms_put(14, t, figure[t, g, k], "[{#SNMPINDEX}]", "trigger_prototypes")
		}
	list(10, "graph_prototypes")
	for (g = 1; g <= graphs[t]; g++)
		graph_put(t, g)
}

function valuemaps_put(    name, n, i, pair, part) {
	list(6, "valuemaps")
	for (t = 1; t <= tables; t++)
		for (g = 1; g <= graphs[t]; g++)
			for (k = 1; k <= figures[t, g]; k++) {
				name = figure[t, g, k]
				if (!(name in mapped))
					continue
				item(8, "valuemap " name)
				put(10, "name", name)
				list(10, "mappings")
				n = split(enums[name], pair, " ")
				for (i = 1; i <= n; i++) {
					split(pair[i], part, "=")
					printf "%*s-\n", 12, ""
					put(14, "value", part[1])
					put(14, "newvalue", part[2])
				}
			}
}

END {
	if (failed)
		exit 1
	split("2175D9 F24F00 00A348 C13E7A EACC00 7D5A9B", colour, " ")
	print "zabbix_export:"
	print "  version: '6.0'"
	print "  date: '2026-11-26T00:00:00Z'"
	print "  groups:"
	item(4, "group")
	print "      name: Templates/weir"
	print "  templates:"
	item(4, "template")
	put(6, "template", template)
	put(6, "name", template)
	put(6, "description", "What weir counts, and whether it counts well, through WEIR-MIB.")
	print "      groups:"
	print "        -"
	print "          name: Templates/weir"
	list(6, "items")
	for (i = 1; i <= scalars; i++) {
		item(8, "item " scalar[i])
		figure_put(10, scalar[i], scalar_title[i], scalar_unit[i], "")
		alarms_put(10, 0, scalar[i], "", "triggers")
	}
	list(6, "discovery_rules")
	for (t = 1; t <= tables; t++)
		if (users[t] ~ /zabbix/)
			discovery_put(t)
	list(6, "macros")
	for (i = 1; i <= macros; i++) {
		print "        -"
		put(10, "macro", macro[i])
		put(10, "value", macro_value[i])
		put(10, "description", macro_about[i])
	}
	valuemaps_put()
	for (t = 0; t <= tables; t++)
		if (t == 0 || users[t] ~ /zabbix/)
			placed -= alarms[t]
	if (placed != 0)
		die("an alarm is about no figure of its table")
}
