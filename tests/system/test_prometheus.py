# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's snmp_exporter scrapes weir with the snmp.yml that weir installs, which is what its
own generator makes of WEIR-MIB."""
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import BUILD, free_port, generate, poll, truth

NMS = BUILD / "nms"
ROOT = __file__.rsplit("/tests/", 1)[0]
EXPORTER, GENERATOR = "prometheus-snmp-exporter", "prometheus-snmp-generator"
pytestmark = pytest.mark.skipif(not shutil.which(EXPORTER), reason=f"no {EXPORTER}")


def test_snmp_yml_is_what_the_generator_makes(tmp_path):
    shutil.copy(f"{ROOT}/nms/snmp_exporter-generator.yml", tmp_path / "generator.yml")
    subprocess.run([GENERATOR, "generate"], cwd=tmp_path, check=True, capture_output=True,
                   env=dict(os.environ, MIBS="ALL",
                            MIBDIRS=f"{BUILD}/mibs:{ROOT}/tests/mibs"))
    assert (tmp_path / "snmp.yml").read_text() == (NMS / "snmp.yml").read_text(), \
        "make nms-snmp-yml"


def test_a_scrape_has_weirs_numbers(tmp_path, weir, snmpd):
    watches, thresholds = tmp_path / "watch.map", tmp_path / "threshold.map"
    watches.write_text("name=web view=talkers\nname=lab view=talkers src_host=192.0.2.0/24\n")
    thresholds.write_text("name=many scope=view subject=talkers metric=rows rising=5 window=1\n"
                          "name=more scope=view subject=talkers metric=rows rising=6 window=1\n")
    port = free_port()
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        sfacctd_port: {free_port()}
        plugins: snmp[talkers], print[file]
        aggregate: src_host, dst_host, src_port, dst_port, proto
        print_refresh_time: 1
        print_output_file[file]: {tmp_path}/out
        watch_map: {watches}
        threshold_map: {thresholds}
        snmp_agentx_socket: unix:{snmpd.agentx}
        """).ready()
    generate("netflow9", 2000, 50, "--rate", 4000, udp=f"127.0.0.1:{port}",
             truth=tmp_path / "t.csv")
    total = sum(row["bytes"] for row in truth(tmp_path / "t.csv").values())
    poll(lambda: str(total) in snmpd.walk("1.11.1.5").values())
    poll(lambda: set(snmpd.walk("1.9.1.14").values()) == {"3"})  # raised
    listen = free_port(socket.SOCK_STREAM)
    exporter = subprocess.Popen(
        [EXPORTER, f"--config.file={NMS}/snmp.yml", f"--web.listen-address=127.0.0.1:{listen}"],
        stdout=(tmp_path / "exporter.log").open("w"), stderr=subprocess.STDOUT)

    def scrape():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{listen}/snmp?module=weir&"
                                        f"target=127.0.0.1:{snmpd.port}", timeout=30) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as e:  # two series of one name, for instance
            raise AssertionError(e.read().decode()) from e
        except OSError:
            return None  # it has not started as yet
    try:
        text = poll(scrape)
    finally:
        exporter.terminate()
        exporter.wait(30)
    series = {}
    for name, labels, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.M):
        series[name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))] = float(value)
    assert series["weirWatchBytes", (("weirWatchName", "web"),)] == total
    assert series["weirWatchBytes", (("weirWatchName", "lab"),)] == 0
    assert series["weirViewBytes", (("weirViewName", "talkers"),)] == total
    assert series["weirBooksBalance", ()] == 1
    exporters = {k: v for k, v in series.items() if k[0] == "weirExporterRecords"}
    (_, labels), = exporters
    assert dict(labels)["weirExporterAddress"] == "127.0.0.1" and set(exporters.values()) == {2000}
    assert {dict(k[1])["weirThresholdName"] for k in series if k[0] == "weirAlarmValue"} \
        == {"many", "more"}
    assert {dict(k[1])["weirOutputName"] for k in series if k[0] == "weirOutputWritten"} \
        >= {"file"}
    assert w.stop() == 0
