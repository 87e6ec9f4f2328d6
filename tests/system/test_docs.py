# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documentation shows of configurations, weir takes: each block is checked, but for
the files that it names, which are not here.
"""
import pathlib
import re
import subprocess

import pytest

from conftest import WEIR

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIRECTIVE = re.compile(r"[a-z][a-z0-9_]*(\[[^]]*\])?: ")
# A block is a part: other plugins, the input and the files stand elsewhere.
ELSEWHERE = re.compile(r"on this host now|No such file|no plugin is named|no input|^notice: |: fine: ")


def blocks():
    """(file, number of the block, its lines), of those of which every line is a directive."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for n, text in enumerate(re.findall(r"^```[a-z]*\n(.*?)^```", path.read_text(), re.S | re.M)):
            lines = [x for x in text.splitlines() if x and x[0] not in "!# "]
            if lines and all(DIRECTIVE.match(x) for x in lines):
                yield pytest.param(lines, id=f"{path.stem}-{n}")


@pytest.mark.parametrize("lines", blocks())
def test_shown_configuration_is_taken(tmp_path, lines):
    (tmp_path / "weir.conf").write_text("\n".join(lines) + "\n")
    out = subprocess.run([WEIR, "check", "-f", tmp_path / "weir.conf"], capture_output=True,
                         text=True, timeout=30)
    assert [x for x in out.stdout.splitlines() if not ELSEWHERE.search(x)] == []


@pytest.mark.parametrize("name", ["weir.conf", "sfprobe.conf"])
def test_example_is_taken(name):
    out = subprocess.run([WEIR, "check", "-f", ROOT / "examples" / name], capture_output=True,
                         text=True, timeout=30)
    assert out.returncode == 0, out.stdout
