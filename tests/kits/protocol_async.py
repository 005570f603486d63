# SPDX-License-Identifier: ISC
"""What protocol.test.mjs asks of asynchronous Python handlers, and of the plain one among them."""

import asyncio
import os
import sys
import threading
import time

import usher

app = usher.Application()


@app.handler("about")
async def about(message, session, send, request):
    return {"id": request.id, "type": request.type, "application": request.application,
            "client": request.client, "name": request.name, "trace": request.trace,
            "deadline": request.deadline, "cancelled": request.cancelled}


@app.handler("ask")
async def ask(message, session, send, request):
    p = message["params"]
    answer = await request.call(p["application"], p["type"], p.get("message"),
                                on_reply=lambda reply: send({"heard": reply}))
    return {"answer": answer}


@app.handler("askPlain")
def ask_plain(message, session, send, request):
    in_loop = threading.current_thread() is threading.main_thread()
    return {"answer": request.call("other", "thing", {}), "inLoop": in_loop}


@app.handler("askCaught")
async def ask_caught(message, session, send, request):
    try:
        await request.call("other", "thing", {})
    except usher.Error as error:
        return {"text": str(error), "code": error.code, "all": error.message}


@app.handler("askTwice")
async def ask_twice(message, session, send, request):
    answers = await asyncio.gather(*(request.call("other", "thing", {"n": n}) for n in (1, 2)))
    return {"answers": answers}


@app.handler("askWrongly")
async def ask_wrongly(message, session, send, request):
    caught = []
    for args in (("", "t"), ("a", ""), ("a", 5), ("a", "t", [1]), ("a", "t", "text")):
        try:
            await request.call(*args)
        except TypeError as error:
            caught.append(str(error))
    return {"caught": len(caught)}


@app.handler("push")
async def push(message, session, send, request):
    for to in message["params"]["to"]:
        request.push(to, "news", {"n": 1})
    app.push({"all": True}, "empty")
    return {"ok": True}


@app.handler("pushWrongly")
async def push_wrongly(message, session, send, request):
    caught = []
    for to in ({}, {"all": False}, {"socket": None}, {"room": "r"}, {"socket": "s", "all": True},
               None, 5, "", []):
        try:
            request.push(to, "news")
        except ValueError as error:
            caught.append(str(error))
    return {"caught": len(caught)}


@app.handler("patient")
async def patient(message, session, send, request):
    send({"started": True})
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        print("patient was told: %s" % request.cancelled)
    return {"cancelled": request.cancelled}


@app.handler("throws")
async def throws(message, session, send):
    send({"started": True})
    await asyncio.sleep(30)


@app.handler("deaf")
async def deaf(message, session, send):
    send({"started": True})
    until = time.monotonic() + message["params"]["ms"] / 1000
    while time.monotonic() < until:
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass
    return {"done": True}


@app.handler("block")
async def block(message, session, send):
    send({"started": True})
    time.sleep(message["params"]["ms"] / 1000)
    send({"ended": True})
    return {"done": True}


@app.handler("wait")
async def wait(message, session, send):
    await asyncio.sleep(message["params"]["ms"] / 1000)
    return {"tag": message["params"].get("tag")}


@app.handler("crash")
async def crash(message, session, send):
    raise RuntimeError("Deliberate failure")


@app.handler("log")
async def log(message, session, send):
    await asyncio.sleep(0.02)
    app.log("about %s" % message["params"]["tag"])


@app.handler("exit")
async def leave(message, session, send):
    sys.exit(3)


app.run(concurrency=int(os.environ.get("CONCURRENCY", "1")))
