//! Implements a minimal HTTP client: requests are prepared bytes, so the server dominates the
//! measurement.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One keep-alive connection, one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    /// The server said that it closes it.
    closing: bool,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(1024),
            closing: false,
        })
    }

    /// Returns whether the server takes no further request.
    pub(super) fn is_closed(&self) -> bool {
        // Costs a system call only when something has come.
        let unasked = self.stream.try_read(&mut [0]);
        self.closing || !unasked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a whole request, reads its whole answer and returns its status.
    pub(super) async fn send(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = head(&self.answer)? {
                self.closing = head.closing;
                return Ok(head.status);
            }
        }
    }
}

/// Returns a GET request for [`Connection::send`].
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// The head of a response.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Of the body.
    length: usize,
    closing: bool,
}

/// Returns the head of a complete answer; `None` while bytes are missing.
fn head(answer: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (text, body) = (&answer[..end], &answer[end + 4..]);
    let Some(head) = std::str::from_utf8(text).ok().and_then(parse) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the answer is not HTTP/1.1 with a Content-Length",
        ));
    };
    Ok((body.len() >= head.length).then_some(head))
}

fn parse(text: &str) -> Option<Head> {
    let mut lines = text.split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.1 ")?
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    let mut length = None;
    let mut closing = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse().ok()?);
        } else if name.eq_ignore_ascii_case("connection") {
            closing = value.eq_ignore_ascii_case("close");
        }
    }
    Some(Head {
        status,
        length: length?,
        closing,
    })
}

#[cfg(test)]
mod tests {
    use super::{Head, head};

    #[test]
    fn an_answer_counts_once_it_is_complete() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nx: y\r\n\r\nno";
        for length in 0..answer.len() {
            assert_eq!(head(&answer[..length]).unwrap(), None, "{length}");
        }
        let expected = Head {
            status: 503,
            length: 2,
            closing: false,
        };
        assert_eq!(head(answer).unwrap(), Some(expected));
    }

    #[test]
    fn a_connection_that_the_server_closes_is_known() {
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert!(head(answer).unwrap().unwrap().closing);
    }

    #[test]
    fn what_is_not_http_or_of_no_known_length_is_an_error() {
        for answer in ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(head(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
