package signing

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"lamina.build/internal/failure"
	"lamina.build/internal/fetch"
)

// The public instances of sigstore.
const (
	PublicFulcio = "https://fulcio.sigstore.dev"
	PublicRekor  = "https://rekor.sigstore.dev"
)

// The environment variables with an identity token, and with where GitHub Actions provides one.
const (
	TokenName        = "SIGSTORE_ID_TOKEN" //nolint:gosec // the name of a variable
	tokenRequestURL  = "ACTIONS_ID_TOKEN_REQUEST_URL"
	tokenRequestName = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// maxAnswer is the maximum size of an answer, in bytes.
const maxAnswer = 4 << 20

// Keyless signs with a throwaway key. Fulcio certifies the key's owner, Rekor the time.
type Keyless struct {
	HTTP          *fetch.Client
	Env           func(string) string
	Fulcio, Rekor string // their addresses
}

// Check finds reasons for keyless signing to fail, without using the network.
func (k Keyless) Check() error {
	var problems []error
	for _, address := range []string{k.Fulcio, k.Rekor} {
		if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
			problems = append(problems, fmt.Errorf("%q is not the address of a server, https://HOST", fetch.Redact(address)))
		}
	}
	if k.Env(TokenName) == "" && k.Env(tokenRequestURL) == "" {
		err := fmt.Errorf("there is no identity token: %s is not set, and GitHub Actions provides none", TokenName)
		problems = append(problems, failure.WithHint(err, "in GitHub Actions a job needs \"permissions: id-token: write\""))
	}
	return errors.Join(problems...)
}

// Sign implements [Signer].
func (k Keyless) Sign(ctx context.Context, statement []byte) ([]byte, error) {
	token, err := k.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("getting an identity token: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := k.certify(ctx, key, token)
	if err != nil {
		return nil, fmt.Errorf("getting a certificate for the identity: %w", err)
	}
	b := bundle{MediaType: BundleType, Material: material{Certificate: &certificate{cert}}}
	if b.Envelope, err = seal(key, statement); err != nil {
		return nil, err
	}
	entry, err := k.log(ctx, b.Envelope, cert)
	if err != nil {
		return nil, fmt.Errorf("logging the signature: %w", err)
	}
	b.Material.Entries = []logEntry{entry}
	return json.Marshal(b)
}

// token gets an identity token when it is needed: it expires within minutes.
func (k Keyless) token(ctx context.Context) (string, error) {
	if token := k.Env(TokenName); token != "" {
		return token, nil
	}
	address, err := url.Parse(k.Env(tokenRequestURL))
	if err != nil {
		return "", fmt.Errorf("%s is not a URL", tokenRequestURL)
	}
	query := address.Query()
	query.Set("audience", "sigstore")
	address.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+k.Env(tokenRequestName))
	var answer struct {
		Value string `json:"value"`
	}
	if err = k.ask(ctx, req, &answer); err == nil && answer.Value == "" {
		err = errors.New("the answer has none")
	}
	return answer.Value, err
}

// certify has Fulcio certify the owner of a key.
func (k Keyless) certify(ctx context.Context, key *ecdsa.PrivateKey, token string) ([]byte, error) {
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"certificateSigningRequest": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})}
	type chain struct {
		Chain struct {
			Certificates []string `json:"certificates"`
		} `json:"chain"`
	}
	var answer struct {
		Embedded chain `json:"signedCertificateEmbeddedSct"`
	}
	req, err := post(ctx, k.Fulcio+"/api/v2/signingCert", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if err = k.ask(ctx, req, &answer); err != nil {
		return nil, err
	}
	for _, text := range answer.Embedded.Chain.Certificates {
		if block, _ := pem.Decode([]byte(text)); block != nil {
			return block.Bytes, nil // the first is the key's
		}
	}
	return nil, errors.New("the answer has none with an embedded timestamp of a log")
}

// logEntry is a signature in the log in the form of bundles, with numbers as strings.
type logEntry struct {
	Index         int64       `json:"logIndex,string"`
	Log           logID       `json:"logId"`
	Kind          kindVersion `json:"kindVersion"`
	Time          int64       `json:"integratedTime,string"`
	Promise       promise     `json:"inclusionPromise"`
	Proof         *proof      `json:"inclusionProof,omitempty"`
	Canonicalized []byte      `json:"canonicalizedBody"`
}

type logID struct {
	Key []byte `json:"keyId"`
}

type kindVersion struct {
	Kind    string `json:"kind"`
	Version string `json:"version"`
}

type promise struct {
	Timestamp []byte `json:"signedEntryTimestamp"`
}

type proof struct {
	Index      int64    `json:"logIndex,string"`
	Root       []byte   `json:"rootHash"`
	Size       int64    `json:"treeSize,string"`
	Hashes     [][]byte `json:"hashes"`
	Checkpoint struct {
		Envelope string `json:"envelope"`
	} `json:"checkpoint"`
}

// rekorEntry is the same in the form of Rekor's own API, with hexadecimal digests.
type rekorEntry struct {
	Body         []byte `json:"body"`
	Time         int64  `json:"integratedTime"`
	LogID        string `json:"logID"`
	Index        int64  `json:"logIndex"`
	Verification struct {
		Timestamp []byte `json:"signedEntryTimestamp"`
		Proof     *struct {
			Checkpoint string   `json:"checkpoint"`
			Hashes     []string `json:"hashes"`
			Index      int64    `json:"logIndex"`
			Root       string   `json:"rootHash"`
			Size       int64    `json:"treeSize"`
		} `json:"inclusionProof"`
	} `json:"verification"`
}

// dsseKind is Rekor's kind of an envelope.
var dsseKind = kindVersion{"dsse", "0.0.1"}

// log has Rekor log an envelope.
func (k Keyless) log(ctx context.Context, e envelope, cert []byte) (entry logEntry, err error) {
	text, err := json.Marshal(e)
	if err != nil {
		return entry, err
	}
	verifier := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	req, err := post(ctx, k.Rekor+"/api/v1/log/entries", map[string]any{
		"kind": dsseKind.Kind, "apiVersion": dsseKind.Version,
		"spec": map[string]any{"proposedContent": map[string]any{"envelope": string(text), "verifiers": [][]byte{verifier}}},
	})
	if err != nil {
		return entry, err
	}
	var answer map[string]rekorEntry
	if err = k.ask(ctx, req, &answer); err != nil {
		return entry, err
	}
	for _, one := range answer {
		return one.inBundle()
	}
	return entry, errors.New("the answer has no entry")
}

func (r rekorEntry) inBundle() (logEntry, error) {
	bad := false
	unhex := func(text string) []byte {
		data, err := hex.DecodeString(text)
		bad = bad || err != nil
		return data
	}
	e := logEntry{Index: r.Index, Log: logID{unhex(r.LogID)}, Kind: dsseKind, Time: r.Time, Promise: promise{r.Verification.Timestamp}, Canonicalized: r.Body}
	if p := r.Verification.Proof; p != nil {
		e.Proof = &proof{Index: p.Index, Root: unhex(p.Root), Size: p.Size, Hashes: make([][]byte, len(p.Hashes))}
		for i, h := range p.Hashes {
			e.Proof.Hashes[i] = unhex(h)
		}
		e.Proof.Checkpoint.Envelope = p.Checkpoint
	}
	if bad || e.Proof == nil {
		return e, errors.New("the answer has no proof that the entry is in the log")
	}
	return e, nil
}

func post(ctx context.Context, address string, body any) (*http.Request, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}

// ask reads a JSON answer. For an existing entry, Rekor answers with its location instead.
func (k Keyless) ask(ctx context.Context, req *http.Request, answer any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := k.HTTP.Do(ctx, req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusConflict && req.Method == http.MethodPost && resp.Header.Get("Location") != "":
		at, problem := req.URL.Parse(resp.Header.Get("Location"))
		if problem != nil || at.Host != req.URL.Host {
			return k.HTTP.Refusal(resp)
		}
		if req, err = http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody); err != nil { //nolint:gosec // on the same host
			return err
		}
		return k.ask(ctx, req, answer)
	case resp.StatusCode/100 != 2:
		return k.refusal(req, resp, data)
	}
	if err = json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("the answer of %s can't be parsed", req.URL.Host)
	}
	return nil
}

// refusal includes the server's own message, unless that contains the token.
func (k Keyless) refusal(req *http.Request, resp *http.Response, data []byte) error {
	err := error(k.HTTP.Refusal(resp))
	var said struct {
		Message string `json:"message"`
	}
	_, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if json.Unmarshal(data, &said) == nil && said.Message != "" && (token == "" || !strings.Contains(said.Message, token)) {
		err = fmt.Errorf("%w: %q", err, said.Message)
	}
	if fetch.IsPassing(resp.StatusCode) {
		return failure.New(failure.Transient, err)
	}
	return err
}
