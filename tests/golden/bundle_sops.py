#!/usr/bin/env python3
"""Bundles recorded cases of sops: one readable text per area, in tests/golden/sops/.

    tests/golden/bundle_sops.py FOLDER    (FOLDER holds keys/, cases/<case>/case.json and roundtrip/<case>/case.json with the files beside it)

Every case there comes into one of the texts. The format, line by line:

    # …                  a comment
    key NAME             a key file, in the lines that follow
    case NAME            a case, with all that follows up to the next one
    rule …               the section of the format's description
    format NAME          yaml, json, dotenv, ini or binary: how the encrypted text is to be read
    keys NAME…           the keys at hand: age identities together in SOPS_AGE_KEY_FILE, an SSH key in
                         SOPS_AGE_SSH_PRIVATE_KEY_FILE, those of OpenPGP in MANIFUSE_PGP_KEY_FILE
    env NAME=VALUE       further variables; {dir} is a folder that is empty but for key files and files
    expect decrypt       what is printed must be `printed` and `json`
    expect error         it must fail
    exit NUMBER          sops's exit code; left out where a file must decrypt
    expect either        it may fail, or print these texts
    differs …            why the right answer is not the one of sops
    encrypted            the file, in the lines that follow
    printed              what `sops decrypt` prints, byte for byte
    json                 what it prints with `--output-type json`: the first document (left out for binary files)

`servers.txt` holds files whose keys a service holds. There `env` may hold {fake}, the address of the servers (as HTTPS_PROXY: of a
proxy that leads to them), and {ca}, the file with their authority; http://127.0.0.1:18200 stands for {fake}, too:

    exchange             a request that the service got and what it answered, as JSON

`commands.txt` holds what was asked of the program by the name `sops`, as some cases of `servers.txt` do:

    args […]             its arguments, as JSON
    file NAME            a file that lies there, in the lines that follow
    result NAME          what must come out on `stdout` or in that file, in the lines that follow; left out where another answer
                         than that of sops is right, too
    masked EXTENSION     … but for what is different each time: sizes stand for encrypted values, words for keys and times;
                         where versions of sops differ, what either of them leaves
    kept NUMBER          how many encrypted texts sops leaves as they are
    plain                what the encrypted file decrypts to

A text is lines that begin with `|` (as they are, with a line feed) or `%` (escaped as in C, in bytes, and without a line feed of
their own).
"""

import glob
import json
import os
import re
import sys

# What an editor or a pager would swallow: controls, C1 controls, line and paragraph separators, byte order mark.
# What is no UTF-8 is read as lone surrogates.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\udc80-\udcff]")
# A folder of keys as Flux wants it, given as such.
FOLDER = "flux"
CONFIG = ".sops.yaml"
# Variables of those who ask a service.
SERVICES = ("AWS_", "HTTPS_PROXY", "VAULT_")
AREAS = {
    "flat": ("binary-", "dotenv-", "ini-", "v313-binary", "v313-dotenv", "v313-ini", "tamper-dotenv", "tamper-ini"),
    "keys": ("age-", "shamir-", "pgp-", "order-"),
    "json": ("json-", "v313-json-", "tamper-json-", "selector-json", "kubernetes-json"),
    "metadata": ("metadata-", "selector-"),
    "tampered": ("tamper-", "crafted-"),
    "yaml": ("yaml-", "v313-yaml-", "kubernetes-"),
}


def escape(character):
    plain = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
    if character in plain:
        return plain[character]
    if UNSEEN.match(character):
        return "".join("\\x%02x" % byte for byte in character.encode(errors="surrogateescape"))
    return character


def lines(text):
    out = []
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        if line.endswith("\n") and not UNSEEN.search(line):
            out.append("|" + line[:-1])
        else:
            out.append("%" + "".join(map(escape, line)))
    return out


def read(folder, name):
    if not is_there(folder, name):
        return None
    with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def extension(case):
    return {"dotenv": "env", "binary": "bin"}.get(case["format"], case["format"])


def key_name(path):
    return os.path.basename(path).removesuffix(".agekey")


def variables(case):
    return [f"env {key}={value}" for key, value in case["env"].items()]


def bundle(name, case, folder):
    """A file to be decrypted."""
    out = [f"case {name}", f"rule {case['rule']}", f"format {case['format']}"]
    keys = os.path.join(folder, "..", "..", "keys")
    named = [key for key in case["keys"] if key != FOLDER]
    if named:
        out.append("keys " + " ".join(map(key_name, named)))
    for variable in variables(case):
        for path in re.findall(r"\{keys\}/([^']*)", variable):
            out += [f"file {os.path.basename(path)}"] + lines(read(keys, path))
        out.append(re.sub(r"\{keys\}/[a-z/]*/", "{dir}/", variable))
    if FOLDER in case["keys"]:
        out.append("env MANIFUSE_SOPS_KEYS={dir}")
        for path in files(os.path.join(keys, FOLDER)):
            out += [f"file {os.path.basename(path)}"] + lines(read(*os.path.split(path)))
    expect = "either" if "also_ok" in case else case["expect"]
    out.append(f"expect {expect}")
    if expect == "error":
        out.append("exit " + read(folder, "sops.exit").strip())
    if "differs" in case:
        out.append(f"differs {case['differs']}")
    out += ["encrypted"] + lines(read(folder, case["file"]))
    printed, as_json = read(folder, "plain." + extension(case)), read(folder, "plain.json")
    if printed is not None:
        out += ["printed"] + lines(printed)
    if as_json is not None and case["format"] not in ("binary", "json"):
        out += ["json"] + lines(as_json)
    recorded = json.loads(read(folder, "kms-exchange.json") or "{}")
    for exchange in recorded.get("unwrap", []):
        out += ["exchange"] + lines(json.dumps(exchange, indent=1) + "\n")
    return out


def command(name, case, folder):
    """One run of sops: a round trip, or a case that says more than which file."""
    before = os.path.join(folder, "before")
    there = files(before) or [os.path.join(folder, name) for name in (CONFIG, case["file"]) if is_there(folder, name)]
    out = [f"case {name}", f"rule {case['rule']}"]
    out.append("args " + json.dumps(case.get("command") or ["decrypt", *case["args"], case["file"]]))
    if case["keys"]:
        out.append("keys " + " ".join(map(key_name, case["keys"])))
    out += variables(case)
    for path in there:
        name = os.path.relpath(path, before if "command" in case else folder)
        out += [f"file {name}"] + lines(read(*os.path.split(path)))
    out.append("exit " + read(folder, "sops.exit").strip())
    result = case.get("result", "stdout")
    text = read(folder, "stdout.txt")
    if text is None and case["expect"] == "decrypt":
        plain = sorted(name for name in os.listdir(folder) if name.startswith("plain.") and name != "plain.json")
        text = read(folder, (plain or ["plain.json"])[0])
    masked = sorted((name for name in os.listdir(folder) if name.startswith("after.masked.")), key=len, reverse=True)
    if masked and case["expect"] == "ok":
        plain = sorted(name for name in os.listdir(folder) if name.startswith("plain.") and name != "plain.json") or ["plain.json"]
        plain = next((name for name in sorted(os.listdir(folder)) if name.startswith("plain.3.13.")), plain[0])
        out.append(f"result {result}")
        # Only a command that changes a file may leave it in an older layout.
        for name in masked if "kept" in case else masked[:1]:
            out += [f"masked {name.rsplit('.', 1)[1]}"] + lines(read(folder, name))
        out += ["plain"] + lines(read(folder, plain))
        if "kept" in case:
            out.append(f"kept {case['kept']}")
    elif case["expect"] == "error" and result != "stdout" and "also_ok" not in case:
        out += [f"result {result}"] + lines(read(before, result) or "")
    elif text is not None and not masked:
        out += [f"result {result}"] + lines(text)
    return out


def files(folder):
    found = [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names]
    return sorted(found)


def is_there(folder, name):
    return os.path.exists(os.path.join(folder, name))


def place(name, case, folder):
    """Which text a case belongs to, and what writes it."""
    is_named = "file" in case and case["file"].endswith("." + extension(case))
    is_command = "command" in case or case["args"] or is_there(folder, CONFIG) or not is_named
    write = command if is_command else bundle
    if any(variable.startswith(SERVICES) for variable in case["env"]):
        return "servers", write
    if is_command:
        return "commands", write
    return next(area for area in sorted(AREAS, key=lambda a: a not in ("json", "flat")) if name.startswith(AREAS[area])), write


def main():
    source = sys.argv[1]
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sops")
    os.makedirs(target, exist_ok=True)
    areas = {area: [] for area in [*AREAS, "commands", "servers"]}
    for folder in sorted(glob.glob(os.path.join(source, "cases", "*")) + glob.glob(os.path.join(source, "roundtrip", "*"))):
        case, name = json.loads(read(folder, "case.json")), os.path.basename(folder)
        area, write = place(name, case, folder)
        areas[area].append(write(name, case, folder))
    paths = {key_name(path): path for path in files(os.path.join(source, "keys"))}
    for area, cases in areas.items():
        used = {key for case in cases for line in case if line.startswith("keys ") for key in line.split()[1:]}
        head = ["# Written by bundle_sops.py, which explains the format. Every key is a test key that protects nothing."]
        for key in sorted(used):
            head += ["", f"key {key}"] + lines(read(*os.path.split(paths[key])))
        text = "\n".join(head + [line for case in cases for line in ["", *case]]) + "\n"
        with open(os.path.join(target, area + ".txt"), "w", encoding="utf-8") as file:
            file.write(text)
        print(f"{area}: {len(cases)} cases")


if __name__ == "__main__":
    main()
