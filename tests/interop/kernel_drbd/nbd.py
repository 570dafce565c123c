"""A client of an NBD export on a unix socket (fixed newstyle); several threads may ask at once."""

import os
import queue
import socket
import struct
import threading

OPTION_EXPORT_NAME = 1
READ, WRITE, DISCONNECT, FLUSH, TRIM, ZEROES = 0, 1, 2, 3, 4, 6
FUA, NO_HOLE = 1, 2
REQUEST_MAX = 1 << 20


class Client:
    def __init__(self, path, export, seconds=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        try:
            self.socket.connect(path)
            if self._take(16) != b"NBDMAGICIHAVEOPT":
                raise OSError("this is no NBD server")
            flags, = struct.unpack(">H", self._take(2))
            self.socket.sendall(struct.pack(">I", flags & 3) + b"IHAVEOPT" +
                                struct.pack(">II", OPTION_EXPORT_NAME, len(export)) + export.encode())
            self.size, self.flags = struct.unpack(">QH", self._take(10))
            if not flags & 2:
                self._take(124)
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(None)
        self.lock, self.waiting, self.next_cookie = threading.Lock(), {}, 1
        self.reader = threading.Thread(target=self._read_replies, daemon=True)
        self.reader.start()

    def _take(self, length):
        data = bytearray()
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise OSError("the NBD server closed the connection")
            data += piece
        return bytes(data)

    def _read_replies(self):
        try:
            while True:
                magic, error, cookie = struct.unpack(">IIQ", self._take(16))
                if magic != 0x67446698:
                    raise OSError("the NBD server sent garbage")
                with self.lock:
                    length, answer = self.waiting.pop(cookie)
                answer.put((error, self._take(length) if length and not error else b""))
        except OSError:
            with self.lock:
                left, self.waiting = self.waiting, None
            for _, answer in left.values():
                answer.put((None, b""))

    def ask(self, command, offset=0, length=0, data=b"", flags=0, seconds=60):
        answer = queue.Queue()
        with self.lock:
            if self.waiting is None:
                raise OSError("the NBD connection is gone")
            cookie, self.next_cookie = self.next_cookie, self.next_cookie + 1
            self.waiting[cookie] = (length if command == READ else 0, answer)
            self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, flags, command, cookie, offset, length) + data)
        try:
            error, got = answer.get(timeout=seconds)
        except queue.Empty:
            raise OSError(f"no NBD reply within {seconds} s") from None
        if error is None:
            raise OSError("the NBD connection ended before the reply")
        if error:
            raise OSError(error, f"NBD: {os.strerror(error)}")
        return got

    def write(self, offset, data, fua=False):
        for start in range(0, len(data), REQUEST_MAX):
            piece = data[start:start + REQUEST_MAX]
            self.ask(WRITE, offset + start, len(piece), piece, FUA if fua else 0)

    def read(self, offset, length):
        return b"".join(self.ask(READ, offset + start, min(REQUEST_MAX, length - start))
                        for start in range(0, length, REQUEST_MAX))

    def flush(self):
        self.ask(FLUSH)

    def discard(self, offset, length):
        self.ask(TRIM, offset, length)

    def zeroes(self, offset, length, keep_allocated):
        self.ask(ZEROES, offset, length, flags=NO_HOLE if keep_allocated else 0)

    def close(self):
        try:
            with self.lock:
                self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, 0, DISCONNECT, 0, 0, 0))
            self.reader.join(5)  # the server hangs up: it has heard that this client is gone, as close() of a device tells
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.reader.join(5)
        self.socket.close()
