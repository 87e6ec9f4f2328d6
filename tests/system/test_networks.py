# SPDX-License-Identifier: GPL-2.0-or-later
"""networks_file and its like: AS, network and mask of records, in weir and in Debian's nfacctd.

Left out, as 1.7.7 is at fault there: IPv6, where it finds any network of the file that shares
the first words of an address; with `longest` records of an AS without a mask, which lose it;
networks_file_filter where AS and mask come from records, which keeps those of addresses that
it makes zero.
"""
import pytest

import beside
from records import Record

RECORDS = {
    "both known": Record("192.0.2.1", dst="198.51.100.1", src_as=65001, dst_as=65002, src_mask=24,
                         dst_mask=24),
    "nested": Record("192.0.2.130", dst="198.51.100.130", src_as=65001, dst_as=65002, src_mask=16,
                     dst_mask=28),
    "one known": Record("192.0.9.9", dst="203.0.113.5", src_as=65001, dst_as=65002, src_mask=24,
                        dst_mask=24),
    "none known": Record("203.0.113.9", dst="203.0.113.5", src_as=65001, dst_as=65002,
                         src_mask=24, dst_mask=20),
    "at the ends": Record("192.0.3.0", dst="192.0.2.255", src_as=65001, dst_as=65002,
                          src_mask=12, dst_mask=32),
    "nothing told": Record("192.0.2.7", dst="203.0.113.6"),
}
NETFLOW = beside.Input("nfacctd", RECORDS, 2100)
NETWORKS = """! the most special counts
65110_65103,192.0.0.0/16
65101,192.0.2.0/24
65102,192.0.2.128/25

65104,198.51.100.0/24
192.0.2.254,65111_65106,198.51.100.128/25
192.0.2.7/32
"""
AGGREGATE = ("src_host, dst_host, src_as, dst_as, src_net, dst_net, src_mask, dst_mask, "
             "peer_src_as, peer_dst_as, peer_dst_ip")
FILE = "networks_file[{p}]: {dir}/networks\n"
PLUGINS = [  # and whether rows are compared where nothing comes of the file
    ("", True),
    ("networks_mask[{p}]: 20", True),
    (FILE, True),
    (FILE + "networks_mask[{p}]: 20", True),
    (FILE + "networks_no_mask_if_zero[{p}]: true", True),
    (FILE + "networks_file_no_lpm[{p}]: true", True),
    (FILE + "networks_file_filter[{p}]: true", False),
    (FILE + "networks_file_filter[{p}]: true\nnetworks_no_mask_if_zero[{p}]: true", False),
]


@pytest.mark.parametrize("lines,of_file", [
    ("", False), ("nfacctd_as: netflow\nnfacctd_net: netflow", False),
    ("nfacctd_as: file\nnfacctd_net: file", True),
    ("nfacctd_as: longest\nnfacctd_net: longest", True)], ids=["unsaid", "netflow", "file",
                                                               "longest"])
def test_networks(tmp_path, lines, of_file):
    (tmp_path / "networks").write_text(NETWORKS)
    NETFLOW.write(tmp_path / "x.pcap")
    plugins = [p.replace("{dir}", str(tmp_path)) for p, always in PLUGINS
               if (FILE in p if of_file else always)]

    def rows(command, more=""):
        return [sorted(str(row) for row in own) for own in beside.rows_of(
            tmp_path, command, AGGREGATE, plugins, f"{lines}\n{more}")]
    ours = rows(NETFLOW.weir())
    assert all(len(own) == len(RECORDS) for own in ours)
    assert beside.ask_pmacct(
        lambda more: rows(NETFLOW.pmacct(), more),
        lambda got: [(p, o, t) for p, o, t in zip(plugins, ours, got) if o != t]) == []


def test_ipv6(tmp_path):
    """What nfacctd 1.7.7 cannot: the most special of the networks that hold an address."""
    sources = {  # AS, neighbouring AS, network, mask
        "2001:db8:1::1": (65201, 0, "2001:db8:1::", 48),
        "2001:db8:1:1::1": (65202, 65203, "2001:db8:1:1::", 64),
        "2001:db8:2::1": (0, 0, "2001:db8::", 32),
        "2001:db9::1": (0, 0, "::", 0),
    }
    given = beside.Input("nfacctd", {src: Record(src, src_as=65001) for src in sources}, 2100)
    given.write(tmp_path / "x.pcap")
    (tmp_path / "networks").write_text("2001:db8::/32\n65201,2001:db8:1::/48\n"
                                       "65203_65202,2001:db8:1:1::/64\n")
    rows, = beside.rows_of(tmp_path, given.weir(), "src_host, src_as, peer_src_as, src_net, src_mask",
                           [f"networks_file[{{p}}]: {tmp_path}/networks"],
                           "nfacctd_as: file\nnfacctd_net: file")
    assert {r["ip_src"]: (r["as_src"], r["peer_as_src"], r["net_src"], r["mask_src"])
            for r in rows} == sources
