//! Holds the sandbox's state, and writes it to a file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::SandboxConfig;
use crate::hubspot::property::Property;
use crate::hubspot::property_group::Group;
use crate::table::{CrmRecord, Gone, Table, Write};

/// The number of messages kept; older ones are dropped.
const MESSAGE_LIMIT: usize = 500_000;

/// A message that the simulated WhatsApp accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentMessage {
    /// Position among all accepted messages, from 1.
    pub seq: u64,
    /// The number that sent it.
    pub phone_number_id: String,
    /// Digits of the recipient, or its BSUID.
    pub to: String,
    /// `text`, `interactive`, `template`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Body of a text or an interactive message, or an image's caption.
    pub text: Option<String>,
    /// The sender's own id for it.
    pub biz_opaque_callback_data: Option<String>,
    /// The id that it was given.
    pub wamid: String,
    /// The time at which it was accepted.
    pub received_at: DateTime<Utc>,
    /// The request's body.
    pub payload: Value,
}

/// The kinds of record of the CRMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Crm {
    Hubspot,
    /// Leads.
    Salesforce,
    SalesforceContact,
    SalesforceAccount,
}

/// One change of the state; a line of the file holds the changes of one request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Message(Box<SentMessage>),
    Property(Property),
    PropertyGroup(Group),
    Write(Crm, Write),
    Remove(Crm, String),
    /// The first record was merged into the second.
    Merged(Crm, String, String),
    /// A whole record, of a compacted file.
    Record(Crm, Box<CrmRecord>),
}

impl Change {
    /// Sets whether a write was applied later than it was sent.
    pub(crate) fn late(mut self, late: bool) -> Self {
        if let Self::Write(_, write) = &mut self {
            write.late = late;
        }
        self
    }
}

/// The state of the sandbox.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) messages: VecDeque<SentMessage>,
    /// Contact properties: those of the configuration and those created since.
    pub(crate) properties: BTreeMap<String, Property>,
    created_properties: BTreeSet<String>,
    /// Groups of contact properties, by name.
    pub(crate) property_groups: BTreeMap<String, Group>,
    pub(crate) contacts: Table,
    pub(crate) leads: Table,
    /// Contacts of Salesforce.
    pub(crate) people: Table,
    pub(crate) accounts: Table,
}

impl State {
    pub(crate) fn new(config: &SandboxConfig) -> Self {
        let properties = &config.hubspot.properties;
        let unique = properties
            .iter()
            .filter(|p| p.identifies())
            .map(|p| p.name.clone());
        let fields = &config.salesforce.fields;
        let external = fields
            .iter()
            .filter(|f| f.external_id)
            .map(|f| f.name.clone());
        Self {
            messages: VecDeque::new(),
            properties: properties
                .iter()
                .map(|p| (p.name.clone(), p.clone()))
                .collect(),
            created_properties: BTreeSet::new(),
            property_groups: properties
                .iter()
                .map(|property| property.group_name.as_str())
                .chain(["contactinformation"])
                .map(|name| (name.to_owned(), Group::named(name)))
                .collect(),
            contacts: Table::new(unique),
            leads: Table::new(external),
            people: Table::default(),
            accounts: Table::default(),
        }
    }

    pub(crate) fn next_message_seq(&self) -> u64 {
        self.messages.back().map_or(0, |message| message.seq) + 1
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Message(message) => {
                if self.messages.len() == MESSAGE_LIMIT {
                    self.messages.pop_front();
                }
                self.messages.push_back(*message);
            }
            // The configuration overrides the file.
            Change::Property(property) => {
                if !self.properties.contains_key(&property.name) {
                    if property.identifies() {
                        self.contacts.add_unique(&property.name);
                    }
                    self.created_properties.insert(property.name.clone());
                    self.properties.insert(property.name.clone(), property);
                }
            }
            Change::Write(crm, write) => self.table(crm).apply(write),
            Change::PropertyGroup(group) => {
                self.property_groups
                    .entry(group.name.clone())
                    .or_insert(group);
            }
            Change::Remove(crm, id) => self.table(crm).remove(&id, None),
            Change::Merged(crm, id, master) => self.table(crm).remove(&id, Some(master)),
            Change::Record(crm, record) => self.table(crm).restore(*record),
        }
    }

    fn table(&mut self, crm: Crm) -> &mut Table {
        match crm {
            Crm::Hubspot => &mut self.contacts,
            Crm::Salesforce => &mut self.leads,
            Crm::SalesforceContact => &mut self.people,
            Crm::SalesforceAccount => &mut self.accounts,
        }
    }

    /// Returns the changes that lead from nothing to this state.
    fn snapshot(&self) -> impl Iterator<Item = Change> {
        let record = |crm| move |record: &CrmRecord| Change::Record(crm, Box::new(record.clone()));
        let gone = |crm| {
            move |gone: &Gone| {
                let id = gone.record.id.clone();
                let end = match gone.master.clone() {
                    Some(master) => Change::Merged(crm, id, master),
                    None => Change::Remove(crm, id),
                };
                [Change::Record(crm, Box::new(gone.record.clone())), end]
            }
        };
        let created = self
            .created_properties
            .iter()
            .filter_map(|name| self.properties.get(name));
        let properties = created.cloned().map(Change::Property);
        let messages = self
            .messages
            .iter()
            .cloned()
            .map(|message| Change::Message(Box::new(message)));
        let groups = self
            .property_groups
            .values()
            .cloned()
            .map(Change::PropertyGroup);
        groups
            .chain(properties)
            .chain(messages)
            .chain(self.contacts.gone().flat_map(gone(Crm::Hubspot)))
            .chain(self.leads.gone().flat_map(gone(Crm::Salesforce)))
            .chain(self.people.gone().flat_map(gone(Crm::SalesforceContact)))
            .chain(self.people.records().map(record(Crm::SalesforceContact)))
            .chain(self.accounts.records().map(record(Crm::SalesforceAccount)))
            .chain(self.contacts.records().map(record(Crm::Hubspot)))
            .chain(self.leads.records().map(record(Crm::Salesforce)))
    }
}

/// The state with its file. A change is in the file before a request is answered. So a sudden end
/// of the process loses nothing that was acknowledged.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) state: State,
    file: Option<File>,
}

impl Store {
    /// Reads the file, if one is configured, and compacts it. An incomplete last line belongs to a
    /// request that was never answered, and is dropped.
    pub(crate) fn open(config: &SandboxConfig) -> Result<Self, StateError> {
        let mut state = State::new(config);
        let Some(path) = &config.state_file else {
            return Ok(Self { state, file: None });
        };
        let at = |source| StateError::Io {
            path: path.clone(),
            source,
        };
        match File::open(path) {
            Ok(file) => read_changes(path, file, &mut state)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(error)),
        }
        let file = compact(path, &state).map_err(at)?;
        Ok(Self {
            state,
            file: Some(file),
        })
    }

    /// Writes the changes of one request to the file and applies them.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written; nothing is applied then.
    pub(crate) fn commit(&mut self, changes: Vec<Change>) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Some(file) = &mut self.file {
            let mut line = serde_json::to_vec(&changes)?;
            line.push(b'\n');
            let end = file.stream_position()?;
            if let Err(error) = file.write_all(&line) {
                // The next line must not join a torn one.
                file.set_len(end)?;
                file.seek(SeekFrom::Start(end))?;
                return Err(error);
            }
        }
        for change in changes {
            self.state.apply(change);
        }
        Ok(())
    }
}

fn read_changes(path: &Path, file: File, state: &mut State) -> Result<(), StateError> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        read.map_err(|source| StateError::Io {
            path: path.to_owned(),
            source,
        })?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let changes: Vec<Change> =
            serde_json::from_slice(&line).map_err(|source| StateError::Line {
                path: path.to_owned(),
                line: number,
                source,
            })?;
        for change in changes {
            state.apply(change);
        }
    }
    Ok(())
}

/// Replaces the file by one that holds each record once, and opens it for appending.
fn compact(path: &Path, state: &State) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)?;
    let mut writer = BufWriter::new(file);
    for change in state.snapshot() {
        serde_json::to_writer(&mut writer, &[change])?;
        writer.write_all(b"\n")?;
    }
    let file = writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    Ok(file)
}

/// The state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error("cannot read or write the sandbox's state file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A complete line is not in the form that the sandbox writes.
    #[error(
        "line {line} of the sandbox's state file {} is damaged; remove the file to start with an empty sandbox",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}
