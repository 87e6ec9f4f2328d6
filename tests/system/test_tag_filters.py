# SPDX-License-Identifier: GPL-2.0-or-later
"""pre_tag_filter, pre_tag2_filter and pre_tag_label_filter: which records pass by what a map
gave them; post_tag and post_tag2. In weir, and where pmacct 1.7.7 is not at fault there, too."""
import beside
from tags import NETFLOW, but

# Tags by record; all others have none.
TAGS = {"v5b": 1, "a": 2, "b": 3, "c": 4, "phys": 5, "both": 6, "short": 7, "set": 10, "lan": 15,
        "lan2": 20}
LABELS = {"lan3": "red", "vrf": "blue", "drop": "red,blue", "nat": "redder"}
MAP = "\n".join(
    [f"set_tag={tag} src_net={NETFLOW[name].src}" for name, tag in TAGS.items()] +
    [f"set_label={label} src_net={NETFLOW[name].src} jeq=next"
     for name, labels in LABELS.items() for label in labels.split(",")])

CARRIED = {name for name, r in NETFLOW.items() if r.carried != (0, 0, "")}  # left out
ALL = " ".join(name for name in NETFLOW if name not in CARRIED)
SCAN = "the first item with '-' that does not hold the value lets it through there"
PARTS = "it compares labels as a whole, which no part of one equals"
CASES = [
    ("a number", "pre_tag_filter: 3", "b"),
    ("several", "pre_tag_filter: 3,5", "b phys"),
    ("blanks between", "pre_tag_filter: 3 , 5", "b phys"),
    ("a range", "pre_tag_filter: 2-4", "a b c"),
    ("its ends belong to it", "pre_tag_filter: 10-20", "set lan lan2"),
    ("ranges and numbers", "pre_tag_filter: 10-15,1", "v5b set lan"),
    ("without a tag", "pre_tag_filter: 0", but(ALL, *TAGS)),
    ("without, or a certain one", "pre_tag_filter: 0,4", but(ALL, *(set(TAGS) - {"c"}))),
    ("all but one", "pre_tag_filter: -6", but(ALL, "both")),
    ("all but a range", "pre_tag_filter: -2-4", but(ALL, "a b c")),
    ("all but two", "pre_tag_filter: -6,-7", but(ALL, "both short"), SCAN),
    ("all but two ranges", "pre_tag_filter: -1-3,-10-20", but(ALL, "v5b a b set lan lan2"), SCAN),
    ("one that is there before one that is not", "pre_tag_filter: 5,-3", but(ALL, "b")),
    ("a part of a range", "pre_tag_filter: 3,-2-4", but(ALL, "a c")),
    ("a tag that nobody has", "pre_tag_filter: 99", ""),
    ("the second tag, which nobody has", "pre_tag2_filter: 0", ALL),
    ("and another", "pre_tag2_filter: 1-9", ""),
    ("both filters", "pre_tag_filter: 1-5\npre_tag2_filter: 0", "v5b a b c phys"),
    ("a label", "pre_tag_label_filter: blue", "vrf drop", PARTS),
    ("one of two", "pre_tag_label_filter: blue,redder", "vrf drop nat", PARTS),
    ("no label", "pre_tag_label_filter: null", but(ALL, *LABELS)),
    ("no label, or a certain one", "pre_tag_label_filter: null,blue",
     but(ALL, "lan3 nat"), PARTS),
    ("any label", "pre_tag_label_filter: -null", " ".join(LABELS)),
    ("all but a label", "pre_tag_label_filter: -blue", but(ALL, "vrf drop"), PARTS),
    ("all but two", "pre_tag_label_filter: -blue,-redder", but(ALL, "vrf drop nat"), SCAN),
    ("tag and filter", "pre_tag_filter: 1-5\naggregate_filter: udp", "b c"),
    ("tags that are put on afterwards", "post_tag: 9\npost_tag2: 8\npre_tag_filter: 3", "b"),
]


def wrong(directory, command, cases, lines=""):
    """Cases that let others pass: (what is so, who passes, who should)."""
    plugins = [f"pre_tag_map[{{p}}]: {directory}/map\n" + "\n".join(
        line.replace(":", "[{p}]:", 1) for line in case[1].split("\n")) for case in cases]
    rows = beside.rows_of(directory, command, "src_host, tag, tag2", plugins, lines)
    faults = []
    for case, own in zip(cases, rows):
        names = {name for name, r in NETFLOW.items() if any(r.src == row["ip_src"] for row in own)}
        if names - CARRIED != set(case[2].split()):
            faults.append((case[0], names, case[2]))
        if "post_tag" in case[1]:
            faults += [(case[0], row) for row in own if (row["tag"], row["tag2"]) != (9, 8)]
    return faults


def test_filters(tmp_path):
    beside.NETFLOW.write(tmp_path / "x.pcap")
    (tmp_path / "map").write_text(MAP + "\n")
    assert wrong(tmp_path, beside.NETFLOW.weir(), CASES) == []
    agreed = [c for c in CASES if len(c) == 3]
    assert beside.ask_pmacct(
        lambda more: wrong(tmp_path, beside.NETFLOW.pmacct(), agreed, more), lambda got: got) == []


def test_label_as_a_map(tmp_path):
    """pre_tag_label_encode_as_map, which pmacct 1.7.7 has not got: JSON alone changes."""
    (tmp_path / "map").write_text("set_label=region%north jeq=next\nset_label=class%gold\n")
    beside.NETFLOW.write(tmp_path / "x.pcap")
    plain, mapped = beside.rows_of(
        tmp_path, beside.NETFLOW.weir(), "label",
        [f"pre_tag_map[{{p}}]: {tmp_path}/map\npre_tag_label_encode_as_map[{{p}}]: {value}"
         for value in ("false", "true")])
    assert "region%north,class%gold" in [row["label"] for row in plain]
    assert {"region": "north", "class": "gold"} in [row["label"] for row in mapped]
