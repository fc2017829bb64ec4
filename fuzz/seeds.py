#!/usr/bin/env python3
"""Makes first inputs for each fuzz target out of the recorded cases and the examples.

    fuzz/seeds.py FOLDER    (writes FOLDER/<target>/<number>)

CONTRIBUTING.md says how they become the kept inputs of fuzz/corpus. How an input brings values along is said in
tests/support/oracle/input.rs.
"""

import io
import itertools
import json
import pathlib
import re
import sys
import tarfile

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


def literal(name, value, first=0):
    """A field of a header block as a literal (RFC 7541, 6.2): 0x40 also enters the table."""
    return bytes([first]) + b"".join(bytes([len(text)]) + text for text in (name, value))


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def connections():
    """What a client sends behind its preface: good and bad."""
    authority = b"home%2Fargocd%2Fcmp-server%2Fplugins%2Fx.sock"
    headers, continuation, data = 1, 9, 0
    # POST, http, a path of the table, the authority into the table; then the same by the table.
    first = b"\x83\x86\x84" + b"\x41" + bytes([len(authority)]) + authority + literal(b"te", b"trailers", 0x40)
    second = b"\x83\x86\x84\xbf\xbe"
    plain = literal(b":authority", authority) + literal(b"a", b"b", 0x10)
    for block in (first, plain, b"", b"\x3f\xe1\x1f" + first, b"\x20" + plain, b"\x3f\xff\xff\x7f", b"\xbe", b"\x40\x85\xff\xff", b"\x00\x85"):
        yield frame(headers, 4, 1, block)
        yield frame(4, 0, 0, b"") + frame(headers, 5, 1, block) + frame(data, 1, 1, b"x" * 9)
        yield frame(headers, 0x2C, 3, b"\x02" + b"\0\0\0\0\x10" + block + b"\0\0")
        yield frame(headers, 0, 1, block[:3]) + frame(continuation, 4, 1, block[3:])
    yield frame(headers, 4, 1, first) + frame(headers, 5, 3, second) + frame(headers, 5, 5, second)
    yield frame(headers, 0, 1, first) + frame(data, 0, 1, b"x")
    yield frame(headers, 0, 1, first) + frame(continuation, 4, 3, b"")
    yield frame(headers, 12, 1, b"\xff" + first)
    yield frame(headers, 4, 1, literal(b"a", b"v" * 100, 0x40) + b"\xbe" * 900)
    yield frame(6, 0, 0, b"\0" * 8) + frame(headers, 4, 1, first)[:-5]


def archives():
    """Archives with entries of all kinds: good and bad."""
    file, folder, link, hard, device, sparse = (
        tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE,
    )
    for entries in (
        [],
        [(folder, ".", ""), (folder, "a", ""), (file, "a/x.yaml", "k: v\n"), (file, "a/b/y.yaml", "")],
        [(folder, "a/", ""), (link, "a/l.yaml", "x.yaml"), (file, "a/x.yaml", "1")],
        [(link, "a", "b"), (folder, "b", ""), (file, "b/x", "1"), (link, "b/c", "../d"), (file, "d", "2")],
        [(link, "a", "b"), (link, "b", "a")],
        [(link, "a/x", "../../y")],
        [(link, "a/x", "/etc/passwd")],
        [(file, "../x", "1")],
        [(file, "/x", "1")],
        [(file, "a//x", "1")],
        [(file, "a/./x", "1")],
        [(hard, "a/x", "a/y")],
        [(device, "a/x", "")],
        [(sparse, "a/x", "")],
        [(file, "a/x", "1"), (file, "a/x", "2")],
        [(file, "a/x", "1"), (folder, "a/x", "")],
        [(file, "a", "1"), (file, "a/b", "2")],
        [(file, "a/" + "n" * 120, "long")],
        [(file, "a/é", "1")],
        [(link, "a/x", "é" * 60)],
        [(file, "a/b/" + "d/" * 70 + "x", "deep")],
    ):
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            out = io.BytesIO()
            try:
                with tarfile.open(fileobj=out, mode="w", format=form) as tar:
                    for kind, name, text in entries:
                        info = tarfile.TarInfo(name)
                        info.type = kind
                        if kind == file:
                            info.size = len(text)
                        else:
                            info.linkname = text
                        tar.addfile(info, io.BytesIO(text.encode()) if kind == file else None)
            except ValueError:
                continue
            # Without the blocks that fill it up.
            whole = out.getvalue().rstrip(b"\0")
            yield whole + b"\0" * (-len(whole) % 512 + 1024)
            yield whole[: len(whole) // 2]


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def main():
    folder = pathlib.Path(sys.argv[1])
    texts = ((target, text.encode()) for target, text in seeds() if len(text) <= LARGEST)
    bytes_of = [("argocd-authority", text) for text in connections()] + [("argocd-archive", text) for text in archives()]
    for number, (target, text) in enumerate(dict.fromkeys([*texts, *bytes_of])):
        path = folder / target / f"{number:05}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


main()
