package diagnose

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// One container id and one pod uid for all rows.
const (
	cid  = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	cid2 = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
	pod  = "2f8c1a3e-6b1d-4d0c-9a57-0d6cbb9f6f11"
	pod_ = "2f8c1a3e_6b1d_4d0c_9a57_0d6cbb9f6f11"
)

func TestPlace(t *testing.T) {
	for _, r := range []struct {
		name  string
		lines []string
		want  string // container runtime pod unit
	}{
		{"docker, cgroupfs driver, v1", []string{"12:memory:/docker/" + cid, "1:name=systemd:/docker/" + cid}, cid + " docker - -"},
		{"docker, cgroupfs driver, v2", []string{"0::/docker/" + cid}, cid + " docker - -"},
		{"docker, systemd driver", []string{"0::/system.slice/docker-" + cid + ".scope"}, cid + " docker - -"},
		{"docker, systemd in the container", []string{"0::/system.slice/docker-" + cid + ".scope/system.slice/nginx.service"}, cid + " docker - nginx.service"},
		{"docker, init.scope in the container", []string{"0::/system.slice/docker-" + cid + ".scope/init.scope"}, cid + " docker - -"},
		{"docker, rootless", []string{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/docker-" + cid + ".scope"}, cid + " docker - -"},
		{"docker, below its own service", []string{"0::/system.slice/docker.service/" + cid}, cid + " docker - -"},
		{"docker in docker: the inner one", []string{"0::/docker/" + cid + "/docker/" + cid2}, cid2 + " docker - -"},
		{"buildkit", []string{"0::/docker/buildkit/" + cid}, cid + " buildkit - -"},
		{"nerdctl", []string{"0::/system.slice/nerdctl-" + cid + ".scope"}, cid + " containerd - -"},
		{"podman, root", []string{"0::/machine.slice/libpod-" + cid + ".scope/container"}, cid + " podman - -"},
		{"podman, root, older", []string{"0::/machine.slice/libpod-" + cid + ".scope"}, cid + " podman - -"},
		{"podman, rootless", []string{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + cid + ".scope/container"}, cid + " podman - -"},
		{"podman, cgroupfs driver", []string{"0::/libpod_parent/libpod-" + cid}, cid + " podman - -"},
		{"podman by quadlet", []string{"0::/system.slice/web.service/libpod-payload-" + cid}, cid + " podman - -"},
		{"podman's monitor is outside of the container", []string{"0::/machine.slice/libpod-conmon-" + cid + ".scope"}, "- - - libpod-conmon-" + cid + ".scope"},
		{"kubernetes, burstable, containerd, cgroupfs, v1", []string{"11:memory:/kubepods/burstable/pod" + pod + "/" + cid}, cid + " kubernetes " + pod + " -"},
		{"kubernetes, besteffort, cgroupfs, v2", []string{"0::/kubepods/besteffort/pod" + pod + "/" + cid}, cid + " kubernetes " + pod + " -"},
		{"kubernetes, guaranteed, cgroupfs", []string{"0::/kubepods/pod" + pod + "/" + cid}, cid + " kubernetes " + pod + " -"},
		{"kubernetes, burstable, containerd, systemd", []string{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + pod_ + ".slice/cri-containerd-" + cid + ".scope"}, cid + " containerd " + pod + " -"},
		{"kubernetes, besteffort, containerd, systemd", []string{"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + pod_ + ".slice/cri-containerd-" + cid + ".scope"}, cid + " containerd " + pod + " -"},
		{"kubernetes, guaranteed, containerd, systemd", []string{"0::/kubepods.slice/kubepods-pod" + pod_ + ".slice/cri-containerd-" + cid + ".scope"}, cid + " containerd " + pod + " -"},
		{"kubernetes, containerd's slice:prefix:id", []string{"0::/system.slice/containerd.service/kubepods-burstable-pod" + pod_ + ".slice:cri-containerd:" + cid}, cid + " containerd " + pod + " -"},
		{"kubernetes, the same at the root, v1", []string{"4:cpu:/kubepods-besteffort-pod" + pod_ + ".slice:cri-containerd:" + cid}, cid + " containerd " + pod + " -"},
		{"kubernetes, docker, systemd", []string{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + pod_ + ".slice/docker-" + cid + ".scope"}, cid + " docker " + pod + " -"},
		{"kubernetes, CRI-O, systemd", []string{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + pod_ + ".slice/crio-" + cid + ".scope"}, cid + " cri-o " + pod + " -"},
		{"kubernetes, CRI-O with a subgroup", []string{"0::/kubepods.slice/kubepods-pod" + pod_ + ".slice/crio-" + cid + ".scope/container"}, cid + " cri-o " + pod + " -"},
		{"kubernetes, CRI-O, cgroupfs", []string{"0::/kubepods/burstable/pod" + pod + "/crio-" + cid}, cid + " cri-o " + pod + " -"},
		{"kubernetes, a static pod's uid is a hash", []string{"0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + cid}, cid + " kubernetes 0123456789abcdef0123456789abcdef -"},
		{"kubernetes, the pause process of a pod", []string{"0::/kubepods.slice/kubepods-pod" + pod_ + ".slice"}, "- - " + pod + " -"},
		{"kubernetes in docker (kind)", []string{"0::/docker/" + cid2 + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + pod_ + ".slice/cri-containerd-" + cid + ".scope"}, cid + " containerd " + pod + " -"},
		{"kubernetes in docker, cgroupfs", []string{"0::/docker/" + cid2 + "/kubelet/kubepods/burstable/pod" + pod + "/" + cid}, cid + " kubernetes " + pod + " -"},
		{"amazon ECS", []string{"9:memory:/ecs/cluster/0b69d5c0d655443ab0dd6efb1c4aea35/" + cid}, cid + " ecs - -"},
		{"LXC, v1", []string{"3:memory:/lxc/web1"}, "web1 lxc - -"},
		{"LXC and LXD, v2", []string{"0::/lxc.payload.web1/system.slice/ssh.service"}, "web1 lxc - ssh.service"},
		{"LXC, the payload as a folder", []string{"0::/lxc.payload/web1"}, "web1 lxc - -"},
		{"docker in LXC", []string{"0::/lxc.payload.web1/system.slice/docker-" + cid + ".scope"}, cid + " docker - -"},
		{"systemd-nspawn", []string{"0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service"}, "web systemd-nspawn - nginx.service"},
		{"systemd-machined", []string{`0::/machine.slice/machine-web\x2d1.scope`}, "web-1 systemd-nspawn - -"},
		{"a virtual machine is no container", []string{`0::/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator`}, `- - - machine-qemu\x2d1\x2dvm.scope`},
		{"a system service", []string{"0::/system.slice/nginx.service"}, "- - - nginx.service"},
		{"an instance of a template", []string{"0::/system.slice/system-gunicorn.slice/gunicorn@web.service"}, "- - - gunicorn@web.service"},
		{"a user's service", []string{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service"}, "- - - sync.service"},
		{"a user's manager", []string{"0::/user.slice/user-1000.slice/user@1000.service/init.scope"}, "- - - user@1000.service"},
		{"a login session", []string{"0::/user.slice/user-1000.slice/session-3.scope"}, "- - - session-3.scope"},
		{"PID 1", []string{"0::/init.scope"}, "- - - -"},
		{"the root group", []string{"0::/"}, "- - - -"},
		{"hybrid: the unified line is empty", []string{"12:pids:/system.slice/ssh.service", "1:name=systemd:/system.slice/ssh.service", "0::/"}, "- - - ssh.service"},
		{"hybrid: some controllers know more", []string{"0::/system.slice/kubelet.service", "5:memory:/kubepods/pod" + pod + "/" + cid}, cid + " kubernetes " + pod + " -"},
		{"hybrid: of equal ones the unified line", []string{"5:memory:/docker/" + cid, "0::/docker/" + cid2}, cid2 + " docker - -"},
		{"another cgroup namespace", []string{"0::/../../system.slice/docker-" + cid + ".scope"}, cid + " docker - -"},
		{"a sibling in a pod, seen from a container", []string{"0::/../cri-containerd-" + cid + ".scope"}, cid + " containerd - -"},
		{"controllers with commas and a name", []string{"8:cpu,cpuacct:/docker/" + cid}, cid + " docker - -"},
		{"63 digits are no id", []string{"0::/docker/" + cid[1:]}, "- - - -"},
		{"65 digits are no id", []string{"0::/docker/a" + cid}, "- - - -"},
		{"capital digits are no id", []string{"0::/docker/" + strings.ToUpper(cid)}, "- - - -"},
		{"a pod's uid in capitals is one uid", []string{"0::/kubepods/pod" + strings.ToUpper(pod) + "/" + cid}, cid + " kubernetes " + pod + " -"},
		{"a path with colons", []string{"0::/a:b:c.service"}, "- - - a:b:c.service"},
		{"deleted while it was read", []string{"0::/docker/" + cid + " (deleted)"}, "- - - -"},
		{"no line at all", nil, "- - - -"},
		{"nonsense", []string{"", ":", "::", "0::", "0::relative", "x", "/docker/" + cid, "0:/docker/" + cid}, "- - - -"},
		{"slashes only", []string{"0:://////"}, "- - - -"},
		{"bytes that are no text", []string{"0::/\xff\xfe/\x00.service"}, "- - - \x00.service"},
	} {
		t.Run(r.name, func(t *testing.T) {
			p := place(r.lines)
			got := ""
			for _, s := range []string{p.container, p.runtime, p.pod, p.unit} {
				if s == "" {
					s = "-"
				}
				got += " " + s
			}
			if got[1:] != r.want {
				t.Errorf("got  %s\nwant %s", got[1:], r.want)
			}
		})
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("0::/system.slice/docker-" + cid + ".scope\n1:name=systemd:/lxc/x")
	f.Add("0::/kubepods.slice/kubepods-pod" + pod_ + ".slice:cri-containerd:" + cid)
	f.Add(`0::/machine.slice/machine-a\x2db.scope/../..`)
	f.Add("::/lxc//0")
	f.Fuzz(func(t *testing.T, text string) {
		p := place(strings.Split(text, "\n"))
		if p != place(strings.Split(text, "\n")) {
			t.Fatal("not the same twice")
		}
		if (p.runtime != "" && p.container == "") || (p.path != "" && p.path[0] != '/') {
			t.Fatalf("impossible: %+v", p)
		}
		if p.pod != "" && len(p.pod) != 36 && len(p.pod) != 32 {
			t.Fatalf("pod %q", p.pod)
		}
		for _, s := range []string{p.container, p.pod, p.unit, p.path} {
			if utf8.ValidString(text) && !utf8.ValidString(s) || len(s) > len(text) {
				t.Fatalf("%q out of %q", s, text)
			}
		}
	})
}
