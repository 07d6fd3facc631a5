//! Defines the events of a run of `leadstream up`, for its caller to show.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use crate::stack_file::StackFile;

/// An event of a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Everything is ready.
    Up(Overview<'a>),
    /// The reason why no conversation is played.
    NotPlayed(&'a str),
    /// A conversation begins.
    Began { wa_id: &'a str, number: &'a str },
    /// A step of the conversation is done.
    Observed(Observation<'a>),
    /// The conversation ended as the script says.
    Checked,
    /// The conversation differed from the script.
    Failed(&'a anyhow::Error),
    /// A service ended, and starts again after the pause.
    ServiceEnded {
        name: &'a str,
        status: ExitStatus,
        log: &'a Path,
        pause: Duration,
    },
    /// The service runs again.
    ServiceRestarted { name: &'a str },
    /// Everything runs until a signal.
    Waiting {
        data_dir: &'a Path,
        file: &'a StackFile,
    },
}

/// The running parts, with their addresses.
#[derive(Debug)]
pub struct Overview<'a> {
    pub file: &'a StackFile,
    /// The path as the user wrote it.
    pub data_dir: &'a Path,
    /// The names of the simulated vendors.
    pub stand_ins: Vec<&'static str>,
}

/// A step of the conversation, and the time since the lead's last message.
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

/// Receives each event when it happens.
pub type Show = dyn Fn(Event<'_>);
