//go:build linux

package netns

// ListOf finds the namespaces of some processes only, and the own one. Names
// are not looked for. Processes that have ended are passed over.
func ListOf(opts Options, pids []int) (Listing, error) {
	if opts.ProcRoot == "" {
		opts.ProcRoot = "/proc"
	}
	proc, s, err := begin(opts.ProcRoot)
	if err != nil {
		return Listing{}, err
	}
	defer proc.Close()
	for _, pid := range pids {
		s.process(pid)
	}
	s.sortPIDs()
	return s.out, nil
}
