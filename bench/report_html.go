package main

import (
	"html/template"
	"io"
	"math"
	"strings"
)

// A bar is the ratio of one peer in one case, on a logarithmic axis with 1 in the middle.
type bar struct {
	Label, Value   string
	X, Width, Y, T float64
	Ahead          bool
}

type chart struct {
	Title  string
	Height float64
	Bars   []bar
}

// Geometry of the charts, in pixels.
const (
	chartMiddle = 560.0
	chartUnit   = 75.0 // a factor of 2
	chartReach  = 3.5  // factors of 2 to either side; longer bars end there
	barHeight   = 16.0
)

// charts makes one per family, the first part of the cases' names: the ratio to each peer.
func charts(rows []Row) []chart {
	var cs []chart
	for i := range rows {
		r := &rows[i]
		family, _, _ := strings.Cut(r.Case, "/")
		for _, p := range r.Peers {
			if p.Ratio <= 0 {
				continue
			}
			if len(cs) == 0 || cs[len(cs)-1].Title != family {
				cs = append(cs, chart{Title: family})
			}
			c := &cs[len(cs)-1]
			w := max(-chartReach, min(chartReach, math.Log2(p.Ratio))) * chartUnit
			y := barHeight * float64(len(c.Bars))
			c.Bars = append(c.Bars, bar{
				Label: r.Case + ", " + threadsText(r.Threads) + ", " + p.Name, Value: ratioText(p.Ratio),
				X: chartMiddle + min(w, 0), Width: math.Abs(w), Y: y + 2, T: y + 12, Ahead: p.Ratio >= 1,
			})
			c.Height = y + barHeight
		}
	}
	return cs
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"duration": duration, "percent": percent, "ratio": ratioText,
}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>adjoint: benchmark</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222 }
table { border-collapse: collapse } th, td { padding: 2px 9px; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left } .bad { color: #b33 } .good { color: #27713f } .no { color: #888 }
svg text { font-size: 11px } .ahead { fill: #4a9d6a } .behind { fill: #cf6a5c }
.meter { display: inline-block; width: 80px; background: #eee; vertical-align: middle } .meter i { display: block; height: 9px; background: #5b83b5 }
</style></head><body>
<h1>adjoint: benchmark</h1>
{{with .Rows}}{{with index . 0}}<p>{{.Date}}, {{.CPU}}{{$.Versions}}</p>{{end}}{{end}}
<p>Ratio: the peer's time over ours, above 1 we are ahead. The charts' axes are logarithmic, bars end at a factor of 11.</p>
{{range .Charts}}<h2>{{.Title}}</h2>
<svg width="900" height="{{.Height}}" role="img" aria-label="ratio to the peers, {{.Title}}">
<line x1="560" x2="560" y1="0" y2="{{.Height}}" stroke="#999"/>
{{range .Bars}}<text x="285" y="{{.T}}" text-anchor="end">{{.Label}}</text><rect x="{{.X}}" y="{{.Y}}" width="{{.Width}}" height="12" class="{{if .Ahead}}ahead{{else}}behind{{end}}"/><text x="845" y="{{.T}}">{{.Value}}</text>
{{end}}</svg>
{{end}}
<h2>All cases</h2>
<table><tr><th>case</th><th>threads</th><th>level</th><th>ours</th><th>throughput</th><th>of the limit</th><th>error</th><th>peers</th></tr>
{{range .Rows}}<tr><td>{{.Case}}</td><td>{{.Threads}}</td><td>{{.Level}}</td>
<td>{{if .Missing}}<span class="bad">{{.Missing}}</span>{{else}}{{duration .NS}}{{end}}</td><td>{{printf "%.3g" .Rate}} {{.RateUnit}}</td>
<td>{{if .LimitFraction}}<span class="meter"><i style="width: {{printf "%.0f" (.Meter)}}%"></i></span> {{percent .LimitFraction}}{{end}}</td><td>{{printf "%.1g" .MaxError}}</td>
<td>{{range .Peers}}{{if .Missing}}<span class="no" title="{{.Missing}}">{{.Name}} missing</span> {{else}}<span class="{{if ge .Ratio 1.0}}good{{else}}bad{{end}}">{{.Name}} {{ratio .Ratio}}</span> {{end}}{{end}}</td></tr>
{{end}}</table></body></html>
`))

// Meter is the fraction of the limit in percent, at most 100.
func (r Row) Meter() float64 { return 100 * min(r.LimitFraction, 1) }

func writeHTML(w io.Writer, rows []Row) error {
	return page.Execute(w, map[string]any{"Rows": rows, "Charts": charts(rows), "Versions": versions(rows)})
}
