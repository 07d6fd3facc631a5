// HubSpot's own client against the sandbox: what it reads of each answer.
// node hubspot.cjs BASE_URL TOKEN CONTROL_URL

const assert = require("node:assert/strict");
const { Client } = require("@hubspot/api-client");
const { order, refusal, run } = require("./common.cjs");

const [, , basePath, accessToken, control] = process.argv;

const client = (token) => new Client({ accessToken: token, basePath, numberOfApiRetries: 0 });

const input = (id, properties) => ({
  id,
  idProperty: "wa_id",
  objectWriteTraceId: `trace-${id}`,
  properties: { wa_id: id, ...properties },
});

async function main() {
  const stranger = await refusal(client("another").crm.contacts.basicApi.getById("1"));
  assert.equal(stranger.code, 401);
  assert.equal(stranger.body.category, "INVALID_AUTHENTICATION");

  const { contacts, properties } = client(accessToken).crm;
  const unique = await properties.coreApi.getByName("contacts", "wa_id");
  assert.equal(unique.hasUniqueValue, true);
  const made = await properties.coreApi.create("contacts", {
    name: "made_by_the_sdk",
    label: "Made by the SDK",
    type: "string",
    fieldType: "text",
    groupName: "contactinformation",
    hasUniqueValue: false,
  });
  assert.equal(made.name, "made_by_the_sdk");

  const created = await contacts.batchApi.upsert({
    inputs: [input("1", { firstname: "Ann", phone: "+1" }), input("2", { firstname: "Bob" })],
  });
  assert.equal(created.status, "COMPLETE");
  assert.deepEqual(created.results.map((result) => result._new), [true, true]);
  assert.deepEqual(created.results.map((result) => result.objectWriteTraceId), ["trace-1", "trace-2"]);
  assert.ok(created.completedAt instanceof Date);

  // One alone, and null and "" of it: nothing, and cleared.
  const updated = await contacts.batchApi.upsert({
    inputs: [input("1", { made_by_the_sdk: "x", phone: "" })],
  });
  assert.equal(updated.results[0]._new, false);
  assert.equal(updated.results[0].id, created.results[0].id);

  const found = await contacts.basicApi.getById(
    "1",
    ["firstname", "phone", "made_by_the_sdk"],
    undefined,
    undefined,
    false,
    "wa_id",
  );
  assert.equal(found.id, created.results[0].id);
  assert.equal(found.properties.firstname, "Ann");
  // The OpenAPI document leaves an empty property out; portals have been seen to answer null.
  assert.equal(found.properties.phone ?? null, null);
  assert.equal(found.properties.made_by_the_sdk, "x");
  const absent = await refusal(
    contacts.basicApi.getById("3", undefined, undefined, undefined, false, "wa_id"),
  );
  assert.equal(absent.code, 404);

  // One bad record of two.
  const partly = await contacts.batchApi.upsert({
    inputs: [input("3", { hs_lead_status: "NO_SUCH" }), input("4", { hs_lead_status: "NEW" })],
  });
  assert.equal(partly.numErrors, 1);
  assert.equal(partly.results.length, 1);
  assert.deepEqual(partly.errors[0].context.objectWriteTraceId, ["trace-3"]);
  assert.equal(partly.errors[0].category, "VALIDATION_ERROR");

  const twice = await refusal(contacts.batchApi.upsert({ inputs: [input("5"), input("5")] }));
  assert.equal(twice.code, 400);
  assert.equal(twice.body.category, "VALIDATION_ERROR");

  // Several at once, and by what they hold.
  const read = await contacts.batchApi.read({
    idProperty: "wa_id",
    inputs: [{ id: "1" }, { id: "2" }, { id: "none" }],
    properties: ["firstname"],
    propertiesWithHistory: [],
  });
  assert.deepEqual(read.results.map((contact) => contact.properties.firstname).sort(), ["Ann", "Bob"]);
  const search = await contacts.searchApi.doSearch({
    filterGroups: [{ filters: [{ propertyName: "firstname", operator: "EQ", value: "bob" }] }],
    properties: ["wa_id"],
    limit: 10,
  });
  assert.equal(search.total, 1);
  assert.equal(search.results[0].properties.wa_id, "2");

  // A refresh token for an access token that is taken.
  const refresh = (secret) =>
    new Client({ basePath }).oauth.tokensApi.create(
      "refresh_token",
      undefined,
      undefined,
      "sdk-app",
      secret,
      "sdk-refresh",
    );
  const granted = await refresh("sdk-secret");
  assert.equal(granted.tokenType, "bearer");
  const own = await client(granted.accessToken).crm.contacts.basicApi.getById(created.results[0].id);
  assert.equal(own.id, created.results[0].id);
  assert.equal((await refusal(refresh("another"))).code, 400);

  await order(control, { endpoint: "hubspot_upsert", times: 1, effect: { type: "status", status: 429 } });
  const limited = await refusal(contacts.batchApi.upsert({ inputs: [input("6")] }));
  assert.equal(limited.code, 429);
  assert.equal(limited.body.policyName, "TEN_SECONDLY_ROLLING");
  assert.equal(limited.headers["x-hubspot-ratelimit-max"], "190");
}

run(main);
