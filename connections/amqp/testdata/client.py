"""An AMQP 1.0 client of Qpid Proton: client.py URL COMMAND QUEUE

    send     sends a message of each kind
    receive  prints each message until one comes that says "end"
    ask      sends a request with a dynamic reply address, and prints the reply
"""

import sys
import uuid

from proton import Message, int32, symbol, timestamp, ulong
from proton.reactor import LinkOption
from proton.utils import BlockingConnection, SyncRequestResponse

url, command, queue = sys.argv[1:]


class ToQueue(LinkOption):
    """Says that the address is a queue's."""

    def apply(self, link):
        (link.source if link.is_receiver else link.target).capabilities.put_object(symbol("queue"))


def show(m):
    properties = " ".join("%s=%s:%s" % (k, v, type(v).__name__) for k, v in sorted((m.properties or {}).items()))
    body = bytes(m.body) if isinstance(m.body, memoryview) else m.body
    print(repr(body), m.content_type, "durable=%s" % m.durable, properties, flush=True)


connection = BlockingConnection(url, timeout=20)
if command == "send":
    sender = connection.create_sender(queue, options=ToQueue())
    props = {"colour": "red", "number": int32(-42), "at": timestamp(1700000000123), "key": uuid.UUID(int=5)}
    sender.send(Message(id=ulong(7), body="h\u00e9llo", properties=props, group_id="group", durable=True))
    sender.send(Message(id=uuid.UUID(int=7), body=b"\x00\xff", inferred=True, content_type="application/x-test"))
    sender.send(Message(id=b"7", body=b"\x00\xff"))
    sender.send(Message(id="7", body={"name": "w\u00f6rth", "big": 9007199254740993}))
    sender.send(Message(body=[1, "two"], inferred=True))
    sender.send(Message())
elif command == "receive":
    receiver = connection.create_receiver(queue, options=ToQueue())
    while True:
        message = receiver.receive(timeout=20)
        receiver.accept()
        show(message)
        if message.body == "end":
            break
elif command == "ask":
    show(SyncRequestResponse(connection, queue).call(Message(body="question")))
connection.close()
