#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The cancel example: work in steps, given up as soon as nobody waits for it."""

import usher

app = usher.Application()


@app.handler("count")
def count(message, session, send, request):
    to = message["params"]["to"]
    for n in range(1, to + 1):
        send({"n": n, "of": to})
        if request.wait_cancelled(message["params"].get("gap", 1000) / 1000):
            app.log("nobody waits any more, stopped at %d" % n)
            return {"stopped": n}
    return {"done": True}


app.run()
