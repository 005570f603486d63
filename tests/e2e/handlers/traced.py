#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Says what a request is called here, in its answer and in the log; asks another application.
import os
import sys

sys.path.insert(0, os.environ["KIT"])
import usher  # noqa: E402

app = usher.Application()


@app.handler("where")
def where(message, session, send, request):
    app.log("at work")
    return {"name": request.name, "trace": request.trace}


@app.handler("ask")
def ask(message, session, send, request):
    there = request.call("inner", "where")
    return {"here": {"name": request.name, "trace": request.trace}, "there": there}


@app.handler("never")
def never(message, session, send, request):
    request.wait_cancelled(60)


app.run()
