import java.io.InputStream;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/** Reads answers to their end; "leak" keeps the sockets open after that. */
public class Client {
    private static final List<Socket> KEPT = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < Integer.parseInt(args[3]); i++) {
            Socket socket = new Socket(args[1], Integer.parseInt(args[2]));
            socket.getOutputStream().write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes());
            InputStream in = socket.getInputStream();
            while (in.read(new byte[4096]) >= 0) {
            }
            if (args[0].equals("fixed")) {
                socket.close();
            }
            KEPT.add(socket);
        }
        Thread.sleep((long) (Double.parseDouble(args[4]) * 1000));
    }
}
