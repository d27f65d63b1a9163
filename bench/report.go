package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Row is one case at one number of threads, as the JSON has it.
type Row struct {
	Case          string    `json:"case"`
	Dtype         string    `json:"dtype"`
	Threads       int       `json:"threads"`
	Level         string    `json:"level"`
	NS            float64   `json:"ns"`       // median per run
	Least         float64   `json:"ns_least"` // of the rounds: what others on the machine disturb least
	Rate          float64   `json:"rate"`
	RateUnit      string    `json:"rate_unit"`
	LimitFraction float64   `json:"limit_fraction"` // 0: no limit is known
	MaxError      float64   `json:"max_error"`      // relative, against a float64 reference
	Runs          int       `json:"runs"`           // the median is of so many
	Missing       string    `json:"missing,omitempty"`
	CPU           string    `json:"cpu"`
	Date          string    `json:"date"`
	Peers         []PeerRow `json:"peers"`

	of *Case
}

// PeerRow is what a peer did. A peer without figures says why in Missing.
type PeerRow struct {
	Name     string  `json:"name"`
	Version  string  `json:"version"`
	NS       float64 `json:"ns"`
	Least    float64 `json:"ns_least"`
	Ratio    float64 `json:"ratio"` // its time / ours: above 1 we are ahead
	MaxError float64 `json:"max_error"`
	Runs     int     `json:"runs"`
	Missing  string  `json:"missing,omitempty"`
}

// newRow puts together what sides, ours first, have measured.
func newRow(c *Case, threads int, sides []*Side) Row {
	ours := sides[0]
	r := Row{Case: c.Name, Dtype: c.Dtype, Threads: threads, RateUnit: c.RateUnit, Missing: ours.Missing, Peers: []PeerRow{}}
	if ours.Missing == "" {
		r.NS, r.Least, r.MaxError, r.Runs = round(ours.ns()), round(ours.least()), round(ours.maxError), len(ours.perRun)
		r.Rate = round(c.Units / r.NS)
	}
	for _, s := range sides[1:] {
		p := PeerRow{Name: s.Name, Version: s.Version, Missing: s.Missing}
		if s.Missing == "" && r.NS > 0 {
			p.NS, p.Least, p.MaxError, p.Runs = round(s.ns()), round(s.least()), round(s.maxError), len(s.perRun)
			p.Ratio = round(p.NS / r.NS)
		}
		r.Peers = append(r.Peers, p)
	}
	return r
}

// round keeps four digits.
func round(x float64) float64 {
	var y float64
	fmt.Sscan(fmt.Sprintf("%.4g", x), &y)
	return y
}

// best is the fastest peer, nil without one.
func (r *Row) best() *PeerRow {
	var best *PeerRow
	for i := range r.Peers {
		if p := &r.Peers[i]; p.NS > 0 && (best == nil || p.NS < best.NS) {
			best = p
		}
	}
	return best
}

// byLeast is the ratio of the fastest peer's least time to our least time, 0 without one.
func (r *Row) byLeast() float64 {
	least := 0.0
	for _, p := range r.Peers {
		if p.Least > 0 && (least == 0 || p.Least < least) {
			least = p.Least
		}
	}
	if r.Least == 0 {
		return 0
	}
	return least / r.Least
}

// missing is the names of peers without figures.
func (r *Row) missing() (names []string) {
	for _, p := range r.Peers {
		if p.Missing != "" {
			names = append(names, p.Name)
		}
	}
	return names
}

// order sorts rows by case, then by threads.
func (r *Row) order(cs []Case) int {
	return slices.IndexFunc(cs, func(c Case) bool { return c.Name == r.Case })<<10 + r.Threads
}

// writeJSON writes one array, an object per line.
func writeJSON(w io.Writer, rows []Row) error {
	for i := range rows {
		line, err := json.Marshal(&rows[i])
		if err != nil {
			return err
		}
		sep := ",\n "
		if i == 0 {
			sep = "["
		}
		if _, err := fmt.Fprintf(w, "%s%s", sep, line); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "[]")
		return err
	}
	_, err := fmt.Fprintln(w, "]")
	return err
}

// writeTable writes the table that people read, and what is missing or wrong below it.
func writeTable(w io.Writer, rows []Row) error {
	if len(rows) > 0 {
		fmt.Fprintf(w, "%s, %s%s\n\n", rows[0].Date, rows[0].CPU, versions(rows))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "case\tthreads\tlevel\tours\tthroughput\tof limit\tbest peer\tits time\tratio\tby least\tmissing\t")
	for i := range rows {
		r := &rows[i]
		ours, rate := duration(r.NS), fmt.Sprintf("%.3g %s", r.Rate, r.RateUnit)
		if r.Missing != "" {
			ours, rate = "failed", "–"
		}
		name, theirs, ratio, least := "–", "–", "–", "–"
		if b := r.best(); b != nil {
			name, theirs, ratio = b.Name, duration(b.NS), ratioText(b.Ratio)
		}
		if x := r.byLeast(); x > 0 {
			least = ratioText(x)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Case, r.Threads, r.Level, ours, rate,
			percent(r.LimitFraction), name, theirs, ratio, least, strings.Join(r.missing(), ","))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return writeMissing(w, rows)
}

// writeMissing says why, once per reason.
func writeMissing(w io.Writer, rows []Row) error {
	type why struct{ name, reason string }
	where := map[why][]string{}
	var order []why
	add := func(name, reason, at string) {
		k := why{name, reason}
		if where[k] == nil {
			order = append(order, k)
		}
		where[k] = append(where[k], at)
	}
	for _, r := range rows {
		if r.Missing != "" {
			add("adjoint", r.Missing, r.Case)
		}
		for _, p := range r.Peers {
			if p.Missing != "" {
				add(p.Name, p.Missing, r.Case)
			}
		}
	}
	if len(order) > 0 {
		fmt.Fprintln(w, "\nmissing:")
	}
	for _, k := range order {
		at := where[k]
		more := ""
		if len(at) > 1 {
			more = fmt.Sprintf(" and %d more", len(at)-1)
		}
		if _, err := fmt.Fprintf(w, "  %s: %s (%s%s)\n", k.name, k.reason, at[0], more); err != nil {
			return err
		}
	}
	return nil
}

// versions lists the peers' versions.
func versions(rows []Row) string {
	var vs []string
	for _, r := range rows {
		for _, p := range r.Peers {
			if v := p.Name + " " + p.Version; p.Version != "" && !slices.Contains(vs, v) {
				vs = append(vs, v)
			}
		}
	}
	if vs == nil {
		return ""
	}
	return "; " + strings.Join(vs, ", ")
}

func duration(ns float64) string {
	switch {
	case ns <= 0:
		return "–"
	case ns < 1e3:
		return fmt.Sprintf("%.3g ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	case ns < 1e9:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	}
	return fmt.Sprintf("%.3g s", ns/1e9)
}

func percent(x float64) string {
	if x == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f%%", 100*x)
}

func ratioText(x float64) string { return fmt.Sprintf("%.2f", x) }

func threadsText(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", n)
}
