// Package tcp holds the field's words: the connection states, control bits,
// sequence-number arithmetic and address pairs that every other package of
// closewait speaks in. Names follow RFC 9293; where Linux has its own spelling
// or number, a comment says so.
//
// Everything here is a plain value: safe for concurrent use, no privileges,
// standard library only.
package tcp
