package main

import (
	"github.com/spf13/cobra"
)

// sensorCommand is one run of a sensor command.
type sensorCommand struct {
	*env
	json    bool
	measure length
	pin     string
}

func newSensor(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sensor",
		Short: "Have the kernel keep the history of every connection",
		Long: `sensor loads small programs into the kernel that note, for every TCP connection, when
its FIN came, whether a read returned zero, which code opened it and read from it,
and how it ended. closewait scan uses that whenever it is there: exact ages instead
of brackets, "certain" instead of "likely", and the code. It costs some 320 bytes a
connection and a few microseconds of its life; status says how much, measured.

It stays until stop or the next boot. watch and run load one for their own time.
It needs CAP_BPF and CAP_PERFMON, a kernel with BTF, and a BPF filesystem.`,
		Example: `  sudo closewait sensor start
  sudo closewait                    # now with exact times, and the code
  sudo closewait sensor status
  sudo closewait sensor stop`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	s := &sensorCommand{env: e}
	s.measure = length{value: defaultMeasure, most: maxMeasure}
	start := &cobra.Command{
		Use: "start", Short: "Load the sensor, until stop or the next boot", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error { return s.start() },
	}
	stop := &cobra.Command{
		Use: "stop", Short: "Remove the sensor and all it remembers", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error { return s.stop() },
	}
	status := &cobra.Command{
		Use: "status", Short: "Say what the sensor has seen, what it lost and what it costs", Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		Long: `status says since when the sensor runs, what it has seen, what it could not keep, and
what it costs: the kernel's own statistics of BPF programs, over --measure.

Exit status: 0 when a sensor runs, 1 when none does, 3 when that could not be told.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.status(cmd.Context()) },
	}
	status.Flags().BoolVar(&s.json, "json", false, "write it as JSON")
	status.Flags().Var(&s.measure, "measure", "for how long to measure what it costs (0: not at all)")
	cmd.PersistentFlags().StringVar(&s.pin, "pin", "", "the `folder` of the BPF filesystem to pin it in (if not given: /sys/fs/bpf/closewait, where the other commands look)")
	cmd.AddCommand(start, stop, status)
	return cmd
}
