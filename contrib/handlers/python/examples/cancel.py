#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The cancel example: a long count that stops when nobody waits for it any more."""

import usher

app = usher.Application()


@app.handler("count")
def count(message, session, send, request):
    params = message.get("params") or {}
    for n in range(1, params.get("to", 600) + 1):
        send({"count": n})
        if request.wait_cancelled(0.1):  # the work
            app.log("cancelled at %d" % n)
            raise usher.Cancelled()
    return {"done": True}


app.run()
