# SPDX-License-Identifier: GPL-2.0-or-later
"""The subagent behind a real snmpd."""
import signal
import subprocess

from conftest import OID, TUPLE, WEIR, free_port, generate, poll, truth
from test_doors import send_from

ENTRY, VIEW, WATCH = "1.5.1", "1.4.1", "1.11.1"


def begin(weir, snmpd, more=""):
    """A weir without traffic, and the port that it listens to."""
    port = free_port()
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: snmp[talkers]
        aggregate: {TUPLE}, flows
        snmp_agentx_socket: unix:{snmpd.agentx}
        {more}
        """).ready()
    return w, port


def start(tmp_path, weir, snmpd, records=20000, keys=500, more=""):
    csv = tmp_path / "t.csv"
    w, port = begin(weir, snmpd, more)
    generate("netflow9", records, keys, "--rate", 2000, udp=f"127.0.0.1:{port}", truth=csv)
    return w, truth(csv)


def test_every_row_is_there_and_right(tmp_path, weir, snmpd):
    w, wanted = start(tmp_path, weir, snmpd)
    total = sum(row["packets"] for row in wanted.values())
    poll(lambda: list(snmpd.walk(f"{VIEW}.9").values()) == [str(total)])
    keys = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    columns = {name: snmpd.walk(f"{ENTRY}.{n}")
               for name, n in (("bytes", 6), ("packets", 7), ("flows", 8))}
    for index, key in keys.items():
        words = dict(word.split("=", 1) for word in key.split())
        protos = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}
        at = (words["src_host"], words["dst_host"], int(words["src_port"]),
              int(words["dst_port"]), protos[words["proto"]])
        for name, values in columns.items():
            assert int(values[index]) == wanted[at][name], (key, name)
    summary = snmpd.walk(f"{ENTRY}.5")
    assert set(summary) == set(keys)
    for index, text in summary.items():
        assert f"bytes={columns['bytes'][index]} " in text
    w.books()
    assert w.stop() == 0


def test_it_is_back_after_snmpd_was_killed(tmp_path, weir, snmpd):
    w, wanted = start(tmp_path, weir, snmpd, 2000, 50)
    before = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    snmpd.stop(signal.SIGKILL)
    snmpd.agentx.unlink(missing_ok=True)
    snmpd.start()
    after = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k,
                 seconds=5)
    assert after == before
    assert w.process.poll() is None
    assert w.stop() == 0


def test_indexes_are_the_same_after_a_restart(tmp_path, weir, snmpd):
    w, wanted = start(tmp_path, weir, snmpd, 2000, 50)
    before = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    assert w.stop() == 0
    poll(lambda: not snmpd.walk(f"{ENTRY}.4"))
    start(tmp_path, weir, snmpd, 2000, 50)
    after = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    assert after == before


def figures(snmpd):
    """{index: (bytes, discontinuity)} of the entries, and those of the view."""
    walks = [snmpd.walk(arc) for arc in (f"{ENTRY}.6", f"{ENTRY}.11", f"{VIEW}.8", f"{VIEW}.19")]
    if not all(walks) or len(walks[0]) != len(walks[1]):
        return None
    counts, stamps, total, stamp = walks
    ticks = {i: int(t.split(")")[0].strip("(")) for i, t in {**stamps, **stamp}.items()}
    return ({i: (int(n), ticks[i]) for i, n in counts.items()},
            {i: (int(n), ticks[i]) for i, n in total.items()})


def test_totals_go_on_after_a_restart_and_a_crash(tmp_path, weir, snmpd):
    more = "checkpoint_interval: 1"
    w, wanted = start(tmp_path, weir, snmpd, 2000, 50, more)
    first = poll(lambda: (f := figures(snmpd)) and len(f[0]) == len(wanted) and
                 [sum(n for n, _ in f[0].values())] == [n for n, _ in f[1].values()] and f)
    assert w.stop() == 0

    # After a restart in good order nothing is lost, and nothing seems to have begun anew.
    w, port = begin(weir, snmpd, more)
    assert poll(lambda: figures(snmpd)) == first
    generate("netflow9", 2000, 50, "--rate", 2000, udp=f"127.0.0.1:{port}")
    twice = poll(lambda: (f := figures(snmpd)) and
                 all(n == 2 * first[0][i][0] for i, (n, _) in f[0].items()) and f)
    assert [t for _, t in twice[0].values()] == [t for _, t in first[0].values()]
    assert [t for _, t in twice[1].values()] == [t for _, t in first[1].values()]
    w.books()

    # After a crash what is missing is at most what came since the last checkpoint.
    checkpoint = next((tmp_path / "state").glob("ledger-*"))
    for _ in range(2):  # the first may have been begun before
        before = checkpoint.stat().st_mtime_ns
        send_from("127.0.0.1", port)  # so that there is something to write
        poll(lambda: checkpoint.stat().st_mtime_ns > before)
    w.kill()
    poll(lambda: not snmpd.walk(f"{ENTRY}.4"))
    w, port = begin(weir, snmpd, more)
    again = poll(lambda: figures(snmpd))
    assert [again[0][i][0] for i in twice[0]] == [n for n, _ in twice[0].values()]
    assert all(again[0][i][1] > t for i, (_, t) in twice[0].items())
    assert all(t > twice[1][i][1] for i, (_, t) in again[1].items())
    w.books()
    assert w.stop() == 0


def test_watches_have_their_totals_and_keep_them(tmp_path, weir, snmpd):
    watches = tmp_path / "watch.map"
    watches.write_text("name=everything view=talkers\n"
                       "name=tcp view=talkers proto=tcp index=17\n")
    w, wanted = start(tmp_path, weir, snmpd, 2000, 50, f"watch_map: {watches}")
    everything = sum(row["bytes"] for row in wanted.values())
    tcp = sum(row["bytes"] for key, row in wanted.items() if key[4] == 6)
    names = {v: k for k, v in poll(lambda: snmpd.walk(f"{WATCH}.2")).items()}
    assert names["tcp"] == "17"
    poll(lambda: snmpd.walk(f"{WATCH}.5") == {names["everything"]: str(everything), "17": str(tcp)})
    assert snmpd.walk(f"{WATCH}.4") == {names["everything"]: "total", "17": "proto=tcp"}

    # One more on SIGHUP; the others stay.
    key = next(key for key in wanted)
    watches.write_text(watches.read_text() + f"name=one view=talkers src_host={key[0]}\n")
    w.process.send_signal(signal.SIGHUP)
    names = poll(lambda: (n := snmpd.walk(f"{WATCH}.2")) and len(n) == 3 and n)
    assert snmpd.walk(f"{WATCH}.5")["17"] == str(tcp)
    assert w.stop() == 0
    w, _ = begin(weir, snmpd, f"watch_map: {watches}")
    again = poll(lambda: snmpd.walk(f"{WATCH}.5"))
    assert again["17"] == str(tcp) and again.keys() == names.keys()
    assert w.stop() == 0


def test_the_report_of_who_has_most_is_right(tmp_path, weir, snmpd):
    w, port = begin(weir, snmpd, "snmp_topn: 5\nsnmp_topn_interval: 2")
    csv = tmp_path / "t.csv"
    poll(lambda: snmpd.walk("1.6.1.12"))
    generate("netflow9", 4000, 50, udp=f"127.0.0.1:{port}", truth=csv)
    most = max(row["bytes"] for row in truth(csv).values())
    values = poll(lambda: [int(v) for v in snmpd.walk("1.7.1.5").values()])
    assert values == sorted(values, reverse=True) and len(values) == 5 and values[0] <= most
    keys, entries = snmpd.walk("1.7.1.4"), snmpd.walk(f"{ENTRY}.4")
    halves = snmpd.walk("1.7.1.2"), snmpd.walk("1.7.1.3")
    for rank, key in keys.items():  # a rank leads to its row
        view = rank.split(".")[0]
        assert entries[f"{view}.{halves[0][rank]}.{halves[1][rank]}"] == key
    assert w.stop() == 0


def tool(*args):
    out = subprocess.run([str(WEIR), *map(str, args)], capture_output=True, text=True)
    return out.returncode, out.stdout + out.stderr


def test_weir_oid_says_where_things_are(tmp_path, weir, snmpd):
    watches = tmp_path / "watch.map"
    watches.write_text("name=all view=talkers\n")
    w, wanted = start(tmp_path, weir, snmpd, 100, 5, f"watch_map: {watches}")
    keys = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    for index, key in keys.items():
        status, text = tool("oid", "-f", w.file, "talkers", *key.split())
        assert status == 0
        assert f" .{OID}.{ENTRY}.6.{index}\n" in text
    status, text = tool("oid", "-f", w.file, "--watch", "all")
    assert f" .{OID}.{WATCH}.5.{next(iter(snmpd.walk(f'{WATCH}.5')))}\n" in text
    assert tool("oid", "-f", w.file, "nobody") == (1, "weir: there is no plugin snmp[nobody]\n")
    assert w.stop() == 0


def test_the_doctor_finds_what_is_wrong(tmp_path, weir, snmpd):
    w, _ = begin(weir, snmpd)
    poll(lambda: snmpd.walk(f"{VIEW}.2"))
    ask = ("doctor", "snmp", "-f", w.file, "-a", f"127.0.0.1:{snmpd.port}")
    status, text = tool(*ask)
    assert status == 0 and text.count("ok ") == 2 and "sees weir " in text
    status, text = tool(*ask, "-c", "wrong")
    assert status == 1 and "no answer" in text and "rocommunity wrong" in text
    # Debian's own view hides weir.
    conf = snmpd.dir / "snmpd.conf"
    conf.write_text(conf.read_text().replace(f"included .{OID}", "included .1.3.6.1.2.1.1"))
    snmpd.stop()
    snmpd.start()
    status, text = poll(lambda: (t := tool(*ask)) and "shows nothing" in t[1] and t)
    assert status == 1 and f"view weir included .{OID}" in text
    snmpd.stop()
    status, text = tool(*ask)
    assert status == 1 and "snmpd does not run" in text
    snmpd.start()
    assert w.stop() == 0
