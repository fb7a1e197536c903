"""An AMQP 1.0 peer that does what a broker seldom does.

    peer.py PORT

It prints "ready" once it listens. What it does depends on the address of a link:

    outcomes    settles each message with the outcome that its body names
    missing     refuses the link
    blocked     gives no credit
    detach      sends one message, and then closes the link with an error
    settled     sends one message that is settled already
    strange     sends messages of types that are rare, and then an ordinary one
    unfiltered  ignores the filters of the link
    close       closes the connection with an error
"""

import sys

from proton import Condition, Delivery, Described, Message, Terminus, char, decimal32, decimal128, symbol
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Peer(MessagingHandler):
    def __init__(self, port):
        super().__init__(prefetch=0, auto_accept=False, auto_settle=False)
        self.port = port

    def on_start(self, event):
        event.container.listen("127.0.0.1:%s" % self.port)
        print("ready", flush=True)

    def on_link_opening(self, event):
        link = event.link
        address = (link.remote_source if link.is_sender else link.remote_target).address
        if address == "missing":
            link.source.type = link.target.type = Terminus.UNSPECIFIED
            link.refused = True
            return  # it is opened now, and closed in on_link_local_open
        if address == "close":
            event.connection.condition = Condition("amqp:connection:forced", "the peer has enough")
            event.connection.close()
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if address == "unfiltered":
            link.source.filter.clear()
        link.open()
        if link.is_receiver and address != "blocked":
            link.flow(1000)

    def on_link_local_open(self, event):
        if getattr(event.link, "refused", False):
            event.link.condition = Condition("amqp:not-found", "there is no such node")
            event.link.close()

    def on_message(self, event):
        delivery, outcome = event.delivery, event.message.body
        if outcome == "rejected":
            delivery.local.condition = Condition("app:no", "not like that")
        delivery.update({
            "accepted": Delivery.ACCEPTED,
            "rejected": Delivery.REJECTED,
            "rejected silently": Delivery.REJECTED,
            "released": Delivery.RELEASED,
            "modified": Delivery.MODIFIED,
        }[outcome])
        delivery.settle()

    def on_sendable(self, event):
        link = event.sender
        address = link.remote_source.address
        if getattr(link, "served", False) or not link.credit:
            return
        link.served = True
        if address == "detach":
            link.send(Message(body="before"))
            link.condition = Condition("amqp:link:detach-forced", "the peer is tired of it")
            link.close()
        elif address == "settled":
            delivery = link.send(Message(body="settled"))
            delivery.settle()
        elif address == "strange":
            for body in STRANGE:
                link.send(Message(id="strange", body=body))
            link.send(Message(body="ordinary"))


# A type that go-amqp does not know, long enough for several frames, and a description that it does not know.
STRANGE = [
    decimal32(7),
    {"price": decimal128(b"\x00" * 16)},
    char("x"),
    [char("x"), "y" * 200000],
    Described(symbol("com.example:money"), ["EUR", 5]),
]

Container(Peer(sys.argv[1])).run()
