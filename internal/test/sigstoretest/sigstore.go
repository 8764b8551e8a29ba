// Package sigstoretest is a Fulcio and a Rekor for tests: they certify and log on request, as
// those of sigstore do, with authorities of sigstore-go's own tests.
package sigstoretest

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// Sigstore is both servers at one address.
type Sigstore struct {
	URL      string
	Identity string // of the user with Token
	Issuer   string
	Token    string
	Expired  bool         // its certificates have expired
	Down     atomic.Bool  // its log is
	Logged   atomic.Int64 // entries

	t         testing.TB
	authority *root.FulcioCertificateAuthority
	key       crypto.Signer
	logs      *ca.VirtualSigstore
}

// New starts them until the test ends.
func New(t testing.TB, identity, token string) *Sigstore {
	t.Helper()
	logs, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	top, topKey, err := ca.GenerateRootCa()
	if err != nil {
		t.Fatal(err)
	}
	middle, key, err := ca.GenerateFulcioIntermediate(top, topKey)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sigstore{Identity: identity, Issuer: "https://issuer.example", Token: token, t: t, key: key, logs: logs}
	s.authority = &root.FulcioCertificateAuthority{
		Root: top, Intermediates: []*x509.Certificate{middle}, URI: "https://fulcio.example",
		ValidityPeriodStart: time.Now().Add(-5 * time.Hour), ValidityPeriodEnd: time.Now().Add(time.Hour),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", s.certify)
	mux.HandleFunc("POST /api/v1/log/entries", s.log)
	mux.HandleFunc("GET /token", s.token)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// TrustedRoot returns a trusted_root.json. If it names certificate logs, the certificates of
// this Fulcio are in none.
func (s *Sigstore) TrustedRoot(certificateLogs bool) []byte {
	s.t.Helper()
	var certificates map[string]*root.TransparencyLog
	if certificateLogs {
		certificates = raw(s.logs.CTLogs())
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{s.authority}, certificates, nil, raw(s.logs.RekorLogs()))
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := r.MarshalJSON()
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// raw converts the IDs of logs to bytes, which sigstore-go's tests have in hexadecimal.
func raw(logs map[string]*root.TransparencyLog) map[string]*root.TransparencyLog {
	for id, l := range logs {
		l.ID, _ = hex.DecodeString(id)
	}
	return logs
}

// token answers like GitHub Actions' token endpoint.
func (s *Sigstore) token(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.Token || r.URL.Query().Get("audience") != "sigstore" {
		http.Error(w, `{"message":"no"}`, http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"value": s.Token})
}

func (s *Sigstore) certify(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Request []byte `json:"certificateSigningRequest"`
	}
	if r.Header.Get("Authorization") != "Bearer "+s.Token {
		w.WriteHeader(http.StatusUnauthorized)
		// A careless server, which repeats what it was sent.
		_ = json.NewEncoder(w).Encode(map[string]string{"message": "not known: " + r.Header.Get("Authorization")})
		return
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	block, _ := pem.Decode(body.Request)
	if err != nil || block == nil {
		http.Error(w, "no request", http.StatusBadRequest)
		return
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || request.CheckSignature() != nil {
		http.Error(w, "no request", http.StatusBadRequest)
		return
	}
	from := time.Now().Add(-time.Minute)
	if s.Expired {
		from = from.Add(-time.Hour)
	}
	leaf, err := ca.GenerateLeafCert(s.Identity, s.Issuer, from, public{request.PublicKey}, s.authority.Intermediates[0], s.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	_ = json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": []string{text}}}})
}

// public is the public half of an unknown key.
type public struct{ crypto.PublicKey }

func (p public) Public() crypto.PublicKey { return p.PublicKey }

func (public) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the key is somebody else's")
}

func (s *Sigstore) log(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Kind string `json:"kind"`
		Spec struct {
			Content struct {
				Envelope  string   `json:"envelope"`
				Verifiers [][]byte `json:"verifiers"`
			} `json:"proposedContent"`
		} `json:"spec"`
	}
	var envelope dsse.Envelope
	err := json.NewDecoder(r.Body).Decode(&body)
	if err == nil {
		err = json.Unmarshal([]byte(body.Spec.Content.Envelope), &envelope)
	}
	if s.Down.Load() || err != nil || body.Kind != "dsse" || len(body.Spec.Content.Verifiers) != 1 || len(envelope.Signatures) != 1 {
		http.Error(w, `{"code":400,"message":"not logged"}`, http.StatusBadRequest)
		return
	}
	block, _ := pem.Decode(body.Spec.Content.Verifiers[0])
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	signature, _ := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	made, err := s.logs.GenerateTlogEntry(leaf, &envelope, signature, time.Now().Unix(), true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Logged.Add(1)
	e := made.TransparencyLogEntry()
	promise, err := s.logs.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody()), IntegratedTime: e.GetIntegratedTime(),
		LogIndex: e.GetLogIndex(), LogID: hex.EncodeToString(e.GetLogId().GetKeyId()),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	proof := e.GetInclusionProof()
	hashes := make([]string, len(proof.GetHashes()))
	for i, h := range proof.GetHashes() {
		hashes[i] = hex.EncodeToString(h)
	}
	w.WriteHeader(http.StatusCreated)
	var answer bytes.Buffer
	_ = json.NewEncoder(&answer).Encode(map[string]any{"24296fb24b8ad77a": map[string]any{
		"body": e.GetCanonicalizedBody(), "integratedTime": e.GetIntegratedTime(), "logID": hex.EncodeToString(e.GetLogId().GetKeyId()), "logIndex": e.GetLogIndex(),
		"verification": map[string]any{
			"signedEntryTimestamp": promise,
			"inclusionProof": map[string]any{
				"checkpoint": proof.GetCheckpoint().GetEnvelope(), "hashes": hashes, "logIndex": proof.GetLogIndex(),
				"rootHash": hex.EncodeToString(proof.GetRootHash()), "treeSize": proof.GetTreeSize(),
			},
		},
	}})
	_, _ = w.Write(answer.Bytes())
}
