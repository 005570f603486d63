# SPDX-License-Identifier: ISC
"""Handlers for usher in Python: the handler protocol, version 1, in one file.

    import usher

    app = usher.Application()

    @app.handler("hello")
    def hello(message, session, send):
        return {"text": "Hello"}

    app.run()

usherd starts the program and talks to it on the descriptor named in USHER_FD,
never on stdout, so print() is harmless and ends in the daemon's log.  Without
USHER_FD the program reads requests from stdin and writes replies to stdout, and
print() goes to stderr.  The protocol itself is described in usher-handler(7).
"""

import json
import os
import signal
import sys
import threading
import traceback

__all__ = ["Application", "Error", "Session"]

KIT = "python/1"
PROTOCOL = 1
LEVELS = ("error", "warn", "info", "debug")


class Error(Exception):
    """Raise it to answer with an error: Error("No such user", status={"code": 404})
    sends {"error": "No such user", "status": {"code": 404}} to the client."""

    def __init__(self, text, **fields):
        super().__init__(text)
        self.message = {"error": text, **fields}


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
    """The handlers of one application, and the loop that serves them one request at a time."""

    def __init__(self):
        self._handlers = {}
        self._channel = None
        self._request_id = None

    def handler(self, message_type):
        """Decorator: the function serves messages of that type.

        It is called with the client's message (a dict), the session and send(obj, type=None),
        which sends an intermediate reply, under another type if one is given.  What the
        function returns is the final reply.
        """
        if not isinstance(message_type, str) or not message_type:
            raise TypeError("a message type is a non-empty string")
        if message_type in self._handlers:
            raise ValueError("there are two handlers for %r" % message_type)

        def register(function):
            self._handlers[message_type] = function
            return function

        return register

    def log(self, text, level="info"):
        """Writes a line to the daemon's log (error, warn, info, debug), with the request it
        belongs to; before run(), to stderr."""
        if level not in LEVELS:
            raise ValueError("%r is no level of the log" % (level,))
        if self._channel is None:
            print(text, file=sys.stderr)
            return
        line = {"op": "log", "level": level, "text": str(text)}
        if self._request_id is not None:
            line["id"] = self._request_id
        self._channel.write(_encode(line))

    def run(self):
        """Serves requests until the daemon says stop or closes the connection."""
        self._channel = _Channel()
        ops = {"hello": self._on_hello, "request": self._on_request}
        for line in self._channel.lines():
            message = _decode_line(line)
            op = message.get("op")
            if op == "stop":
                break
            if op in ops:
                ops[op](message)
            else:
                print("usher: op %r is not known, ignored" % op, file=sys.stderr)

    def _on_hello(self, message):
        if message.get("protocol") != PROTOCOL:
            sys.exit("usher: the daemon speaks version %r of the handler protocol, this kit %d"
                     % (message.get("protocol"), PROTOCOL))
        self._channel.write(_encode(
            {"op": "ready", "types": list(self._handlers), "kit": KIT}))

    def _on_request(self, message):
        self._request_id = message["id"]
        try:
            _Request(self._channel, message).run(self._handlers)
        finally:
            self._request_id = None


class _Request:
    """One request until its single final answer; what comes later is dropped."""

    def __init__(self, channel, request):
        self.channel = channel
        self.request = request
        self.session = Session(request.get("session", {}), request.get("secret", ()))
        self.session_before = self._session_fields()
        self.is_open = True
        self.lock = threading.Lock()  # a handler may send from threads of its own

    def run(self, handlers):
        message_type = self.request.get("type")
        function = handlers.get(message_type)
        if function is None:
            self._fail("no_handler", "Handler not defined for %s messages of type %s"
                       % (self.request.get("application"), message_type))
            return
        try:
            try:
                final = function(self.request.get("message"), self.session, self.send)
            except Error as error:
                final = error.message
            self._finish(final)
        except Exception as error:
            traceback.print_exc()
            self._fail("handler_error", _first_line(error))

    def send(self, message, type=None):
        head = {"op": "send", "id": self.request["id"]}
        if type is not None:
            if not isinstance(type, str) or not type:
                raise TypeError("the type of an intermediate reply is a non-empty string")
            head["type"] = type
        self._answer(head, message=message)

    def _finish(self, message):
        head = {"op": "finish", "id": self.request["id"]}
        session = self._session_fields()
        # Left out when nothing changed: the daemon then keeps the encrypted part as it is.
        tail = session if session != self.session_before else ""
        self._answer(head, tail, message=message, is_final=True)

    def _fail(self, code, text):
        self._answer({"op": "fail", "id": self.request["id"], "code": code, "error": text},
                     is_final=True)

    def _answer(self, head, tail="", is_final=False, **body):
        if "message" in body and body["message"] is None:
            body["message"] = {}
        text = _encode({**head, **body})
        if tail:
            text = text[:-1] + "," + tail + "}"
        with self.lock:
            if not self.is_open:
                return
            if is_final:
                self.is_open = False
            self.channel.write(text)

    def _session_fields(self):
        # Compared as text, since to Python 1, 1.0 and True are equal.
        secret = sorted(name for name in self.session._secret if name in self.session)
        return '"session":%s,"secret":%s' % (_encode(self.session), _encode(secret))


class _Channel:
    """The connection to the daemon: lines that end at byte 0x0A and nowhere else."""

    def __init__(self):
        # Children of a handler are no workers and must not keep the connection open.
        name = os.environ.pop("USHER_FD", None)
        if name is None:
            self._use_stdio()
        else:
            self._use_descriptor(name)
        os.set_blocking(self._out, True)
        self._lock = threading.Lock()
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
        with open(self._in, "rb", buffering=65536, closefd=False) as stream:
            try:
                for line in stream:
                    if line.endswith(b"\n"):
                        yield line
            except ConnectionResetError:
                pass  # the daemon died with a reply of ours unread: the end as well

    def write(self, text):
        data = memoryview(_to_bytes(text + "\n"))
        try:
            with self._lock:
                while data:
                    data = data[os.write(self._out, data):]
        except (BrokenPipeError, ConnectionResetError):
            sys.exit(0)  # the daemon is gone, and so is the reason to be here


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


def _encode(value):
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


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
