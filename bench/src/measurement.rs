//! Lists the figures, and what each figure is compared with.

/// How inputs are spread over leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Traffic {
    /// Each lead writes as much as every other.
    Uniform,
    /// One lead writes half of all.
    Hot,
}

/// The system that processes a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contender {
    /// Node, a transaction for each message.
    Plain,
    /// Node, a transaction for each batch, partitions side by side.
    Batched,
    /// The same, which also sends events and replies.
    Sending,
    /// The engine's SQL batches from `pgbench`.
    Pgbench,
    /// One processor.
    Processor,
    /// Two processors.
    Pair,
    /// One processor, one partition.
    Narrow,
}

/// The measured quantity of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Rate,
    Cpu,
    OwnCpu,
    PostgresCpu,
    BrokerCpu,
    Memory,
    /// PostgreSQL's write-ahead log.
    Log,
}

/// A load that ingest cannot pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Overload {
    /// Many times the usual rate.
    Burst,
    /// The usual rate while the broker stands still.
    Stall,
}

/// The measured quantity of an overload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OverloadPart {
    Goodput,
    Accepted,
    Refused,
    Failed,
    AcceptedP99,
    RefusedP99,
    RefusedMax,
    Recovery,
    Watched,
    Generator,
    Memory,
}

/// A figure of the table, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Figure {
    Producer,
    Bare,
    BareCpu,
    BareGenerator,
    Webhooks,
    WebhooksCpu,
    WebhooksGenerator,
    WebhooksMemory,
    SteadyP50,
    SteadyP99,
    SteadyRefused,
    SteadyCpu,
    SteadyGenerator,
    SteadyMemory,
    Overload(Overload, OverloadPart),
    Sql,
    Drain(Traffic, Contender, Part),
    PacedP50,
    PacedP99,
    PacedLog,
    CommitAlone,
    AnswerP50,
    AnswerP99,
    LatencyP50,
    LatencyP99,
    DueP50,
    DueP99,
    DueTook,
    SoakP99,
    SoakRefused,
    SoakFirst,
    SoakFirstMin,
    SoakFirstMax,
    SoakLast,
    SoakLastMin,
    SoakLastMax,
    SoakSlope,
    Crm(CrmFigure),
}

/// A figure of sink-crm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CrmFigure {
    Limited,
    LimitedRequests,
    LimitedRefused,
    LimitedSalesforce,
    LimitedMemory,
    LimitedGrowth,
    Free,
    FreeSalesforce,
    FreeCpu,
    FreePostgresCpu,
    LatencyP50,
    LatencyP99,
    LatencySalesforceP50,
    LatencySalesforceP99,
}

impl CrmFigure {
    fn shown(self) -> Shown {
        match self {
            Self::Limited => Shown::new("leads to HubSpot at its limit", "s")
                .spent_on("190 requests of 100 leads per 10 s: 100,000 leads cannot take less than 52.6 s; counted from when the sink, which stood still, goes on with all of them in the topic"),
            Self::LimitedRequests => Shown::new("… requests to HubSpot", "requests"),
            Self::LimitedRefused => Shown::new("… answered 429", "requests"),
            Self::LimitedSalesforce => Shown::new("… the same leads to Salesforce", "s"),
            Self::LimitedMemory => Shown::new("… sink-crm's memory, peak", "MiB"),
            Self::LimitedGrowth => Shown::new("… from a fifth of the leads to the last", "MiB"),
            Self::Free => Shown::new("leads to HubSpot without limits", "leads/s")
                .spent_on("processor time: the sink, PostgreSQL, the broker and the sandbox, which plays both CRMs, share the cores"),
            Self::FreeSalesforce => Shown::new("… to Salesforce, side by side", "leads/s"),
            Self::FreeCpu => Shown::new("… sink-crm's CPU, both CRMs", "s/1,000 leads"),
            Self::FreePostgresCpu => Shown::new("… PostgreSQL's CPU, both CRMs", "s/1,000 leads"),
            Self::LatencyP50 => Shown::new("transition to HubSpot's request, p50", "ms")
                .spent_on("counted from the planned time of the event; the ledger's two commits, and the pause after a batch that is not full, so that the day's requests last: of 650,000 for HubSpot and 100,000 for Salesforce"),
            Self::LatencyP99 => Shown::new("transition to HubSpot's request, p99", "ms"),
            Self::LatencySalesforceP50 => Shown::new("transition to Salesforce's, p50", "ms"),
            Self::LatencySalesforceP99 => Shown::new("transition to Salesforce's, p99", "ms"),
        }
    }
}

/// How a figure is shown.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// The figures that bound this one, or that it is compared with.
    pub(super) bounds: Vec<Figure>,
    /// What it is spent on; empty for a part of the figure before.
    pub(super) bounded_by: &'static str,
}

impl Shown {
    const fn new(name: &'static str, unit: &'static str) -> Self {
        Self {
            name,
            unit,
            bounds: Vec::new(),
            bounded_by: "",
        }
    }

    fn beside(self, bounds: &[Figure]) -> Self {
        Self {
            bounds: bounds.to_vec(),
            ..self
        }
    }

    fn spent_on(self, bounded_by: &'static str) -> Self {
        Self { bounded_by, ..self }
    }
}

impl Figure {
    pub(super) fn shown(self) -> Shown {
        match self {
            Self::Producer => Shown::new("raw producer", "records/s")
                .spent_on("the broker's and the client's processor time: acks=all, idempotent, one broker, the records of the webhooks below"),
            Self::Bare => Shown::new("bare handler, signature only", "requests/s")
                .spent_on("processor time of HTTP, HMAC and the kernel's loopback: a process that reads the body, verifies it and answers 200, and the load generator (64 connections, closed loop, one thread) share the cores"),
            Self::BareCpu => Shown::new("… bare handler's own CPU", "µs/request"),
            Self::BareGenerator => Shown::new("… load generator's own CPU", "µs/request")
                .spent_on("one write and one read a request; one thread, so its reciprocal bounds every closed loop, and on few cores it is taken from what is measured"),
            Self::Webhooks => Shown::new("webhooks answered 200", "requests/s")
                .beside(&[Self::Bare, Self::Producer])
                .spent_on("processor time: ingest, the broker and the load generator (64 connections, closed loop) share the cores; a batch to Kafka holds no more records than there are connections"),
            Self::WebhooksCpu => {
                Shown::new("… ingest's own CPU", "µs/request").beside(&[Self::BareCpu])
            }
            Self::WebhooksGenerator => Shown::new("… load generator's own CPU", "µs/request"),
            Self::WebhooksMemory => Shown::new("… ingest's memory, peak", "MiB"),
            Self::SteadyP50 => Shown::new("steady, webhook to its 200, p50", "ms")
                .spent_on("open loop on ingest alone, counted from the planned time of each webhook; the producer's wait for a batch, the broker's answer, and processor time"),
            Self::SteadyP99 => Shown::new("steady, webhook to its 200, p99", "ms"),
            Self::SteadyRefused => Shown::new("… not answered 200", "%"),
            Self::SteadyCpu => Shown::new("… ingest's own CPU", "µs/request"),
            Self::SteadyGenerator => Shown::new("… load generator's own CPU", "µs/request"),
            Self::SteadyMemory => Shown::new("… ingest's memory, peak", "MiB"),
            Self::Overload(overload, part) => part.shown(overload),
            Self::Sql => Shown::new("same SQL batches, no Kafka", "inputs/s")
                .spent_on("PostgreSQL's processor time and its log: the engine's own decoding, fold and statements, as many lanes and as large batches"),
            Self::Drain(traffic, contender, part) => drain(traffic, contender, part),
            Self::PacedP50 => Shown::new("steady, Kafka to committed row, p50", "ms")
                .beside(&[Self::CommitAlone])
                .spent_on("counted from the broker's acknowledgement: the fetch, up to 2 ms for a batch, the commit before and its own; seen by asking PostgreSQL every 2 ms"),
            Self::PacedP99 => Shown::new("steady, Kafka to committed row, p99", "ms")
                .beside(&[Self::CommitAlone]),
            Self::PacedLog => Shown::new("… PostgreSQL's log", "bytes/input"),
            Self::CommitAlone => Shown::new("one input committed alone", "ms")
                .spent_on("round trips of the statements and one flush of PostgreSQL's log; nothing else runs"),
            Self::AnswerP50 => Shown::new("webhook to its 200, p50", "ms")
                .spent_on("counted from the planned time; the producer waits up to 2 ms for a batch"),
            Self::AnswerP99 => Shown::new("webhook to its 200, p99", "ms"),
            Self::LatencyP50 => Shown::new("200 to committed row, p50", "ms")
                .beside(&[Self::CommitAlone])
                .spent_on("the fetch, up to 2 ms for a batch, the commit before and its own; seen by asking PostgreSQL every 2 ms"),
            Self::LatencyP99 => {
                Shown::new("200 to committed row, p99", "ms").beside(&[Self::CommitAlone])
            }
            Self::DueP50 => Shown::new("… while 10,000 timers are due, p50", "ms")
                .beside(&[Self::LatencyP50])
                .spent_on("the same, and a portion of 100 leads before it; all 10,000 come due 4 s into the measured time"),
            Self::DueP99 => Shown::new("… while 10,000 timers are due, p99", "ms")
                .beside(&[Self::LatencyP99]),
            Self::DueTook => Shown::new("… until they had fired", "s")
                .spent_on("a quarter of the lanes' time"),
            Self::SoakP99 => Shown::new("soak, webhook to its 200, p99", "ms")
                .spent_on("as the steady load, for minutes"),
            Self::SoakRefused => Shown::new("… not answered 200", "%"),
            Self::SoakFirst => Shown::new("ingest's memory, first minute", "MiB")
                .spent_on("resident memory every second after the warm-up: the median, least and most of that minute"),
            Self::SoakFirstMin => Shown::new("… least", "MiB"),
            Self::SoakFirstMax => Shown::new("… most", "MiB"),
            Self::SoakLast => Shown::new("ingest's memory, last minute", "MiB"),
            Self::SoakLastMin => Shown::new("… least", "MiB"),
            Self::SoakLastMax => Shown::new("… most", "MiB"),
            Self::SoakSlope => Shown::new("ingest's memory, growth", "KiB/min")
                .spent_on("the line through all seconds by least squares"),
            Self::Crm(figure) => figure.shown(),
        }
    }
}

impl OverloadPart {
    fn shown(self, overload: Overload) -> Shown {
        match (self, overload) {
            (Self::Goodput, Overload::Burst) => Shown::new("burst, 200s while it lasts", "requests/s")
                .beside(&[Figure::Bare, Figure::Producer])
                .spent_on("open loop on ingest alone, at most 2,048 connections: what finds none free waits in the load generator, and is sent after the burst if it has to be; a 503 is not repeated; shares are of the webhooks planned in the burst"),
            (Self::Goodput, Overload::Stall) => {
                Shown::new("broker stands still, 200s meanwhile", "requests/s")
                    .spent_on("the same at the steady rate, while the broker is stopped (SIGSTOP) for as long")
            }
            (Self::Accepted, _) => Shown::new("… answered 200, however late", "%"),
            (Self::Refused, _) => Shown::new("… answered 503", "%"),
            (Self::Failed, _) => Shown::new("… otherwise or not at all", "%"),
            (Self::AcceptedP99, _) => Shown::new("… write to its 200, p99", "ms")
                .spent_on("what waits inside ingest and for Kafka, and processor time; the wait for a connection does not count"),
            (Self::RefusedP99, _) => Shown::new("… write to its 503, p99", "ms")
                .spent_on("processor time, and what ingest does before it refuses; where nothing was refused there is no figure"),
            (Self::RefusedMax, _) => Shown::new("… write to its 503, longest", "ms"),
            (Self::Recovery, _) => Shown::new("… until usual again", "s")
                .spent_on("whole seconds from its end to one in which 99 % of the answers are 200s within 50 ms of their planned time, so also what the load generator still holds back; as many as were watched when there was none"),
            (Self::Watched, _) => Shown::new("… watched after it", "s"),
            (Self::Generator, _) => Shown::new("… load generator's own CPU", "µs/request"),
            (Self::Memory, _) => Shown::new("… ingest's memory, peak", "MiB"),
        }
    }
}

fn drain(traffic: Traffic, contender: Contender, part: Part) -> Shown {
    use Contender::{Batched, Narrow, Pair, Pgbench, Plain, Processor, Sending};
    let of = |contenders: &[Contender]| -> Vec<Figure> {
        let figures = contenders.iter();
        figures
            .map(|contender| Figure::Drain(traffic, *contender, part))
            .collect()
    };
    let sql = (traffic == Traffic::Uniform).then_some(Figure::Sql);
    let beside = match contender {
        Processor if part == Part::Rate => {
            let others = of(&[Pgbench, Plain, Batched, Sending]);
            sql.into_iter().chain(others).collect()
        }
        Processor => of(&[Batched, Sending]),
        Pair | Narrow => of(&[Processor]),
        Plain | Batched | Sending | Pgbench => Vec::new(),
    };
    let shown = match part {
        Part::Rate => {
            Shown::new(rate_of(traffic, contender), "inputs/s").spent_on(rate_is(contender))
        }
        Part::Cpu => Shown::new("… CPU of all of them", "s/million inputs"),
        Part::OwnCpu => Shown::new("… its own CPU", "s/million inputs"),
        Part::PostgresCpu => Shown::new("… PostgreSQL's CPU", "s/million inputs"),
        Part::BrokerCpu => Shown::new("… the broker's CPU", "s/million inputs"),
        Part::Memory => Shown::new("… its memory, peak", "MiB"),
        Part::Log => Shown::new("… PostgreSQL's log", "bytes/input"),
    };
    shown.beside(&beside)
}

const fn rate_of(traffic: Traffic, contender: Contender) -> &'static str {
    match (traffic, contender) {
        (Traffic::Uniform, Contender::Plain) => "Node, a transaction a message",
        (Traffic::Uniform, Contender::Batched) => "Node, a transaction a batch",
        (Traffic::Uniform, Contender::Sending) => "Node, batches, sending",
        (Traffic::Uniform, Contender::Pgbench) => "SQL batches from pgbench",
        (Traffic::Uniform, Contender::Processor) => "processor",
        (Traffic::Uniform, Contender::Pair) => "two processors",
        (Traffic::Uniform, Contender::Narrow) => "processor, one partition",
        (Traffic::Hot, Contender::Plain) => "half of one lead: Node, a transaction a message",
        (Traffic::Hot, Contender::Batched) => "half of one lead: Node, a transaction a batch",
        (Traffic::Hot, Contender::Sending) => "half of one lead: Node, batches, sending",
        (Traffic::Hot, Contender::Pgbench) => "half of one lead: SQL batches from pgbench",
        (Traffic::Hot, Contender::Processor) => "half of one lead: processor",
        (Traffic::Hot, Contender::Pair) => "half of one lead: two processors",
        (Traffic::Hot, Contender::Narrow) => "half of one lead: processor, one partition",
    }
}

const fn rate_is(contender: Contender) -> &'static str {
    match contender {
        Contender::Plain => {
            "round trips: five and a flush of the log for each message, one after another; a thirtieth of the inputs and leads of the others, in a smaller table"
        }
        Contender::Batched => {
            "Node's one thread; it sends nothing to Kafka, keeps no history, and loses what it did not send"
        }
        Contender::Sending => {
            "Node's one thread; events and replies are sent after the commit, and lost by a crash between the two"
        }
        Contender::Pgbench => {
            "PostgreSQL: the statements of the processor's batches with their own arguments, read from a table beside them, in as many connections as the processor has lanes; nothing is fetched, folded or published"
        }
        Contender::Processor | Contender::Pair | Contender::Narrow => {
            "processor time: the engine, PostgreSQL and the broker, which serves the inputs and takes the events and replies, share the cores"
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
