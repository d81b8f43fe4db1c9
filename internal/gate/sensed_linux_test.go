package gate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/privilege"
)

// sensorFlags skip where no sensor can be loaded.
func sensorFlags(t *testing.T) []string {
	t.Helper()
	privilege.Need(t, "what the sensor sees of a program's run")
	return []string{"--witness", "sensor"}
}

// The kernel tells of each connection whether its process closed it, or only ended:
// no matter how short the life, how busy the machine, whose child, and untraced.
func TestSensorSeesWhatOnlyTheExitClosed(t *testing.T) {
	flags, address := sensorFlags(t), closing(t)
	short := act("leak", address, 20, 60*time.Millisecond)
	for range *often {
		for name, args := range map[string][]string{
			"itself":     short,
			"a child":    act("spawn", address, 0, 0, short...),
			"an orphan":  {"sh", "-c", "setsid sh -c '" + strings.Join(short, " ") + " &' ; sleep 0.6"},
			"many forks": {"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do " + strings.Join(act("leak", address, 2, 60*time.Millisecond), " ") + " & done; wait"},
		} {
			if o := run(t, flags, args...).leaks(t, 20, diagnose.EOFUnread); o.Counts.Inferred != 0 || o.Counts.Died != 20 {
				t.Errorf("%s: counts %+v, want 20 seen to die", name, o.Counts)
			}
		}
		run(t, flags, act("late", address, 3, 80*time.Millisecond)...).passes(t)
		run(t, flags, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true | cat; done").passes(t)
	}
}

// The report names the code, also that of a program that has ended.
func TestSensorNamesTheCodeOfTheProgram(t *testing.T) {
	o := run(t, sensorFlags(t), act("leak", closing(t), 3, 300*time.Millisecond)...).leaks(t, 3, diagnose.EOFUnread)
	for _, f := range o.Report.Findings {
		if len(f.OpenedBy) == 0 || f.Confidence != diagnose.Certain {
			t.Errorf("%s, opened by %+v", f.Confidence, f.OpenedBy)
		}
	}
	if !strings.Contains(o.err, "opened by") || !strings.Contains(o.err, "watched by sensor") {
		t.Errorf("it says:\n%s", o.err)
	}
}

// What is stuck longer than the grace period counts as without the sensor.
func TestSensorKeepsTheGrace(t *testing.T) {
	flags := append(sensorFlags(t), "--grace", "300ms")
	if o := run(t, flags, act("leak", closing(t), 4, time.Second)...).leaks(t, 4, diagnose.EOFUnread); o.Counts.Stuck != 4 {
		t.Errorf("counts %+v, want 4 stuck", o.Counts)
	}
}
