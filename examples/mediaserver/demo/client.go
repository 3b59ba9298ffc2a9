package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"
)

// client talks to the servers as any other would, and measures how long they take.
type client struct {
	http  *http.Client
	meter *meter
}

func newClient() *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	return &client{http: &http.Client{Transport: transport}, meter: newMeter()}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// A refusal is an answer that says what is wrong with the request.
type refusal struct {
	Status        int
	Message, Code string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Message) }

// codeOf returns the code of a refusal; "" if the error is none.
func codeOf(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

// uploaded is a file that a server has accepted.
type uploaded struct {
	File        string `json:"file"`
	DeleteToken string `json:"delete_token"`
	Details     struct {
		Width       int    `json:"width"`
		Height      int    `json:"height"`
		ContentType string `json:"content_type"`
	} `json:"details"`
}

// ask sends a request and returns status and body. A status of 400 or more is a refusal. The time counts
// as one of the kind; no kind is not measured.
func (c *client) ask(ctx context.Context, kind, method, address string, body io.Reader, contentType string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return 0, nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, nil, fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	if response.StatusCode < http.StatusBadRequest {
		c.meter.add(kind, time.Since(began))
		return response.StatusCode, content, nil
	}
	var told struct{ Msg, Code string }
	_ = json.Unmarshal(content, &told) // an answer that is no JSON has neither
	return response.StatusCode, nil, &refusal{response.StatusCode, told.Msg, told.Code}
}

// form makes the multipart form of an upload.
func form(name string, data []byte) (io.Reader, string, error) {
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	part, err := writer.CreateFormFile("images[]", name)
	if err == nil {
		_, err = part.Write(data)
	}
	return &body, writer.FormDataContentType(), errors.Join(err, writer.Close())
}

// The kinds of requests that are measured.
const (
	kindUpload      = "upload"
	kindBackground  = "upload in the background"
	kindClaim       = "claim of its result"
	kindFirst       = "variant that is not there yet"
	kindVariant     = "variant"
	kindOriginal    = "original"
	kindDetails     = "details"
	kindBlurhash    = "blurhash"
	kindDelete      = "delete"
	kindAnotherName = "upload of a file that is there"
)

// upload sends a file and waits until it is taken in.
func (c *client) upload(ctx context.Context, server, name string, data []byte) (uploaded, error) {
	return c.uploadAs(ctx, kindUpload, server, name, data)
}

func (c *client) uploadAs(ctx context.Context, kind, server, name string, data []byte) (uploaded, error) {
	body, contentType, err := form(name, data)
	if err != nil {
		return uploaded{}, err
	}
	_, answer, err := c.ask(ctx, kind, http.MethodPost, server+"/image", body, contentType)
	if err != nil {
		return uploaded{}, err
	}
	return onlyFile(answer)
}

// background sends a file that a worker is to take in, and returns the id of the upload.
func (c *client) background(ctx context.Context, server, name string, data []byte) (string, error) {
	body, contentType, err := form(name, data)
	if err != nil {
		return "", err
	}
	_, answer, err := c.ask(ctx, kindBackground, http.MethodPost, server+"/image/backgrounded", body, contentType)
	if err != nil {
		return "", err
	}
	var told struct {
		Uploads []struct {
			ID string `json:"upload_id"`
		} `json:"uploads"`
	}
	if err := json.Unmarshal(answer, &told); err != nil || len(told.Uploads) != 1 {
		return "", fmt.Errorf("the answer to an upload names %d uploads instead of 1: %w", len(told.Uploads), err)
	}
	return told.Uploads[0].ID, nil
}

// claim waits for the result of an upload in the background, asking again as long as it is not ready.
func (c *client) claim(ctx context.Context, server, id string) (uploaded, error) {
	for {
		status, answer, err := c.ask(ctx, kindClaim, http.MethodGet, server+"/image/backgrounded/claim?upload_id="+url.QueryEscape(id), nil, "")
		if err != nil {
			return uploaded{}, err
		}
		if status != http.StatusNoContent {
			return onlyFile(answer)
		}
	}
}

func onlyFile(answer []byte) (uploaded, error) {
	var told struct {
		Files []uploaded `json:"files"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return uploaded{}, fmt.Errorf("the answer to an upload: %w", err)
	}
	if len(told.Files) != 1 {
		return uploaded{}, fmt.Errorf("the answer to an upload has %d files instead of 1", len(told.Files))
	}
	return told.Files[0], nil
}

// get returns a body.
func (c *client) get(ctx context.Context, kind, address string) ([]byte, error) {
	_, body, err := c.ask(ctx, kind, http.MethodGet, address, nil, "")
	return body, err
}

func originalURL(server, alias string) string {
	return server + "/image/original/" + url.PathEscape(alias)
}

// delete takes a picture away with its token.
func (c *client) delete(ctx context.Context, server, token, alias string) error {
	_, _, err := c.ask(ctx, kindDelete, http.MethodDelete, server+"/image/delete/"+url.PathEscape(token)+"/"+url.PathEscape(alias), nil, "")
	return err
}
