// Package privilege is test support: it decides what a test does that needs
// more than the process may do.
//
// A skip must be honest. A test says what it can not check, and skips only if
// the privilege is really absent; where it has to be there, in CI, a skip is a
// failure. So no test calls t.Skip itself (the tests of internal/rules see to
// that), but one of these:
//
//	privilege.Need(t, "owners of other users' sockets")              // root's capabilities
//	privilege.Program(t, "openssl", "a real TLS close_notify")       // something installed
//	privilege.Refused(t, "the BPF reader", err)                      // it tried, and may not
//	privilege.Unsupported(t, "MPTCP sockets", err)                   // this kernel can not
//
// The text names what stays unchecked. With CLOSEWAIT_NO_SKIP=1 in the
// environment, as .ci/run sets it, the first three fail the test; Unsupported
// skips even then, since no privilege helps.
//
// The functions keep no state and may be called from any test. The package
// itself needs no privilege. Outside of tests nothing imports it.
package privilege
