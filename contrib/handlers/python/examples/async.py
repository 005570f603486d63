#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The cancel example with asyncio: one process counts for 32 clients at a time."""

import asyncio

import usher

app = usher.Application()


@app.handler("count")
async def count(message, session, send):
    params = message.get("params") or {}
    n = 0
    try:
        for n in range(1, params.get("to", 600) + 1):
            send({"count": n})
            await asyncio.sleep(0.1)  # the work
    except asyncio.CancelledError:
        app.log("cancelled at %d" % n)
        raise
    return {"done": True}


app.run(concurrency=32)
