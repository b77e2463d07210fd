"""A page without a browser: the socket's protocol."""

import json
import struct
from contextlib import contextmanager

from websockets.sync.client import connect


class Page:
    """Asks for frames and tells that they are painted. ``messages``: those that came between frames."""

    def __init__(self, socket):
        self.socket, self.messages, self.number = socket, [], 0
        self.session = json.loads(socket.recv(timeout=10))["session"]

    def ask(self, kind="picture", **request):
        self.number += 1
        self.socket.send(json.dumps({kind: {"light_field": "light-field-1", **request}, "number": self.number}))
        return self.number

    def painted(self, number):
        self.socket.send(json.dumps({"painted": number}))

    def frame(self, timeout=20, paint=True):
        """The next frame: header and bytes."""
        while True:
            message = self.socket.recv(timeout=timeout)
            if isinstance(message, bytes):
                (length,) = struct.unpack("<I", message[:4])
                header = json.loads(message[4 : 4 + length])
                if paint:
                    self.painted(header["number"])
                return header, message[4 + length :]
            self.messages.append(json.loads(message))

    def message(self, timeout=20):
        """The next message."""
        return json.loads(self.socket.recv(timeout=timeout))


@contextmanager
def opened(server):
    with connect(server.url.replace("http", "ws") + "/api/socket") as socket:
        yield Page(socket)
