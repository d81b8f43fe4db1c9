// Package live is the full-screen view of closewait watch: the findings with
// their trends, one finding with its sockets, one socket with its story, and the
// latest events.
//
// Run has the terminal until it returns, and restores it also then when the
// program it shows panics. The view is a value that one goroutine updates; pictures
// arrive over a channel. The library that drives the terminal would ask tmux for
// its colours, by running whatever PATH calls tmux: Run gives it no reason to (it
// says which colours to use, and hides the environment), so that nothing is executed
// with the privileges of who watches. It needs none itself.
package live
