package symbols

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/privilege"
)

const nodeSource = `
const net = require('net');
const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
const [mode, port] = process.argv.slice(-2);

function openUpstream() {
  // A socket that is asked by name looks it up first: an anonymous function connects.
  const s = mode === "net" ? net.connect(port, '127.0.0.1') : new net.Socket().connect({ port, host: '127.0.0.1' });
  s.on('data', () => {});
  s.on('end', () => console.log('done'));
}

// What net.connect does, but at once and not in a later tick.
function openDirectly() {
  const handle = new TCP(constants.SOCKET);
  const request = new TCPConnectWrap();
  request.oncomplete = () => {
    const socket = new net.Socket({ handle });
    socket.on('data', () => {}).on('end', () => console.log('done'));
  };
  handle.connect(request, '127.0.0.1', Number(port));
}

function handleRequest() {
  if (mode === "direct") openDirectly(); else openUpstream();
}

process.stdin.once('data', mode === "nameless" ? (() => () => openDirectly())() : handleRequest);
process.stdin.on('end', () => process.exit(0));
console.log('ready');
`

func TestNodeFunctions(t *testing.T) {
	node := privilege.Program(t, "node", "the functions of Node programs")
	script := filepath.Join(t.TempDir(), "app.js")
	if err := os.WriteFile(script, []byte(nodeSource), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		mode string
		want []string // on the stack of connect
		code string
		line int
	}{
		// net.connect opens in a later tick: the application is not on the stack.
		{"net", []string{"internalConnect", "processTicksAndRejections", "uv_run"}, "processTicksAndRejections", 0},
		{"socket", []string{"internalConnect", "<anonymous>", "processTicksAndRejections", "uv_run"}, "processTicksAndRejections", 0},
		{"nameless", []string{"openDirectly", "<anonymous>", "onceWrapper", "uv_run"}, "openDirectly", 14},
		{"direct", []string{"openDirectly", "handleRequest", "onceWrapper", "uv_run"}, "openDirectly", 14},
	} {
		t.Run(row.mode, func(t *testing.T) {
			cmd := exec.Command(node, "--no-deprecation", "--perf-basic-prof", "--interpreted-frames-native-stack", script, row.mode, peer(t))
			t.Cleanup(func() { os.Remove(fmt.Sprintf("/tmp/perf-%d.map", cmd.Process.Pid)) })
			opened, read := play(t, cmd)

			frames := resolve(t, opened, 16)
			if !inOrder(frames, row.want) {
				t.Errorf("got\n%swant %v", show(frames), row.want)
			}
			code := Code(frames)
			if len(code) != 1 || code[0].Function != row.code || row.line != 0 && (code[0].Line != row.line || code[0].File != script) {
				t.Errorf("the code is\n%swant %s", show(code), row.code)
			}

			// libuv reads, whoever the connection belongs to.
			frames = resolve(t, read, 16)
			if code := Code(frames); len(code) != 1 || code[0].Role != EventLoop || code[0].Note == "" {
				t.Errorf("the code is\n%s", show(code))
			}
		})
	}
}

func TestCompiledCodeWithoutAPerfMapSaysHowToGetNames(t *testing.T) {
	node := privilege.Program(t, "node", "what is said of Node programs without a perf map")
	script := filepath.Join(t.TempDir(), "app.js")
	if err := os.WriteFile(script, []byte(nodeSource), 0o644); err != nil {
		t.Fatal(err)
	}
	opened, _ := play(t, exec.Command(node, "--interpreted-frames-native-stack", "--no-deprecation", script, "direct", peer(t)))
	frames := resolve(t, opened, 16)
	i := slices.IndexFunc(frames, func(f Frame) bool { return f.Module == "[jit]" })
	if i < 0 || !strings.Contains(frames[i].Note, "--perf-basic-prof") {
		t.Errorf("got\n%s", show(frames))
	}
}

const javaSource = `
import java.io.*;
import java.net.*;

public class App {
  static Socket socket;

  static void openUpstream(int port) throws Exception { socket = new Socket("127.0.0.1", port); }

  static int readReply() throws Exception { return socket.getInputStream().read(new byte[64]); }

  static void handleRequest(int port) throws Exception {
    openUpstream(port);
    if (readReply() != -1) throw new IllegalStateException();
  }

  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    int port = Integer.parseInt(args[args.length - 1]);
    for (int i = 0; i < 100; i++) handleRequest(port); // so that all of it is compiled
    System.out.println("ready");
    while (in.readLine() != null) {
      handleRequest(port);
      System.out.println("done");
    }
  }
}
`

func TestJavaFunctions(t *testing.T) {
	java := privilege.Program(t, "java", "the methods of Java programs")
	jcmd := privilege.Program(t, "jcmd", "the methods of Java programs")
	privilege.Program(t, "javac", "the methods of Java programs")
	dir := filepath.Dir(build(t, "App.java", javaSource, "javac", "App.java"))
	// Compiled, with frame pointers and not inlined: else the map has no such method.
	cmd := exec.Command(java, "-Xcomp", "-XX:+PreserveFramePointer", "-XX:CompileCommand=quiet", "-XX:CompileCommand=dontinline,App::*", "-cp", dir, "App", peer(t))
	s := start(t, cmd)
	pid := cmd.Process.Pid
	t.Cleanup(func() { os.Remove(fmt.Sprintf("/tmp/perf-%d.map", pid)) })
	r := record(t, pid)
	s.Tell("go")
	opened, read := r.next(connecting), r.next(zeroRead)
	s.wait("done")
	if out, err := exec.Command(jcmd, fmt.Sprint(pid), "Compiler.perfmap").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	for what, row := range map[string]struct {
		s    sample
		want []string
		code string
	}{
		"open": {opened, []string{"sun.nio.ch.Net.connect0", "java.net.Socket.connect", "App.openUpstream", "App.handleRequest", "App.main"}, "App.openUpstream"},
		"read": {read, []string{"sun.nio.ch.SocketDispatcher.read0", "App.readReply", "App.handleRequest", "App.main"}, "App.readReply"},
	} {
		frames := resolve(t, row.s, 16)
		if !inOrder(frames, row.want) {
			t.Errorf("%s: got\n%swant %v", what, show(frames), row.want)
		}
		if code := Code(frames); len(code) != 1 || code[0].Function != row.code {
			t.Errorf("%s: the code is\n%swant %s", what, show(code), row.code)
		}
	}
}
