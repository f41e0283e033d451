package display

import (
	"regexp"
	"strconv"
	"strings"
)

// screen is as much of a terminal as the board uses; whatever else reaches it is kept in foreign.
type screen struct {
	width, height int
	rows          [][]rune // all rows ever written, the visible ones last
	row, column   int
	hidden        bool
	foreign       string
}

func newScreen(width, height int) *screen {
	return &screen{width: width, height: height, rows: [][]rune{nil}}
}

func (s *screen) size() (int, int) { return s.width, s.height }

// resize makes the terminal narrower and wraps what stands on it, as terminals do.
func (s *screen) resize(width int) {
	var all [][]rune
	for _, row := range s.rows[:s.row] {
		for len(row) > width {
			all, row = append(all, row[:width]), row[width:]
		}
		all = append(all, row)
	}
	s.rows, s.row, s.column, s.width = append(all, nil), len(all), 0, width
}

var sequence = regexp.MustCompile(`^\x1b\[(\??[0-9;]*)([A-Za-z])`)

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		if found := sequence.FindStringSubmatch(text); found != nil {
			s.obey(found[1], found[2])
			text = text[len(found[0]):]
			continue
		}
		r := []rune(text)[0]
		size := len(string(r))
		if r == '\uFFFD' && !strings.HasPrefix(text, "\uFFFD") {
			size = 1
		}
		text = text[size:]
		s.put(r)
	}
	return len(p), nil
}

func (s *screen) put(r rune) {
	switch {
	case r == '\n':
		s.row, s.column = s.row+1, 0
		if s.row == len(s.rows) {
			s.rows = append(s.rows, nil)
		}
	case r == '\r':
		s.column = 0
	case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
		s.foreign += string(r)
	default:
		if s.column == s.width {
			s.put('\n')
		}
		for len(s.rows[s.row]) <= s.column {
			s.rows[s.row] = append(s.rows[s.row], ' ')
		}
		s.rows[s.row][s.column] = r
		s.column++
	}
}

func (s *screen) obey(argument, command string) {
	switch {
	case command == "A":
		n, _ := strconv.Atoi(argument)
		s.row = max(0, s.row-n, len(s.rows)-s.height)
	case command == "K" && argument == "":
		s.rows[s.row] = s.rows[s.row][:min(len(s.rows[s.row]), s.column)]
	case command == "J" && argument == "":
		s.rows = append(s.rows[:s.row], s.rows[s.row][:min(len(s.rows[s.row]), s.column)])
	case command == "l" && argument == "?25":
		s.hidden = true
	case command == "h" && argument == "?25":
		s.hidden = false
	default:
		s.foreign += "CSI " + argument + command
	}
}

// text is what was written, what scrolled away too.
func (s *screen) text() string {
	var b strings.Builder
	for _, row := range s.rows {
		b.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
