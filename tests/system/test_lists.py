# SPDX-License-Identifier: GPL-2.0-or-later
"""ports_file, protos_file and tos_file: values that no list has become one. nfacctd 1.7.7 knows
the first alone."""
import beside
from records import Record

RECORDS = {
    "web": Record("192.0.2.1", proto=6, sport=40000, dport=443, tos=0),
    "dns": Record("192.0.2.2", proto=17, sport=1000, dport=53, tos=184),
    "gre": Record("192.0.2.3", proto=47, tos=8),
    "six": Record("2001:db8:1::1", proto=58, tos=255),
    "both": Record("192.0.2.4", proto=6, sport=443, dport=40000, tos=184),
}
NETFLOW = beside.Input("nfacctd", RECORDS, 2100)
FILES = {"ports": "! known ones\n443\n53\n\n8080\n", "protos": "6\nudp\n", "tos": "0\n184\n"}
WANT = {  # by source
    "ports": {"192.0.2.1": (0, 443), "192.0.2.2": (0, 53), "192.0.2.3": (0, 0),
              "2001:db8:1::1": (0, 0), "192.0.2.4": (443, 0)},
    "protos": {"192.0.2.1": "tcp", "192.0.2.2": "udp", "192.0.2.3": "others",
               "2001:db8:1::1": "others", "192.0.2.4": "tcp"},
    "tos": {"192.0.2.1": 0, "192.0.2.2": 184, "192.0.2.3": 255, "2001:db8:1::1": 255,
            "192.0.2.4": 184},
}
SHOWN = {"ports": lambda r: (r["port_src"], r["port_dst"]), "protos": lambda r: r["ip_proto"],
         "tos": lambda r: r["tos"]}


def got(directory, command, names, lines=""):
    rows = beside.rows_of(directory, command, "src_host, src_port, dst_port, proto, tos",
                          [f"{name}_file[{{p}}]: {directory}/{name}" for name in names], lines)
    return {name: {r["ip_src"]: SHOWN[name](r) for r in own} for name, own in zip(names, rows)}


def test_lists(tmp_path):
    NETFLOW.write(tmp_path / "x.pcap")
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert got(tmp_path, NETFLOW.weir(), list(FILES)) == WANT
    assert beside.ask_pmacct(
        lambda more: got(tmp_path, NETFLOW.pmacct(), ["ports"], more),
        lambda theirs: [] if theirs["ports"] == WANT["ports"] else [theirs]) == []
