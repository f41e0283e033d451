package registry

import "strings"

// challenge is one WWW-Authenticate challenge, RFC 9110 section 11.6.1. Scheme and parameter names are in lower case.
type challenge struct {
	scheme     string
	parameters map[string]string
}

// pickChallenge takes the challenge that we can meet: Bearer before Basic, for a token is the lesser thing to show.
func pickChallenge(headers []string) *challenge {
	var basic *challenge
	for _, header := range headers {
		for _, c := range parseChallenges(header) {
			switch {
			case c.scheme == "bearer" && c.parameters["realm"] != "":
				return &c
			case c.scheme == "basic" && basic == nil:
				basic = &c
			}
		}
	}
	return basic
}

// parseChallenges reads one header, which may hold several challenges. What it cannot read it leaves out.
func parseChallenges(header string) []challenge {
	var all []challenge
	rest := header
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return all
		}
		word, after := cutToken(rest)
		if word == "" {
			return all
		}
		after = strings.TrimLeft(after, " \t")
		if !strings.HasPrefix(after, "=") || len(all) == 0 {
			all = append(all, challenge{scheme: strings.ToLower(word), parameters: map[string]string{}})
			if rest = after; strings.HasPrefix(rest, "=") {
				return all[:len(all)-1]
			}
			continue
		}
		value, remaining := cutValue(strings.TrimLeft(after[1:], " \t"))
		all[len(all)-1].parameters[strings.ToLower(word)] = value
		rest = remaining
	}
}

// cutToken cuts the RFC 9110 token at the start of text.
func cutToken(text string) (token, rest string) {
	end := strings.IndexFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
	if end < 0 {
		return text, ""
	}
	return text[:end], text[end:]
}

// cutValue cuts a token or a quoted string at the start of text.
func cutValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ", \t")
		if end < 0 {
			return text, ""
		}
		return text[:end], text[end:]
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] == '"':
			return b.String(), text[i+1:]
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), ""
}
