package sensor

import "strconv"

// Lack is what keeps the sensor from working on a host.
type Lack string

// What may be lacking.
const (
	// LackPrivilege: CAP_BPF and CAP_PERFMON in the initial user namespace.
	LackPrivilege Lack = "privilege"
	// LackBTF: the kernel does not describe its own types.
	LackBTF Lack = "btf"
	// LackKernel: the kernel is too old, was built without a feature, or rejects
	// the programs.
	LackKernel Lack = "kernel"
	// LackFilesystem: no BPF filesystem is mounted where the sensor would be pinned.
	LackFilesystem Lack = "bpffs"
)

// UnavailableError says why the sensor can not be used here. Everything else
// that closewait does goes on without.
type UnavailableError struct {
	Lack Lack
	Err  error
}

// Error names what is missing and the way out.
func (e *UnavailableError) Error() string {
	way := "this kernel can not run its programs, Linux 5.15 or newer can"
	switch e.Lack {
	case LackPrivilege:
		way = "needs CAP_BPF and CAP_PERFMON in the host's user namespace, run as root"
	case LackBTF:
		way = "needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF)"
	case LackFilesystem:
		way = "needs a BPF filesystem, mount one: mount -t bpf bpf " + filesystem
	}
	return "the sensor is not available: " + way + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// filesystem is where systemd and every distribution mount it.
const filesystem = "/sys/fs/bpf"

// Dir is where Start pins the sensor if no other place is given.
const Dir = filesystem + "/closewait"

// LayoutError is a sensor in the kernel that another version of closewait started,
// and that this one can not read.
type LayoutError struct {
	Dir        string
	Have, Want uint32
}

func (e *LayoutError) Error() string {
	return "the sensor in " + e.Dir + " is another closewait's (layout " + strconv.FormatUint(uint64(e.Have), 10) + ", this one reads " +
		strconv.FormatUint(uint64(e.Want), 10) + "): replace it with \"closewait sensor stop\" and \"closewait sensor start\""
}
