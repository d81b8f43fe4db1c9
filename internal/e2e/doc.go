// Package e2e is tests only: it holds the scan, from the kernel's sockets to the
// finding, against what is known to be there. Programs that misbehave (package
// misbehave, which keeps a record of its own and shares no code with the scan)
// run on this host, in network namespaces and in a container; each of their
// sockets must be in exactly one finding, with the right cause, owner and end,
// and nothing else may be said of them.
//
// The tests run side by side, and beside other programs: each looks only at what
// it started. Most need root's capabilities; what those lack is in the message of
// the skip. Without them the scan is tested as the user who runs the tests, with
// what that user may see. Linux only.
package e2e
