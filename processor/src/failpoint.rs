//! Faults on order between the steps of a batch, for tests: `LEADSTREAM_FAILPOINTS` names points,
//! what happens there, and how often, as in `commit=abort:0.01,write=error:0.1,load=delay:0.2`.
//! `LEADSTREAM_FAILPOINTS_UNTIL`, in seconds since 1970, ends them.
//!
//! Only builds with debug assertions have them; in a release nothing is read and nothing happens.

/// A step that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Before what a batch needs is loaded.
    Load,
    /// Before it is folded.
    Fold,
    /// Before its transaction begins.
    Begin,
    /// Before offsets are moved.
    Fence,
    /// Before each further statement: leads, ids, outbox.
    Write,
    /// Before the commit.
    Commit,
    /// After the commit: an error here is a commit whose outcome is unknown.
    Committed,
    /// Before what is committed is given to Kafka.
    Publish,
    /// After it was given to Kafka.
    Published,
    /// After Kafka acknowledged it.
    Acknowledged,
    /// Before acknowledged rows are removed from the outbox without a batch.
    Forget,
    /// Between raising the epoch and publishing what the outbox holds.
    TakeOver,
}

#[cfg(not(debug_assertions))]
#[expect(clippy::unused_async, reason = "as where there are failpoints")]
pub(crate) async fn hit(_: Point) -> Result<(), sqlx::Error> {
    Ok(())
}

#[cfg(debug_assertions)]
pub(crate) use on_order::hit;

#[cfg(debug_assertions)]
mod on_order {
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
    struct Order {
        /// The point, in lower case.
        point: String,
        action: Action,
        /// Of 1.
        share: f64,
    }

    const DELAY: Duration = Duration::from_millis(300);

    static ORDERS: LazyLock<Vec<Order>> = LazyLock::new(|| {
        let text = std::env::var("LEADSTREAM_FAILPOINTS").unwrap_or_default();
        let orders = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        orders
            .filter_map(|order| {
                let parsed = parse(order);
                if parsed.is_none() {
                    tracing::error!(order, "LEADSTREAM_FAILPOINTS has an order that is none");
                }
                parsed
            })
            .collect()
    });

    static UNTIL: LazyLock<Option<Duration>> = LazyLock::new(|| {
        let seconds = std::env::var("LEADSTREAM_FAILPOINTS_UNTIL").ok()?;
        Some(Duration::from_secs(seconds.parse().ok()?))
    });

    fn are_over() -> bool {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        UNTIL.is_some_and(|until| now >= until)
    }

    fn parse(order: &str) -> Option<Order> {
        let (point, what) = order.split_once('=')?;
        let (action, share) = what.split_once(':').unwrap_or((what, "1"));
        let action = match action {
            "abort" => Action::Abort,
            "error" => Action::Error,
            "delay" => Action::Delay,
            _ => return None,
        };
        Some(Order {
            point: point.to_owned(),
            action,
            share: share.parse().ok()?,
        })
    }

    /// # Errors
    /// Where an error was ordered.
    pub(crate) async fn hit(point: Point) -> Result<(), sqlx::Error> {
        if ORDERS.is_empty() || are_over() {
            return Ok(());
        }
        let name = format!("{point:?}").to_lowercase();
        for order in ORDERS.iter().filter(|order| order.point == name) {
            if rand::random::<f64>() >= order.share {
                continue;
            }
            tracing::warn!(point = name, action = ?order.action, "failpoint");
            match order.action {
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
        use super::{Action, Order, parse};

        #[test]
        fn an_order_names_point_action_and_share() {
            let order = |action, share| {
                Some(Order {
                    point: "commit".into(),
                    action,
                    share,
                })
            };
            assert_eq!(parse("commit=abort:0.25"), order(Action::Abort, 0.25));
            assert_eq!(parse("commit=delay"), order(Action::Delay, 1.0));
            for wrong in ["commit", "commit=explode", "commit=abort:often"] {
                assert_eq!(parse(wrong), None, "{wrong}");
            }
        }
    }
}
