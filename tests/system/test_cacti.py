# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's Cacti polls weir, by cmd.php and by spine, with the data queries and the device
template that weir installs; the archives that it writes hold weir's numbers. It takes some
minutes and packages that nothing else needs (packaging/install cacti), so it runs where
WEIR_CACTI=1 says so.
"""
import os
import re
import shutil
import signal
import time

import pytest

from conftest import BUILD, Snmpd, free_port, generate, poll, truth

pytestmark = pytest.mark.skipif(not os.environ.get("WEIR_CACTI"), reason="WEIR_CACTI=1 runs it")
STEP = 10  # seconds between two values in the archives
TABLES = ("Watch", "View", "Exporter", "Collector", "Output", "Entry")


@pytest.fixture
def cacti(tmp_path):
    from cacti import Cacti
    c = Cacti(tmp_path)
    yield c
    c.close()


@pytest.fixture
def snmpd(tmp_path):
    """As the guide sets it up: Cacti asks for more than weir's objects."""
    s = Snmpd(tmp_path, "view weir included .1.3.6.1.2.1.1\n")
    yield s
    s.stop(signal.SIGKILL)


def import_all(c):
    """As the guide says: the data queries into their folder, then the template."""
    for query in (BUILD / "nms/cacti").glob("weir_*.xml"):
        shutil.copy(query, c.dir / "resource/snmp_queries")
    return c.cli("import_template", f"--filename={BUILD}/nms/cacti/cacti_device_template_weir.xml")


def graphs_add(c, host, table, name, field, value):
    """Graph a row: the value of `field` is `value`. Returns the id of its data source."""
    query = c.id_of("snmp_query", f"weir - {table}")
    template = c.id_of("graph_templates", f"weir - {table} - {name}")
    kind = c.value("SELECT id FROM snmp_query_graph WHERE snmp_query_id = "
                   f"{query} AND graph_template_id = {template}")
    said = c.cli("add_graphs", "--graph-type=ds", f"--host-id={host}",
                 f"--graph-template-id={template}", f"--snmp-query-id={query}",
                 f"--snmp-query-type-id={kind}", f"--snmp-field={field}", f"--snmp-value={value}")
    found = re.search(r"Graph Added - Graph\[\d+\] - DS\[(\d+)", said)
    assert found, said
    return found[1]


def archive(c, data_id):
    path = c.value("SELECT data_source_path FROM data_template_data "
                   f"WHERE local_data_id = {data_id}")
    return path.replace("<path_rra>", str(c.site / "rra"))


def test_cacti_graphs_what_weir_counts(tmp_path, weir, snmpd, cacti):
    from cacti import rrd_info, rrd_rows
    watches = tmp_path / "watch.map"
    watches.write_text("name=web view=talkers\nname=udp view=talkers proto=udp\n")
    port = free_port()
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: snmp[talkers], print[file]
        aggregate: src_host, dst_host, src_port, dst_port, proto
        print_refresh_time: 1
        print_output_file[file]: {tmp_path}/out
        watch_map: {watches}
        snmp_agentx_socket: unix:{snmpd.agentx}
        """).ready()
    counted = {"bytes": 0, "packets": 0, "flows": 0}

    def traffic():
        """Send some; wait until SNMP tells it."""
        generate("netflow9", 2000, 20, "--rate", 4000, udp=f"127.0.0.1:{port}",
                 truth=tmp_path / "t.csv")
        for row in truth(tmp_path / "t.csv").values():
            for name in counted:
                counted[name] += row[name]
        poll(lambda: str(counted["bytes"]) in snmpd.walk("1.11.1.5").values())

    traffic()
    # An interval of ten seconds in the archives, so that the test need not wait for minutes.
    cacti.db.client(f"UPDATE data_source_profiles SET step = {STEP}; "
                    "UPDATE data_source_profiles_rra SET steps = 1", "cacti")
    cacti.set(poller_interval=60, cron_interval=60)

    said = import_all(cacti)
    assert said.count("[new]") == said.count("[success]") >= 40 and "fail" not in said, said
    rows = cacti.value("SELECT COUNT(*) FROM graph_templates_item")
    again = import_all(cacti)
    assert "[new]" not in again and "fail" not in again, again
    assert cacti.value("SELECT COUNT(*) FROM graph_templates_item") == rows

    ours, = [line.split()[0] for line in cacti.cli("add_device", "--list-host-templates")
             .splitlines() if line.split()[1:] == ["weir"]]
    said = cacti.cli("add_device", "--description=weir", "--ip=127.0.0.1",
                     f"--template={ours}", "--version=2",
                     "--community=public", f"--port={snmpd.port}", "--avail=snmp",
                     "--max_oids=60")
    host = re.search(r"device-id: \((\d+)\)", said)[1]
    for table in TABLES:  # the template brings them; by hand it is the same
        query = cacti.id_of("snmp_query", f"weir - {table}")
        cacti.db.client(f"DELETE FROM host_snmp_query WHERE host_id = {host} AND "
                        f"snmp_query_id = {query}", "cacti")
        cacti.cli("add_data_query", f"--host-id={host}", f"--data-query-id={query}",
                  "--reindex-method=fields")
        assert int(cacti.value("SELECT COUNT(*) FROM host_snmp_cache WHERE host_id = "
                               f"{host} AND snmp_query_id = {query}")) > 0, table

    web = graphs_add(cacti, host, "Watch", "Traffic", "weirWatchName", "web")
    pairs = graphs_add(cacti, host, "Watch", "Packets and flows", "weirWatchName", "web")
    view = graphs_add(cacti, host, "View", "Traffic", "weirViewName", "talkers")
    full = graphs_add(cacti, host, "View", "Rows", "weirViewName", "talkers")
    exporter, = snmpd.walk("1.3.1.22").values()
    lost = graphs_add(cacti, host, "Exporter", "Lost or not understood", "weirExporterName",
                      exporter)
    silent = graphs_add(cacti, host, "Exporter", "Silence", "weirExporterName", exporter)
    collector, = snmpd.walk("1.2.1.2").values()
    door = graphs_add(cacti, host, "Collector", "Packets read", "weirCollectorName", collector)
    wrote = graphs_add(cacti, host, "Output", "Rows", "weirOutputName", "file")
    entry = graphs_add(cacti, host, "Entry", "Traffic", "weirEntryKey",
                       next(iter(snmpd.walk("1.5.1.4").values())))
    title = cacti.value("SELECT title_cache FROM graph_templates_graph WHERE title_cache "
                        "LIKE '%web%' ORDER BY id LIMIT 1")
    assert title == "weir - Traffic - web"

    began, at_first = int(time.time()), dict(counted)

    def known():
        """The end of the latest interval that the archive knows a value of."""
        return max((end for end, values in rrd_rows(archive(cacti, web), began)
                    if values["bytes"] is not None), default=0)

    def polled(spine, until):
        """Poll until the archive knows an interval that ends behind `until`."""
        for _ in range(8):
            said = cacti.poll_once(spine)
            assert f"Method:{'spine' if spine else 'cmd.php'}" in said, said
            if known() > until:
                return
            next_ = time.monotonic() + STEP / 2
            poll(lambda: time.monotonic() > next_, every=0.2)
        raise AssertionError(cacti.log())

    for spine in (False, True):
        polled(spine, began)  # an interval without traffic, before any counts
        traffic()
        cacti.poll_once(spine)
        assert rrd_info(archive(cacti, web))["bytes"]["last_ds"] == str(counted["bytes"])
        polled(spine, time.time())

        for data, names in ((web, {"bytes": "bytes"}),
                            (pairs, {"packets": "packets", "flows": "flows"}),
                            (view, {"bytes": "bytes"})):
            ds = rrd_info(archive(cacti, data))
            values = rrd_rows(archive(cacti, data), began)
            for name, figure in names.items():
                assert (ds[name]["type"], float(ds[name]["min"]), ds[name]["minimal_heartbeat"]) \
                    == ("DERIVE", 0, "600")
                assert ds[name]["last_ds"] == str(counted[figure])
                summed = sum(r[name] * STEP for _, r in values if r[name] is not None)
                # Rates begin with the first poll; the traffic before it is in none.
                assert summed == pytest.approx(counted[figure] - at_first[figure]), values
    for data, name, kind in ((full, "capacity", "GAUGE"), (silent, "silence", "GAUGE"),
                             (lost, "lost", "DERIVE"), (door, "packets", "DERIVE"),
                             (wrote, "written", "DERIVE"), (entry, "bytes", "DERIVE")):
        ds = rrd_info(archive(cacti, data))[name]
        assert ds["type"] == kind and ds["last_ds"].isdigit(), (name, ds)
    assert w.stop() == 0

