# SPDX-License-Identifier: GPL-2.0-or-later
"""pre_tag_map: what rules make of records (tags.py), in weir, and the same in Debian's pmacct.

Each map is a plugin's own, as in the table; pmacct, which is slow to start plugins, has most
of them in one map instead, each with exporters of its own, and so has weir once more.
"""
import re

import pytest

import beside
import tags


class Case:
    def __init__(self, given, says, rules, hits, why=None):
        self.says, self.rules, self.why = says, rules, why
        if isinstance(hits, str):
            hits = {name: (1, *given.records[name].carried[1:]) for name in hits.split()}
        self.want = {r.src: hits.get(name, r.carried) for name, r in given.records.items()}
        assert set(hits) <= set(given.records), says


CASES = {given: [Case(given, *c) for c in cases] for given, cases in (
    (beside.NETFLOW, tags.NETFLOW_CASES), (beside.SFLOW, tags.SFLOW_CASES),
    (beside.PACKETS, tags.PACKET_CASES))}
INPUTS = pytest.mark.parametrize("given", CASES, ids=lambda given: given.daemon)


def tags_of(given, directory, command, maps, lines=""):
    """[{(source, exporter): (tag, tag2, label)}] of plugins with these maps."""
    for i, rules in enumerate(maps):
        (directory / f"{i}.map").write_text(rules + "\n")
    aggregate = "src_host, tag, tag2, label" + (", peer_src_ip" if given.port else "")
    got = []
    for rows in beside.rows_of(directory, command, aggregate, [
            f"pre_tag_map[{{p}}]: {directory}/{i}.map" for i in range(len(maps))],
            f"maps_entries: 5000\n{lines}"):
        got.append({(r["ip_src"], r.get("peer_ip_src", "")): (r["tag"], r["tag2"], r["label"])
                    for r in rows})
        assert len(got[-1]) == len(rows)
    return got


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
    maps, moves, where = [""], [beside.at_home], []
    for number, case in enumerate(CASES[given]):
        if given.port is None or not all(map(HOME.match, re.findall(r"\bip=(\S+)", case.rules))):
            where.append((case, len(maps), beside.at_home))
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


def by_table(case, record):
    return case.want[record.src]


def where_pmacct_is_right(case, record):
    return None if case.why or record.carried != (0, 0, "") else case.want[record.src]


def test_enough():
    assert sum(map(len, CASES.values())) >= 150
    assert {c.why for cases in CASES.values() for c in cases} - {None} <= set(tags.PMACCT)


@INPUTS
def test_table(tmp_path, given):
    cases = CASES[given]
    given.write(tmp_path / "x.pcap")
    got = tags_of(given, tmp_path, given.weir(), [c.rules for c in cases])
    assert wrong(given, [(c, i, beside.at_home) for i, c in enumerate(cases)], got, by_table) == []


@INPUTS
def test_pmacct(tmp_path, given):
    maps, moves, where = joined(given)
    given.write(tmp_path / "x.pcap", moves)
    assert wrong(given, where, tags_of(given, tmp_path, given.weir(), maps), by_table) == []
    assert beside.ask_pmacct(
        lambda more: tags_of(given, tmp_path, given.pmacct(), maps, more),
        lambda got: wrong(given, where, got, where_pmacct_is_right)) == []
