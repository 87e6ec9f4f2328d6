# SPDX-License-Identifier: GPL-2.0-or-later
# Cacti 1.2: with -v query=TABLE the data query of that table (resource/snmp_queries), else
# the device template with all that belongs to it, in the form of Cacti's export.
#
# An element of that form is hash_TTVVVV and 32 digits: TT the type of thing, 0103 the
# version (1.2). What Cacti brings along has Cacti's own digits.

function element(type, what) { return "hash_" type "0103" what }
function line(depth, tag, text) { printf "%*s<%s>%s</%s>\n", depth, "", tag, xml(text), tag }
function open_(depth, tag) { printf "%*s<%s>\n", depth, "", tag }
function close_(depth, tag) { printf "%*s</%s>\n", depth, "", tag }

function is_bits(t, g) { return unit[t, g] == "bits/s" }
function mine(t) { return users[t] ~ /cacti/ }
function thing(t, g, more) { return "cacti " table[t] " " graph[t, g] " " more }
function data_template(t, g) { return element("01", id(thing(t, g, "data"))) }
function data_item(t, g, k) { return element("08", id(thing(t, g, "data " ds[t, g, k]))) }
function graph_template(t, g) { return element("00", id(thing(t, g, "graph"))) }
function data_query(t) { return element("04", id("cacti " table[t] " query")) }
function called(t, g) { return "weir - " title[t] " - " graph_title[t, g] }
function titled(t, g) { return "|host_description| - " graph_title[t, g] " - |query_" name_of[t] "|" }

# One input: what rows are chosen by.
function query_input(name, title, source, where) {
	open_(4, name)
	line(6, "name", title)
	line(6, "method", "walk")
	line(6, "source", source)
	line(6, "direction", "input")
	if (where != "")
		line(6, "oid", "." where)
	close_(4, name)
}

function query_make(t,    g, k, pattern) {
	pattern = table_oid[t]
	gsub(/\./, "\\.", pattern)
	print "<?xml version=\"1.0\"?>"
	open_(0, "weir_" table[t])
	line(2, "name", "weir - " title[t])
	line(2, "description", "Rows of weir: " about[t])
	line(2, "oid_index", "." oid[name_of[t]])
	line(2, "oid_index_parse", "OID/REGEXP:^\\.?" pattern "\\.[0-9]+\\.([0-9.]+)$")
	line(2, "index_order", name_of[t] ":weirIndex")
	line(2, "index_order_type", "alphabetic")
	line(2, "index_title_format", "|chosen_order_field|")
	open_(2, "fields")
	query_input(name_of[t], "Name", "value", oid[name_of[t]])
	for (k = 1; k <= shows[t]; k++)
		query_input(show[t, k], show_title[t, k], "value", oid[show[t, k]])
	query_input("weirIndex", "Index", "index", "")
	for (g = 1; g <= graphs[t]; g++)
		for (k = 1; k <= figures[t, g]; k++) {
			open_(4, figure[t, g, k])
			line(6, "name", label[t, g, k])
			line(6, "method", "walk")
			line(6, "source", "value")
			line(6, "direction", "output")
			line(6, "oid", "." oid[figure[t, g, k]])
			close_(4, figure[t, g, k])
		}
	close_(2, "fields")
	close_(0, "weir_" table[t])
}

# GET SNMP data (indexed): its three fields that a data query fills in.
function input_data(no, field) {
	open_(6, "item_00" no)
	line(8, "data_input_field_id", element("07", field))
	line(8, "t_value", "on")
	line(8, "value", "")
	close_(6, "item_00" no)
}

function data_make(t, g,    k, tag) {
	tag = data_template(t, g)
	open_(2, tag)
	line(4, "name", called(t, g))
	open_(4, "ds")
	line(6, "t_name", "")
	line(6, "name", "|host_description| - " called(t, g))
	line(6, "data_input_id", element("03", "bf566c869ac6443b0c75d1c32b5a350e"))
	line(6, "t_data_source_profile_id", "")
	line(6, "data_source_profile_id", "0")
	line(6, "t_active", "")
	line(6, "active", "on")
	close_(4, "ds")
	open_(4, "items")
	for (k = 1; k <= figures[t, g]; k++) {
		open_(6, data_item(t, g, k))
		line(8, "t_data_source_name", "")
		line(8, "data_source_name", ds[t, g, k])
		line(8, "t_rrd_minimum", "")
		line(8, "rrd_minimum", "0")
		line(8, "t_rrd_maximum", "")
		line(8, "rrd_maximum", "U")
		line(8, "t_data_source_type_id", "")
		# 3 DERIVE, 1 GAUGE. With a minimum of 0, DERIVE leaves a gap where a counter
		# began anew; COUNTER would take it for a wrap, and show a spike.
		line(8, "data_source_type_id", counts(figure[t, g, k]) ? 3 : 1)
		line(8, "t_rrd_heartbeat", "")
		line(8, "rrd_heartbeat", "600")
		line(8, "t_data_input_field_id", "")
		line(8, "data_input_field_id", "0")
		close_(6, data_item(t, g, k))
	}
	close_(4, "items")
	open_(4, "data")
	input_data(0, "6027a919c7c7731fbe095b6f53ab127b")
	input_data(1, "cbbe5c1ddfb264a6e5d509ce1c78c95f")
	input_data(2, "e6deda7be0f391399c5130e7c4a48b28")
	close_(4, "data")
	close_(2, tag)
}

# A line, or one of the figures below it.
function graph_item(t, g, k, kind, function_, text, end,    tag) {
	tag = element("10", id(thing(t, g, "item " ds[t, g, k] " " text)))
	items[k] = items[k] (items[k] != "" ? "|" : "") tag
	open_(6, tag)
	line(8, "graph_type_id", kind)
	line(8, "task_item_id", data_item(t, g, k))
	line(8, "color_id", kind == 9 ? 0 : colour[k])
	line(8, "alpha", "FF")
	line(8, "consolidation_function_id", function_)
	line(8, "cdef_id", is_bits(t, g) ? element("05", "73f95f8b77b5508157d64047342c421e") : 0)
	line(8, "vdef_id", "0")
	line(8, "value", "")
	line(8, "gprint_id", element("06", "e9c43831e54eca8069317a2ce8c6f751"))
	line(8, "text_format", text)
	line(8, "hard_return", end)
	line(8, "line_width", "1.00")
	line(8, "sequence", ++sequence)
	close_(6, tag)
}

function graph_make(t, g,    k, tag) {
	tag = graph_template(t, g)
	open_(2, tag)
	line(4, "name", called(t, g))
	line(4, "multiple", "")
	line(4, "test_source", "")
	open_(4, "graph")
	line(6, "t_title", "")
	line(6, "title", "|host_description| - " called(t, g))
	line(6, "t_vertical_label", "")
	line(6, "vertical_label", unit[t, g])
	line(6, "image_format_id", "1")
	line(6, "height", "200")
	line(6, "width", "700")
	line(6, "base_value", "1000")
	line(6, "slope_mode", "on")
	line(6, "auto_scale", "on")
	line(6, "auto_scale_opts", "2")
	line(6, "auto_scale_rigid", "on")
	line(6, "upper_limit", "100")
	line(6, "lower_limit", "0")
	line(6, "auto_padding", "on")
	close_(4, "graph")
	open_(4, "items")
	sequence = 0
	for (k = 1; k <= figures[t, g]; k++) {
		items[k] = ""
		graph_item(t, g, k, k == 1 ? 7 : 4, 1, label[t, g, k], "") # AREA, LINE1
		graph_item(t, g, k, 9, 4, "Current:", "")                 # GPRINT of LAST
		graph_item(t, g, k, 9, 1, "Average:", "")
		graph_item(t, g, k, 9, 3, "Maximum:", "on")
	}
	close_(4, "items")
	open_(4, "inputs")
	for (k = 1; k <= figures[t, g]; k++) {
		open_(6, element("09", id(thing(t, g, "input " ds[t, g, k]))))
		line(8, "name", "Data Source [" ds[t, g, k] "]")
		line(8, "description", "")
		line(8, "column_name", "task_item_id")
		line(8, "items", items[k])
		close_(6, element("09", id(thing(t, g, "input " ds[t, g, k]))))
	}
	close_(4, "inputs")
	close_(2, tag)
}

function suggested(t, g, type, field,    tag) {
	tag = element(type, id(thing(t, g, "suggested " field)))
	open_(10, tag)
	line(12, "field_name", field)
	if (type == "13")
		line(12, "data_template_id", data_template(t, g))
	line(12, "sequence", "1")
	line(12, "text", titled(t, g))
	close_(10, tag)
}

function query_graph(t, g,    k, tag) {
	tag = element("11", id(thing(t, g, "query")))
	open_(6, tag)
	line(8, "graph_template_id", graph_template(t, g))
	line(8, "name", graph_title[t, g])
	open_(8, "rrd")
	for (k = 1; k <= figures[t, g]; k++) {
		open_(10, sprintf("item_%03d", k - 1))
		line(12, "snmp_field_name", figure[t, g, k])
		line(12, "data_template_id", data_template(t, g))
		line(12, "data_template_rrd_id", data_item(t, g, k))
		close_(10, sprintf("item_%03d", k - 1))
	}
	close_(8, "rrd")
	open_(8, "sv_graph")
	suggested(t, g, "12", "title")
	close_(8, "sv_graph")
	open_(8, "sv_data_source")
	suggested(t, g, "13", "name")
	close_(8, "sv_data_source")
	close_(6, tag)
}

function device_make(    t, g, queries, tag) {
	tag = element("02", id("cacti device"))
	queries = ""
	for (t = 1; t <= tables; t++)
		if (mine(t))
			queries = queries (queries != "" ? "|" : "") data_query(t)
	print "<cacti>"
	open_(2, tag)
	line(4, "name", "weir")
	line(4, "class", "general")
	line(4, "graph_templates", "")
	line(4, "data_queries", queries)
	close_(2, tag)
	for (t = 1; t <= tables; t++) {
		if (!mine(t))
			continue
		open_(2, data_query(t))
		line(4, "name", "weir - " title[t])
		line(4, "description", "Rows of weir: " about[t])
		line(4, "xml_path", "<path_cacti>/resource/snmp_queries/weir_" table[t] ".xml")
		line(4, "data_input_id", element("03", "bf566c869ac6443b0c75d1c32b5a350e"))
		open_(4, "graphs")
		for (g = 1; g <= graphs[t]; g++)
			query_graph(t, g)
		close_(4, "graphs")
		close_(2, data_query(t))
		for (g = 1; g <= graphs[t]; g++) {
			graph_make(t, g)
			data_make(t, g)
		}
	}
	print "</cacti>"
}

END {
	if (failed)
		exit 1
	split("2175D9 F24F00 00A348 C13E7A EACC00 7D5A9B", colour, " ")
	if (query == "") {
		device_make()
		exit
	}
	for (t = 1; t <= tables; t++)
		if (table[t] == query && mine(t))
			found = t
	if (!found)
		die("no data query for '" query "'")
	query_make(found)
}
