"""An AMQP 1.0 peer that does what a broker seldom does.

    peer.py PORT [MODE]

It prints "ready" once it listens. What it does depends on the address of a link:

    outcomes    settles each message with the outcome that its body names
    missing     refuses the link
    blocked     gives no credit
    detach      sends one message, and then closes the link with an error
    settled     sends one message that is settled already
    strange     sends messages of types that are rare, and then an ordinary one
    unfiltered  ignores the filters of the link
    close       closes the connection with an error
    end         sends one message, and then ends the session with an error
    forced      sends one message, and then closes the connection with an error
    hang up     takes a message, and closes the link with an error in place of an answer
    late        gives credit for one message at a time, and answers only when the next one is there

With the mode "router" it is like a router: it calls itself one, refuses links that say what a node is, and passes on
what is sent, to any address by one link. With the mode "plain" it does the same, but says nothing of itself, takes any
capabilities, and refuses links without an address.
"""

import sys

from proton import Condition, Delivery, Described, Message, Terminus, char, decimal32, decimal128, symbol
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Peer(MessagingHandler):
    def __init__(self, port, mode):
        super().__init__(prefetch=0, auto_accept=False, auto_settle=False)
        self.port, self.mode = port, mode
        self.routed, self.takers = {}, {}  # messages and links, by address
        self.unanswered = None

    def on_connection_opening(self, event):
        if self.mode == "router":
            event.connection.properties = {symbol("product"): "qpid-dispatch-router"}
            event.connection.offered_capabilities = [symbol("ANONYMOUS-RELAY")]

    def on_start(self, event):
        event.container.listen("127.0.0.1:%s" % self.port)
        print("ready", flush=True)

    def on_link_opening(self, event):
        link = event.link
        terminus = link.remote_source if link.is_sender else link.remote_target
        address = terminus.address
        if self.mode and self.refuse(link, terminus):
            return
        if address == "missing":
            link.source.type = link.target.type = Terminus.UNSPECIFIED
            link.refused = ("amqp:not-found", "there is no such node")
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
            link.flow(1 if address == "late" else 1000)

    def refuse(self, link, terminus):
        """Refuses what the mode does not know."""
        capabilities = []
        while terminus.capabilities.next():
            capabilities.append(terminus.capabilities.get_object())
        if self.mode == "router" and capabilities:
            link.refused = ("amqp:not-implemented", "a router knows no %s" % capabilities)
        elif self.mode == "plain" and not terminus.address:
            link.refused = ("amqp:invalid-field", "there is no anonymous relay")
        else:
            return False
        link.source.type = link.target.type = Terminus.UNSPECIFIED
        return True

    def route(self, event):
        address = event.link.remote_target.address or event.message.address
        self.routed.setdefault(address, []).append(event.message)
        event.delivery.update(Delivery.ACCEPTED)
        event.delivery.settle()
        if address in self.takers:
            self.hand_out(self.takers[address], address)

    def hand_out(self, link, address):
        while link.credit and self.routed.get(address):
            link.send(self.routed[address].pop(0))

    def on_link_local_open(self, event):
        if getattr(event.link, "refused", None):
            event.link.condition = Condition(*event.link.refused)
            event.link.close()

    def on_message(self, event):
        if self.mode:
            self.route(event)
            return
        delivery, outcome = event.delivery, event.message.body
        address = event.link.remote_target.address
        if address == "hang up":
            event.link.condition = Condition("amqp:internal-error", "the peer hangs up")
            event.link.close()
            return
        if address == "late":
            before, self.unanswered = self.unanswered, delivery
            if before:
                before.update(Delivery.ACCEPTED)
                before.settle()
            event.link.flow(1)
            return
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
        if self.mode:
            self.takers[address] = link
            self.hand_out(link, address)
            return
        if getattr(link, "served", False) or not link.credit:
            return
        link.served = True
        if address == "detach":
            link.send(Message(body="before"))
            link.condition = Condition("amqp:link:detach-forced", "the peer is tired of it")
            link.close()
        elif address == "end":
            link.send(Message(body="before"))
            link.session.condition = Condition("amqp:session:window-violation", "the peer ends it")
            link.session.close()
        elif address == "forced":
            link.send(Message(body="before"))
            event.connection.condition = Condition("amqp:connection:forced", "the peer has enough")
            event.connection.close()
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

Container(Peer(sys.argv[1], "".join(sys.argv[2:]))).run()
