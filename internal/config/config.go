package config

import (
	"log/slog"
	"time"
)

// Doors that a listener can serve.
const (
	DoorVault  = "vault"
	DoorPvault = "pvault"
)

// Storage types.
const (
	StorageEmbedded = "embedded"
	StoragePostgres = "postgres"
)

// Seal types.
const (
	SealShamir  = "shamir"
	SealKeyFile = "key_file"
	SealEnv     = "env"
)

// Config is the server's settings, checked. Do not change it.
type Config struct {
	// Dev marks the development mode, which trades safety for comfort: plain
	// HTTP, a root token that is given, a key file that is made by itself.
	Dev          bool
	DevRootToken string // the root token of development mode, "" = make one up
	DevKVv1      bool   // development mode mounts version 1 of the KV engine
	File         string // where the settings came from, "" in development mode

	Log       Log
	Listeners []Listener
	Storage   Storage
	Seal      Seal
	Audit     Audit
	IAM       IAM
	Keys      Keys
	Limits    Limits
	Vault     Vault
	Pvault    Pvault

	// Warnings are what the operator should know but may want.
	Warnings []string
}

// Log is the server's own log, which is not the audit log.
type Log struct {
	Level slog.Level
	JSON  bool // JSON lines instead of text
}

// Listener is one address that the server listens on.
type Listener struct {
	Address string // host:port
	Vault   bool   // serves the Vault door
	Pvault  bool   // serves the pvault door
	// CertFile and KeyFile are PEM files; both empty means plain HTTP.
	CertFile, KeyFile string
	TLS13             bool // refuse TLS 1.2
}

// TLS reports whether the listener speaks TLS.
func (l Listener) TLS() bool { return l.CertFile != "" }

// Storage says where the data is kept.
type Storage struct {
	Type           string // StorageEmbedded or StoragePostgres
	Directory      string // embedded
	Temporary      bool   // embedded: Directory was made up and may be removed at the end
	DSN            string // postgres; it may hold a password, so never print it
	MaxConnections int    // postgres
}

// Seal says where the root key comes from.
type Seal struct {
	Type    string // SealShamir, SealKeyFile or SealEnv
	KeyFile string
	KeyEnv  string // name of the variable
	// CreateKey makes a missing key file. Development mode only.
	CreateKey bool
}

// Audit says where requests are recorded.
type Audit struct {
	Devices []AuditDevice
	// None lets requests through while there is no device at all.
	None bool
	// APIDirectory is the directory inside which devices that are enabled over
	// the API may write their files. Empty: none can be enabled over the API.
	APIDirectory string
}

// AuditDevice is one device. Its options are those of the audit package.
type AuditDevice struct {
	Path        string
	Type        string
	Description string
	Options     map[string]string
}

// IAM says where users, roles, policies and identity providers come from.
type IAM struct {
	// File is read at start and on SIGHUP; "" leaves it to the API.
	File string
}

// Keys says how public keys of identity providers are fetched.
type Keys struct {
	// AllowLoopbackHTTP allows plain http to this machine.
	AllowLoopbackHTTP bool
}

// Limits bound what callers can use up.
type Limits struct {
	HeaderTimeout   time.Duration // for reading a request's header
	RequestTimeout  time.Duration // for a whole request
	IdleTimeout     time.Duration // between requests of one connection
	ShutdownTimeout time.Duration // for requests that run when the server stops
	MaxHeaderBytes  int
}

// Vault is what concerns the Vault door only.
type Vault struct {
	ClusterName string
	// OpenGenerateRoot lets whoever brings enough shares make a root token
	// without having a token. For emergencies: while it is set, anybody can
	// start and cancel.
	OpenGenerateRoot bool
}

// Pvault is what concerns the pvault door only.
type Pvault struct {
	// AdminKey is the administrator's API key; "" leaves what is stored. It is
	// a secret.
	AdminKey string
	// ForceReason demands an access reason for personal data.
	ForceReason bool
	// AdminMayReadData lets the administrator read personal data.
	AdminMayReadData bool
	// AllowOrigins are the origins of web pages that may call, or "*".
	AllowOrigins    []string
	DefaultPageSize int
	MaxPageSize     int
}

func defaults() *Config {
	return &Config{
		Storage: Storage{Type: StorageEmbedded, MaxConnections: 16},
		Seal:    Seal{Type: SealShamir},
		Limits: Limits{
			HeaderTimeout: 10 * time.Second, RequestTimeout: 90 * time.Second, IdleTimeout: 5 * time.Minute,
			ShutdownTimeout: 20 * time.Second, MaxHeaderBytes: 64 << 10,
		},
		Vault:  Vault{ClusterName: "jotgate"},
		Pvault: Pvault{ForceReason: true, DefaultPageSize: 100, MaxPageSize: 1000},
	}
}
