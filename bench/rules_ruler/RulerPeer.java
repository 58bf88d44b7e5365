import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import software.amazon.event.ruler.GenericMachine;

/**
 * event-ruler as a peer: reads orders from stdin, one a line, and answers each with one line of JSON.
 *
 * <pre>
 * load RULES         number, tab, pattern on each line: seconds, CPU of the process meanwhile, heap before and after
 * read REQUESTS      one JSON object a line, kept as the bytes that a log would hand over
 * turn text|tree     every request once: CPU of this thread and of the process, and wall time, µs a request
 * answers FILE       what holds for each request, by order
 * </pre>
 *
 * A rule is named by its number. A request's answer is all numbers in order, and the lowest is kept.
 */
public final class RulerPeer {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final OperatingSystemMXBean PROCESS =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private GenericMachine<Integer> machine;
    private List<byte[]> requests = new ArrayList<>();
    private long kept;

    public static void main(String[] args) throws Exception {
        RulerPeer peer = new RulerPeer();
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            String[] order = line.split(" ", 2);
            System.out.println(peer.obey(order[0], order[1]));
            System.out.flush();
        }
    }

    private String obey(String order, String what) throws Exception {
        switch (order) {
            case "load":
                return load(Path.of(what));
            case "read":
                return read(Path.of(what));
            case "turn":
                return turn(what.equals("tree"));
            case "answers":
                return answers(Path.of(what));
            default:
                throw new IllegalArgumentException(order);
        }
    }

    private String load(Path file) throws Exception {
        List<String> lines = Files.readAllLines(file);
        long before = used();
        long began = System.nanoTime();
        long cpu = PROCESS.getProcessCpuTime();
        machine = GenericMachine.<Integer>builder().build();
        for (String line : lines) {
            int tab = line.indexOf('\t');
            machine.addRule(Integer.valueOf(line.substring(0, tab)), line.substring(tab + 1));
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        double spent = (PROCESS.getProcessCpuTime() - cpu) / 1e9;
        return String.format("{\"seconds\": %.3f, \"cpu_s\": %.3f, \"mb\": %.1f}", seconds, spent, (used() - before) / 1e6);
    }

    private static long used() {
        System.gc();
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private String read(Path file) throws Exception {
        requests = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            requests.add(line.getBytes(StandardCharsets.UTF_8));
        }
        return "{\"requests\": " + requests.size() + "}";
    }

    private String turn(boolean tree) throws Exception {
        var threads = ManagementFactory.getThreadMXBean();
        long began = System.nanoTime();
        long cpu = threads.getCurrentThreadCpuTime();
        long all = PROCESS.getProcessCpuTime();
        for (byte[] request : requests) {
            int[] found = match(request, tree);
            if (found.length > 0) {
                kept += found[0];
            }
        }
        double n = requests.size() * 1e3;
        return String.format(
                "{\"us\": %.3f, \"process_us\": %.3f, \"wall_us\": %.3f, \"kept\": %d}",
                (threads.getCurrentThreadCpuTime() - cpu) / n,
                (PROCESS.getProcessCpuTime() - all) / n,
                (System.nanoTime() - began) / n,
                kept);
    }

    /** All rules that hold, by order. */
    private int[] match(byte[] request, boolean tree) throws Exception {
        List<Integer> names = tree
                ? machine.rulesForJSONEvent(MAPPER.readTree(request))
                : machine.rulesForJSONEvent(new String(request, StandardCharsets.UTF_8));
        int[] numbers = new int[names.size()];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = names.get(i);
        }
        Arrays.sort(numbers);
        return numbers;
    }

    private String answers(Path file) throws Exception {
        List<String> lines = new ArrayList<>();
        for (byte[] request : requests) {
            int[] text = match(request, false);
            if (!Arrays.equals(text, match(request, true))) {
                throw new IllegalStateException("text and tree differ");
            }
            lines.add(Arrays.toString(text));
        }
        Files.write(file, lines);
        return "{\"answers\": " + lines.size() + "}";
    }
}
