// What both baselines share: the article's handler, the records of lead.inputs, and how the
// benchmark is told of the progress.

import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';

function setting(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is missing; leadstream-bench sets it`);
    process.exit(2);
  }
  return value;
}

const prefix = process.env.TOPIC_PREFIX ?? '';

/** Inputs after which the benchmark is told, which then ends the script. */
export const messages = Number(setting('MESSAGES'));
export const topic = `${prefix}lead.inputs`;
/** Whether what was said is sent to Kafka, too: an event and a reply for every change. */
const sends = process.env.SEND === 'yes';

export const kafka = new Kafka({
  brokers: setting('KAFKA_BOOTSTRAP_SERVERS').split(','),
  clientId: 'leadstream-baseline',
  logLevel: logLevel.ERROR,
});
export const consumer = kafka.consumer({ groupId: `${prefix}baseline`, maxWaitTimeInMs: 50 });
const producer = kafka.producer({ idempotent: true });

export async function start(connections) {
  const pool = new pg.Pool({ connectionString: setting('DATABASE_URL'), max: connections });
  // The article's table, and one for ids.
  await pool.query(`
    CREATE TABLE lead_qualifications (
      id SERIAL PRIMARY KEY,
      wa_id VARCHAR(20) UNIQUE NOT NULL,
      current_state VARCHAR(50) DEFAULT 'START',
      qualification_score INT DEFAULT 0,
      lead_data JSONB DEFAULT '{}',
      last_interaction TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP,
      is_completed BOOLEAN DEFAULT FALSE
    );
    CREATE TABLE processed_messages (id TEXT PRIMARY KEY)`);
  if (sends) await producer.connect();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  return pool;
}

let done = 0;
let begun;

/** Counts committed inputs, from the first commit to the last. */
export function committed(count) {
  if (begun === undefined) {
    // What the first commit held does not count: it began before.
    begun = { at: process.hrtime.bigint(), count };
    console.log('begun');
  }
  done += count;
  if (done >= messages) {
    const seconds = Number(process.hrtime.bigint() - begun.at) / 1e9;
    console.log(`done ${JSON.stringify({ messages: done - begun.count, seconds })}`);
  }
}

/** The input in a record: five bytes of Confluent's framing, then JSON. */
export function input(message) {
  const { id, content } = JSON.parse(message.value.subarray(5));
  return { id, waId: message.key.toString(), text: content.body ?? '' };
}

/** The article's handler without its database: the lead after the message, if it changes it. */
export function handle(lead, waId, text) {
  if (!lead) {
    return {
      lead: { state: 'AWAITING_NAME', score: 0, data: {}, completed: false },
      say: 'Welcome! What is your full name?',
    };
  }
  switch (lead.state) {
    case 'AWAITING_NAME':
      return {
        lead: { ...lead, data: { ...lead.data, name: text }, state: 'AWAITING_BUDGET' },
        say: `Thanks ${text}. What is your monthly budget?`,
      };
    case 'AWAITING_BUDGET': {
      const budget = parseInt(text.replace(/[^0-9]/g, ''));
      if (isNaN(budget)) return { say: 'Please provide a numeric value for your budget.' };
      return {
        lead: {
          data: { ...lead.data, budget },
          score: budget > 5000 ? 100 : 50,
          state: 'COMPLETED',
          completed: true,
        },
        say: 'Got it! A specialist will contact you shortly.',
      };
    }
    default:
      return { say: "Our team is reviewing your info. Type 'RESTART' to start over." };
  }
}

/** Sends what these steps ({waId, before, lead, say}) say, after their commit. */
export async function send(steps) {
  if (!sends) return;
  const events = steps
    .filter(({ lead }) => lead)
    .map(({ waId, before, lead }) => ({
      key: waId,
      value: JSON.stringify({
        event: 'lead_state_updated',
        timestamp: new Date().toISOString(),
        data: {
          wa_id: waId,
          previous_state: before?.state ?? 'START',
          current_state: lead.state,
          lead_metadata: { name: lead.data.name, platform: 'WhatsApp' },
          sync_priority: 'high',
        },
      }),
    }));
  const replies = steps.map(({ waId, say }) => ({
    key: waId,
    value: JSON.stringify({ to: waId, text: say }),
  }));
  await producer.sendBatch({
    acks: -1,
    topicMessages: [
      { topic: `${prefix}lead.events`, messages: events },
      { topic: `${prefix}lead.replies`, messages: replies },
    ],
  });
}
