// WASenderApi's own client against the sandbox: what it reads of each answer and of each webhook.
// node wasender.cjs BASE_URL KEY CONTROL_URL

const assert = require("node:assert/strict");
const http = require("node:http");
const { createWasender } = require("wasenderapi");
const { order, refusal, run } = require("./common.cjs");

const [, , baseUrl, key, control] = process.argv;
const SECRET = "shared secret";

const client = (apiKey) => createWasender(apiKey, undefined, baseUrl, undefined, undefined, SECRET);

/** Changes the simulated WASenderApi. */
async function put(path, body) {
  const answer = await fetch(`${control}/${path}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 204, await answer.text());
}

/** Receives `count` webhooks, as the client parses them. */
function webhooks(count) {
  const events = [];
  return new Promise((resolve, reject) => {
    const server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", async () => {
        try {
          const adapter = {
            getHeader: (name) => request.headers[name.toLowerCase()],
            getRawBody: () => body,
          };
          events.push(await client(key).handleWebhookEvent(adapter));
          response.end();
          if (events.length === count) {
            server.close();
            server.closeAllConnections();
            received(events);
          }
        } catch (error) {
          received(Promise.reject(error));
        }
      });
    });
    let received;
    const all = new Promise((done) => (received = done));
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => resolve({ port: server.address().port, all }));
  });
}

async function main() {
  const status = await client(key).getSessionStatus();
  assert.equal(status.response.status, "connected");

  const { port, all } = await webhooks(5);
  await put("wasender/webhook", { url: `http://127.0.0.1:${port}/`, secret: SECRET });
  const sent = await client(key).sendText({ to: "+4915112345678", text: "Hello" });
  assert.equal(sent.response.success, true);
  assert.equal(sent.response.data.status, "in_progress");
  assert.equal(sent.rateLimit.limit, 256);
  assert.equal(sent.rateLimit.remaining, 255);
  const wait = sent.rateLimit.getResetTimestampAsDate() - Date.now();
  assert.ok(wait > 0 && wait <= 60_000, `${wait}`);
  const events = await all;
  assert.deepEqual(
    events.map((event) => event.event),
    ["message.sent", "messages.upsert", "messages.update", "messages.update", "messages.update"],
  );
  assert.equal(events[0].data.key.fromMe, true);
  assert.equal(events[0].data.msgId, sent.response.data.msgId);
  await put("wasender/webhook", null);

  const stranger = await refusal(client("another").sendText({ to: "+1", text: "x" }));
  assert.equal(stranger.statusCode, 401);
  const empty = await refusal(client(key).sendText({ to: "+1", text: "" }));
  assert.equal(empty.statusCode, 422);
  assert.ok(empty.errorDetails.text[0]);

  await put("wasender/limit", { sends: 1, window_s: 5, reset_in_seconds: false });
  const limited = await refusal(client(key).sendText({ to: "+1", text: "x" }));
  assert.equal(limited.statusCode, 429);
  assert.ok(limited.retryAfter >= 1 && limited.retryAfter <= 60);
  assert.equal(limited.rateLimit.remaining, 0);
  await put("wasender/limit", null);

  await order(control, { endpoint: "wasender_send", times: 1, effect: { type: "status", status: 500 } });
  const failed = await refusal(client(key).sendText({ to: "+1", text: "x" }));
  assert.equal(failed.statusCode, 500);
}

run(main);
