# SPDX-License-Identifier: ISC
"""What lib/crowd.js asks for, with the Python kit; CONCURRENCY requests at a time."""
import os
import time

import usher

app = usher.Application()


@app.handler("steps")
def steps(message, session, send):
    params = message["params"]
    for step in (1, 2, 3):
        send({"step": step, "of": 3, "tag": params["tag"]})
        time.sleep((params.get("gap") or 0) / 1000)
    return {"done": True, "tag": params["tag"]}


@app.handler("fail")
def fail(message, session, send):
    raise usher.Error("Told to fail", status={"code": 418}, tag=message["params"]["tag"])


app.run(concurrency=int(os.environ["CONCURRENCY"]))
