#!/usr/bin/env python3
"""Somebody else's HTTPS server, for tests of what we send out: receiver.py FOLDER HOST [PORT].

FOLDER holds server.pem and server.key. Prints the port it listens on. What the path says it does:

    /status/410            answers that; ?retry_after=N adds the header
    /slow/3.5              answers after so many seconds
    /drip                  a byte of the body every 0.2 s, for ever
    /large/1000000         so many bytes
    /redirect?to=URL       302
    /gone                  hangs up without a word
    /echo                  the request's method, headers and body as JSON
    /shop/deliveries...    a supplier (docs/purchases.md), as the first line of FOLDER/mode says: "200" delivers,
                           "slow 2", "fail" (500, nothing done), "lost" (done, but the answer isn't heard), "dropped"
                           (nothing done, nothing said), "duplicate" (done, 500), "decline", "pending" (done later),
                           "lie-amount" "lie-reference" "garbage", "random": one of all but lies
    /hook...               what the first line of FOLDER/mode says: "200", "500", "410", "slow 3", "gone";
                           a second line limits it to bodies that hold it, others get 200

Each request to /hook is a JSON line in FOLDER/requests, written before it is answered: {"id", "timestamp",
"signature", "body", "status"}, the status that it is about to get; so is each delivery, once: {"reference", "amount"}.
"""
import json
import os
import random
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlparse

folder, host = sys.argv[1], sys.argv[2]
port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
log = os.open(folder + "/requests", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

lock = threading.Lock()
deliveries = {}  # by reference: what was said of them


class Hangup(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hook(self, body):
        with open(folder + "/mode") as file:
            lines = file.read().splitlines() + ["", ""]
        words = lines[0].split()
        text = body.decode()
        if lines[1] and lines[1] not in text:
            words = ["200"]
        status = int(words[0]) if words[0].isdigit() else 200
        line = {
            "id": self.headers["webhook-id"],
            "timestamp": self.headers["webhook-timestamp"],
            "signature": self.headers["webhook-signature"],
            "body": text,
            "status": 0 if words[0] == "gone" else status,
        }
        os.write(log, (json.dumps(line) + "\n").encode())
        if words[0] == "gone":
            raise Hangup
        if words[0] == "slow":
            time.sleep(float(words[1]))
        self.answer(status)

    def say(self, record, **other):
        self.answer(200, json.dumps({**record, **other}).encode(), content_type="application/json")

    def deliver(self, asked, status="delivered"):
        with lock:
            record = deliveries.get(asked["reference"])
            if record is None or record["status"] == "pending" != status:
                record = {key: asked[key] for key in ("reference", "amount", "currency")}
                record["status"] = status
                if status == "delivered":
                    record["goods"] = {"token": "T-" + asked["reference"]}
                    os.write(log, (json.dumps({k: record[k] for k in ("reference", "amount")}) + "\n").encode())
                deliveries[asked["reference"]] = record
            return record

    def shop(self, parts, body):
        with open(folder + "/mode") as file:
            words = file.read().split()
        mode = random.choice(["200", "fail", "lost", "dropped", "duplicate", "decline", "pending"]) \
            if words[0] == "random" else words[0]
        if mode == "slow":
            time.sleep(float(words[1]))
        if len(parts) > 3:  # what became of it?
            record = deliveries.get(parts[3])
            if mode == "fail":
                self.answer(500)
            elif mode in ("lost", "dropped"):
                raise Hangup
            elif record is None:
                self.answer(404)
            else:
                if record["status"] == "pending":
                    record = self.deliver(record)
                self.tell(mode, record)
            return
        asked = json.loads(body)
        assert self.headers["idempotency-key"] == asked["reference"]
        if mode == "fail":
            self.answer(500)
        elif mode == "dropped":
            raise Hangup
        elif mode in ("decline", "pending"):
            self.say(self.deliver(asked, mode.replace("decline", "declined")))
        else:
            self.tell(mode, self.deliver(asked))

    def tell(self, mode, record):
        if mode == "lost":
            raise Hangup
        if mode == "duplicate":
            self.answer(500)
        elif mode == "garbage":
            self.answer(200, b"\xff{", content_type="application/json")
        elif mode == "lie-amount":
            self.say(record, amount=record["amount"] + 1)
        elif mode == "lie-reference":
            self.say(record, reference="pur_" + "0" * 26)
        else:
            self.say(record)

    def drip(self):
        self.send_response(200)
        self.send_header("content-length", "100000")
        self.end_headers()
        while True:
            self.wfile.write(b"x")
            time.sleep(0.2)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        url = urlparse(self.path)
        query = parse_qs(url.query)
        parts = url.path.split("/")
        if parts[1].startswith("hook"):
            self.hook(body)
        elif parts[1] == "shop":
            self.shop(parts, body)
        elif parts[1] == "status":
            extra = {"retry_after": query["retry_after"][0]} if "retry_after" in query else {}
            self.answer(int(parts[2]), b"so be it", **extra)
        elif parts[1] == "slow":
            time.sleep(float(parts[2]))
            self.answer(200)
        elif parts[1] == "drip":
            self.drip()
        elif parts[1] == "large":
            self.answer(200, b"x" * int(parts[2]))
        elif parts[1] == "redirect":
            self.answer(302, location=unquote(query["to"][0]))
        elif parts[1] == "gone":
            raise Hangup
        else:
            seen = {"method": self.command, "headers": dict(self.headers), "body": body.decode()}
            self.answer(200, json.dumps(seen).encode())

    def do_GET(self):
        self.close_connection = False
        try:
            self.serve()
        except (Hangup, OSError):
            self.close_connection = True

    do_POST = do_PUT = do_DELETE = do_GET


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def finish_request(self, request, address):  # in the connection's own thread: the handshake, too
        try:
            request.settimeout(30)
            request = context.wrap_socket(request, server_side=True) if context else request
            super().finish_request(request, address)
            request.close()
        except OSError:
            pass


context = None
if os.path.exists(folder + "/server.pem"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
server = Server((host, port), Handler)
os.write(1, b"%d\n" % server.server_address[1])
server.serve_forever()
