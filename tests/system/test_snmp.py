# SPDX-License-Identifier: GPL-2.0-or-later
"""The subagent behind a real snmpd."""
import os
import shutil
import signal
import struct
import subprocess
from pathlib import Path

import pytest

import agentx
from agentx import VERSION
from conftest import OID, TUPLE, WEIR, Snmpd, free_port, generate, poll, shown, truth
from test_doors import send_from

ENTRY, VIEW, WATCH = "1.5.1", "1.4.1", "1.11.1"


def begin(weir, snmpd, more=""):
    """A weir without traffic, and the port that it listens to."""
    return shown(weir, snmpd.agentx, more, f"{TUPLE}, flows")


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


def test_indexes_do_not_depend_on_the_order_of_the_configuration(tmp_path, weir, snmpd):
    """Nor on that of primitives, watches, or of what came first."""
    flow, sample, watches = free_port(), free_port(), tmp_path / "watch.map"

    def names(order):
        lines = ["name=web view=pairs dst_port=443\n", "name=all view=pairs\n"]
        watches.write_text("".join(lines[::order]))
        plugins = ["snmp[pairs]", "snmp[ports]", "print[text]"][::order]
        primitives = ["src_host", "dst_host", "dst_port", "proto"][::order]
        more = [f"nfacctd_port: {flow}", f"sfacctd_port: {sample}", "aggregate[text]: proto",
                "aggregate[ports]: dst_port, flows", f"plugins: {', '.join(plugins)}",
                f"aggregate[pairs]: {', '.join(primitives)}, flows"][::order]
        w = weir("\n".join(more) + f"""
            nfacctd_ip: 127.0.0.1
            sfacctd_ip: 127.0.0.1
            watch_map: {watches}
            print_output_file[text]: {tmp_path}/text
            snmp_agentx_socket: unix:{snmpd.agentx}
            """).ready()
        for seed in (1, 2)[::order]:
            generate("netflow9", 300, 40, "--seed", seed, "--rate", 2000,
                     udp=f"127.0.0.1:{flow}")
        poll(lambda: list(snmpd.walk(f"{VIEW}.10").values()) == ["600", "600"])
        found = set(snmpd.walk("1"))
        assert w.stop() == 0
        shutil.rmtree(w.dir / "state")
        return found
    assert names(1) == names(-1)


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
    view = w.rows("views")[0]
    assert [view["bytes"]] == [n for n, _ in first[1].values()] and view["rows"] == len(first[0])
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
    assert {x["watch"]: x["bytes"] for x in w.rows("watches")} == {"everything": everything,
                                                                   "tcp": tcp}
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
    assert status == 0 and text.count("ok ") == 3 and "sees weir " in text
    status, text = tool(*ask, "-c", "wrong")
    assert status == 1 and "no answer" in text and "rocommunity wrong" in text
    # Debian's own view hides weir.
    conf = snmpd.dir / "snmpd.conf"
    conf.write_text(conf.read_text().replace(f"included .{OID}", "included .1.3.6.1.2.1.1"))
    snmpd.stop()
    snmpd.start()
    status, text = poll(lambda: (t := tool(*ask)) and "shows nothing" in t[1] and t)
    assert status == 1 and f"view systemonly included .{OID}" in text
    snmpd.stop()
    status, text = tool(*ask)
    assert status == 1 and "snmpd does not run" in text
    snmpd.start()
    assert w.stop() == 0
    # A path that sockets cannot have must not be looked for as another one.
    far = tmp_path / "far.conf"
    far.write_text(f"plugins: snmp[x]\naggregate: src_host\nsnmp_agentx_socket: unix:/{'x' * 120}\n")
    status, text = tool("doctor", "snmp", "-f", far)
    assert status == 1 and "107 octets" in text


# What counts in the snmpd.conf that Debian's snmpd comes with.
DEBIAN = """
view   systemonly  included   .1.3.6.1.2.1.1
view   systemonly  included   .1.3.6.1.2.1.25.1
rocommunity  public default -V systemonly
"""


def test_the_guide_is_enough(weir, snmpd):
    """With Debian's configuration, where another line of the same community is in front."""
    guide = Path(__file__.rsplit("/tests/", 1)[0], "docs/snmp.md").read_text().split("snmpd.conf`:\n\n")[1].split("\n\n")[0]
    assert "agentXPerms 0660 0755 root weir" in guide
    snmpd.stop()
    snmpd.agentx.unlink(missing_ok=True)
    (snmpd.dir / "snmpd.conf").write_text(
        f"agentAddress udp:127.0.0.1:{snmpd.port}\n" + DEBIAN +
        guide.replace("/var/agentx/master", str(snmpd.agentx))
        .replace("root weir", f"{os.getuid()} {os.getgid()}") + "\n")
    snmpd.start()
    w, _ = begin(weir, snmpd)
    poll(lambda: snmpd.walk(f"{VIEW}.2"))
    status, text = tool("doctor", "snmp", "-f", w.file, "-a", f"127.0.0.1:{snmpd.port}")
    assert status == 0 and "sees weir " in text, text
    assert w.stop() == 0


def null_oid():
    return b"\0\0\0\0"


def test_a_master_that_misbehaves(tmp_path, weir):
    """Either byte order, duplicates, contexts, GetBulk, garbage; and one that hangs up."""
    master = agentx.Master(tmp_path / "agentx")
    w, port = shown(weir, master.path, "snmp_reconnect: 1")
    master.meet()
    for order in "<>":
        packet, error, values = master.ask(agentx.GET, VERSION, order)
        assert error == 0 and values[0][2].startswith(b"weir ")
        _, _, values = master.ask(agentx.GETNEXT, OID, order)
        assert values[0][1] == VERSION
        _, _, values = master.ask(agentx.GETNEXT, f"{OID}.2", order)
        assert values[0][0] == agentx.END
    # A master that has not had its answer in time asks once more, in the same words.
    for _ in range(3):
        master.send(agentx.GET, agentx.oid(VERSION, ">") + null_oid(), packet=4242)
    assert [master.response()[0] for _ in range(3)] == [4242] * 3
    # A context that nobody has, and a GetBulk.
    master.send(agentx.GET, b"\0\0\0\3abc\0" + agentx.oid(VERSION, ">") + null_oid(),
                flags=agentx.CONTEXT)
    _, error, values = master.response()
    assert error != 0 or values[0][0] == agentx.NO_OBJECT
    master.send(agentx.GETBULK, b"\0\0\0\3" + agentx.oid(OID, ">") + null_oid())
    _, error, values = master.response()
    assert error == 0 and values[0][1] == VERSION
    # Cut short; then the connection is gone: it comes back, and goes on counting meanwhile.
    master.agent.sendall(b"\1\5\x10\0" + b"\0" * 12 + b"\0\0\1\0" + b"\5")
    master.drop()
    generate("netflow9", 100, 5, udp=f"127.0.0.1:{port}")
    master.accept()
    view = poll(lambda: (v := master.ask(agentx.GETNEXT, f"{OID}.{VIEW}.9")[2][0])[2] and v)
    assert view[0] == agentx.COUNTER64 and view[2] > 0
    # What is no AgentX at all.
    master.agent.sendall(b"GET / HTTP/1.1\r\n\r\n" * 20)
    master.drop()
    master.accept()
    assert master.ask(agentx.GET, VERSION)[2][0][2].startswith(b"weir ")
    w.books()
    master.drop()
    assert w.stop() == 0
    master.close()


THRESHOLD = f"{OID}.1.9.1"


def threshold_variables(*names):
    """What makes a threshold of each name, which is only one octet long."""
    return [(f"{THRESHOLD}.{column}.{ord(name)}", kind, value) for name in names
            for column, kind, value in (
                (2, agentx.INTEGER, agentx.number(1)),
                (3, agentx.OCTETS, agentx.octets("talkers")),
                (5, agentx.INTEGER, agentx.number(1)),
                (7, agentx.GAUGE, agentx.number(5)),
                (20, agentx.INTEGER, agentx.number(4)))]


def threshold_rows(master):
    """The names of all thresholds, by the status column."""
    names, at = "", f"{THRESHOLD}.20"
    while (found := master.ask(agentx.GETNEXT, at)[2][0])[1].startswith(f"{THRESHOLD}.20."):
        at = found[1]
        names += chr(int(at.rsplit(".")[-1]))
    return names


@pytest.fixture
def set_master(tmp_path, weir):
    """A master, and a weir behind it that may be written to."""
    master = agentx.Master(tmp_path / "agentx")
    w, _ = shown(weir, master.path, "snmp_write: true")
    master.meet()
    yield master
    master.drop()
    assert w.stop() == 0
    master.close()


def test_how_long_answers_take_is_counted(set_master):
    """One that has thousands of objects takes longer than a tenth of a millisecond."""
    master = set_master

    def answers():
        values = [master.ask(agentx.GET, f"{OID}.1.1.{n}.0")[2][0] for n in range(11, 16)]
        assert all(kind == agentx.COUNTER64 for kind, _, _ in values)
        return [n for _, _, n in values]
    before = answers()
    root = struct.pack(">BBBB5I", 5, 4, 0, 0, 1, 8072, 9999, 9999, 1777) + null_oid()
    master.send(agentx.GETNEXT, root * 2000)
    assert len(master.answer(master.transaction)[2]) == 2000
    # Seen with the next snapshot.
    after = poll(lambda: (n := answers())[0] >= before[0] + 6 and n)
    assert after == sorted(after, reverse=True) and after[1] > before[1]


def test_a_set_that_comes_in_parts_is_refused(set_master):
    """As it does where somebody has registered something below weir's root. A part can not be
    judged before the others are there."""
    master, whole = set_master, threshold_variables("a")
    assert master.step(agentx.TESTSET, threshold_variables("b") + whole[:2], fresh=True) == 18
    master.step(agentx.CLEANUPSET)
    assert master.step(agentx.TESTSET, threshold_variables("b"), fresh=True) == 0
    assert master.step(agentx.TESTSET, whole) == 13
    master.step(agentx.CLEANUPSET)
    assert threshold_rows(master) == ""
    # The same again is one that was not answered in time.
    assert master.step(agentx.TESTSET, whole, fresh=True) == 0
    master.packet -= 1
    assert master.step(agentx.TESTSET, whole) == 0
    assert master.step(agentx.COMMITSET) == 0
    master.step(agentx.CLEANUPSET)
    assert threshold_rows(master) == "a"
    # A SET in whose place another has come does not seem done.
    assert master.step(agentx.TESTSET, threshold_variables("c"), fresh=True) == 0
    first = master.setting
    assert master.step(agentx.TESTSET, threshold_variables("d"), fresh=True) == 0
    second = master.setting
    assert master.step(agentx.COMMITSET, of=first) == 14
    master.step(agentx.UNDOSET, of=first)
    assert master.step(agentx.COMMITSET, of=second) == 0
    master.step(agentx.CLEANUPSET)
    assert threshold_rows(master) == "ad"


def test_a_set_that_others_refuse_is_undone(set_master):
    """All subagents of a request say that they can before any does; and one may fail then."""
    master, row, variables, number = set_master, THRESHOLD, threshold_variables, agentx.number

    def rows():
        return threshold_rows(master)
    # Committed: there, and only then.
    assert master.step(agentx.TESTSET, variables("a", "b"), fresh=True) == 0
    assert rows() == ""
    assert master.step(agentx.COMMITSET) == 0
    master.step(agentx.CLEANUPSET)
    assert rows() == "ab"
    # Somebody else could not commit.
    gone = [(f"{row}.20.{ord('a')}", agentx.INTEGER, number(6))]
    assert master.step(agentx.TESTSET, gone + variables("c"), fresh=True) == 0
    assert master.step(agentx.COMMITSET) == 0
    assert master.step(agentx.UNDOSET) == 0
    assert rows() == "ab"
    # Somebody else found something wrong.
    assert master.step(agentx.TESTSET, gone + variables("c"), fresh=True) == 0
    master.step(agentx.CLEANUPSET)
    assert rows() == "ab"
    # The master goes in between.
    assert master.step(agentx.TESTSET, gone + variables("c"), fresh=True) == 0
    assert master.step(agentx.COMMITSET) == 0
    master.drop()
    master.accept()
    poll(lambda: rows() == "ab")
    assert master.step(agentx.TESTSET, gone + variables("d"), fresh=True) == 0
    assert master.step(agentx.COMMITSET) == 0
    master.step(agentx.CLEANUPSET)
    assert rows() == "bd"
    # It goes with its last word, which counts: whoever has set it knows that it is done.
    for name, word, wanted in (("e", agentx.CLEANUPSET, "bde"), ("f", agentx.UNDOSET, "bde"),
                               ("g", agentx.CLEANUPSET, "bdeg")):
        assert master.step(agentx.TESTSET, variables(name), fresh=True) == 0
        assert master.step(agentx.COMMITSET) == 0
        master.step(word, answered=False)
        master.drop()
        master.accept()
        poll(lambda: rows() == wanted)


def test_a_master_that_takes_no_notification_holds_up_nobody(tmp_path, weir):
    master = agentx.Master(tmp_path / "agentx")
    thresholds = tmp_path / "threshold.map"
    thresholds.write_text("name=each scope=entry subject=talkers metric=packets rising=1 "
                          "falling=0 window=1\n")
    w, port = shown(weir, master.path,
                    f"threshold_map: {thresholds}\nsnmp_notify_rate: 10000")
    master.acknowledges = False
    master.accept()
    # It reads nothing: weir counts all the same, and acts on what it finds.
    poll(lambda: generate("netflow9", 8000, 4000, udp=f"127.0.0.1:{port}") and
         "alarm each raised" in w.log_text(), every=1)
    before = int(w.stats()["records"])
    generate("netflow9", 100, 5, udp=f"127.0.0.1:{port}")
    poll(lambda: int(w.stats()["records"]) >= before + 100)
    w.books()
    master.drop()
    assert w.stop() == 0
    master.close()


def test_old_and_new_versions_of_snmp(tmp_path, weir):
    master = Snmpd(tmp_path, "createUser ro SHA-256 authpass123 AES privpass123\n"
                             "rouser ro authPriv -V weir\n")
    w, wanted = start(tmp_path, weir, master, 100, 5)
    poll(lambda: len(master.walk(f"{ENTRY}.4")) == len(wanted))

    def walk(*args):
        out = subprocess.run(["snmpwalk", "-On", "-Cc", *args, f"127.0.0.1:{master.port}",
                              f".{OID}"], env=dict(os.environ, MIBS=""), capture_output=True,
                             text=True)
        assert out.returncode == 0, out.stderr
        return out.stdout
    # What is secret is shown to whom it may be, in full.
    secret = walk("-v3", "-l", "authPriv", "-u", "ro", "-a", "SHA-256", "-A", "authpass123",
                  "-x", "AES", "-X", "privpass123")
    assert f".{OID}.{ENTRY}.6." in secret and "Counter64" in secret
    # SNMPv1 has no 64-bit counters: it steps over them, and misses nothing else.
    first = walk("-v1", "-c", "public")
    assert "Counter64" not in first
    assert first.count(f".{OID}.{ENTRY}.4.") == len(wanted)
    assert first.count(f".{OID}.1.8.1.14.") == 1
    assert w.stop() == 0
    master.stop()


def test_sessions_in_ipfix_mib(tmp_path, weir):
    ipfix = "1.3.6.1.2.1.193"
    master = Snmpd(tmp_path, f"view weir included .{ipfix}\n")
    w, wanted = start(tmp_path, weir, master, 100, 5, "snmp_ipfix_mib: true")

    def walk(arc):
        out = subprocess.run(["snmpwalk", "-v2c", "-c", "public", "-On", "-Oe",
                              f"127.0.0.1:{master.port}", f".{ipfix}.{arc}"],
                             env=dict(os.environ, MIBS=""), capture_output=True, text=True)
        return [line.split(" = ")[1] for line in out.stdout.splitlines() if " = " in line]
    poll(lambda: walk("1.2.1.1.6") == ["Counter64: 100"])      # records
    assert walk("1.1.1.1.4") == ["Hex-STRING: 7F 00 00 01 "]   # who
    assert walk("1.1.1.1.10") == ["INTEGER: 2"]                # collecting
    assert walk("1.1.1.1.15") == ["Gauge32: 9"]
    templates = poll(lambda: walk("1.1.2.1.3"))
    assert set(templates) == {"Gauge32: 2"}                    # not of options
    elements = walk("1.1.3.1.2")
    assert {"Gauge32: 8", "Gauge32: 12", "Gauge32: 7", "Gauge32: 11", "Gauge32: 4"} <= set(elements)
    assert walk("1.1.3.1.4") == ["Gauge32: 0"] * len(elements) # IANA's
    assert set(walk("1.1.3.1.5")) == {"Hex-STRING: 00 "}       # none of scope
    assert walk("1.1.1.1.16") == ["INTEGER: 2"]                # active
    # Its two templates, of IPv4 and IPv6, had all records between them, and some each.
    poll(lambda: len(n := [int(v.split()[1]) for v in walk("1.2.2.1.1")]) == len(templates) and
         min(n) > 0 and sum(n) == 100)
    everything = walk("1")
    assert len(everything) == 15 + 9 + 4 * len(templates) + 4 * len(elements)
    assert "No Such" not in "".join(everything)
    assert master.walk(f"{ENTRY}.4")                           # and WEIR-MIB as ever
    w.books()
    assert w.stop() == 0
    master.stop()


def test_managers_that_read_no_indexes_know_exporters_and_the_books(weir, snmpd):
    w, port = begin(weir, snmpd)
    assert poll(lambda: snmpd.walk("1.1.10")) == {"0": "1"}  # true: they balance
    generate("netflow9", 200, 20, udp=f"127.0.0.1:{port}")
    names = poll(lambda: snmpd.walk("1.3.1.22"))
    for index, name in names.items():
        number, kind, length, *address, domain = index.split(".")
        assert (kind, length) == ("1", "4") and name == ".".join(address) + "/" + domain
    ages = snmpd.walk("1.3.1.23")
    assert set(ages) == set(names) and all(0 <= int(age) < 60 for age in ages.values())
    poll(lambda: all(int(age) >= 1 for age in snmpd.walk("1.3.1.23").values()))
    assert w.stop() == 0
