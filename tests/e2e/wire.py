"""HTTP to the gateway, written by hand: what no client library would send."""

import json
import socket
import ssl


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Wire:
    """A TLS connection to the gateway on which anything can be written."""

    def __init__(self, stack, timeout=20, source="127.0.0.1"):
        context = ssl.create_default_context(cafile=str(stack.authority))
        plain = socket.create_connection(("127.0.0.1", stack.ports["gateway-api"]), timeout,
                                         source_address=(source, 0))
        self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        self.reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.reader.close()
        self.socket.close()

    def write(self, data):
        """The server may close before everything is written."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def read(self):
        """One answer; None when the connection is closed before it."""
        try:
            line = self.reader.readline()
            if not line:
                return None
            status = int(line.split()[1])
            headers = {}
            while (line := self.reader.readline().strip()):
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            if headers.get("transfer-encoding") == "chunked":
                return Answer(status, headers, None)
            return Answer(status, headers, self.reader.read(int(headers["content-length"])))
        except OSError:
            return None

    def event(self):
        """The next event of a watch."""
        size = int(self.reader.readline(), 16)
        chunk = self.reader.read(size)
        self.reader.readline()
        return json.loads(chunk)

    def closed(self):
        try:
            return self.reader.read(1) == b""
        except OSError as error:
            return not isinstance(error, TimeoutError)


def head(method, path, token, *more):
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode("latin-1")
