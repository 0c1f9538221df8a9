// Further clients from npm against a running server. @litehex/node-vault holds
// every answer to a schema; hashi-vault-js logs in as a Kubernetes pod does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '@litehex/node-vault';
import HashiVault from 'hashi-vault-js';

const { JOTGATE_URL: endpoint, JOTGATE_ROOT: root, JOTGATE_JWT: jwt, JOTGATE_BAD_JWT: badJWT } = process.env;

// held is the answer of a client that returns its complaints instead of throwing.
async function held(what, call) {
  const { data, error } = await call;
  assert.equal(error, undefined, `${what}: ${JSON.stringify(error)}`);
  assert.notEqual(data, undefined, what);
  return data;
}

test('@litehex/node-vault finds the answers as its schemas say', async () => {
  const c = new Client({ endpoint, token: root });
  const at = { mountPath: 'schemas', path: 'a/b' };
  await held('mount', c.mount({ mountPath: 'schemas', type: 'kv-v2' }));
  for (const [what, call] of [
    ['mounts', c.mounts()], ['engineInfo', c.engineInfo(at)], ['kv2.info', c.kv2.info(at)], ['tune', c.tune(at)],
    ['tuneMount', c.tuneMount({ ...at, description: 'x', default_lease_ttl: 3600 })],
    ['sealStatus', c.sealStatus()], ['health', c.health()], ['initialized', c.initialized()],
    ['root generation', c.getRootGenerationProgress()], ['audit devices', c.listDevices()],
  ]) await held(what, call);

  const { kv2 } = c;
  await held('write', kv2.write({ ...at, data: { x: '1' } }));
  await held('patch', kv2.patch({ ...at, data: { y: 'ü' } }));
  assert.deepEqual((await held('read', kv2.read(at))).data.data, { x: '1', y: 'ü' });
  await held('subkeys', kv2.subKeys(at));
  assert.deepEqual((await held('list', kv2.list({ ...at, path: 'a' }))).data.keys, ['b']);
  await held('write metadata', kv2.writeMetadata({ ...at, max_versions: 3 }));
  await held('patch metadata', kv2.patchMetadata({ ...at, max_versions: 4 }));
  assert.equal((await held('metadata', kv2.readMetadata(at))).data.max_versions, 4);
  await held('delete', kv2.deleteLatest(at));
  await held('undelete', kv2.undelete({ ...at, versions: [2] }));
  await held('destroy', kv2.destroy({ ...at, versions: [1] }));
  await held('delete all', kv2.deleteMetadata(at));
  assert.notEqual((await kv2.read(at)).error, undefined, 'what is deleted reads');
  await held('unmount', c.unmount(at));
});

const vault = () => new HashiVault({ https: false, baseUrl: `${endpoint}/v1`, rootPath: 'secret', timeout: 10_000, proxy: false });

test('hashi-vault-js logs in with a JWT as a pod does, and reads only what it may', async () => {
  const v = vault();
  const { client_token: token, policies } = await v.loginWithK8s('demo', jwt, 'auth/jwt');
  assert.deepEqual(policies, ['app', 'default']);
  assert.equal((await v.readKVSecret(token, 'app/db')).data.user, 'alice');
  await assert.rejects(v.readKVSecret(token, 'other'), (err) => err.response.status === 403);
  await assert.rejects(v.loginWithK8s('demo', badJWT, 'auth/jwt'), (err) => err.response.status === 400);
  assert.deepEqual((await v.sysCapabilitiesSelf(token, ['secret/data/other']))['secret/data/other'], ['deny']);
  assert.equal((await v.renewSelfToken(token, '30m')).lease_duration, 1800);
  await v.revokeSelfToken(token);
  await assert.rejects(v.lookupSelfToken(token), (err) => err.response.status === 403);
});

test('hashi-vault-js keeps versions of a secret', async () => {
  const v = vault();
  assert.equal((await v.createKVSecret(root, 'hv', { a: 1 })).version, 1);
  assert.equal((await v.updateKVSecret(root, 'hv', { a: 2 }, 1)).version, 2);
  await assert.rejects(v.updateKVSecret(root, 'hv', { a: 3 }, 1), (err) => err.response.status === 400);
  assert.deepEqual((await v.readKVSecret(root, 'hv', 1)).data, { a: 1 });
  await v.deleteVersionsKVSecret(root, 'hv', [2]);
  await assert.rejects(v.readKVSecret(root, 'hv'), (err) => err.response.status === 404);
  await v.undeleteVersionsKVSecret(root, 'hv', [2]);
  assert.ok((await v.listKVSecrets(root, '')).keys.includes('hv'));
  await v.eliminateKVSecret(root, 'hv');
});
