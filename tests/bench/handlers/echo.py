# SPDX-License-Identifier: ISC
"""The handlers of the benchmark for the Python kit: what usher-null does."""

import usher

app = usher.Application()


def echo(message, session, send):
    return {"echo": message["params"]}


for number in range(512):
    app.handler("bench-%d" % number)(echo)

app.run()
