# SPDX-License-Identifier: GPL-2.0-or-later
"""pre_tag_map: what rules make of records (tags.py), in weir, and the same in Debian's pmacct.

Each map is a plugin's own, as in the table; pmacct, which is slow to start plugins, has most
of them in one map instead, each with exporters of its own, and so has weir once more.
"""
import json
import os
import re
import signal
import struct
import subprocess

import pytest

import netflow
import tags
from conftest import WEIR

CONFIG = """
pcap_savefile: {dir}/x.pcap
plugins: {plugins}
aggregate: src_host, tag, tag2, label{more}
print_output: json
print_refresh_time: 3600
maps_entries: 5000
plugin_pipe_zmq: true
plugin_pipe_zmq_profile: large
nfacctd_account_options: true
nfacctd_ignore_exporter_address: true
"""
PLUGINS_MAX = 60  # of one weir


class Case:
    def __init__(self, records, says, rules, hits, why=None):
        self.says, self.rules, self.why = says, rules, why
        if isinstance(hits, str):
            hits = {name: (1, *records[name].carried[1:]) for name in hits.split()}
        self.want = {r.src: hits.get(name, r.carried) for name, r in records.items()}
        assert set(hits) <= set(records), says


class Input:
    """A daemon of pmacct's, and what it is given."""

    def __init__(self, daemon, records, cases, port=None):
        self.daemon, self.records, self.port = daemon, records, port
        self.cases = [Case(records, *c) for c in cases]

    def write(self, path, exporters):
        """A capture of all records, once from each `exporters` of them."""
        if self.port is None:
            with open(path, "wb") as f:
                f.write(struct.pack("=IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
                for r in self.records.values():
                    f.write(struct.pack("=IIII", 1700000000, 0, len(r.octets), len(r.octets)) +
                            r.octets)
            return
        netflow.capture(path, [(1700000000, r.datagram(move(r.exporter)), move(r.exporter))
                               for move in exporters for r in self.records.values()], self.port)


INPUTS = {i.daemon: i for i in (
    Input("nfacctd", tags.NETFLOW, tags.NETFLOW_CASES, 2100),
    Input("sfacctd", tags.SFLOW, tags.SFLOW_CASES, 6343),
    Input("pmacctd", tags.PACKETS, tags.PACKET_CASES))}


def run(command):
    """To its end, or to that of all its children."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    try:
        log = process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, log


def rows_of(given, directory, command, maps):
    """[{(source, exporter): (tag, tag2, label)}] of plugins with these maps."""
    config = CONFIG.format(dir=directory, more=", peer_src_ip" if given.port else "",
                           plugins=", ".join(f"print[p{i}]" for i in range(len(maps))))
    for i, rules in enumerate(maps):
        (directory / f"{i}.map").write_text(rules + "\n")
        config += (f"pre_tag_map[p{i}]: {directory}/{i}.map\n"
                   f"print_output_file[p{i}]: {directory}/{i}.json\n")
    (directory / "conf").write_text(config)
    run([*command, "-f", str(directory / "conf")])
    got = []
    for i in range(len(maps)):
        rows = [json.loads(line) for line in (directory / f"{i}.json").read_text().splitlines()]
        got.append({(r["ip_src"], r.get("peer_ip_src", "")): (r["tag"], r["tag2"], r["label"])
                    for r in rows})
        assert len(got[i]) == len(rows)
    return got


def at_home(exporter):
    return exporter


def mover(number):
    """A function that gives exporters of 10.0/16 and 2001:db8:e/48 addresses of another
    network, which is the number's own."""
    def move(exporter):
        return re.sub(r"^10\.0\.", f"{number // 200 + 20}.{number % 200 + 1}.", exporter).replace(
            "2001:db8:e:", f"2001:db8:{number + 256:x}:")
    return move


def moved(line, number, move):
    """What becomes of a line of rules of exporters that have moved."""
    if re.match(r"\s*([!#]|$)", line):
        return [line]
    line = re.sub(r"(?<!set_)\b(label|jeq)=(?!next\b)(\S+)", rf"\1=\2_{number}", line)
    if re.search(r"\bip=", line):
        return [re.sub(r"(?<=\bip=)\S+", lambda m: move(m[0]), line)]
    return [f"{line} ip={move('10.0.0.0')}/16", f"{line} ip={move('2001:db8:e::')}/48"]


HOME = re.compile(r"10\.0\.\d+\.\d+(/2[34]|/32)?$|2001:db8:e:")


def joined(given):
    """The rules of all cases in one map, each for exporters of their own, but those for
    exporters at large, which have one each: maps, who is moved where, and where the cases
    are: [(case, number of its map, who is moved where)]."""
    maps, moves, where = [""], [at_home], []
    for number, case in enumerate(given.cases):
        if given.port is None or not all(map(HOME.match, re.findall(r"\bip=(\S+)", case.rules))):
            where.append((case, len(maps), at_home))
            maps.append(case.rules)
            continue
        move = mover(number)
        maps[0] += "".join(new + "\n" for line in case.rules.splitlines()
                           for new in moved(line, number, move))
        moves.append(move)
        where.append((case, 0, move))
    return maps, moves, where


def wrong(given, where, got, expected):
    """Which records of which cases have other tags than `expected` of the case says."""
    faults = []
    for case, number, move in where:
        for name, r in given.records.items():
            key = (r.src, move(r.exporter) if given.port else "")
            want = expected(case, r)
            if want is not None and got[number].get(key) != want:
                faults.append(f"{case.says}: {name}: {got[number].get(key)}, not {want}")
    return faults


def test_enough():
    assert sum(len(i.cases) for i in INPUTS.values()) >= 150
    assert {c.why for i in INPUTS.values() for c in i.cases} - {None} <= set(tags.PMACCT)


@pytest.mark.parametrize("daemon", INPUTS)
def test_table(tmp_path, daemon):
    given = INPUTS[daemon]
    given.write(tmp_path / "x.pcap", [at_home])
    for at in range(0, len(given.cases), PLUGINS_MAX):
        cases = given.cases[at:at + PLUGINS_MAX]
        got = rows_of(given, tmp_path, [str(WEIR), "run", "--as", daemon], [c.rules for c in cases])
        assert wrong(given, [(c, i, at_home) for i, c in enumerate(cases)], got,
                     lambda case, r: case.want[r.src]) == []


@pytest.mark.parametrize("daemon", INPUTS)
def test_pmacct(tmp_path, daemon):
    given = INPUTS[daemon]
    maps, moves, where = joined(given)
    given.write(tmp_path / "x.pcap", moves)
    ours = rows_of(given, tmp_path, [str(WEIR), "run", "--as", daemon], maps)
    assert wrong(given, where, ours, lambda case, r: case.want[r.src]) == []
    theirs = rows_of(given, tmp_path, [f"/usr/sbin/{daemon}"], maps)

    def agreed(case, r):
        return None if case.why or r.carried != (0, 0, "") else case.want[r.src]
    assert wrong(given, where, theirs, agreed) == []
