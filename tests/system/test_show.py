# SPDX-License-Identifier: GPL-2.0-or-later
"""weir show of weir's own state: every table in every form, and the configuration."""
import csv
import io
import json
import subprocess

import pytest

from conftest import WEIR, free_port, poll
from test_doors import send_from

TABLES = ["views", "exporters", "interfaces", "collectors", "outputs", "targets", "rules",
          "watches", "thresholds", "alarms", "stats", "books", "classes",
          "config"]
FULL = {"views", "exporters", "collectors", "outputs", "stats", "books", "config", "rules"}


@pytest.fixture
def running(tmp_path, weir):
    port, rules = free_port(), tmp_path / "tags"
    rules.write_text("set_tag=1 ip=127.0.0.1\n")
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m], print[p]\n"
             f"aggregate: src_host\nprint_output_file: {tmp_path}/out\n"
             f"print_output[p]: csv\nprint_output: json\npre_tag_map: {rules}\n").ready()
    send_from("127.0.0.1", port)
    poll(lambda: w.stats()["records_fed"] == 1)
    return w


def test_every_table_in_every_form(running):
    for table in TABLES:
        rows = running.rows(table)
        text = running.show(table, "--all")
        lines = list(csv.DictReader(io.StringIO(running.show(table, "--csv"))))
        assert len(lines) == len(rows)
        assert table not in FULL or (rows and text), table
        if rows and table != "books":
            assert len(lines[0]) == len(rows[0])
            assert len(text.splitlines()) >= len(rows) + 1, text


@pytest.mark.parametrize("words,near", [
    (["shwo"], "no command 'shwo'; did you mean 'show'?"),
    (["show", "exporter"], "no view 'exporter'; there are: m; did you mean 'exporters'?"),
    (["show", "n"], "no view 'n'; there are: m\n")])
def test_misspelt(running, words, near):
    out = subprocess.run([WEIR, *words], env={"WEIR_SOCKET": str(running.socket)},
                         capture_output=True, text=True, timeout=30)
    assert out.returncode == 1 and near in out.stderr


def test_help_is_no_mistake():
    for word in ("help", "--help", "-h"):
        out = subprocess.run([WEIR, word], capture_output=True, text=True, timeout=30)
        assert out.returncode == 0 and "usage: weir COMMAND" in out.stdout


def test_config(running):
    name = running.file.name
    lines = running.file.read_text().splitlines()
    written = {(r["directive"], r["plugin"]): r for r in running.rows("config")}
    row = written["print_output", "p"]
    assert (row["value"], row["from"]) == (
        "csv", f"{running.file}:{lines.index('print_output[p]: csv') + 1}")
    assert ("max_entries", "") not in written and name in row["from"]
    everything = {(r["directive"], r["plugin"]): r for r in
                  map(json.loads, running.show("config", "--json", "--all").splitlines())}
    row = everything["max_entries", ""]
    assert (row["value"], row["from"]) == ("1000000", "default")
    assert set(written) < set(everything)
    assert ("print_output_file", "p") in everything and ("print_output_file", "m") not in everything
    assert ("print_refresh_time", "p") in everything and ("sql_refresh_time", "m") in everything
    assert ("sql_refresh_time", "p") not in everything
    printed = subprocess.run([WEIR, "check", "--print", "-f", running.file], capture_output=True,
                             text=True, check=True).stdout.splitlines()
    assert "print_refresh_time[p]: 60" in printed and "sql_refresh_time[m]: 60" in printed
