# SPDX-License-Identifier: ISC
"""What protocol.test.mjs asks of plain Python handlers; protocol_async.py and protocol.js have
the same types.  CONCURRENCY above 1 serves them in threads."""

import os
import sys
import threading
import time

import usher

app = usher.Application()


@app.handler("about")
def about(message, session, send, request):
    return {"id": request.id, "type": request.type, "application": request.application,
            "client": request.client, "name": request.name, "trace": request.trace,
            "deadline": request.deadline, "cancelled": request.cancelled}


@app.handler("ask")
def ask(message, session, send, request):
    p = message["params"]
    answer = request.call(p["application"], p["type"], p.get("message"),
                          on_reply=lambda reply: send({"heard": reply}))
    return {"answer": answer}


@app.handler("askCaught")
def ask_caught(message, session, send, request):
    try:
        request.call("other", "thing", {})
    except usher.Error as error:
        return {"text": str(error), "code": error.code, "all": error.message}


@app.handler("askTwice")
def ask_twice(message, session, send, request):
    answers = {}

    def one(n):
        answers[str(n)] = request.call("other", "thing", {"n": n})

    threads = [threading.Thread(target=one, args=(n,), daemon=True) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"answers": [answers["1"], answers["2"]]}


@app.handler("askWrongly")
def ask_wrongly(message, session, send, request):
    caught = []
    for args in (("", "t"), ("a", ""), ("a", 5), ("a", "t", [1]), ("a", "t", "text")):
        try:
            request.call(*args)
        except TypeError as error:
            caught.append(str(error))
    return {"caught": len(caught)}


@app.handler("push")
def push(message, session, send, request):
    for to in message["params"]["to"]:
        request.push(to, "news", {"n": 1})
    request.push({"all": True}, "empty")
    return {"ok": True}


@app.handler("pushWrongly")
def push_wrongly(message, session, send, request):
    caught = []
    for to in ({}, {"all": False}, {"socket": None}, {"room": "r"}, {"socket": "s", "all": True},
               None, 5, "", []):
        try:
            request.push(to, "news")
        except ValueError as error:
            caught.append(str(error))
    return {"caught": len(caught)}


@app.handler("patient")
def patient(message, session, send, request):
    send({"started": True})
    was_cancelled = request.wait_cancelled(30)
    print("patient was told: %s" % was_cancelled)
    return {"cancelled": request.cancelled}


@app.handler("deaf")
def deaf(message, session, send):
    send({"started": True})
    time.sleep(message["params"]["ms"] / 1000)
    return {"done": True}


@app.handler("wait")
def wait(message, session, send):
    time.sleep(message["params"]["ms"] / 1000)
    return {"tag": message["params"].get("tag")}


@app.handler("crash")
def crash(message, session, send):
    raise RuntimeError("Deliberate failure")


@app.handler("log")
def log(message, session, send):
    time.sleep(0.02)
    app.log("about %s" % message["params"]["tag"])
    return {}


@app.handler("exit")
def leave(message, session, send):
    sys.exit(3)


app.run(concurrency=int(os.environ.get("CONCURRENCY", "1")))
