//! Reads what the person at the terminal types. Pure.

/// The commands, for `/help`.
pub(super) const HELP: &str = "\
/tap N             taps option N of the last choice, or the one of this title
/form JSON         submits the last form with these answers
/image [FILE]      sends a picture, or a sample; -- CAPTION adds words
/document [FILE]   sends a document; so do /voice, /audio, /video, /sticker
/location LAT LON  sends a location; its name may follow
/react [EMOJI]     reacts to the bot's last message; alone, takes it back
/edit TEXT         replaces the text of your last message
/help              shows this list, and is not sent
//TEXT             sends /TEXT as it is
";

/// A parsed line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    Send(Action),
    Help,
    /// The reason why it is neither.
    Wrong(String),
}

/// What the lead does on the phone.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Text(String),
    /// A number, title or id of an option.
    Tap(String),
    Form(serde_json::Map<String, serde_json::Value>),
    File {
        kind: FileKind,
        /// The path; a sample without it.
        path: Option<String>,
        caption: Option<String>,
    },
    Location {
        latitude: f64,
        longitude: f64,
        name: Option<String>,
    },
    /// Without an emoji, it takes the reaction back.
    React(Option<String>),
    Edit(String),
}

/// The kinds of files that WhatsApp sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Image,
    Document,
    Voice,
    Audio,
    Video,
    Sticker,
}

pub(super) fn parse(line: &str) -> Line {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return Line::Send(Action::Text(line.to_owned()));
    };
    if command.starts_with('/') {
        return Line::Send(Action::Text(command.to_owned()));
    }
    let (name, rest) = command
        .split_once(char::is_whitespace)
        .unwrap_or((command, ""));
    let rest = rest.trim();
    let words = (!rest.is_empty()).then(|| rest.to_owned());
    let needed = |what: &str, action: fn(String) -> Action| match &words {
        Some(words) => Line::Send(action(words.clone())),
        None => Line::Wrong(format!("/{name} needs {what}")),
    };
    match name {
        "help" => Line::Help,
        "tap" => needed("a number or a title", Action::Tap),
        "edit" => needed("the new text", Action::Edit),
        "react" => Line::Send(Action::React(words)),
        "form" => serde_json::from_str(rest).map_or_else(
            |_| Line::Wrong("write the answers as JSON: /form {\"name\": \"Ann\"}".to_owned()),
            |answers| Line::Send(Action::Form(answers)),
        ),
        "location" => location(rest).map_or_else(
            || Line::Wrong("write latitude and longitude: /location 52.5 13.4".to_owned()),
            Line::Send,
        ),
        "image" => file(FileKind::Image, rest),
        "document" => file(FileKind::Document, rest),
        "voice" => file(FileKind::Voice, rest),
        "audio" => file(FileKind::Audio, rest),
        "video" => file(FileKind::Video, rest),
        "sticker" => file(FileKind::Sticker, rest),
        _ => Line::Wrong(format!(
            "there is no /{name}; /help lists what there is, and //{name} sends it as a text"
        )),
    }
}

fn file(kind: FileKind, rest: &str) -> Line {
    let (path, caption) = match rest.split_once("--") {
        Some((path, caption)) => (path.trim(), caption.trim()),
        None => (rest, ""),
    };
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Line::Send(Action::File {
        kind,
        path: filled(path),
        caption: filled(caption),
    })
}

fn location(text: &str) -> Option<Action> {
    let mut parts = text.splitn(3, char::is_whitespace);
    let latitude: f64 = parts.next()?.trim_end_matches(',').parse().ok()?;
    let longitude: f64 = parts.next()?.trim_end_matches(',').parse().ok()?;
    let on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
    let name = parts.next().map(|name| name.trim().to_owned());
    on_earth.then_some(Action::Location {
        latitude,
        longitude,
        name: name.filter(|name| !name.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(line: &str) -> Action {
        match parse(line) {
            Line::Send(action) => action,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_command_is_a_text() {
        for text in ["Hi", "5/6 rooms", "½ / month", "http://a.example/b"] {
            assert_eq!(sent(text), Action::Text(text.to_owned()));
        }
        assert_eq!(sent("//start now"), Action::Text("/start now".to_owned()));
        assert_eq!(sent("  Hi  "), Action::Text("Hi".to_owned()));
    }

    #[test]
    fn each_command_is_read_with_its_words() {
        let file = |kind, path: Option<&str>, caption: Option<&str>| Action::File {
            kind,
            path: path.map(str::to_owned),
            caption: caption.map(str::to_owned),
        };
        assert_eq!(sent("/tap 2"), Action::Tap("2".to_owned()));
        assert_eq!(
            sent("/tap Große Wohnung"),
            Action::Tap("Große Wohnung".to_owned())
        );
        assert_eq!(sent("/image"), file(FileKind::Image, None, None));
        assert_eq!(
            sent("/image my house.jpg -- see - here"),
            file(FileKind::Image, Some("my house.jpg"), Some("see - here"))
        );
        assert_eq!(
            sent("/document -- it"),
            file(FileKind::Document, None, Some("it"))
        );
        assert_eq!(sent("/voice"), file(FileKind::Voice, None, None));
        assert_eq!(sent("/react 👍"), Action::React(Some("👍".to_owned())));
        assert_eq!(sent("/react"), Action::React(None));
        assert_eq!(sent("/edit 7,500"), Action::Edit("7,500".to_owned()));
        assert_eq!(
            sent("/location 52.5, 13.4 Alexanderplatz, Berlin"),
            Action::Location {
                latitude: 52.5,
                longitude: 13.4,
                name: Some("Alexanderplatz, Berlin".to_owned()),
            }
        );
        assert!(matches!(sent("/form {\"a\": 1}"), Action::Form(answers) if answers.len() == 1));
        assert_eq!(parse("/help"), Line::Help);
    }

    #[test]
    fn a_command_that_lacks_something_is_not_sent() {
        for wrong in [
            "/tap",
            "/edit ",
            "/location here",
            "/location 91 0",
            "/form [1]",
            "/form",
            "/help2",
            "/",
        ] {
            assert!(matches!(parse(wrong), Line::Wrong(_)), "{wrong}");
        }
    }

    #[test]
    fn help_lists_every_command_in_80_columns() {
        assert!(
            HELP.lines().all(|line| line.chars().count() <= 80),
            "{HELP}"
        );
        for name in [
            "tap", "form", "image", "document", "voice", "audio", "video", "sticker", "location",
            "react", "edit", "help",
        ] {
            assert!(HELP.contains(&format!("/{name}")), "{name}");
        }
    }
}
