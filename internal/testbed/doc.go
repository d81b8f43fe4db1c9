// Package testbed is test support: what a test of this kernel stands on, which is
// processes and network namespaces of its own.
//
// A test has its own binary started again, as a process that plays a part:
//
//	func TestMain(m *testing.M) {
//		testbed.Play(map[string]testbed.Part{"wait": func([]string) error { return testbed.Hold() }})
//		os.Exit(m.Run())
//	}
//
//	c := testbed.Start(t, "wait").Ready()
//	… look at c.PID() …
//
// A network namespace has its loopback up and lasts as long as its file:
//
//	ns := testbed.Namespace(t)
//
// Processes and namespaces end with the test. The functions keep no state, and any
// number of tests may call them at once. Namespaces need root's capabilities; a test
// that lacks them ends as package privilege says. On other systems than Linux the
// package is empty.
package testbed
