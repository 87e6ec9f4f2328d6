# SPDX-License-Identifier: GPL-2.0-or-later
"""Countries, postal codes, coordinates and AS by address: from databases that the test makes,
which mmdblookup reads alike, and as Debian's pmacctd (built with geoipv2) has them."""
import signal
import subprocess

import pytest

import mmdb
import test_pmacct
from conftest import WEIR, free_port, generate, poll

CITY = {
    "198.18.0.0/15": {"country": {"iso_code": "DE"}, "postal": {"code": "10115"},
                      "location": {"latitude": 52.5142, "longitude": 13.4}},
    "198.18.128.0/17": {"country": {"iso_code": "FR"},
                        "location": {"latitude": -48.125, "longitude": -2.5}},
    "198.18.192.0/18": {"registered_country": {"iso_code": "NL"}},
    "2001:2::/48": {"country": {"iso_code": "JP"}, "postal": {"code": "100-0001"}},
    "2001:2:0:8000::/49": {"country": {"iso_code": "IT"}},
}
AS = {
    "198.18.0.0/15": {"autonomous_system_number": 64500,
                      "autonomous_system_organization": "Example \"Net\""},
    "2001:2::/32": {"autonomous_system_number": 4200000000,
                    "autonomous_system_organization": "Six"},
}
PLACES = ("src_host, src_host_country, dst_host_country, src_host_pocode, dst_host_pocode, "
          "src_host_coords, dst_host_coords")


def test_the_writer(tmp_path):
    """Debian's own reader finds in the file what was put there."""
    mmdb.write(tmp_path / "city.mmdb", CITY)
    for address, path, want in [("198.18.130.1", ["country", "iso_code"], '"FR"'),
                                ("2001:2:0:8001::1", ["country", "iso_code"], '"IT"'),
                                ("198.18.1.1", ["location", "latitude"], "52.514200")]:
        out = subprocess.run(["mmdblookup", "--file", tmp_path / "city.mmdb", "--ip", address,
                              *path], capture_output=True, text=True, check=True).stdout
        assert want in out


@pytest.mark.parametrize("size", [24, 32])
def test_beside_pmacctd(tmp_path, size):
    """The same for every host; hosts that the database does not know, too."""
    version = subprocess.run(["/usr/sbin/pmacctd", "-V"], capture_output=True, text=True).stdout
    assert "--enable-geoipv2" in version
    networks = dict(list(CITY.items())[1:]) if size == 24 else CITY
    mmdb.write(tmp_path / "city.mmdb", networks, record_size=size)
    generate("packets", 2000, 200, pcap=tmp_path / "x.pcap")
    test_pmacct.compare(tmp_path, "pmacctd", tmp_path / "x.pcap", PLACES,
                        f"geoipv2_file: {tmp_path}/city.mmdb")


def test_as(tmp_path):
    mmdb.write(tmp_path / "as.mmdb", AS)
    generate("packets", 2000, 200, pcap=tmp_path / "x.pcap")
    rows = test_pmacct.rows_of(
        tmp_path, "weir", [str(WEIR), "run", "--as", "pmacctd"], pcap=tmp_path / "x.pcap",
        aggregate="src_as, src_as_name",
        more=f"geoip_as_file: {tmp_path}/as.mmdb\npmacctd_as: geoip")
    assert len(rows) == 2
    assert '"as_name_src": "Example \\"Net\\"", "as_src": 64500' in "".join(rows)
    assert '"as_name_src": "Six", "as_src": 4200000000' in "".join(rows)


def test_reload(weir, tmp_path):
    """A new database counts from the signal on; one that is none leaves the old one."""
    port, file = free_port(), tmp_path / "city.mmdb"
    mmdb.write(file, {"198.18.0.0/15": {"country": {"iso_code": "DE"}}})
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[m]\n"
             f"aggregate: src_host_country\ngeoipv2_file: {file}").ready()

    def packets(country):
        return sum(r["packets"] for r in w.rows("m") if r["country_ip_src"] == country)
    total = {}
    for country, content in [("DE", None), ("DE", b"nothing"), ("FR", "FR")]:
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif content is not None:
            mmdb.write(file, {"198.18.0.0/15": {"country": {"iso_code": content}}})
        if content is not None:
            logged = w.log_text().count("geoipv2_file")
            w.process.send_signal(signal.SIGUSR2)
            poll(lambda logged=logged: w.log_text().count("geoipv2_file") > logged)
        got = generate("netflow5", 100, 10, udp=f"127.0.0.1:{port}")
        total[country] = total.get(country, 0) + int(got["packets"])
        poll(lambda country=country: packets(country) == total[country])
    w.books()
