//! Parses YAML to a tree of nodes with their places.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};

use super::{Faults, Place};

const MAX_DEPTH: usize = 16;
const MAX_NODES: usize = 20_000;

/// Identifies a node of a tree.
pub(crate) type NodeId = usize;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) place: Place,
    /// The bytes of the text; empty for a stand-in.
    pub(crate) range: Range<usize>,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar {
        text: String,
        /// True without quotes, so that YAML may read a number, a truth value or nothing.
        is_plain: bool,
    },
    List {
        items: Vec<Node>,
        /// True in brackets.
        is_flow: bool,
    },
    Map {
        entries: Vec<(Node, Node)>,
        /// True in braces.
        is_flow: bool,
    },
}

/// What YAML reads a node as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Truth,
    Number,
    Text,
    List,
    Map,
}

impl Node {
    pub(crate) fn text(id: NodeId, place: Place, text: impl Into<String>) -> Self {
        let value = Value::text(text);
        Self {
            id,
            place,
            range: 0..0,
            value,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match &self.value {
            Value::List { .. } => Kind::List,
            Value::Map { .. } => Kind::Map,
            Value::Scalar { text, is_plain } => match text.as_str() {
                _ if !is_plain => Kind::Text,
                "" | "~" | "null" | "Null" | "NULL" => Kind::Nothing,
                "true" | "false" => Kind::Truth,
                text if is_number(text) => Kind::Number,
                _ => Kind::Text,
            },
        }
    }

    /// Returns the text of a scalar.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Returns the entries of a mapping; of another node none.
    pub(crate) fn entries(&self) -> &[(Self, Self)] {
        match &self.value {
            Value::Map { entries, .. } => entries,
            _ => &[],
        }
    }

    /// Returns the value of the member `name` of a mapping.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let mut entries = self.entries().iter();
        let found = entries.find(|(key, _)| key.scalar() == Some(name));
        found.map(|(_, value)| value)
    }

    /// Returns the nodes directly below this one.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Self> {
        let items = match &self.value {
            Value::List { items, .. } => items.as_slice(),
            _ => &[],
        };
        let entries = self.entries().iter().flat_map(|(key, value)| [key, value]);
        items.iter().chain(entries)
    }

    /// Returns the node `id`.
    pub(crate) fn find_mut(&mut self, id: NodeId) -> Option<&mut Self> {
        if self.id == id {
            return Some(self);
        }
        match &mut self.value {
            Value::Scalar { .. } => None,
            Value::List { items, .. } => items.iter_mut().find_map(|it| it.find_mut(id)),
            Value::Map { entries, .. } => entries
                .iter_mut()
                .flat_map(|(key, value)| [key, value])
                .find_map(|it| it.find_mut(id)),
        }
    }
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Scalar {
            text: text.into(),
            is_plain: false,
        }
    }
}

/// Returns whether YAML reads a plain scalar as a number.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    let is_prefixed = digits.starts_with("0x") || digits.starts_with("0o");
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && (is_prefixed && digits.chars().skip(2).all(|c| c.is_ascii_hexdigit())
            || text.parse::<f64>().is_ok())
}

/// The reason why a text is no document.
#[derive(Debug)]
pub(super) enum Unreadable {
    Syntax(Box<ScanError>),
    Empty,
    TooLarge(Place),
}

/// Parses a text. Slips that leave a tree are added to `faults`.
pub(super) fn parse(text: &str, faults: &mut Faults) -> Result<Node, Unreadable> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.emit_unresolved_aliases = true;
    let mut builder = Builder {
        faults,
        ids: 0,
        open: Vec::new(),
        root: None,
        documents: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Unreadable::Syntax(Box::new(error)))?;
        builder.event(event, &span)?;
    }
    builder.root.ok_or(Unreadable::Empty)
}

struct Builder<'a> {
    faults: &'a mut Faults,
    ids: usize,
    /// The lists and mappings that have begun.
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

/// A list or a mapping whose nodes are read, keys and values in turn.
struct Open {
    node: Node,
    nodes: Vec<Node>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Unreadable> {
        let place = place(span);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.faults.error(
                        place,
                        "another document begins here; write one in each file, and remove `---`",
                    );
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && !is_text(tag.as_deref());
                let text = text.into_owned();
                let node = self.node(span, Value::Scalar { text, is_plain })?;
                self.properties(place, anchor, tag.as_deref());
                self.add(node);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.faults.error(
                    place,
                    "`*` begins a reference to another place, which documents here do not have; put a text that begins with `*` in quotes, or write the value out",
                );
                let node = self.node(span, Value::text("*"))?;
                self.add(node);
            }
            Event::SequenceStart(style, anchor, tag) => {
                let is_flow = style == StructureStyle::Flow;
                let items = Vec::new();
                let node = self.node(span, Value::List { items, is_flow })?;
                self.open(node, anchor, tag.as_deref())?;
            }
            Event::MappingStart(style, anchor, tag) => {
                let is_flow = style == StructureStyle::Flow;
                let entries = Vec::new();
                let node = self.node(span, Value::Map { entries, is_flow })?;
                self.open(node, anchor, tag.as_deref())?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => {}
        }
        Ok(())
    }

    fn node(&mut self, span: &Span, value: Value) -> Result<Node, Unreadable> {
        let place = place(span);
        self.ids += 1;
        if self.ids > MAX_NODES {
            return Err(Unreadable::TooLarge(place));
        }
        let id = self.ids;
        Ok(Node {
            id,
            place,
            range: span.byte_range().unwrap_or_default(),
            value,
        })
    }

    fn open(&mut self, node: Node, anchor: usize, tag: Option<&Tag>) -> Result<(), Unreadable> {
        self.properties(node.place, anchor, tag);
        if self.open.len() >= MAX_DEPTH {
            return Err(Unreadable::TooLarge(node.place));
        }
        let nodes = Vec::new();
        self.open.push(Open { node, nodes });
        Ok(())
    }

    /// Refuses what YAML allows before a node.
    fn properties(&mut self, place: Place, anchor: usize, tag: Option<&Tag>) {
        if anchor != 0 {
            self.faults.error(
                place,
                "`&` begins an anchor, and documents here are without anchors; put a text that begins with `&` in quotes, or write the value out where it is used",
            );
        }
        if tag.is_some() && !is_text(tag) {
            self.faults.error(
                place,
                "`!` begins a tag, which documents here do not have; put a text that begins with `!` in quotes",
            );
        }
    }

    fn close(&mut self, span: &Span) {
        let Some(Open { mut node, nodes }) = self.open.pop() else {
            return;
        };
        let end = span.end.byte_offset();
        node.range.end = end.unwrap_or_default().max(node.range.start);
        match &mut node.value {
            Value::List { items, .. } => *items = nodes,
            Value::Map { entries, .. } => *entries = self.entries(nodes),
            Value::Scalar { .. } => {}
        }
        self.add(node);
    }

    /// Returns the entries of a mapping, each key once; a mapping that has the name of another entry is
    /// kept.
    fn entries(&mut self, nodes: Vec<Node>) -> Vec<(Node, Node)> {
        let mut entries = Vec::new();
        let mut seen: BTreeMap<String, Place> = BTreeMap::new();
        let mut nodes = nodes.into_iter();
        while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
            let Some(name) = key.scalar().map(str::to_owned) else {
                self.faults.error(
                    key.place,
                    "the name of a member is due here; put a text that begins with `{` or `[` in quotes",
                );
                continue;
            };
            if name == "<<" {
                self.faults.error(
                    key.place,
                    "`<<` copies members from another place, which documents here do not have; write the members out",
                );
                continue;
            }
            if let Some(first) = seen.get(&name) {
                self.faults.error(
                    key.place,
                    format!(
                        "`{name}` is here twice, the first time in line {}; remove one, or give it another name",
                        first.line
                    ),
                );
                // Whether the rest of it can be checked, the shape says.
                if value.kind() == Kind::Map {
                    entries.push((key, value));
                }
                continue;
            }
            seen.insert(name, key.place);
            entries.push((key, value));
        }
        entries
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None if self.root.is_none() => self.root = Some(node),
            None => {}
        }
    }
}

fn is_text(tag: Option<&Tag>) -> bool {
    tag.is_some_and(|tag| matches!(tag.core_suffix(), Some("str")))
}

fn place(span: &Span) -> Place {
    at(span.start.line(), span.start.col())
}

pub(super) fn at(line: usize, column_from_0: usize) -> Place {
    let number = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
    Place {
        line: number(line.max(1)),
        column: number(column_from_0 + 1),
    }
}
