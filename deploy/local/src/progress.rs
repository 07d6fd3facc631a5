//! Shows progress to the person at the terminal.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The display of steps. Clones share one display.
#[derive(Debug, Clone, Default)]
pub struct Progress(Display);

#[derive(Debug, Clone, Default)]
enum Display {
    #[default]
    Silent,
    Lines,
    Spinners(MultiProgress),
}

impl Progress {
    /// Returns a display that shows nothing.
    pub fn silent() -> Self {
        Self(Display::Silent)
    }

    /// Returns a display of spinners if standard error is a terminal, otherwise of one line per
    /// event.
    pub fn stderr() -> Self {
        if io::stderr().is_terminal() {
            Self(Display::Spinners(MultiProgress::new()))
        } else {
            Self(Display::Lines)
        }
    }

    /// Begins a step; it ends with [`Step::done`], or unfinished when dropped.
    pub fn step(&self, name: impl Into<Cow<'static, str>>) -> Step {
        let name = name.into();
        let bar = match &self.0 {
            Display::Spinners(bars) => {
                let bar = bars.add(ProgressBar::new_spinner());
                bar.set_style(style("{spinner} {prefix:<18} {wide_msg} {elapsed}"));
                bar.set_prefix(name.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                Some(bar)
            }
            Display::Silent | Display::Lines => None,
        };
        Step {
            name,
            bar,
            lines: matches!(self.0, Display::Lines),
            started: Instant::now(),
        }
    }
}

/// One running step.
#[derive(Debug)]
pub struct Step {
    name: Cow<'static, str>,
    bar: Option<ProgressBar>,
    lines: bool,
    started: Instant,
}

impl Step {
    /// Shows the current activity. It replaces the last such text, and is not printed as a line.
    pub fn doing(&self, text: impl Into<Cow<'static, str>>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text);
        }
    }

    /// Prints a line that is worth keeping on the screen or in a build's log.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("  {text}")),
            None => self.line(text),
        }
    }

    /// Ends the step; shows its outcome and duration.
    pub fn done(self, outcome: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        match &self.bar {
            Some(bar) => {
                bar.set_style(style("✓ {prefix:<18} {wide_msg}"));
                bar.finish_with_message(format!("{outcome} ({seconds:.1} s)"));
            }
            None => self.line(&format!("{outcome} ({seconds:.1} s)")),
        }
    }

    /// Ends the step and shows nothing.
    pub fn forget(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        if self.lines {
            // Standard error may be closed.
            let _ = writeln!(io::stderr(), "{}: {text}", self.name);
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.as_ref().filter(|bar| !bar.is_finished()) {
            bar.abandon();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
