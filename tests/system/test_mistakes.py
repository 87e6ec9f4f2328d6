# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator may write wrongly: `weir check` names the file and line, and what to write
instead. A row: the lines that come after those of BASE (or instead of them, where they begin
with "="), where the mistake is, and words of the complaint.
"""
import gzip
import os
import pathlib
import re
import subprocess

import pytest

from conftest import WEIR, free_port

BASE = "nfacctd_port: 2100\nplugins: print[a]\naggregate: src_host\n"
FILES = {
    "tag_key": "set_tag=1 srcip=10.0.0.1\n",
    "tag_old": "tag=7 ip=10.0.0.1\n",
    "tag_near": "set_tag=1\nset_tag=2 filtr='tcp'\n",
    "tag_ip": "# rules\nset_tag=1 ip=10.0.0.256\n",
    "allow": "10.0.0.0/8\nrouter.example\n",
    "rates": "id=x ip=10.0.0.1\n",
    "networks": "65000,10.0.0.0/33\n",
    "thresholds": "65000,10.0.0.0/33\n",
    "unwatched": "name=a scope=watch subject=nowatch metric=bytes rising=1\n",
    "no_program": "name=a scope=exporter metric=bytes rising=1 exec=/no/such\n",
}
MISTAKES = [
    ("=plugins: mongodb\nnfacctd_port: 1", 1, "weir writes to no MongoDB: use pgsql"),
    ("=plugins: memory\nnfacctd_port: 1\nimt_passwd: x", 3, "Who may ask is a matter of the socket's"),
    ("=nfacctd_prot: 2100\nplugins: print\n", 1, "did you mean 'nfacctd_port'?"),
    ("=nfacctd_port: 2100\nplugin: print\n", 2, "did you mean 'plugins'?"),
    ("daemonize true", 4, "write 'daemonize: true'"),
    ("logfile = /tmp/x", 4, "write 'logfile: /tmp/x'"),
    ("logfile:", 4, "write one after the colon"),
    ('print_output_file: "/tmp/x"', 4, "write the path without quotes"),
    ("print_output[a: csv", 4, "write 'key: value' or 'key[plugin]: value'"),
    ("print_markers: maybe", 4, "neither true nor false; write one of them"),
    ("print_markers: yes", 4, "write true"),
    ("sfacctd_port: 99999", 4, "write 0 to 65535"),
    ("sfacctd_port: sflow", 4, "is not a decimal number; write 0 to 65535"),
    ("max_entries: 0", 4, "write 1 to"),
    ("workers: many", 4, "write auto, or a number from 1 to 256"),
    ("workers: 0", 4, "write auto, or a number from 1 to 256"),
    ("sampling_rate: 0", 4, "write 1 to"),
    ("networks_mask: 129", 4, "write 0 to 128"),
    ("post_tag: x", 4, "is not a decimal number"),
    ("print_refresh_time: 5 minutes", 4, "one with s, m, h, d or w; write 1 to 604800 s"),
    ("print_refresh_time: 0", 4, "write 1 to 604800 s"),
    ("print_refresh_time: -5", 4, "is not a decimal number of seconds"),
    ("print_history: 5x", 4, "print_history[a]: '5x' is no length of time: write a number and"),
    ("sql_history: 1.5h", 4, "sql_history[a]: '1.5h' is no length of time"),
    ("print_history: 5m\nprint_history_roundoff: q", 5, "print_history_roundoff[a]: 'q'"),
    ("print_output: xml", 4, "none of formatted|csv|json"),
    ("print_output: csv # rows", 4, "a comment has a line of its own"),
    ("print_output_separator: ;;", 4, "one character, \\t or \\s"),
    ("print_output_file: /tmp/%Q", 4, "is no variable that names a file; there are %d"),
    ("print_output_file: /tmp/$src_host", 4, "is no variable that names a file"),
    ("print_latest_file: /tmp/latest", 4, "give print_output_file too"),
    ("print_preprocess: minz=2", 4, "there is no 'minz'; there are qnum, minp"),
    ("print_preprocess: minp", 4, "not of the form key=number"),
    ("print_preprocess_type: both", 4, "none of any|all"),
    ("print_trigger_exec: /no/such", 4, "print_trigger_exec: /no/such: No such file"),
    ("print_trigger_exec: /dev/null", 4, "Permission denied"),
    ("print_trigger_exec: /tmp -x", 4, "/tmp is a folder: name a program"),
    ("daemonize: true", 4, "print[a]: daemonize: in the background there is no standard output"),
    ("print_output_file: /no/where/", 4, "names a folder: write the name of a file in it"),
    ("print_output_file: /tmp", 4, "names a folder"),
    (f"print_output_file: /tmp/{'x' * 256}", 4, "a folder or file may have 255 octets"),
    ("print_output_file: /tmp/x\nprint_latest_file: /tmp//x", 5, "is print_output_file itself"),
    ("=nfacctd_port: 2100\nplugins: print[a], print[b]\nprint_output_file: /tmp/no/x", 3,
     "is that of print[a], too, and each would overwrite the rows of the other"),
    ("=nfacctd_port: 2100\nplugins: print[a], print[b]\nprint_output_file[a]: /tmp/no/x\n"
     "print_output_file[b]: /tmp/no/y\nprint_latest_file[b]: /tmp/no/x", 5,
     "is the print_output_file of print[a]"),
    ("=nfacctd_port: 2100\nplugins: print[a], print[b]\nprint_output_file[a]: /tmp/no/x\n"
     "print_latest_file[a]: /tmp/no/y\nprint_output_file[b]: /tmp/no/y", 5, "is the print_latest_file of print[a]"),
    ("print_output[b]: csv", 4, "no plugin is named 'b'"),
    ("=plugins: print[talkers]\nnfacctd_port: 1\nprint_output[talker]: csv", 3,
     "did you mean 'talkers'?"),
    ("=nfacctd_port: 2100\nplugins: prnt[a]", 2, "unknown type: write print, memory"),
    ("=nfacctd_port: 2100\nplugins: kafka", 2, "no message broker"),
    ("=nfacctd_port: 2100\nplugins: print[a", 2, "not of the form type or type[name]"),
    ("=nfacctd_port: 2100\nplugins: print[]", 2, "not of the form type or type[name]"),
    ("=nfacctd_port: 2100\nplugins: print[a], memory[a]", 2, "two are called 'a'"),
    ("=nfacctd_port: 2100\nplugins: tee[t]", 2, "write tee_receivers: FILE"),
    ("=nfacctd_port: 2100\nplugins: tee[t]\ntee_receivers: /nonexistent", 3, "No such file"),
    ("=plugins: memory[a], memory[b]\nnfacctd_port: 1\nimt_path: /tmp/s", 3,
     "is that of a: write another, as /tmp/s.b"),
    ("control_socket: /tmp/s\ncontrol_group: no-such-group", 5, "no such group"),
    ("aggregate[a]: src_hots", 4, "did you mean 'src_host'?"),
    ("aggregate[a]: src_host, src_host", 4, "stands twice"),
    ("aggregate[a]: src_host; dst_host", 4, "divide primitives by commas"),
    ("aggregate[a]: src_host, as_path", 4, "comes from BGP, which weir does not speak"),
    ("aggregate[a]: sum_host", 4, "src_host and dst_host in a plugin each"),
    ("aggregate_filter: src port 80", 4, "write 'aggregate_filter[plugin]: src port 80'"),
    ("aggregate_filter[a]: src prot 80", 4, "write an expression as tcpdump takes it"),
    ("pre_tag_filter[a]: x-y", 4, "write a number from 0 to"),
    ("pre_tag_map: /nonexistent", 4, "No such file"),
    ("pre_tag_map: .", 4, "Is a directory"),
    ("pre_tag_map: tag_key", "tag_key:1", "unknown key 'srcip'; there are set_tag, "),
    ("pre_tag_map: tag_key", "tag_key:1", ", ..."),
    ("pre_tag_map: tag_old", "tag_old:1", "did you mean 'set_tag'?"),
    ("pre_tag_map: tag_near", "tag_near:2", "did you mean 'filter'?"),
    ("pre_tag_map: tag_ip", "tag_ip:2", "write one like 192.0.2.1"),
    ("nfacctd_allow_file: allow", "allow:2", "write an address, or a network"),
    ("sampling_map: rates", "rates:1", "'x' is not a decimal number"),
    ("aggregate[a]: src_net\nnetworks_file: networks", "networks:1", "10.0.0.0/33"),
    ("networks_file: /nonexistent\naggregate[a]: src_net", 4, "No such file"),
    ("threshold_map: unwatched", "unwatched:1", "no such watch: nowatch"),
    ("threshold_map: no_program", "no_program:1", "exec: /no/such: No such file"),
    ("alarm_exec: /no/such", 4, "alarm_exec: /no/such: No such file"),
    ("alarm_exec: /dev/null", 4, "no program"),
    ("threshold_map: thresholds", "thresholds:1", "write key=value"),
    ("geoipv2_file: /nonexistent\naggregate[a]: src_host_country", 4, "No such file"),
    ("nfacctd_ip: 300.1.1.1", 4, "write one like 192.0.2.1"),
    ("nfacctd_ip: localhost", 4, "write one like 192.0.2.1"),
    ("pcap_interface: lo\npcap_savefile: x", 5, "write one of pcap_interface"),
    ("bgp_daemon: true", 4, "take the AS and next hop from the exporter"),
    ("amqp_user: x", 4, "weir writes to no message broker"),
    ("pre_tag_map: /dev/zero", 4, "has no end, or more octets than weir reads"),
    ("pre_tag_map: pipe", 4, "is a pipe that nobody writes to"),
    ("nfacctd_allow_file: /dev/zero", 4, "has no end"),
    ("aggregate[a]: src_net\nnetworks_file: /dev/zero", 5, "has no end"),
    ("aggregate[a]: class\nclassifiers: patterns", "patterns/endless.pat", "has no end"),
    ("aggregate[a]: class\nclassifiers: none, ndpi", 5, "none means nothing beside others"),
    ("aggregate[a]: class\nclassifiers: ndpi, ndpi", 5, "ndpi is written twice"),
    ("aggregate[a]: class\nclassifiers: bare", 5, "bare has no patterns"),
    ("aggregate[a]: src_host_country\ngeoipv2_file: /dev/zero", 5, "has no end"),
    ("files_umask: 022", 4, "run it as those that are to have them"),
    ("plugins[a]: print", 4, "is for the whole daemon"),
    ("pcap_interface: lo\npcap_filter: foo bar baz", 5, "pcap_filter 'foo bar baz': "),
    ("pcap_interface: no_such_if", 4, "there is no interface no_such_if"),
    ("nfacctd_interface: no_such_if", 4, "there is no interface no_such_if"),
    ("logfile: /nonexistent/log", 4, "/nonexistent is no folder"),
    ("pidfile: /nonexistent/pid", 4, "/nonexistent is no folder"),
    ("=plugins: memory[m]\nnfacctd_port: 1\nimt_path: /nonexistent/s", 3, "is no folder"),
    ("aggregate: dst_host", 3, "'aggregate' does nothing here: line 4 says 'aggregate: dst_host'"),
    ("print_refresh_time[a]: 60\nsql_refresh_time[a]: 300", 4, "line 5 says 'sql_refresh_time[a]: "),
    ("plugins: memory", 4, "'plugins' does nothing here: line 2 says 'plugins: print[a]'"),
    ("=plugins: print # hello\nnfacctd_port: 1", 1, "'print#hello': a comment has a line of its own"),
    ("sfacctd_port: 2100", 4, ":1: nfacctd_port already: write another port"),
    ("=plugins: print\npcap_savefile: nothing.pcap", 2, "No such file"),
    ("=plugins: print\npcap_savefile: allow", 2, "pcap_savefile allow: "),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("mistakes")
    for name, text in FILES.items():
        (here / name).write_text(text)
    os.mkfifo(here / "pipe")
    (here / "bare").mkdir()
    (here / "patterns").mkdir()
    (here / "patterns" / "endless.pat").symlink_to("/dev/zero")
    return here


def check(folder, text):
    (folder / "weir.conf").write_text(text + "\n")
    return subprocess.run([WEIR, "check", "-f", "weir.conf"], cwd=folder, capture_output=True,
                          text=True, timeout=30)


@pytest.mark.parametrize("lines,where,words", MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistake_is_named(folder, lines, where, words):
    out = check(folder, lines[1:] if lines[0] == "=" else BASE + lines)
    place = f"weir.conf:{where}" if isinstance(where, int) else where
    said = [line for line in out.stdout.splitlines()
            if re.match(rf"(error|warning|notice): {re.escape(place)}: ", line)]
    assert any(words in line for line in said), out.stdout + out.stderr
    assert out.returncode == (1 if "error: " in out.stdout else 0)


@pytest.mark.parametrize("lines", [
    "sfacctd_port: 2100\nsfacctd_ip: 127.0.0.2\nnfacctd_ip: 127.0.0.1",
    "pcap_interface: any\npcap_filter: vlan 10 and (ip or ip6)",
    "pcap_interface: no_such_if\npcap_interface_wait: true",
    "=plugins: print\npcap_savefile: pipe",
    "aggregate: src_host\naggregate[a]: dst_host"])
def test_what_the_start_takes_is_no_mistake(folder, lines):
    out = check(folder, lines[1:] if lines[0] == "=" else BASE + lines)
    assert out.returncode == 0, out.stdout
    assert not re.search("error|warning", out.stdout), out.stdout


@pytest.mark.parametrize("path,words", [
    ("/dev/zero", "has no end"), ("/dev/full", "has no end"), ("pipe", "nobody writes to"),
    ("patterns", "Is a directory")])
def test_configuration_that_is_no_file(folder, path, words):
    out = subprocess.run([WEIR, "check", "-f", path], cwd=folder, capture_output=True, text=True,
                         timeout=30)
    assert out.returncode == 1 and f"error: {path}: " in out.stdout + out.stderr
    assert words in out.stdout + out.stderr


def test_no_input_is_a_mistake(folder):
    out = check(folder, "plugins: print\naggregate: src_host")
    assert out.returncode == 1 and "no input: write pcap_interface" in out.stdout
    assert "fine" not in out.stdout


@pytest.mark.parametrize("lines,where", [
    ("logfile: .", 4), ("syslog: post", 4)])
def test_what_only_the_start_finds_has_its_line(folder, lines, where):
    (folder / "weir.conf").write_text(
        f"{BASE}{lines}\nnfacctd_ip: 127.0.0.1\nnfacctd_port: 1\n"
        f"control_socket: {folder}/s\nstate_dir: {folder}/state\n")
    out = subprocess.run([WEIR, "run", "-f", "weir.conf"], cwd=folder, capture_output=True,
                         text=True, timeout=30)
    assert out.returncode == 1 and f"weir.conf:{where}: " in out.stderr, out.stderr


def test_an_rrd_path_that_cannot_be_has_its_line(folder):
    (folder / "weir.conf").write_text(
        "plugins: rrd[r]\naggregate: src_host\nnfacctd_ip: 127.0.0.1\nrrd_path: /proc/x\n"
        f"nfacctd_port: {free_port()}\ncontrol_socket: {folder}/s\nstate_dir: {folder}/state\n")
    out = subprocess.run([WEIR, "run", "-f", "weir.conf"], cwd=folder, capture_output=True,
                         text=True, timeout=30)
    assert out.returncode == 1 and "weir.conf:4: rrd_path: /proc/x: " in out.stderr, out.stderr


PMACCT_KEYS = pathlib.Path("/usr/share/doc/pmacct/CONFIG-KEYS.gz")


@pytest.mark.skipif(not PMACCT_KEYS.exists(), reason="pmacct's documents are not installed")
def test_no_directive_of_pmacct_is_unknown(folder):
    """Each is taken, or refused with what to write instead."""
    text = gzip.decompress(PMACCT_KEYS.read_bytes()).decode(errors="replace")
    heads = re.findall(r"^KEY:(.*?)^[A-Z]+:", text, re.S | re.M)
    keys = {k for head in heads for k in re.findall(r"\b[a-z]+_[a-z0-9_]+\b", head)}
    keys = sorted(k for k in keys if not k.startswith("sfactd_"))  # pmacct's own slip
    assert len(keys) > 250
    out = check(folder, "nfacctd_port: 2100\nplugins: memory\n" +
                "".join(f"{key}: false\n{key}: 1\n" for key in keys))
    assert [x for x in out.stdout.splitlines() if "unknown directive" in x] == []


PMACCTD = pathlib.Path("/usr/sbin/pmacctd")


@pytest.mark.skipif(not PMACCTD.exists(), reason="pmacct is not installed")
def test_no_key_of_pmacctd_is_unknown(folder):
    """Nor are those that its documents leave out: all words in the program that it does not call
    unknown. A wrong value ends it."""
    words = sorted({w.decode() for w in re.findall(rb"\0([a-z][a-z0-9_]{2,60})(?=\0)",
                                                   PMACCTD.read_bytes())} - {"sql_table_version"})
    (folder / "words.conf").write_text("".join(f"{w}: no_value\n" for w in words) +
                                       "sql_table_version: no_value\n")
    out = subprocess.run([PMACCTD, "-f", "words.conf"], cwd=folder, capture_output=True, text=True,
                         timeout=60)
    said = out.stdout + out.stderr
    assert "invalid 'sql_table_version' value" in said
    keys = sorted(set(words) - set(re.findall(r"Unknown key: (\w+)\.", said)))
    assert len(keys) > 450 and {"imt_passwd", "mongo_host", "plugins"} < set(keys)
    out = check(folder, "nfacctd_port: 2100\nplugins: memory\n" +
                "".join(f"{key}: false\n" for key in keys))
    assert [x for x in out.stdout.splitlines() if "unknown directive" in x] == []
