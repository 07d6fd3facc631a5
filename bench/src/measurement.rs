//! Defines the figures of the benchmark: name, unit, bounds and comparisons.

/// The distribution of inputs over leads.
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
    /// The usual rate while the broker is paused.
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

/// The text of a figure in the report.
#[derive(Debug)]
pub(super) struct FigureSpec {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// The figures that bound this one, or that it is compared with.
    pub(super) bounds: Vec<Figure>,
    /// Explains the bound; empty for a figure that belongs to the one above it.
    pub(super) bounded_by: &'static str,
}

/// Returns a figure with nothing to compare it with.
const fn figure(name: &'static str, unit: &'static str) -> FigureSpec {
    FigureSpec {
        name,
        unit,
        bounds: Vec::new(),
        bounded_by: "",
    }
}

impl FigureSpec {
    fn compared_with(self, bounds: &[Figure]) -> Self {
        Self {
            bounds: bounds.to_vec(),
            ..self
        }
    }

    fn bounded_by(self, bounded_by: &'static str) -> Self {
        Self { bounded_by, ..self }
    }
}

/// Declares an enum of figures as a table: each row is a variant with its specification.
macro_rules! figures {
    (
        $(#[$attribute:meta])*
        $name:ident {
            $($variant:ident $(($($field:ident: $type:ty),+))? => $spec:expr,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum $name {
            $($variant $(($($type),+))?,)+
        }

        impl $name {
            /// Returns the figure's name, unit and bounds.
            pub(super) fn spec(self) -> FigureSpec {
                match self {
                    $(Self::$variant $(($($field),+))? => $spec,)+
                }
            }
        }
    };
}

figures! {
    /// A figure of the report, in its order.
    Figure {
        Producer => figure("raw producer", "records/s")
            .bounded_by("the broker's and the client's processor time: acks=all, idempotent, one broker, the records of the webhooks below"),
        Bare => figure("bare handler, signature only", "requests/s")
            .bounded_by("processor time of HTTP, HMAC and the kernel's loopback: a process that reads the body, verifies it and answers 200, and the load generator (64 connections, closed loop, one thread) share the cores"),
        BareCpu => figure("… bare handler's own CPU", "µs/request"),
        BareGenerator => figure("… load generator's own CPU", "µs/request")
            .bounded_by("one write and one read a request; one thread, so its reciprocal bounds every closed loop, and on few cores it is taken from what is measured"),
        Webhooks => figure("webhooks answered 200", "requests/s")
            .compared_with(&[Figure::Bare, Figure::Producer])
            .bounded_by("processor time: ingest, the broker and the load generator (64 connections, closed loop) share the cores; a batch to Kafka holds no more records than there are connections"),
        WebhooksCpu => figure("… ingest's own CPU", "µs/request").compared_with(&[Figure::BareCpu]),
        WebhooksGenerator => figure("… load generator's own CPU", "µs/request"),
        WebhooksMemory => figure("… ingest's memory, peak", "MiB"),
        SteadyP50 => figure("steady, webhook to its 200, p50", "ms")
            .bounded_by("open loop on ingest alone, counted from the planned time of each webhook; the producer's wait for a batch, the broker's answer, and processor time"),
        SteadyP99 => figure("steady, webhook to its 200, p99", "ms"),
        SteadyRefused => figure("… not answered 200", "%"),
        SteadyCpu => figure("… ingest's own CPU", "µs/request"),
        SteadyGenerator => figure("… load generator's own CPU", "µs/request"),
        SteadyMemory => figure("… ingest's memory, peak", "MiB"),
        Overload(overload: Overload, part: OverloadPart) => part.spec(overload),
        Sql => figure("same SQL batches, no Kafka", "inputs/s")
            .bounded_by("PostgreSQL's processor time and its log: the engine's own decoding, fold and statements, as many workers and as large batches"),
        Drain(traffic: Traffic, contender: Contender, part: Part) => drain(traffic, contender, part),
        PacedP50 => figure("steady, Kafka to committed row, p50", "ms")
            .compared_with(&[Figure::CommitAlone])
            .bounded_by("counted from the broker's acknowledgement: the fetch, up to 2 ms for a batch, the commit before and its own; seen by asking PostgreSQL every 2 ms"),
        PacedP99 => figure("steady, Kafka to committed row, p99", "ms")
            .compared_with(&[Figure::CommitAlone]),
        PacedLog => figure("… PostgreSQL's log", "bytes/input"),
        CommitAlone => figure("one input committed alone", "ms")
            .bounded_by("round trips of the statements and one flush of PostgreSQL's log; nothing else runs"),
        AnswerP50 => figure("webhook to its 200, p50", "ms")
            .bounded_by("counted from the planned time; the producer waits up to 2 ms for a batch"),
        AnswerP99 => figure("webhook to its 200, p99", "ms"),
        LatencyP50 => figure("200 to committed row, p50", "ms")
            .compared_with(&[Figure::CommitAlone])
            .bounded_by("the fetch, up to 2 ms for a batch, the commit before and its own; seen by asking PostgreSQL every 2 ms"),
        LatencyP99 => figure("200 to committed row, p99", "ms").compared_with(&[Figure::CommitAlone]),
        DueP50 => figure("… while 10,000 timers are due, p50", "ms")
            .compared_with(&[Figure::LatencyP50])
            .bounded_by("the same, and a portion of 100 leads before it; all 10,000 come due 4 s into the measured time"),
        DueP99 => figure("… while 10,000 timers are due, p99", "ms")
            .compared_with(&[Figure::LatencyP99]),
        DueTook => figure("… until they had fired", "s")
            .bounded_by("a quarter of the workers' time"),
        SoakP99 => figure("soak, webhook to its 200, p99", "ms")
            .bounded_by("as the steady load, for minutes"),
        SoakRefused => figure("… not answered 200", "%"),
        SoakFirst => figure("ingest's memory, first minute", "MiB")
            .bounded_by("resident memory every second after the warm-up: the median, least and most of that minute"),
        SoakFirstMin => figure("… least", "MiB"),
        SoakFirstMax => figure("… most", "MiB"),
        SoakLast => figure("ingest's memory, last minute", "MiB"),
        SoakLastMin => figure("… least", "MiB"),
        SoakLastMax => figure("… most", "MiB"),
        SoakSlope => figure("ingest's memory, growth", "KiB/min")
            .bounded_by("the line through all seconds by least squares"),
        Crm(figure: CrmFigure) => figure.spec(),
    }
}

figures! {
    /// A figure of sink-crm.
    CrmFigure {
        Limited => figure("leads to HubSpot at its limit", "s")
            .bounded_by("190 requests of 100 leads per 10 s: 100,000 leads cannot take less than 52.6 s; counted from when the sink, which was paused, goes on with all of them in the topic"),
        LimitedRequests => figure("… requests to HubSpot", "requests"),
        LimitedRefused => figure("… answered 429", "requests"),
        LimitedSalesforce => figure("… the same leads to Salesforce", "s"),
        LimitedMemory => figure("… sink-crm's memory, peak", "MiB"),
        LimitedGrowth => figure("… from a fifth of the leads to the last", "MiB"),
        Free => figure("leads to HubSpot without limits", "leads/s")
            .bounded_by("processor time: the sink, PostgreSQL, the broker and the sandbox, which plays both CRMs, share the cores"),
        FreeSalesforce => figure("… to Salesforce, side by side", "leads/s"),
        FreeCpu => figure("… sink-crm's CPU, both CRMs", "s/1,000 leads"),
        FreePostgresCpu => figure("… PostgreSQL's CPU, both CRMs", "s/1,000 leads"),
        LatencyP50 => figure("transition to HubSpot's request, p50", "ms")
            .bounded_by("counted from the planned time of the event; the ledger's two commits, and the pause after a batch that is not full, so that the day's requests last: of 650,000 for HubSpot and 100,000 for Salesforce"),
        LatencyP99 => figure("transition to HubSpot's request, p99", "ms"),
        LatencySalesforceP50 => figure("transition to Salesforce's, p50", "ms"),
        LatencySalesforceP99 => figure("transition to Salesforce's, p99", "ms"),
    }
}

impl OverloadPart {
    fn spec(self, overload: Overload) -> FigureSpec {
        match (self, overload) {
            (Self::Goodput, Overload::Burst) => figure("burst, 200s while it lasts", "requests/s")
                .compared_with(&[Figure::Bare, Figure::Producer])
                .bounded_by("open loop on ingest alone, at most 2,048 connections: what finds none free waits in the load generator, and is sent after the burst if it has to be; a 503 is not repeated; shares are of the webhooks planned in the burst"),
            (Self::Goodput, Overload::Stall) => {
                figure("broker paused, 200s meanwhile", "requests/s")
                    .bounded_by("the same at the steady rate, while the broker is stopped (SIGSTOP) for as long")
            }
            (Self::Accepted, _) => figure("… answered 200, however late", "%"),
            (Self::Refused, _) => figure("… answered 503", "%"),
            (Self::Failed, _) => figure("… otherwise or not at all", "%"),
            (Self::AcceptedP99, _) => figure("… write to its 200, p99", "ms")
                .bounded_by("what waits inside ingest and for Kafka, and processor time; the wait for a connection does not count"),
            (Self::RefusedP99, _) => figure("… write to its 503, p99", "ms")
                .bounded_by("processor time, and what ingest does before it refuses; where nothing was refused there is no figure"),
            (Self::RefusedMax, _) => figure("… write to its 503, longest", "ms"),
            (Self::Recovery, _) => figure("… until usual again", "s")
                .bounded_by("whole seconds from its end to one in which 99 % of the answers are 200s within 50 ms of their planned time, so also what the load generator still holds back; as many as were watched when there was none"),
            (Self::Watched, _) => figure("… watched after it", "s"),
            (Self::Generator, _) => figure("… load generator's own CPU", "µs/request"),
            (Self::Memory, _) => figure("… ingest's memory, peak", "MiB"),
        }
    }
}

fn drain(traffic: Traffic, contender: Contender, part: Part) -> FigureSpec {
    use Contender::{Batched, Narrow, Pair, Pgbench, Plain, Processor, Sending};
    let of = |contenders: &[Contender]| -> Vec<Figure> {
        let figures = contenders.iter();
        figures
            .map(|contender| Figure::Drain(traffic, *contender, part))
            .collect()
    };
    let sql = (traffic == Traffic::Uniform).then_some(Figure::Sql);
    let bounds = match contender {
        Processor if part == Part::Rate => {
            let others = of(&[Pgbench, Plain, Batched, Sending]);
            sql.into_iter().chain(others).collect()
        }
        Processor => of(&[Batched, Sending]),
        Pair | Narrow => of(&[Processor]),
        Plain | Batched | Sending | Pgbench => Vec::new(),
    };
    let spec = match part {
        Part::Rate => {
            let [uniform, hot, bound] = RATES[contender as usize];
            let name = match traffic {
                Traffic::Uniform => uniform,
                Traffic::Hot => hot,
            };
            figure(name, "inputs/s").bounded_by(bound)
        }
        Part::Cpu => figure("… CPU of all of them", "s/million inputs"),
        Part::OwnCpu => figure("… its own CPU", "s/million inputs"),
        Part::PostgresCpu => figure("… PostgreSQL's CPU", "s/million inputs"),
        Part::BrokerCpu => figure("… the broker's CPU", "s/million inputs"),
        Part::Memory => figure("… its memory, peak", "MiB"),
        Part::Log => figure("… PostgreSQL's log", "bytes/input"),
    };
    spec.compared_with(&bounds)
}

const SHARED_CORES: &str = "processor time: the engine, PostgreSQL and the broker, which serves the inputs and takes the events and replies, share the cores";

/// The rate of each contender, in the order of [`Contender`]: its name with uniform traffic, its name
/// with hot traffic, and what bounds it.
const RATES: [[&str; 3]; 7] = [
    [
        "Node, a transaction a message",
        "half of one lead: Node, a transaction a message",
        "round trips: five and a flush of the log for each message, one after another; a thirtieth of the inputs and leads of the others, in a smaller table",
    ],
    [
        "Node, a transaction a batch",
        "half of one lead: Node, a transaction a batch",
        "Node's one thread; it sends nothing to Kafka, keeps no history, and loses what it did not send",
    ],
    [
        "Node, batches, sending",
        "half of one lead: Node, batches, sending",
        "Node's one thread; events and replies are sent after the commit, and lost by a crash between the two",
    ],
    [
        "SQL batches from pgbench",
        "half of one lead: SQL batches from pgbench",
        "PostgreSQL: the statements of the processor's batches with their own arguments, read from a table beside them, in as many connections as the processor has workers; nothing is fetched, folded or published",
    ],
    ["processor", "half of one lead: processor", SHARED_CORES],
    [
        "two processors",
        "half of one lead: two processors",
        SHARED_CORES,
    ],
    [
        "processor, one partition",
        "half of one lead: processor, one partition",
        SHARED_CORES,
    ],
];

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
