# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports on loopback for what the tests start."""
import random
import socket

PORTS = range(20000, 32000)  # the kernel gives away higher ones
held = []


def free_port(kind=socket.SOCK_DGRAM):
    """A port that nobody else gets while the tests run: each process of tests holds those
    it was given by a name, which Linux frees when it ends."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0weir-test-port-{port}")
            with socket.socket(socket.AF_INET, kind) as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        held.append(name)
        return port
