# SPDX-License-Identifier: ISC
"""The types of tests/kits for the Python kit; fixture.js has the same."""

import os
import sys
import threading
import time

import usher

app = usher.Application()


@app.handler("raw")
def raw(message, session, send):
    return {"received": message}


@app.handler("list")
def as_list(message, session, send):
    return [1, 2, 3]


@app.handler("nothing")
def nothing(message, session, send):
    send(None)
    return None


@app.handler("text")
def text(message, session, send):
    return "just text"


@app.handler("progress")
def progress(message, session, send):
    send({"pct": 50}, type="progressed")
    send({"pct": 100})
    return {"done": True}


@app.handler("refuse")
def refuse(message, session, send):
    return {"error": "Told to fail", "status": {"code": 418}}


@app.handler("refuseByException")
def refuse_by_exception(message, session, send):
    raise usher.Error("Told to fail", status={"code": 418})


@app.handler("crash")
def crash(message, session, send):
    raise RuntimeError("Deliberate failure\nwith a second line")


@app.handler("crashWithoutText")
def crash_without_text(message, session, send):
    raise RuntimeError()


@app.handler("crashAfterSend")
def crash_after_send(message, session, send):
    send({"step": 1})
    raise RuntimeError("Deliberate failure")


@app.handler("crashOnKey")
def crash_on_key(message, session, send):
    return message["absent"]


@app.handler("late")
def late(message, session, send):
    def later():
        time.sleep(0.05)
        send({"afterFinal": True})
        print("late is over")

    threading.Thread(target=later, daemon=True).start()
    return {"n": 1}


@app.handler("threads")
def threads(message, session, send):
    def many(who):
        for n in range(50):
            send({"who": who, "n": n, "data": "x" * 20000})

    all_threads = [threading.Thread(target=many, args=(who,)) for who in range(4)]
    for thread in all_threads:
        thread.start()
    for thread in all_threads:
        thread.join()
    return {"done": True}


@app.handler("print")
def prints(message, session, send):
    print("printed by a handler")
    print('{"op":"finish","id":1,"message":"not this one"}')
    print("printed as an error", file=sys.stderr)
    print("half a pair: \ud800")
    os.system("echo printed by a child")
    return {"ok": True}


@app.handler("log")
def log(message, session, send):
    app.log("something odd", level="warn")
    app.log("nothing", level="loud")
    return {}


@app.handler("unserialisable")
def unserialisable(message, session, send):
    value = []
    value.append(value)
    return {"value": value}


@app.handler("infinite")
def infinite(message, session, send):
    return {"value": float("inf")}


@app.handler("halfPair")
def half_pair(message, session, send):
    return {"value": "\ud800"}


@app.handler("big")
def big(message, session, send):
    for part in range(message["params"]["parts"]):
        send({"part": part, "data": "x" * message["params"]["size"]})
    return {"done": True}


@app.handler("slow")
def slow(message, session, send):
    send({"started": True})
    time.sleep(message["params"]["ms"] / 1000)
    return {"waited": True}


@app.handler("exit")
def leave(message, session, send):
    sys.exit(3)


@app.handler("child")
def child(message, session, send):
    return {
        "holdsConnection": os.system("test -e /proc/self/fd/3") == 0,
        "hasVariable": os.system('test -n "$USHER_FD"') == 0,
    }


@app.handler("session")
def read_session(message, session, send):
    return {"session": dict(session)}


@app.handler("sameSession")
def same_session(message, session, send):
    session.user = session["user"]
    session.make_secret("user")
    return {}


@app.handler("nestedSession")
def nested_session(message, session, send):
    session.list.append(4)
    return {}


@app.handler("secretNumber")
def secret_number(message, session, send):
    session["5"] = "five"
    session.make_secret(5)
    return {}


@app.handler("publish")
def publish(message, session, send):
    was = session.is_secret("user")
    session.make_public("user")
    return {"was": was, "is": session.is_secret("user")}


@app.handler("forget")
def forget(message, session, send):
    del session.user
    return {}


@app.handler("trueToOne")
def true_to_one(message, session, send):
    session.flag = 1
    return {}


@app.handler("items")
def items(message, session, send):
    session["items"] = [1]
    caught = []
    for act in (lambda: setattr(session, "items", 1), lambda: session.absent,
                lambda: delattr(session, "absent")):
        try:
            act()
        except AttributeError as error:
            caught.append(str(error))
    return {"caught": caught, "absent": session.get("absent"), "items": session["items"]}


def got(request):
    return {"got": isinstance(request, usher.Request)}


@app.handler("fourth")
def fourth(message, session, send, request=None):
    return got(request)


@app.handler("fourthByAnyName")
def fourth_by_any_name(message, session, send, r):
    return got(r)


@app.handler("keyword")
def keyword(message, session, send, *, request):
    return got(request)


@app.handler("defaulted")
def defaulted(message, session, send, retries=0):
    return got(retries)


@app.handler("starred")
def starred(*args):
    return got(args[-1])


class Methods:
    def method(self, message, session, send, request):
        return got(request)


app.handler("method")(Methods().method)
app.run()
