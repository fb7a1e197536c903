import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import org.apache.activemq.broker.BrokerPlugin;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.broker.SslContext;
import org.apache.activemq.broker.region.policy.IndividualDeadLetterStrategy;
import org.apache.activemq.broker.region.policy.PolicyEntry;
import org.apache.activemq.broker.region.policy.PolicyMap;
import org.apache.activemq.plugin.StatisticsBrokerPlugin;
import org.apache.activemq.security.AuthenticationUser;
import org.apache.activemq.security.SimpleAuthenticationPlugin;
import org.apache.activemq.usage.SystemUsage;

/** ActiveMQ Classic without its web server and Spring: java Broker DATA-FOLDER CERTS-FOLDER STOMP-PORT AMQP-PORT STOMPS-PORT AMQPS-PORT OPENWIRE-PORT. */
public class Broker {
  public static void main(String[] args) throws Exception {
    BrokerService broker = new BrokerService();
    broker.setBrokerName("fairlead");
    broker.setDataDirectory(args[0]);
    broker.setPersistent(true);
    broker.setSchedulerSupport(true); // delayed messages
    broker.setUseJmx(Boolean.getBoolean("jmx"));
    broker.getManagementContext().setCreateConnector(false); // within this process only
    broker.setUseShutdownHook(true);
    broker.setPlugins(new BrokerPlugin[] {
      new SimpleAuthenticationPlugin(List.of(new AuthenticationUser("app", "apppw", "apps"))),
      new StatisticsBrokerPlugin() // says how much waits in a queue
    });
    broker.setDestinationPolicy(deadLettersOfTheirOwn());
    limit(broker.getSystemUsage());
    broker.setSslContext(new SslContext(server(Path.of(args[1])), null, null));
    broker.addConnector("stomp://127.0.0.1:" + args[2]);
    broker.addConnector("amqp://127.0.0.1:" + args[3]);
    broker.addConnector("stomp+ssl://127.0.0.1:" + args[4]);
    broker.addConnector("amqp+ssl://127.0.0.1:" + args[5]);
    broker.addConnector("tcp://127.0.0.1:" + args[6]);
    broker.start();
    System.out.println("READY");
    broker.waitUntilStopped();
  }

  /** Dead letters of the queue Q go to DLQ.Q, so that tests do not see each other's. */
  private static PolicyMap deadLettersOfTheirOwn() {
    IndividualDeadLetterStrategy strategy = new IndividualDeadLetterStrategy();
    strategy.setQueuePrefix("DLQ.");
    strategy.setUseQueueForQueueMessages(true);
    strategy.setProcessNonPersistent(true);
    PolicyEntry all = new PolicyEntry();
    all.setQueue(">");
    all.setDeadLetterStrategy(strategy);
    PolicyMap policies = new PolicyMap();
    policies.setPolicyEntries(List.of(all));
    return policies;
  }

  /** The certificate and the key of the server, from PEM files, which Java does not read by itself. */
  private static KeyManager[] server(Path certs) throws Exception {
    Certificate certificate;
    try (InputStream in = Files.newInputStream(certs.resolve("server.crt"))) {
      certificate = CertificateFactory.getInstance("X.509").generateCertificate(in);
    }
    String pem = Files.readString(certs.resolve("server.key")).replaceAll("-----[A-Z ]+-----", "");
    PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem)));
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setKeyEntry("server", key, new char[0], new Certificate[] {certificate});
    KeyManagerFactory managers = KeyManagerFactory.getInstance("PKIX");
    managers.init(store, new char[0]);
    return managers.getKeyManagers();
  }

  /** The defaults ask for more disk than a small machine has, and say so at each start. */
  private static void limit(SystemUsage usage) {
    usage.getMemoryUsage().setLimit(128L << 20);
    usage.getStoreUsage().setLimit(1L << 30);
    usage.getTempUsage().setLimit(256L << 20);
    usage.getJobSchedulerUsage().setLimit(64L << 20);
  }
}
