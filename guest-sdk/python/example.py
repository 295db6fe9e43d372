# SPDX-License-Identifier: Apache-2.0
"""The example in Python: see ../example/README.md for what it does."""

import json
import os

import cofferdam
from cofferdam import config, log

RECORDS = "/data/records"


def restructure(context):
    move_net_section()
    names = [name for name in os.listdir(RECORDS) if name.endswith(".json")]
    converted = 0
    for done, name in enumerate(names):
        cofferdam.progress(done, len(names), name)
        try:
            converted += convert(f"{RECORDS}/{name}")
        except (KeyError, ValueError) as error:
            raise Exception(f"data/records/{name}") from error
    if os.path.exists("/data/index"):
        os.remove("/data/index")
    # The mark comes last: until then the old one is true of what was not converted yet.
    with open("/data/schema-version", "w") as file:
        file.write("2\n")
    log.info(f"{converted} of {len(names)} records converted to schema 2")


def move_net_section():
    for key in config.list("net"):
        new_key = "server." + key.removeprefix("net.")
        config.rename(key, new_key)
        log.info(f"{key} is now {new_key}")
    # A secret is not listed, and can be moved without being seen.
    try:
        config.rename("net.token", "server.token")
    except cofferdam.ConfigError as error:
        if error.kind != "NoSuchKey":
            raise


def convert(path):
    """Converts one file; says whether it had to."""
    with open(path, encoding="utf-8") as file:
        record = json.load(file)
    if record["schema"] == 2:
        return False
    if record["schema"] != 1:
        raise ValueError(f"has schema {record['schema']}, which nobody converts")
    value, _, unit = record["value"].partition(" ")
    if not (record["time"].isascii() and record["time"].isdigit()):
        raise ValueError(f"has the time `{record['time']}`, no number")
    converted = {
        "schema": 2,
        "name": record["name"],
        "value": value,
        "unit": unit,
        "time": int(record["time"]),
    }
    # Beside the old one, then over it, which keeps its mode and owner.
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(converted, file, indent=2, ensure_ascii=False)
        file.write("\n")
    os.rename(path + ".new", path)
    return True


WitWorld = cofferdam.step(restructure)
