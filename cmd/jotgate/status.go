package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// sealStatus is the answer of sys/seal-status and sys/unseal, together with
// what sys/leader adds; in the order that JSON output has.
type sealStatus struct {
	Type         string `json:"type"`
	Initialized  bool   `json:"initialized"`
	Sealed       bool   `json:"sealed"`
	Threshold    int    `json:"t"`
	Shares       int    `json:"n"`
	Progress     int    `json:"progress"`
	Nonce        string `json:"nonce"`
	Version      string `json:"version"`
	BuildDate    string `json:"build_date,omitzero"`
	CommitDate   string `json:"commit_date,omitzero"`
	Migration    bool   `json:"migration"`
	ClusterName  string `json:"cluster_name,omitzero"`
	ClusterID    string `json:"cluster_id,omitzero"`
	RecoverySeal bool   `json:"recovery_seal"`
	StorageType  string `json:"storage_type,omitzero"`

	HAEnabled     bool   `json:"ha_enabled"`
	IsSelf        bool   `json:"is_self,omitzero"`
	LeaderAddress string `json:"leader_address,omitzero"`
	LeaderCluster string `json:"leader_cluster_address,omitzero"`
	ActiveTime    string `json:"active_time,omitzero"`
	RaftCommitted uint64 `json:"raft_committed_index,omitzero"`
	RaftApplied   uint64 `json:"raft_applied_index,omitzero"`
}

func (a *app) newStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status [flags]", Short: "Show whether the server is sealed",
		Long:    "Shows the state of the seal. The exit status is 0 when the server is unsealed,\n2 when it is sealed and 1 when it cannot be asked.",
		Example: "  jotgate status\n  jotgate status -format=json",
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			st, err := c.sealStatus(cmd.Context())
			if err != nil {
				return asLocal(failed(err, "Error checking seal status"))
			}
			if err := a.printStatus(st); err != nil {
				return err
			}
			if st.Sealed {
				return cli.Quiet(cli.StatusServer)
			}
			return nil
		},
	}
}

// sealStatus asks for the seal and the leader.
func (c *client) sealStatus(ctx context.Context) (*sealStatus, error) {
	var st sealStatus
	if err := c.plain(ctx, request{method: http.MethodGet, path: "sys/seal-status"}, &st); err != nil {
		return nil, err
	}
	return &st, c.addLeader(ctx, &st)
}

// addLeader adds what sys/leader says. A sealed server answers 503 there and
// then counts as highly available, as the reference shows it.
func (c *client) addLeader(ctx context.Context, st *sealStatus) error {
	var leader struct {
		HAEnabled     bool   `json:"ha_enabled"`
		IsSelf        bool   `json:"is_self"`
		ActiveTime    string `json:"active_time"`
		LeaderAddress string `json:"leader_address"`
		LeaderCluster string `json:"leader_cluster_address"`
		RaftCommitted uint64 `json:"raft_committed_index"`
		RaftApplied   uint64 `json:"raft_applied_index"`
	}
	err := c.plain(ctx, request{method: http.MethodGet, path: "sys/leader"}, &leader)
	if statusOf(err) == http.StatusServiceUnavailable {
		st.HAEnabled = true
		return nil
	}
	if err != nil {
		return err
	}
	st.HAEnabled, st.IsSelf, st.ActiveTime = leader.HAEnabled, leader.IsSelf, leader.ActiveTime
	st.LeaderAddress, st.LeaderCluster = leader.LeaderAddress, leader.LeaderCluster
	st.RaftCommitted, st.RaftApplied = leader.RaftCommitted, leader.RaftApplied
	return nil
}

func (a *app) printStatus(st *sealStatus) error {
	if a.set.field != "" {
		raw, err := cli.EncodeJSON(st)
		if err != nil {
			return err
		}
		data, err := cli.DecodeObject(raw)
		if err != nil {
			return err
		}
		return a.printField(&secret{Data: data}, a.set.field)
	}
	if done, err := a.printData(st); done {
		return err
	}
	a.printPairs(st.pairs())
	return nil
}

func (st *sealStatus) pairs() [][]string {
	out := [][]string{
		{"Seal Type", st.Type},
		{"Initialized", strconv.FormatBool(st.Initialized)},
		{"Sealed", strconv.FormatBool(st.Sealed)},
		{"Total Shares", strconv.Itoa(st.Shares)},
		{"Threshold", strconv.Itoa(st.Threshold)},
	}
	if st.Sealed {
		out = append(out, []string{"Unseal Progress", fmt.Sprintf("%d/%d", st.Progress, st.Threshold)}, []string{"Unseal Nonce", st.Nonce})
	}
	if st.Migration {
		out = append(out, []string{"Seal Migration in Progress", "true"})
	}
	out = append(out, []string{"Version", st.Version})
	for _, p := range [][]string{{"Build Date", st.BuildDate}, {"Storage Type", st.StorageType}, {"Cluster Name", st.ClusterName}, {"Cluster ID", st.ClusterID}} {
		if p[1] != "" {
			out = append(out, p)
		}
	}
	out = append(out, []string{"HA Enabled", strconv.FormatBool(st.HAEnabled)})
	if !st.HAEnabled || st.Sealed {
		return out
	}
	mode := "standby"
	if st.IsSelf {
		mode = "active"
	}
	out = append(out, []string{"HA Cluster", st.LeaderCluster}, []string{"HA Mode", mode})
	if st.ActiveTime != "" && st.ActiveTime != "0001-01-01T00:00:00Z" {
		out = append(out, []string{"Active Since", st.ActiveTime})
	}
	if st.RaftCommitted > 0 {
		out = append(out, []string{"Raft Committed Index", strconv.FormatUint(st.RaftCommitted, 10)},
			[]string{"Raft Applied Index", strconv.FormatUint(st.RaftApplied, 10)})
	}
	return out
}

// asLocal gives a refusal status 1, where status 2 means something else. What
// was only printed passes through.
func asLocal(err error) error {
	if cli.StatusOf(err) != cli.StatusServer {
		return err
	}
	return &cli.Error{Status: cli.StatusLocal, Hint: cli.HintOf(err), Cause: err}
}
