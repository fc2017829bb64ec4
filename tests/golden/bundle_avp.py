#!/usr/bin/env python3
"""Bundles recorded cases of argocd-vault-plugin: one readable text per area, in tests/golden/avp/.

    tests/golden/bundle_avp.py FOLDER    (FOLDER holds <area>/<case>/case.json and the files beside it)

The format, line by line:

    # …                  a comment
    vault NAME           a table of the fake Vault; a case refers to it by name, or has one of its own (just `vault`)
    answer REQUEST       an answer of that table: a path for GET, else `POST path`; a second one for the same request
                         is given the second time, and the last one stays
    status N  token T  namespace N  header NAME: VALUE  request JSON     what belongs to the answer
    body                 the answer's text, in the lines that follow
    kv2 N                the same for a secret of a KV version 2 store, version N: its data, in the lines that follow
    case NAME            a case, with all that follows up to the next one
    rule …  args JSON  usual  env NAME=VALUE  link NAME TARGET  folder NAME  runs N  requests N
    stdin, file PATH     the text that is in the lines that follow
    differs …            why the right answer is not the one of argocd-vault-plugin
    expect documents     what Kubernetes must read from stdout, as a JSON list in the lines that follow
    expect error [why]   a failure with empty stdout
    expect either why    a failure with empty stdout, or the input byte for byte

A text is lines that begin with `|` (as they are, with a line feed) or `%` (escaped as in C, and without a line feed of
their own). `usual` stands for the four variables of USUAL below.
"""

import json
import os
import re
import sys

USUAL = {"AVP_TYPE": "vault", "AVP_AUTH_TYPE": "token", "VAULT_TOKEN": "root-token", "VAULT_MAX_RETRIES": "0"}
WIDTH = 118
# What an editor or a pager would swallow: controls, C1 controls, line and paragraph separators, byte order mark.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")

# How Vault wraps the data of a secret in a KV version 2 store.
KV2_METADATA = {"created_time": "2024-03-05T07:09:11.013Z", "custom_metadata": None, "deletion_time": "", "destroyed": False}
KV2_WRAP = {
    "request_id": "0a1b2c3d",
    "lease_id": "",
    "renewable": False,
    "lease_duration": 0,
    "data": None,
    "wrap_info": None,
    "warnings": None,
    "auth": None,
}


class Literal(float):
    """A number that keeps its spelling."""

    def __new__(cls, text):
        number = super().__new__(cls, float(text))
        number.text = text
        return number


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file, parse_float=Literal)


def spell(value):
    """JSON on one line, every unseen character escaped."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spell(key)}: {spell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spell, value)) + "]"
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def pretty(value, indent="", lead=""):
    """JSON in several lines where one would be too long."""
    line = spell(value)
    if len(indent) + len(lead) + len(line) <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return [indent + lead + line]
    deeper = indent + "  "
    if isinstance(value, dict):
        parts = [pretty(item, deeper, spell(key) + ": ") for key, item in value.items()]
    else:
        parts = [pretty(item, deeper) for item in value]
    for part in parts[:-1]:
        part[-1] += ","
    ends = "{}" if isinstance(value, dict) else "[]"
    return [indent + lead + ends[0], *(line for part in parts for line in part), indent + ends[1]]


def text_lines(data):
    """The lines of a text, each with its mark."""
    for line in data.split(b"\n")[:-1]:
        yield text_line(line, b"\n")
    last = data.rsplit(b"\n", 1)[-1]
    if last:
        yield text_line(last, b"")


def text_line(line, end):
    try:
        if end and not UNSEEN.search(line.decode()):
            return "|" + line.decode()
    except UnicodeDecodeError:
        pass
    return "%" + escape(line + end)


def escape(data):
    named = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
    text = data.decode(errors="surrogateescape")
    return "".join(named.get(c) or (escape_bytes(c) if is_unseen(c) else c) for c in text)


def is_unseen(char):
    return UNSEEN.match(char) or "\udc80" <= char <= "\udcff"


def escape_bytes(char):
    return "".join(f"\\x{byte:02x}" for byte in char.encode(errors="surrogateescape"))


def word(text):
    """A value on the rest of a line; as a JSON string where it would not be seen whole."""
    plain = text and text == text.strip() and text.isprintable() and not text.startswith('"')
    return text if plain else json.dumps(text)


def answers(table):
    for request, entries in table.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            yield f"answer {request}"
            if entry.get("status", 200) != 200:
                yield f"status {entry['status']}"
            for name in ("token", "namespace"):
                if name in entry:
                    yield f"{name} {word(entry[name])}"
            for name, value in entry.get("headers", {}).items():
                yield f"header {name}: {value}"
            if "request" in entry:
                yield f"request {spell(entry['request'])}"
            yield from answer_text(entry)


def answer_text(entry):
    if "raw" in entry:
        return ["body", *text_lines(entry["raw"].encode())]
    body = entry["body"]
    data = body.get("data") if isinstance(body, dict) else None
    version = data["metadata"].get("version") if isinstance(data, dict) and "metadata" in data else None
    if body == {**KV2_WRAP, "data": {"data": data and data.get("data"), "metadata": {**KV2_METADATA, "version": version}}}:
        return [f"kv2 {version}", *("|" + line for line in pretty(data["data"]))]
    return ["body", *("|" + line for line in pretty(body))]


def files(folder):
    """The files of a case below `input/` and `files/`, sorted by path."""
    for top in ("files", "input"):
        for root, folders, names in os.walk(os.path.join(folder, top)):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(root, name)
                yield os.path.relpath(path, folder), read(path)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def expectation(folder, case):
    """What ours must do: the recorded answer, or the marked difference."""
    expected = os.path.join(folder, "expected.json")
    wanted = load(expected) if os.path.exists(expected) else {}
    if "documents" not in wanted and not wanted.get("error"):
        if case["expect"] == "error":
            wanted = {"error": True}
        else:
            wanted = {"documents": load(os.path.join(folder, "docs.json"))}
    if case.get("either"):
        return [f"expect either {case['either']}"]
    if wanted.get("error"):
        return [f"expect error {wanted.get('reason', '')}".rstrip()]
    return ["expect documents", *("|" + line for line in pretty(wanted["documents"]))]


def environment(env):
    usual = all(env.get(name) == value for name, value in USUAL.items())
    if usual:
        yield "usual"
    for name, value in env.items():
        if not usual or name not in USUAL:
            yield f"env {name}={word(value)}"


def case_lines(folder, vault):
    case = load(os.path.join(folder, "case.json"))
    yield f"case {os.path.basename(folder)}"
    yield f"rule {case['rule']}"
    yield f"args {spell(case['args'])}"
    yield from environment(case["env"])
    yield from vault
    for name in case.get("folders", []):
        yield f"folder {name}"
    for name, target in case.get("links", {}).items():
        yield f"link {name} {target}"
    if case.get("runs", 1) != 1:
        yield f"runs {case['runs']}"
    if case["stdin"]:
        yield "stdin"
        yield from text_lines(read(os.path.join(folder, "stdin.yaml")))
    for path, data in files(folder):
        yield f"file {path}"
        yield from text_lines(data)
    if case["differs"]:
        yield f"differs {case['differs']}"
    yield from expectation(folder, case)
    yield f"requests {case['requests']}"


def bundle(area):
    """The lines of an area's bundle: tables that several cases share first, then the cases."""
    folders = [os.path.join(area, name) for name in sorted(os.listdir(area))]
    tables = [load(os.path.join(folder, "vault.json")) for folder in folders]
    spelled = [spell(table) for table in tables]
    names = {}
    yield f"# {os.path.basename(area)}: what the real argocd-vault-plugin does. Made by bundle_avp.py, which explains the format."
    for folder, table, key in zip(folders, tables, spelled):
        if table and spelled.count(key) > 1 and key not in names:
            names[key] = os.path.basename(folder).split("-", 1)[1]
            yield from ["", f"vault {names[key]}", *answers(table)]
    for folder, table, key in zip(folders, tables, spelled):
        own = ["vault", *answers(table)] if table else []
        yield from ["", *case_lines(folder, [f"vault {names[key]}"] if key in names else own)]


def main():
    source = sys.argv[1]
    target = os.path.join(os.path.dirname(os.path.abspath(__file__)), "avp")
    for area in sorted(name for name in os.listdir(source) if os.path.isdir(os.path.join(source, name))):
        with open(os.path.join(target, area + ".txt"), "w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in bundle(os.path.join(source, area)))


if __name__ == "__main__":
    main()
