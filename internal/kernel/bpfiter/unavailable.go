package bpfiter

// Lack is what keeps the reader from working on a host.
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
)

// UnavailableError says why BPF iterators can not be used here. The caller
// should fall back to sock_diag and /proc.
type UnavailableError struct {
	Lack Lack
	Err  error
}

// Error names what is missing and the way out.
func (e *UnavailableError) Error() string {
	way := "this kernel can not run its programs, Linux 5.12 or newer can"
	switch e.Lack {
	case LackPrivilege:
		way = "needs CAP_BPF and CAP_PERFMON in the host's user namespace, run as root"
	case LackBTF:
		way = "needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF)"
	}
	return "the BPF reader is not available: " + way + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }
