//! Defines the events of a run of `leadstream up`, for its caller to show.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::stack_file::StackFile;

/// An event of a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Everything is ready.
    Up(Overview<'a>),
    /// No conversation is played, for this reason.
    NotPlayed(&'a str),
    /// A conversation begins.
    Began { wa_id: &'a str, number: &'a str },
    /// A step of the conversation is done.
    Observed(Observation<'a>),
    /// The conversation is over and came out as it must.
    Checked,
    /// The conversation did not come out as it must.
    Failed(&'a anyhow::Error),
    /// Everything stays up until a signal.
    Waiting {
        data_dir: &'a Path,
        file: &'a StackFile,
    },
}

/// The running parts, with their addresses.
#[derive(Debug)]
pub struct Overview<'a> {
    pub file: &'a StackFile,
    /// As the user wrote it.
    pub data_dir: &'a Path,
    /// The names of the simulated vendors.
    pub stand_ins: Vec<&'static str>,
    /// Java and the class path of Kafka's tools, when Kafka was started here.
    pub kafka_tools: Option<(PathBuf, String)>,
}

/// A step of the conversation, done `after` the lead's last message was sent.
#[derive(Debug)]
pub struct Observation<'a> {
    pub label: Label,
    pub after: Duration,
    pub text: &'a str,
}

/// The subject of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Lead,
    Webhook,
    Row,
    Event,
    Bot,
    Hubspot,
    Salesforce,
}

/// Takes each event at once.
pub type Show = dyn Fn(Event<'_>);
