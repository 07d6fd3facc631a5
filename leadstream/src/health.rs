//! Runs `leadstream health`: asks a service on this host how it is. An image without a shell has no other
//! command for a health check.

#![expect(clippy::print_stdout, reason = "the output of a command")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_service::config::duration;

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Settings of `leadstream health`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Address of the service's /health; 0.0.0.0 means this host
    #[arg(long, env = "OPS_ADDRESS", value_name = "IP:PORT")]
    ops_address: SocketAddr,
    /// Ask only whether the process runs, not whether it can work
    #[arg(long)]
    live: bool,
    /// Time for the answer
    #[arg(
        long,
        default_value = "3s",
        value_name = "DURATION",
        value_parser = duration(Duration::from_millis(1)..)
    )]
    timeout: Duration,
}

/// Prints what the service says.
///
/// # Errors
/// Returns an error if the service does not answer, or is not ready.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let path = if args.live {
        "/health/live"
    } else {
        "/health/ready"
    };
    let address = reachable(args.ops_address);
    let answer = ask(address, path, args.timeout)
        .with_context(|| format!("no answer of {address}{path}; is OPS_ADDRESS the service's?"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    print!("{body}");
    if status != "200" {
        bail!("{address}{path} answered {status}");
    }
    Ok(())
}

/// Returns the address at which a service is reached that listens on `listens`.
fn reachable(listens: SocketAddr) -> SocketAddr {
    let host = match listens.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(host, listens.port())
}

/// Returns the response to a request, head and body.
fn ask(address: SocketAddr, path: &str, timeout: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::time::Duration;

    use super::{Args, reachable, run};

    /// Starts a server that answers one request, and returns its address and the path that it was asked.
    fn answering(
        response: &'static str,
    ) -> (SocketAddr, std::thread::JoinHandle<std::io::Result<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            let mut lines = BufReader::new(stream.try_clone()?).lines();
            let request = lines.next().transpose()?.unwrap_or_default();
            while lines
                .next()
                .transpose()?
                .is_some_and(|line| !line.is_empty())
            {}
            stream.write_all(response.as_bytes())?;
            Ok(request)
        });
        (address, server)
    }

    fn args(ops_address: SocketAddr, live: bool) -> Args {
        let timeout = Duration::from_secs(5);
        Args {
            ops_address,
            live,
            timeout,
        }
    }

    #[test]
    fn a_service_is_healthy_if_it_answers_200() {
        let (address, server) = answering("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n");
        let anywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
        run(&args(anywhere, false)).unwrap();
        assert_eq!(
            server.join().unwrap().unwrap(),
            "GET /health/ready HTTP/1.1"
        );
        let (address, server) = answering("HTTP/1.1 200 OK\r\n\r\n");
        run(&args(address, true)).unwrap();
        assert_eq!(server.join().unwrap().unwrap(), "GET /health/live HTTP/1.1");
    }

    #[test]
    fn a_service_that_cannot_work_or_does_not_answer_is_not_healthy() {
        let (address, server) =
            answering("HTTP/1.1 503 Service Unavailable\r\n\r\nkafka: no broker answers\n");
        let error = run(&args(address, false)).unwrap_err().to_string();
        server.join().unwrap().unwrap();
        assert!(error.ends_with("answered 503"), "{error}");
        let error = run(&args(address, false)).unwrap_err().to_string();
        assert!(error.contains("OPS_ADDRESS"), "{error}");
    }

    #[test]
    fn every_address_is_asked_on_this_host() {
        for (listens, asked) in [
            ("0.0.0.0:9400", "127.0.0.1:9400"),
            ("[::]:9400", "[::1]:9400"),
            ("10.0.0.7:9401", "10.0.0.7:9401"),
        ] {
            let listens: SocketAddr = listens.parse().unwrap();
            assert_eq!(reachable(listens).to_string(), asked);
        }
    }
}
