#!/usr/bin/env python3
"""Makes first inputs for each fuzz target out of the recorded cases and the examples.

    fuzz/seeds.py FOLDER    (writes FOLDER/<target>/<number>)

CONTRIBUTING.md says how they become the kept inputs of fuzz/corpus. How an input brings values along is said in
tests/support/oracle/input.rs.
"""

import itertools
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACEHOLDER = re.compile(r"<[^<>\n]*>")
LARGEST = 3000
# Values for the places of a manifest: the shapes that writers of YAML get wrong.
VALUES = [
    [("string", "p@ss: #1 'x' \"y\""), ("string", "a\n b\n\n"), ("json", "80")],
    [("string", "yes"), ("json", '{"a": ["x: y", null, 1.5e3]}'), ("string", "")],
    [("string", "-----BEGIN X-----\nAAAA\n-----END X-----\n"), ("string", "\t\u0085é😀"), ("json", "true")],
    [("string", "S!"), ("string", "- a: 1"), ("json", "[]")],
]
SETTINGS = [
    'defaultBackend: prod\nbackends:\n  prod: {type: vault, address: "https://v", auth: {type: token, token: "S!"}}\n',
    "[backends.prod]\ntype = \"vault\"\n[backends.prod.auth]\ntoken = 'S!'\n",
    'AVP_TYPE = "vault"\nbackends "prod" {\n  auth = { token = "S!" }\n}\n',
    "AVP_TYPE=vault\n# c\nVAULT_TOKEN: S!\nAVP_ROLE_ID=a\\\n  b \\u0041\n",
    "[default]\nAVP_TYPE=vault\nVAULT_TOKEN='S!'\n; c\n",
    '{"AVP_TYPE": "vault", "VAULT_TOKEN": "S!"}',
]


def texts(bundle):
    """The texts of a bundle: what they are, their name, and their lines put together."""
    kind, name, lines = "", "", []
    for line in bundle.split("\n") + [""]:
        if line.startswith("|"):
            lines.append(line[1:] + "\n")
        elif line.startswith("%"):
            lines.append(line[1:].encode().decode("unicode_escape").encode("latin-1", "replace").decode("utf-8", "replace"))
        else:
            if lines:
                yield kind, name, "".join(lines)
            kind, _, name = line.partition(" ")
            lines = []


def with_values(text, values):
    return text + "".join(f"\n=== {kind}\n{value}" for kind, value in values)


def seeds():
    values = itertools.cycle(VALUES)
    manifests, answers, settings = [], [], list(SETTINGS)
    for bundle in sorted(ROOT.glob("tests/golden/avp/*.txt")):
        for kind, name, text in texts(bundle.read_text()):
            if kind in ("kv2", "body"):
                answers.append(text)
            elif kind == "stdin" or name.endswith((".yaml", ".yml", ".json")) and "kind" in text:
                manifests.append(text)
            elif kind == "file":
                settings.append(text)
    manifests += [path.read_text() for path in sorted(ROOT.glob("examples/*/*.yaml"))]
    for text in manifests:
        yield "split", text
        numbers = itertools.cycle("012")
        placed = re.sub(r"avp\.kubernetes\.io", "example.org", text)
        yield "edit", with_values(PLACEHOLDER.sub(lambda _: f"<path:s#k{next(numbers)}>", placed), next(values))
        yield "edit", with_values(text, next(values))
        for found in PLACEHOLDER.findall(text):
            yield "grammar", f"a {found} b"
            for statement in found[1:-1].split("|")[1:]:
                arguments = statement.strip().partition(" ")[2]
                yield "modifier", with_values(arguments, next(values))
    for bundle in sorted(ROOT.glob("tests/golden/sops/*.txt")):
        for case in re.split(r"(?m)^case ", bundle.read_text())[1:]:
            form = re.search(r"(?m)^format (\w+)", case)
            for kind, _, text in texts(case) if form else ():
                if kind in ("encrypted", "printed"):
                    yield f"sops-{form[1]}", text
                if kind == "encrypted" and form[1] == "dotenv":
                    yield "sops-metadata", "".join(line for line in text.splitlines(True) if line.startswith("sops_"))
                if kind == "encrypted" and form[1] == "ini":
                    yield "sops-metadata", text[max(text.find("[sops]"), 0) :]
                if kind == "encrypted" and form[1] in ("json", "binary") and is_json(text):
                    yield "sops-metadata", json.dumps(json.loads(text).get("sops", {}))
    for text in answers:
        yield "modifier", with_values("{.a}", [("string", text)])
        yield "modifier", with_values("2", [("json", json.dumps(text)), ("json", text)] if is_json(text) else [("string", text)])
    for text in settings:
        yield "settings", text


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def main():
    folder = pathlib.Path(sys.argv[1])
    for number, (target, text) in enumerate(dict.fromkeys(seeds())):
        if len(text) <= LARGEST:
            path = folder / target / f"{number:05}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


main()
