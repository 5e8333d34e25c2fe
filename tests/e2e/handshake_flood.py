"""A stranger who begins TLS handshakes and never ends one: python3 handshake_flood.py PORT CONNECTIONS

The first message of a handshake is made once and sent on each connection, so that it costs the server much
more than this process. Runs until its standard input ends; then prints how many were answered, and in how
many seconds."""

import json
import selectors
import socket
import ssl
import sys
import time


def hello():
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def main(port, connections):
    first, answered, begun = hello(), 0, time.monotonic()
    chosen = selectors.DefaultSelector()
    chosen.register(sys.stdin, selectors.EVENT_READ)

    def begin():
        try:
            one = socket.create_connection(("127.0.0.1", port), 20)
            one.sendall(first)
        except OSError:
            return
        chosen.register(one, selectors.EVENT_READ)

    while True:
        while len(chosen.get_map()) <= connections:
            begin()
        for key, _ in chosen.select():
            if key.fileobj is sys.stdin:
                print(json.dumps({"answered": answered, "seconds": time.monotonic() - begun}))
                return
            try:
                answered += key.fileobj.recv(1) != b""
            except OSError:
                pass
            chosen.unregister(key.fileobj)
            key.fileobj.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
