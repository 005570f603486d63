#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The login example: what a user may see, what only nodes may see, intermediate replies."""

import time

import usher

app = usher.Application()


def params_of(message):
    params = message.get("params")
    return params if isinstance(params, dict) else {}


def with_tag(reply, params):
    if "tag" in params:
        reply["tag"] = params["tag"]
    return reply


@app.handler("login")
def login(message, session, send):
    params = params_of(message)
    if session.get("authenticated"):
        return {"error": "Already logged in"}
    if params.get("username") != "rob" or params.get("password") != "secret":
        return {"error": "Invalid login attempt"}
    session.authenticated = True
    session.timeout = 1200
    session.userText = "Welcome Rob"  # the browser can read it in its token
    session.username = params["username"]
    session.make_secret("username")  # encrypted: for handlers only
    return {"ok": True}


@app.handler("whoami")
def whoami(message, session, send):
    return {
        "application": session.get("application"),
        "authenticated": bool(session.get("authenticated")),
        "username": session.get("username"),
        "userText": session.get("userText"),
        "timeout": session.get("timeout"),
        "secretUsername": session.is_secret("username"),
    }


@app.handler("steps")
def steps(message, session, send):
    params = params_of(message)
    gap_ms = params.get("gap") or 0
    for step in 1, 2, 3:
        send(with_tag({"step": step, "of": 3}, params))
        time.sleep(gap_ms / 1000)
    return with_tag({"done": True}, params)


@app.handler("echo")
def echo(message, session, send):
    return with_tag({"echo": message.get("params")}, params_of(message))


app.run()
