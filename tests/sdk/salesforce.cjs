// jsforce against the sandbox: what it reads of each answer.
// node salesforce.cjs LOGIN_URL CLIENT_ID CLIENT_SECRET CONTROL_URL

const assert = require("node:assert/strict");
const jsforce = require("jsforce");
const { order, refusal, run } = require("./common.cjs");

const [, , loginUrl, clientId, clientSecret, control] = process.argv;

async function connect(secret) {
  const connection = new jsforce.Connection({
    version: "66.0",
    oauth2: { clientId, clientSecret: secret, loginUrl },
    refreshFn: (old, done) =>
      connect(secret).then(
        (fresh) => done(null, fresh.accessToken),
        (error) => done(error),
      ),
  });
  await connection.authorize({ grant_type: "client_credentials" });
  return connection;
}

const lead = (id, fields) => ({ WA_Id__c: id, LastName: "Silva", Company: "n/a", ...fields });

async function main() {
  const stranger = await refusal(connect("another"));
  assert.equal(stranger.name, "invalid_client");

  const connection = await connect(clientSecret);
  assert.ok(connection.instanceUrl.startsWith("http"));
  const leads = connection.sobject("Lead");

  const description = await leads.describe();
  const key = description.fields.find((field) => field.name === "WA_Id__c");
  assert.deepEqual([key.externalId, key.unique, key.updateable], [true, true, true]);

  const headers = { "Sforce-Auto-Assign": "FALSE" };
  const upsert = (records) => leads.upsert(records, "WA_Id__c", { allOrNone: false, headers });
  const mixed = await upsert([lead("1"), lead("2", { Company: null }), lead("3")]);
  assert.deepEqual(mixed.map((result) => result.success), [true, false, true]);
  assert.equal(mixed[0].created, true);
  assert.equal(mixed[1].errors[0].statusCode, "REQUIRED_FIELD_MISSING");
  assert.deepEqual(mixed[1].errors[0].fields, ["Company"]);
  const again = await upsert([lead("1", { Status: "Working - Contacted" })]);
  assert.deepEqual([again[0].created, again[0].id], [false, mixed[0].id]);
  const twice = await upsert([lead("4"), lead("4")]);
  assert.deepEqual(
    twice.map((result) => result.errors[0].statusCode),
    ["DUPLICATE_VALUE", "DUPLICATE_VALUE"],
  );

  // One record, and a key that has to be encoded.
  const single = await leads.upsert(lead("a b"), "WA_Id__c");
  assert.deepEqual([single.success, single.created], [true, true]);
  const known = await leads.upsert(lead("a b", { FirstName: "Ana" }), "WA_Id__c");
  assert.deepEqual([known.success, known.created, known.id], [true, false, single.id]);
  const bad = await refusal(leads.upsert(lead("b", { Status: "No Such" }), "WA_Id__c"));
  assert.equal(bad.errorCode, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");

  const found = await connection.request("/sobjects/Lead/WA_Id__c/1");
  assert.deepEqual([found.Id, found.Status], [mixed[0].id, "Working - Contacted"]);
  assert.equal(found.attributes.type, "Lead");
  const absent = await refusal(connection.request("/sobjects/Lead/WA_Id__c/none"));
  assert.equal(absent.errorCode, "NOT_FOUND");

  const soql = "SELECT Id, WA_Id__c, LastName FROM Lead WHERE WA_Id__c IN ('1', '3', 'none')";
  const asked = await connection.query(soql);
  assert.deepEqual([asked.totalSize, asked.done], [2, true]);
  assert.deepEqual(asked.records.map((record) => record.WA_Id__c).sort(), ["1", "3"]);
  assert.equal((await refusal(connection.query("SELECT FROM Lead"))).errorCode, "MALFORMED_QUERY");

  // An expired session is renewed, once, behind the caller's back.
  const expired = connection.accessToken;
  await order(control, { endpoint: "salesforce_upsert", times: 1, effect: { type: "token_expired" } });
  const renewed = await upsert([lead("5")]);
  assert.equal(renewed[0].success, true);
  assert.notEqual(connection.accessToken, expired);

  await order(control, { endpoint: "salesforce_upsert", times: 1, effect: { type: "status", status: 403 } });
  const limited = await refusal(upsert([lead("6")]));
  assert.equal(limited.errorCode, "REQUEST_LIMIT_EXCEEDED");
  assert.equal(connection.limitInfo.apiUsage.limit, 100000);
}

run(main);
