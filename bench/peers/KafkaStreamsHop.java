import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The engine's hop reduced to what Kafka Streams does of itself: parse the command, know the case already or not, keep
 * it and its due time in two RocksDB stores with changelogs, send one task. Exactly-once v2.
 *
 * <p>Arguments: bootstrap, prefix of the topics, state folder, stream threads, then `name=value` for any setting.
 */
public final class KafkaStreamsHop {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String DUE = "2026-12-01T00:00:00Z";

  public static void main(String[] arguments) throws InterruptedException {
    String prefix = arguments[1];
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "streams");
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[2]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[3]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 4000);
    settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 2 << 20);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.CHECK_CRCS_CONFIG), false);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 20);
    for (int n = 4; n < arguments.length; n++) {
      String[] setting = arguments[n].split("=", 2);
      settings.put(setting[0], setting[1]);
    }
    KafkaStreams streams = new KafkaStreams(topology(prefix).build(), settings);
    CountDownLatch ended = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      Runtime.getRuntime().halt(1);
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close();
      ended.countDown();
    }));
    streams.start();
    ended.await();
  }

  private static StreamsBuilder topology(String prefix) {
    StreamsBuilder builder = new StreamsBuilder();
    for (String name : new String[] {"cases", "timers"}) {
      builder.addStateStore(
          Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.ByteArray(), Serdes.ByteArray()));
    }
    builder
        .stream(prefix + "in", Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .process(Deciding::new, "cases", "timers")
        .to(prefix + "out", Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    return builder;
  }

  private static final class Deciding implements Processor<byte[], byte[], byte[], byte[]> {
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], byte[]> cases;
    private KeyValueStore<byte[], byte[]> timers;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      cases = context.getStateStore("cases");
      timers = context.getStateStore("timers");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      byte[] key = record.key();
      if (cases.get(key) != null) {
        return;
      }
      byte[] task = task(record.value());
      cases.put(key, task);
      timers.put((DUE + new String(key, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8), key);
      context.forward(record.withValue(task));
    }

    private static byte[] task(byte[] command) {
      try {
        JsonNode submit = JSON.readTree(command);
        JsonNode request = submit.get("request");
        ObjectNode task = JSON.createObjectNode();
        task.put("case", submit.get("case").textValue());
        task.put("dept", "dept-" + Math.floorMod(request.get("appeal_category").textValue().hashCode(), 200));
        task.put("due", DUE);
        task.set("data", request);
        return JSON.writeValueAsBytes(task);
      } catch (IOException error) {
        throw new IllegalStateException(error);
      }
    }
  }
}
