# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture files: played several times, after a pause, and with somebody looking on."""
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from conftest import TUPLE, WEIR, generate, json_rows, poll, run_file, truth, tuple_key

PRINT = f"plugins: print[p]\naggregate: {TUPLE}\nprint_output: json\n"


def test_each_play_counts(tmp_path):
    """Thrice in one interval: its rows are written once and hold all three."""
    pcap, file = tmp_path / "t.pcap", tmp_path / "truth.csv"
    generate("packets", 20000, 300, pcap=pcap, truth=file)
    run_file(tmp_path, PRINT + f"pcap_savefile: {pcap}\npcap_savefile_replay: 3\n"
             f"print_output_file: {tmp_path}/out.json\nprint_history: 1h\n")
    rows = {tuple_key(r): r["packets"] for r in json_rows(tmp_path / "out.json")}
    assert rows == {k: 3 * r["packets"] for k, r in truth(file).items()}


def test_each_play_of_export_datagrams_counts(tmp_path):
    pcap = tmp_path / "t.pcap"
    want = generate("netflow9", 20000, 300, pcap=pcap)
    run_file(tmp_path, PRINT + f"pcap_savefile: {pcap}\npcap_savefile_replay: 2\n"
             f"print_output_file: {tmp_path}/out.json\n", "--as", "nfacctd")
    rows = json_rows(tmp_path / "out.json")
    assert sum(r["packets"] for r in rows) == 2 * int(want["packets"])


def test_options_of_pmacct(tmp_path):
    pcap, out = tmp_path / "t.pcap", tmp_path / "out.json"
    generate("packets", 1000, 1, pcap=pcap)
    start = time.monotonic()
    subprocess.run([WEIR, "run", "--as", "pmacctd", "-I", pcap, "-Y", "2", "-Z", "2", "-P",
                    "print", "-c", "proto", "-O", "json", "-A", "-o", out], check=True, timeout=60)
    assert time.monotonic() - start >= 4
    assert sum(r["packets"] for r in json_rows(out)) == 2000  # the minute may end between


def test_waiting_after_the_last_play(tmp_path, weir):
    pcap = tmp_path / "t.pcap"
    generate("packets", 1000, 10, pcap=pcap)
    w = weir(f"plugins: memory[m]\naggregate: {TUPLE}\npcap_savefile: {pcap}\n"
             "pcap_savefile_replay: 2\npcap_savefile_wait: true\n").ready()
    poll(lambda: "staying" in w.log_text())
    poll(lambda: w.stats()["frames"] == 2000)
    w.books()
    assert w.stop() == 0


def read_all(fd):
    """What comes from a terminal until nobody has its other end any more."""
    shown = b""
    while True:
        assert select.select([fd], [], [], 120)[0], "it hangs"
        try:
            shown += os.read(fd, 4096)
        except OSError:  # EIO
            return shown.decode()


@pytest.mark.parametrize("kind", ["plain", "gzip", "pipe"])
def test_a_terminal_shows_how_far_it_is(tmp_path, kind):
    """weir is held for longer than a second, so that there is something to tell."""
    pcap, log = tmp_path / "t.pcap", tmp_path / "log"
    generate("packets", 300000, 1000, pcap=pcap)
    if kind == "gzip":
        subprocess.run(["gzip", "-1", pcap], check=True)
    name = {"plain": "t.pcap", "gzip": "t.pcap.gz", "pipe": "-"}[kind]
    plays = {"plain": 200, "gzip": 24, "pipe": 1}[kind]
    (tmp_path / "weir.conf").write_text(
        f"plugins: print\naggregate: {TUPLE}\nprint_output_file: {tmp_path}/out\n"
        f"state_dir: {tmp_path}\nlogfile: {log}\nworkers: 1\n"
        f"pcap_savefile: {name if kind == 'pipe' else tmp_path / name}\n"
        f"pcap_savefile_replay: {plays}\n")
    here, there = pty.openpty()
    with subprocess.Popen([WEIR, "run", "-f", tmp_path / "weir.conf"], stdin=subprocess.PIPE,
                          stderr=there) as child:
        os.close(there)
        if kind == "pipe":
            child.stdin.write(pcap.read_bytes()[:10**6])
            child.stdin.flush()
        poll(lambda: log.exists() and "workers" in log.read_text())
        time.sleep(0.1)
        child.send_signal(signal.SIGSTOP)
        time.sleep(1.1)
        child.send_signal(signal.SIGCONT)
        if kind == "pipe":
            child.stdin.write(pcap.read_bytes()[10**6:])
        child.stdin.close()
        shown = read_all(here)
        os.close(here)
        assert child.wait(60) == 0
    line = r"[\d.]+( [kM])? packets, [\d.]+( [kM])?/s"
    if kind != "pipe":
        line = rf"t.pcap(.gz)? \(\d+\): \d+ %, {line}, \d+:\d\d left"
    else:
        line = f"standard input: {line}"
    assert re.fullmatch(rf"((\r\x1b\[K{line})+\r\x1b\[K)+", shown), repr(shown)
