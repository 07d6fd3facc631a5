//! The cheapest client: requests are bytes made beforehand, so that what is measured is the
//! server.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One keep-alive connection, one request at a time.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(1024),
        })
    }

    /// Sends a whole request and reads its whole answer; its status.
    pub(super) async fn send(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(status) = status(&self.answer)? {
                return Ok(status);
            }
        }
    }
}

/// A GET as [`Connection::send`] takes it.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// The status of a complete answer; `None` while bytes are missing.
fn status(answer: &[u8]) -> io::Result<Option<u16>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, body) = (&answer[..end], &answer[end + 4..]);
    let parsed = std::str::from_utf8(head).ok().and_then(parse);
    let Some((status, length)) = parsed else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the answer is not HTTP/1.1 with a Content-Length",
        ));
    };
    Ok((body.len() >= length).then_some(status))
}

/// Status and length of the body.
fn parse(head: &str) -> Option<(u16, usize)> {
    let mut lines = head.split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.1 ")?
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim())
    })?;
    Some((status, length.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn an_answer_counts_once_it_is_complete() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nx: y\r\n\r\nno";
        for length in 0..answer.len() {
            assert_eq!(status(&answer[..length]).unwrap(), None, "{length}");
        }
        assert_eq!(status(answer).unwrap(), Some(503));
    }

    #[test]
    fn what_is_not_http_or_of_no_known_length_is_an_error() {
        for answer in ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(status(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
