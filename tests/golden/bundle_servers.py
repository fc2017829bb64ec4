#!/usr/bin/env python3
"""Bundles recorded cases of sops whose keys a service holds: tests/golden/sops/servers.txt, in the format of bundle_sops.py.

    tests/golden/bundle_servers.py FOLDER    (as for bundle_sops.py)

Further words: `env` may hold {fake}, the address of the servers (as HTTPS_PROXY: of a proxy that leads to them), and {ca}, the
file with their authority; http://127.0.0.1:18200 in an encrypted file stands for {fake}, too. `exchange` is a request that the
service got and what it answered, as JSON in the lines that follow.
"""

import json
import os
import sys

from bundle_sops import lines, read


def bundle(name, case, folder):
    out = [f"case {name}", f"rule {case['rule']}", f"format {case['format']}"]
    if case["keys"]:
        out.append("keys " + " ".join(os.path.basename(key).removesuffix(".agekey") for key in case["keys"]))
    out += [f"env {key}={value}" for key, value in case["env"].items()]
    out += [f"expect {case['expect']}", "encrypted"] + lines(read(folder, case["file"]))
    printed = read(folder, "plain." + {"dotenv": "env"}.get(case["format"], case["format"]))
    if printed is not None:
        out += ["printed"] + lines(printed)
    for exchange in json.loads(read(folder, "kms-exchange.json"))["unwrap"]:
        out += ["exchange"] + lines(json.dumps(exchange, indent=1) + "\n")
    return out


def main():
    source = sys.argv[1]
    folder = os.path.join(source, "cases")
    text = ["# Written by bundle_servers.py, which explains the format. Every key is a test key that protects nothing."]
    key = os.path.join(source, "keys", "age")
    text += ["", "key ada"] + lines(read(key, "ada.agekey"))
    for name in sorted(os.listdir(folder)):
        if read(os.path.join(folder, name), "kms-exchange.json") is not None:
            case = json.loads(read(os.path.join(folder, name), "case.json"))
            text += ["", *bundle(name, case, os.path.join(folder, name))]
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sops", "servers.txt")
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
