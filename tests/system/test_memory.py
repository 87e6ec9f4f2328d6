# SPDX-License-Identifier: GPL-2.0-or-later
"""weir show with the options of pmacct's client, and weir called pmacct, beside Debian's
pmacctd, nfacctd and pmacct over the same captures.

What differs, and why:
- With -a the titles of 1.7.7 are not those of its rows: there is none for MPLS_VPN_RD,
  MPLS_PW_ID, SRC_NET, DST_NET and VXLAN, so that all behind them is under another's title, and
  in CSV LABEL stands before CLASS, whose value comes first. Rows are the same; titles are those
  of the rows here.
- The order of rows: pmacct's is that of its hash table. Lines are compared sorted, where no
  order was asked for.
- pmacct 1.7.7 prints lines of zeros behind an answer to -N with -r, and resets only the table
  of one client at a time.
- Without a number -T of pmacct 1.7.7 shows a row of zeros besides.
- pmacctd 1.7.7 crashes over the capture when it counts flows: there are none in the table
  of packets.
- In formatted text the title of a primitive of raw octets is narrower there than its values.
- -t tells how full weir's table is; it has no buckets to list. -U tells where a primitive of one's
  own lies in pmacct's memory, and lists none here.
- A row of which all primitives are zero is not shown by pmacct: "none" has no row there.
- JSON has mpls_vpn_rd_origin besides, as newer versions do. Of protocols beyond 133 1.7.7 writes
  whatever lies behind its list of names.
- Values that are none of their primitive are refused; pmacct makes a number of what it can, and
  compares that. It refuses protocol 0, names of protocols in capitals and with -u, and knows
  fewer primitives. A form (-O) that there is not is no warning but an error.
- -e with -M is refused where so many lists are given that not all that they pick might be shown.
- Times are in the zone of weir itself, not of its client.
- Complaints are worded otherwise; whether there is one is the same.
"""
import concurrent.futures
import csv
import grp
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import pytest

from conftest import WEIR, free_port, generate, poll
from test_doors import send_from

pytestmark = pytest.mark.xdist_group("memory")

AGGREGATE = "src_host, dst_host, src_port, dst_port, proto, tos, vlan, etype, src_mac"
LISTS = "tcp,53\n! a comment\n\n udp , *\n*,443\n"

SAME = [  # a line that is compared as it is begins with '='
    "-s", "-s -O formatted", "-s -O csv", "-s -O json", "-s -O event_formatted", "-s -O event_csv",
    "-s -u", "-s -u -O csv", "-s -u -O json", "-s -I", "-s -I -O csv", "-s -I -O json", "-s -0",
    "-s -0 -O csv", "-s -0 -O json", "-s -O csv -E ;", "-s -O csv -E \\t", "-s -O csv -E |",
    "-s -l", "=-s -T bytes,10 -O csv", "=-s -T packets,1 -O json", "=-s -T bytes,3",
    "=-c proto -N tcp", "=-c proto -N 6", "=-c proto -N tcp -n packets", "=-c proto -N tcp -n bytes",
    "=-c proto -N tcp -n flows", "=-c proto -N tcp -n all", "=-c proto -N tcp;udp",
    "=-c proto -N tcp;udp -n all", "=-c proto -N tcp;udp -S", "=-c proto -N tcp;udp -n all -S",
    "=-c proto -N 99 -n all", "=-c src_port,proto -N *,tcp;53,* -n all",
    "=-c etype -N 800 -n all", "=-c etype -N 86dd -n all", "=-c tag -N 3 -n all",
    "=-c src_mac -N 02:00:00:00:00:01 -n all", "=-c proto,dst_port -N file:LISTS -n all",
    "=-c vlan -N 0 -n all", "-c proto -M tcp", "-c proto -M tcp;udp -O csv",
    "-c proto -M tcp -O json", "-c dst_port,proto -M *,udp -O event_csv", "-c proto -M 99",
    "-c proto,dst_port -M file:LISTS -O csv", "=-c proto -M tcp -T bytes,5 -O csv",
    "-c src_port -M 443;53 -u -I -O csv", "=-C", "=-i",
    "=-c tos -N 0;32;72 -n all", "-s -a -O json", "=-s -T packets,3 -u -O csv", "-s -I -0 -O csv",
    "-c src_host,proto -M 198.18.234.76,*;*,tcp -O csv", "-c proto -M 6 -l -u -E ; -O csv",
    "=-S -c proto -N tcp -n all", "-s -O CSV", "-lsu", "-sOcsv -E ;", "-s -E  -O csv",
    "-c proto,src_host -N tcp -n all", "-c src_host,proto -M 198.18.234.76 -O csv",
    "=-c src_port,dst_port -N 0 -n all", "-c proto -M file:NONE", "=-c src_host,dst_host -N *,* -n all",
    "-c src_mac,src_host,proto,dst_port -M *,*,tcp,443 -O csv", "=-c etype -N 86DD -n packets",
    "=-c proto -N tcp;;udp -n all", "=-c in_iface -N 0 -n all", "=-c nat_event -N 0",
]
FLOWS = ("tag, tag2, in_iface, out_iface, src_mac, dst_mac, vlan, cos, etype, src_as, dst_as,"
         "peer_src_as, peer_dst_as, peer_src_ip, peer_dst_ip, mpls_vpn_rd, mpls_pw_id, src_host,"
         "dst_host, src_net, dst_net, src_mask, dst_mask, src_port, dst_port, tcpflags, proto, tos,"
         "sampling_rate, sampling_direction, post_nat_src_host, post_nat_dst_host,"
         "post_nat_src_port, post_nat_dst_port, nat_event, mpls_label_top, mpls_label_bottom,"
         "tunnel_src_mac, tunnel_dst_mac, tunnel_src_host, tunnel_dst_host, tunnel_proto,"
         "tunnel_tos, tunnel_src_port, tunnel_dst_port, vxlan, timestamp_export,"
         "export_proto_seqno, export_proto_version, export_proto_sysid, flows, a, b2, c, d, e, f")
OWN = """name=a field_type=9 len=1 semantics=u_int
name=b2 field_type=7 len=2 semantics=hex
name=c field_type=8 len=4 semantics=hex
name=d field_type=15 len=4 semantics=ip
name=e field_type=56 len=6 semantics=mac
name=f field_type=82 len=8 semantics=str
"""
SAME_FLOWS = [
    "-s", "-s -O csv", "-s -O json", "-s -O event_formatted", "-s -O event_csv", "-s -u -O csv",
    "-s -I -O csv", "-s -0 -l -O json", "=-c proto -N tcp -n all", "=-c proto -N 6;17 -n flows -S",
    "-c in_iface -M 3 -O csv", "-c src_as,proto -M *,udp", "=-s -T flows,1 -O json",
    "-c src_mask,dst_mask -M 24,24 -I -O event_csv", "=-c peer_src_ip -N 10.0.0.1 -n packets",
]
ALL = ["-s -a", "-s -a -O csv", "-s -a -O event_formatted", "-s -a -O event_csv", "-s -a -I -O csv",
       "-s -a -0", "-s -a -E ; -O csv", "-a -c proto -M tcp;udp", "-c proto -a -M udp -I -O event_csv",
       "-s -a -T packets,1 -O csv"]
UNTITLED = {"MPLS_VPN_RD", "MPLS_PW_ID", "SRC_NET", "DST_NET", "VXLAN"}  # of pmacct's with -a
REFUSED = ["-c proto -N foo", "-c nonsense -N 1", "-c src_host -N 198.18.0.0/16",
           "-c src_mac -N xx", "-c proto -N tcp -T bytes",
           "-c proto", "-s -c proto -M tcp", "-O csv", "-N tcp", "-c proto -N file:/nonexistent",
           "-s -x", "-s -E", "-s -O csv -E ab", "-r", "-c proto -M tcp -N udp",
           "-c proto,dst_port -M *,443 -s", "-s -p /nonexistent/x", "-s -S", "-s -n all",
           "-c proto -M tcp -n all", "-e -r", "-i -s"]


def split(options, directory):
    options = options.lstrip("=").replace("LISTS", f"{directory}/lists")
    return options.replace("NONE", f"{directory}/none").split(" ")


def both(here, daemon, kind, aggregate, more=""):
    """Both daemons, with the same in their tables; options are asked of each by the function."""
    pcap = here / "x.pcap"
    total = generate(kind, 3000, 150, pcap=pcap)["packets"]
    (here / "lists").write_text(LISTS)
    (here / "own").write_text(OWN)
    (here / "none").write_text("! nothing\n")
    (here / "bin").mkdir()
    (here / "bin" / "pmacct").symlink_to(WEIR)
    started = []

    def start(name, *command):
        conf = here / f"{name}.conf"
        conf.write_text(f"pcap_savefile: {pcap}\npcap_savefile_wait: true\nplugins: memory[m]\n"
                        f"aggregate: {aggregate}\nimt_path: {here}/{name}\n"
                        f"plugin_buffer_size: 10240\nplugin_pipe_size: 1024000\n{more}".replace(
                            "OWN", f"{here}/own") +
                        (f"control_socket: {here}/control\nstate_dir: {here}/state\n"
                         f"logfile: {here}/log\n" if name == "weir" else ""))
        with open(here / f"{name}.out", "w", encoding="utf-8") as out:
            started.append(subprocess.Popen([*command, "-f", conf], stdout=out, stderr=out))

    def ask(who, options):
        client = {"pmacct": "/usr/bin/pmacct", "weir": here / "bin" / "pmacct"}[who]
        return subprocess.run([client, "-p", here / who, *split(options, here)],
                              capture_output=True, text=True, timeout=30)

    def full(who):
        return ask(who, "-c proto -N * -n packets").stdout.strip() == total

    start("weir", WEIR, "run", "--as", daemon)
    try:
        poll(lambda: full("weir"))
        for _ in range(4):  # its core does not wait for its plugin: see test_pmacct.py
            start("pmacct", f"/usr/sbin/{daemon}")
            poll(lambda: "finished reading" in (here / "pmacct.out").read_text())
            if full("pmacct"):
                break
            started[-1].send_signal(signal.SIGINT)
            started[-1].wait(20)
        ask.directory = here
        yield ask
    finally:
        for p in started:
            p.send_signal(signal.SIGINT)  # nfacctd is deaf to SIGTERM behind a file
        for p in started:
            p.wait(20)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    yield from both(tmp_path_factory.mktemp("m"), "pmacctd", "packets", AGGREGATE)


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    yield from both(tmp_path_factory.mktemp("f"), "nfacctd", "netflow9", FLOWS,
                    "nfacctd_as: netflow\nnfacctd_net: netflow\naggregate_primitives: OWN\n")


def lines(ask, who, options):
    out = ask(who, options)
    assert out.returncode == 0, out.stdout + out.stderr
    text = out.stdout.replace('"mpls_vpn_rd_origin": "unknown", ', "")
    return text.splitlines() if options[0] == "=" else sorted(text.splitlines())


def compare(ask, options, rows=lambda text: text):
    """pmacct's client now and then shows a row twice, or nothing: it may have to be asked
    again."""
    ours = lines(ask, "weir", options)
    assert ours
    for _ in range(4):
        theirs = lines(ask, "pmacct", options)
        if rows(ours) == rows(theirs):
            break
    assert rows(ours) == rows(theirs)
    return ours, theirs


needs_pmacct = pytest.mark.skipif(shutil.which("pmacct") is None, reason="pmacct is not installed")


@needs_pmacct
@pytest.mark.parametrize("options", SAME)
def test_as_pmacct(tables, options):
    compare(tables, options)


@needs_pmacct
@pytest.mark.parametrize("options", SAME_FLOWS)
def test_flows_as_pmacct(flows, options):
    compare(flows, options)


@needs_pmacct
@pytest.mark.parametrize("options", ALL)
@pytest.mark.parametrize("table", ["tables", "flows"])
def test_all_columns(request, table, options):
    """The same rows as pmacct's, and a title for each of their columns."""
    ask = request.getfixturevalue(table)

    def rows(text):
        return [line for line in text if not line.startswith("TAG")]
    ours, theirs = ([line for line in text if line not in rows(text)][0]
                    for text in compare(ask, options, rows))
    separator = ";" if "-E" in options else "," if "csv" in options else None
    ours, theirs = (line.split(separator) for line in (ours, theirs))
    if separator:
        assert ours[2:4] == theirs[3:1:-1] == ["CLASS", "LABEL"]
        ours[2:4] = theirs[2:4]
    assert [t for t in ours if t not in UNTITLED] == theirs
    assert UNTITLED < set(ours)


@pytest.mark.parametrize("table, aggregate", [("tables", AGGREGATE), ("flows", FLOWS)])
def test_titles_of_all_columns(request, table, aggregate):
    """What stands under a title with -a is what does without; the rest is nothing."""
    ask = request.getfixturevalue(table)

    def read(options):
        text = ask("weir", options + " -O csv").stdout.splitlines()
        assert {len(line.split(",")) for line in text} == {len(text[0].split(","))}
        return sorted(csv.DictReader(text), key=lambda r: [r[k] for k in text[0].split(",")
                                                           if k in counted])
    counted = ask("weir", "-s -O csv").stdout.splitlines()[0].split(",")
    assert len(counted) >= aggregate.count(",") + 3
    plain, full = read("-s"), read("-s -a")
    assert [{k: r[k] for k in counted} for r in full] == plain and "COMMS" in full[0]
    rest = {v for r in full for k, v in r.items() if k not in counted}
    assert rest <= {"", "0", "u", "unknown", "0.000000", "0:0:0", "00:00:00:00:00:00",
                    "1970-01-01T00:00:00.000000Z"}
    for form in ("formatted", "event_formatted"):
        text = ask("weir", f"-s -a -O {form}").stdout.splitlines()
        starts = [m.start() for m in re.finditer(r"\S+", text[0])]
        for line in text[1:text.index("")]:
            assert all(i == 0 or line[i - 1] == " " for i in starts)
            assert line[:12].split() == ["0"]


@needs_pmacct
def test_shown_and_cleared_as_by_pmacct(tmp_path):
    """-e with -s or -M shows and then clears all, otherwise it clears only."""
    for ask in both(tmp_path, "pmacctd", "packets", AGGREGATE):
        compare(ask, "-s -O csv")
        for options in ("-c proto -M tcp -e -O csv", "-s -O csv", "-s -e", "-e -i",
                        "-c proto -N tcp -e", "-e -C", "-e -l -a"):
            theirs, ours = (lines(ask, who, options) for who in ("pmacct", "weir"))
            assert ours == theirs, options
        assert int(ask("weir", "-i").stdout) < 100


@pytest.mark.parametrize("options", REFUSED)
def test_refused_as_by_pmacct(tables, options):
    theirs, ours = (tables(who, options) for who in ("pmacct", "weir"))
    assert "rror" in (theirs.stdout + theirs.stderr).lower() or theirs.returncode != 0
    assert ours.returncode == 1 and ours.stdout == "" and ours.stderr != ""


def test_version(tables):
    out = tables("weir", "-V")
    assert out.returncode == 0 and re.search(r"weir \d+\.\d+", out.stdout)


def test_by_either_name_and_socket(tables):
    want = sorted(tables("weir", "-s -O csv").stdout.splitlines())
    for args in (("m", "-s", "-O", "csv", "-p", tables.directory / "control"),
                 ("-s", "-O", "csv", "-p", tables.directory / "control"),
                 ("-s", "-O", "csv", "-p", tables.directory / "weir")):
        out = subprocess.run([WEIR, "show", *args], capture_output=True, text=True)
        assert sorted(out.stdout.splitlines()) == want, args
    out = subprocess.run([WEIR, "show", "x", "-s", "-p", tables.directory / "control"],
                         capture_output=True, text=True)
    assert out.returncode == 1 and "no memory table 'x'; there are: m" in out.stderr
    assert os.stat(tables.directory / "weir").st_mode & 0o777 == 0o600


def begin(weir, tmp_path, plugins):
    port = free_port()
    w = weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nworkers: 2\nplugins: {plugins}\n"
             f"aggregate: src_host, proto, flows\nimt_path[m]: {tmp_path}/m\n").ready()
    return w, port


def ask(tmp_path, *options):
    out = subprocess.run([WEIR, "show", "-p", tmp_path / "m", *options], capture_output=True,
                         text=True)
    assert out.returncode == 0, out.stderr
    return out.stdout.splitlines()


@pytest.mark.parametrize("plugins", ["memory[m]", "memory[m], memory[other]"])
def test_reset_and_clear(tmp_path, weir, plugins):
    """What was reset or cleared is gone for this table's clients, and for nobody else."""
    w, port = begin(weir, tmp_path, plugins)
    send_from("127.0.0.1", port, times=3)
    poll(lambda: w.stats()["records_fed"] == 3)
    tcp = ("-c", "proto", "-N", "tcp", "-n", "packets")
    assert ask(tmp_path, "-i") == ["never"]
    assert ask(tmp_path, *tcp) == ["30"]
    assert ask(tmp_path, *tcp, "-r") == ["30"]
    assert ask(tmp_path, *tcp) == ["0"] and len(ask(tmp_path, "-s", "-O", "csv")) == 1
    send_from("127.0.0.1", port)
    poll(lambda: w.stats()["records_fed"] == 4)
    assert ask(tmp_path, "-c", "proto", "-M", "tcp", "-O", "csv", "-r")[1].endswith(",10,1,650")
    assert len(ask(tmp_path, "-s", "-O", "csv")) == 1
    send_from("127.0.0.1", port)
    poll(lambda: w.stats()["records_fed"] == 5)
    assert ask(tmp_path, "-e") == ["OK: Clearing stats."]
    assert ask(tmp_path, *tcp) == ["0"] and int(ask(tmp_path, "-i")[0]) < 100
    send_from("127.0.0.1", port, times=2)
    poll(lambda: w.stats()["records_fed"] == 7)
    assert ask(tmp_path, *tcp) == ["20"]
    assert ask(tmp_path, "-s", "-e", "-O", "csv")[1].endswith(",20,2,1300")
    assert ask(tmp_path, *tcp) == ["0"] and len(ask(tmp_path, "-s", "-O", "csv")) == 1
    send_from("127.0.0.1", port)
    poll(lambda: w.stats()["records_fed"] == 8)
    assert len(ask(tmp_path, "-e", "-c", "proto", "-M", "udp", "-O", "csv")) == 1
    assert ask(tmp_path, *tcp) == ["0"]
    if "other" in plugins:
        assert w.rows("other")[0]["packets"] == 80
    w.books()
    assert w.stop() == 0
    assert not pathlib.Path(tmp_path / "m").exists()


def packets_reset(tmp_path):
    return int(ask(tmp_path, "-c", "proto", "-N", "*", "-n", "packets", "-r")[0])


def packets_cleared(tmp_path):
    return sum(int(r["PACKETS"]) for r in csv.DictReader(ask(tmp_path, "-s", "-e", "-O", "csv")))


@pytest.mark.parametrize("take, plugins, records", [
    (packets_reset, "memory[m]", 60000), (packets_cleared, "memory[m]", 20000),
    (packets_cleared, "memory[m], memory[other]", 20000)])
def test_clients_that_reset_share_what_there_is(tmp_path, weir, take, plugins, records):
    """Four at once, under load: each packet is shown to exactly one of them."""
    w, port = begin(weir, tmp_path, plugins)
    taken, done = [], threading.Event()

    def client():
        while not done.is_set():
            taken.append(take(tmp_path))
    clients = [threading.Thread(target=client) for _ in range(4)]
    for c in clients:
        c.start()
    try:
        sent = generate("netflow5", records, 300, "--rate", 1000, udp=f"127.0.0.1:{port}")
        poll(lambda: w.stats()["records_fed"] == records)
    finally:
        done.set()
        for c in clients:
            c.join()
    taken.append(take(tmp_path))
    assert sum(taken) == int(sent["packets"])
    assert sum(1 for t in taken if t > 0) > 2
    w.books()
    assert w.stop() == 0


def test_clearing_while_others_take(tmp_path, weir):
    """One clears again and again while three take: nobody is shown what is not there, and the
    totals of others go on."""
    w, port = begin(weir, tmp_path, "memory[m], memory[other]")
    taken, done = [], threading.Event()

    def take():
        while not done.is_set():
            taken.append(int(ask(tmp_path, "-c", "proto", "-N", "*", "-n", "packets", "-r")[0]))

    def clear():
        while not done.is_set():
            assert ask(tmp_path, "-e") == ["OK: Clearing stats."]
            assert ask(tmp_path, "-s", "-O", "csv")[0].startswith("SRC_IP,")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(f) for f in (take, take, take, clear)]
        try:
            sent = generate("netflow5", 30000, 300, "--rate", 1000, udp=f"127.0.0.1:{port}")
            poll(lambda: w.stats()["records_fed"] == 30000)
        finally:
            done.set()
        for c in clients:
            c.result()
    assert 0 < sum(taken) < int(sent["packets"])
    assert all(0 <= t <= int(sent["packets"]) for t in taken)
    assert sum(r["packets"] for r in w.rows("other")) == int(sent["packets"])
    w.books()
    assert w.stop() == 0


@pytest.fixture
def open_folder():
    """A folder that every user can look into; pytest's are one's own."""
    with tempfile.TemporaryDirectory(prefix="weir-group-") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_group_that_may_ask(open_folder, tmp_path, weir):
    """control_group is for all sockets: its members may ask, others are told how to."""
    here, group = open_folder, grp.getgrnam("daemon")
    client = shutil.copy(WEIR, here / "weir")
    weir(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {free_port()}\nplugins: memory[m]\n"
         f"aggregate: src_host\nimt_path: {here}/m\ncontrol_group: {group.gr_name}\n").ready()
    stat = os.stat(here / "m")
    assert (stat.st_gid, stat.st_mode & 0o777) == (group.gr_gid, 0o660)

    def by(groups):
        return subprocess.run([client, "show", "-p", here / "m", "-s", "-O", "csv"], cwd=here,
                              user="nobody", group="nogroup", extra_groups=groups,
                              capture_output=True, text=True, timeout=30)
    member, other = by([group.gr_gid]), by([])
    assert member.returncode == 0 and member.stdout.startswith("SRC_IP,"), member.stderr
    assert other.returncode == 1 and "join the group of control_group" in other.stderr
    os.chmod(here / "m", 0o600)
    assert by([group.gr_gid]).returncode == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_group_that_weir_is_not_in(open_folder):
    """A user can give sockets to groups of his own only; none is left behind."""
    here = open_folder
    os.chmod(here, 0o777)
    program = shutil.copy(WEIR, here / "weir")
    (here / "conf").write_text(f"nfacctd_ip: 127.0.0.1\nnfacctd_port: {free_port()}\n"
                               f"plugins: memory[m]\ncontrol_socket: {here}/s\n"
                               f"control_group: daemon\nstate_dir: {here}/state\n")
    out = subprocess.run([program, "run", "-f", here / "conf"], user="nobody", group="nogroup",
                         extra_groups=[], capture_output=True, text=True, timeout=30, cwd=here)
    assert out.returncode == 1
    assert f"{here}/conf:5: control_group daemon: Operation not permitted; the user" in out.stderr
    assert not (here / "s").exists()


def test_clients_that_do_not_read(tmp_path, weir):
    """Three ask for a large table and leave the answer where it is: others are answered,
    counting goes on, and whoever reads at last is shown what was there when it asked."""
    w, port = begin(weir, tmp_path, "memory[m]")
    first = generate("netflow5", 100000, 100000, "--uniform", "--rate", 4000,
                     udp=f"127.0.0.1:{port}")
    poll(lambda: w.stats()["records_fed"] == 100000)
    w.show("m", "--top", "1")  # all is in the table
    rows = len(w.rows("m"))
    assert rows > 20000
    stuck = [subprocess.Popen([WEIR, "show", "m", "--json", "-p", w.socket], text=True,
                              stdout=subprocess.PIPE) for _ in range(3)]
    try:
        for s in stuck:
            assert s.stdout.readline().startswith("{")  # it was asked, and answered in part
        generate("netflow5", 3000, 10, "--rate", 4000, "--seed", 2, udp=f"127.0.0.1:{port}")
        poll(lambda: w.stats()["records_fed"] == 103000)
        assert len(w.rows("m")) >= rows
        w.books()
        stuck[0].kill()
        for s in stuck[1:]:
            lines = s.stdout.read().splitlines()
            assert len(lines) == rows - 1
            assert sum(json.loads(x)["packets"] for x in lines) < int(first["packets"])
            assert s.wait(30) == 0
    finally:
        for s in stuck:
            s.kill()
            s.wait(30)
            s.stdout.close()
    w.books()
    assert w.stop() == 0
