package clients_test

import (
	"errors"
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/servertest"
)

func TestVaultClientKVv1(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		root := client(t, s, servertest.RootToken)
		ok(t, root.Sys().Mount("kv1", &vault.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}))
		kv, ctx := root.KVv1("kv1"), t.Context()
		ok(t, kv.Put(ctx, "a/b", map[string]any{"user": "alice", "n": 5, "list": []any{"x"}, "nested": map[string]any{"y": nil}}))
		got := must[*vault.KVSecret](t)(kv.Get(ctx, "a/b"))
		same(t, "data", got.Data, map[string]any{"user": "alice", "n": 5, "list": []any{"x"}, "nested": map[string]any{"y": nil}})
		list := must[*vault.Secret](t)(root.Logical().List("kv1/"))
		same(t, "list", list.Data["keys"], []any{"a/"})
		ok(t, kv.Delete(ctx, "a/b"))
		if _, err := kv.Get(ctx, "a/b"); !errors.Is(err, vault.ErrSecretNotFound) {
			t.Errorf("after delete: %v", err)
		}
		if none := must[*vault.Secret](t)(root.Logical().List("kv1/")); none != nil {
			t.Errorf("an empty list: %v", none)
		}
	})
}

func TestVaultClientKVv2WritesReadsAndPatches(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		root := client(t, s, servertest.RootToken)
		kv, ctx := root.KVv2("secret"), t.Context()
		first := must[*vault.KVSecret](t)(kv.Put(ctx, "a/b", map[string]any{"user": "alice", "n": 5}, vault.WithCheckAndSet(0)))
		if v := first.VersionMetadata; v == nil || v.Version != 1 || v.Destroyed || time.Since(v.CreatedTime) > time.Minute || !v.DeletionTime.IsZero() {
			t.Errorf("put: %+v", v)
		}
		_, err := kv.Put(ctx, "a/b", map[string]any{"user": "bob"}, vault.WithCheckAndSet(0))
		refused(t, err, 400, "check-and-set parameter did not match the current version")
		must[*vault.KVSecret](t)(kv.Put(ctx, "a/b", map[string]any{"user": "bob", "n": 6}, vault.WithOption("cas", 1)))

		must[*vault.KVSecret](t)(kv.Patch(ctx, "a/b", map[string]any{"n": 7}))
		must[*vault.KVSecret](t)(kv.Patch(ctx, "a/b", map[string]any{"n": 8}, vault.WithMergeMethod(vault.KVMergeMethodReadWrite)))
		_, err = kv.Patch(ctx, "a/b", map[string]any{"n": 9}, vault.WithMergeMethod(vault.KVMergeMethodPatch), vault.WithCheckAndSet(1))
		refused(t, err, 400, "check-and-set parameter did not match the current version")
		must[*vault.KVSecret](t)(kv.Patch(ctx, "a/b", map[string]any{"n": 9}, vault.WithMergeMethod(vault.KVMergeMethodPatch), vault.WithCheckAndSet(4)))
		got := must[*vault.KVSecret](t)(kv.Get(ctx, "a/b"))
		same(t, "data", got.Data, map[string]any{"user": "bob", "n": 9})
		same(t, "version", got.VersionMetadata.Version, 5)
		if _, err := kv.Patch(ctx, "none", map[string]any{"n": 9}); !errors.Is(err, vault.ErrSecretNotFound) {
			t.Errorf("patch of nothing: %v", err)
		}
		v1 := must[*vault.KVSecret](t)(kv.GetVersion(ctx, "a/b", 1))
		same(t, "version 1", v1.Data, map[string]any{"user": "alice", "n": 5})
		if _, err := kv.GetVersion(ctx, "a/b", 50); !errors.Is(err, vault.ErrSecretNotFound) {
			t.Errorf("version 50: %v", err)
		}
	})
}

func TestVaultClientKVv2Versions(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		root := client(t, s, servertest.RootToken)
		kv, ctx := root.KVv2("secret"), t.Context()
		for _, user := range []string{"one", "two", "three"} {
			must[*vault.KVSecret](t)(kv.Put(ctx, "v", map[string]any{"user": user}))
		}
		ok(t, kv.Delete(ctx, "v"))
		gone := must[*vault.KVSecret](t)(kv.Get(ctx, "v"))
		if gone.Data != nil || gone.VersionMetadata.Version != 3 || gone.VersionMetadata.DeletionTime.IsZero() {
			t.Errorf("a deleted version: %+v %+v", gone, gone.VersionMetadata)
		}
		ok(t, kv.Undelete(ctx, "v", []int{3}))
		same(t, "undeleted", must[*vault.KVSecret](t)(kv.Get(ctx, "v")).Data, map[string]any{"user": "three"})
		ok(t, kv.DeleteVersions(ctx, "v", []int{1, 3}))
		ok(t, kv.Destroy(ctx, "v", []int{3}))
		list := must[[]vault.KVVersionMetadata](t)(kv.GetVersionsAsList(ctx, "v"))
		if len(list) != 3 || list[0].DeletionTime.IsZero() || !list[1].DeletionTime.IsZero() || !list[2].Destroyed {
			t.Errorf("versions: %+v", list)
		}
		ok(t, kv.Undelete(ctx, "v", []int{3}))
		if d := must[*vault.KVSecret](t)(kv.Get(ctx, "v")); d.Data != nil || !d.VersionMetadata.Destroyed {
			t.Errorf("a destroyed version came back: %+v", d)
		}
		back := must[*vault.KVSecret](t)(kv.Rollback(ctx, "v", 2))
		same(t, "rolled back to a new version", back.VersionMetadata.Version, 4)
		same(t, "rolled back", must[*vault.KVSecret](t)(kv.Get(ctx, "v")).Data, map[string]any{"user": "two"})
		if _, err := kv.Rollback(ctx, "v", 3); err == nil {
			t.Error("rolled back to a destroyed version")
		}
		ok(t, kv.DeleteMetadata(ctx, "v"))
		if _, err := kv.GetMetadata(ctx, "v"); !errors.Is(err, vault.ErrSecretNotFound) {
			t.Errorf("metadata after its end: %v", err)
		}
	})
}

func TestVaultClientKVv2Metadata(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		root := client(t, s, servertest.RootToken)
		kv, ctx := root.KVv2("secret"), t.Context()
		must[*vault.KVSecret](t)(kv.Put(ctx, "m", map[string]any{"a": "b"}))
		ok(t, kv.PutMetadata(ctx, "m", vault.KVMetadataPutInput{
			CASRequired: true, MaxVersions: 4, DeleteVersionAfter: 90 * time.Minute, CustomMetadata: map[string]any{"owner": "ops", "tier": "1"},
		}))
		m := must[*vault.KVMetadata](t)(kv.GetMetadata(ctx, "m"))
		if !m.CASRequired || m.MaxVersions != 4 || m.DeleteVersionAfter != 90*time.Minute || m.CurrentVersion != 1 || m.OldestVersion != 0 || len(m.Versions) != 1 {
			t.Errorf("metadata: %+v", m)
		}
		same(t, "custom metadata", m.CustomMetadata, map[string]any{"owner": "ops", "tier": "1"})
		_, err := kv.Put(ctx, "m", map[string]any{"a": "c"})
		refused(t, err, 400, "check-and-set parameter required for this call")

		no, two, none := false, 2, time.Duration(0)
		ok(t, kv.PatchMetadata(ctx, "m", vault.KVMetadataPatchInput{
			CASRequired: &no, MaxVersions: &two, DeleteVersionAfter: &none, CustomMetadata: map[string]any{"owner": nil, "team": "red"},
		}))
		m = must[*vault.KVMetadata](t)(kv.GetMetadata(ctx, "m"))
		if m.CASRequired || m.MaxVersions != 2 || m.DeleteVersionAfter != 0 {
			t.Errorf("patched metadata: %+v", m)
		}
		same(t, "patched custom metadata", m.CustomMetadata, map[string]any{"team": "red", "tier": "1"})
		for range 3 {
			must[*vault.KVSecret](t)(kv.Put(ctx, "m", map[string]any{"a": "d"}))
		}
		m = must[*vault.KVMetadata](t)(kv.GetMetadata(ctx, "m"))
		if len(m.Versions) != 2 || m.CurrentVersion != 4 || m.OldestVersion != 3 {
			t.Errorf("after more writes: %+v", m)
		}
		same(t, "on the secret", must[*vault.KVSecret](t)(kv.Get(ctx, "m")).CustomMetadata, map[string]any{"team": "red", "tier": "1"})
	})
}

func TestVaultClientLogical(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		l, ctx := client(t, s, servertest.RootToken).Logical(), t.Context()
		must[*vault.Secret](t)(l.Write("cubbyhole/x", map[string]any{"a": "b"}))
		got := must[*vault.Secret](t)(l.Read("cubbyhole/x"))
		same(t, "data", got.Data, map[string]any{"a": "b"})
		if got.RequestID == "" || got.LeaseID != "" || got.Renewable {
			t.Errorf("the envelope: %+v", got)
		}
		same(t, "list", must[*vault.Secret](t)(l.List("cubbyhole")).Data["keys"], []any{"x"})
		must[*vault.Secret](t)(l.Delete("cubbyhole/x"))
		if none := must[*vault.Secret](t)(l.Read("cubbyhole/x")); none != nil {
			t.Errorf("what is not there reads as %v", none)
		}
		must[*vault.Secret](t)(l.WriteBytes("secret/data/raw", []byte(`{"data":{"a":"<&>"}}`)))
		must[*vault.Secret](t)(l.WriteBytes("secret/data/raw", []byte(`{"data":{"a":"2"}}`)))
		one := must[*vault.Secret](t)(l.ReadWithData("secret/data/raw", map[string][]string{"version": {"1"}}))
		same(t, "version 1", one.Data["data"], map[string]any{"a": "<&>"})
		merged := must[*vault.Secret](t)(l.JSONMergePatch(ctx, "secret/data/raw", map[string]any{"data": map[string]any{"b": "3"}}))
		same(t, "merged version", merged.Data["version"], 3)
		must[*vault.Secret](t)(l.DeleteWithData("secret/data/raw", map[string][]string{"x": {"y"}}))
		deleted := must[*vault.Secret](t)(l.Read("secret/data/raw"))
		if deleted == nil || deleted.Data["data"] != nil || deleted.Data["metadata"] == nil {
			t.Errorf("a deleted version keeps its metadata: %+v", deleted)
		}
		wrong := must[*vault.Secret](t)(l.Read("secret/raw"))
		if wrong == nil || len(wrong.Warnings) != 1 {
			t.Errorf("a version 1 path on version 2 warns: %+v", wrong)
		}
		_, err := l.Write("secret/data/raw", map[string]any{"dat": 1})
		refused(t, err, 400, "no data provided")
		resp := must[*vault.Response](t)(l.ReadRawWithData("secret/data/raw", map[string][]string{"version": {"2"}}))
		_ = resp.Body.Close()
		same(t, "raw status", resp.StatusCode, 200)
	})
}
