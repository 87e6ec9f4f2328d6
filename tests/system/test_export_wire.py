# SPDX-License-Identifier: GPL-2.0-or-later
"""Generated packets (IPv4, IPv6, VLAN, MPLS, tags, labels, classes) go out as NetFlow v5, v9, IPFIX
and sFlow to real receivers at once: nfdump's collectors, pmacct's, tshark and weir. Each is
compared with what was generated, or with weir's own rows of it.

WEIR_EXPORT_FLOWS=200000 makes it so many flows (HACKING.md); the rows of a million take this
process more than 7 GB, and are compared by nfdump's totals."""
import collections
import os
import re
import subprocess
import time

import pytest

import netflow
from conftest import TUPLE, Weir, free_port, generate, json_rows, poll, run_file, truth, tuple_key
from exports import KEEP, Capd, Sink, acctd_rows, counted, directory, gaps, run_paced
from test_interop import program

FLOWS = int(os.environ.get("WEIR_EXPORT_FLOWS", "6000"))
VERSIONS = (5, 9, 10)
# What each version can tell beside the tuple, and how rows call it.
TOLD = {
    5: ("tos", "tcpflags"),
    9: ("tos", "tcpflags", "vlan", "mpls_label_top", "tag", "tag2", "src_mac", "dst_mac", "etype"),
}
TOLD[10] = (*TOLD[9], "label")
SHOWN = {"tcpflags": "tcp_flags", "src_mac": "mac_src", "dst_mac": "mac_dst"}
TAG2 = 1234567890123  # pmacct shows larger ones than 2^63 as negative
MAP = f"""set_tag=7 set_label=gold filter='tcp' jeq=next
set_tag2={TAG2} filter='ip6' jeq=next
set_label=rest%of_it filter='udp'
"""


def traffic(path, ipv4):
    """A capture whose flows have VLAN tags, MPLS labels or neither; {key: (packets, octets)},
    and octets of frames."""
    octets, want, framed = b"", {}, {}
    for seed, more in enumerate((("--vlan", 30), ("--wrap", "mpls", "--vlan", 0)), 5):
        generate("packets", FLOWS, FLOWS // 2, "--ipv4", ipv4, "--uniform", "--seed", seed,
                 "--start", int(time.time()) - 60, *more,
                 pcap=path / "part.pcap", truth=path / "truth")
        part = (path / "part.pcap").read_bytes()
        octets += part if not octets else part[24:]
        for k, r in truth(path / "truth").items():
            want[k], framed[k] = (r["packets"], r["bytes"]), r["bytes_l2"]
    (path / "p.pcap").write_bytes(octets)
    return want, framed


class Sent:
    """What a weir sent of a capture to all of them, and what each made of it."""

    def __init__(self, path, version):
        self.version, self.path = version, path
        self.want, _ = traffic(path, 100 if version == 5 else 60)
        (path / "map").write_text(MAP)
        packets = sum(p for p, _ in self.want.values())
        told = ", ".join((TUPLE, *TOLD[version]))
        port = free_port()
        sink, capd, weir = Sink(), Capd(path / "capd"), Weir(
            directory(path, "in"), f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n"
            f"nfacctd_pipe_size: 8M\nplugins: print[p]\naggregate: {told}\n"
            f"nfacctd_stitching: true\nmax_entries: {2 * FLOWS + 1000}\n"
            f"print_output: json\nprint_refresh_time: 3600\nprint_output_file: {path}/theirs\n"
        ).ready()
        (path / "pools").write_text("id=1 ip=" + ",".join(
            f"127.0.0.1:{p}" for p in (sink.port, capd.port, port)) + "\n")
        try:
            run_paced(path, f"pcap_savefile: {path}/p.pcap\nplugins: nfprobe[x], print[p]\n"
                      f"aggregate: {told}\npre_tag_map: {path}/map\nnfprobe_version: {version}\n"
                      f"nfprobe_timeouts: {KEEP}\nnfprobe_receivers: {path}/pools\n"
                      f"nfprobe_maxflows: {4 * FLOWS}\nmax_entries: {4 * FLOWS}\n"
                      "nfacctd_stitching: true\nprint_output: json\nprint_refresh_time: 3600\n"
                      f"print_output_file: {path}/ours\n", (sink.port, capd.port, port))
            self.rows = json_rows(path / "ours")
            capd.end()
            self.totals, self.nfdump = capd.totals(), capd.rows()
            poll(lambda: weir.stats()["records_fed"] == len(self.rows))
            self.stats, self.targets = weir.stats(), weir.rows("exporters")
            weir.books()
            assert weir.stop() == 0
            self.weir = json_rows(path / "theirs")
            sink.close()
            self.datagrams = sink.got
            self.pmacct = acctd_rows(path, sink.got, told + ", timestamp_start, timestamp_end",
                                     lambda rows: sum(r["packets"] for r in rows) == packets)
        finally:
            for w in (capd, weir):
                w.kill()

    def names(self, *less):
        return [SHOWN.get(n, n) for n in TOLD[self.version] if n not in (*less, "tcpflags")]


def keyed(rows, names):
    """{tuple and what `names` say: (packets, octets, flags)}."""
    sums = {}
    for r in rows:
        key = (*tuple_key(r), *(r[n] for n in names))
        packets, octets, flags = sums.get(key, (0, 0, 0))
        sums[key] = (packets + r["packets"], octets + r["bytes"], flags | int(r["tcp_flags"]))
    return sums


def one_process(name):
    """Tests that share what was sent: side by side they would send it again."""
    return pytest.mark.xdist_group(f"export-{name}")


@pytest.fixture(scope="module", params=[pytest.param(v, marks=one_process(v)) for v in VERSIONS])
def sent(request, tmp_path_factory):
    return Sent(tmp_path_factory.mktemp(f"v{request.param}"), request.param)


def test_it_is_what_was_generated(sent):
    assert counted(sent.rows) == sent.want
    if sent.version != 5:
        for name, values in (("vlan", 100), ("mpls_label_top", 3), ("tag", 2), ("tag2", 2),
                             ("etype", 2)):
            assert len({r[name] for r in sent.rows}) >= values, name


def test_weir_has_the_same_rows(sent):
    more = ("timestamp_min", "timestamp_max")
    ms = [dict(r, **{n: r[n][:-3] + "000" for n in more}) for r in sent.rows]
    names = [*sent.names(), *more]
    assert keyed(sent.weir, names) == keyed(ms, names)
    assert len(sent.weir) == len(sent.rows)
    for name in ("sequence_lost", "sequence_resets", "sets_early", "kernel_drops"):
        assert sent.stats[name] == 0


def test_numbers_have_no_gap(sent):
    assert gaps(sent.datagrams) == []


def stamps(row):
    """Start and end of a row of ours as nfdump writes them, in ms."""
    return row["timestamp_min"][:-3], row["timestamp_max"][:-3]


NFDUMP_FLAGS = "CEUAPRSF"


def test_nfdump(sent):
    """Its totals, and each of its rows: times, addresses, ToS, flags, VLAN, label, counters."""
    assert sent.totals == (len(sent.rows), *(sum(r[n] for r in sent.rows)
                                             for n in ("packets", "bytes")))
    got, want = collections.Counter(), collections.Counter()
    for ts, te, sa, da, sp, dp, pr, tos, flags, vlan, mpls, _, _, pkt, byt in sent.nfdump:
        bits = sum(128 >> i for i, c in enumerate(NFDUMP_FLAGS) if c == flags[i])
        got[ts, te, sa, da, sp, dp.split(".")[0], pr, tos, bits, vlan, mpls.split("-")[0], pkt,
            byt] += 1
    for r in sent.rows:
        vlan, label = (r.get(n, 0) for n in ("vlan", "mpls_label_top"))
        want[(*stamps(r), r["ip_src"], r["ip_dst"], *(str(x) for x in (
            r["port_src"], r["port_dst"], tuple_key(r)[4], r["tos"])), int(r["tcp_flags"]),
            str(vlan), str(label), str(r["packets"]), str(r["bytes"]))] += 1
    assert got == want


# What tshark says of elements 201 and 202, whose numbers IANA has given to four octets since.
LEGACY = "Trying to fetch an unsigned integer with length 8"


def tshark(path, datagrams, fields, odd=""):
    """Every datagram's fields, after nothing was found odd in any of them but `odd`."""
    netflow.capture(path, [(1700000000, d) for d in datagrams])
    command = [program("tshark"), "-r", str(path), "-d", "udp.port==2055,cflow", "-T", "fields",
               "-E", "occurrence=a", "-E", "aggregator=|"]

    def out(*args):
        return subprocess.run([*command, *args], capture_output=True, text=True, check=True,
                              timeout=600).stdout
    messages = out("-Y", "_ws.expert || _ws.malformed", "-e", "_ws.expert.message")
    assert set(re.split(r"[|\n]", messages)) <= {"", odd}
    lines = out(*(x for f in fields for x in ("-e", f))).splitlines()
    assert len(lines) == len(datagrams)
    return [dict(zip(fields, (c.split("|") if c else [] for c in line.split("\t"))))
            for line in lines]


# Its names of what rows have; those of addresses differ by family.
FIELDS = {"port_src": "cflow.srcport", "port_dst": "cflow.dstport", "proto": "cflow.protocol",
          "packets": "cflow.packets", "bytes": "cflow.octets", "tos": "cflow.tos",
          "tcp_flags": "cflow.tcpflags", "vlan": "cflow.vlanid",
          "mpls_label_top": "cflow.mpls_label", "mac_src": "cflow.srcmac",
          "mac_dst": "cflow.dstmac", "etype": "cflow.ethernet_type"}
OURS = "cflow.enterprise_private_entry"


def dissected(version, datagram):
    """What tshark says of its records, each as {name: text}."""
    names = ["port_src", "port_dst", "proto", "packets", "bytes", "tos", "tcp_flags"]
    if version > 5:
        names += ["vlan", "mpls_label_top", "mac_src", "mac_dst", "etype"]
    columns = {n: datagram[FIELDS[n]] for n in names}
    for side in ("src", "dst"):
        columns["ip_" + side] = datagram[f"cflow.{side}addr"] or datagram[f"cflow.{side}addrv6"]
    if version == 10:
        columns.update(zip(("tag", "tag2", "label"), zip(*tags_of(datagram[OURS]))))
    assert len({len(c) for c in columns.values()}) == 1, columns
    return [dict(zip(columns, values)) for values in zip(*columns.values())]


def tags_of(texts):
    """(tag, tag2, label) of each record; of an empty label tshark says nothing."""
    texts, found = list(texts), []
    while texts:
        label = texts.pop(2) if len(texts) > 2 and len(texts[2]) != 16 else ""
        found.append((*texts[:2], label))
        del texts[:2]
    return found


def test_tshark(sent):
    """Nothing is odd in any datagram, and every field is as it was measured."""
    fields = [*FIELDS.values(), OURS, *(f"cflow.{side}addr{v}" for side in ("src", "dst")
                                        for v in ("", "v6"))]
    got = collections.Counter()
    for d in tshark(sent.path / "sent.pcap", sent.datagrams, fields,
                    LEGACY if sent.version == 9 else ""):
        for r in dissected(sent.version, d):
            got[tuple(sorted(r.items()))] += 1
    want = collections.Counter(tuple(sorted(as_tshark(sent.version, r).items()))
                               for r in sent.rows)
    assert got == want


def as_tshark(version, r):
    row = {n: str(r[n]) for n in ("ip_src", "ip_dst", "port_src", "port_dst", "packets", "bytes")}
    row.update(proto=str(tuple_key(r)[4]), tos=f"0x{r['tos']:02x}",
               tcp_flags=f"0x{int(r['tcp_flags']):02x}")
    if version > 5:
        row.update({n: str(r[n]) for n in ("vlan", "mpls_label_top", "mac_src", "mac_dst")},
                   etype=str(int(r["etype"], 16)))
    if version == 10:
        row.update({n: f"{r[n]:016x}" for n in ("tag", "tag2")}, label=r["label"].encode().hex())
    return row


def test_nfacctd(sent):
    """nfacctd 1.7.7 reads no tags of v9."""
    names = sent.names(*(("tag", "tag2") if sent.version == 9 else ()))
    assert keyed(sent.pmacct, names) == keyed(sent.rows, names)


# ---------------------------------------------------------------- sFlow

FCS = 4  # octets of each frame that sFlow counts, and nobody captures
SAMPLED = (*TOLD[9], "class")


class Samples:
    """The same of sFlow: each packet is a sample."""

    def __init__(self, path):
        self.path = path
        self.want, self.framed = traffic(path, 60)
        (path / "map").write_text(MAP)
        self.packets = sum(p for p, _ in self.want.values())
        told, port = ", ".join((TUPLE, *SAMPLED)), free_port()
        sink, capd, weir = Sink(), Capd(path / "capd", "sfcapd"), Weir(
            directory(path, "in"), f"sfacctd_ip: 127.0.0.1\nsfacctd_port: {port}\n"
            f"sfacctd_pipe_size: 8M\nplugins: memory[m]\naggregate: {told}\n"
            f"max_entries: {2 * FLOWS + 1000}\n").ready()
        (path / "pools").write_text("id=1 ip=" + ",".join(
            f"127.0.0.1:{p}" for p in (sink.port, capd.port, port)) + "\n")
        try:
            run_paced(path, f"pcap_savefile: {path}/p.pcap\nplugins: sfprobe[x], print[p]\n"
                      f"aggregate: {told}\npre_tag_map: {path}/map\nclassifiers: none\n"
                      f"sfprobe_receivers: {path}/pools\nmax_entries: {4 * FLOWS}\n"
                      "print_output: json\nprint_refresh_time: 3600\n"
                      f"print_output_file: {path}/ours\n",
                      (sink.port, capd.port, port))
            self.rows = json_rows(path / "ours")
            poll(lambda: weir.stats()["records_fed"] == self.packets)
            self.stats, self.weir = weir.stats(), weir.rows("m")
            weir.books()
            assert weir.stop() == 0
            capd.end()
            self.totals = capd.totals()
            sink.close()
            self.datagrams = sink.got
        finally:
            for w in (capd, weir):
                w.kill()


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return Samples(tmp_path_factory.mktemp("sflow"))


def sampled(rows):
    """keyed() of what samples tell."""
    return keyed(rows, [SHOWN.get(n, n) for n in SAMPLED if n != "tcpflags"])


@one_process("sflow")
def test_samples(samples):
    """weir has all that was sampled, tags at both ends; nfdump's totals; numbers."""
    assert counted(samples.rows) == samples.want
    assert counted(samples.weir) == {k: (p, samples.framed[k] + FCS * p)
                                     for k, (p, _) in samples.want.items()}
    assert {k: (p, f) for k, (p, _, f) in sampled(samples.weir).items()} == \
        {k: (p, f) for k, (p, _, f) in sampled(samples.rows).items()}
    assert samples.totals[1:] == (samples.packets, sum(r["bytes"] for r in samples.weir))
    assert gaps(samples.datagrams) == []
    for name in ("sequence_lost", "samples_lost", "samples_dropped", "parts_unknown", "parts_cut"):
        assert samples.stats[name] == 0


@one_process("sflow")
def test_sfacctd(samples):
    """Each row of IPv4 with its tags, where no MPLS is before it: sfacctd 1.7.7 looks into no
    stack of labels, and has half of the traffic class of IPv6 for its ToS."""
    names = [n for n in SAMPLED if n not in ("tcpflags", "class")]

    def plain(rows):
        return keyed([r for r in rows if r["mpls_label_top"] == 0 and ":" not in r["ip_src"]],
                     [SHOWN.get(n, n) for n in names])
    want = plain(samples.weir)
    assert len(want) > FLOWS / 10
    rows = acctd_rows(samples.path, samples.datagrams, ", ".join((TUPLE, "tcpflags", *names)),
                      lambda rows: plain(rows) == want, "sfacctd")
    assert plain(rows) == want


@one_process("sflow")
def test_tshark_of_samples(samples):
    netflow.capture(samples.path / "sent.pcap", [(1700000000, d) for d in samples.datagrams],
                    6343)
    fields = "sflow_245.numsamples", "_ws.expert.message", "sflow_245.header.frame_length"
    out = subprocess.run(
        [program("tshark"), "-r", str(samples.path / "sent.pcap"), "-d", "udp.port==6343,sflow",
         "-o", "sflow.enable_dissection:FALSE", "-T", "fields", "-E", "occurrence=a", "-E",
         "aggregator=|", *(x for f in fields for x in ("-e", f))],
        capture_output=True, text=True, check=True, timeout=600).stdout
    lines = [line.split("\t") for line in out.splitlines()]
    assert sum(int(n) for n, _, _ in lines) == samples.packets
    assert {m for _, m, _ in lines} == {""}
    assert sum(int(n) for _, _, each in lines for n in each.split("|")) == \
        sum(r["bytes"] for r in samples.weir)


# ---------------------------------------------------------------- a million


class Million:
    """A capture of a million flows, without their rows, which this process has no room for."""

    def __init__(self, path):
        self.pcap, account = path / "p.pcap", path / "truth"
        generate("packets", 1400000, 2000000, "--uniform", "--ipv4", 60, "--start",
                 int(time.time()) - 60, pcap=self.pcap, truth=account)
        self.sums = {4: [0] * 4, 6: [0] * 4}  # flows, packets, octets, octets of frames
        with open(account, encoding="ascii") as f:
            for line in f:
                if line[0] == "#":
                    continue
                c = line.rsplit(",", 4)
                sums = self.sums[6 if ":" in c[0] else 4]
                sums[0] += 1
                for i, n in ((1, c[1]), (2, c[2]), (3, c[4])):
                    sums[i] += int(n)
        account.unlink()

    def of(self, *families):
        return [sum(self.sums[f][i] for f in families) for i in range(4)]


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    m = Million(tmp_path_factory.mktemp("million"))
    assert m.of(4, 6)[0] > 1000000
    yield m
    m.pcap.unlink()


@one_process("million")
@pytest.mark.parametrize("version", [*VERSIONS, "sflow"])
def test_a_million(tmp_path, million, version):
    """nfdump has all flows, packets and octets, and no number has a gap."""
    flows, packets, octets, framed = million.of(*((4,) if version == 5 else (4, 6)))
    capd = Capd(tmp_path / "capd", "sfcapd" if version == "sflow" else "nfcapd")
    to = f"receiver: 127.0.0.1:{capd.port}\n"
    try:
        if version == "sflow":
            run_paced(tmp_path, f"pcap_savefile: {million.pcap}\nplugins: sfprobe[x]\n"
                      f"classifiers: none\nsfprobe_{to}", (capd.port,))
            want = packets, packets, framed + FCS * packets
        else:
            run_paced(tmp_path, f"pcap_savefile: {million.pcap}\nplugins: nfprobe[x]\n"
                      f"aggregate: {TUPLE}\nnfprobe_version: {version}\nnfprobe_{to}"
                      f"nfprobe_timeouts: {KEEP}\nnfprobe_maxflows: 4000000\n", (capd.port,))
            want = flows, packets, octets
        capd.end()
        assert capd.totals() == want
        assert capd.failures() == 0
    finally:
        capd.kill()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_capture_keeps_its_times(tmp_path, version):
    """Times that v5 and v9 tell in ms of uptime, of which 32 bits hold 49 days: the datagrams
    of a file are as old as what they tell of."""
    pcap = tmp_path / "p.pcap"
    generate("packets", 500, 100, "--ipv4", 100, "--pps", 10, "--start", 1400000000, pcap=pcap)
    capd = Capd(tmp_path / "capd")
    try:
        run_file(tmp_path, f"pcap_savefile: {pcap}\nplugins: nfprobe[x], print[p]\n"
                 f"aggregate: {TUPLE}\nnfprobe_version: {version}\nnfprobe_timeouts: {KEEP}\n"
                 f"nfprobe_receiver: 127.0.0.1:{capd.port}\nnfacctd_stitching: true\n"
                 f"print_output: json\nprint_output_file: {tmp_path}/ours\n")
        capd.end()
        rows = json_rows(tmp_path / "ours")
        assert len(rows) > 50
        assert sorted((r[0], r[1], r[2], int(r[-2])) for r in capd.rows()) == \
            sorted((*stamps(r), r["ip_src"], r["packets"]) for r in rows)
    finally:
        capd.kill()
