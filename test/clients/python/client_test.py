"""hvac, Python's client, against a running server. The Go test beside it starts
the server and gives its address, a root token, two JWTs and the key that signed
them in the environment."""
import os
import unittest
import warnings

import hvac
from hvac import exceptions

URL, ROOT, JWT, BAD_JWT, ISSUER, JWKS = (
    os.environ["JOTGATE_" + n] for n in ("URL", "ROOT", "JWT", "BAD_JWT", "ISSUER", "JWKS"))
AUDIENCE = "https://vault.example.com"


def client(token=ROOT):
    return hvac.Client(url=URL, token=token)


class Hvac(unittest.TestCase):
    def setUp(self):
        warnings.simplefilter("ignore")  # the client's own deprecations

    def login(self):
        c = hvac.Client(url=URL)
        return c, c.auth.jwt.jwt_login(role="demo", jwt=JWT)["auth"]

    def test_status_needs_no_token(self):
        c = hvac.Client(url=URL)
        self.assertTrue(c.sys.is_initialized())
        self.assertFalse(c.sys.is_sealed())
        self.assertEqual(c.sys.read_health_status().status_code, 200)
        self.assertFalse(c.is_authenticated())

    def test_a_jwt_opens_what_its_role_allows_and_nothing_else(self):
        c, auth = self.login()
        self.assertEqual(c.token, auth["client_token"])
        self.assertEqual(auth["policies"], ["app", "default"])
        v2 = c.secrets.kv.v2
        self.assertEqual(v2.read_secret_version("app/db")["data"]["data"]["user"], "alice")
        with self.assertRaises(exceptions.Forbidden):
            v2.read_secret_version("other")
        with self.assertRaises(exceptions.Forbidden):
            c.sys.list_mounted_secrets_engines()
        c.auth.token.renew_self(increment="30m")
        c.auth.token.revoke_self()
        self.assertFalse(c.is_authenticated())
        with self.assertRaisesRegex(exceptions.InvalidRequest, "audience"):
            hvac.Client(url=URL).auth.jwt.jwt_login(role="demo", jwt=BAD_JWT)

    def test_a_jwt_mount_is_made_and_read_back(self):
        c, path = client(), "py/jwt"
        c.sys.enable_auth_method("jwt", path=path, config={"default_lease_ttl": "10m"})
        self.addCleanup(c.sys.disable_auth_method, path)
        c.sys.tune_auth_method(path, max_lease_ttl="2h", listing_visibility="unauth", description="py")
        self.assertEqual(c.sys.read_auth_method_tuning(path)["data"]["max_lease_ttl"], 7200)
        jwt = c.auth.jwt
        jwt.configure(jwks_url=JWKS, bound_issuer=ISSUER, default_role="r", path=path)
        self.assertEqual(jwt.read_config(path=path)["data"]["jwks_url"], JWKS)
        jwt.create_role("r", user_claim="sub", allowed_redirect_uris=[], bound_audiences=[AUDIENCE],
                        role_type="jwt", token_ttl=600, path=path)
        self.assertEqual(jwt.read_role("r", path=path)["data"]["token_ttl"], 600)
        self.assertEqual(jwt.list_roles(path=path)["data"]["keys"], ["r"])
        # hvac sends the role that it was not given as null: the default role.
        auth = jwt.jwt_login(role=None, jwt=JWT, use_token=False, path=path)["auth"]
        self.assertEqual((auth["lease_duration"], auth["metadata"]["role"]), (600, "r"))
        jwt.delete_role("r", path=path)
        with self.assertRaises(exceptions.InvalidPath):
            jwt.read_role("r", path=path)

    def test_secrets_have_versions(self):
        v2 = client().secrets.kv.v2
        v2.create_or_update_secret("py/a", {"n": 1}, cas=0)
        with self.assertRaisesRegex(exceptions.InvalidRequest, "check-and-set"):
            v2.create_or_update_secret("py/a", {"n": 2}, cas=0)
        v2.patch("py/a", {"m": "ü"})
        self.assertEqual(v2.read_secret_version("py/a")["data"]["data"], {"n": 1, "m": "ü"})
        self.assertEqual(v2.list_secrets("py")["data"]["keys"], ["a"])
        v2.delete_latest_version_of_secret("py/a")
        with self.assertRaises(exceptions.InvalidPath):
            v2.read_secret_version("py/a")
        v2.undelete_secret_versions("py/a", [2])
        v2.destroy_secret_versions("py/a", [1])
        v2.update_metadata("py/a", max_versions=4, delete_version_after="3h")
        self.assertTrue(v2.read_secret_metadata("py/a")["data"]["versions"]["1"]["destroyed"])
        v2.delete_metadata_and_all_versions("py/a")
        with self.assertRaises(exceptions.InvalidPath):
            v2.patch("py/a", {"m": 1})

    def test_a_plain_mount_moves(self):
        c = client()
        c.sys.enable_secrets_engine("kv", path="py1", options={"version": "1"})
        c.secrets.kv.v1.create_or_update_secret("x/y", {"a": "b"}, mount_point="py1")
        c.sys.move_backend("py1", "py2")
        self.addCleanup(c.sys.disable_secrets_engine, "py2")
        self.assertEqual(c.secrets.kv.v1.read_secret("x/y", mount_point="py2")["data"], {"a": "b"})
        self.assertEqual(c.sys.retrieve_mount_option("py2", "version"), "1")

    def test_tokens_and_wrapping(self):
        c = client()
        made = c.auth.token.create(policies=["app"], ttl="1h", meta={"k": "v"})["auth"]
        self.assertEqual(c.auth.token.lookup(made["client_token"])["data"]["meta"], {"k": "v"})
        self.assertEqual(c.sys.get_capabilities(["sys/raw"], accessor=made["accessor"])["capabilities"], ["deny"])
        c.auth.token.revoke_accessor(made["accessor"])
        with self.assertRaises(exceptions.Forbidden):
            c.auth.token.lookup(made["client_token"])
        wrapped = c.auth.token.create(policies=["app"], wrap_ttl="60s")["wrap_info"]["token"]
        stranger = client(wrapped)
        self.assertEqual(stranger.sys.unwrap()["auth"]["policies"], ["app", "default"])
        with self.assertRaises((exceptions.InvalidRequest, exceptions.Forbidden)):
            stranger.sys.unwrap()

    def test_entities_and_groups(self):
        c = client()
        identity = c.secrets.identity
        accessor = c.sys.list_auth_methods()["data"]["jwt/"]["accessor"]
        entity = identity.create_or_update_entity("py", metadata={"a": "b"}, policies=["app"])["data"]["id"]
        alias = identity.create_or_update_entity_alias("py-user", canonical_id=entity, mount_accessor=accessor)["data"]["id"]
        found = identity.lookup_entity(alias_name="py-user", alias_mount_accessor=accessor)
        self.assertEqual(found["data"]["id"], entity)
        group = identity.create_or_update_group("py-group", member_entity_ids=[entity])["data"]["id"]
        self.assertEqual(identity.read_entity(entity)["data"]["group_ids"], [group])
        identity.delete_group(group)
        identity.delete_entity_alias(alias)
        identity.delete_entity(entity)
        with self.assertRaises(exceptions.InvalidPath):
            identity.read_entity(entity)

    def test_leases_policies_and_keys(self):
        c = client()
        self.login()
        keys = c.sys.list_leases("auth/jwt/login")["data"]["keys"]
        self.assertTrue(c.sys.read_lease("auth/jwt/login/" + keys[0])["data"]["renewable"])
        c.sys.create_or_update_policy("py", {"path": {"secret/*": {"capabilities": ["read"]}}})
        self.assertIn("secret/*", c.get_policy("py", parse=True)["path"])
        c.sys.delete_policy("py")
        term = c.sys.get_encryption_key_status()["data"]["term"]
        c.sys.rotate_encryption_key()
        self.assertEqual(c.key_status["term"], term + 1)
        c.sys.revoke_prefix("auth/jwt/login")


if __name__ == "__main__":
    unittest.main()
