// Drives a running server with the vendor's own generated client. Every method
// of the client is called; what the server offers must succeed once and fail
// once, what it does not offer must answer 501. The exit status says whether
// all of it held.
import assert from 'node:assert/strict';
import client from '@piiano/vault-client';

const { VaultClient } = client;
const vaultURL = process.env.JOTGATE_URL;
const as = (apiKey) => new VaultClient({ vaultURL, apiKey });
const called = { ok: new Set(), failed: new Set(), later: new Set() };

// watch remembers which methods were called and how it went.
function watch(vault) {
  const services = {};
  for (const [name, service] of Object.entries(vault)) {
    services[name] = new Proxy(service, {
      get: (target, method) => typeof target[method] !== 'function' ? target[method] : async (...args) => {
        const id = `${name}.${method}`;
        try {
          const out = await target[method](...args);
          called.ok.add(id);
          return out;
        } catch (e) {
          (e.status === 501 ? called.later : called.failed).add(id);
          throw e;
        }
      },
    });
  }
  return services;
}

async function refused(promise, status, code, check = () => {}) {
  try {
    await promise;
  } catch (e) {
    assert.equal(e.status, status, `${e.url}: ${JSON.stringify(e.body)}`);
    assert.equal(e.body.error_code, code, JSON.stringify(e.body));
    assert.equal(typeof e.body.message, 'string');
    assert.equal(typeof e.body.context, 'object');
    check(e.body);
    return;
  }
  assert.fail(`wanted ${status} ${code}, got success`);
}

const reason = 'AppFunctionality';
const collection = 'buyers';
const c = { collection, reason };
const missing = '11111111-1111-4111-8111-111111111111';
const v = watch(as('pvaultauth'));
const stranger = watch(as('0b8f9c9e-6f57-4f7e-9d9e-d53a3b0f7f10'));
const none = watch(as(process.env.JOTGATE_JWT_NOBODY));

async function system() {
  assert.deepEqual(await v.system.dataHealth(), { status: 'pass' });
  assert.deepEqual(await v.system.controlHealth(), { status: 'pass' });
  const version = await v.system.getVaultVersion();
  assert.match(version.vault_id, /^[0-9]+$/);
  assert.equal(typeof version.db_schema_version, 'number');
  await refused(stranger.system.getVaultVersion(), 401, 'PV1005', (b) => assert.deepEqual(b.context, {}));
  assert.ok((await v.system.getClusterInfo()).workers.length > 0);
  assert.equal((await v.system.getKms()).kms.status, 'pass');
  assert.ok('expiration' in await v.system.getLicense());
  assert.match(await v.system.getConfiguration(), /\[service\]\nadmin_api_key = '\*+'\nadmin_may_read_data = true/);
  await v.system.rotateKeys();
  assert.deepEqual(await v.system.garbageCollection({ reason, dryRun: true }), []);
  await refused(v.system.garbageCollection({}), 400, 'PV1001');
  for (const m of ['getClusterInfo', 'getKms', 'getLicense', 'getConfiguration', 'rotateKeys', 'garbageCollection']) {
    await refused(none.system[m]({ reason }), 403, 'PV1007');
  }
  for (const [m, a] of [['setLicense', { requestBody: { key: 'x' } }], ['getExportKey', {}], ['triggerError', { requestBody: {} }]]) {
    await refused(v.system[m](a), 501, 'PV2001');
  }
  await v.configVars.setConfVar({ name: 'log_level', requestBody: { value: 'warn' } });
  assert.equal((await v.configVars.getConfVar({ name: 'log_level' })).value, 'warn');
  await v.configVars.clearAllConfVars();
  await refused(v.configVars.getConfVar({ name: 'nope' }), 404, 'PV1004');
  await refused(v.configVars.setConfVar({ name: 'log_level', requestBody: { value: 'x' } }), 400, 'PV1012');
  await refused(none.configVars.clearAllConfVars(), 403, 'PV1007');
}

async function iam() {
  const text = await v.iam.getIamConf();
  assert.equal(typeof text, 'string');
  await v.iam.setIamConf({ requestBody: text });
  assert.equal(await v.iam.getIamConf(), text);
  await refused(v.iam.setIamConf({ requestBody: 'nonsense = 1' }), 400, 'PV1012');
  await refused(none.iam.getIamConf(), 403, 'PV1007');
  const key = await v.iam.regenerateUserApiKey({ requestBody: { name: 'VaultAdmin' } });
  await as(key.api_key).system.getVaultVersion();
  const again = await v.iam.regenerateUserApiKey({ requestBody: { name: 'VaultAdmin' } });
  await refused(as(key.api_key).system.getVaultVersion(), 401, 'PV1005');
  await v.iam.updateApiKeyExpiration({ requestBody: { name: 'VaultAdmin', expiration_secs: 3600 } });
  const user = await v.iam.getUser({ user: 'VaultAdmin' });
  assert.ok(new Date(user.api_key.expiry) - Date.now() < 3700e3);
  await refused(v.iam.getUser({ user: 'Nobody' }), 404, 'PV1004');
  await refused(v.iam.updateApiKeyExpiration({ requestBody: { name: 'Nobody', expiration_secs: 1 } }), 404, 'PV1004');
  await refused(v.iam.regenerateUserApiKey({ requestBody: { name: 'Admin' } }), 403, 'PV2021');
  await refused(watch(as(again.api_key)).iam.setAdminApiKey({ requestBody: { key: 'Abcdefgh12345678' } }), 403, 'PV1007');
}

const email = { name: 'email', data_type_name: 'EMAIL', is_unique: true };
const props = [
  email,
  { name: 'name', data_type_name: 'NAME', is_substring_index: true, is_nullable: true },
  { name: 'user_id', data_type_name: 'STRING', is_index: true, is_nullable: true },
  { name: 'ssn', data_type_name: 'SSN', is_nullable: true },
];

async function collections() {
  const made = await v.collections.addCollection({ requestBody: { name: collection, type: 'PERSONS', properties: props } });
  assert.equal(made.properties.length, 4);
  await refused(v.collections.addCollection({ requestBody: { name: collection, type: 'PERSONS', properties: [] } }), 409, 'PV3218');
  await v.collections.addCollection({ format: 'pvschema', requestBody: 'other DATA (x STRING);' });
  assert.match(await v.collections.getCollection({ collection: 'other', format: 'pvschema' }), /^other DATA \(\n {2}x STRING\n\);/);
  assert.equal((await v.collections.listCollections({})).length, 2);
  await refused(v.collections.getCollection({ collection: 'nope' }), 404, 'PV1004');
  await refused(none.collections.listCollections({}), 403, 'PV1007');
  const more = { name: 'note', data_type_name: 'STRING', is_nullable: true };
  await v.collections.updateCollection({ collection, requestBody: { name: collection, type: 'PERSONS', properties: [more] } });
  await refused(v.collections.updateCollection({ collection, requestBody: { name: 'x', type: 'PERSONS', properties: [] } }), 400, 'PV1012');
  await v.collections.deleteCollection({ collection: 'other' });
  await refused(v.collections.deleteCollection({ collection: 'other' }), 404, 'PV1004');

  const p = v.collectionProperties;
  assert.equal((await p.listCollectionProperties({ collection, options: ['show_builtins'] })).length, 12);
  await refused(p.listCollectionProperties({ collection: 'nope' }), 404, 'PV1004');
  await p.addCollectionProperty({ collection, property: 'tmp', requestBody: { ...more, name: 'tmp' } });
  await refused(p.addCollectionProperty({ collection, property: 'tmp', requestBody: { ...more, name: 'tmp' } }), 409, 'PV3218');
  assert.equal((await p.updateCollectionProperty({ collection, property: 'tmp', requestBody: { description: 'd' } })).description, 'd');
  await refused(p.updateCollectionProperty({ collection, property: 'email', requestBody: { is_substring_index: true } }), 400, 'PV1012');
  assert.equal((await p.getCollectionProperty({ collection, property: 'tmp' })).name, 'tmp');
  await p.deleteCollectionProperty({ collection, property: 'tmp' });
  await refused(p.getCollectionProperty({ collection, property: 'tmp' }), 404, 'PV3004');
  await refused(p.deleteCollectionProperty({ collection, property: 'tmp' }), 404, 'PV3004');

  const t = v.customDataTypes;
  await t.addDataType({ requestBody: { name: 'WORK_EMAIL', base_type_name: 'EMAIL' } });
  await refused(t.addDataType({ requestBody: { name: 'WORK_EMAIL', base_type_name: 'EMAIL' } }), 409, 'PV3218');
  assert.equal((await t.getDataType({ type: 'WORK_EMAIL' })).base_type_name, 'EMAIL');
  assert.equal((await t.listDataTypes({})).length, 1);
  await refused(none.customDataTypes.listDataTypes({}), 403, 'PV1007');
  await refused(t.updateDataType({ type: 'WORK_EMAIL', requestBody: {} }), 501, 'PV2001');
  await t.deleteDataType({ type: 'WORK_EMAIL' });
  await refused(t.deleteDataType({ type: 'WORK_EMAIL' }), 404, 'PV1004');
  await refused(t.getDataType({ type: 'WORK_EMAIL' }), 404, 'PV1004');
}

async function objects() {
  const o = v.objects;
  const { id } = await o.addObject({ ...c, requestBody: { email: 'A@b.c', name: 'Ann A', user_id: 'u1', ssn: '123-45-6789', _tenant_id: 't1' } });
  await refused(o.addObject({ ...c, requestBody: { email: 'a@b.c' } }), 409, 'PV3218');
  await refused(o.addObject({ ...c, requestBody: { email: 'secret' } }), 400, 'PV3003', (b) => assert.ok(!JSON.stringify(b).includes('secret')));
  assert.deepEqual(await o.getObjectById({ ...c, id, props: ['email', 'ssn.mask'], xTenantId: ['t1'] }), { email: 'a@b.c', 'ssn.mask': '***-**-6789' });
  await refused(o.getObjectById({ ...c, id: missing, props: ['email'] }), 404, 'PV3005', (b) => assert.equal(b.context.ids, missing));
  await refused(o.getObjectById({ ...c, id, props: ['email'], xTenantId: ['t2'] }), 403, 'PV1006');
  await o.updateObjectById({ ...c, id, requestBody: { name: 'Ann B' } });
  await refused(o.updateObjectById({ ...c, id: missing, requestBody: { name: 'x' } }), 404, 'PV3005');
  const bulk = await o.addObjects({ ...c, requestBody: [{ email: 'b@b.c', user_id: 'u2' }, { email: 'c@b.c', user_id: 'u2' }] });
  assert.ok(bulk.ok && bulk.results.length === 2);
  const bad = await o.addObjects({ ...c, requestBody: [{ email: 'd@b.c' }, { email: 'b@b.c' }] });
  assert.ok(!bad.ok && bad.results[1].error.error_code === 'PV3218');
  await refused(o.addObjects({ ...c, requestBody: [] }), 400, 'PV1012');
  await o.updateObjects({ ...c, requestBody: bulk.results.map((r) => ({ id: r.id, name: 'Bob' })) });
  await refused(none.objects.updateObjects({ ...c, requestBody: [{ id, name: 'x' }] }), 403, 'PV1007');
  let page = await o.listObjects({ ...c, pageSize: 2, options: ['unsafe'] });
  assert.equal(page.results.length, 2);
  assert.equal(page.paging.remaining_count, 1);
  page = await o.listObjects({ ...c, pageSize: 2, options: ['unsafe'], cursor: page.paging.cursor });
  assert.deepEqual([page.results.length, page.paging.remaining_count, page.paging.cursor], [1, 0, '']);
  assert.equal((await o.listObjects({ ...c, ids: [id], props: ['email'] })).results[0].email, 'a@b.c');
  await refused(o.listObjects({ ...c }), 400, 'PV1012');
  const find = (requestBody) => o.searchObjects({ ...c, props: ['email'], requestBody });
  assert.equal((await find({ match: { user_id: 'u2' } })).results.length, 2);
  assert.equal((await find({ in: { email: ['a@b.c', 'b@b.c'] }, like: { name: '*ann*' } })).results.length, 1);
  await refused(find({ match: { ssn: '123-45-6789' } }), 400, 'PV3003');
  assert.deepEqual(await o.getObjectsCount({ ...c }), { active: 3, archived: 0, total: 3 });
  await refused(o.getObjectsCount({ collection }), 400, 'PV1001');
  await o.deleteObjectById({ ...c, id: bulk.results[0].id });
  await refused(o.deleteObjectById({ ...c, id: bulk.results[0].id }), 404, 'PV3005');
  assert.ok((await o.deleteObjects({ ...c, requestBody: [{ id: bulk.results[1].id }] })).ok);
  await refused(none.objects.deleteObjects({ ...c, requestBody: [{ id }] }), 403, 'PV1007');
  return id;
}

async function tokens(id) {
  const t = v.tokens;
  const [a, b] = await t.tokenize({ ...c, transactionId: 'tx', requestBody: [
    { type: 'pci', object: { id }, props: ['ssn'], tags: ['x'] },
    { type: 'randomized', object: { request_index: 0 }, props: ['email'], tags: ['y'] },
  ] });
  await refused(t.tokenize({ ...c, requestBody: [{ type: 'pci', object: { id: missing } }] }), 404, 'PV3005');
  const [plain] = await t.detokenize({ ...c, tokenIds: [a.token_id], options: ['include_metadata'] });
  assert.equal(plain.fields.ssn, '123-45-6789');
  assert.equal(plain.metadata.tokens[0].object_id, id);
  await refused(t.detokenize({ ...c }), 400, 'PV1012');
  assert.equal((await t.searchTokens({ ...c, requestBody: { tags: ['y'] } }))[0].token_id, b.token_id);
  await refused(t.searchTokens({ ...c, requestBody: {} }), 400, 'PV1012');
  assert.equal((await t.getTokensCount({ ...c })).active, 2);
  await refused(none.tokens.getTokensCount({ ...c }), 403, 'PV1007');
  assert.equal((await t.getByTransactionId({ ...c, id: 'tx' })).ref_ids.length, 2);
  await refused(none.tokens.getByTransactionId({ ...c, id: 'tx' }), 403, 'PV1007');
  await t.updateTokens({ ...c, tokenIds: [a.token_id], requestBody: { tags: ['z'] } });
  await refused(t.updateTokens({ ...c, tokenIds: ['nope'], requestBody: { tags: ['z'] } }), 404, 'PV3009');
  const rotated = await t.rotateTokens({ ...c, tokenIds: [a.token_id] });
  assert.deepEqual(await t.detokenize({ ...c, tokenIds: [a.token_id] }), []);
  await refused(t.rotateTokens({ ...c, tokenIds: [a.token_id] }), 404, 'PV3087');
  await t.deleteTokens({ ...c, tokenIds: [rotated[a.token_id]] });
  await refused(t.deleteTokens({ ...c, tokenIds: [a.token_id] }), 404, 'PV3009');
  await refused(t.exportTokens({ ...c }), 501, 'PV2001');
  await refused(t.importTokens({ ...c, exportKey: 'k', requestBody: [] }), 501, 'PV2001');
}

async function crypto(id) {
  const k = v.crypto;
  const [r, d] = await k.encrypt({ ...c, requestBody: [{ object: { id }, props: ['email'] }, { type: 'deterministic', object: { fields: { email: 'x@b.c' } } }] });
  await refused(k.encrypt({ ...c, requestBody: [] }), 400, 'PV1012');
  const open = (ciphertext, scope) => k.decrypt({ ...c, options: ['include_metadata'], requestBody: [{ encrypted_object: { ciphertext, scope } }] });
  assert.equal((await open(r.ciphertext))[0].fields.email, 'a@b.c');
  assert.equal((await open(d.ciphertext))[0].metadata.type, 'deterministic');
  await refused(open(r.ciphertext, 'other'), 400, 'PV3003');
  const [n] = await k.updateEncrypted({ ...c, requestBody: [{ encrypted_object: { ciphertext: d.ciphertext }, fields: { name: 'Zed' } }] });
  assert.deepEqual((await open(n.ciphertext))[0].fields, { email: 'x@b.c', name: 'Zed' });
  await refused(k.updateEncrypted({ ...c, requestBody: [{ encrypted_object: { ciphertext: 'AAAA' }, fields: { name: 'Z' } }] }), 400, 'PV3003');
  const [h] = await k.hashObjects({ ...c, requestBody: [{ object: { id }, props: ['email'] }] });
  const [det] = await v.tokens.tokenize({ ...c, requestBody: [{ type: 'deterministic', object: { id }, props: ['email'] }] });
  assert.equal(h.token_id, det.token_id);
  await refused(k.hashObjects({ ...c, requestBody: [{ object: { fields: { email: 'bad' } } }] }), 400, 'PV3003');
  await refused(k.encryptBlob({ ...c, prop: 'email', requestBody: 'x' }), 501, 'PV2001');
  await refused(k.decryptBlob({ ...c, prop: 'email', requestBody: 'x' }), 501, 'PV2001');
}

async function later() {
  for (const [s, m, a] of [
    ['bundles', 'listBundles', {}], ['bundles', 'addBundle', { requestBody: {} }], ['bundles', 'getBundle', { bundle: 'b' }],
    ['bundles', 'updateBundle', { bundle: 'b', requestBody: {} }], ['bundles', 'deleteBundle', { bundle: 'b' }],
    ['actions', 'listActions', {}], ['actions', 'addAction', { requestBody: {} }], ['actions', 'getActionByName', { action: 'a' }],
    ['actions', 'deleteAction', { action: 'a' }], ['actions', 'invokeAction', { action: 'a', reason, requestBody: {} }],
    ['actions', 'invokeHttpCallAction', { reason, requestBody: {} }],
  ]) await refused(v[s][m](a), 501, 'PV2001');
}

// narrowed: a JWT with a namespace claim sees its own rows and no others.
async function narrowed(foreign) {
  const alice = watch(as(process.env.JOTGATE_JWT_ALICE));
  const { id } = await alice.objects.addObject({ ...c, requestBody: { email: 'alice@b.c', user_id: 'alice', name: 'Alice' } });
  assert.equal((await alice.objects.listObjects({ ...c, props: ['email'] })).results.length, 1);
  assert.equal((await alice.objects.getObjectsCount({ ...c })).total, 1);
  await refused(alice.objects.getObjectById({ ...c, id: foreign, props: ['email'] }), 403, 'PV1006');
  await refused(alice.objects.addObject({ ...c, requestBody: { email: 'm@b.c', user_id: 'mallory' } }), 403, 'PV1006');
  await refused(alice.tokens.tokenize({ ...c, requestBody: [{ type: 'pci', object: { id: foreign } }] }), 403, 'PV1006');
  await refused(as(process.env.JOTGATE_JWT_EXPIRED).system.getVaultVersion(), 401, 'PV1005', (b) => assert.equal(b.context.jwt_error, 'expired'));
  await alice.objects.deleteObjectById({ ...c, id });
}

await system();
await iam();
await collections();
const id = await objects();
await tokens(id);
await crypto(id);
await later();
await narrowed(id);
await v.iam.setAdminApiKey({ requestBody: { key: 'Abcdefgh12345678' } });
await refused(v.system.getVaultVersion(), 401, 'PV1005');

const public_ = new Set(['system.dataHealth', 'system.controlHealth']); // cannot fail
for (const [name, service] of Object.entries(as('x'))) {
  if (name === 'request') continue;
  for (const method of Object.getOwnPropertyNames(Object.getPrototypeOf(service))) {
    const m = `${name}.${method}`;
    if (method === 'constructor' || called.later.has(m)) continue;
    assert.ok(called.ok.has(m), `${m} never succeeded`);
    assert.ok(called.failed.has(m) || public_.has(m), `${m} never failed`);
  }
}
console.log(`${called.ok.size} methods succeeded, ${called.failed.size} failed as they should, ${called.later.size} answered 501`);
