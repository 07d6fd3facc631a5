//! Injects faults between the steps of a service, for tests.
//!
//! `LEADSTREAM_FAILPOINTS` lists points with an action and a probability, as in
//! `commit=abort:0.01,write=error:0.1,load=delay:0.2`. `LEADSTREAM_FAILPOINTS_UNTIL`, in seconds since
//! 1970, ends the faults. Only builds with debug assertions have failpoints.

/// A point at which a fault can be injected. The first ones are the processor's, the last ones those of
/// sink-whatsapp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Before the batch's state is loaded.
    Load,
    /// Before the batch is folded.
    Fold,
    /// Before the batch's transaction begins.
    Begin,
    /// Before the fence moves offsets.
    Fence,
    /// Before each further statement: leads, ids, outbox.
    Write,
    /// Before the commit.
    Commit,
    /// After the commit: an error here is a commit with an unknown outcome.
    Committed,
    /// Before committed records are produced.
    Publish,
    /// After the records were produced.
    Published,
    /// After Kafka acknowledged the records.
    Acknowledged,
    /// Before acknowledged rows are removed from the outbox without a batch.
    Forget,
    /// Between raising the epoch and publishing the outbox.
    TakeOver,
    /// Between the rows of consumed records and their offsets.
    Consumed,
    /// Between the claim of replies and their requests: an error here is a claim with an unknown outcome.
    Claimed,
    /// Between the answer of a request and its outcome.
    Answered,
    /// After outcomes were written: an error here is a write with an unknown outcome.
    Recorded,
    /// Between the end of a reply and the input about it.
    Ended,
    /// Between the input about a reply that ended and the deletion of its result.
    Reported,
    /// Between the rows that statuses raise and their offsets.
    Raised,
}

/// Does nothing in builds without failpoints.
///
/// # Errors
/// Returns none.
#[cfg(not(debug_assertions))]
#[expect(
    clippy::unused_async,
    reason = "the signature of builds with failpoints"
)]
pub async fn hit(_: Point) -> Result<(), sqlx::Error> {
    Ok(())
}

#[cfg(debug_assertions)]
pub use injected::hit;

#[cfg(debug_assertions)]
mod injected {
    use std::sync::LazyLock;
    use std::time::{Duration, SystemTime};

    use super::Point;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Action {
        Abort,
        Error,
        Delay,
    }

    #[derive(Debug, PartialEq)]
    struct Fault {
        /// The point, in lower case.
        point: String,
        action: Action,
        probability: f64,
    }

    const DELAY: Duration = Duration::from_millis(300);

    static FAULTS: LazyLock<Vec<Fault>> = LazyLock::new(|| {
        let text = std::env::var("LEADSTREAM_FAILPOINTS").unwrap_or_default();
        let faults = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        faults
            .filter_map(|fault| {
                let parsed = parse(fault);
                if parsed.is_none() {
                    tracing::error!(fault, "LEADSTREAM_FAILPOINTS has an invalid entry");
                }
                parsed
            })
            .collect()
    });

    static UNTIL: LazyLock<Option<Duration>> = LazyLock::new(|| {
        let seconds = std::env::var("LEADSTREAM_FAILPOINTS_UNTIL").ok()?;
        Some(Duration::from_secs(seconds.parse().ok()?))
    });

    fn has_ended() -> bool {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        UNTIL.is_some_and(|until| now >= until)
    }

    fn parse(fault: &str) -> Option<Fault> {
        let (point, action) = fault.split_once('=')?;
        let (action, probability) = action.split_once(':').unwrap_or((action, "1"));
        let action = match action {
            "abort" => Action::Abort,
            "error" => Action::Error,
            "delay" => Action::Delay,
            _ => return None,
        };
        Some(Fault {
            point: point.to_owned(),
            action,
            probability: probability.parse().ok()?,
        })
    }

    /// Runs the actions of `point`.
    ///
    /// # Errors
    /// Returns an error if the point has the action `error`.
    pub async fn hit(point: Point) -> Result<(), sqlx::Error> {
        if FAULTS.is_empty() || has_ended() {
            return Ok(());
        }
        let name = format!("{point:?}").to_lowercase();
        for fault in FAULTS.iter().filter(|fault| fault.point == name) {
            if rand::random::<f64>() >= fault.probability {
                continue;
            }
            tracing::warn!(point = name, action = ?fault.action, "failpoint");
            match fault.action {
                Action::Abort => std::process::abort(),
                Action::Error => {
                    return Err(sqlx::Error::Protocol(format!("failpoint {name}")));
                }
                Action::Delay => tokio::time::sleep(DELAY).await,
            }
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::{Action, Fault, parse};

        #[test]
        fn a_fault_has_a_point_an_action_and_a_probability() {
            let fault = |action, probability| {
                Some(Fault {
                    point: "commit".into(),
                    action,
                    probability,
                })
            };
            assert_eq!(parse("commit=abort:0.25"), fault(Action::Abort, 0.25));
            assert_eq!(parse("commit=delay"), fault(Action::Delay, 1.0));
            for wrong in ["commit", "commit=explode", "commit=abort:often"] {
                assert_eq!(parse(wrong), None, "{wrong}");
            }
        }
    }
}
