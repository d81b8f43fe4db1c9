// Package closewaittest fails a Go test that leaves half-closed TCP sockets
// behind in its own process: connections whose peer has closed and that nobody
// closed here (CLOSE_WAIT), those closed in one direction only, and dead ones, which
// have ended, most often by a RST, and whose descriptor remains.
//
//	func TestClient(t *testing.T) {
//		closewaittest.Check(t)
//		…
//	}
//
//	func TestMain(m *testing.M) { closewaittest.VerifyTestMain(m) }
//
// Check fails a test at its end, and names each socket: descriptor, addresses,
// state, what is unread, since when, and what to do. VerifyTestMain does the same
// for a whole test binary, and also finds what tests without a Check left.
//
// A socket that existed before the test is not its concern. Of several tests
// that run at the same time (t.Parallel) any may have made a socket that none of
// them had at its beginning. If all of these have a Check, the last of them to
// end reports it as ambiguous, with the names of all: until then one of them may still close
// it. A test without a Check is not known here, and what it leaves can be
// taken for that of a test that runs beside it. In a test that calls t.Parallel, call Check
// after it: a paused test would else answer for what others do meanwhile.
//
// The process's own descriptors are asked by getsockopt, which changes nothing,
// reads no data, and takes no pending error from the program (SO_ERROR is never
// asked for); no descriptor is copied. That needs no privilege. Other processes, and
// sockets in a namespace of another process, are not looked at: closewait run
// does that. Connections that speak MPTCP on the wire are seen only once they are dead.
//
// All functions may be called from any goroutine. Which checks are under way is
// kept for the whole process, for only so can parallel tests be told apart. On
// systems other than Linux nothing is checked, and the first Check says so.
package closewaittest
