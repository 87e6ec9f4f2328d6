#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# test_snmpd.sh [BUILDDIR]: the agent against a real snmpd of its own: a private directory,
# a private AgentX socket, a high port on the loopback; no privileges. Speaks TAP. BUILDDIR
# (default: .) is where make left tests/agent/feeder.

build=${1:-.}
feeder=$build/tests/agent/feeder
root=.1.3.6.1.4.1.8072.9999.9999.1777

PATH=$PATH:/usr/sbin:/sbin
for tool in snmpd snmpget snmpbulkwalk snmpgetnext; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP no $tool"; exit 0; }
done
[ -x "$feeder" ] || { echo "Bail out! no $feeder"; exit 1; }

d=$(mktemp -d) || exit 1
snmpd='' weir=''
cleanup()
{
	exec 9>&-
	[ -n "$snmpd" ] && { kill -CONT "$snmpd"; kill "$snmpd"; } 2>/dev/null
	[ -n "$weir" ] && kill "$weir" 2>/dev/null
	wait
	rm -rf "$d"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

MIBS='' SNMPCONFPATH=$d SNMP_PERSISTENT_DIR=$d/persist LC_ALL=C
export MIBS SNMPCONFPATH SNMP_PERSISTENT_DIR LC_ALL

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

snmpd_start()
{
	snmpd -f -Lf "$d/snmpd.log" -C -c "$d/snmpd.conf" -p "$d/snmpd.pid" \
	    -I snmp_mib,sysORTable,system_mib,usmConf,usmStats,usmUser,vacm_conf,vacm_context,vacm_vars &
	snmpd=$!
}

# All the figures that the tools print are numbers and octets, never names.
get() { snmpget -v2c -c public -t 0.3 -r 0 -Onqv "$agent" "$@" 2>&1; }
walk() { snmpbulkwalk -v2c -c public -t 5 -Onq -Cc "$agent" "$1" 2>&1 | grep -v 'No more variables'; }

# until_true SECONDS COMMAND...: try it every 50 ms; whether it came true in time.
until_true()
{
	tries=$(($1 * 20))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

snmpd_answers() { get .1.3.6.1.2.1.1.3.0 | grep -q '^[0-9]'; }
weir_answers() { get $root.1.1.1.0 | grep -q '^"weir '; }
weir_is_gone() { ! weir_answers; }
counted() { grep -q " octets $1\$" "$d/out"; }
rounds() { sed -n 's/^round \([0-9]*\) .*/\1/p' "$d/out" | tail -1; }
shows_octets() { get $root.1.4.1.8.5 | grep -qx "$1"; }

# A port that nobody has: snmpd itself finds out.
port=$((20000 + $$ % 10000))
for attempt in 1 2 3 4 5; do
	agent=127.0.0.1:$port
	cat >"$d/snmpd.conf" <<-END
		agentAddress udp:$agent
		master agentx
		agentXSocket unix:$d/agentx
		view weir included $root
		view weir included .1.3.6.1.2.1.1
		rocommunity public 127.0.0.1 -V weir
	END
	snmpd_start
	until_true 3 snmpd_answers && break
	kill "$snmpd" 2>/dev/null
	wait "$snmpd" 2>/dev/null
	port=$((port + 1))
done
snmpd_answers || { echo "Bail out! cannot start snmpd"; exit 1; }

echo 1..13

# weir begins while there is no snmpd.
kill "$snmpd"
wait "$snmpd" 2>/dev/null
mkfifo "$d/in"
"$feeder" "snmp_agentx_socket=unix:$d/agentx" 'snmp_index[pairs]=5' 'snmp_index[all]=3' \
    'snmp_index[top]=9' 'snmp_max_rows[top]=10' \
    pairs:tag,src_host,dst_host,dst_port,proto,tcpflags all:none top:src_host \
    <"$d/in" >"$d/out" 2>"$d/err" &
weir=$!
exec 9>"$d/in"
cat >&9 <<END
flow 192.0.2.1 2001:db8::1 1024 443 6 3 4500 77
flow 192.0.2.1 2001:db8::1 1025 443 6 1 500 77
flow 192.0.2.2 198.51.100.1 53 53 17 1 99 18446744073709551615
exporter 198.51.100.1 256 9 7
exporter 2001:db8::9 1 10 3
END
complaint=
until_true 10 counted 5099 || complaint="not counted: $(tail -3 "$d/out" "$d/err")"
sleep 3 # some attempts more: 1 s after the next line they would still be found
said=$(grep -c 'no AgentX master' "$d/err")
[ "$said" = 1 ] && [ "$(wc -l <"$d/err")" = 1 ] || complaint="said: $(cat "$d/err")"
verdict "without an snmpd weir counts, and says once that there is none"

snmpd_start
complaint=
until_true 4 weir_answers || complaint="not there: $(cat "$d/err")"
verdict "rows are there when snmpd comes"

# Rows of the view of flows, by octets: the column's values without their names.
entries() { walk "$root.1.5.1.$1.5" | sed 's/^[^ ]* //'; }
complaint=$(
	cat >"$d/want" <<-END
		"bytes=5000 packets=4 flows=2 tag=77 key=tag=77 src_host=192.0.2.1 dst_host=2001:db8::1 dst_port=443 proto=tcp"
		"bytes=99 packets=1 flows=1 tag=18446744073709551615 key=tag=18446744073709551615 src_host=192.0.2.2 dst_host=198.51.100.1 dst_port=53 proto=udp"
	END
	entries 5 | sed 's/ last=[0-9]*//' | sort >"$d/got"
	diff "$d/want" "$d/got"
)
verdict "the summaries are those of the flows"

columns()
{
	for column in 6 7 8 21 22 23 24 32 33 35 51; do
		entries $column | sort | tr '\n' ';'
		echo
	done
}
complaint=$(
	cat >"$d/want" <<-END
		5000;99;
		1;4;
		1;2;
		1;1;
		"C0 00 02 01 ";"C0 00 02 02 ";
		1;2;
		"20 01 0D B8 00 00 00 00 00 00 00 00 00 00 00 01 ";"C6 33 64 01 ";
		443;53;
		17;6;
		"00 12 ";"00 12 ";
		18446744073709551615;77;
	END
	columns >"$d/got"
	diff "$d/want" "$d/got"
)
verdict "columns have the flows' figures in SNMP's types"

complaint=$(
	c=$(walk $root.1.2.1.2 | sed -n 's/^.*\.\([0-9]*\) "netflow 127.0.0.1:2055"$/\1/p')
	[ -n "$c" ] || echo "no collector: $(walk $root.1.2.1.2)"
	[ "$(get "$root.1.3.1.7.$c.1.4.198.51.100.1.256")" = 7 ] || echo "no IPv4 exporter"
	[ "$(get "$root.1.3.1.4.$c.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.9.1")" = 2 ] ||
	    echo "no IPFIX exporter over IPv6"
	[ "$(get "$root.1.2.1.16.$c")" = 4 ] || echo "not four templates"
)
verdict "collectors and exporters are shown"

complaint=$(
	walk $root | sed -n "s/^$root\.\([0-9.]*\) .*/\1/p" >"$d/names"
	[ "$(wc -l <"$d/names")" -gt 200 ] || echo "only $(wc -l <"$d/names") objects"
	sort -t . -k 1,1n -k 2,2n -k 3,3n -k 4,4n -k 5,5n -k 6,6n -k 7,7n -k 8,8n -k 9,9n \
	    -k 10,10n -k 11,11n -k 12,12n -k 13,13n -k 14,14n -k 15,15n -k 16,16n -k 17,17n \
	    -k 18,18n -k 19,19n -k 20,20n -k 21,21n -k 22,22n -k 23,23n -k 24,24n \
	    <"$d/names" | cmp - "$d/names"
	sort "$d/names" | uniq -d
)
verdict "a walk over everything ascends and comes to an end"

complaint=$(
	get $root.1.5.1.6.5 | grep -q 'No Such Instance' || echo "column: $(get $root.1.5.1.6.5)"
	get $root.1.5.1.12.5.1.1 | grep -q 'No Such Object' || echo "no column: $(get $root.1.5.1.12.5)"
	get $root.1.1.1.0.0 | grep -q 'No Such Instance' || echo "too long: $(get $root.1.1.1.0.0)"
	snmpgetnext -v2c -c public -Onq "$agent" .1.3.6.1.4.1.8072.9999 | grep -q "^$root.1.1.1.0 " ||
	    echo "from far above it begins elsewhere"
	snmpgetnext -v2c -c public -Onq "$agent" $root.2 | grep -qv "^$root\.[01]" ||
	    echo "from its end it goes on"
)
verdict "what is not there is said not to be there"

echo 'many 30 1000' >&9
complaint=
until_true 5 shows_octets 35564 || complaint="shows $(get $root.1.4.1.8.5)"
complaint="$complaint$(
	[ "$(walk $root.1.5.1.6.9 | wc -l)" = 10 ] || echo "rows: $(walk $root.1.5.1.6.9 | wc -l)"
	[ "$(get $root.1.4.1.5.9)" = 32 ] || echo "known: $(get $root.1.4.1.5.9)"
	[ "$(get $root.1.4.1.6.9)" = 22 ] || echo "hidden: $(get $root.1.4.1.6.9)"
	walk $root.1.5.1.4.9 | grep -q 'src_host=192.0.2.1"' || echo "the biggest is not shown"
)"
verdict "of many rows the biggest are shown and the others counted"

complaint=
kill -9 "$snmpd"
wait "$snmpd" 2>/dev/null
until_true 3 weir_is_gone
snmpd_start
until_true 3 weir_answers || complaint="not back: $(tail -3 "$d/err")"
shows_octets 35564 || complaint="$complaint shows $(get $root.1.4.1.8.5)"
verdict "after snmpd was killed rows are back within three seconds"

complaint=
kill -STOP "$snmpd"
before=$(rounds)
for second in 1 2 3 4 5; do
	sleep 1
	echo 'flow 192.0.2.9 192.0.2.10 1 1 6 1 1000 0' >&9
done
until_true 3 counted 40564 || complaint="octets stand still: $(tail -1 "$d/out")"
[ $(($(rounds) - before)) -ge 4 ] || complaint="$complaint rounds: $before to $(rounds)"
verdict "an snmpd that hangs does not hold up counting"

complaint=
kill -CONT "$snmpd"
until_true 6 weir_answers || complaint="not back: $(tail -3 "$d/err")"
until_true 3 shows_octets 40564 || complaint="$complaint shows $(get $root.1.4.1.8.5)"
verdict "when it goes on it gets what was counted meanwhile"

# "FD FLAGS" of weir's sockets; 02000000 is O_CLOEXEC.
complaint=
if [ -r "/proc/$weir/fdinfo/0" ]; then
	for fd in "/proc/$weir/fd/"*; do
		case $(readlink "$fd") in socket:*) ;; *) continue ;; esac
		grep -q '^flags:.*2......$' "/proc/$weir/fdinfo/${fd##*/}" ||
		    complaint="$complaint ${fd##*/}"
	done
fi
verdict "programs that weir starts inherit no socket"

# By then it has given up the session and waits for a new one to be accepted.
complaint=
kill -STOP "$snmpd"
sleep 5
exec 9>&-
weir_ended() { ! kill -0 "$weir" 2>/dev/null; }
until_true 3 weir_ended || complaint="still running"
wait "$weir" || complaint="exits with $?: $(cat "$d/err")"
weir=
verdict "weir ends even while snmpd hangs"

exit $failed
