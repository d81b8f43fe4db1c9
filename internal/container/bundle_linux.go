package container

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// makeRoot fills a folder with what a container needs: busybox under the name
// of each of its commands, the program, and a hosts file that knows localhost.
func makeRoot(root, busybox, program string) error {
	for _, dir := range []string{"bin", "dev", "etc", "proc", "sys", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	bin := filepath.Join(root, "bin")
	if err := copyProgram(filepath.Join(bin, "busybox"), busybox); err != nil {
		return err
	}
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", busybox, err)
	}
	for _, name := range strings.Fields(string(list)) {
		if err := os.Symlink("busybox", filepath.Join(bin, name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if program != "" {
		if err := copyProgram(filepath.Join(bin, "program"), program); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "etc", "hosts"), []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644)
}

func copyProgram(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// object is a JSON object of the OCI runtime specification, config.md.
type object map[string]any

// writeConfig writes the bundle's configuration. The namespaces have no path,
// so runc makes them, and brings up the loopback interface of a network
// namespace that it made.
func writeConfig(path, cgroup string, args []string, spec Spec) error {
	capabilities := []string{ // Docker's default set
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
	if spec.UID != 0 {
		capabilities = nil
	}
	config := object{
		"ociVersion": "1.0.2",
		"process": object{
			"user":         object{"uid": spec.UID, "gid": spec.UID},
			"args":         args,
			"env":          append([]string{"PATH=/bin"}, spec.Env...),
			"cwd":          "/",
			"capabilities": object{"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
		},
		"root":     object{"path": "rootfs"},
		"hostname": filepath.Base(cgroup)[:12],
		"mounts": []object{
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755"}},
			{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "nodev", "mode=1777"}},
		},
		"linux": object{
			"cgroupsPath": cgroup,
			"namespaces": []object{
				{"type": "pid"}, {"type": "network"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"},
			},
		},
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
