# SPDX-License-Identifier: ISC
"""Speaks the handler protocol on descriptor 3 directly, without a kit."""
import json
import os

fd = os.fdopen(int(os.environ["USHER_FD"]), "r+b", buffering=0)


def say(line):
    fd.write(json.dumps(line).encode() + b"\n")


def login(id, message, session):
    params = message.get("params", {})
    if (params.get("username"), params.get("password")) != ("rob", "secret"):
        return say({"op": "finish", "id": id, "message": {"error": "Invalid login attempt"}})
    session.update(authenticated=True, timeout=1200, userText="Welcome Rob", username="rob")
    say({"op": "finish", "id": id, "message": {"ok": True}, "session": session,
         "secret": ["socketId", "ipAddress", "authenticated", "username"]})


def whoami(id, message, session):
    names = ("application", "authenticated", "username", "userText")
    say({"op": "finish", "id": id, "message": {name: session.get(name) for name in names}})


def steps(id, message, session):
    tag = message.get("params", {}).get("tag")
    for step in (1, 2, 3):
        say({"op": "send", "id": id, "message": {"step": step, "of": 3, "tag": tag}})
    say({"op": "finish", "id": id, "message": {"done": True, "tag": tag}})


def echo(id, message, session):
    params = message.get("params")
    say({"op": "finish", "id": id, "message": {"echo": params, "tag": (params or {}).get("tag")}})


def fail(id, message, session):
    say({"op": "finish", "id": id, "message": {"error": "Told to fail", "status": {"code": 418}}})


TYPES = {"login": login, "whoami": whoami, "steps": steps, "echo": echo, "fail": fail}


def serve(request):
    handler = TYPES.get(request["type"])
    if handler:
        return handler(request["id"], request["message"], request["session"])
    say({"op": "fail", "id": request["id"], "code": "no_handler",
         "error": "Handler not defined for %s messages of type %s"
                  % (request["application"], request["type"])})


say({"op": "ready"})
rest = b""
while True:
    data = os.read(fd.fileno(), 65536)
    if not data:
        break
    *lines, rest = (rest + data).split(b"\n")
    for line in lines:
        received = json.loads(line)
        if received["op"] == "request":
            serve(received)
        elif received["op"] == "stop":
            raise SystemExit
