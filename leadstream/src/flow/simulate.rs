//! `leadstream flow simulate`: the terminal is a lead's phone, and commands advance the time.

mod record;

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::time::Duration;

use leadstream_processor::flow::{DEFAULT_FLOW, Flow, parse_duration};
use leadstream_processor::flows::Flows;
use leadstream_processor::simulator::{Recorder, Simulator, parse_referral, plain_text};
use leadstream_schemas::input::MediaType;
use leadstream_schemas::{Content, Referral, UndeliveredClass};

use self::record::Record;
use super::parse;
use crate::terminal::{Ink, Style, show, wrap};

/// The time between two lines.
const PAUSE: Duration = Duration::from_secs(10);
/// The time between two messages of a burst.
const BURST: Duration = Duration::from_millis(100);

const HELP: &str = "\
/wait 23h          time passes
/burst A | B | C   messages within a second
/tap VALUE         taps the button or row of this value
/form JSON         submits a form
/location LAT LON  sends a location
/image, /document, /voice, /audio, /video, /sticker
/referral MEMBERS  the next message comes from an ad: /referral {id: 77, headline: Solar}
/person TEXT       a person of the business answers
/release           an agent gives the lead back to the bot
/undelivered WHY   the open question did not arrive: /undelivered unreachable
/state             shows time, state, score, assignee and data; it begins on Monday, 2026-01-05 at 09:00 UTC
";

/// A parsed line.
#[derive(Debug, PartialEq)]
enum Line {
    Send(Content),
    /// Messages within a second.
    Burst(Vec<Content>),
    /// The ad or post that leads to the next message.
    Referral(Referral),
    Release,
    Undelivered(UndeliveredClass),
    Wait(Duration),
    State,
    Help,
    Wrong(String),
}

pub(super) fn run(file: Option<&Path>, record: Option<&Path>) -> anyhow::Result<()> {
    let mut recorder = Recorder::default();
    let flow = match file {
        Some(path) => parse(path)?.0,
        None => Flow::parse("the default flow", DEFAULT_FLOW)?,
    };
    let flows = Flows::new(flow, Vec::new());
    let record = record.map(|path| Record::open(path, &flows)).transpose()?;
    let style = Style::stdout();
    let is_terminal = io::stdin().is_terminal();
    let mut simulator = Simulator::new(&flows);
    let prompt = || {
        if is_terminal {
            show(&style.paint(Ink::Lead, "lead  "));
        }
    };
    if is_terminal {
        show(&style.paint(
            Ink::Faint,
            "      (/help lists what else there is; Ctrl-D ends)\n",
        ));
    }
    prompt();
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            prompt();
            continue;
        }
        if !is_terminal {
            show(&format!("{}{line}\n", style.paint(Ink::Lead, "lead  ")));
        }
        let line = parse_line(&line);
        let refused = match &line {
            Line::Send(content) => simulator.refused(content),
            _ => None,
        };
        if let Some(reason) = refused {
            show_note(&reason, style);
            prompt();
            continue;
        }
        add(&mut recorder, &line);
        run_line(&mut simulator, line, style)?;
        if let Some(record) = &record {
            record.write(&recorder, &flows)?;
        }
        prompt();
    }
    simulator.send_waiting_reply();
    show_replies(&mut simulator, style);
    Ok(())
}

/// Records a line as turns of a transcript.
fn add(recorder: &mut Recorder, line: &Line) {
    match line {
        Line::Send(content) => recorder.add(content, PAUSE),
        Line::Burst(contents) => {
            for (index, content) in contents.iter().enumerate() {
                recorder.add(content, if index == 0 { PAUSE } else { BURST });
            }
        }
        Line::Referral(referral) => recorder.refer(referral.clone()),
        Line::Release => recorder.add(&Content::Release, PAUSE),
        Line::Undelivered(class) => recorder.fail_to_deliver(*class, PAUSE),
        Line::Wait(time) => recorder.wait(*time),
        Line::State | Line::Help | Line::Wrong(_) => {}
    }
}

fn run_line(simulator: &mut Simulator<'_>, line: Line, style: Style) -> anyhow::Result<()> {
    let before = simulator.conversation().map(|it| it.state.clone());
    match line {
        Line::Send(content) => {
            simulator.advance(PAUSE)?;
            show_replies(simulator, style);
            simulator.send(&content)?;
            simulator.send_waiting_reply();
        }
        Line::Burst(contents) => {
            simulator.advance(PAUSE)?;
            show_replies(simulator, style);
            for content in contents {
                simulator.advance(BURST)?;
                simulator.send(&content)?;
            }
            simulator.send_waiting_reply();
        }
        Line::Referral(referral) => {
            let conversation = simulator.conversation();
            if conversation.is_some_and(|it| it.referral.is_some()) {
                show_note("the conversation keeps its first referral", style);
            }
            simulator.refer(referral);
        }
        Line::Release => {
            simulator.command(&Content::Release)?;
            simulator.send_waiting_reply();
        }
        Line::Undelivered(class) => {
            simulator.advance(PAUSE)?;
            show_replies(simulator, style);
            simulator.fail_to_deliver(class)?;
        }
        Line::Wait(time) => {
            simulator.send_waiting_reply();
            simulator.advance(time)?;
        }
        Line::State => {
            if let Some(it) = simulator.conversation() {
                let data = serde_json::Value::Object(it.data.clone());
                let assignee = it.assignee.as_deref().unwrap_or("nobody");
                let completed = if it.is_completed { ", completed" } else { "" };
                let note = format!(
                    "{}: {}{completed}, score {}, assigned to {assignee}, {data}",
                    simulator.now(),
                    it.state,
                    it.score
                );
                show_note(&note, style);
            }
        }
        Line::Help => show(HELP),
        Line::Wrong(reason) => show_note(&reason, style),
    }
    show_replies(simulator, style);
    if let Some(now) = simulator.conversation()
        && before.as_ref() != Some(&now.state)
    {
        show_note(&now.state, style);
    }
    Ok(())
}

fn show_replies(simulator: &mut Simulator<'_>, style: Style) {
    for reply in simulator.take_sent_replies() {
        let text = plain_text(reply);
        let lines: Vec<String> = text.lines().map(|line| wrap(line, 6)).collect();
        let text = lines.join("\n      ");
        show(&format!("{}{text}\n", style.paint(Ink::Bot, "bot   ")));
    }
}

fn show_note(text: &str, style: Style) {
    let text = style.paint(Ink::Faint, &format!("({text})"));
    show(&format!("      {text}\n"));
}

fn parse_line(line: &str) -> Line {
    let line = line.trim();
    let text = |body: &str| Content::Text {
        body: body.to_owned(),
    };
    let Some(command) = line.strip_prefix('/') else {
        return Line::Send(text(line));
    };
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    let rest = rest.trim();
    let media = |media: MediaType| {
        Line::Send(Content::Media {
            media,
            id: None,
            url: None,
            mime_type: None,
            sha256: None,
            caption: None,
            filename: None,
            size: None,
        })
    };
    match name {
        "help" => Line::Help,
        "state" => Line::State,
        "release" => Line::Release,
        "voice" => media(MediaType::Voice),
        "image" => media(MediaType::Image),
        "document" => media(MediaType::Document),
        "audio" => media(MediaType::Audio),
        "video" => media(MediaType::Video),
        "sticker" => media(MediaType::Sticker),
        "burst" => Line::Burst(rest.split('|').map(|body| text(body.trim())).collect()),
        "person" => Line::Send(Content::Takeover {
            body: Some(rest.to_owned()),
        }),
        "tap" if rest.is_empty() => {
            Line::Wrong("write the value of the button or row: /tap es".into())
        }
        "tap" => Line::Send(Content::Choice {
            id: Some(rest.to_owned()),
            title: rest.to_owned(),
            description: None,
        }),
        "form" => Line::Send(Content::Form {
            name: None,
            response_json: rest.to_owned(),
        }),
        "referral" if rest.is_empty() => {
            Line::Wrong("write what is known of the ad: /referral {id: 77, headline: Solar}".into())
        }
        "referral" => parse_referral(rest).map_or_else(Line::Wrong, Line::Referral),
        "wait" => parse_duration(rest).map_or_else(
            || Line::Wrong(format!("`{rest}` is no time; write one such as /wait 23h")),
            Line::Wait,
        ),
        "undelivered" => undelivered(rest),
        "location" => location(rest).unwrap_or_else(|| {
            Line::Wrong("write latitude and longitude: /location 52.5 13.4".into())
        }),
        _ => Line::Wrong(format!("there is no /{name}; /help lists what there is")),
    }
}

fn undelivered(name: &str) -> Line {
    let mut classes = UndeliveredClass::ALL.into_iter();
    let class = classes.find(|class| class.as_str() == name);
    class.map_or_else(
        || {
            let names = UndeliveredClass::ALL.map(UndeliveredClass::as_str);
            Line::Wrong(format!("write why it did not arrive: {}", names.join(", ")))
        },
        Line::Undelivered,
    )
}

fn location(text: &str) -> Option<Line> {
    let (latitude, longitude) = text.split_once(' ')?;
    Some(Line::Send(Content::Location {
        latitude: latitude.trim_end_matches(',').parse().ok()?,
        longitude: longitude.trim().parse().ok()?,
        name: None,
        address: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message_or_a_command() {
        let hi = Content::Text { body: "Hi".into() };
        assert_eq!(parse_line(" Hi "), Line::Send(hi.clone()));
        assert_eq!(
            parse_line("/burst Hi | Hi"),
            Line::Burst(vec![hi.clone(), hi])
        );
        assert_eq!(
            parse_line("/wait 90m"),
            Line::Wait(Duration::from_secs(5400))
        );
        assert!(matches!(
            parse_line("/location 1.5, 2"),
            Line::Send(Content::Location { .. })
        ));
        let tap = |value: &str| {
            Line::Send(Content::Choice {
                id: Some(value.into()),
                title: value.into(),
                description: None,
            })
        };
        assert_eq!(parse_line("/tap es"), tap("es"));
        assert_eq!(parse_line(" /tap  Español "), tap("Español"));
        assert_eq!(
            parse_line("/referral {type: ad, id: 77}"),
            Line::Referral(Referral {
                source_type: Some("ad".into()),
                source_id: Some("77".into()),
                ..Referral::default()
            })
        );
        assert_eq!(
            parse_line("/undelivered unknown_outcome"),
            Line::Undelivered(UndeliveredClass::UnknownOutcome)
        );
        for wrong in [
            "/tap",
            "/wait",
            "/wait long",
            "/location here",
            "/what",
            "/referral",
            "/referral 77",
            "/referral {}",
            "/referral {ids: 77}",
            "/undelivered",
            "/undelivered lost",
        ] {
            assert!(matches!(parse_line(wrong), Line::Wrong(_)), "{wrong}");
        }
    }
}
