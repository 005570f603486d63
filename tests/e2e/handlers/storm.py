# SPDX-License-Identifier: ISC
"""What lib/storm.js asks for, with the Python kit; CONCURRENCY requests at a time.

With ASYNC the handlers are coroutines, else plain functions.
"""
import asyncio
import os
import threading
import time

import usher

app = usher.Application()


def put_strays(id):
    """Past the kit, which drops what comes after a final."""
    for op in "send", "finish":
        os.write(3, b'{"op":"%s","id":%d,"message":{"tag":"a stray reply"}}\n' % (op.encode(), id))


def tag_of(message):
    return message["params"]["tag"]


def doubled(message, session, send):
    # Late, or else as good as any other intermediate reply.
    threading.Timer(0.01, send, [{"step": 1, "tag": tag_of(message)}]).start()
    return {"n": 1, "tag": tag_of(message)}


def flood(message, session, send):
    for step in range(1, message["params"]["n"] + 1):
        send({"step": step, "tag": tag_of(message), "data": "x" * 200})
    return {"done": True, "tag": tag_of(message)}


def fail(message, session, send):
    raise usher.Error("Told to fail", tag=tag_of(message))


def crash(message, session, send):
    raise RuntimeError("Deliberate failure")


def block(message, session, send):
    time.sleep(3600)


def leave(message, session, send):
    os._exit(3)


def steps(message, session, send, request):
    # Of a request long answered: what a worker says must be about an open one.
    if request.id > 1 and os.environ["CONCURRENCY"] == "1":
        put_strays(request.id - 1)
    for step in 1, 2, 3:
        send({"step": step, "tag": tag_of(message)})
        time.sleep(message["params"]["gap"] / 1000)
    return {"done": True, "tag": tag_of(message)}


async def steps_async(message, session, send):
    for step in 1, 2, 3:
        send({"step": step, "tag": tag_of(message)})
        await asyncio.sleep(message["params"]["gap"] / 1000)
    return {"done": True, "tag": tag_of(message)}


async def hang_async(message, session, send):
    await asyncio.sleep(3600)


async def block_async(message, session, send):
    time.sleep(3600)


is_async = "ASYNC" in os.environ
app.handler("doubled")(doubled)
app.handler("flood")(flood)
app.handler("fail")(fail)
app.handler("crash")(crash)
app.handler("leave")(leave)
app.handler("steps")(steps_async if is_async else steps)
app.handler("hang")(hang_async if is_async else block)
app.handler("block")(block_async if is_async else block)
app.run(concurrency=int(os.environ["CONCURRENCY"]))
