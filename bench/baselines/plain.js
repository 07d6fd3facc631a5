// As one writes it first: one message, one transaction, with its id written down and its lead's row
// locked.

import { committed, consumer, handle, input, send, start } from './common.js';

const pool = await start(1);

async function transaction(client, { id, waId, text }) {
  const fresh = await client.query({
    name: 'dedupe',
    text: 'INSERT INTO processed_messages (id) VALUES ($1) ON CONFLICT DO NOTHING',
    values: [id],
  });
  if (fresh.rowCount === 0) return undefined;
  const found = await client.query({
    name: 'lock',
    text: `SELECT current_state AS state, qualification_score AS score, lead_data AS data,
             is_completed AS completed
           FROM lead_qualifications WHERE wa_id = $1 FOR UPDATE`,
    values: [waId],
  });
  const before = found.rows[0];
  const { lead, say } = handle(before, waId, text);
  if (lead) {
    const text = before
      ? `UPDATE lead_qualifications SET current_state = $2, qualification_score = $3,
           lead_data = $4, is_completed = $5, last_interaction = now() WHERE wa_id = $1`
      : `INSERT INTO lead_qualifications
           (wa_id, current_state, qualification_score, lead_data, is_completed)
         VALUES ($1, $2, $3, $4, $5)`;
    const values = [waId, lead.state, lead.score, JSON.stringify(lead.data), lead.completed];
    await client.query({ name: before ? 'update' : 'insert', text, values });
  }
  return { waId, before, lead, say };
}

await consumer.run({
  eachMessage: async ({ message }) => {
    const client = await pool.connect();
    let step;
    try {
      await client.query('BEGIN');
      step = await transaction(client, input(message));
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
    if (step) await send([step]);
    committed(1);
  },
});
