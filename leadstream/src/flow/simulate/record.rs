//! Writes the conversation to a file of transcripts after each turn, so that Ctrl-C loses nothing.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use leadstream_processor::flows::Flows;
use leadstream_processor::simulator::Recorder;

pub(super) struct Record {
    path: PathBuf,
    /// The file before the conversation.
    before: String,
}

impl Record {
    /// Reads the file, if there is one already. The first turn creates it otherwise.
    pub(super) fn open(path: &Path, flows: &Flows) -> anyhow::Result<Self> {
        let refused = || format!("{} cannot be written", path.display());
        let before = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // So that no conversation is played in vain.
                File::create_new(path).with_context(refused)?;
                fs::remove_file(path).with_context(refused)?;
                String::new()
            }
            Err(error) => return Err(error).with_context(refused),
        };
        let record = Self {
            path: path.to_owned(),
            before,
        };
        // Refuses a file to which nothing can be appended.
        record.text(&Recorder::default(), flows)?;
        Ok(record)
    }

    fn text(&self, recorder: &Recorder, flows: &Flows) -> anyhow::Result<String> {
        let file = self.path.display().to_string();
        Ok(recorder.appended(&file, &self.before, flows)?)
    }

    /// Writes the conversation so far. The file is whole at any time.
    pub(super) fn write(&self, recorder: &Recorder, flows: &Flows) -> anyhow::Result<()> {
        if recorder.is_empty() {
            return Ok(());
        }
        let text = self.text(recorder, flows)?;
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let refused = || format!("{} cannot be written", self.path.display());
        let mut file = File::create(&beside).with_context(refused)?;
        file.write_all(text.as_bytes()).with_context(refused)?;
        fs::rename(&beside, &self.path).with_context(refused)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadstream_processor::flow::{DEFAULT_FLOW, Flow};
    use leadstream_processor::simulator::TranscriptFile;
    use leadstream_schemas::Content;

    use super::*;

    fn flows() -> Flows {
        Flows::new(Flow::parse("", DEFAULT_FLOW).unwrap(), Vec::new())
    }

    #[test]
    fn each_turn_is_in_the_file_and_the_next_conversation_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sales.test.yaml");
        let flows = flows();
        let say = |recorder: &mut Recorder, body: &str| {
            let body = body.to_owned();
            recorder.add(&Content::Text { body }, Duration::from_secs(10));
        };
        let record = Record::open(&path, &flows).unwrap();
        assert!(!path.exists());
        let mut recorder = Recorder::default();
        record.write(&recorder, &flows).unwrap();
        assert!(!path.exists());
        say(&mut recorder, "Hi");
        record.write(&recorder, &flows).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("lead: Hi"));
        say(&mut recorder, "Ann");
        record.write(&recorder, &flows).unwrap();
        let one = fs::read_to_string(&path).unwrap();
        assert!(one.contains("lead: Ann"), "{one}");

        let record = Record::open(&path, &flows).unwrap();
        let mut recorder = Recorder::default();
        say(&mut recorder, "Hello");
        record.write(&recorder, &flows).unwrap();
        let both = fs::read_to_string(&path).unwrap();
        assert!(both.starts_with(one.trim_end()), "{both}");
        assert!(both.contains("Recorded conversation 2"), "{both}");
        let results = TranscriptFile::parse("", &both).unwrap().play(&flows);
        let results = results.unwrap();
        assert_eq!(results.len(), 2);
        assert!(results.iter().all(|it| it.differences.is_empty()));
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_file_to_which_nothing_can_be_appended_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.yaml");
        for text in [
            "notes: []\n",
            "transcripts: [{name: a, turns: [{lead: Hi, bot: any}]}]\n",
        ] {
            fs::write(&path, text).unwrap();
            assert!(Record::open(&path, &flows()).is_err(), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(Record::open(&folder.path().join("no/where.yaml"), &flows()).is_err());
        // An empty file, and lists without blanks before them.
        for (text, expected) in [
            ("", "\n  - name:"),
            (
                "transcripts:\n- name: a\n  turns:\n  - {lead: Hi, bot: any}\n",
                "\n- name: Recorded",
            ),
        ] {
            fs::write(&path, text).unwrap();
            let mut recorder = Recorder::default();
            let body = "Hi".to_owned();
            recorder.add(&Content::Text { body }, Duration::from_secs(10));
            let record = Record::open(&path, &flows()).unwrap();
            record.write(&recorder, &flows()).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(expected), "{text}");
            TranscriptFile::parse("", &text).unwrap();
        }
    }
}
