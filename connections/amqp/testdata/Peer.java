import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import javax.jms.*;
import org.apache.activemq.artemis.jms.client.ActiveMQConnectionFactory;
import org.apache.qpid.jms.JmsConnectionFactory;

/**
 * A JMS client: Peer URL USER PASSWORD COMMAND QUEUE. It is one of Qpid JMS if the URL begins with amqp, of ActiveMQ
 * Classic if it begins with openwire, and else Artemis' own.
 *
 *   send         sends a message of each kind
 *   receive      prints each message until one comes that says "end"
 *   ask          sends a request with a temporary queue to reply to, and prints the reply
 *   ask-topic    the same with a temporary topic
 *   answer       receives a request and answers it
 *   send-all     sends and prints messages of each kind, with everything that JMS has
 *   send-most    the same without what Artemis cannot bring from AMQP to its own protocol and back: bytes in a stream,
 *                and a message without a body
 *   send-few     sends a text, an empty one, bytes, a map and the end
 *   receive-all  prints such messages until the end
 */
public class Peer {
    public static void main(String[] args) throws Exception {
        try (Connection connection = factory(args[0], args[1], args[2]).createConnection()) {
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            Queue queue = session.createQueue(args[4]);
            switch (args[3]) {
                case "send" -> send(session, session.createProducer(queue));
                case "receive" -> receive(session.createConsumer(queue));
                case "send-all" -> sendAll(session, session.createProducer(queue), false);
                case "send-most" -> sendAll(session, session.createProducer(queue), true);
                case "send-few" -> sendFew(session, session.createProducer(queue));
                case "receive-all" -> receiveAll(session.createConsumer(queue));
                case "answer" -> answer(session, session.createConsumer(queue));
                case "ask" -> ask(session, queue, session.createTemporaryQueue());
                case "ask-topic" -> ask(session, queue, session.createTemporaryTopic());
            }
        }
    }

    static ConnectionFactory factory(String url, String user, String password) throws JMSException {
        if (url.startsWith("amqp")) {
            return new JmsConnectionFactory(user, password, url);
        }
        if (url.startsWith("openwire")) {
            return new org.apache.activemq.ActiveMQConnectionFactory(user, password, url.replace("openwire", "tcp"));
        }
        return new ActiveMQConnectionFactory(url, user, password);
    }

    static void send(Session session, MessageProducer producer) throws JMSException {
        TextMessage text = session.createTextMessage("h\u00e9llo");
        text.setStringProperty("colour", "red");
        text.setIntProperty("number", -42);
        text.setLongProperty("big", 1L << 40);
        text.setBooleanProperty("yes", true);
        text.setDoubleProperty("half", 0.5);
        text.setStringProperty("JMSXGroupID", "group");
        text.setJMSCorrelationID("correlation");
        producer.send(text, DeliveryMode.PERSISTENT, 7, 3_600_000);
        producer.send(session.createTextMessage(""));
        BytesMessage bytes = session.createBytesMessage();
        bytes.writeBytes(new byte[] {0, (byte) 0xff, 'x'});
        producer.send(bytes);
        MapMessage map = session.createMapMessage();
        map.setString("name", "w\u00f6rth");
        map.setLong("big", 9007199254740993L);
        map.setBytes("raw", new byte[] {1, 2, 3});
        producer.send(map);
        StreamMessage stream = session.createStreamMessage();
        stream.writeInt(1);
        stream.writeString("two");
        producer.send(stream);
        producer.send(session.createMessage());
    }

    static void receive(MessageConsumer consumer) throws JMSException {
        while (true) {
            Message m = consumer.receive(20_000);
            if (m == null) {
                throw new JMSException("no message within 20 s");
            }
            print(m);
            if (m instanceof TextMessage t && t.getText().equals("end")) {
                return;
            }
        }
    }

    static void ask(Session session, Queue queue, Destination replyTo) throws JMSException {
        MessageConsumer replies = session.createConsumer(replyTo);
        TextMessage request = session.createTextMessage("question");
        request.setJMSReplyTo(replyTo);
        session.createProducer(queue).send(request);
        Message reply = replies.receive(20_000);
        if (reply == null) {
            throw new JMSException("no reply within 20 s");
        }
        print(reply);
        System.out.println("to this request: " + request.getJMSMessageID().equals(reply.getJMSCorrelationID()));
    }

    static void answer(Session session, MessageConsumer consumer) throws JMSException {
        Message request = consumer.receive(20_000);
        if (request == null) {
            throw new JMSException("no request within 20 s");
        }
        TextMessage reply = session.createTextMessage("answer to " + ((TextMessage) request).getText());
        reply.setJMSCorrelationID(request.getJMSMessageID());
        session.createProducer(request.getJMSReplyTo()).send(reply);
        describe(request);
    }

    static void sendAll(Session session, MessageProducer producer, boolean most) throws JMSException {
        TextMessage text = session.createTextMessage("w\u00f6rth");
        text.setBooleanProperty("boolean", true);
        text.setByteProperty("byte", Byte.MIN_VALUE);
        text.setShortProperty("short", Short.MIN_VALUE);
        text.setIntProperty("int", Integer.MIN_VALUE);
        text.setLongProperty("long", 9007199254740993L);
        text.setFloatProperty("float", 1.5f);
        text.setDoubleProperty("double", -0.1);
        text.setStringProperty("string", "w\u00f6rth");
        text.setStringProperty("empty", "");
        text.setStringProperty("JMSXGroupID", "group");
        text.setIntProperty("JMSXGroupSeq", 7);
        text.setJMSType("type");
        text.setJMSCorrelationID("correlation");
        text.setJMSReplyTo(session.createQueue("q.replies"));
        sendAndDescribe(producer, text, DeliveryMode.PERSISTENT, 9, 3_600_000);
        sendAndDescribe(producer, session.createTextMessage(""), DeliveryMode.PERSISTENT, 5, 0);
        sendAndDescribe(producer, session.createTextMessage(), DeliveryMode.PERSISTENT, 4, 0);

        BytesMessage bytes = session.createBytesMessage();
        bytes.writeBytes(new byte[] {0, (byte) 0xff, 'x'});
        sendAndDescribe(producer, bytes, DeliveryMode.PERSISTENT, 4, 0);
        sendAndDescribe(producer, session.createBytesMessage(), DeliveryMode.PERSISTENT, 4, 0);

        MapMessage map = session.createMapMessage();
        map.setBoolean("boolean", true);
        map.setByte("byte", Byte.MIN_VALUE);
        map.setShort("short", Short.MIN_VALUE);
        map.setChar("char", '\u20ac');
        map.setInt("int", Integer.MIN_VALUE);
        map.setLong("long", 9007199254740993L);
        map.setFloat("float", 1.5f);
        map.setDouble("double", -0.1);
        map.setString("string", "w\u00f6rth");
        map.setString("null", null);
        map.setBytes("bytes", new byte[] {0, (byte) 0xff});
        sendAndDescribe(producer, map, DeliveryMode.PERSISTENT, 4, 0);

        StreamMessage stream = session.createStreamMessage();
        stream.writeBoolean(true);
        stream.writeByte(Byte.MIN_VALUE);
        stream.writeShort(Short.MIN_VALUE);
        stream.writeChar('\u20ac');
        stream.writeInt(Integer.MIN_VALUE);
        stream.writeLong(9007199254740993L);
        stream.writeFloat(1.5f);
        stream.writeDouble(-0.1);
        stream.writeString("w\u00f6rth");
        stream.writeString(null);
        if (!most) {
            stream.writeBytes(new byte[] {0, (byte) 0xff});
        }
        sendAndDescribe(producer, stream, DeliveryMode.PERSISTENT, 4, 0);

        sendAndDescribe(producer, session.createObjectMessage(new ArrayList<>(List.of("a", 7))), DeliveryMode.PERSISTENT, 4, 0);
        if (!most) {
            sendAndDescribe(producer, session.createMessage(), DeliveryMode.PERSISTENT, 4, 0);
        }
        sendAndDescribe(producer, session.createTextMessage("end"), DeliveryMode.PERSISTENT, 0, 0);
    }

    static void sendFew(Session session, MessageProducer producer) throws JMSException {
        producer.send(session.createTextMessage("w\u00f6rth"));
        producer.send(session.createTextMessage(""));
        BytesMessage bytes = session.createBytesMessage();
        bytes.writeBytes(new byte[] {0, (byte) 0xff, 'x'});
        producer.send(bytes);
        MapMessage map = session.createMapMessage();
        map.setLong("long", 9007199254740993L);
        map.setString("string", "w\u00f6rth");
        producer.send(map);
        producer.send(session.createTextMessage("end"));
    }

    static void sendAndDescribe(MessageProducer producer, Message m, int mode, int priority, long ttl) throws JMSException {
        producer.send(m, mode, priority, ttl);
        if (m instanceof BytesMessage b) {
            b.reset();
        }
        if (m instanceof StreamMessage s) {
            s.reset();
        }
        describe(m);
    }

    static void receiveAll(MessageConsumer consumer) throws JMSException {
        while (true) {
            Message m = consumer.receive(20_000);
            if (m == null) {
                throw new JMSException("no message within 20 s");
            }
            describe(m);
            if (m instanceof TextMessage t && "end".equals(t.getText())) {
                return;
            }
        }
    }

    /** Prints what a message holds, but for what differs from one send to another. */
    static void describe(Message m) throws JMSException {
        StringBuilder s = new StringBuilder();
        if (m instanceof TextMessage t) {
            s.append("text ").append(typed(t.getText()));
        } else if (m instanceof BytesMessage b) {
            byte[] body = new byte[(int) b.getBodyLength()];
            b.readBytes(body);
            s.append("bytes ").append(typed(body));
        } else if (m instanceof MapMessage map) {
            s.append("map");
            List<String> names = new ArrayList<>();
            for (Enumeration<?> e = map.getMapNames(); e.hasMoreElements(); ) {
                names.add((String) e.nextElement());
            }
            Collections.sort(names);
            for (String name : names) {
                s.append(' ').append(name).append('=').append(typed(map.getObject(name)));
            }
        } else if (m instanceof StreamMessage stream) {
            s.append("stream");
            try {
                while (true) {
                    String next = typed(stream.readObject());
                    s.append(' ').append(next);
                }
            } catch (MessageEOFException end) {
                // that was all
            }
        } else if (m instanceof ObjectMessage o) {
            s.append("object ").append(o.getObject());
        } else {
            s.append("empty");
        }
        s.append(" | type=").append(m.getJMSType()).append(" correlation=").append(m.getJMSCorrelationID());
        s.append(" mode=").append(m.getJMSDeliveryMode()).append(" priority=").append(m.getJMSPriority());
        s.append(" expires=").append(m.getJMSExpiration() > 0).append(" reply=").append(kindOf(m.getJMSReplyTo()));
        s.append(" to=").append(kindOf(m.getJMSDestination())).append(" redelivered=").append(m.getJMSRedelivered());
        TreeSet<String> names = new TreeSet<>();
        for (Enumeration<?> e = m.getPropertyNames(); e.hasMoreElements(); ) {
            names.add((String) e.nextElement());
        }
        names.removeIf(name -> name.equals("JMSXDeliveryCount") || name.startsWith("JMS_") || name.equals("NATIVE_MESSAGE_ID"));
        for (String name : names) {
            s.append(' ').append(name).append('=').append(typed(m.getObjectProperty(name)));
        }
        System.out.println(s);
    }

    static String kindOf(Destination d) {
        if (d == null) {
            return "none";
        }
        String kind = d instanceof Topic ? "topic" : "queue";
        return d instanceof TemporaryQueue || d instanceof TemporaryTopic ? "temporary-" + kind : kind;
    }

    static String typed(Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof byte[] b) {
            return HexFormat.of().formatHex(b) + ":bytes";
        }
        return value + ":" + value.getClass().getSimpleName();
    }

    static void print(Message m) throws JMSException {
        StringBuilder s = new StringBuilder();
        if (m instanceof TextMessage t) {
            s.append("text ").append(HexFormat.of().formatHex(t.getText().getBytes(StandardCharsets.UTF_8)));
        } else if (m instanceof BytesMessage b) {
            byte[] body = new byte[(int) b.getBodyLength()];
            b.readBytes(body);
            s.append("bytes ").append(HexFormat.of().formatHex(body));
        } else {
            s.append("other ").append(m.getClass().getSimpleName());
        }
        s.append(" priority=").append(m.getJMSPriority());
        s.append(" persistent=").append(m.getJMSDeliveryMode() == DeliveryMode.PERSISTENT);
        s.append(" id=").append(m.getJMSMessageID() != null && m.getJMSMessageID().startsWith("ID:"));
        s.append(" time=").append(m.getJMSTimestamp() > 0);
        TreeSet<String> names = new TreeSet<>();
        for (Enumeration<?> e = m.getPropertyNames(); e.hasMoreElements(); ) {
            names.add((String) e.nextElement());
        }
        for (String name : names) {
            if (!name.startsWith("JMSX")) {
                Object value = m.getObjectProperty(name);
                s.append(' ').append(name).append('=').append(value).append(':').append(value.getClass().getSimpleName());
            }
        }
        System.out.println(s);
    }
}
