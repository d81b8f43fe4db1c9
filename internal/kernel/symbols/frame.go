package symbols

// Role is what part a frame has in a stack.
type Role uint8

// The roles of a frame.
const (
	// Unknown is code without a name.
	Unknown Role = iota
	// Application is the program's own code.
	Application
	// Library is code that works for the application: an HTTP client, a driver.
	Library
	// Plumbing lies between code and kernel, and is the same in every program:
	// the C library, a language's runtime and its socket layer.
	Plumbing
	// EventLoop is a loop that waits for many connections: it does not show
	// whose connection this is.
	EventLoop
	// Interpreter runs code whose own frames are not on the machine's stack.
	Interpreter
	// Creator holds the go statement that started the goroutine. It is not on the
	// stack: the stack ends where the goroutine began.
	Creator
)

// Frame is one function on a stack, innermost first. An address has several
// frames where the compiler inlined calls.
type Frame struct {
	// Addr is the address as recorded; for a Creator that of its go statement.
	Addr uint64
	// Function is "" where it has no known name. C++ and Rust names are demangled.
	Function string
	// File is the source file as the compiler or virtual machine names it, Line
	// the line of the call; "" and 0 where unknown.
	File string
	Line int
	// Module is the mapped file's path as the process sees it, "[vdso]", or "[jit]" for
	// code that a virtual machine compiled.
	Module string
	// Offset is where the address is: in a file its offset there, in [jit] the
	// distance from the beginning of the function or, if it has no name, of the mapping.
	Offset uint64
	// Inlined says that the function is part of the next frame's machine code.
	Inlined bool
	Role    Role
	// Note says what a reader should know of this frame; mostly "".
	Note string
}

// maxText bounds the names and paths of a frame. They are written by strangers
// and may hold any character.
const maxText = 1024

// JIT is the module of memory of no file.
const JIT = "[jit]"
