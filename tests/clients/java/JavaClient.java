import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Apache Kafka's own client, told what to do in lines of JSON: see {@code clients/remote.py}.
 *
 * <p>A consumer's {@code assignments} have what it holds after partitions were taken from it, too, so that a test sees
 * which of them stayed. Its setting {@code assignor} may list several, by commas. Consumers and producers take any
 * {@code properties}, too, and the client deletes topics and removes static members from groups.
 */
public final class JavaClient {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    /** What a request is addressed to. Returns its result, or null for none. */
    private interface Addressee {
        JsonNode ask(String what, JsonNode request) throws Exception;

        default void addTo(ObjectNode answer) {}
    }

    private static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    private static String text(byte[] bytes) {
        return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
    }

    private static <T> T of(Future<T> future) throws Exception {
        try {
            return future.get();
        } catch (ExecutionException error) {
            throw error.getCause() instanceof Exception cause ? cause : error;
        }
    }

    private static Properties properties(String bootstrap) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    private static void add(JsonNode settings, Properties properties) {
        settings.path("properties").properties().forEach(each -> properties.put(each.getKey(), each.getValue().asText()));
    }

    private record Client(String bootstrap) implements Addressee {
        @Override
        public JsonNode ask(String what, JsonNode request) throws Exception {
            switch (what) {
                case "hello":
                    ObjectNode hello = JSON.createObjectNode();
                    hello.put("client", "Apache Kafka's Java client").put("version", AppInfoParser.getVersion());
                    hello.put("runtime", "Java " + System.getProperty("java.version"));
                    List.of("none", "gzip", "snappy", "lz4", "zstd").forEach(hello.putArray("codecs")::add);
                    hello.putObject("lacks");
                    return hello;
                case "create_topic":
                    try (Admin admin = Admin.create(properties(bootstrap))) {
                        int partitions = request.get("partitions").asInt();
                        NewTopic topic = new NewTopic(request.get("topic").asText(), partitions, (short) 1);
                        of(admin.createTopics(List.of(topic)).all());
                    }
                    return null;
                case "delete_topic":
                    try (Admin admin = Admin.create(properties(bootstrap))) {
                        of(admin.deleteTopics(List.of(request.get("topic").asText())).all());
                    }
                    return null;
                case "remove_static_member":
                    try (Admin admin = Admin.create(properties(bootstrap))) {
                        MemberToRemove member = new MemberToRemove(request.get("instance").asText());
                        RemoveMembersFromConsumerGroupOptions options =
                            new RemoveMembersFromConsumerGroupOptions(List.of(member));
                        of(admin.removeMembersFromConsumerGroup(request.get("group").asText(), options).all());
                    }
                    return null;
                default:
                    throw new IllegalArgumentException(what);
            }
        }
    }

    private static final class Producer implements Addressee {
        private final KafkaProducer<byte[], byte[]> producer;
        private final String topic;
        private final List<Future<RecordMetadata>> sent = new ArrayList<>();

        Producer(String bootstrap, JsonNode request) {
            Properties properties = properties(bootstrap);
            properties.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, request.get("codec").asText());
            if (request.get("settings").has("idempotent")) {
                properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, request.get("settings").get("idempotent").asBoolean());
            }
            add(request.get("settings"), properties);
            producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
            topic = request.get("topic").asText();
        }

        @Override
        public JsonNode ask(String what, JsonNode request) throws Exception {
            switch (what) {
                case "send":
                    request.get("records").forEach(this::send);
                    return null;
                case "flush":
                    producer.flush();
                    ArrayNode offsets = JSON.createArrayNode();
                    for (Future<RecordMetadata> future : sent) {
                        offsets.add(of(future).offset());
                    }
                    sent.clear();
                    return offsets;
                case "begin_transactions":
                    producer.initTransactions();
                    return null;
                case "close":
                    producer.close();
                    return null;
                default:
                    throw new IllegalArgumentException(what);
            }
        }

        private void send(JsonNode record) {
            List<Header> headers = new ArrayList<>();
            record.get(3).forEach(pair -> headers.add(new RecordHeader(pair.get(0).asText(), bytes(pair.get(1)))));
            byte[] key = bytes(record.get(1));
            byte[] value = bytes(record.get(2));
            sent.add(producer.send(
                new ProducerRecord<>(topic, record.get(0).asInt(), record.get(4).asLong(), key, value, headers)));
        }
    }

    private static final class Consumer implements Addressee, ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final String topic;
        private final Set<Integer> held = new TreeSet<>();
        private ArrayNode assignments = JSON.createArrayNode();

        Consumer(String bootstrap, JsonNode request) {
            JsonNode settings = request.get("settings");
            Properties properties = properties(bootstrap);
            properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
            properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, settings.path("automatic").asBoolean());
            if (!request.get("group").isNull()) {
                properties.put(ConsumerConfig.GROUP_ID_CONFIG, request.get("group").asText());
            }
            if (settings.has("instance")) {
                properties.put(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, settings.get("instance").asText());
            }
            if (settings.has("assignor")) {
                List<String> names = List.of(settings.get("assignor").asText().split(","));
                properties.put(
                    ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, names.stream().map(ASSIGNORS::get).toList());
            }
            add(settings, properties);
            consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            topic = request.get("topic").asText();
        }

        @Override
        public JsonNode ask(String what, JsonNode request) throws Exception {
            TopicPartition partition = new TopicPartition(topic, request.path("partition").asInt());
            switch (what) {
                case "subscribe":
                    consumer.subscribe(List.of(topic), this);
                    return null;
                case "subscribe_to_pattern":
                    consumer.subscribe(Pattern.compile(request.get("pattern").asText()), this);
                    return null;
                case "assign":
                    assign(request);
                    return null;
                case "poll":
                    ArrayNode records = JSON.createArrayNode();
                    consumer.poll(Duration.ofMillis(request.get("timeout_ms").asLong())).forEach(r -> records.add(array(r)));
                    return records;
                case "commit":
                    try {
                        consumer.commitSync();
                        return JSON.getNodeFactory().booleanNode(true);
                    } catch (CommitFailedException | RebalanceInProgressException error) {
                        return JSON.getNodeFactory().booleanNode(false);
                    }
                case "committed":
                    OffsetAndMetadata committed = consumer.committed(Set.of(partition)).get(partition);
                    return committed == null ? null : JSON.getNodeFactory().numberNode(committed.offset());
                case "seek":
                    consumer.seek(partition, request.get("offset").asLong());
                    return null;
                case "offset_for_time":
                    long timestamp = request.get("timestamp_ms").asLong();
                    OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, timestamp)).get(partition);
                    return found == null ? null : JSON.getNodeFactory().numberNode(found.offset());
                case "close":
                    consumer.close();
                    return null;
                default:
                    throw new IllegalArgumentException(what);
            }
        }

        private void assign(JsonNode request) {
            List<TopicPartition> partitions = new ArrayList<>();
            request.get("partitions").forEach(number -> partitions.add(new TopicPartition(topic, number.asInt())));
            consumer.assign(partitions);
            if (request.get("offset").isNull()) {
                consumer.seekToBeginning(partitions);
            } else {
                partitions.forEach(partition -> consumer.seek(partition, request.get("offset").asLong()));
            }
        }

        private static ArrayNode array(ConsumerRecord<byte[], byte[]> record) {
            ArrayNode array = JSON.createArrayNode().add(record.partition()).add(record.offset());
            array.add(text(record.key())).add(text(record.value()));
            ArrayNode headers = array.addArray();
            record.headers().forEach(header -> headers.addArray().add(header.key()).add(text(header.value())));
            return array.add(record.timestamp());
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(partition -> held.add(partition.partition()));
            note();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            partitions.forEach(partition -> held.remove(partition.partition()));
            if (!partitions.isEmpty()) {
                note();
            }
        }

        private void note() {
            held.forEach(assignments.addArray()::add);
        }

        @Override
        public void addTo(ObjectNode answer) {
            answer.set("assignments", assignments);
            assignments = JSON.createArrayNode();
        }
    }

    private final String bootstrap;
    private final PrintStream answers;
    private final Map<String, Addressee> addressees = new HashMap<>();
    private final Map<String, ExecutorService> threads = new HashMap<>();

    private JavaClient(String bootstrap, PrintStream answers) {
        this.bootstrap = bootstrap;
        this.answers = answers;
        addressees.put("client", new Client(bootstrap));
    }

    /** Carry out a request and answer it; the requests to one name are in one thread. */
    private void answer(JsonNode request) {
        ObjectNode answer = JSON.createObjectNode();
        answer.set("id", request.get("id"));
        try {
            String name = request.get("on").asText();
            String what = request.get("do").asText();
            if (what.startsWith("open_")) {
                put(name, what.equals("open_producer") ? new Producer(bootstrap, request) : new Consumer(bootstrap, request));
            } else {
                Addressee addressee = get(name);
                answer.set("result", addressee.ask(what, request));
                addressee.addTo(answer);
            }
        } catch (Exception error) {
            error.printStackTrace();
            answer.put("error", error.toString());
        }
        synchronized (answers) {
            answers.println(answer);
        }
    }

    private synchronized void put(String name, Addressee addressee) {
        addressees.put(name, addressee);
    }

    private synchronized Addressee get(String name) {
        return addressees.get(name);
    }

    private void serve(BufferedReader requests) throws Exception {
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            JsonNode request = JSON.readTree(line);
            String name = request.get("on").asText();
            threads.computeIfAbsent(name, key -> Executors.newSingleThreadExecutor()).execute(() -> answer(request));
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        new JavaClient(args[args.length - 1], answers)
            .serve(new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)));
        Runtime.getRuntime().halt(0);
    }
}
