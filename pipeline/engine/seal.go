package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// orderVariable carries an order in a container's environment. A Dockerfile may set it too, and must not thereby
// bind files of the host: hence the seal, whose key only this process and its engine have.
const orderVariable = "HALLMARK_SANDBOX"

// encoding is strict: one order has one text.
var encoding = base64.RawURLEncoding.Strict()

func seal(key, body []byte) string {
	return encoding.EncodeToString(body) + "." + encoding.EncodeToString(mac(key, body))
}

func unseal(key []byte, text string) (order, error) {
	encoded, signature, _ := strings.Cut(text, ".")
	body, err := encoding.DecodeString(encoded)
	if err != nil {
		return order{}, errUnsealed
	}
	sum, err := encoding.DecodeString(signature)
	if err != nil || !hmac.Equal(sum, mac(key, body)) {
		return order{}, errUnsealed
	}
	var ask order
	if err := json.Unmarshal(body, &ask); err != nil {
		return order{}, errUnsealed
	}
	return ask, nil
}

var errUnsealed = errors.New("the variable " + orderVariable + " is reserved and was not set by the program itself. Remove it from the image or the Dockerfile")

func mac(key, body []byte) []byte {
	sum := hmac.New(sha256.New, key)
	sum.Write(body)
	return sum.Sum(nil)
}

// takeOrder removes the variable from env. Nil is no order.
func takeOrder(key []byte, env []string) (*order, []string, error) {
	rest := make([]string, 0, len(env))
	var sealed string
	for _, entry := range env {
		if value, found := strings.CutPrefix(entry, orderVariable+"="); found {
			sealed = value
			continue
		}
		rest = append(rest, entry)
	}
	if sealed == "" {
		return nil, rest, nil
	}
	ask, err := unseal(key, sealed)
	if err != nil {
		return nil, nil, err
	}
	return &ask, rest, nil
}
