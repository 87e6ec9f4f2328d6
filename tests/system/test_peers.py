# SPDX-License-Identifier: GPL-2.0-or-later
"""Peer AS and next hops of networks_file, and whose word they are: as Debian's nfacctd has it.

NetFlow v5 is left out: there nfacctd 1.7.7 never takes the next hop of the file.
"""
import pytest

from conftest import generate
from test_pmacct import compare

NETWORKS = """1_10,198.18.128.0/17
10.0.0.1,2_20,198.18.234.0/24
3,198.18.192.0/18
10.0.0.2,4,198.19.0.0/16
10.0.0.3,44,198.19.54.0/28
5_50,2001:2::/47
"""
AGGREGATE = "src_host, dst_host, src_as, dst_as, peer_src_as, peer_dst_as, peer_dst_ip"


@pytest.mark.parametrize("lines", [
    "nfacctd_as_new: true\nnfacctd_net: file",
    "nfacctd_as: fallback\nnfacctd_net: fallback",
    "nfacctd_as: longest\nnfacctd_net: longest\nnetworks_file_no_lpm: true",
    "nfacctd_peer_as: true",
], ids=lambda lines: lines.replace("\n", ","))
def test_peers(tmp_path, lines):
    pcap, networks = tmp_path / "x.pcap", tmp_path / "networks"
    generate("netflow9", 500, 50, pcap=pcap)
    networks.write_text(NETWORKS)
    compare(tmp_path, "nfacctd", pcap, AGGREGATE, f"networks_file: {networks}\n{lines}")


def test_sflow_of_ipv6_without_a_network(tmp_path):
    """What no prefix holds is 0.0.0.0 of IPv4, and :: of IPv6."""
    pcap = tmp_path / "x.pcap"
    generate("sflow5", 500, 50, pcap=pcap)
    compare(tmp_path, "sfacctd", pcap, "src_net, dst_net, src_mask")
