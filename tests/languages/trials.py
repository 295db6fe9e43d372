# SPDX-License-Identifier: Apache-2.0
"""Reaches for what no step has, says what it met, and then raises. Granted: `data/**`, to read."""

import encodings.idna  # looking a name up would load it, and there is nothing to load from any more
import socket

import cofferdam
from cofferdam import config, log


def trials(context):
    met("read what is not granted", lambda: open("/private/key").read())
    met("write what is not granted", lambda: open("/data/new", "w"))
    met("read a key that is not granted", lambda: config.get("private"))
    met("connect", lambda: socket.create_connection(("127.0.0.1", 9)))
    met("look a name up", lambda: socket.getaddrinfo("host.example", 80))
    met("send a datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    {"schema": 1}["time of the record"]


def met(what, attempt):
    try:
        attempt()
        log.error(f"{what}: it worked")
    except (OSError, cofferdam.ConfigError) as error:
        log.info(f"{what}: {error}")


WitWorld = cofferdam.step(trials)
