#!/usr/bin/env python3
"""Calls a plugin's socket as Argo CD's repo-server does, by the gRPC library of another language.

    repo_server.py SOCKET AUTHORITY <APPLICATION.json

The application has `folder`, `files` and `variables`. Printed is what the four calls answer, as JSON; of a call that fails its
status and text. Messages are put together here, so that no definition is shared with the program.
"""

import gzip
import hashlib
import io
import json
import sys
import tarfile

import grpc

SERVICE = "/plugin.ConfigManagementPluginService/"


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message):
    """Number and value of each field."""
    position = 0

    def number():
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        key, value = number(), number()
        if key & 7 == 2:
            position += value
            value = message[position - value : position]
        yield key >> 3, value


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(out.getvalue())


def upload(application):
    data = archive(application["files"])
    metadata = field(2, application["folder"].encode())
    metadata += field(3, hashlib.sha256(data).hexdigest().encode())
    for name, value in application["variables"].items():
        metadata += field(5, field(1, name.encode()) + field(2, value.encode()))
    yield field(1, metadata)
    for start in range(0, len(data), 1024):
        yield field(2, field(1, data[start : start + 1024]))


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def main():
    socket, authority = sys.argv[1:]
    application = json.load(sys.stdin)
    raw = lambda message: message
    options = [("grpc.default_authority", authority), ("grpc.max_receive_message_length", 100 << 20)]
    answers = {}
    with grpc.insecure_channel("unix:" + socket, options=options) as channel:
        calls = [
            ("CheckPluginConfiguration", channel.unary_unary, lambda: b""),
            ("MatchRepository", channel.stream_unary, lambda: upload(application)),
            ("GenerateManifest", channel.stream_unary, lambda: upload(application)),
            ("GetParametersAnnouncement", channel.stream_unary, lambda: upload(application)),
        ]
        for name, kind, request in calls:
            call = kind(SERVICE + name, request_serializer=raw, response_deserializer=raw)
            try:
                answer = call(request(), timeout=60)
                if name == "GetParametersAnnouncement":
                    found = [text(dict(fields(value))[1]) for _, value in fields(answer)]
                else:
                    found = [text(value) for _, value in fields(answer)]
                answers[name] = found
            except grpc.RpcError as error:
                answers[name] = {"status": error.code().name, "text": error.details()}
    json.dump(answers, sys.stdout)


main()
