// What the programs of both SDKs share.

const assert = require("node:assert/strict");

/** Orders a fault of the sandbox, by its control API. */
async function order(control, fault) {
  const answer = await fetch(`${control}/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(fault),
  });
  assert.equal(answer.status, 201, await answer.text());
}

/** The error of a request that has to fail. */
const refusal = (promise) =>
  promise.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );

/** Runs `main`; its failure is the program's. */
function run(main) {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = { order, refusal, run };
