# SPDX-License-Identifier: GPL-2.0-or-later
"""RRD: a time bin of 100 000 archives through librrd and through rrdcached, beside somebody
who only sends rrdcached lines that were made beforehand.

rrdcached is a private one that writes nothing meanwhile. Median of the rounds; the first,
which makes the archives, stands by itself. CPU is what the thread took that writes.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

KEYS = 100_000
ROUNDS = 9


def rounds(tools, folder, keys, address=None):
    argv = [tools.BIN / "rrdround", folder, keys, ROUNDS, *([address] if address else [])]
    out = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, check=False)
    if out.returncode != 0:
        sys.exit(out.stderr)
    times = {"weir": [], "bare": []}
    for line in out.stdout.splitlines():
        who, wall, cpu = line.split()
        times[who].append((float(wall), float(cpu)))
    return times


def rrdcached(work):
    address = f"unix:{work}/cached.sock"
    process = subprocess.Popen(
        ["rrdcached", "-g", "-l", address, "-p", work / "cached.pid", "-b", work, "-w", "86400",
         "-f", "172800"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not (work / "cached.pid").exists():
        if process.poll() is not None or time.monotonic() > end:
            sys.exit("rrdcached does not start")
        time.sleep(0.02)
    return process, address


def measure(work, _, tools):
    keys = tools.scaled(KEYS)
    work = Path(work)
    direct = rounds(tools, work / "direct", keys)["weir"]
    shutil.rmtree(work / "direct")
    daemon, address = rrdcached(work)
    try:
        times = rounds(tools, work / "cached", keys, address)
    finally:
        daemon.kill()
        daemon.wait()
    os.sync()
    # Of the same round, as a machine is not as busy in all of them.
    ratio = statistics.median(b[0] / w[0] for w, b in zip(times["weir"][1:], times["bare"][1:]))
    table = [["", "first s", "s", "CPU s", "archives/s", "weir/bare"]]
    for who, all_of in (("librrd", direct), ("rrdcached", times["weir"]),
                        ("bare BATCH", times["bare"])):
        s, cpu = (statistics.median(t[i] for t in all_of[1:]) for i in (0, 1))
        table.append([who, f"{all_of[0][0]:.2f}", f"{s:.3f}", f"{cpu:.3f}",
                      tools.rate_text(keys / s), f"{ratio:.2f}" if who == "rrdcached" else ""])
    print(f"rrd: {keys} archives, a bin, median of {ROUNDS - 1}")
    tools.table(table)
