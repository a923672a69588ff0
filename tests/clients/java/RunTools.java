import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command-line tools one after the other in one JVM, since most of what a tool costs is the JVM's start.
 *
 * <p>Each line of standard input is a call, {"main": class, "args": [...], "stdin": text, "timeout_s": n}; each line of
 * standard output its result, {"status": n, "out": text, "err": text}. A tool's call of {@code Exit.exit} gives its
 * status and ends what it wrote; its shutdown hooks run before the next tool does.
 */
public final class RunTools {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Thrown out of a tool that exits. */
    private static final class Exited extends Error {
        private static final long serialVersionUID = 1;

        Exited() {
            super(null, null, false, false);
        }
    }

    /** Where the running tool writes to. Never changes, so that whoever kept System.out still writes there. */
    private static final class Capture extends OutputStream {
        private ByteArrayOutputStream written = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int octet) {
            written.write(octet);
        }

        @Override
        public synchronized void write(byte[] octets, int offset, int length) {
            written.write(octets, offset, length);
        }

        synchronized String text() {
            return written.toString(StandardCharsets.UTF_8);
        }

        synchronized void clear() {
            written = new ByteArrayOutputStream();
        }
    }

    private static final Capture OUT = new Capture();
    private static final Capture ERR = new Capture();
    private static final List<Runnable> HOOKS = new ArrayList<>();
    private static volatile CompletableFuture<ObjectNode> result;

    private static void finish(int status) {
        System.out.flush();
        System.err.flush();
        ObjectNode node = JSON.createObjectNode();
        node.put("status", status).put("out", OUT.text()).put("err", ERR.text());
        // The first one counts: a tool that catches everything catches its own exit, too.
        result.complete(node);
    }

    private static void exit(int status, String message) {
        if (message != null) System.err.println(message);
        finish(status);
        throw new Exited();
    }

    private static void runHooks() {
        List<Runnable> hooks;
        synchronized (HOOKS) {
            hooks = new ArrayList<>(HOOKS);
            HOOKS.clear();
        }
        hooks.forEach(Runnable::run);
    }

    private static void run(String main, String[] args) {
        try {
            try {
                Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) args);
            } catch (InvocationTargetException error) {
                throw error.getCause();
            }
            runHooks();
            finish(0);
        } catch (Exited error) {
            runHooks();
        } catch (Throwable error) {
            // As the JVM does when a main thread dies.
            error.printStackTrace();
            runHooks();
            finish(1);
        }
    }

    public static void main(String[] unused) throws Exception {
        InputStream calls = System.in;
        PrintStream results = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure(RunTools::exit);
        Exit.setHaltProcedure(RunTools::exit);
        Exit.setShutdownHookAdder((name, hook) -> {
            synchronized (HOOKS) {
                HOOKS.add(hook);
            }
        });
        BufferedReader reader = new BufferedReader(new InputStreamReader(calls, StandardCharsets.UTF_8));
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
            JsonNode call = JSON.readTree(line);
            OUT.clear();
            ERR.clear();
            result = new CompletableFuture<>();
            System.setIn(new ByteArrayInputStream(call.get("stdin").asText().getBytes(StandardCharsets.UTF_8)));
            String main = call.get("main").asText();
            String[] args = JSON.treeToValue(call.get("args"), String[].class);
            Thread tool = new Thread(() -> run(main, args), main);
            tool.setDaemon(true);
            tool.start();
            ObjectNode answer;
            try {
                answer = result.get(call.get("timeout_s").asLong(), TimeUnit.SECONDS);
                tool.join(TimeUnit.SECONDS.toMillis(call.get("timeout_s").asLong()));
            } catch (TimeoutException error) {
                answer = JSON.createObjectNode();
                answer.putNull("status").put("out", OUT.text()).put("err", ERR.text());
            }
            results.println(JSON.writeValueAsString(answer));
        }
        // Some tools leave threads behind that are no daemons.
        Runtime.getRuntime().halt(0);
    }
}
