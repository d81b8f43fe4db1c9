package symbols

import "slices"

// Code picks the frames that show a person which code it was, out of a whole
// stack: the library's call that is nearest to the kernel, and the application's
// nearest, or what started its goroutine. Frames of the C library, of runtimes and of
// their socket layers are left out, for they are the same everywhere, and so is
// what only runs an event loop. Where the application does not show, an interpreter,
// the event loop or nameless code takes its place, with its note. It returns one
// or two frames; none of an empty stack.
func Code(stack []Frame) []Frame {
	loop, looping := nearest(stack, EventLoop)
	inside := stack
	if looping {
		inside = stack[:loop]
	}
	var code []Frame
	library, ok := nearest(inside, Library)
	if ok {
		code = append(code, inside[library])
	}
	if i, ok := nearest(inside, Application, Creator); ok {
		if i < library { // which the library called back
			return []Frame{inside[i]}
		}
		app := inside[i]
		if i > 0 && inside[i-1].Role == Interpreter {
			app.note("its callee ran in an interpreter, which names none")
		}
		return append(code, app)
	}
	for _, role := range []Role{Interpreter, EventLoop} {
		if i, ok := nearest(stack[:min(len(inside)+1, len(stack))], role); ok {
			return append(code, stack[i])
		}
	}
	if len(code) > 0 {
		return code
	}
	for _, role := range []Role{Unknown, Plumbing} {
		if i, ok := nearest(stack, role); ok {
			return []Frame{stack[i]}
		}
	}
	return nil
}

func nearest(stack []Frame, roles ...Role) (int, bool) {
	i := slices.IndexFunc(stack, func(f Frame) bool { return slices.Contains(roles, f.Role) })
	return i, i >= 0
}
