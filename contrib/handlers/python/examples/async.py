#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The cancel example with asyncio: 32 of them are served at a time by one process."""

import asyncio

import usher

app = usher.Application()


@app.handler("count")
async def count(message, session, send, request):
    to = message["params"]["to"]
    n = 0
    try:
        while n < to:
            n += 1
            send({"n": n, "of": to})
            await asyncio.sleep(message["params"].get("gap", 1000) / 1000)
    except asyncio.CancelledError:
        app.log("nobody waits any more, stopped at %d" % n)
        return {"stopped": n}
    return {"done": True}


app.run(concurrency=32)
