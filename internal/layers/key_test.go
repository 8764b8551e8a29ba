package layers

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"lamina.build/internal/failure"
	"lamina.build/llb"
)

// sample is a file at a path of an image, and the kind of key in it.
type sample struct {
	path string // only a name if the directory doesn't matter
	data []byte
	kind string
}

// samples returns keys of all kinds, and files that look like them.
func samples(t *testing.T) []sample {
	t.Helper()
	must := func(data []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	armoured := func(kind string, data []byte, headers ...string) []byte {
		b := &pem.Block{Type: kind, Bytes: data, Headers: map[string]string{}}
		for i := 0; i < len(headers); i += 2 {
			b.Headers[headers[i]] = headers[i+1]
		}
		return pem.EncodeToMemory(b)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, sec1 := must(x509.MarshalPKCS8PrivateKey(edwards)), must(x509.MarshalECPrivateKey(curve))
	certificate := must(x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, public, edwards))
	block, err := ssh.MarshalPrivateKey(edwards, "")
	if err != nil {
		t.Fatal(err)
	}
	der := func(values ...any) []byte {
		var all []byte
		for _, v := range values {
			if raw, ok := v.([]byte); ok {
				all = append(all, raw...)
				continue
			}
			all = append(all, must(asn1.Marshal(v))...)
		}
		return must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: all}))
	}
	octets := func(data []byte) []byte { return must(asn1.Marshal(data)) }
	encrypted := der(der(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, der(1)), octets(make([]byte, 80)))
	store := func(bag int) []byte {
		content := octets(der(der(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, bag})))
		return der(3, der(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, content))
	}
	unbounded := func(bag int) []byte { // as written by Java
		data := store(bag)
		return append(append([]byte{0x30, 0x80}, data[2:]...), 0, 0)
	}
	jks := func(tag byte) []byte {
		entry := func(tag byte) string {
			return "\x00\x00\x00" + string(tag) + "\x00\x01a" + "12345678" + "\x00\x05X.509" + "\x00\x00\x01\x2c" + strings.Repeat("c", 300)
		}
		return []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x02" + entry(2) + entry(tag) + "digest")
	}
	packet := func(header string, version byte, after string) []byte {
		body := append([]byte{version, 1, 2, 3, 4, 22}, make([]byte, 94)...) // 100 bytes
		if version == 3 {
			body[7] = 1
		}
		return slices.Concat([]byte(header), body, []byte(after))
	}
	keytab := func(holes, realm string) []byte {
		entry := "\x00\x02\x00" + string(byte(len(realm))) + realm + "\x00\x04HTTP\x00\x01a"
		return []byte("\x05\x02" + holes + "\x00\x00\x00" + string(byte(len(entry))) + entry)
	}
	bcfks := der(encrypted, der(der(asn1.ObjectIdentifier{1, 2}), octets(make([]byte, 64))))
	wide := func(text string) []byte {
		data := []byte("\xff\xfe")
		for _, r := range text {
			data = append(data, byte(r), 0)
		}
		return data
	}
	openssh := pem.EncodeToMemory(block)
	text := string(armoured("PRIVATE KEY", pkcs8))
	quoted := must(json.Marshal(map[string]string{"private_key": text}))
	return []sample{
		{"rsa.pem", armoured("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "PEM"},
		{"ec.pem", armoured("EC PRIVATE KEY", sec1), "PEM"},
		{"pkcs8.pem", []byte(text), "PEM"},
		{"encrypted.pem", armoured("ENCRYPTED PRIVATE KEY", encrypted), "PEM"},
		{"old.pem", armoured("RSA PRIVATE KEY", sec1, "Proc-Type", "4,ENCRYPTED", "DEK-Info", "AES-128-CBC,00"), "PEM"},
		{"tpm.pem", armoured("TSS2 PRIVATE KEY", sec1), "PEM"},
		{"chain.pem", append(armoured("CERTIFICATE", certificate), text...), "PEM"},
		{"windows.pem", []byte(strings.ReplaceAll(text, "\n", "\r\n")), "PEM"},
		{"service.json", quoted, "PEM"},
		{"deploy.yaml", []byte("key: |\n    " + strings.ReplaceAll(text, "\n", "\n    ")), "PEM"},
		{"test_tls.py", []byte("KEY = (\n    b\"" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\\n\"\n    b\"") + "\")\n"), "PEM"},
		{"twice.json", must(json.Marshal(string(quoted))), "PEM"},
		{"notepad.pem", append([]byte("\xef\xbb\xbf"), text...), "PEM"},
		{"powershell.pem", wide(text), "PEM"},
		{"kubeconfig", []byte("client-key-data: " + base64.StdEncoding.EncodeToString(armoured("EC PRIVATE KEY", sec1))), "PEM in base64"},
		{"secret.yaml", []byte("tls.key: " + base64.StdEncoding.EncodeToString([]byte(text))), "PEM in base64"},
		{"id_ed25519", openssh, "OpenSSH"},
		{"identity", []byte("SSH PRIVATE KEY FILE FORMAT 1.1\n\x00\x03"), "SSH1"},
		{"ta.key", []byte("#\n-----BEGIN OpenVPN Static key V1-----\n" + strings.Repeat("0af1", 8) + "\n"), "OpenVPN"},
		{"minisign.key", []byte("untrusted comment: minisign encrypted secret key\nRWRTY0Iy" + strings.Repeat("a", 60) + "\n"), "minisign"},
		{"account.json", []byte(`{"n": "abc", "d": "` + strings.Repeat("d", 43) + `", "key_ops": ["sign"], "ext": true, "kty": "RSA"}`), "JWK"},
		{"jwks.json", []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"abc","d":"` + strings.Repeat("d", 43) + `"}]}`), "JWK"},
		{"named.conf.keys", []byte("key \"rndc-key\" {\n\talgorithm hmac-sha256;\n\tsecret \"" + strings.Repeat("a", 43) + "=\";\n};\n"), "TSIG"},
		{"ceph.client.admin.keyring", []byte("[client.admin]\n\tkey = AQ" + strings.Repeat("a", 36) + "==\n"), "Ceph"},
		{"secret.asc", []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\nComment: x\n\n" + strings.Repeat("lQOYBF", 12) + "\n-----END PGP PRIVATE KEY BLOCK-----\n"), "PGP"},
		{"ssh2", []byte("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: x\nP2/5\n"), "SSH2"},
		{"x.ppk", []byte("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n"), "PuTTY"},
		{"keys.txt", []byte("# created\nAGE-SECRET-KEY-1" + strings.Repeat("Q", 58) + "\n"), "age"},
		{"wg0.conf", []byte("[Interface]\nPrivateKey = " + strings.Repeat("A", 43) + "=\n"), "WireGuard"},
		{"wg1.conf", []byte("[Interface]\nPrivateKey=" + strings.Repeat("A", 43) + "= # of the server\r\n"), "WireGuard"},
		{"Kx.+013+1.private", []byte("Private-key-format: v1.3\n"), "DNSSEC"},
		{"0A.key", []byte("(11:private-key(3:rsa(1:n"), "GnuPG"},
		{"new.key", []byte("Key: (protected-private-key (ecc"), "GnuPG"},
		{"0B.key", []byte("Created: 20260101T000000\nKey: (protected-private-key (ecc"), "GnuPG"},
		{"secring.gpg", packet("\x95\x00\x64", 4, "\xb4\x01a"), "OpenPGP"},
		{"short.gpg", packet("\x94\x64", 4, ""), "OpenPGP"},
		{"older.gpg", packet("\x96\x00\x00\x00\x64", 3, "\x89\x01"), "OpenPGP"},
		{"newer.gpg", packet("\xc5\x64", 6, "\xc2\x01"), "OpenPGP"},
		{"newest.gpg", packet("\xc5\xff\x00\x00\x00\x64", 5, "\xcd\x01"), "OpenPGP"},
		{"hs_ed25519_secret_key", []byte("== ed25519v1-secret: type0 ==\x00\x00\x00"), "Tor"},
		{"pkcs8.der", pkcs8, "PKCS#8"},
		{"rsa8.der", must(x509.MarshalPKCS8PrivateKey(rsaKey)), "PKCS#8"},
		{"encrypted.der", encrypted, "encrypted PKCS#8"},
		{"pkcs1.der", x509.MarshalPKCS1PrivateKey(rsaKey), "PKCS#1"},
		{"sec1.der", sec1, "SEC 1"},
		{"plain.p12", store(1), "PKCS#12"},
		{"shrouded.p12", store(2), "PKCS#12"},
		{"java.p12", unbounded(2), "PKCS#12"},
		{"identity.jks", jks(1), "JKS"},
		{"identity.bcfks", bcfks, "BCFKS"},
		{"http.kt", keytab("", "EXAMPLE.COM"), "Kerberos"},
		{"removed.kt", keytab("\xff\xff\xff\xfc????", "EXAMPLE.COM"), "Kerberos"},
		{"/var/lib/krb5kdc/.k5.EXAMPLE.COM", []byte("?"), "Kerberos"},
		{"/etc/xrdp/rsakeys.ini", []byte("[keys]\n"), "xrdp"},
		{"/etc/munge/munge.key", []byte("\x01\x02"), "munge"},
		{"/etc/ssh/ssh_host_x_key", []byte("?"), "OpenSSH"},
		{"/etc/dropbear/dropbear_rsa_host_key", []byte("?"), "Dropbear"},
		{"/var/lib/rabbitmq/.erlang.cookie", []byte("ABC"), "Erlang cookie"},
		{"/app/service.keytab", []byte("\x05\x02"), "Kerberos"},
		{"/etc/machine-id", []byte("0123\n"), "machine-id"},
		{"long.txt", []byte(strings.Repeat("# long\n", 1<<17) + text), "PEM"},
		{"huge.txt", []byte(text + strings.Repeat("# long\n", 1<<18)), "PEM"},

		{"huge.log", []byte(strings.Repeat("# long\n", 1<<18) + text), ""},
		{"empty", nil, ""},
		{"/etc/ssh/ssh_host_x_key.pub", []byte("ssh-ed25519 AAAA"), ""},
		{"/etc/munge/munge.key.old/", nil, ""},
		{"public.pem", armoured("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(public))), ""},
		{"certificate.pem", armoured("CERTIFICATE", certificate), ""},
		{"certificate.der", certificate, ""},
		{"trust.p12", store(3), ""},
		{"trust.jks", jks(2), ""},
		{"cut.jks", jks(2)[:40], ""},
		{"cut.der", pkcs8[:20], ""},
		{"integers.der", der(0, 1, 2), ""},
		{"version.der", der(2, rsaKey.N, rsaKey.E), ""},
		{"longer.der", append([]byte(nil), append(pkcs8, 1)...), ""},
		{"readme", []byte("begins with -----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"), ""},
		{"ssl.py", []byte("HEADER = '-----BEGIN PRIVATE KEY-----'\nFOOTER = '-----END PRIVATE KEY-----'\nALPHABET = '" + strings.Repeat("abcdefgh", 8) + "'\n"), ""},
		{"example.conf", []byte("[Interface]\nPrivateKey = <yours>\n"), ""},
		{"libcrypto.so", []byte("\x7fELF" + text), ""},
		{"zero", []byte{0x30}, ""},
		{"mark", []byte("\xff\xfe"), ""},
		{"nothing.kt", []byte("\x05\x02"), ""},
		{"cut.kt", keytab("", "EXAMPLE.COM")[:12], ""},
		{"version.kt", keytab("", "\x00\x01"), ""},
		{"cut.gpg", packet("\x95\x00\x64", 4, "")[:50], ""},
		{"header.gpg", []byte("\x95\x00"), ""},
		{"pubring.gpg", packet("\x99\x00\x64", 4, "\xb4\x01a"), ""},
		{"weights.bin", packet("\x95\x00\x64", 4, "\x00\x01a"), ""},
		{"version.gpg", packet("\x95\x00\x64", 9, "\xb4"), ""},
		{"public.json", []byte(`{"kty":"OKP","crv":"Ed25519","x":"` + strings.Repeat("d", 43) + `"}`), ""},
		{"named.conf", []byte("key \"x\" {\n\talgorithm hmac-sha256;\n\tsecret \"...\";\n};\n"), ""},
		{"minisign.pub", []byte("untrusted comment: minisign public key\nRWRTY0Iy" + strings.Repeat("a", 60) + "\n"), ""},
		// These took a search for ever, which tried each of many ways to read them.
		{"backslashes", []byte("-----BEGIN PRIVATE KEY-----" + strings.Repeat(`\r"`, 1<<17)), ""},
		{"lines", []byte("PrivateKey" + strings.Repeat("\n", 1<<19)), ""},
		{"many", []byte("\x30\x84\xff\xff\xff\xff\x02\x01\x00"), ""},
	}
}

// The client and the engine find the same keys.
func TestKeysOfAllKinds(t *testing.T) {
	t.Parallel()
	const script = `import json, os, sys
from private_keys import Keys
keys = Keys(sys.argv[1])
print(json.dumps([keys.kind(path, file, os.path.getsize(file)) for path, file in json.loads(sys.argv[2])]))`
	dir, scripts := t.TempDir(), filepath.Join("..", "scripts")
	var asked [][]string
	want, got := map[string]string{}, map[string]string{}
	all := samples(t)
	for i, s := range all {
		all[i].path = path.Join("/", s.path)
		want[all[i].path] = s.kind
		name := filepath.Join(dir, strings.ReplaceAll(all[i].path, "/", "%"))
		if err := os.WriteFile(name, s.data, 0o600); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, []string{all[i].path, name})
		packed, err := look(os.DirFS(dir), filepath.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		if got[all[i].path], err = packed.privateKey(all[i].path); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the client finds (-want +got):\n%s", diff)
	}
	question, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	python := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", script, filepath.Join(scripts, "keys.json"), string(question))
	python.Env = append(os.Environ(), "PYTHONPATH="+scripts, "PYTHONDONTWRITEBYTECODE=1")
	if exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))").Run() != nil {
		t.Skip("/usr/bin/python3 is not Python 3.11 or later: the scripts are not compared")
	}
	out, err := python.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, err.(*exec.ExitError).Stderr) //nolint:errorlint // of Output
	}
	var answer []string
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	for i, kind := range answer {
		if kind != all[i].kind {
			t.Errorf("the engine finds %q in %s, want %q", kind, all[i].path, all[i].kind)
		}
	}
}

// The client refuses to pack keys, reports all of them at once, and hints what to do.
func TestTreesWithKeys(t *testing.T) {
	key := []byte("PuTTY-User-Key-File-3: ssh-ed25519\n")
	tree := fstest.MapFS{"a.ppk": {Data: key}, "keys/b.ppk": {Data: key}, "main.py": {}, "tests/c.ppk": {Data: key}}
	o := TreeOptions{Name: "app", FS: tree, Target: "/app", Exclude: []string{"tests"}}
	_, err := selectTree(o)
	for _, text := range []string{`path "a.ppk": holds a private key (PuTTY)`, `path "keys/b.ppk": `} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v lacks %q", err, text)
		}
	}
	if hints := strings.Join(failure.Hints(err), "\n"); !strings.Contains(hints, `keep = ["/app/keys/b.ppk"] under [debian]`) || strings.Contains(hints, "c.ppk") {
		t.Errorf("hints %q", hints)
	}
	for _, keep := range []llb.Exclude{{"/app/**/*.ppk"}, AllKeys()} {
		o.Keep = keep
		if _, err := selectTree(o); err != nil {
			t.Errorf("with %q kept: %v", keep, err)
		}
	}
	w := WeightsOptions{Name: "w", FS: tree, Target: "/models/m", Include: []string{"a.ppk"}, Rename: map[string]string{"a.ppk": "new.ppk"}, Keep: llb.Exclude{"/models/m/a.ppk"}}
	if _, err := selectWeights(w); err == nil || !strings.Contains(err.Error(), "private key") {
		t.Errorf("weights with a key: %v", err)
	}
	w.Keep = llb.Exclude{"/models/m/new.ppk"}
	if _, err := selectWeights(w); err != nil {
		t.Errorf("weights with a kept key: %v", err)
	}
}
