package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// apiError is an answer that refuses.
type apiError struct {
	status  int
	code    any // error_code: a word, or a number where the gateway answers
	message string
}

func (e *apiError) Error() string { return fmt.Sprintf("%v: %s", e.code, e.message) }

func refuse(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *apiError {
	return refuse(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", format, args...)
}

func malformed(format string, args ...any) *apiError {
	return refuse(http.StatusBadRequest, "MALFORMED_REQUEST", format, args...)
}

func missing(format string, args ...any) *apiError {
	return refuse(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", format, args...)
}

func wrongState(format string, args ...any) *apiError {
	return refuse(http.StatusBadRequest, "INVALID_STATE", format, args...)
}

// write answers in the form that the path's API has: 1.2 is older than error codes.
func (e *apiError) write(w http.ResponseWriter, path, requestID string) {
	var body any
	switch {
	case strings.HasPrefix(path, "/api/1.2/"):
		body = map[string]any{"error": e.message}
	case strings.Contains(path, "/scim/"):
		body = map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "detail": e.message, "status": fmt.Sprint(e.status)}
	default:
		body = map[string]any{
			"error_code": e.code, "message": e.message,
			"details": []any{map[string]any{"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": requestID, "serving_data": ""}},
		}
	}
	writeJSON(w, e.status, body)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // our own types always can be
		status, text = http.StatusInternalServerError, []byte(`{"error_code":"INTERNAL_ERROR","message":"the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
