//! Says which statuses the accepted messages get, and in which order.

use rand::Rng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

/// A status of a message on its way to the recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// WhatsApp's server took it.
    Sent,
    /// The recipient's phone has it.
    Delivered,
    /// The recipient opened it.
    Read,
    /// It was refused after all, with this code of the Graph API.
    Failed(i64),
}

impl Stage {
    /// Returns the status's name in the Cloud API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed(_) => "failed",
        }
    }
}

/// The statuses that accepted messages get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusScript {
    /// The statuses of a message, in the order of their posts.
    pub stages: Vec<Stage>,
    /// Whether each message has another order.
    pub shuffled: bool,
    /// The share of statuses that are posted twice, from 0 to 1.
    pub repeated: f64,
    /// The share of statuses that are never posted, from 0 to 1.
    pub missing: f64,
    /// Whether the first status of a message is posted before its send is answered.
    pub before_answer: bool,
}

impl Default for StatusScript {
    fn default() -> Self {
        Self {
            stages: vec![Stage::Sent, Stage::Delivered, Stage::Read],
            shuffled: false,
            repeated: 0.0,
            missing: 0.0,
            before_answer: false,
        }
    }
}

impl StatusScript {
    /// Draws the statuses of one message, in the order of their posts.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> Vec<Stage> {
        let mut stages = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            if random.random::<f64>() < self.missing {
                continue;
            }
            stages.push(*stage);
            if random.random::<f64>() < self.repeated {
                stages.push(*stage);
            }
        }
        if self.shuffled {
            stages.shuffle(random);
        }
        stages
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::{Stage, StatusScript};

    fn draws(script: &StatusScript) -> Vec<Vec<Stage>> {
        let mut random = StdRng::seed_from_u64(1);
        (0..1_000).map(|_| script.draw(&mut random)).collect()
    }

    #[test]
    fn statuses_come_once_and_in_order_unless_the_script_says_otherwise() {
        let script = StatusScript::default();
        assert!(draws(&script).iter().all(|drawn| *drawn == script.stages));
    }

    #[test]
    fn statuses_are_shuffled_repeated_and_missing_in_the_given_shares() {
        let script = StatusScript {
            shuffled: true,
            repeated: 0.5,
            missing: 0.1,
            ..StatusScript::default()
        };
        let drawn = draws(&script);
        let total: usize = drawn.iter().map(Vec::len).sum();
        assert!((3_800..4_300).contains(&total), "{total}");
        let position = |stage: &Stage| script.stages.iter().position(|it| it == stage);
        let in_order = |stages: &&Vec<Stage>| stages.is_sorted_by_key(position);
        let ordered = drawn.iter().filter(in_order).count();
        assert!((100..600).contains(&ordered), "{ordered}");
        let never = StatusScript {
            missing: 1.0,
            ..StatusScript::default()
        };
        assert!(draws(&never).iter().all(Vec::is_empty));
    }
}
