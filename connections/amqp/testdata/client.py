"""An AMQP 1.0 client of Qpid Proton: client.py URL COMMAND QUEUE

    send     sends a message of each kind
    receive  prints each message until one comes that says "end"
    ask      sends a request with a dynamic reply address, and prints the reply
    select   prints the first message whose colour is red
    subscribe  makes a durable subscription to a topic, and goes away
    resume   prints two messages of that subscription, and ends it
    types    sends and prints a message with each type of AMQP, and an end
    described  the same with types that nobody knows, in bodies, properties and annotations
    dump     prints such messages until the end
"""

import sys
import uuid

from proton import (
    UNDESCRIBED, Array, Data, Described, Message, byte, char, decimal32, decimal64, decimal128, float32, int32, short,
    symbol, timestamp, ubyte, uint, ulong, ushort,
)
from proton.reactor import Container, DurableSubscription, LinkOption, Selector
from proton.utils import BlockingConnection, SyncRequestResponse

url, command, queue = sys.argv[1:]


class ToQueue(LinkOption):
    """Says that the address is a queue's."""

    def apply(self, link):
        (link.source if link.is_receiver else link.target).capabilities.put_object(symbol("queue"))


class ToTopic(LinkOption):
    """Says that the address is a topic's."""

    def apply(self, link):
        link.source.capabilities.put_object(symbol("topic"))


def show(m):
    properties = " ".join("%s=%s:%s" % (k, v, type(v).__name__) for k, v in sorted((m.properties or {}).items()))
    body = bytes(m.body) if isinstance(m.body, memoryview) else m.body
    print(repr(body), m.content_type, "durable=%s" % m.durable, properties, flush=True)


def plain(v):
    """The value with its type, in a form that is the same for equal values."""
    if isinstance(v, memoryview):
        v = bytes(v)
    if isinstance(v, dict):
        return "{%s}" % ", ".join(sorted("%s: %s" % (plain(k), plain(e)) for k, e in v.items()))
    if isinstance(v, Array):
        return "array %s %s" % (v.type, plain(list(v.elements)))
    if isinstance(v, Described):
        return "described %s %s" % (plain(v.descriptor), plain(v.value))
    if isinstance(v, (list, tuple)):
        return "[%s]" % ", ".join(plain(e) for e in v)
    return "%s(%r)" % (type(v).__name__, v)


def dump(m):
    annotations = {k: v for k, v in (m.annotations or {}).items() if not k.startswith("x-opt-jms-")}
    properties = {k: v for k, v in (m.properties or {}).items() if not k.startswith("cloudEvents_")}
    print(plain([m.body, m.inferred, annotations, properties, m.correlation_id]), flush=True)


VALUES = [
    None, True, False, ubyte(255), ushort(65535), uint(4294967295), uint(0), ulong(18446744073709551615), ulong(7),
    byte(-128), short(-32768), int32(-2147483648), int32(1), -9223372036854775808, 9007199254740993,
    float32(1.5), -0.1, decimal32(0x32800001), decimal64(0x31C0000000000001), decimal128(bytes(range(16))), char("\u20ac"),
    timestamp(1700000000123), timestamp(-1), uuid.UUID(int=5), b"\x00\xff", b"", "w\u00f6rth", "", symbol("a:b"),
]
BODIES = VALUES + [
    [], {}, [1, [2, ["three", None]], {"four": [5]}], {"a": 1, "b": {"c": None}},
    {int32(1): "int", ulong(2): "ulong", True: "yes", uuid.UUID(int=1): "uuid", timestamp(3): "time", char("k"): "char", "s": "string"},
    {symbol("sym"): 1}, {symbol("sym"): 1, "str": decimal32(5)}, {"l": [{symbol("deep"): char("x")}]},
    Described(symbol("com.example:money"), ["EUR", decimal64(5)]), Described(ulong(0x0000468C00000004), "x"),
    Described(ulong(0x24), []), [Described("text", {symbol("k"): 1})],
    Array(UNDESCRIBED, Data.INT, int32(1), int32(-2)), Array(UNDESCRIBED, Data.ULONG, ulong(1), ulong(2)),
    Array(UNDESCRIBED, Data.STRING, "a", "b"), Array(UNDESCRIBED, Data.SYMBOL, symbol("a")), Array(UNDESCRIBED, Data.UUID, uuid.UUID(int=1)),
    Array(UNDESCRIBED, Data.UBYTE, ubyte(1), ubyte(2)), Array(UNDESCRIBED, Data.DOUBLE, 1.5), Array(UNDESCRIBED, Data.BOOL, True, False),
    Array(UNDESCRIBED, Data.CHAR, char("a"), char("b")), Array(UNDESCRIBED, Data.DECIMAL64, decimal64(1)),
    Array(UNDESCRIBED, Data.BINARY, b"a", b"bc"), Array(UNDESCRIBED, Data.TIMESTAMP, timestamp(1)),
]
SIMPLE = {"p%d" % i: v for i, v in enumerate(VALUES)}


container = Container()
container.container_id = "proton of " + queue if command in ("subscribe", "resume") else str(uuid.uuid4())
connection = BlockingConnection(url, timeout=20, container=container)
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
elif command == "select":
    receiver = connection.create_receiver(queue, options=[ToQueue(), Selector("colour = 'red'")])
    show(receiver.receive(timeout=20))
    receiver.accept()
elif command in ("subscribe", "resume"):
    receiver = connection.create_receiver(queue, name="subscription", options=[ToTopic(), DurableSubscription()])
    if command == "subscribe":
        receiver.link.detach()
    else:
        for _ in range(2):
            show(receiver.receive(timeout=20))
            receiver.accept()
        receiver.close()
elif command == "described":
    sender = connection.create_sender(queue, options=ToQueue())
    money = Described(symbol("com.example:money"), ["EUR", decimal64(0x31C0000000000005)])
    for m in [
        Message(body=money, durable=True, id=uuid.UUID(int=1)),
        Message(body={"price": money, "tax": Described(ulong(0x0000468C00000005), "x")}, durable=True, id=ulong(2)),
        Message(body=[money, symbol("s")], inferred=True, durable=True, id=b"3", correlation_id=uuid.UUID(int=3)),
        Message(body="text", properties={"price": money, "kind": symbol("s"), "small": ubyte(1)}, annotations={symbol("x-opt-price"): money}, durable=True),
        Message(body=b"data", inferred=True, annotations={symbol("x-opt-price"): money, symbol("x-opt-c"): char("c")}, durable=True, content_type="a/b"),
        Message(body="end", durable=True),
    ]:
        sender.send(m)
        decoded = Message()
        decoded.decode(m.encode())
        dump(decoded)
elif command == "types":
    sender = connection.create_sender(queue, options=ToQueue())
    messages = [Message(body=b, durable=True) for b in BODIES]
    messages += [Message(body=[1, "two", decimal32(3)], inferred=True), Message(body=b"data", inferred=True)]
    messages += [Message(body="with properties", content_type="a/b", subject="s", properties=dict(SIMPLE), annotations={symbol("x-opt-" + k): v for k, v in SIMPLE.items()})]
    messages += [Message(body="correlated", correlation_id=i) for i in (ulong(1), uuid.UUID(int=1), b"1", "1")]
    for m in messages + [Message(body="end")]:
        sender.send(m)
        decoded = Message()
        decoded.decode(m.encode())
        dump(decoded)
elif command == "dump":
    receiver = connection.create_receiver(queue, options=ToQueue())
    while True:
        message = receiver.receive(timeout=20)
        receiver.accept()
        dump(message)
        if message.body == "end":
            break
elif command == "ask":
    show(SyncRequestResponse(connection, queue).call(Message(body="question")))
connection.close()
