// node-vault against a running server. The Go test beside it starts the server
// and gives its address, a root token and two JWTs in the environment.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import vault from 'node-vault';

const { JOTGATE_URL: endpoint, JOTGATE_ROOT: rootToken, JOTGATE_JWT: jwt, JOTGATE_BAD_JWT: badJWT } = process.env;
// A new client for each call: one takes over every token that an answer holds.
const root = () => vault({ endpoint, token: rootToken });

async function login() {
  const client = vault({ endpoint });
  const answer = await client.jwtLogin({ role: 'demo', jwt });
  assert.equal(client.token, answer.auth.client_token);
  return { client, auth: answer.auth };
}

const refused = (status, text) => (err) => {
  assert.equal(err.response?.statusCode, status, err.message);
  assert.match(err.message, text);
  return true;
};

test('status calls work without a token', async () => {
  const anyone = vault({ endpoint });
  assert.equal((await anyone.initialized()).initialized, true);
  assert.equal((await anyone.status()).sealed, false);
  const health = await anyone.health();
  assert.equal(health.initialized, true);
  assert.equal(health.sealed, false);
  assert.ok(Math.abs(health.server_time_utc - Date.now() / 1000) < 60);
  assert.equal(typeof (await anyone.leader()).ha_enabled, 'boolean');
});

test('a JWT opens what its role allows and nothing else', async () => {
  const { client, auth } = await login();
  assert.deepEqual(auth.policies, ['app', 'default']);
  assert.equal(auth.lease_duration, 3600);
  const secret = await client.read('secret/data/app/db');
  assert.deepEqual(secret.data.data, { user: 'alice', password: 'pa55' });
  await client.write('secret/data/app/node', { data: { a: 1 } });
  await client.update('secret/data/app/node', { data: { b: 'ü' } });
  assert.deepEqual((await client.read('secret/data/app/node')).data.data, { a: 1, b: 'ü' });
  assert.deepEqual((await client.list('secret/metadata/app')).data.keys, ['db', 'node']);
  await client.delete('secret/data/app/node');
  await assert.rejects(client.read('secret/data/app/node'), refused(404, /404/));
  await assert.rejects(client.read('secret/data/other'), refused(403, /permission denied/));
  await assert.rejects(client.mounts(), refused(403, /permission denied/));
});

test('a list without the LIST verb works', async () => {
  const client = vault({ endpoint, token: rootToken, noCustomHTTPVerbs: true });
  assert.deepEqual((await client.list('secret/metadata/')).data.keys, ['app/']);
});

test('a JWT that the role does not take is refused', async () => {
  const client = vault({ endpoint });
  await assert.rejects(client.jwtLogin({ role: 'demo', jwt: badJWT }), refused(400, /audience/));
  await assert.rejects(client.jwtLogin({ role: 'none', jwt }), refused(400, /"none"/));
  assert.equal(client.token, undefined);
});

test('a token looks itself up, renews and revokes itself', async () => {
  const { client } = await login();
  const self = await client.tokenLookupSelf();
  assert.equal(self.data.display_name, 'jwt-user-1');
  assert.equal(self.data.type, 'service');
  assert.equal((await client.tokenRenewSelf({ increment: 1800 })).auth.lease_duration, 1800);
  await client.tokenRevokeSelf();
  await assert.rejects(client.tokenLookupSelf(), refused(403, /permission denied/));
});

test('root manages tokens and token roles', async () => {
  const made = (await root().tokenCreate({ policies: ['app'], ttl: '10m', display_name: 'node' })).auth;
  assert.equal((await root().tokenLookup({ token: made.client_token })).data.display_name, 'token-node');
  assert.equal((await root().tokenLookupAccessor({ accessor: made.accessor })).data.id, '');
  assert.equal((await root().tokenRenew({ token: made.client_token, increment: '20m' })).auth.lease_duration, 1200);
  await root().tokenRevokeAccessor({ accessor: made.accessor });
  await assert.rejects(root().tokenLookup({ token: made.client_token }), refused(403, /bad token/));
  assert.ok((await root().tokenAccessors()).data.keys.length > 0);
  await root().addTokenRole({ role_name: 'ci', allowed_policies: 'app', orphan: true });
  assert.deepEqual((await root().tokenRoles()).data.keys, ['ci']);
  assert.deepEqual((await root().getTokenRole({ role_name: 'ci' })).data.allowed_policies, ['app']);
  assert.equal((await root().tokenCreateRole({ role_name: 'ci', policies: ['app'] })).auth.orphan, true);
  await root().removeTokenRole({ role_name: 'ci' });
});

test('automatic renewal renews', async () => {
  const { client } = await login();
  after(() => client.stopTokenRenewal());
  const renewed = new Promise((resolve, reject) => {
    client.once('token:renewed', resolve);
    client.once('token:error:renew', reject);
  });
  const alive = setInterval(() => {}, 1000); // the client's own timer does not keep the process
  await client.startTokenRenewal({ ttl: 1, increment: 900 });
  const answer = await renewed;
  clearInterval(alive);
  assert.equal(answer.auth.lease_duration, 900);
});

test('a wrapped answer is unwrapped once', async () => {
  const wrap = () => root().read('secret/data/app/db', { headers: { 'X-Vault-Wrap-TTL': '60s' } });
  const first = (await wrap()).wrap_info.token;
  const anyone = vault({ endpoint, token: first });
  assert.equal((await anyone.unwrap()).data.data.user, 'alice');
  await assert.rejects(anyone.unwrap(), refused(400, /wrapping token is not valid or does not exist/));
  const second = (await wrap()).wrap_info.token;
  assert.equal((await root().unwrap({ token: second })).data.data.user, 'alice');
  await assert.rejects(root().unwrap({ token: second }), refused(400, /wrapping token is not valid or does not exist/));
});

test('root manages mounts, auth methods and policies', async () => {
  await root().mount({ mount_point: 'kv1', type: 'kv', options: { version: '1' } });
  await root().write('kv1/x', { a: 'b' });
  assert.deepEqual((await root().read('kv1/x')).data, { a: 'b' });
  await root().remount({ from: 'kv1', to: 'kv2' });
  assert.equal((await root().mounts()).data['kv2/'].type, 'kv');
  await root().unmount({ mount_point: 'kv2' });
  await root().enableAuth({ mount_point: 'ci', type: 'jwt' });
  assert.equal((await root().auths()).data['ci/'].type, 'jwt');
  await root().disableAuth({ mount_point: 'ci' });
  const rules = 'path "secret/data/x" { capabilities = ["read"] }';
  await root().addPolicy({ name: 'mine', rules });
  assert.equal((await root().getPolicy({ name: 'mine' })).data.rules, rules);
  assert.ok((await root().policies()).data.policies.includes('mine'));
  await root().removePolicy({ name: 'mine' });
  assert.equal(typeof (await root().audits()).data, 'object');
  assert.ok((await root().help('auth/token/create')).help);
});
