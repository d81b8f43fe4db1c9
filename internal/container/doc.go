// Package container is test support: it runs a program in a real container, by
// runc, with network, pid and mount namespaces of its own, a busybox root and a
// cgroup path that looks like Docker's.
//
//	c := container.Start(t, container.Spec{Program: container.Self(t), Args: []string{"-test.run=^TestServer$"}})
//	c.WaitOutput(t, "ready")
//	… look at c.PID and c.NetNS() …
//
// The container ends with the test, however the test ends: a guard process
// holds the read end of a pipe and removes the container when the test's
// process closes it or dies.
//
// Start needs root's capabilities, runc and a static busybox; a test that lacks
// them ends as package privilege says. Several containers may run at once, also
// those of test processes that run in parallel. On other systems than Linux the
// package is empty.
package container
