package report

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// number formats n with thousands separators.
func number(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// count is a number and its noun: "1 socket", "2,318 sockets".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// seconds converts s, holding it inside what a Duration can say.
func seconds(s float64) time.Duration {
	switch {
	case math.IsNaN(s), s <= 0:
		return 0
	case s >= math.MaxInt64/float64(time.Second):
		return math.MaxInt64
	}
	return time.Duration(s * float64(time.Second))
}

// span formats a length of time as a person would say it, two units at most:
// "31 ms", "1.2 s", "12 s", "3 min 20 s", "3 h 40 min", "5 d 3 h".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		d = 0
		fallthrough
	case d < 995*time.Microsecond:
		return oneDecimal(float64(d)/float64(time.Millisecond)) + " ms"
	case d < 999500*time.Microsecond:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + " ms"
	case d < 9950*time.Millisecond:
		return oneDecimal(d.Seconds()) + " s"
	case d < 59500*time.Millisecond:
		return unit(d.Round(time.Second), time.Second, "s")
	case d < 10*time.Minute-time.Second/2:
		return twoUnits(d.Round(time.Second), time.Minute, "min", time.Second, "s")
	case d < time.Hour-30*time.Second:
		return unit(d.Round(time.Minute), time.Minute, "min")
	case d < 2*day-30*time.Second:
		return twoUnits(d.Round(time.Minute), time.Hour, "h", time.Minute, "min")
	case d < 100*day:
		return twoUnits(d.Round(time.Hour), day, "d", time.Hour, "h")
	}
	return number(int(d/day)) + " d"
}

func unit(d, u time.Duration, name string) string {
	return strconv.FormatInt(int64(d/u), 10) + " " + name
}

func twoUnits(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	s := unit(d, big, bigName)
	if rest := d % big; rest >= small {
		s += " " + unit(rest, small, smallName)
	}
	return s
}

// oneDecimal formats small figures as "2.1" and "3", and large ones as "1,240".
func oneDecimal(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) > 1e15 {
		return "?"
	}
	if math.Abs(f) >= 99.95 {
		return number(int(math.Round(f)))
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// rate says how fast something grows, in the unit that keeps the figure
// readable: "2.1 a minute".
func rate(perHour float64) string {
	perHour = math.Abs(perHour)
	switch {
	case perHour >= 3600:
		return oneDecimal(perHour/3600) + " a second"
	case perHour >= 60:
		return oneDecimal(perHour/60) + " a minute"
	case perHour >= 1:
		return oneDecimal(perHour) + " an hour"
	}
	return oneDecimal(perHour*24) + " a day"
}

// clock tells times as the reader's own clock does.
type clock struct {
	loc *time.Location
	now time.Time
}

func (s Style) clock(taken time.Time) clock {
	c := clock{loc: s.Location, now: s.Now}
	if c.loc == nil {
		c.loc = time.UTC
	}
	if c.now.IsZero() {
		c.now = taken
	}
	return c
}

// at formats t to the second, with its date unless that is today's.
func (c clock) at(t time.Time) string { return c.format(t, "15:04:05") }

// about formats t to the minute: a forecast is no more exact than that.
func (c clock) about(t time.Time) string { return c.format(t, "15:04") }

func (c clock) format(t time.Time, layout string) string {
	t = t.In(c.loc)
	y, m, d := t.Date()
	if ny, nm, nd := c.now.In(c.loc).Date(); y == ny && m == nm && d == nd {
		return t.Format(layout)
	}
	return t.Format("2006-01-02 " + layout)
}
