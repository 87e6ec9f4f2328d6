# SPDX-License-Identifier: GPL-2.0-or-later
"""Classes of streams: those that Debian's ndpiReader finds in the same packets, whatever
the door; what patterns and exporters say; and what becomes of those that nobody knows."""
import collections
import contextlib
import socket
import sqlite3
import subprocess

import pytest

import ipfix
import netflow
import sflow
from conftest import WEIR, free_port, json_rows, poll, run_file
from streams import (CLIENT, SERVER, STREAMS, beside, classes, frames_all, stream,
                     write_pcap)


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    path = tmp_path_factory.mktemp("classes") / "all.pcap"
    write_pcap(path, frames_all())
    return path


PRINT = """plugins: print[a]
aggregate: class, src_port, dst_port
print_output: json
print_output_file: {out}
"""


def from_file(tmp_path, capture, more=""):
    out = tmp_path / "rows.json"
    run_file(tmp_path, f"pcap_savefile: {capture}\n" + PRINT.format(out=out) + more)
    return json_rows(out)


def test_the_same_classes_as_ndpireader(tmp_path, capture):
    want, got = beside(capture), classes(from_file(tmp_path, capture))
    assert len(want) == len(STREAMS)
    assert got == want
    names = {name for name, _ in got}
    assert {"HTTP", "DNS", "TLS/Google", "SSH", "SMTP", "FTP_CONTROL", "SIP", "NTP",
            "unknown"} <= names, names


def test_no_row_is_empty_or_lost(tmp_path, capture):
    rows = from_file(tmp_path, capture, "print_refresh_time: 60\nprint_history: 1m\n")
    assert sum(row["packets"] for row in rows) == sum(1 for _ in frames_all())
    assert all(row["packets"] > 0 for row in rows)


def passive(*ports):
    """A stream of FTP in which the server tells where it waits for data."""
    said = list(STREAMS[9][2])
    for port in ports:
        where = f"227 Entering Passive Mode (192,0,2,80,{port >> 8},{port & 255}).\r\n"
        said += [(">", b"PASV\r\n"), ("<", where.encode())]
    return stream(9, 6, 21, said)


def ringing(*ports):
    """A stream of SIP in which the other end tells where it wants its media."""
    return stream(10, 17, 5060, STREAMS[10][2] + [
        ("<", b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.1.0.1:5060\r\n"
              b"Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.80\r\n" +
         b"".join(b"m=audio %d RTP/SAVP 0\r\n" % port for port in ports))])


NOISE = bytes(range(130, 200))


def test_streams_that_others_announce(tmp_path):
    """The data of FTP and the media of SIP, of which their own packets say nothing; and what
    nobody announced."""
    path = tmp_path / "channels.pcap"
    write_pcap(path, passive(50069) + ringing(34567) +
               stream(30, 6, 50069, [("<", NOISE)]) + stream(31, 17, 34567, [(">", NOISE)]) +
               stream(32, 6, 50070, [("<", NOISE)]))
    got = classes(from_file(tmp_path, path))
    assert got["FTP_DATA", (40030, 50069)] == 4 and got["RTP", (34567, 40031)] == 1, got
    assert got["unknown", (40032, 50070)] == 4, got


@pytest.mark.parametrize("guess, want", [("true", "SNMP"), ("false", "unknown")])
def test_ports_tell_where_nothing_else_does(tmp_path, guess, want):
    """nDPI's dissector does not know this trap, and says that it is no SNMP."""
    path = tmp_path / "trap.pcap"
    trap = bytes.fromhex("3016020103a411060100400400000000020106020101430100")
    write_pcap(path, stream(1, 17, 162, [(">", trap)]))
    assert classes(from_file(tmp_path, path, f"classifier_proto_guess: {guess}\n")) == \
        {(want, (162, 40001)): 1}


def test_without_classifiers_all_is_unknown(tmp_path, capture):
    rows = from_file(tmp_path, capture, "classifiers: none\n")
    assert {row["class"] for row in rows} == {"unknown"}
    assert sum(row["packets"] for row in rows) == sum(1 for _ in frames_all())


@pytest.mark.parametrize("workers", [1, 4])
def test_more_workers_change_nothing(weir, tmp_path, workers):
    """Sampled headers, each stream's from a socket of its own, as the kernel deals sockets to
    workers. What a control stream announces is known to all of them."""
    port, out = free_port(), tmp_path / "rows.json"
    w = weir(f"sfacctd_ip: 127.0.0.1\nsfacctd_port: {port}\nworkers: {workers}\n"
             "print_refresh_time: 86400\n" + PRINT.format(out=out), "--as", "sfacctd").ready()
    sent = 0

    def send(streams):
        nonlocal sent
        for no, frames in enumerate(streams):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for i, octets in enumerate(frames):
                    s.sendto(sflow.datagram(i + 1, sflow.flow(i + 1, sflow.frame(octets), rate=1),
                                            agent=f"192.0.2.{no + 1}", sub_agent=sent + 1),
                             ("127.0.0.1", port))
            sent += len(frames)
        poll(lambda: w.stats()["flows_fed"] == sent)

    data, media = range(50069, 50085), range(34567, 34583, 2)
    first = [stream(no, *s) for no, s in enumerate(STREAMS) if no not in (9, 10)]
    first += [passive(*data), ringing(*media)]
    send(first)
    send([stream(30 + i, 6, port, [("<", NOISE)]) for i, port in enumerate(data)] +
         [stream(50 + i, 17, port, [(">", NOISE)]) for i, port in enumerate(media)])
    shown = w.rows("classes")
    assert len(shown) == workers and sum(row["streams"] > 0 for row in shown) >= min(workers, 2)
    w.books()
    assert w.stop() == 0
    write_pcap(tmp_path / "first.pcap", sum(first, []))
    want = beside(tmp_path / "first.pcap")
    want.update({("FTP_DATA", (40030 + i, port)): 4 for i, port in enumerate(data)})
    want.update({("RTP", (port, 40050 + i)): 1 for i, port in enumerate(media)})
    assert classes(json_rows(out)) == want


def test_patterns(tmp_path, capture):
    folder = tmp_path / "patterns"
    folder.mkdir()
    (folder / "http.pat").write_text("# pages\nmy-http\n^get .* http/1\\.[01]\n")
    (folder / "ssh.pat").write_text("my-ssh\n^ssh-[12]\\.[0-9]\n")
    got = classes(from_file(tmp_path, capture, f"classifiers: {folder}\n"))
    sizes = collections.Counter()
    for (name, _), packets in got.items():
        sizes[name] += packets
    assert sizes["my-http"] == 10 and sizes["my-ssh"] == 10
    assert set(sizes) == {"my-http", "my-ssh", "unknown"}
    both = classes(from_file(tmp_path, capture, f"classifiers: {folder}, ndpi\n"))
    assert {"my-http", "my-ssh", "DNS"} <= {name for name, _ in both}


def test_tags_by_class(tmp_path, capture):
    """What was counted before its class was known has the tag of its class in the end."""
    tags = {"HTTP": 7, "TLS/Google": 8, "unknown": 9}
    (tmp_path / "map").write_text("".join(f"set_tag={tag} class={name}\n"
                                          for name, tag in tags.items()))
    config = PRINT.replace("aggregate: class", "aggregate: tag, class")
    out = tmp_path / "rows.json"
    run_file(tmp_path, f"pcap_savefile: {capture}\npre_tag_map: {tmp_path}/map\n" +
             config.format(out=out))
    rows = json_rows(out)
    assert classes(rows) == beside(capture)
    assert {row["class"] for row in rows} > set(tags)
    for row in rows:
        assert row["tag"] == tags.get(row["class"], 0), row


def test_filters_by_class(tmp_path, capture):
    """pre_tag_filter over rules that compare the class: streams with their first packets."""
    (tmp_path / "map").write_text("set_tag=7 class=HTTP\nset_tag=8 class=unknown\n")
    config = f"pcap_savefile: {capture}\npre_tag_map: {tmp_path}/map\nprint_output: json\n" \
             "plugins: print[http], print[known]\naggregate: class, src_port, dst_port\n" \
             "pre_tag_filter[http]: 7\npre_tag_filter[known]: 0-7\n"
    run_file(tmp_path, config + "".join(
        f"print_output_file[{name}]: {tmp_path}/{name}\n" for name in ("http", "known")))
    want = beside(capture)
    assert classes(json_rows(tmp_path / "http")) == \
        {key: n for key, n in want.items() if key[0] == "HTTP"}
    assert classes(json_rows(tmp_path / "known")) == \
        {key: n for key, n in want.items() if key[0] != "unknown"}


def test_filters_by_what_only_frames_have(tmp_path, capture):
    """The first packet of each TCP stream, by its sequence number: counted as unknown, and of its
    class in the end, in views that let it pass; the others take nothing from there."""
    views = {"first": "tcp[4:4] = 1000", "rest": "not tcp[4:4] = 1000"}
    run_file(tmp_path, f"pcap_savefile: {capture}\nprint_output: json\n"
             "plugins: print[first], print[rest]\naggregate: class\n" +
             "".join(f"aggregate_filter[{name}]: {text}\n"
                     f"print_output_file[{name}]: {tmp_path}/{name}\n"
                     for name, text in views.items()))
    tcp = {tuple(sorted((port, 40000 + no)))
           for no, (proto, port, _) in enumerate(STREAMS) if proto == 6}
    want = collections.Counter(), collections.Counter()
    for (name, ports), packets in beside(capture).items():
        want[0][name] += ports in tcp
        want[1][name] += packets - (ports in tcp)
    for name, packets in zip(views, want):
        got = {row["class"]: row["packets"] for row in json_rows(tmp_path / name)}
        assert got == +packets, name


def test_a_bad_pattern_is_told_with_its_place(tmp_path):
    folder = tmp_path / "patterns"
    folder.mkdir()
    (folder / "bad.pat").write_text("bad\n\n(open\n")
    file = tmp_path / "weir.conf"
    file.write_text(f"nfacctd_port: 2100\nplugins: print\naggregate: class\n"
                    f"classifiers: {folder}\n")
    out = subprocess.run([str(WEIR), "check", "-f", str(file)], capture_output=True, text=True)
    assert out.returncode == 1
    assert f"{folder}/bad.pat:3" in out.stdout and "parenthesis" in out.stdout, out.stdout


def test_sampled_headers(tmp_path, capture):
    """One packet suffices for what its first one tells."""
    samples = [sflow.flow(i + 1, sflow.frame(frame), rate=1)
               for i, frame in enumerate(frames_all())]
    path = tmp_path / "sflow.pcap"
    netflow.capture(path, [(1700000000 + i, sflow.datagram(i + 1, *samples[at:at + 4]))
                           for i, at in enumerate(range(0, len(samples), 4))], port=6343)
    out = tmp_path / "rows.json"
    run_file(tmp_path, f"pcap_savefile: {path}\n" + PRINT.format(out=out), "--as", "sfacctd")
    got = classes(json_rows(out))
    assert sum(got.values()) == len(samples)
    assert got == beside(capture)


def test_class_of_what_exporters_do_not_tell(tmp_path):
    path = tmp_path / "ipfix.pcap"
    record = (CLIENT, SERVER, 40000, 80, 6, 1000, 5)
    netflow.capture(path, [(1700000000, ipfix.message(0, ipfix.template_set(),
                                                      ipfix.data_set(record)))])
    out = tmp_path / "rows.json"
    run_file(tmp_path, f"pcap_savefile: {path}\n" + PRINT.format(out=out), "--as", "nfacctd")
    assert [(r["class"], r["packets"]) for r in json_rows(out)] == [("unknown", 5)]


@pytest.mark.parametrize("version", [9, 10])
def test_applications_that_exporters_tell(tmp_path, version):
    """RFC 6759: engine and number, whose name is in an option; in v9 the scope is a kind of
    its own (RFC 3954 s6.1), the system."""
    scope = [(1, bytes(4))] if version == 9 else []
    name = netflow.record(version, scope + [(95, b"\x0d\0\0\x07"),
                                            (96, b"my-app".ljust(24, b"\0"))],
                          template=400, scopes=1)
    flow = [(8, ipfix.ip(CLIENT)), (12, ipfix.ip(SERVER)), (7, b"\x9c\x40"), (11, b"\0\x50"),
            (4, b"\6"), (2, bytes(7) + b"\5"), (1, bytes(7) + b"\x64")]
    path = tmp_path / "netflow.pcap"
    netflow.capture(path, [
        (1700000000, name),
        (1700000001, netflow.record(version, flow + [(95, b"\x0d\0\0\x07")], sequence=1)),
        (1700000002, netflow.record(version, flow, template=301, sequence=2))])
    out = tmp_path / "rows.json"
    run_file(tmp_path, f"pcap_savefile: {path}\n" + PRINT.format(out=out), "--as", "nfacctd")
    assert sorted((r["class"], r["packets"]) for r in json_rows(out)) == \
        [("my-app", 5), ("unknown", 5)]


def test_unknown_rows_wait_for_their_class(weir, tmp_path):
    """A sampled stream that is known when its first interval is long written: with
    sql_aggressive_classification its first packet has its class, in its interval, without
    it is unknown; and one that only its end judges. Nothing is lost or twice."""
    port = free_port()
    dbs = {name: tmp_path / f"{name}.db" for name in ("waits", "goes")}
    w = weir(f"sfacctd_ip: 127.0.0.1\nsfacctd_port: {port}\nworkers: 1\n"
             "plugins: sqlite3[waits], sqlite3[goes], memory[apps]\n"
             "aggregate: class, src_port, dst_port\naggregate[apps]: class\n"
             "sql_optimize_clauses: true\nsql_table: t\nsql_history: 2s\nsql_refresh_time: 2\n"
             "sql_aggressive_classification[waits]: true\n" +
             "".join(f"sql_db[{name}]: {db}\n" for name, db in dbs.items()), "--as", "sfacctd"
             ).ready()
    http, lookup, ssh = (stream(no, *STREAMS[no]) for no in (1, 2, 15))
    sent = 0

    def send(*frames):
        nonlocal sent
        sent += 1
        samples = [sflow.flow(10 * sent + i, sflow.frame(f), rate=1) for i, f in enumerate(frames)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(sflow.datagram(sent, *samples), ("127.0.0.1", port))

    def rows(name):
        """{(interval, class, lower port): packets}"""
        if not dbs[name].exists():
            return {}
        with contextlib.closing(sqlite3.connect(dbs[name])) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 't'").fetchall():
                return {}
            return {tuple(row[:3]): row[3] for row in db.execute(
                "SELECT stamp_inserted, class_id, MIN(src_port, dst_port), SUM(packets) FROM t "
                "GROUP BY 1, 2, 3")}

    def first_interval(name):
        return next((stamp for stamp, _, at in rows(name) if at == 53), None)

    send(http[0], lookup[0])
    poll(lambda: first_interval("waits") and first_interval("goes"))
    w.books()
    send(*http[1:])
    send(*ssh)
    poll(lambda: any(row[1] == "HTTP" for row in rows("waits")))
    w.books()
    top = subprocess.run([WEIR, "top", "apps", "--once", "-p", w.socket], check=True,
                         capture_output=True, text=True).stdout
    assert [line for line in top.splitlines() if line.endswith("HTTP")], top
    assert w.stop() == 0
    start = first_interval("waits")
    assert rows("waits")[start, "HTTP", 8080] == 1, rows("waits")
    assert rows("goes")[start, "unknown", 8080] == 1, rows("goes")
    assert not any(name == "unknown" for _, name, at in rows("waits") if at == 8080)
    for name in dbs:
        assert sum(rows(name).values()) == len(http) + len(ssh) + 1, rows(name)
    assert sum(n for (_, name, at), n in rows("waits").items() if at == 22 and name == "SSH") == \
        len(ssh), rows("waits")
