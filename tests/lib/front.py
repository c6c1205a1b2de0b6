# SPDX-License-Identifier: Apache-2.0
"""A relay of TCP that stands before a server of HTTP and lets answers go wrong.

    front = Front("127.0.0.1:3000")
    front.rules.append(("POST /v2/sandboxes", lambda front, client, request: client.sendall(b"HTTP/1.1 500 …")))

A rule is used once; what no rule is for goes through. One request a connection: a connection says close."""

import socket
import socketserver
import threading


class Front:
    def __init__(self, server):
        self.server = server.rsplit("/", 1)[-1].split(":")
        self.rules, self.seen, self.lock = [], [], threading.Lock()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    outer.one(self.request)
                except OSError:
                    pass  # either side may go when it likes

        self.listener = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler, bind_and_activate=True)
        self.listener.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()

    def due(self, line):
        with self.lock:
            self.seen.append(line)
            for rule in self.rules:
                if line.startswith(rule[0]):
                    self.rules.remove(rule)
                    return rule[1]
        return None

    def one(self, client):
        request = b""
        while b"\r\n\r\n" not in request:
            piece = client.recv(65536)
            if not piece:
                return
            request += piece
        action = self.due(request.split(b" HTTP/", 1)[0].decode())
        if action:
            action(self, client, request)
        else:
            self.relay(client, request, client.sendall)

    def relay(self, client, request, take):
        """To the server's end; take gets what it answers."""
        head, rest = request.split(b"\r\n\r\n", 1)
        with socket.create_connection(self.server) as server:
            server.sendall(head + b"\r\nConnection: close\r\n\r\n" + rest)
            threading.Thread(target=pump, args=(client, server), daemon=True).start()
            while piece := server.recv(65536):
                take(piece)


def pump(client, server):
    try:
        while piece := client.recv(65536):
            server.sendall(piece)
        server.shutdown(socket.SHUT_RDWR)  # whoever reads no more is told
    except OSError:
        pass
