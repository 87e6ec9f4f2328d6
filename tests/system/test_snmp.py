# SPDX-License-Identifier: GPL-2.0-or-later
"""The subagent behind a real snmpd."""
import signal

from conftest import TUPLE, free_port, generate, poll, truth

ENTRY, VIEW = "1.5.1", "1.4.1"


def start(tmp_path, weir, snmpd, records=20000, keys=500):
    port, csv = free_port(), tmp_path / "t.csv"
    w = weir(f"""
        nfacctd_ip: 127.0.0.1
        nfacctd_port: {port}
        plugins: snmp[talkers]
        aggregate: {TUPLE}, flows
        snmp_agentx_socket: unix:{snmpd.agentx}
        """).ready()
    generate("netflow9", records, keys, "--rate", 2000, udp=f"127.0.0.1:{port}", truth=csv)
    return w, truth(csv)


def test_every_row_is_there_and_right(tmp_path, weir, snmpd):
    w, wanted = start(tmp_path, weir, snmpd)
    total = sum(row["packets"] for row in wanted.values())
    poll(lambda: list(snmpd.walk(f"{VIEW}.9").values()) == [str(total)])
    keys = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    columns = {name: snmpd.walk(f"{ENTRY}.{n}")
               for name, n in (("bytes", 6), ("packets", 7), ("flows", 8))}
    for index, key in keys.items():
        words = dict(word.split("=", 1) for word in key.split())
        protos = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}
        at = (words["src_host"], words["dst_host"], int(words["src_port"]),
              int(words["dst_port"]), protos[words["proto"]])
        for name, values in columns.items():
            assert int(values[index]) == wanted[at][name], (key, name)
    summary = snmpd.walk(f"{ENTRY}.5")
    assert set(summary) == set(keys)
    for index, text in summary.items():
        assert f"bytes={columns['bytes'][index]} " in text
    w.books()
    assert w.stop() == 0


def test_it_is_back_after_snmpd_was_killed(tmp_path, weir, snmpd):
    w, wanted = start(tmp_path, weir, snmpd, 2000, 50)
    before = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    snmpd.stop(signal.SIGKILL)
    snmpd.agentx.unlink(missing_ok=True)
    snmpd.start()
    after = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k,
                 seconds=5)
    assert after == before
    assert w.process.poll() is None
    assert w.stop() == 0


def test_indexes_are_the_same_after_a_restart(tmp_path, weir, snmpd):
    w, wanted = start(tmp_path, weir, snmpd, 2000, 50)
    before = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    assert w.stop() == 0
    poll(lambda: not snmpd.walk(f"{ENTRY}.4"))
    start(tmp_path, weir, snmpd, 2000, 50)
    after = poll(lambda: (k := snmpd.walk(f"{ENTRY}.4")) and len(k) == len(wanted) and k)
    assert after == before
