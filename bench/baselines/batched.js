// As one writes it next: up to 500 messages of a partition in one transaction of a few statements
// over arrays, partitions side by side.

import { committed, consumer, handle, input, send, start } from './common.js';

const BATCH = 500;
const CONCURRENT = 4;

const pool = await start(CONCURRENT);

async function transaction(client, inputs) {
  const fresh = await client.query({
    name: 'dedupe',
    text: `INSERT INTO processed_messages (id) SELECT * FROM unnest($1::text[])
           ON CONFLICT DO NOTHING RETURNING id`,
    values: [inputs.map(({ id }) => id)],
  });
  const ids = new Set(fresh.rows.map(({ id }) => id));
  const found = await client.query({
    name: 'lock',
    text: `SELECT wa_id, current_state AS state, qualification_score AS score, lead_data AS data,
             is_completed AS completed
           FROM lead_qualifications WHERE wa_id = ANY($1) ORDER BY wa_id FOR UPDATE`,
    values: [[...new Set(inputs.map(({ waId }) => waId))]],
  });
  const leads = new Map(found.rows.map(({ wa_id, ...lead }) => [wa_id, lead]));
  const steps = [];
  const changed = new Map();
  for (const { id, waId, text } of inputs) {
    if (!ids.delete(id)) continue;
    const before = leads.get(waId);
    const { lead, say } = handle(before, waId, text);
    if (lead) {
      leads.set(waId, lead);
      changed.set(waId, lead);
    }
    steps.push({ waId, before, lead, say });
  }
  if (changed.size > 0) {
    const rows = [...changed].sort(([a], [b]) => (a < b ? -1 : 1));
    await client.query({
      name: 'write',
      text: `INSERT INTO lead_qualifications
               (wa_id, current_state, qualification_score, lead_data, is_completed)
             SELECT wa_id, state, score, data::jsonb, completed
             FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::bool[])
               AS u (wa_id, state, score, data, completed)
             ON CONFLICT (wa_id) DO UPDATE SET current_state = excluded.current_state,
               qualification_score = excluded.qualification_score,
               lead_data = excluded.lead_data, is_completed = excluded.is_completed,
               last_interaction = now()`,
      values: [
        rows.map(([waId]) => waId),
        rows.map(([, lead]) => lead.state),
        rows.map(([, lead]) => lead.score),
        rows.map(([, lead]) => JSON.stringify(lead.data)),
        rows.map(([, lead]) => lead.completed),
      ],
    });
  }
  return steps;
}

async function commit(inputs) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const steps = await transaction(client, inputs);
    await client.query('COMMIT');
    return steps;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

await consumer.run({
  partitionsConsumedConcurrently: CONCURRENT,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
    for (let from = 0; from < batch.messages.length; from += BATCH) {
      const chunk = batch.messages.slice(from, from + BATCH);
      const steps = await commit(chunk.map(input));
      await send(steps);
      resolveOffset(chunk.at(-1).offset);
      await heartbeat();
      committed(chunk.length);
    }
  },
});
