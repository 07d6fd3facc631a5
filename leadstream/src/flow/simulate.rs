//! Runs `leadstream flow simulate`: the terminal is a lead's phone, and time passes on request.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::time::Duration;

use leadstream_processor::flow::{DEFAULT_FLOW, Flow, parse_duration};
use leadstream_processor::flows::Flows;
use leadstream_processor::rehearsal::{Rehearsal, spoken};
use leadstream_schemas::Content;
use leadstream_schemas::input::MediaType;

use super::parse;
use crate::terminal::{Ink, Style, show, wrap};

const HELP: &str = "\
/wait 23h          time passes
/burst A | B | C   messages within a second
/tap VALUE         taps the button or row of this value
/form JSON         submits a form
/location LAT LON  sends a location
/voice, /image, /sticker
/person TEXT       a person of the business answers
/release           an agent gives the lead back to the bot
/state             shows state, score and data
";

/// The meaning of a line.
#[derive(Debug, PartialEq)]
enum Line {
    Send(Content),
    /// Messages within one second.
    Burst(Vec<Content>),
    Release,
    Wait(Duration),
    State,
    Help,
    Wrong(String),
}

pub(super) fn run(file: Option<&Path>) -> anyhow::Result<()> {
    let flow = match file {
        Some(path) => parse(path)?.0,
        None => Flow::parse("the default flow", DEFAULT_FLOW)?,
    };
    let flows = Flows::new(flow, Vec::new());
    let style = Style::stdout();
    let is_terminal = io::stdin().is_terminal();
    let mut play = Rehearsal::new(&flows);
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
        run_line(&mut play, read(&line), style)?;
        prompt();
    }
    play.settle();
    print_replies(&mut play, style);
    Ok(())
}

fn run_line(play: &mut Rehearsal<'_>, line: Line, style: Style) -> anyhow::Result<()> {
    let before = play.conversation().map(|it| it.state.clone());
    match line {
        Line::Send(content) => {
            play.advance(Duration::from_secs(10))?;
            print_replies(play, style);
            play.send(&content)?;
            play.settle();
        }
        Line::Burst(contents) => {
            play.advance(Duration::from_secs(10))?;
            print_replies(play, style);
            for content in contents {
                play.advance(Duration::from_millis(100))?;
                play.send(&content)?;
            }
            play.settle();
        }
        Line::Release => {
            play.command(&Content::Release)?;
            play.settle();
        }
        Line::Wait(time) => {
            play.settle();
            play.advance(time)?;
        }
        Line::State => {
            if let Some(it) = play.conversation() {
                let data = serde_json::Value::Object(it.data.clone());
                print_note(&format!("{}, score {}, {data}", it.state, it.score), style);
            }
        }
        Line::Help => show(HELP),
        Line::Wrong(reason) => print_note(&reason, style),
    }
    print_replies(play, style);
    if let Some(now) = play.conversation()
        && before.as_ref() != Some(&now.state)
    {
        print_note(&now.state, style);
    }
    Ok(())
}

fn print_replies(play: &mut Rehearsal<'_>, style: Style) {
    for reply in play.heard() {
        let text = spoken(reply);
        let lines: Vec<String> = text.lines().map(|line| wrap(line, 6)).collect();
        let text = lines.join("\n      ");
        show(&format!("{}{text}\n", style.paint(Ink::Bot, "bot   ")));
    }
}

fn print_note(text: &str, style: Style) {
    let text = style.paint(Ink::Faint, &format!("({text})"));
    show(&format!("      {text}\n"));
}

fn read(line: &str) -> Line {
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
        })
    };
    match name {
        "help" => Line::Help,
        "state" => Line::State,
        "release" => Line::Release,
        "voice" => media(MediaType::Voice),
        "image" => media(MediaType::Image),
        "sticker" => media(MediaType::Sticker),
        "burst" => Line::Burst(rest.split('|').map(|body| text(body.trim())).collect()),
        "person" => Line::Send(Content::Takeover {
            body: Some(rest.to_owned()),
        }),
        "tap" => Line::Send(Content::Choice {
            id: Some(rest.to_owned()),
            title: rest.to_owned(),
            description: None,
        }),
        "form" => Line::Send(Content::Form {
            name: None,
            response_json: rest.to_owned(),
        }),
        "wait" => parse_duration(rest).map_or_else(
            || Line::Wrong(format!("`{rest}` is no time; write one such as /wait 23h")),
            Line::Wait,
        ),
        "location" => location(rest).unwrap_or_else(|| {
            Line::Wrong("write latitude and longitude: /location 52.5 13.4".into())
        }),
        _ => Line::Wrong(format!("there is no /{name}; /help lists what there is")),
    }
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
        assert_eq!(read(" Hi "), Line::Send(hi.clone()));
        assert_eq!(read("/burst Hi | Hi"), Line::Burst(vec![hi.clone(), hi]));
        assert_eq!(read("/wait 90m"), Line::Wait(Duration::from_secs(5400)));
        assert!(matches!(
            read("/location 1.5, 2"),
            Line::Send(Content::Location { .. })
        ));
        for wrong in ["/wait", "/wait long", "/location here", "/what"] {
            assert!(matches!(read(wrong), Line::Wrong(_)), "{wrong}");
        }
    }
}
