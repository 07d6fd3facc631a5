//! A test client that distinguishes a refused, a broken and an answered request.

use std::net::SocketAddr;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub(crate) const SECRET: &str = "s3cret";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) closes: bool,
}

pub(crate) fn unavailable(retry_after: &str) -> HttpResponse {
    HttpResponse {
        status: 503,
        retry_after: Some(retry_after.to_owned()),
        closes: false,
    }
}

/// One connection, kept alive.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Posts a message, signed.
    pub(crate) async fn post(&mut self, id: &str, text: &str) -> std::io::Result<HttpResponse> {
        let body = webhook(id, text);
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let request = format!(
            "POST /webhooks/whatsapp HTTP/1.1\r\nHost: ingest\r\nContent-Length: {}\r\n\
             X-Hub-Signature-256: sha256={signature}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).await?;
        self.response().await
    }

    async fn response(&mut self) -> std::io::Result<HttpResponse> {
        let mut response = HttpResponse {
            status: status(&self.line().await?),
            retry_after: None,
            closes: false,
        };
        let mut length = 0;
        loop {
            let line = self.line().await?.to_ascii_lowercase();
            match line.split_once(": ") {
                None => break,
                Some(("retry-after", seconds)) => response.retry_after = Some(seconds.to_owned()),
                Some(("connection", token)) => response.closes = token == "close",
                Some(("content-length", bytes)) => length = bytes.parse().unwrap(),
                Some(_) => {}
            }
        }
        self.0.read_exact(&mut vec![0; length]).await?;
        Ok(response)
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

fn status(line: &str) -> u16 {
    let code = line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok()).expect(line)
}

fn webhook(id: &str, text: &str) -> String {
    serde_json::json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
        "field": "messages",
        "value": {
            "metadata": {"phone_number_id": "501"},
            "messages": [{
                "from": "491", "id": id, "timestamp": "1750000000",
                "type": "text", "text": {"body": text},
            }],
        },
    }]}]})
    .to_string()
}
