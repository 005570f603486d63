#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Handlers that each break one rule of usher-handler(7), for the tests of usher-handler-test:
the argument names the way to be wrong."""

import json
import os
import socket
import sys
import time

fault = sys.argv[1]
daemon = socket.socket(fileno=int(os.environ["USHER_FD"]))


def put(op, **fields):
    write(json.dumps({"op": op, **fields}, ensure_ascii=False) + "\n")


def write(text):
    try:
        daemon.sendall(text.encode("latin-1" if fault == "latin-1" else "utf-8"))
    except OSError:
        pass


def finish(request, message):
    put("finish", id=request["id"], message=message)


def read_lines():
    """Lines, or what this fault takes for them."""
    rest = b""
    while True:
        data = daemon.recv(65536)
        if not data:
            return
        if fault == "one line a read":
            yield data.split(b"\n")[0]
            continue
        if fault == "small lines" and len(rest) > 1000000:
            sys.exit(1)
        rest += data
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if fault == "splits at U+2028":
                yield from (part.encode() for part in line.decode().splitlines())
            else:
                yield line


def serve(request):
    message_type = request["type"]
    params = request["message"].get("params")
    if fault == "float ids":
        request["id"] = float(request["id"])
    if fault == "32 bits":
        request["id"] &= 0xffffffff
    if fault == "needs a name" and "request" not in request:
        sys.exit(1)
    if fault == "members in order" and list(request)[:2] != ["op", "id"]:
        sys.exit(1)
    if message_type == "echo":
        put("send", id=request["id"], message={"working": True})
        finish(request, {"echo": changed(params)})
        if fault == "second final":
            finish(request, {"again": True})
        if fault == "send after final":
            put("send", id=request["id"], message={"late": True})
    elif message_type == "throws":
        if fault == "exits when it throws":
            os._exit(1)
        put("fail", id=request["id"], error="" if fault == "no text" else "Deliberate failure")
    elif message_type == "prints":
        if fault != "prints nothing":
            print("printed", flush=True)
        finish(request, {})
    elif message_type == "long":
        time.sleep(1)
        finish(request, {})
    elif fault == "finishes what it does not know":
        finish(request, {"error": "no handler"})
    elif fault == "evaluates types" and message_type == "constructor":
        finish(request, {})
    elif fault != "silent":
        put("fail", id=request["id"], code="no_handler", error="no handler for " + message_type)


def changed(params):
    if fault == "loses null" and isinstance(params, list):
        return [value for value in params if value is not None]
    if fault == "ascii" and isinstance(params, dict) and "text" in params:
        return {**params, "text": params["text"].encode("ascii", "replace").decode()}
    if fault == "integers" and isinstance(params, list):
        return [int(value) if isinstance(value, float) else value for value in params]
    if fault == "shallow":
        return json.loads(json.dumps(params)) if len(json.dumps(params)) < 80 else None
    return params


def say_ready():
    ready = {"types": ["echo", "throws", "prints", "long"], "cancel": True}
    if fault == "types":
        ready["types"] = ["echo", "echo"]
    if fault == "concurrency of text":
        ready["concurrency"] = "4"
    if fault == "pong" or fault == "serial":
        ready["concurrency"] = 4
    if fault == "unknown op of its own":
        put("prepared")
    put("ready", **ready)


def main():
    if fault == "leaves":
        sys.exit("told to leave")
    is_first = True
    for line in read_lines():
        received = json.loads(line)
        op = received.get("op")
        if op == "hello":
            if fault == "strict hello" and len(received) > 5:
                sys.exit(1)
            if fault != "never ready":
                say_ready()
        elif op == "request":
            if fault == "one request" and not is_first:
                continue
            is_first = False
            serve(received)
        elif op == "stop":
            if fault == "ignores stop":
                continue
            sys.exit(4 if fault == "bad status" else 0)
        elif op == "ping":
            if fault != "pong":
                put("pong")
        elif fault == "dies of unknown ops" and op not in ("cancel", "reply"):
            sys.exit(1)
        elif fault == "dies of a cancel" and op == "cancel":
            sys.exit(1)
        elif fault == "finishes what is cancelled" and op == "cancel":
            put("finish", id=received["id"], message={})
        elif fault == "dies of a reply" and op == "reply":
            sys.exit(1)
    if fault == "stays":
        time.sleep(60)


main()
