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
65103,192.0.0.0/16
65101,192.0.2.0/24
65102,192.0.2.128/25

65104,198.51.100.0/24
65106,198.51.100.128/25
192.0.2.7/32
"""
AGGREGATE = "src_host, dst_host, src_as, dst_as, src_net, dst_net, src_mask, dst_mask"
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
