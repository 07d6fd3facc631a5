//! W3C trace context, carried in the Kafka header `traceparent`.

use std::fmt;

/// The name of the header in Kafka and in HTTP.
pub const TRACEPARENT: &str = "traceparent";

/// The trace that a record belongs to: `00-<trace id>-<span id>-<flags>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl TraceContext {
    /// Starts a new trace.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            trace_id: rand::random::<u128>() | 1,
            span_id: rand::random::<u64>() | 1,
            flags: 1,
        }
    }

    /// Reads a header's value; `None` if its version is not supported.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.trim().split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let well_formed = version.len() == 2
            && version != "ff"
            && trace.len() == 32
            && span.len() == 16
            && flags.len() == 2
            && (version != "00" || parts.next().is_none())
            && value.bytes().all(|byte| !byte.is_ascii_uppercase());
        let context = Self {
            trace_id: u128::from_str_radix(trace, 16).ok()?,
            span_id: u64::from_str_radix(span, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()?,
        };
        (well_formed && context.trace_id != 0 && context.span_id != 0).then_some(context)
    }

    /// Returns the next step of the same trace. The span id depends only on the parent's span id
    /// and `step`, so a rebuilt record is identical byte for byte.
    #[must_use]
    pub fn child(&self, step: u64) -> Self {
        let mut mixed = self.span_id ^ step.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self {
            span_id: (mixed ^ (mixed >> 31)) | 1,
            ..*self
        }
    }

    /// Reads the header's bytes like [`Self::parse`].
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        Self::parse(std::str::from_utf8(value).ok()?)
    }

    /// Returns the header's value.
    #[must_use]
    pub fn to_header(&self) -> [u8; 55] {
        let mut text = *b"00-................................-................-01";
        let mut write = |at: std::ops::Range<usize>, number: &[u8]| {
            let digits = text.get_mut(at).unwrap_or_default();
            hex::encode_to_slice(number, digits).unwrap_or_default();
        };
        write(3..35, &self.trace_id.to_be_bytes());
        write(36..52, &self.span_id.to_be_bytes());
        write(53..55, &[self.flags]);
        text
    }

    /// Returns the trace id as logs carry it: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_header()).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    #[test]
    fn a_context_reads_back_and_a_child_stays_in_its_trace() {
        let context = TraceContext::generate();
        assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
        let child = context.child(1);
        assert_eq!(child.trace_id(), context.trace_id());
        assert_ne!(child, context);
        assert_eq!(child, context.child(1));
    }

    #[test]
    fn what_is_not_a_context_is_refused() {
        for value in [
            "",
            "00-0-0-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceContext::parse(value), None, "{value}");
        }
    }
}
