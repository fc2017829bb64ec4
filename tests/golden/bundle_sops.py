#!/usr/bin/env python3
"""Bundles recorded cases of sops: one readable text per area, in tests/golden/sops/.

    tests/golden/bundle_sops.py FOLDER    (FOLDER holds keys/ and cases/<case>/case.json with the files beside it)

Only cases that this version is to read: files with age keys, and some that it must refuse by name. The format, line by
line:

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
    expect either        it may fail, or print these texts
    expect later         sops decrypts it with keys of another kind; it must fail and say so
    differs …            why the right answer is not the one of sops
    encrypted            the file, in the lines that follow
    printed              what `sops decrypt` prints, byte for byte
    json                 what it prints with `--output-type json`: the first document (left out for binary files)

`commands.txt` holds what was asked of the program by the name `sops`:

    args […]             its arguments, as JSON
    file NAME            a file that lies there, in the lines that follow
    exit NUMBER          sops's exit code
    result NAME          what must come out on `stdout` or in that file, in the lines that follow
    masked EXTENSION     … but for what is different each time: sizes stand for encrypted values, words for keys and times;
                         where versions of sops differ, what either of them leaves
    kept NUMBER          how many encrypted texts sops leaves as they are
    plain                what the encrypted file decrypts to

A text is lines that begin with `|` (as they are, with a line feed) or `%` (escaped as in C, in bytes, and without a line feed of
their own).
"""

import json
import os
import re
import sys

# What an editor or a pager would swallow: controls, C1 controls, line and paragraph separators, byte order mark.
# What is no UTF-8 is read as lone surrogates.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\udc80-\udcff]")
VARIABLES = {"SOPS_AGE_KEY", "SOPS_AGE_KEY_CMD", "SOPS_AGE_KEY_FILE"}
# A folder of keys as Flux wants it, given as such.
FOLDER = "flux"
LATER = []
# Commands and switches of later versions, not the format.
LEFT_OUT = {"input-type-unknown-suffix", "order-duplicate", "shamir-vault-and-age"}
# sops refuses to set a list; here it can be set.
LATER_COMMANDS = {"set-array", "encrypt-aws-kms", "encrypt-pgp-and-age", "encrypt-vault-transit"}
COMMANDS = {
    "decrypt",
    "edit",
    "encrypt",
    "exec-env",
    "exec-file",
    "filestatus",
    "groups",
    "rotate",
    "set",
    "unset",
    "updatekeys",
}
AREAS = {
    "flat": ("binary-", "dotenv-", "ini-", "v313-binary", "v313-dotenv", "v313-ini", "tamper-dotenv", "tamper-ini"),
    "keys": ("age-", "shamir-", "mixed-", "pgp-", "order-", "aws-", "azure-", "gcp-", "vault-"),
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
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def is_known(key):
    return key.startswith(("age/", "pgp/", "ssh/")) or key == FOLDER


def key_name(path):
    return os.path.basename(path).removesuffix(".agekey")


def is_ours(name, case):
    if case["args"] or name in LEFT_OUT:
        return False
    keys = all(is_known(key) for key in case["keys"]) and not (FOLDER in case["keys"] and "pgp" in name)
    usable = bool(case["keys"]) or set(case["env"]) <= VARIABLES
    servers_only = not case["keys"] and not set(case["env"]) <= VARIABLES
    return name in LATER or (keys and usable and not servers_only)


def bundle(name, case, folder):
    out = [f"case {name}", f"rule {case['rule']}", f"format {case['format']}"]
    later = name in LATER
    keys = os.path.join(folder, "..", "..", "keys")
    given = [] if later else case["keys"]
    named = [key for key in given if key != FOLDER]
    if named:
        out.append("keys " + " ".join(map(key_name, named)))
    for key, value in case["env"].items():
        if key in VARIABLES:
            for path in re.findall(r"\{keys\}/([^']*)", value):
                out += [f"file {os.path.basename(path)}"] + lines(read(keys, path))
            out.append(f"env {key}=" + re.sub(r"\{keys\}/[a-z/]*/", "{dir}/", value))
    if FOLDER in given:
        out.append("env MANIFUSE_SOPS_KEYS={dir}")
        for name in sorted(os.listdir(os.path.join(keys, FOLDER))):
            out += [f"file {name}"] + lines(read(os.path.join(keys, FOLDER), name))
    expect = "either" if "also_ok" in case else case["expect"]
    out.append(f"expect {'later' if later else expect}")
    if "differs" in case:
        out.append(f"differs {case['differs']}")
    out += ["encrypted"] + lines(read(folder, case["file"]))
    if later:
        return out
    extension = {"dotenv": "env", "binary": "bin"}.get(case["format"], case["format"])
    printed, as_json = read(folder, "plain." + extension), read(folder, "plain.json")
    if printed is not None:
        out += ["printed"] + lines(printed)
    if as_json is not None and case["format"] not in ("binary", "json"):
        out += ["json"] + lines(as_json)
    return out


def command(name, case, folder):
    """One run of sops: a round trip, or a case whose arguments say more than which file."""
    before = os.path.join(folder, "before")
    out = [f"case {name}", f"rule {case['rule']}"]
    out.append("args " + json.dumps(case.get("command") or ["decrypt", *case["args"], case["file"]]))
    if case["keys"]:
        out.append("keys " + " ".join(map(key_name, case["keys"])))
    if "SOPS_EDITOR" in case["env"]:
        out.append(f"env SOPS_EDITOR={case['env']['SOPS_EDITOR']}")
    for path in files(before) if os.path.isdir(before) else [os.path.join(folder, case["file"])]:
        name = os.path.relpath(path, before) if os.path.isdir(before) else case["file"]
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
    elif case["expect"] == "error" and result != "stdout":
        out += [f"result {result}"] + lines(read(before, result) or "")
    elif text is not None and not masked:
        out += [f"result {result}"] + lines(text)
    return out


def files(folder):
    found = [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names]
    return sorted(found)


def is_command(name, case):
    asked = case.get("command") or (["decrypt", *case["args"]] if case["args"] else [""])
    return asked[0] in COMMANDS and name not in LATER_COMMANDS and all(key.startswith(("age/", "ssh/")) for key in case["keys"])


def main():
    source = sys.argv[1]
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sops")
    os.makedirs(target, exist_ok=True)
    areas = {area: [] for area in AREAS}
    for name in sorted(os.listdir(os.path.join(source, "cases"))):
        folder = os.path.join(source, "cases", name)
        with open(os.path.join(folder, "case.json"), encoding="utf-8") as file:
            case = json.load(file)
        if not is_ours(name, case):
            continue
        area = next(area for area in sorted(AREAS, key=lambda a: a not in ("json", "flat")) if name.startswith(AREAS[area]))
        areas[area].append(bundle(name, case, folder))
    areas["commands"] = []
    for kind in ("cases", "roundtrip"):
        for name in sorted(os.listdir(os.path.join(source, kind))):
            folder = os.path.join(source, kind, name)
            with open(os.path.join(folder, "case.json"), encoding="utf-8") as file:
                case = json.load(file)
            if is_command(name, case):
                areas["commands"].append(command(name, case, folder))
    for area, cases in areas.items():
        used = {key for case in cases for line in case if line.startswith("keys ") for key in line.split()[1:]}
        head = ["# Written by bundle_sops.py, which explains the format. Every key is a test key that protects nothing."]
        for key in sorted(used):
            ssh = f"ssh/{key}" if key.startswith("id_") else f"age/{key}.agekey"
            path = f"pgp/{key}" if key.endswith(".asc") else ssh
            head += ["", f"key {key}"] + lines(read(os.path.join(source, "keys"), path))
        text = "\n".join(head + [line for case in cases for line in ["", *case]]) + "\n"
        with open(os.path.join(target, area + ".txt"), "w", encoding="utf-8") as file:
            file.write(text)
        print(f"{area}: {len(cases)} cases")


if __name__ == "__main__":
    main()
