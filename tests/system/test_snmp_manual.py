# SPDX-License-Identifier: GPL-2.0-or-later
"""What docs/snmp.md shows of net-snmp's tools is what they print."""
import os
import pathlib
import re
import shlex
import subprocess

from conftest import BUILD, free_port, poll
from test_doors import send_from
from test_snmp import ENTRY

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def examples():
    """[(command, [line])]: what stands behind `$ ` in the page, and what follows it."""
    page = (SOURCE / "docs/snmp.md").read_text()
    text = page.split("## With names")[1].split("\n## ")[0]
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ") or not line]
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append((shlex.split(line[2:]), []))
        elif found and line:
            found[-1][1].append(line)
    return found


def masked(line):
    """Without what depends on when it is asked."""
    line = re.sub(r"\d+-\d+-\d+,[\d:.]+,\+\d+:\d+", "DATE", line)
    line = re.sub(r"\d+:\d+:\d\d:\d\d\.\d\d", "TICKS", line)
    line = re.sub(r"last=\d+", "last=N", line)
    return re.sub(r"\d+ (\w+ per second)", r"N \1", line)


def test_the_manual_shows_what_the_tools_print(tmp_path, weir, snmpd):
    watches = tmp_path / "watch.map"
    watches.write_text("name=web view=talkers dst_host=198.51.100.0/24\n")
    port = free_port()
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: snmp[talkers]
        aggregate: src_host, dst_host
        max_entries: 1000
        snmp_index[talkers]: 1
        snmp_agentx_socket: unix:{snmpd.agentx}
        watch_map: {watches}
        """).ready()
    send_from("127.0.0.1", port, times=3)
    poll(lambda: list(snmpd.walk(f"{ENTRY}.6").values()) == ["1950"])
    env = dict(os.environ, MIBS="WEIR-MIB", LC_ALL="C", TZ="UTC",
               MIBDIRS=f"{SOURCE / 'tests/mibs'}:{BUILD / 'mibs'}")
    shown = examples()
    assert {command[0] for command, _ in shown} == {"snmptranslate", "snmpbulkwalk", "snmpget",
                                                   "snmptable"}
    for command, want in shown:
        argv = [word.replace("localhost", f"127.0.0.1:{snmpd.port}") for word in command]
        out = subprocess.run(argv, env=env, capture_output=True, text=True)
        got = [masked(line) for line in out.stdout.splitlines() if line]
        assert got[:len(want)] == [masked(line) for line in want], (command, out.stderr)
        assert len(got) == len(want) or "-Td" in command
    assert w.stop() == 0
