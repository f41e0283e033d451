package verdict

import "strconv"

// Plural counts things for people: "1 step", "2 steps".
func Plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
