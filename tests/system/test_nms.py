# SPDX-License-Identifier: GPL-2.0-or-later
"""The files for managers of networks are whole: what refers to something finds it, and the
data queries find the rows that a real snmpd shows."""
import re
import socket
import xml.etree.ElementTree as ET

import sflow
from conftest import BUILD, OID, free_port, poll
from netflow import v5

CACTI = BUILD / "nms/cacti"
BUILT_IN = {  # Cacti's own: Get SNMP Data (Indexed), its inputs, bytes to bits, %8.2lf %s
    "bf566c869ac6443b0c75d1c32b5a350e", "6027a919c7c7731fbe095b6f53ab127b",
    "cbbe5c1ddfb264a6e5d509ce1c78c95f", "e6deda7be0f391399c5130e7c4a48b28",
    "73f95f8b77b5508157d64047342c421e", "e9c43831e54eca8069317a2ce8c6f751"}


def queries():
    return {q.name: ET.parse(q).getroot() for q in CACTI.glob("weir_*.xml")}


def test_the_template_for_cacti_refers_to_what_it_has():
    root = ET.parse(CACTI / "cacti_device_template_weir.xml").getroot()
    made = [e.tag for e in root.iter() if e.tag.startswith("hash_")]
    assert len(made) == len(set(made)) > 300
    ids = {tag[-32:] for tag in made}
    meant = {h for e in root.iter() if e.text
             for h in re.findall(r"hash_\d{6}([0-9a-f]{32})", e.text)}
    assert meant <= ids | BUILT_IN
    files = queries()
    for query in root.iter():
        if query.find("xml_path") is None:
            continue
        path = query.find("xml_path").text.removeprefix("<path_cacti>/resource/snmp_queries/")
        outputs = {f.tag for f in files.pop(path).find("fields")
                   if f.find("direction").text == "output"}
        assert {e.text for e in query.iter("snmp_field_name")} == outputs
    assert not files
    for item in root.iter():
        if item.find("data_source_type_id") is not None:
            assert item.find("rrd_minimum").text == "0"
            assert item.find("data_source_type_id").text in ("1", "3")  # GAUGE, DERIVE
            assert len(item.find("data_source_name").text) <= 19


def test_data_queries_find_the_rows_of_snmpd(tmp_path, weir, snmpd):
    watches = tmp_path / "watch.map"
    watches.write_text("name=web view=talkers\n")
    port, sflow_port = free_port(), free_port()
    w = weir(f"""
        nfacctd_ip: ::
        nfacctd_port: {port}
        sfacctd_ip: 127.0.0.1
        sfacctd_port: {sflow_port}
        plugins: snmp[talkers]
        aggregate: src_host
        watch_map: {watches}
        snmp_agentx_socket: unix:{snmpd.agentx}
        """).ready()
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.sendto(v5("10.0.0.1", "10.0.0.2"), (address, port))
            s.sendto(v5("10.0.0.2", "10.0.0.1"), (address, port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(sflow.datagram(1, *(sflow.counters(1, n, sflow.interface(n, 10 * n, 7))
                                     for n in (3, 12))), ("127.0.0.1", sflow_port))
    poll(lambda: sorted(snmpd.walk("1.3.1.22").values()) ==
         ["127.0.0.1/0", "192.0.2.9/0", "::1/0"] and len(snmpd.walk("1.5.1.4")) == 2)
    # Interfaces are looked at every five seconds.
    poll(lambda: list(snmpd.walk("1.12.1.21").values()) == ["192.0.2.9/0:3", "192.0.2.9/0:12"])
    for name, query in queries().items():
        pattern = query.find("oid_index_parse").text.removeprefix("OID/REGEXP:")
        where = query.find("oid_index").text
        assert where.startswith(f".{OID}.")
        rows = snmpd.walk(where.removeprefix(f".{OID}."))
        assert rows, name
        for index in rows:
            assert re.sub(pattern, r"\1", f"{where}.{index}") == index
        # The first of the index fields tells the rows apart.
        assert len(set(rows.values())) == len(rows)
        for field in query.find("fields"):
            oid = field.find("oid")
            if oid is not None:
                assert set(snmpd.walk(oid.text.removeprefix(f".{OID}."))) == set(rows), field.tag
    assert w.stop() == 0
