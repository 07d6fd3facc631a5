//! Parses the messages of a PostgreSQL client as far as statements and their arguments go
//! (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).

use anyhow::{Context, ensure};
use bytes::Buf;

const BINARY: u16 = 1;

/// A message of the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'m> {
    /// Names a statement; with the ids of its arguments' types.
    Parse {
        name: &'m str,
        text: &'m str,
        types: Vec<u32>,
    },
    /// Gives a statement its arguments, to execute it.
    Bind {
        name: &'m str,
        arguments: Arguments<'m>,
    },
    /// Runs statements without arguments.
    Query(&'m str),
    Other,
}

/// Arguments in PostgreSQL's binary form; None is NULL.
pub(super) type Arguments<'m> = Vec<Option<&'m [u8]>>;

/// Returns the length of the message at the beginning of `buffer`, if it is complete. The `first`
/// message of a connection has no type.
pub(super) fn length(buffer: &[u8], first: bool) -> Option<usize> {
    let before = usize::from(!first);
    let mut rest = buffer.get(before..)?;
    let length = before + usize::try_from(rest.try_get_u32().ok()?).ok()?;
    (length <= buffer.len()).then_some(length)
}

/// Reads a message that is not the first.
pub(super) fn read(message: &[u8]) -> anyhow::Result<Message<'_>> {
    let (kind, mut body) = (message.first(), message.get(5..).unwrap_or_default());
    let body = &mut body;
    Ok(match kind {
        Some(b'P') => Message::Parse {
            name: text(body)?,
            text: text(body)?,
            types: (0..body.try_get_u16()?)
                .map(|_| body.try_get_u32())
                .collect::<Result<_, _>>()?,
        },
        Some(b'B') => {
            let _portal = text(body)?;
            Message::Bind {
                name: text(body)?,
                arguments: arguments(body)?,
            }
        }
        Some(b'Q') => Message::Query(text(body)?),
        _ => Message::Other,
    })
}

fn text<'m>(body: &mut &'m [u8]) -> anyhow::Result<&'m str> {
    let end = body.iter().position(|byte| *byte == 0);
    let (text, rest) = body.split_at(end.context("a text without an end")?);
    *body = &rest[1..];
    Ok(std::str::from_utf8(text)?)
}

fn arguments<'m>(body: &mut &'m [u8]) -> anyhow::Result<Arguments<'m>> {
    let formats = body.try_get_u16()?;
    let mut binary = formats > 0;
    for _ in 0..formats {
        binary &= body.try_get_u16()? == BINARY;
    }
    let count = body.try_get_u16()?;
    ensure!(binary || count == 0, "an argument is not in binary form");
    (0..count).map(|_| argument(body)).collect()
}

fn argument<'m>(body: &mut &'m [u8]) -> anyhow::Result<Option<&'m [u8]>> {
    // NULL has the length -1.
    let Ok(length) = usize::try_from(body.try_get_i32()?) else {
        return Ok(None);
    };
    let split = body.split_at_checked(length);
    let (argument, rest) = split.context("an argument ends too early")?;
    *body = rest;
    Ok(Some(argument))
}

#[cfg(test)]
mod tests {
    use super::{Message, length, read};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    #[test]
    fn a_message_has_a_length_once_all_of_it_is_there() {
        let whole = message(b'Q', b"BEGIN\0");
        for end in 0..whole.len() {
            assert_eq!(length(&whole[..end], false), None, "{end}");
        }
        let two = [whole.clone(), message(b'S', b"")].concat();
        assert_eq!(length(&two, false), Some(whole.len()));
        assert_eq!(length(&[0, 0, 0, 8, 0, 3, 0, 0], true), Some(8));
    }

    #[test]
    fn statements_are_read_with_their_arguments() {
        let parse = b"s1\0SELECT $1, $2\0\0\x02\0\0\0\x17\0\0\0\x19";
        assert_eq!(
            read(&message(b'P', parse)).unwrap(),
            Message::Parse {
                name: "s1",
                text: "SELECT $1, $2",
                types: vec![23, 25],
            }
        );
        let arguments = b"\0\0\0\x02ab\xff\xff\xff\xff";
        let bind = [&b"\0s1\0\0\x01\0\x01\0\x02"[..], arguments, b"\0\x01\0\x01"].concat();
        assert_eq!(
            read(&message(b'B', &bind)).unwrap(),
            Message::Bind {
                name: "s1",
                arguments: vec![Some(b"ab"), None],
            }
        );
        let query = message(b'Q', b"COMMIT\0");
        assert_eq!(read(&query).unwrap(), Message::Query("COMMIT"));
        assert_eq!(read(&message(b'S', b"")).unwrap(), Message::Other);
    }

    #[test]
    fn what_is_cut_off_or_in_text_form_is_an_error() {
        let bind = b"\0s1\0\0\x01\0\x01\0\x01\0\0\0\x02ab";
        assert!(read(&message(b'B', bind)).is_ok());
        for end in 0..bind.len() {
            assert!(read(&message(b'B', &bind[..end])).is_err(), "{end}");
        }
        assert!(read(&message(b'B', b"\0s1\0\0\x01\0\0\0\x01\0\0\0\x02ab")).is_err());
        assert!(read(&message(b'B', b"\0s1\0\0\0\0\x01\0\0\0\x02ab")).is_err());
    }
}
