# SPDX-License-Identifier: ISC
"""The types of ../table.mjs for the Python kit; table.js has the same."""

import threading

import usher

app = usher.Application()


@app.handler("progress")
def progress(message, session, send):
    send({"pct": 50}, type="progressed")
    send({"pct": 100})
    return {"done": True}


@app.handler("list")
def as_list(message, session, send):
    return [1, [], {"a": None}]


@app.handler("nothing")
def nothing(message, session, send):
    send({})


@app.handler("refuse")
def refuse(message, session, send):
    raise usher.Error("Told to fail", status={"code": 418})


@app.handler("crash")
def crash(message, session, send):
    raise RuntimeError("Deliberate failure")


@app.handler("crashAfterSend")
def crash_after_send(message, session, send):
    session.color = "blue"
    send({"step": 1})
    raise RuntimeError("Deliberate failure")


@app.handler("twice")
def twice(message, session, send):
    # A function answers but once; an intermediate reply may still come later.
    threading.Timer(0.02, send, [{"n": 2}]).start()
    return {"n": 1}


@app.handler("show")
def show(message, session, send):
    return {
        "user": session.get("user"), "color": session.get("color"), "list": session.get("list"),
        "isSecret": session.is_secret("user"),
    }


@app.handler("change")
def change(message, session, send):
    session.user = 'anna \u00e9 "\\\n \U0001f600'
    session.make_secret("user")
    session.color = "red"
    session.list = [1, {"a": None, "b": 0.5}]
    return {"ok": True}


@app.handler("changeInside")
def change_inside(message, session, send):
    session.list.append("more")
    return {"ok": True}


@app.handler("changeRefused")
def change_refused(message, session, send):
    session.color = "green"
    return {"error": "Told to fail"}


@app.handler("publish")
def publish(message, session, send):
    session.make_public("user")
    return {"isSecret": session.is_secret("user")}


@app.handler("forget")
def forget(message, session, send):
    del session.color
    return {"ok": True}


@app.handler("lengthen")
def lengthen(message, session, send):
    session.timeout = 900
    session.authenticated = True
    return {"ok": True}


app.run()
