//! Runs the commands of README.md as they stand there, in order, in a folder of their own with the
//! built binary. A command that is not listed here fails the test.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_harness::{World, eventually};
use tokio::runtime::Runtime;

const WITHIN: Duration = Duration::from_secs(240);

/// How a command is run, and what it must print.
#[derive(Clone, Copy, Debug)]
enum Run {
    /// Runs beside the following ones, once it has printed this.
    Beside(&'static str),
    /// Gets these lines, and ends by itself.
    Typed(&'static str, &'static str),
    /// Is interrupted as soon as it has printed this.
    Until(&'static str),
    /// Ends by itself.
    ToItsEnd(&'static str),
    /// Ends by itself; what runs beside is interrupted before.
    Alone(&'static str),
}

const COMMANDS: &[(&str, Run)] = &[
    ("make run", Run::Beside("Ctrl-C")),
    (
        "target/debug/leadstream chat",
        Run::Typed("Hi\n/help\nJohn Doe\n", "Thanks John Doe"),
    ),
    (
        "target/debug/leadstream events --follow",
        Run::Until("AWAITING_BUDGET"),
    ),
    (
        "target/debug/leadstream lead list",
        Run::ToItsEnd("COMPLETED"),
    ),
    (
        "target/debug/leadstream crm status",
        Run::ToItsEnd("hubspot"),
    ),
    (
        "(. .leadstream/env; curl -s \"$SANDBOX_URL/sandbox/hubspot/contacts\")",
        Run::ToItsEnd("\"lastname\":\"Doe\""),
    ),
    ("make run ARGS=--once", Run::Alone("as it must be")),
    ("make run ARGS=--help", Run::Alone("--processors")),
];

pub(crate) fn the_commands_of_the_readme_run_as_they_stand(world: &World) -> anyhow::Result<()> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lines = commands(&fs::read_to_string(project.join("README.md"))?)?;
    let listed: Vec<&str> = COMMANDS.iter().map(|(line, _)| *line).collect();
    let stand: Vec<&str> = lines.iter().map(String::as_str).collect();
    ensure!(
        stand == listed,
        "README.md has the commands {stand:#?}, and this test runs {listed:#?}"
    );
    let folder = Folder::new(world, &project.canonicalize()?)?;
    let mut beside = None;
    for (line, run) in COMMANDS {
        let ended = folder.run(line, *run, &mut beside);
        if let Err(error) = ended {
            interrupt(beside.take())?;
            return Err(error.context(format!("`{line}` of README.md")));
        }
    }
    interrupt(beside)
}

/// Returns the commands of all blocks of the shell, without their comments.
fn commands(text: &str) -> anyhow::Result<Vec<String>> {
    let mut commands = Vec::new();
    let mut block = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(kind), None) => {
                ensure!(
                    ["sh", "text"].contains(&kind),
                    "a block of README.md is of the kind `{kind}`: use sh for commands, else text"
                );
                block = Some(kind);
            }
            (Some(_), Some(_)) => block = None,
            (None, Some("sh")) => {
                let command = line.split("  #").next().unwrap_or_default().trim();
                ensure!(!command.ends_with('\\'), "{line}: write it on one line");
                if !command.is_empty() && !command.starts_with('#') {
                    commands.push(command.to_owned());
                }
            }
            (None, _) => {}
        }
    }
    Ok(commands)
}

/// A folder that looks like the project's, with the binary built.
struct Folder<'w> {
    path: PathBuf,
    runtime: &'w Runtime,
}

impl<'w> Folder<'w> {
    fn new(world: &'w World, project: &Path) -> anyhow::Result<Self> {
        let path = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/readme"));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        for folder in ["bin", "target/debug"] {
            fs::create_dir_all(path.join(folder))?;
        }
        for name in ["Makefile", "deploy", "rust-toolchain.toml"] {
            symlink(project.join(name), path.join(name))?;
        }
        symlink(&world.binary, path.join("target/debug/leadstream"))?;
        // The binary is built already.
        let cargo = path.join("bin/cargo");
        fs::write(&cargo, "#!/bin/sh\n[ \"$*\" = 'build --workspace' ]\n")?;
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            path,
            runtime: &world.runtime,
        })
    }

    fn run(&self, line: &str, run: Run, beside: &mut Option<Child>) -> anyhow::Result<()> {
        if matches!(run, Run::Alone(_)) {
            interrupt(beside.take())?;
        }
        let output = self.path.join("output");
        let mut child = self.start(line, &output)?;
        let mut input = child.stdin.take().context("no input")?;
        if let Run::Typed(typed, _) = run {
            input.write_all(typed.as_bytes())?;
        }
        drop(input);
        let expected = match run {
            Run::Beside(expected) | Run::Until(expected) => {
                let found = self.wait_for(&mut child, &output, expected);
                if let (Run::Beside(_), Ok(())) = (run, &found) {
                    *beside = Some(child);
                } else {
                    interrupt(Some(child))?;
                }
                return found;
            }
            Run::Typed(_, expected) | Run::ToItsEnd(expected) | Run::Alone(expected) => expected,
        };
        let ended = self.poll(|| Ok(child.try_wait()?));
        if ended.is_err() {
            interrupt(Some(child))?;
        }
        let status = ended.with_context(|| fs::read_to_string(&output).unwrap_or_default())?;
        let said = fs::read_to_string(&output)?;
        ensure!(status.success(), "it ended with {status}: {said}");
        ensure!(said.contains(expected), "no `{expected}` in: {said}");
        Ok(())
    }

    fn wait_for(&self, child: &mut Child, output: &Path, expected: &str) -> anyhow::Result<()> {
        let found = self.poll(|| {
            let said = fs::read_to_string(output)?;
            if said.contains(expected) {
                return Ok(Some(()));
            }
            match child.try_wait()? {
                Some(status) => bail!("it ended with {status}"),
                None => Ok(None),
            }
        });
        let said = || fs::read_to_string(output).unwrap_or_default();
        found.with_context(|| format!("no `{expected}` in: {}", said()))
    }

    /// Waits until `check` finds something, or fails.
    fn poll<T>(&self, mut check: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
        self.runtime.block_on(eventually(WITHIN, async || {
            Ok(match check() {
                Ok(found) => Ok(found.context("nothing yet")?),
                Err(error) => Err(error),
            })
        }))?
    }

    fn start(&self, line: &str, output: &Path) -> anyhow::Result<Child> {
        let file = File::create(output)?;
        let path = std::env::var("PATH")?;
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if [
                "CARGO",
                "LEADSTREAM_",
                "KAFKA_",
                "SCHEMA_",
                "DATABASE_",
                "MAKE",
            ]
            .iter()
            .any(|prefix| text.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        let child = command
            .args(["-c", line])
            .current_dir(&self.path)
            .env("PATH", format!("{}/bin:{path}", self.path.display()))
            // The Makefile puts the real cargo first; the environment is stronger so.
            .env("MAKEFLAGS", "e")
            // Other tests may have the usual port.
            .env("INGEST_ADDRESS", "127.0.0.1:0")
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()?;
        Ok(child)
    }
}

/// Presses Ctrl-C, and waits for the end.
fn interrupt(child: Option<Child>) -> anyhow::Result<()> {
    let Some(mut child) = child else {
        return Ok(());
    };
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-INT", "--", &group]).status()?;
    child.wait()?;
    Ok(())
}
