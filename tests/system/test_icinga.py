# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Icinga 2, with the CheckCommand and services that weir installs."""
import getpass
import grp
import os
import subprocess
import time

import pytest

from conftest import BUILD, flood_told, generate, poll

ROOT = __file__.rsplit("/tests/", 1)[0]

# What it makes of results is read in the file for performance data, once a second.
CONFIG = """
include <itl>
const PluginDir = "{build}"
object IcingaApplication "app" {{ }}
object CheckerComponent "checker" {{ }}
object ExternalCommandListener "command" {{
    command_path = "{dir}/icinga2.cmd"
}}
object PerfdataWriter "results" {{
    service_perfdata_path = "{dir}/results"
    service_temp_path = "{dir}/results.new"
    host_perfdata_path = "{dir}/hosts"
    host_temp_path = "{dir}/hosts.new"
    service_format_template = "$service.name$: $service.state$: $service.output$"
    rotation_interval = 1s
}}
include "{root}/nms/icinga2/weir.conf"
object Host "router" {{
    check_command = "passive"
    vars.weir["books"] = {{ weir_socket = "{socket}" }}
    vars.weir["fill"] = {{
        weir_socket = "{socket}"
        weir_mode = "view"
        weir_name = "talkers"
        weir_warning = "5"
        weir_critical = "90"
    }}
    vars.weir["alarms"] = {{ weir_socket = "{socket}" }}
}}
object Service "told" {{
    host_name = "router"
    check_command = "passive"
    enable_active_checks = false
}}
"""


class Icinga:
    def __init__(self, directory, **names):
        self.dir = directory
        self.dir.mkdir()
        (self.dir / "icinga2.conf").write_text(CONFIG.format(
            dir=directory, build=BUILD, root=ROOT, **names))
        user = getpass.getuser()
        places = {f"{name}Dir": name for name in ("Cache", "Data", "Log", "InitRun", "Spool", "Config")}
        own = {"RunAsUser": user, "RunAsGroup": grp.getgrgid(os.getgid()).gr_name,
               "PidPath": self.dir / "pid"}
        for name, place in places.items():
            own[name] = self.dir / place
            own[name].mkdir()
        with open(self.dir / "out", "w") as out:
            self.process = subprocess.Popen(
                ["/usr/sbin/icinga2", "daemon", "-c", self.dir / "icinga2.conf",
                 *(word for name, value in own.items()
                   for word in ("-D", f"Configuration.{name}={value}"))],
                stdout=out, stderr=out)
        self.command = self.dir / "icinga2.cmd"
        poll(lambda: self.command.exists() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, (self.dir / "out").read_text()

    def ask(self, *services):
        """Have them checked now, and not when Icinga has time for it."""
        now = int(time.time())
        with open(self.command, "w") as f:
            f.writelines(f"[{now}] SCHEDULE_FORCED_SVC_CHECK;router;{name};{now}\n"
                         for name in services)

    def states(self):
        """{service: (state, text)} as told last."""
        found = {}
        for file in sorted(self.dir.glob("results.[0-9]*")):
            for line in file.read_text().splitlines():
                name, state, text = line.split(": ", 2)
                found[name] = (state, text)
        return found

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.mark.skipif(not os.path.exists("/usr/sbin/icinga2"), reason="no icinga2-bin")
def test_icinga_changes_states_polling_and_being_told(tmp_path, weir):
    w, port = flood_told(tmp_path, weir, tmp_path / "icinga" / "icinga2.cmd",
                         "max_entries: 100")
    icinga = Icinga(tmp_path / "icinga", socket=w.socket)
    services = ("weir books", "weir fill", "weir alarms")

    def state(name):
        return icinga.states().get(name, (None, ""))[0]
    try:
        icinga.ask(*services)
        poll(lambda: [state(name) for name in services] == ["OK"] * 3, 60)
        # Both ways find that there is an alarm, and that it is over.
        poll(lambda: generate("netflow9", 500, 50, udp=f"127.0.0.1:{port}") and
             (icinga.ask(*services) or True) and
             [state(n) for n in (*services, "told")] == ["OK", "WARNING", "CRITICAL", "CRITICAL"],
             60, every=0.3)
        assert icinga.states()["weir fill"][1].startswith("WEIR WARNING - view talkers: ")
        assert icinga.states()["told"][1].startswith("flood: CRITICAL - talkers: ")
        poll(lambda: (icinga.ask("weir alarms") or True) and
             (state("weir alarms"), state("told")) == ("OK", "OK"), 60, every=0.3)
    finally:
        icinga.stop()
    assert w.stop() == 0
