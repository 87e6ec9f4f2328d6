# SPDX-License-Identifier: GPL-2.0-or-later
"""weir top on a terminal of tmux, 80 columns and 24 lines: keys are sent, and the screen is
looked at until it shows what it should.
"""
import json
import os
import re
import subprocess

import pytest

from conftest import GEN, WEIR, free_port, poll

pytestmark = pytest.mark.xdist_group("top")


class Screen:
    """A terminal with one program."""

    def __init__(self, directory, command, **env):
        self.tmux = ["tmux", "-S", str(directory / "tmux"), "-f", "/dev/null"]
        words = " ".join(f"{k}={v}" for k, v in env.items())
        subprocess.run([*self.tmux, "new-session", "-d", "-x", "80", "-y", "24",
                        f"{words} {command}; echo ended $?; exec sleep 1000"], check=True,
                       env=dict(os.environ, LC_ALL="C.UTF-8"))

    def lines(self, *options):
        return subprocess.run([*self.tmux, "capture-pane", "-p", *options], check=True,
                              capture_output=True, text=True).stdout.splitlines()

    def resize(self, columns, rows):
        subprocess.run([*self.tmux, "resize-window", "-x", str(columns), "-y", str(rows)], check=True)

    def keys(self, *keys):
        subprocess.run([*self.tmux, "send-keys", *keys], check=True)

    def shows(self, pattern):
        """The screen once `pattern` is found in it."""
        def there():
            lines = self.lines()
            return lines if re.search(pattern, "\n".join(lines), re.M) else None
        try:
            return poll(there)
        except AssertionError as e:
            raise AssertionError(f"no {pattern!r} in:\n" + "\n".join(self.lines())) from e

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False)


@pytest.fixture
def traffic(weir):
    """weir with two views, to which datagrams come all the time."""
    port = free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[hosts], memory[ports]\n"
             "aggregate[hosts]: src_host, dst_host\naggregate[ports]: proto, dst_port\n").ready()
    with subprocess.Popen([str(GEN), "--kind", "netflow5", "--records", "3000000", "--keys", "200",
                           "--rate", "50", "--udp", f"127.0.0.1:{port}"],
                          stdout=subprocess.DEVNULL) as load:
        poll(lambda: w.stats()["records_fed"] > 0)
        yield w
        load.terminate()


@pytest.fixture
def screen(tmp_path, traffic):
    screens = []

    def start(options="", **env):
        screens.append(Screen(tmp_path, f"{WEIR} top {options} -p {traffic.socket}", **env))
        return screens[-1]
    yield start
    for s in screens:
        s.close()


def test_keys(screen):
    s = screen()
    lines = s.shows(r"^\S+ \S+ \S+ bit/s in 1, 5, 15 min  [▁-█]+")
    assert lines[0].startswith("weir top - hosts - ")
    assert re.match(r"\S+ bit/s, \S+ packets/s; total ", lines[1])
    assert re.match(r"\S+ datagrams/s, \S+ frames/s; dropped by the kernel 0, lost on the way",
                    lines[2])
    assert re.match(r" *BIT/S +PKT/S +BYTES +PACKETS  SRC_IP +DST_IP", lines[5])
    assert len(lines) == 24 and all(len(x) <= 80 for x in lines)
    s.shows(r"s sort \(bytes\)")
    s.keys("s")
    s.shows(r"s sort \(packets\)")
    s.keys("v")
    s.shows(r"^weir top - ports - (.|\n)*PROTOCOL")
    s.keys("e")
    s.shows(r"^ *DGRAM/S(.|\n)* 127\.0\.0\.1 ")
    s.keys("e")
    s.shows("PROTOCOL")
    s.keys("p")
    s.shows("PAUSED$")
    s.keys("p")
    poll(lambda: "PAUSED" not in s.lines()[0])
    s.keys("q")
    s.shows("^ended 0$")


def test_filter(screen):
    s = screen("ports")
    s.shows(" udp$")
    s.keys("/", "T", "c", "p", "x")
    s.shows("show only lines with: Tcpx_")
    poll(lambda: not any(re.search("tcp|udp", x) for x in s.lines()[6:23]))
    s.keys("BSpace", "Enter")
    lines = s.shows(r"^only lines with 'Tcp': \d+ of \d+ (.|\n)*")
    lines = poll(lambda: (got := s.lines()) and any("tcp" in x for x in got[6:23]) and got)
    assert not any("udp" in x for x in lines[6:23])
    s.keys("Escape")
    s.shows("q quit")
    s.shows(" udp$")
    s.keys("q")
    s.shows("^ended 0$")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "vt100", "LC_ALL": "C"}])
def test_without_colour(screen, env):
    """No colour is ever sent; a terminal of few abilities has bars of ASCII."""
    s = screen(**env)
    s.shows(r"in 1, 5, 15 min  [_.\-=+*%#▁-█]{2}")
    assert not re.search(r"\x1b\[(?:[0-9]+;)*[34][0-8][;m]", "\n".join(s.lines("-e")))
    if "TERM" in env:
        assert not re.search("[▁-█]", "\n".join(s.lines()))
    s.keys("q")
    s.shows("^ended 0$")


def test_other_sizes(screen):
    """The terminal becomes small, absurdly small, and large again."""
    s = screen("hosts")
    s.shows("q quit")
    for columns, rows, last in ((40, 10, "q quit  s sort"), (9, 3, "q quit"), (100, 30, "scroll$")):
        s.resize(columns, rows)
        poll(lambda: len(s.lines()[0]) <= columns and re.search(last, s.lines()[rows - 1]))
    s.keys("q")
    s.shows("^ended 0$")


def test_terminal_without_a_cursor(screen):
    s = screen(TERM="dumb")
    s.shows("use --once$")
    s.shows("^ended 1$")


def test_weir_goes_and_comes_back(screen, traffic):
    s = screen()
    s.shows("^weir top - hosts")
    traffic.kill()
    s.shows("^no news, trying again: ")
    s.keys("q")
    s.shows("^ended 0$")


def test_once(traffic):
    def top(*options):
        return subprocess.run([WEIR, "top", *options, "-p", traffic.socket], capture_output=True,
                              text=True, check=True).stdout
    lines = top("ports", "--once", "-n", "5", "--sort", "packets").splitlines()
    assert lines[0].startswith("weir top - ports - ") and len(lines) == 3 + 1 + 1 + 5
    got = json.loads(top("ports", "--json", "--filter", "TCP"))
    assert got["view"] == "ports" and 1 <= got["interval_s"] < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", got["time"])
    assert got["rows"] and {r["ip_proto"] for r in got["rows"]} == {"tcp"}
    assert got["health"]["datagrams"]["per_s"] > 0
    got = json.loads(top("hosts", "--json", "--interval", "2", "--sort", "flows"))
    assert 2 <= got["interval_s"] < 60
    per_s = [r["flows_per_s"] for r in got["rows"]]
    assert per_s == sorted(per_s, reverse=True) and per_s[0] > 0


def test_flows_are_shown_when_sorted_by(traffic, screen):
    lines = subprocess.run([WEIR, "top", "hosts", "--once", "--sort", "flows", "-p", traffic.socket],
                           capture_output=True, text=True, check=True).stdout.splitlines()
    assert re.match(r" *BIT/S +PKT/S +FLOW/S +BYTES +PACKETS  SRC_IP +DST_IP", lines[4])
    assert len(lines[5].split()) == 7 and float(lines[5].split()[2].rstrip("kM")) > 0
    s = screen("--sort packets")
    s.shows(r"^ *BIT/S +PKT/S +BYTES ")
    s.keys("s")
    s.shows(r"^ *BIT/S +PKT/S +FLOW/S +BYTES ")
    s.keys("q")
    s.shows("^ended 0$")


@pytest.mark.parametrize("options,said", [
    (["--once", "--interval", "0"], "--interval 0 is no number from 1 to 86400"),
    (["--interval", "2"], "--interval is for --once and --json")])
def test_interval_that_is_none(options, said):
    out = subprocess.run([WEIR, "top", *options], capture_output=True, text=True, timeout=30)
    assert out.returncode == 1 and said in out.stderr
