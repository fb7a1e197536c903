import java.util.List;
import org.apache.activemq.broker.BrokerPlugin;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.broker.region.policy.IndividualDeadLetterStrategy;
import org.apache.activemq.broker.region.policy.PolicyEntry;
import org.apache.activemq.broker.region.policy.PolicyMap;
import org.apache.activemq.security.AuthenticationUser;
import org.apache.activemq.security.SimpleAuthenticationPlugin;
import org.apache.activemq.usage.SystemUsage;

/** ActiveMQ Classic without its web server and Spring: java Broker DATA-FOLDER STOMP-PORT AMQP-PORT. */
public class Broker {
  public static void main(String[] args) throws Exception {
    BrokerService broker = new BrokerService();
    broker.setBrokerName("fairlead");
    broker.setDataDirectory(args[0]);
    broker.setPersistent(true);
    broker.setSchedulerSupport(true); // delayed messages
    broker.setUseJmx(false);
    broker.setUseShutdownHook(true);
    broker.setPlugins(new BrokerPlugin[] {
      new SimpleAuthenticationPlugin(List.of(new AuthenticationUser("app", "apppw", "apps")))
    });
    broker.setDestinationPolicy(deadLettersOfTheirOwn());
    limit(broker.getSystemUsage());
    broker.addConnector("stomp://127.0.0.1:" + args[1]);
    broker.addConnector("amqp://127.0.0.1:" + args[2]);
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

  /** The defaults ask for more disk than a small machine has, and say so at each start. */
  private static void limit(SystemUsage usage) {
    usage.getMemoryUsage().setLimit(128L << 20);
    usage.getStoreUsage().setLimit(1L << 30);
    usage.getTempUsage().setLimit(256L << 20);
    usage.getJobSchedulerUsage().setLimit(64L << 20);
  }
}
