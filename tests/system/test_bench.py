"""The programs that measure: each way to measure can be asked for, and one runs through."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import BUILD

RUN = Path(__file__).resolve().parents[2] / "bench" / "run.py"


def bench(*flags, **environment):
    env = dict(os.environ, BENCH_BIN=str(BUILD / "bench"), WEIR=str(BUILD / "weir"),
               **environment)
    return subprocess.run([sys.executable, str(RUN), *flags], env=env, text=True,
                          capture_output=True, timeout=120)


def test_help_names_what_can_be_measured():
    got = bench("--help")
    assert got.returncode == 0, got.stderr
    for option in ("udp", "live", "sql", "snmp", "tee", "print", "rrd", "export"):
        assert f"--{option} " in got.stdout


def test_one_case_runs_and_its_totals_are_exact():
    got = bench("--runs", "1", "--only", "NetFlow v5", "--without-peers", BENCH_SCALE="0.002")
    assert got.returncode == 0, got.stderr
    row = next(line for line in got.stdout.splitlines() if line.split()[:1] == ["weir"])
    assert "exact" in row
