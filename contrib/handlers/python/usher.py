# SPDX-License-Identifier: ISC
"""Handlers for usher in Python: the handler protocol, version 1, in one file.

    import usher

    app = usher.Application()

    @app.handler("hello")
    def hello(message, session, send):
        return {"text": "Hello"}

    app.run()

A handler with a fourth parameter gets the Request as well: it can ask other services,
push messages to browsers, and hear that nobody waits for it any more.  Handlers that are
"async def" run side by side in one process: app.run(concurrency=32).

usherd starts the program and talks to it on the descriptor named in USHER_FD,
never on stdout, so print() is harmless and ends in the daemon's log.  Without
USHER_FD the program reads requests from stdin and writes replies to stdout, and
print() goes to stderr.  The protocol itself is described in usher-handler(7).
"""

import asyncio
import collections
import contextvars
import inspect
import itertools
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback

__all__ = ["Application", "AsyncRequest", "Cancelled", "Error", "Request", "Session"]

KIT = "python/1"
PROTOCOL = 1
LEVELS = ("error", "warn", "info", "debug")
READ_SIZE = 65536  # more is memory that the system gives and takes with each read
ORPHAN_GRACE = 2  # seconds a handler has to end when the daemon is gone

_current = contextvars.ContextVar("usher_request", default=None)


class Error(Exception):
    """Raise it to answer with an error: Error("No such user", status={"code": 404})
    sends {"error": "No such user", "status": {"code": 404}} to the client.

    Request.call() raises it with what the other service answered in `message`.
    """

    def __init__(self, text, **fields):
        super().__init__(text)
        self.message = {"error": text, **fields}

    @property
    def code(self):
        """What went wrong, for a program: "timeout", "no_handler", ...; None if not said."""
        return self.message.get("code")


class Cancelled(Exception):
    """The client does not wait for the request any more: Request.call() ends with it."""

    def __init__(self):
        super().__init__("cancelled")


class Session(dict):
    """What the user's token says: session["name"] and session.name are the same.

    A name that a dict uses for a method of its own (items, update, ...) and one that
    starts with two underscores can be had as session["items"] only.  A changed session
    goes back with the final reply; secret values are encrypted in the token.
    """

    __slots__ = ("_secret",)

    def __init__(self, claims=(), secret=()):
        super().__init__(claims)
        self._secret = set(secret)

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError("the session has no %r" % name) from None

    def __setattr__(self, name, value):
        if name in Session.__slots__:
            super().__setattr__(name, value)
        elif hasattr(Session, name):
            raise AttributeError("write session[%r] = ..., session.%s is a method" % (name, name))
        else:
            self[name] = value

    def __delattr__(self, name):
        try:
            del self[name]
        except KeyError:
            raise AttributeError("the session has no %r" % name) from None

    def make_secret(self, name):
        """From now on the value of that name can be read by nodes only, not by the browser."""
        if not isinstance(name, str):
            raise TypeError("the name of a session value is a string")
        self._secret.add(name)

    def is_secret(self, name):
        return name in self._secret

    def make_public(self, name):
        self._secret.discard(name)


class Application:
    """The handlers of one application, and the run that serves them."""

    def __init__(self):
        self._handlers = {}
        self._runner = None

    def handler(self, message_type):
        """Decorator: the function serves messages of that type.

        It is called with the client's message (a dict), the session and send(obj, type=None),
        which sends an intermediate reply, under another type if one is given; and with the
        Request, if it has a fourth parameter.  What the function returns is the final reply.
        """
        if not isinstance(message_type, str) or not message_type:
            raise TypeError("a message type is a non-empty string")
        if message_type in self._handlers:
            raise ValueError("there are two handlers for %r" % message_type)

        def register(function):
            self._handlers[message_type] = _Handler(function)
            return function

        return register

    def log(self, text, level="info"):
        """Writes a line to the daemon's log (error, warn, info, debug), with the request it
        belongs to; before run(), to stderr."""
        if level not in LEVELS:
            raise ValueError("%r is no level of the log" % (level,))
        if self._runner is None:
            print(text, file=sys.stderr)
            return
        line = {"op": "log", "level": level, "text": str(text)}
        request = self._runner.current()
        if request is not None:
            line["id"] = request.id
        self._runner.channel.write(_encode(line))

    def push(self, to, type, message=None):
        """As Request.push(), for what happens outside of requests."""
        if self._runner is None:
            raise RuntimeError("push() works from run() on")
        self._runner.push(to, type, message)

    def run(self, concurrency=1):
        """Serves requests until the daemon says stop or closes the connection.

        With a concurrency above 1 that many are served at a time: those of "async def"
        handlers by tasks of one event loop, those of plain functions by threads.
        """
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ValueError("concurrency is a number of requests, at least 1")
        is_async = any(handler.is_async for handler in self._handlers.values())
        self._runner = (_LoopRunner if is_async else _Runner)(self._handlers, concurrency)
        self._runner.run()


class Request:
    """One request until its single final answer; what is sent later is dropped.

    id           its number on this connection
    type         type of the message
    application  name of the application here
    client       where it began: a dict with "address" and "socket", as far as known
    name         what the logs of all nodes call it, or None
    trace        its traceparent, or None
    """

    def __init__(self, runner, line, handler):
        self.id = line["id"]
        self.type = line.get("type")
        self.application = line.get("application")
        self.client = line.get("client") or {}
        self.name = line.get("request")
        self.trace = line.get("trace")
        self._runner = runner
        self._handler = handler
        self._message = line.get("message")
        self._session = Session(line.get("session") or {}, line.get("secret") or ())
        self._session_before = self._session_fields()
        self._deadline = None
        if line.get("deadline_ms") is not None:
            self._deadline = time.monotonic() + line["deadline_ms"] / 1000
        self._cancelled = threading.Event()
        self._has_place = False  # counts among those that are served at a time
        self._pings = 0  # since it was cancelled
        self._is_open = True
        self._lock = threading.Lock()  # a handler may send from threads of its own

    @property
    def deadline(self):
        """Seconds left until the client is told "timeout"; None if there is no end."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    @property
    def cancelled(self):
        """True from when nobody waits for the answer any more."""
        return self._cancelled.is_set()

    def wait_cancelled(self, seconds=None):
        """Sleeps that long, but ends at once when the request is cancelled: True then."""
        return self._cancelled.wait(seconds)

    def call(self, application, type, message=None, on_reply=None):
        """Asks another service in the name of the same user; gives its final reply.

        Raises Error if that is an error, Cancelled if meanwhile the request is cancelled.
        on_reply(message) is called for each intermediate reply.
        """
        replies = queue.SimpleQueue()
        number = self._runner.open_call(self, replies.put, application, type, message)
        try:
            while True:
                reply = self._reply_of(replies.get())
                if reply["finished"]:
                    return reply["message"]
                if on_reply is not None:
                    on_reply(reply["message"])
        finally:
            self._runner.forget_call(number)

    def push(self, to, type, message=None):
        """Sends a message nobody asked for: to one browser, {"socket": name} (or just the
        name, as in request.client["socket"]), to all of {"application": name}, or to
        {"all": True}."""
        self._runner.push(to, type, message)

    def send(self, message, type=None):
        """Sends an intermediate reply, under another type if one is given."""
        head = {"op": "send", "id": self.id}
        if type is not None:
            head["type"] = _name(type, "the type of an intermediate reply")
        self._answer(head, message=message)

    def _run(self):
        token = _current.set(self)
        try:
            self._finish(self._result())
        except Exception as error:
            self._fail_with(error)
        finally:
            _current.reset(token)

    def _result(self):
        if self.cancelled:
            raise Cancelled()
        try:
            return self._handler(self)
        except Error as error:
            return error.message

    def _reply_of(self, line):
        """What a call was answered, or None if it will not be."""
        if line is None:
            raise Cancelled() if self.cancelled else RuntimeError("the request is answered")
        message = line.get("message")
        is_final = line.get("finished") is not False
        if is_final and isinstance(message, dict) and message.get("error") not in (None, False):
            error = Error(message["error"])
            error.message = message
            raise error
        return {"finished": is_final, "message": {} if message is None else message}

    def _cancel(self):
        self._cancelled.set()
        self._runner.end_calls(self)

    @property
    def _is_deaf(self):
        return self._pings > 1

    def _finish(self, message):
        head = {"op": "finish", "id": self.id}
        session = self._session_fields()
        # Left out when nothing changed: the daemon then keeps the encrypted part as it is.
        tail = session if session != self._session_before else ""
        self._answer(head, tail, message=message, is_final=True)

    def _fail_with(self, error):
        if not isinstance(error, Cancelled):
            traceback.print_exception(type(error), error, error.__traceback__)
        self._fail("handler_error", _first_line(error))

    def _fail(self, code, text):
        self._answer({"op": "fail", "id": self.id, "code": code, "error": text}, is_final=True)

    def _answer(self, head, tail="", is_final=False, **body):
        if "message" in body and body["message"] is None:
            body["message"] = {}
        text = _encode({**head, **body})
        if tail:
            text = text[:-1] + "," + tail + "}"
        with self._lock:
            if not self._is_open:
                return
            if is_final:
                self._is_open = False
            self._runner.channel.write(text)
        if is_final:
            self._runner.closed(self)

    def _session_fields(self):
        # Compared as text, since to Python 1, 1.0 and True are equal.
        secret = sorted(name for name in self._session._secret if name in self._session)
        return '"session":%s,"secret":%s' % (_encode(self._session), _encode(secret))


class AsyncRequest(Request):
    """A request served by an "async def" handler: a task, cancelled with the request."""

    _task = None

    async def call(self, application, type, message=None, on_reply=None):
        """As Request.call(), to be awaited."""
        replies = asyncio.Queue()
        number = self._runner.open_call(
            self, lambda line: self._runner.post(replies.put_nowait, line),
            application, type, message)
        try:
            while True:
                reply = self._reply_of(await replies.get())
                if reply["finished"]:
                    return reply["message"]
                if on_reply is not None:
                    on_reply(reply["message"])
        finally:
            self._runner.forget_call(number)

    async def wait_cancelled(self, seconds=None):
        """Sleeps that long; asyncio.CancelledError ends it, as it ends any other await."""
        while seconds is None:
            await asyncio.sleep(3600)
        await asyncio.sleep(seconds)
        return False

    def _start_task(self, loop):
        context = contextvars.copy_context()
        context.run(_current.set, self)
        try:
            self._task = context.run(loop.create_task, self._handler(self))
        except Exception as error:
            self._fail_with(error)
            return
        self._task.add_done_callback(self._on_done)
        if self.cancelled:
            self._task.cancel()

    def _cancel(self):
        # The task first: what awaits a call sees asyncio.CancelledError and nothing else.
        self._cancelled.set()
        self._runner.post(self._cancel_task)
        self._runner.end_calls(self)

    def _cancel_task(self):
        if self._task is not None:
            self._task.cancel()

    def _on_done(self, task):
        if task.cancelled():
            self._fail_with(Cancelled())
            return
        error = task.exception()
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            # The process ends with it; the daemon answers for whoever else was being served.
            self._runner.channel.mute()
            return
        try:
            if error is not None and not isinstance(error, Error):
                raise error
            self._finish(error.message if error else task.result())
        except Exception as reason:
            self._fail_with(reason)


class _Handler:
    """A function of the user's, and how it wants to be called."""

    def __init__(self, function):
        self.function = function
        self.is_async = (inspect.iscoroutinefunction(function)
                         or inspect.iscoroutinefunction(getattr(function, "__call__", None)))
        self.wants_position, self.wants_keyword = self._wants_request(function)

    def __call__(self, request):
        args = [request._message, request._session, request.send]
        if self.wants_position:
            args.append(request)
        return self.function(*args, **({"request": request} if self.wants_keyword else {}))

    @staticmethod
    def _wants_request(function):
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return False, False  # some functions written in C do not say
        positional = [p for p in parameters
                      if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if len(positional) > 3:
            fourth = positional[3]
            return fourth.name == "request" or fourth.default is fourth.empty, False
        return False, any(p.name == "request" and p.kind == p.KEYWORD_ONLY for p in parameters)


class _Runner:
    """Serves plain functions: one at a time in the main thread, several in threads.

    A thread reads the daemon's lines, so that cancellations and replies arrive while
    handlers run; whatever else there is to do is posted to the main thread.
    """

    def __init__(self, handlers, concurrency):
        self.channel = _Channel()
        self.handlers = handlers
        self.concurrency = concurrency
        self.pool = _Pool(self.post) if concurrency > 1 else None
        self.inbox = queue.SimpleQueue()  # what the main thread has to do
        self.is_over = False
        self.is_stopping = False
        self.is_retiring = False
        self.n_running = 0
        self.waiting = collections.deque()
        self.lock = threading.Lock()  # of the next two
        self.requests = {}  # id -> Request that has no final yet
        self.calls = {}  # number -> (Request, function that takes each reply)
        self.call_numbers = itertools.count(1)
        self.ops = {
            "hello": self._on_hello, "request": self._on_request, "cancel": self._on_cancel,
            "reply": self._on_reply, "ping": self._on_ping, "stop": self._on_stop,
        }

    def run(self):
        self.start_reader()
        while not self.is_over:
            function, args = self.inbox.get()
            function(*args)

    def post(self, function, *args):
        """Has the main thread call the function."""
        self.inbox.put((function, args))

    def start_reader(self):
        threading.Thread(target=self._read, name="usher-reader", daemon=True).start()

    def current(self):
        """The request that the caller serves, or None if that cannot be known."""
        request = _current.get()
        if request is None and self.concurrency == 1:
            with self.lock:  # a thread of the handler's
                request = next(iter(self.requests.values()), None)
        return request

    def push(self, to, type, message):
        if isinstance(to, str):
            to = {"socket": to}
        kind, value = next(iter(to.items())) if isinstance(to, dict) and len(to) == 1 else ("", "")
        if not (value is True if kind == "all"
                else kind in ("socket", "application") and isinstance(value, str) and value):
            raise ValueError('a push goes to {"socket": name}, {"application": name} '
                             'or {"all": True}')
        self.channel.write(_encode({
            "op": "push", "to": to, "type": _name(type, "the type of a push"),
            "message": {} if message is None else message}))

    def open_call(self, request, deliver, application, type, message):
        """Sends the call; deliver gets its replies, or None when there will be none."""
        if message is not None and not isinstance(message, dict):
            raise TypeError("the message of a call is a dict")
        number = next(self.call_numbers)
        text = _encode({
            "op": "call", "id": request.id, "call": number,
            "application": _name(application, "the application of a call"),
            "type": _name(type, "the type of a call"), "message": message or {}})
        with self.lock:
            if request.cancelled:
                raise Cancelled()
            if request.id not in self.requests:
                raise RuntimeError("the request is answered")
            self.calls[number] = (request, deliver)
        self.channel.write(text)
        return number

    def forget_call(self, number):
        with self.lock:
            self.calls.pop(number, None)

    def end_calls(self, request):
        """Nobody will answer the calls of that request."""
        with self.lock:
            ended = [number for number, call in self.calls.items() if call[0] is request]
            calls = [self.calls.pop(number) for number in ended]
        for _, deliver in calls:
            deliver(None)

    def closed(self, request):
        """The request has its final."""
        with self.lock:
            self.requests.pop(request.id, None)
        self.end_calls(request)
        self.post(self._release, request)

    # In the thread that reads

    def _read(self):
        try:
            for line in self.channel.lines():
                message = _decode_line(line)
                name = message.get("op")
                op = self.ops.get(name) if isinstance(name, str) else None
                if op is not None:
                    op(message)
                else:
                    print("usher: op %r is not known, ignored" % (name,), file=sys.stderr)
        except SystemExit as error:
            self.post(_raise, error)
        except Exception as error:
            traceback.print_exc()
            self.post(sys.exit, "usher: the daemon's line cannot be served: %r" % error)
        else:
            self._on_end()

    def _on_hello(self, line):
        if line.get("protocol") != PROTOCOL:
            sys.exit("usher: the daemon speaks version %r of the handler protocol, this kit %d"
                     % (line.get("protocol"), PROTOCOL))
        ready = {"op": "ready", "types": list(self.handlers), "cancel": True, "kit": KIT}
        if self.concurrency > 1:
            ready["concurrency"] = self.concurrency
        self.channel.write(_encode(ready))

    def _on_request(self, line):
        if self.is_stopping:
            print("usher: a request after the end, ignored", file=sys.stderr)
            return
        handler = self.handlers.get(line.get("type"))
        kind = AsyncRequest if handler is not None and handler.is_async else Request
        request = kind(self, line, handler)
        with self.lock:
            self.requests[request.id] = request
        self.post(self._start, request)

    def _on_cancel(self, line):
        with self.lock:
            request = self.requests.get(line.get("id"))
        if request is None:
            return
        request._cancel()
        if self.concurrency > 1:
            self.post(self._release, request)  # the daemon gives its place to another

    def _on_reply(self, line):
        with self.lock:
            _, deliver = self.calls.get(line.get("call"), (None, None))
        if deliver is not None:
            deliver(line)

    def _on_ping(self, line):
        self._pong()  # threads at work are no fault

    def _on_stop(self, line):
        self._stop()

    def _stop(self):
        self.is_stopping = True
        self.post(self._leave_if_done)

    def _on_end(self):
        self._stop()
        if not self.channel.is_daemon:
            return  # what was typed in or piped in by hand is still answered
        with self.lock:
            requests = list(self.requests.values())
        for request in requests:
            request._cancel()
        time.sleep(ORPHAN_GRACE)
        _exit_now(0)

    # In the main thread

    def _start(self, request):
        self.waiting.append(request)
        self._start_waiting()

    def _start_waiting(self):
        while self.waiting and self.n_running < self.concurrency:
            request = self.waiting.popleft()
            request._has_place = True
            self.n_running += 1
            if request._handler is None:
                request._fail("no_handler", "Handler not defined for %s messages of type %s"
                              % (request.application, request.type))
            else:
                self._serve(request)

    def _serve(self, request):
        if self.pool is None:
            request._run()
        else:
            self.pool.submit(request._run)

    def _release(self, request):
        if request._has_place:
            request._has_place = False
            self.n_running -= 1
        self._start_waiting()
        self._leave_if_done()

    def _pong(self):
        self.channel.write('{"op":"pong"}')
        self.post(self._look_for_deaf)

    def _look_for_deaf(self):
        """Handlers that go on for nobody pile up, and nothing but the end of the process
        ends them: time for another one."""
        with self.lock:
            for request in self.requests.values():
                request._pings += request.cancelled
            n_deaf = sum(request._is_deaf for request in self.requests.values())
        if 1 < self.concurrency <= n_deaf and not self.is_retiring:
            self.is_retiring = True
            self.channel.write(_encode({
                "op": "unready", "reason": "%d handlers go on though cancelled" % n_deaf}))
        self._leave_if_done()

    def _leave_if_done(self):
        with self.lock:
            is_done = all(request._is_deaf for request in self.requests.values())
        if not is_done:
            return
        if self.is_retiring:
            _exit_now(1)
        if self.is_stopping:
            self.leave()

    def leave(self):
        if self.requests:
            _exit_now(0)  # the deaf will not go
        self.is_over = True


class _LoopRunner(_Runner):
    """Serves "async def" functions as tasks of an event loop, which is the main thread's.

    Plain functions run in the loop's thread if there is one request at a time anyway,
    else in threads of their own.
    """

    def run(self):
        asyncio.run(self._run())

    async def _run(self):
        self.loop = asyncio.get_running_loop()
        self.over = self.loop.create_future()
        self.start_reader()
        await self.over

    def post(self, function, *args):
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            pass  # the loop is closed: the process is on its way out

    def _on_ping(self, line):
        self.post(self._pong)  # a loop that is blocked shall not answer

    def _serve(self, request):
        if isinstance(request, AsyncRequest):
            request._start_task(self.loop)
        else:
            super()._serve(request)

    def leave(self):
        if self.requests:
            _exit_now(0)
        if not self.over.done():
            self.over.set_result(None)


class _Pool:
    """Threads for plain handlers, as many as have jobs at a time; who submits them sees
    to it that those are few.  Daemon threads: one that never ends holds up no exit."""

    def __init__(self, post):
        self.post = post
        self.jobs = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.n_idle = 0
        self.numbers = itertools.count(1)

    def submit(self, job):
        with self.lock:
            is_full = self.n_idle == 0
            self.n_idle -= not is_full
        if is_full:
            threading.Thread(
                target=self._work, name="usher-%d" % next(self.numbers), daemon=True).start()
        self.jobs.put(job)

    def _work(self):
        while True:
            job = self.jobs.get()
            try:
                job()
            except BaseException as error:
                self.post(_raise, error)  # sys.exit() of a handler is the process's
                return
            with self.lock:
                self.n_idle += 1


class _Channel:
    """The connection to the daemon: lines that end at byte 0x0A and nowhere else."""

    def __init__(self):
        # Children of a handler are no workers and must not keep the connection open.
        name = os.environ.pop("USHER_FD", None)
        self.is_daemon = name is not None
        if self.is_daemon:
            self._use_descriptor(name)
        else:
            self._use_stdio()
        os.set_blocking(self._in, True)
        os.set_blocking(self._out, True)
        self._lock = threading.Lock()
        self._is_muted = False
        if sys.stdout is not None:
            # Each line shows up in the log when it is printed, and no text fails to print.
            sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")

    def _use_descriptor(self, name):
        try:
            self._in = self._out = int(name)
            os.set_inheritable(self._in, False)
        except (ValueError, OSError) as error:
            sys.exit("usher: USHER_FD=%s: %s" % (name, error))
        # The terminal sends SIGINT to everybody; what is to end is for the daemon to say.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _use_stdio(self):
        # Moved away, so that neither print() nor input() of a handler meets the protocol.
        self._in = os.dup(0)
        self._out = os.dup(1)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def lines(self):
        # No buffered file: one that a thread reads cannot be closed when the process ends.
        pieces = []  # of a line whose end has not come yet
        while True:
            *ends, rest = self._read().split(b"\n")
            for end in ends:
                yield b"".join(pieces + [end])
                pieces = []
            if not ends and not rest:
                return
            pieces.append(rest)

    def _read(self):
        try:
            return os.read(self._in, READ_SIZE)
        except ConnectionResetError:
            return b""  # the daemon died with a reply of ours unread: the end as well

    def write(self, text):
        data = memoryview(_to_bytes(text + "\n"))
        try:
            with self._lock:
                while data and not self._is_muted:
                    data = data[os.write(self._out, data):]
        except (BrokenPipeError, ConnectionResetError):
            self.mute()
            sys.exit(0)  # the daemon is gone, and so is the reason to be here

    def mute(self):
        """Nothing is written from now on: the process is about to end."""
        self._is_muted = True


def _exit_now(code):
    """Ends the process, whatever its threads and tasks do."""
    for stream in sys.stdout, sys.stderr:
        if stream is not None:
            stream.flush()
    os._exit(code)


def _raise(error):
    raise error


def _name(value, what):
    if not isinstance(value, str) or not value:
        raise TypeError("%s is a non-empty string" % what)
    return value


def _decode_line(line):
    try:
        message = _decode(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        sys.exit("usher: the daemon's line cannot be read: %s" % type(error).__name__)
    if not isinstance(message, dict):
        sys.exit("usher: the daemon's line is no JSON object")
    return message


def _decode(text):
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(text, parse_int=_integer)


def _integer(digits):
    # Python refuses integers of several thousand digits, but a client may send one.
    try:
        return int(digits)
    except ValueError:
        return float(digits)


# Made once: json.dumps() would make one for each text.
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _to_bytes(text):
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can carry as an escape only.
        return "".join(
            "\\u%04x" % ord(c) if "\ud800" <= c <= "\udfff" else c for c in text).encode("utf-8")


def _first_line(error):
    lines = str(error).strip().splitlines()
    if not lines:
        return type(error).__name__
    if isinstance(error, KeyError):
        return "KeyError: " + lines[0]  # the text alone is just the key
    return lines[0]
