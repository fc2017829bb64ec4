#!/usr/bin/env python3
"""Writes the quickstart's input and the program's real output into README.md: tests/golden/show_quickstart.py < OUTPUT

    cargo run --quiet -- generate examples/quickstart | tests/golden/show_quickstart.py
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NO_MANIFESTS = {"manifuse.yaml", "secrets.enc.yaml"}


def show(page, marker, text):
    pattern = re.compile(rf"(<!-- {marker} -->\n```yaml\n).*?(```)", re.DOTALL)
    return pattern.sub(lambda found: found[1] + text + found[2], page, count=1)


def main():
    files = sorted((ROOT / "examples/quickstart").glob("*.yaml"))
    texts = [file.read_text(encoding="utf-8") for file in files if file.name not in NO_MANIFESTS]
    readme = ROOT / "README.md"
    page = show(readme.read_text(encoding="utf-8"), "input", "---\n".join(texts))
    output = sys.stdin.read()
    if not output:
        sys.exit("no output to show: did the render fail?")
    readme.write_text(show(page, "output", output), encoding="utf-8")


if __name__ == "__main__":
    main()
