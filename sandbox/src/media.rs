//! Keeps the files that leads send, in memory only.

use std::collections::BTreeMap;

use axum::body::Bytes;

/// The files by media id.
#[derive(Debug, Default)]
pub(crate) struct Media(BTreeMap<String, File>);

#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) mime_type: String,
    pub(crate) bytes: Bytes,
}

impl Media {
    /// Keeps a file, and returns its id.
    pub(crate) fn add(&mut self, mime_type: String, bytes: Bytes) -> String {
        let id = format!("1{:014}", rand::random::<u32>());
        self.0.insert(id.clone(), File { mime_type, bytes });
        id
    }

    pub(crate) fn get(&self, id: &str) -> Option<File> {
        self.0.get(id).cloned()
    }
}
