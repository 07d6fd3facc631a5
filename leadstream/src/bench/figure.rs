//! What is measured, and what each figure is held against.

/// A figure of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Figure {
    Producer,
    Webhooks,
    WebhooksCpu,
    Sql,
    Processor,
    ProcessorCpu,
    CommitAlone,
    AnswerP50,
    AnswerP99,
    LatencyP50,
    LatencyP99,
}

/// How a figure is shown.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// The figure that this one cannot be better than.
    pub(super) bound: Option<Figure>,
    /// What it is spent on; empty for a part of the figure before.
    pub(super) bounded_by: &'static str,
}

impl Figure {
    pub(super) const fn shown(self) -> Shown {
        match self {
            Self::Producer => Shown {
                name: "raw producer",
                unit: "records/s",
                bound: None,
                bounded_by: "the broker's and the client's processor time: acks=all, idempotent, one broker, the records of the webhooks below",
            },
            Self::Webhooks => Shown {
                name: "webhooks answered 200",
                unit: "requests/s",
                bound: Some(Self::Producer),
                bounded_by: "processor time: ingest, the broker and the load generator (64 connections, closed loop) share the cores; a batch to Kafka holds no more records than there are connections",
            },
            Self::WebhooksCpu => Shown {
                name: "… ingest's own CPU",
                unit: "s per 1,000",
                bound: None,
                bounded_by: "",
            },
            Self::Sql => Shown {
                name: "same SQL batches, no Kafka",
                unit: "inputs/s",
                bound: None,
                bounded_by: "PostgreSQL's processor time and its log: the engine's own decoding, fold and statements, as many lanes and as large batches",
            },
            Self::Processor => Shown {
                name: "inputs through the processor",
                unit: "inputs/s",
                bound: Some(Self::Sql),
                bounded_by: "processor time: the engine, PostgreSQL and the broker, which serves the inputs and takes the events and replies, share the cores",
            },
            Self::ProcessorCpu => Shown {
                name: "… the processor's own CPU",
                unit: "s per 1,000",
                bound: None,
                bounded_by: "",
            },
            Self::CommitAlone => Shown {
                name: "one input committed alone",
                unit: "ms",
                bound: None,
                bounded_by: "round trips of the statements and one flush of PostgreSQL's log; nothing else runs",
            },
            Self::AnswerP50 => Shown {
                name: "webhook to its 200, p50",
                unit: "ms",
                bound: None,
                bounded_by: "counted from the planned time; the producer waits up to 2 ms for a batch",
            },
            Self::AnswerP99 => Shown {
                name: "webhook to its 200, p99",
                unit: "ms",
                bound: None,
                bounded_by: "",
            },
            Self::LatencyP50 => Shown {
                name: "200 to committed row, p50",
                unit: "ms",
                bound: Some(Self::CommitAlone),
                bounded_by: "the fetch, up to 2 ms for a batch, the commit before and its own; seen by asking PostgreSQL every 2 ms",
            },
            Self::LatencyP99 => Shown {
                name: "200 to committed row, p99",
                unit: "ms",
                bound: Some(Self::CommitAlone),
                bounded_by: "",
            },
        }
    }
}

/// One measurement of a figure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) figure: Figure,
    pub(super) value: f64,
    /// Busy cores of the machine meanwhile.
    pub(super) cores: Option<f64>,
}

impl Sample {
    pub(super) const fn new(figure: Figure, value: f64) -> Self {
        Self {
            figure,
            value,
            cores: None,
        }
    }
}
