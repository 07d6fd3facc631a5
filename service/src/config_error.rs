//! Defines the error for a missing or invalid setting.

use std::fmt;

/// A setting that is missing or wrong: names its variable and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    variable: String,
    problem: String,
}

impl ConfigError {
    pub fn new(variable: &str, problem: impl Into<String>) -> Self {
        Self {
            variable: variable.to_owned(),
            problem: problem.into(),
        }
    }

    /// Returns the variable's name.
    #[must_use]
    pub fn variable(&self) -> &str {
        &self.variable
    }

    #[must_use]
    pub fn missing(variable: &str, example: &str) -> Self {
        Self::new(
            variable,
            format!("is not set; example: {variable}={example}"),
        )
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.problem)
    }
}

impl std::error::Error for ConfigError {}
