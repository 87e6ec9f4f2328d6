# SPDX-License-Identifier: GPL-2.0-or-later
"""Thresholds and alarms behind a real snmpd: SETs, notifications, programs."""
import os
import signal
import subprocess
import time

import pytest

from conftest import OID, Snmpd, free_port, generate, poll, shown

THRESHOLD, ALARM = "1.9.1", "1.10.1"
ENGINE = "0x8000000001020304"


class Trapd:
    """A private snmptrapd; `text` is what it received, by numbers."""

    def __init__(self, directory):
        self.dir = directory / "trapd"
        (self.dir / "state").mkdir(parents=True)
        self.port = free_port()
        (self.dir / "snmptrapd.conf").write_text(
            f"snmpTrapdAddr udp:127.0.0.1:{self.port}\nauthCommunity log trapcomm\n"
            f"createUser -e {ENGINE} trapuser SHA trappass123 AES trappriv123\n"
            "authUser log trapuser authPriv\ndoNotRetainNotificationLogs yes\n")
        self.process = subprocess.Popen(
            ["/usr/sbin/snmptrapd", "-f", "-On", "-Lf", str(self.dir / "log"), "-C", "-c",
             str(self.dir / "snmptrapd.conf")],
            env=dict(os.environ, MIBS="", SNMP_PERSISTENT_DIR=str(self.dir / "state")))
        poll(lambda: "NET-SNMP version" in self.text)

    @property
    def text(self):
        log = self.dir / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    def count(self, number):
        """Notifications of this number below weirNotifications."""
        return self.text.count(f"OID: .{OID}.0.{number}\t")

    def sinks(self):
        """How snmpd reaches it: a v2c trap, an inform, and one with authentication and privacy."""
        return (f"trap2sink 127.0.0.1:{self.port} trapcomm\n"
                f"informsink 127.0.0.1:{self.port} trapcomm\n"
                "trapsess -v 3 -u trapuser -l authPriv -a SHA -A trappass123 -x AES "
                f"-X trappriv123 -e {ENGINE} 127.0.0.1:{self.port}\n")


@pytest.fixture
def trapd(tmp_path):
    one = Trapd(tmp_path)
    yield one
    one.process.terminate()
    one.process.wait(30)


@pytest.fixture
def master(tmp_path, trapd):
    one = Snmpd(tmp_path, trapd.sinks())
    yield one
    one.stop()


def begin(weir, snmpd, more=""):
    w, port = shown(weir, snmpd.agentx, more)
    poll(lambda: snmpd.walk("1.4.1.2"))
    return w, port


def name(text):
    return ".".join(str(ord(c)) for c in text)


V3 = ("-v3", "-l", "authPriv", "-u", "rw", "-a", "SHA-256", "-A", "authpass123", "-x", "AES",
      "-X", "privpass123")


def snmpset(snmpd, *variables, community="private", who=()):
    """variables: (column, row, type, value); "" or what snmpset complains of."""
    args = []
    for column, row, kind, value in variables:
        args += [f".{OID}.{THRESHOLD}.{column}.{name(row)}", kind, str(value)]
    out = subprocess.run(["snmpset", *(who or ("-v2c", "-c", community)), "-t", "5", "-r", "1",
                          f"127.0.0.1:{snmpd.port}", *args],
                         env=dict(os.environ, MIBS=""), capture_output=True, text=True)
    return "" if out.returncode == 0 else out.stderr


def whole(row, scope=1, metric=2, rising=5, window=1):
    return [(2, row, "i", scope), (3, row, "s", "talkers"), (5, row, "i", metric),
            (7, row, "u", rising), (10, row, "u", window), (20, row, "i", 4)]


def test_a_threshold_is_set_crossed_told_and_destroyed(tmp_path, weir, master, trapd):
    acted, script = tmp_path / "acted", tmp_path / "act"
    script.write_text(f"#!/bin/sh\necho $WEIR_EVENT $WEIR_THRESHOLD >>{acted}\n")
    script.chmod(0o755)
    w, port = begin(weir, master, f"snmp_write: true\nalarm_exec: {script}")
    poll(lambda: trapd.count(1) == 3)  # weirRestarted, each way
    assert "inconsistentValue" in snmpset(master, (20, "pps", "i", 4))
    assert "wrongType" in snmpset(master, (7, "pps", "i", 5))
    assert "wrongType" in snmpset(master, (7, "pps", "o", ".1.3"))
    assert "notWritable" in snmpset(master, (15, "pps", "u", 5))
    assert "notWritable" in snmpset(master, (15, "pps", "o", ".1.3"))
    assert "inconsistentName" in snmpset(master, (7, "pps", "u", 5))
    assert "noAccess" in snmpset(master, *whole("pps"), community="public")
    assert snmpset(master, *whole("pps")) == ""
    assert master.walk(f"{THRESHOLD}.7") == {name("pps"): "5"}  # at once
    assert master.walk(f"{THRESHOLD}.20") == {name("pps"): "1"}
    poll(lambda: master.walk(f"{THRESHOLD}.14") == {name("pps"): "2"})
    assert master.walk(ALARM) == {}

    generate("netflow9", 6000, 50, "--rate", 3000, udp=f"127.0.0.1:{port}")
    poll(lambda: trapd.count(2) == 3 and trapd.count(3) == 3)
    poll(lambda: acted.exists() and acted.read_text() == "raised pps\ncleared pps\n")
    assert "packets per second, alarm at 5" in trapd.text
    assert master.walk(f"{THRESHOLD}.17") == {name("pps"): "2"}
    assert "alarm pps raised: talkers: " in w.log_text()

    assert snmpset(master, (20, "pps", "i", 6)) == ""
    assert master.walk(THRESHOLD) == {}
    w.books()
    assert w.stop() == 0


# RowStatus of RFC 2579: of a row in a state, what SETs of it to 1 (active), 2, ... 6
# (destroy) lead to: the state after it, or what is said. The row could be active, but for
# that of notReady.
GONE, BAD, WRONG = "", "inconsistentValue", "wrongValue"
MATRIX = {
    GONE: (BAD, BAD, WRONG, "1", "2", GONE),
    "3": (BAD, "3", WRONG, BAD, BAD, GONE),
    "2": ("1", "2", WRONG, BAD, BAD, GONE),
    "1": ("1", "2", WRONG, BAD, BAD, GONE),
}


@pytest.mark.parametrize("who", [("-v2c", "-c", "private"), V3], ids=["v2c", "v3"])
def test_rows_come_and_go_as_rfc_2579_says(tmp_path, weir, who):
    snmpd = Snmpd(tmp_path, "createUser rw SHA-256 authpass123 AES privpass123\n"
                            "rwuser rw authPriv -V weir\n")
    w, _ = begin(weir, snmpd, "snmp_write: true")

    def state():
        return snmpd.walk(f"{THRESHOLD}.20").get(name("x"), GONE)
    limits = whole("x")[:-1]
    for before, results in MATRIX.items():
        for request, want in enumerate(results, 1):
            if before == "3":
                assert snmpset(snmpd, (20, "x", "i", 5), who=who) == ""
            elif before != GONE:
                assert snmpset(snmpd, *limits, (20, "x", "i", {"1": 4, "2": 5}[before]),
                               who=who) == ""
            assert state() == before
            more = limits if before == GONE and request != 6 else []
            said = snmpset(snmpd, *more, (20, "x", "i", request), who=who)
            if want in (BAD, WRONG):
                assert want in said and state() == before, (before, request, said)
            else:
                assert said == "" and state() == want, (before, request, said)
            assert snmpset(snmpd, (20, "x", "i", 6), who=who) == "" and state() == GONE
    assert w.stop() == 0
    snmpd.stop()


def test_what_may_not_be_written_is_not(tmp_path, weir, snmpd):
    thresholds = tmp_path / "threshold.map"
    thresholds.write_text("name=mine scope=view subject=talkers metric=rows rising=1 window=1\n")
    w, port = begin(weir, snmpd, f"threshold_map: {thresholds}")
    poll(lambda: snmpd.walk(f"{THRESHOLD}.19") == {name("mine"): "5"})
    assert "notWritable" in snmpset(snmpd, *whole("pps"))
    assert w.stop() == 0
    w, port = begin(weir, snmpd, f"threshold_map: {thresholds}\nsnmp_write: true")
    assert "notWritable" in snmpset(snmpd, (20, "mine", "i", 6))
    assert "notWritable" in snmpset(snmpd, (7, "mine", "u", 6))
    assert snmpset(snmpd, *whole("kept")) == ""
    assert snmpset(snmpd, *whole("volatile")[:-1], (19, "volatile", "i", 2),
                   (20, "volatile", "i", 4)) == ""
    poll(lambda: (tmp_path / "state" / "thresholds").exists())
    generate("netflow9", 100, 5, udp=f"127.0.0.1:{port}")
    # An alarm has a row, as long as it stands; here, too.
    poll(lambda: [a["threshold"] for a in w.rows("alarms")] == ["kept", "mine", "volatile"]
         or [a["threshold"] for a in w.rows("alarms")] == ["mine"])
    assert {t["threshold"]: t["rising"] for t in w.rows("thresholds")}["mine"] == 1
    alarm = poll(lambda: snmpd.walk(f"{ALARM}.5"))
    assert alarm == {f"4.{name('mine')}.0.0": next(iter(alarm.values()))}
    assert w.stop() == 0
    w, port = begin(weir, snmpd, f"threshold_map: {thresholds}")
    assert set(snmpd.walk(f"{THRESHOLD}.20")) == {name("kept"), name("mine")}
    assert w.stop() == 0


def test_ten_thousand_alarms_stall_nobody(tmp_path, weir, master, trapd):
    thresholds = tmp_path / "threshold.map"
    thresholds.write_text("name=each scope=entry subject=talkers metric=packets rising=1 "
                          "falling=0 window=1\n")
    w, port = begin(weir, master, f"threshold_map: {thresholds}\nsnmp_notify_rate: 3000\n"
                                  "snmp_max_rows: 20000")
    generate("netflow9", 20000, 10000, "--rate", 20000, udp=f"127.0.0.1:{port}")
    raised = poll(lambda: int(next(iter(master.walk(f"{THRESHOLD}.17").values()))))
    assert raised > 1000
    for _ in range(20):  # snmpd answers while it is told
        began = time.monotonic()
        assert master.walk("1.1.8", "snmpwalk")
        assert time.monotonic() - began < 2
    poll(lambda: trapd.count(4) > 0)
    told = poll(lambda: int(next(iter(master.walk("1.1.8").values()))))
    assert told > 0
    poll(lambda: master.walk(f"{THRESHOLD}.16") == {name("each"): "0"})
    w.books()
    assert w.stop() == 0


def test_a_threshold_of_nothing_says_so(tmp_path, weir):
    """At the start, and as its state, until there is what it means."""
    thresholds, watches = tmp_path / "threshold.map", tmp_path / "watch.map"
    thresholds.write_text("name=typo scope=watch subject=later metric=bytes rising=1\n"
                          "name=door scope=collector subject=nodoor metric=bytes rising=1\n"
                          "name=fine scope=watch subject=there metric=bytes rising=1\n")
    watches.write_text("name=there view=talkers\n")
    w, _ = shown(weir, tmp_path / "agentx", f"threshold_map: {thresholds}\nwatch_map: {watches}\n")

    def states():
        return {t["threshold"]: t["state"] for t in w.rows("thresholds")}
    assert states() == {"typo": "no such watch", "door": "no such collector",
                        "fine": "not looked yet"}
    watches.write_text("name=there view=talkers\nname=later view=talkers\n")
    w.process.send_signal(signal.SIGHUP)
    poll(lambda: states()["typo"] == "not looked yet")
    assert w.stop() == 0
    assert (f"{thresholds}:1: threshold_map: subject: no such watch: later" in
            w.process.stderr.read() + w.log_text())
