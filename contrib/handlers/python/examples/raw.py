#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# A handler without a kit: JSON lines on descriptor 3, and nothing else.
import json, os, socket, sys

daemon = socket.socket(fileno=int(os.environ["USHER_FD"]))

def put(op, **fields):
    line = json.dumps({"op": op, **fields}) + "\n"
    daemon.sendall(line.encode())

def login(request):
    params = request["message"].get("params")
    if (not isinstance(params, dict) or params.get("username") != "rob"
            or params.get("password") != "secret"):
        return put("finish", id=request["id"],
                   message={"error": "Invalid login attempt"})
    session = request["session"]
    session.update(authenticated=True, timeout=1200,
                   userText="Welcome Rob", username="rob")
    put("finish", id=request["id"], message={"ok": True},
        session=session, secret=request["secret"] + ["username"])

def steps(request):
    for step in 1, 2, 3:
        put("send", id=request["id"], message={"step": step, "of": 3})
    put("finish", id=request["id"], message={"done": True})

handlers = {"login": login, "steps": steps}

for line in daemon.makefile("rb"):      # the end of the file: exit
    if not line.endswith(b"\n"):
        break                           # in the middle of a line, too
    received = json.loads(line)
    if received["op"] == "hello":
        put("ready", types=list(handlers))
    elif received["op"] == "request":
        handler = handlers.get(received["type"])
        if handler:
            handler(received)
        else:
            put("fail", id=received["id"], code="no_handler",
                error="no handler for " + received["type"])
    elif received["op"] == "stop":
        sys.exit()
