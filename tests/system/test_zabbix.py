# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Zabbix imports the template that weir installs, discovers what there is, holds
weir's numbers and sees a problem. Where WEIR_ZABBIX=1 says so, as it needs packages of its
own (packaging/install zabbix) and a minute or two."""
import os

import pytest

from conftest import BUILD, free_port, generate, poll, truth

pytestmark = pytest.mark.skipif(not os.environ.get("WEIR_ZABBIX"),
                                reason="WEIR_ZABBIX=1 runs it")
TEMPLATE = BUILD / "nms/zabbix/zabbix_template_weir.yaml"


@pytest.fixture
def zabbix(tmp_path):
    from zabbix import Zabbix
    z = Zabbix(tmp_path)
    yield z
    z.close()


def test_zabbix_discovers_counts_and_alarms(tmp_path, weir, snmpd, zabbix):
    watches, thresholds = tmp_path / "watch.map", tmp_path / "threshold.map"
    watches.write_text("name=web view=talkers\n")
    thresholds.write_text("name=many scope=view subject=talkers metric=rows rising=10 window=1\n")
    port = free_port()
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: snmp[talkers], print[file]
        aggregate: src_host, dst_host, src_port, dst_port, proto
        print_refresh_time: 1
        print_output_file[file]: {tmp_path}/out
        watch_map: {watches}
        threshold_map: {thresholds}
        snmp_agentx_socket: unix:{snmpd.agentx}
        """).ready()

    def traffic():
        generate("netflow9", 2000, 20, udp=f"127.0.0.1:{port}", truth=tmp_path / "t.csv")
        return sum(row["bytes"] for row in truth(tmp_path / "t.csv").values())

    before = traffic()
    poll(lambda: snmpd.walk("1.11.1.5").values() and
         [str(before)] == list(snmpd.walk("1.11.1.5").values()))

    for _ in range(2):  # and once more: nothing is made twice
        zabbix.import_yaml(TEMPLATE.read_text())
    template, = zabbix.call("template.get", filter={"host": "weir by SNMP"})
    template = {"templateid": template["templateid"]}
    rules = zabbix.call("discoveryrule.get", hostids=template["templateid"])
    assert {r["key_"] for r in rules} == {f"weir.{t}.discovery" for t in (
        "watch", "view", "exporter", "collector", "interface", "output", "threshold")}
    group, = zabbix.call("hostgroup.get", filter={"name": "Zabbix servers"})
    host = zabbix.call(
        "host.create", host="router", groups=[{"groupid": group["groupid"]}],
        templates=[template], macros=[{"macro": "{$WEIR.EXPORTER.SILENCE}", "value": "3"}],
        interfaces=[{"type": 2, "main": 1, "useip": 1, "ip": "127.0.0.1", "dns": "",
                     "port": str(snmpd.port),
                     "details": {"version": 2, "community": "public", "bulk": 1}}])["hostids"][0]
    zabbix.server_start()

    def items():
        return {i["key_"]: i for i in zabbix.call("item.get", hostids=host, output="extend")}

    def ask(ids):
        """Have them polled now."""
        zabbix.call("task.create", [{"type": 6, "request": {"itemid": i}} for i in ids])

    def discovered():
        ask([r["itemid"] for r in zabbix.call("discoveryrule.get", hostids=host)])
        keys = [k.partition("[")[0] for k in items()]
        return {"weirWatchBytes", "weirViewRows", "weirExporterSequenceLost",
                "weirCollectorKernelDrops", "weirOutputWritten",
                "weirThresholdAlarms"} <= set(keys) and keys
    poll(discovered, 120, every=3)

    def polled():
        """All have been asked for, and none is beyond what weir answers."""
        found = items()
        ask([i["itemid"] for i in found.values()])
        return all(int(i["lastclock"]) for i in found.values()) and found
    found = poll(polled, 240, every=5)
    assert [i for i in found.values() if i["state"] != "0"] == []
    rows, = [i for k, i in found.items() if k.startswith("weirViewRows[")]
    assert rows["lastvalue"] == next(iter(snmpd.walk("1.4.1.5").values()))
    assert found["weirBooksBalance"]["lastvalue"] == "1"
    assert found["weirVersion"]["lastvalue"].startswith("weir ")

    # What is sent now stands in the values from now on: bits per second, times seconds.
    web, = [i["itemid"] for k, i in found.items() if k.startswith("weirWatchBytes[")]

    def history():
        rows = zabbix.call("history.get", itemids=web, history=0, sortfield="clock",
                           output="extend")
        return sorted((int(r["clock"]) + int(r["ns"]) / 1e9, float(r["value"])) for r in rows)
    start = history()[-1][0]
    sent = traffic()
    poll(lambda: [str(before + sent)] == list(snmpd.walk("1.11.1.5").values()))

    def all_there():
        ask([web])
        rows = [(at, value) for at, value in history() if at >= start]
        bits = sum(value * (at - past) for (past, _), (at, value) in zip(rows, rows[1:]))
        return bits == pytest.approx(8 * sent, rel=0.001)
    poll(all_there, 120, every=3)

    def problems():
        ask([i["itemid"] for k, i in items().items() if "Silence" in i["name"] or
             k.startswith("weirThresholdAlarms")])
        return {p["name"] for p in zabbix.call("problem.get", hostids=host)}
    exporter, = snmpd.walk("1.3.1.22").values()
    wanted = {f"Exporter {exporter} is silent", "Threshold many is crossed"}
    poll(lambda: wanted <= problems(), 120, every=3)
    assert w.stop() == 0
