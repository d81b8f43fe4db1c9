package symbols

// Options adjusts a Resolver. The zero value is right for a host.
type Options struct {
	// Proc is where the proc filesystem is mounted; "" means /proc.
	Proc string
	// DebugRoot is the folder of separate debug files, which holds
	// .build-id/xx/yyyy.debug; "" means /usr/lib/debug, "-" none.
	DebugRoot string
	// CacheBytes bounds the names kept in memory; 0 means 8 MiB, some 20,000
	// frames.
	CacheBytes int
}

func (o Options) whole() Options {
	if o.Proc == "" {
		o.Proc = "/proc"
	}
	switch o.DebugRoot {
	case "":
		o.DebugRoot = "/usr/lib/debug"
	case "-":
		o.DebugRoot = ""
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 8 << 20
	}
	return o
}
