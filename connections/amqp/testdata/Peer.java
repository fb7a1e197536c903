import java.nio.charset.StandardCharsets;
import java.util.Enumeration;
import java.util.HexFormat;
import java.util.TreeSet;
import javax.jms.*;
import org.apache.qpid.jms.JmsConnectionFactory;

/**
 * A JMS client: Peer URL USER PASSWORD COMMAND QUEUE
 *
 *   send         sends a message of each kind
 *   receive      prints each message until one comes that says "end"
 *   ask          sends a request with a temporary queue to reply to, and prints the reply
 *   ask-topic    the same with a temporary topic
 */
public class Peer {
    public static void main(String[] args) throws Exception {
        try (Connection connection = new JmsConnectionFactory(args[1], args[2], args[0]).createConnection()) {
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            Queue queue = session.createQueue(args[4]);
            switch (args[3]) {
                case "send" -> send(session, session.createProducer(queue));
                case "receive" -> receive(session.createConsumer(queue));
                case "ask" -> ask(session, queue, session.createTemporaryQueue());
                case "ask-topic" -> ask(session, queue, session.createTemporaryTopic());
            }
        }
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
        s.append(" id=").append(m.getJMSMessageID().startsWith("ID:"));
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
