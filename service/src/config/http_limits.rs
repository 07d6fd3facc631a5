//! The limits of an HTTP server as settings.

/// Declares the limits of an HTTP server as settings with a service's prefix. It is a macro, because
/// clap's derive cannot put a prefix before the names of shared settings.
#[macro_export]
macro_rules! http_limit_args {
    (
        $name:ident,
        flags: $flag:literal,
        variables: $variable:literal,
        max_requests: $requests:literal,
        max_connections: $connections:literal
    ) => {
        /// Limits of HTTP clients.
        #[derive(Clone, Debug, clap::Args)]
        #[group(skip)]
        #[command(next_help_heading = "Limits")]
        pub struct $name {
            /// Open connections; further ones are answered 503
            #[arg(
                        long = concat!($flag, "-max-connections"),
                        env = concat!($variable, "_MAX_CONNECTIONS"),
                        default_value_t = $connections,
                        value_name = "COUNT",
                        value_parser = clap::value_parser!(u32).range(8..=100_000)
                    )]
            pub max_connections: u32,
            /// Requests in flight, from the body's end to the answer; further ones are answered 503
            #[arg(
                        long = concat!($flag, "-max-requests"),
                        env = concat!($variable, "_MAX_REQUESTS"),
                        default_value_t = $requests,
                        value_name = "COUNT",
                        value_parser = clap::value_parser!(u32).range(1..=100_000)
                    )]
            pub max_requests: u32,
            /// Time that a client has to send a request's head; an idle connection is closed after it.
            /// A balancer that reuses connections needs a shorter idle time
            #[arg(
                        long = concat!($flag, "-header-timeout"),
                        env = concat!($variable, "_HEADER_TIMEOUT"),
                        default_value = "5s",
                        value_name = "DURATION",
                        value_parser = $crate::config::duration(std::time::Duration::from_secs(1)..)
                    )]
            pub header_timeout: std::time::Duration,
            /// Time that a client has to send a request's body
            #[arg(
                        long = concat!($flag, "-body-timeout"),
                        env = concat!($variable, "_BODY_TIMEOUT"),
                        default_value = "10s",
                        value_name = "DURATION",
                        value_parser = $crate::config::duration(std::time::Duration::from_secs(1)..)
                    )]
            pub body_timeout: std::time::Duration,
        }

        impl $name {
            /// Returns the server's limits. It accepts requests for `drain` after shutdown begins.
            pub(crate) const fn server(
                &self,
                drain: std::time::Duration,
            ) -> $crate::server::Limits {
                $crate::server::Limits {
                    connections: self.max_connections as usize,
                    header_timeout: self.header_timeout,
                    drain,
                }
            }
        }
    };
}
