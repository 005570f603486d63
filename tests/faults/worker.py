#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The worker process of the oracle load.  Every reply carries the tag of its request and bytes that
follow from it, so that who asked can check owner, order, count and bytes; params.do says what goes
wrong.  One request after the other, so whatever blocks, blocks all of it."""
import json
import os
import signal
import socket
import sys
import time

daemon = socket.socket(fileno=int(os.environ['USHER_FD']))
rest = b''
waiting = []    # lines that came while a call was awaited


def line(op, **fields):
    return json.dumps({'op': op, **fields}, ensure_ascii=False).encode() + b'\n'


def pad(tag, step, size):
    piece = f'{tag}.{step}ü;'
    return (piece * (size // len(piece) + 1))[:size]


def answer(request, tag, n, size):
    """The lines of a whole answer, the last one its final."""
    lines = [line('send', id=request, message={'tag': tag, 'step': i, 'pad': pad(tag, i, size)})
             for i in range(1, n + 1)]
    return lines + [line('finish', id=request, message={'tag': tag, 'done': True, 'pad': pad(tag, 'final', size)})]


def put(data):
    daemon.sendall(data)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def sleep():
    while True:
        time.sleep(3600)


def noise(request):
    """What is not for any request here, and all that may be ignored."""
    stray = {'tag': 'a stray'}
    for i in (request - 1, request + 1, request + 1000000, 0):
        put(line('send', id=i, message=stray) + line('finish', id=i, message=stray) + line('fail', id=i, error='stray'))
    put(line('wonder', id=request) + line('pong') + line('reply', call=1, finished=True, message=stray))
    put(line('log', id=request, level='info', text='noise'))
    sys.stdout.write('noise ' * 1000 + '\n')
    sys.stdout.flush()
    sys.stderr.write('noise without an end ' * 200)
    sys.stderr.flush()


def garbage(data):
    """More than anybody takes: until the daemon has had enough of us."""
    try:
        while True:
            put(data)
    except OSError:
        die()


def call(request, params):
    put(line('call', id=request, call=1, **params['call']))
    while True:
        told = read()
        if told['op'] == 'reply' and told['finished']:
            return told['message']
        if told['op'] != 'reply':
            waiting.append(told)


def serve(told):
    request = told['id']
    params = told['message'].get('params', {})
    tag = params.get('tag', '')
    lines = answer(request, tag, params.get('n', 0), params.get('size', 0))
    do = params.get('do')

    if do == 'die before':
        die()
    elif do == 'die during':
        half = b''.join(lines[:len(lines) // 2])
        put(half + lines[-1][:len(lines[-1]) // 2])
        die()
    elif do == 'cut':
        put(b''.join(lines)[:params['at']])
        die()
    elif do == 'hang':
        sleep()
    elif do == 'stop':
        os.kill(os.getpid(), signal.SIGSTOP)
    elif do == 'block':
        time.sleep(params['ms'] / 1000)
    elif do == 'hold':
        while not os.path.exists(params['until']):
            time.sleep(0.01)
    elif do == 'babble':
        put(params['text'].encode() + b'\n')
        sleep()
    elif do == 'half':
        put(lines[-1][:len(lines[-1]) // 2])
        sleep()
    elif do == 'long':
        put(b'{"op":"finish","id":1,"message":"')
        garbage(b'x' * 100000)
    elif do == 'noise':
        noise(request)
    elif do == 'call':
        put(line('finish', id=request, message={'tag': tag, 'done': True, 'answer': call(request, params)}))
        return
    for one in lines:
        put(one)
    if do == 'die after':
        die()


def read():
    global rest
    while b'\n' not in rest:
        data = daemon.recv(65536)
        if not data:
            sys.exit(0)
        rest += data
    told, rest = rest.split(b'\n', 1)
    return json.loads(told)


put(line('ready', **json.loads(os.environ.get('READY', '{}'))))
while True:
    told = waiting.pop(0) if waiting else read()
    if told['op'] == 'request':
        serve(told)
    elif told['op'] == 'ping':
        put(line('pong'))
    elif told['op'] == 'stop':
        sys.exit(0)
