//! Defines what a check found, and how it is printed. Pure.

use serde_json::{Value, json};

use crate::terminal::{Ink, Style};

/// Whether something is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    /// It works, and will not when something else fails.
    Warning,
    /// A service cannot work with it.
    Fault,
    /// Its settings are not set.
    Skipped,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
            Self::Skipped => "skipped",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) area: &'static str,
    pub(super) state: State,
    pub(super) message: String,
    /// The command or step that fixes it.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(area: &'static str, message: impl Into<String>) -> Self {
        Self::new(area, State::Ok, message, None)
    }

    pub(super) fn skipped(area: &'static str, message: impl Into<String>) -> Self {
        Self::new(area, State::Skipped, message, None)
    }

    pub(super) fn warning(
        area: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(area, State::Warning, message, Some(remedy.into()))
    }

    pub(super) fn fault(
        area: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(area, State::Fault, message, Some(remedy.into()))
    }

    fn new(
        area: &'static str,
        state: State,
        message: impl Into<String>,
        remedy: Option<String>,
    ) -> Self {
        Self {
            area,
            state,
            message: message.into(),
            remedy,
        }
    }

    /// Returns the finding for the terminal: a line, and a second one with the remedy.
    pub(super) fn line(&self, style: Style) -> String {
        let ink = match self.state {
            State::Ok => Ink::Good,
            State::Warning | State::Fault => Ink::Bad,
            State::Skipped => Ink::Faint,
        };
        let state = style.paint(ink, &format!("{:<8}", self.state.as_str()));
        let line = format!("{state} {:<9} {}\n", self.area, self.message);
        match &self.remedy {
            Some(remedy) => format!("{line}{:19}to fix: {remedy}\n", ""),
            None => line,
        }
    }

    pub(super) fn object(&self) -> Value {
        json!({
            "area": self.area, "state": self.state.as_str(), "message": self.message,
            "remedy": self.remedy,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Finding;
    use crate::terminal::Style;

    #[test]
    fn a_finding_is_a_line_with_its_remedy_below() {
        let fault = Finding::fault("database", "it is read-only", "choose the primary");
        let expected =
            "fault    database  it is read-only\n                   to fix: choose the primary\n";
        assert_eq!(fault.line(Style::PLAIN), expected);
        let ok = Finding::ok("kafka", "3 brokers");
        assert_eq!(ok.line(Style::PLAIN), "ok       kafka     3 brokers\n");
        let object = json!({
            "area": "database", "state": "fault", "message": "it is read-only",
            "remedy": "choose the primary",
        });
        assert_eq!(fault.object(), object);
        assert_eq!(ok.object()["remedy"], json!(null));
    }
}
