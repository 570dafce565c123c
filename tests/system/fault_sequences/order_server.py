"""The service of the fault sequences: POST /order with id=X is answered "ok X" when X is safely in the file.

order_server.py FILE, as root, on port 80. One request after the other: what the volume holds up, the client waits for.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs


class Orders(BaseHTTPRequestHandler):
    timeout = 1  # a client that says nothing does not hold up the next one

    def do_POST(self):
        order = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["id"][0]
        os.write(self.server.orders, f"{order}\n".encode())
        os.fsync(self.server.orders)
        body = f"ok {order}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(HTTPServer):
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # the client has gone; a failed write is not answered


def open_orders(path):
    orders = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    size = os.fstat(orders).st_size
    if size and os.pread(orders, 1, size - 1) != b"\n":
        os.write(orders, b"\n")  # the last line of a killed server may be torn
    return orders


def main():
    server = Server(("", 80), Orders)
    server.orders = open_orders(sys.argv[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
