import com.ibm.mq.headers.MQRFH2;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** Reads an MQRFH2, writes it again, and prints both that and its properties. */
public class Headers {
    public static void main(String[] args) throws Exception {
        int encoding = Integer.parseInt(args[0]);
        byte[] data = HexFormat.of().parseHex(args[1]);
        MQRFH2 header = new MQRFH2(new DataInputStream(new ByteArrayInputStream(data)), encoding, 1208);
        ByteArrayOutputStream again = new ByteArrayOutputStream();
        header.write(new DataOutputStream(again), encoding, 1208);
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        out.print(HexFormat.of().formatHex(again.toByteArray()) + "\n");
        for (MQRFH2.Element folder : header.getFolders()) {
            for (MQRFH2.Element property : folder.getChildren()) {
                out.print(folder.getName() + "." + property.getName() + " " + text(property.getValue()) + "\n");
            }
        }
    }

    private static String text(Object value) {
        if (value == null) {
            return "null";
        }
        String kind = value.getClass().getSimpleName();
        if (value instanceof byte[] bytes) {
            return kind + " " + HexFormat.of().formatHex(bytes);
        }
        return kind + " " + value.toString().replace("\t", "\\t").replace("\r", "\\r").replace("\n", "\\n");
    }
}
