// Package watch knows what happens to half-closed connections over time: it
// compares successive looks at a host (package observe, diagnosed), joins them
// with what an exact source saw meanwhile, and tells events. It keeps the
// findings' trends for a live view (package live draws it).
//
// A Journal tells events and a Board keeps trends; both hold all of their state.
// A Journal's methods may be called from several goroutines, a Board is for one.
// The package is pure: time comes with each look and each event. It needs no
// privilege and builds on every operating system.
package watch
